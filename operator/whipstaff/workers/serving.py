"""A certificate for a server of ours, signed by an authority whose key nobody keeps."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from whipstaff.release.revision import JsonObject

_BEFORE = timedelta(minutes=10)  # clocks differ
_LONGEST_NAME = 64  # of a common name


def make(names: Sequence[str], now: int, seconds: float) -> JsonObject:
    """Return a new authority, a certificate of it and its key, all in PEM.

    `names` are host names and addresses; `now` is Unix time, from which it is valid for `seconds`.
    """
    begin = datetime.fromtimestamp(now, UTC) - _BEFORE
    end = datetime.fromtimestamp(now + seconds, UTC)
    signing = ec.generate_private_key(ec.SECP256R1())
    serving = ec.generate_private_key(ec.SECP256R1())
    # Each authority has a name of its own: of two that share one, the wrong one may be looked at.
    issuer = _named(f"whipstaff {x509.random_serial_number():x}"[:_LONGEST_NAME])
    subject = _named(names[0][:_LONGEST_NAME])

    def signed(of: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        public = key.public_key()
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(of)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca, 0 if ca else None), critical=True)
            .add_extension(_usage(ca=ca), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(authority, critical=False)
        )
        if not ca:
            alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
            purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            builder = builder.add_extension(purpose, critical=False)
        return builder.sign(signing, hashes.SHA256())

    private = serving.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "authority": _pem(signed(issuer, signing, ca=True)),
        "certificate": _pem(signed(subject, serving, ca=False)),
        "key": private.decode("ascii"),
    }


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
