"""sprig's private keys and X.509 certificates."""

from __future__ import annotations

import ipaddress
import re
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from whipstaff.golang import base_encodings, printf
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import GoObject, Int64, go_bytes, go_text
from whipstaff.template.errors import FunctionError
from whipstaff.template.functions.registry import Function, GoType, function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from whipstaff.template.scope import RenderScope

FAMILY: dict[str, Function] = {}

_DAY_NANOSECONDS = 24 * 3600 * 10**9
_RSA_BITS = 2048
_DER_SEQUENCE = 0x30
_DER_LONG_LENGTH = 0x80
_GENERATED_RSA_BITS = 4096
_PEM = re.compile(
    rb"-----BEGIN ([^\n]*?)-----[ \t\r]*\n(?:[^\n:]+:[^\n]*\n)*(.*?)-----END \1-----", re.DOTALL
)


class Certificate(GoObject):
    """A certificate and its private key, both in PEM."""

    __slots__ = ("cert", "key")
    go_type: ClassVar[str] = "sprig.certificate"
    go_kind: ClassVar[str] = "struct"

    def __init__(self, cert: str = "", key: str = "") -> None:
        self.cert = cert
        self.key = key

    def fields(self) -> Mapping[str, Callable[[], object]]:
        return {"Cert": lambda: self.cert, "Key": lambda: self.key}


@function("genPrivateKey", GoType.STRING)
def gen_private_key(kind: str) -> str:
    """A new key in PEM: `rsa` (also ""), `dsa`, `ecdsa` or `ed25519`."""
    from cryptography.hazmat.primitives.asymmetric import (  # noqa: PLC0415  loaded on first use
        dsa,
        ec,
        ed25519,
    )

    match kind:
        case "" | "rsa":
            return _key_pem(_new_rsa_key(_GENERATED_RSA_BITS))
        case "dsa":
            return _key_pem(dsa.generate_private_key(2048))
        case "ecdsa":
            return _key_pem(ec.generate_private_key(ec.SECP256R1()))
        case "ed25519":
            return _key_pem(ed25519.Ed25519PrivateKey.generate())
        case _:
            return f"Unknown type {kind}"


@function("genCA", GoType.STRING, GoType.INT, scoped=True)
def gen_ca(scope: RenderScope, common_name: str, days: int) -> Certificate:
    """A new certificate authority and its RSA key."""
    return _authority(scope, common_name, days, _new_rsa_key())


@function("genCAWithKey", GoType.STRING, GoType.INT, GoType.STRING, scoped=True)
def gen_ca_with_key(scope: RenderScope, common_name: str, days: int, key: str) -> Certificate:
    """A certificate authority for a key that is given in PEM."""
    return _authority(scope, common_name, days, _given_key(key))


@function("genSelfSignedCert", GoType.STRING, GoType.LIST, GoType.LIST, GoType.INT, scoped=True)
def gen_self_signed_cert(
    scope: RenderScope,
    common_name: str,
    ips: list[object] | None,
    names: list[object] | None,
    days: int,
) -> Certificate:
    """A certificate that its own new RSA key signs."""
    return _self_signed(scope, _Request(common_name, ips, names, days), _new_rsa_key())


@function(
    "genSelfSignedCertWithKey",
    *(GoType.STRING, GoType.LIST, GoType.LIST, GoType.INT, GoType.STRING),
    scoped=True,
)
def gen_self_signed_cert_with_key(
    scope: RenderScope,
    common_name: str,
    ips: list[object] | None,
    names: list[object] | None,
    days: int,
    key: str,
) -> Certificate:
    """A certificate that its own key, given in PEM, signs."""
    return _self_signed(scope, _Request(common_name, ips, names, days), _given_key(key))


@function(
    "genSignedCert",
    *(GoType.STRING, GoType.LIST, GoType.LIST, GoType.INT, GoType.CERTIFICATE),
    scoped=True,
)
def gen_signed_cert(
    scope: RenderScope,
    common_name: str,
    ips: list[object] | None,
    names: list[object] | None,
    days: int,
    authority: Certificate,
) -> Certificate:
    """A certificate with a new RSA key, signed by an authority."""
    return _signed(scope, _Request(common_name, ips, names, days), authority, _new_rsa_key())


@function(
    "genSignedCertWithKey",
    *(GoType.STRING, GoType.LIST, GoType.LIST, GoType.INT, GoType.CERTIFICATE, GoType.STRING),
    scoped=True,
)
def gen_signed_cert_with_key(  # noqa: PLR0913, PLR0917  sprig's parameters
    scope: RenderScope,
    common_name: str,
    ips: list[object] | None,
    names: list[object] | None,
    days: int,
    authority: Certificate,
    key: str,
) -> Certificate:
    """A certificate for a key given in PEM, signed by an authority."""
    return _signed(scope, _Request(common_name, ips, names, days), authority, _given_key(key))


@function("buildCustomCert", GoType.STRING, GoType.STRING)
def build_custom_cert(certificate: str, key: str) -> Certificate:
    """A certificate from base64 of PEM, once both parts prove readable."""
    cert_pem = _decoded(certificate, "unable to decode base64 certificate")
    key_pem = _decoded(key, "unable to decode base64 private key")
    _read_certificate(cert_pem)
    try:
        _read_key(key_pem)
    except FunctionError as error:
        raise FunctionError(f"error parsing private key: {error}") from error
    return Certificate(go_text(cert_pem), go_text(key_pem))


def _decoded(text: str, complaint: str) -> bytes:
    try:
        return base_encodings.decode64(text)
    except base_encodings.CorruptInput as error:
        raise FunctionError(complaint) from error


class _Request:
    """What a certificate shall say."""

    def __init__(
        self,
        common_name: str,
        ips: list[object] | None,
        names: list[object] | None,
        days: int,
    ) -> None:
        self.common_name = common_name
        self._ips = ips or []
        self._names = names or []
        self.days = days

    def alternatives(self) -> tuple[list[ipaddress.IPv4Address | ipaddress.IPv6Address], list[str]]:
        """Addresses and names; a wrong one is refused here, after a wrong key."""
        addresses = [_address(ip) for ip in self._ips]
        return addresses, [_dns_name(name) for name in self._names]


def _address(ip: object) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if not isinstance(ip, str):
        raise FunctionError(f"error parsing ip: {printf.show(ip)} is not a string")
    try:
        address = ipaddress.ip_address(ip)
    except ValueError as error:
        raise FunctionError(f"error parsing ip: {ip}") from error
    if "%" in ip:
        raise FunctionError(f"error parsing ip: {ip}")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _dns_name(name: object) -> str:
    if not isinstance(name, str):
        raise FunctionError(
            f"error processing alternate dns name: {printf.show(name)} is not a string"
        )
    return name


def _authority(scope: RenderScope, name: str, days: int, key: PrivateKeyTypes) -> Certificate:
    request = _Request(name, None, None, days)
    return _issue(scope, request, key, is_authority=True)


def _self_signed(scope: RenderScope, request: _Request, key: PrivateKeyTypes) -> Certificate:
    return _issue(scope, request, key)


def _signed(
    scope: RenderScope, request: _Request, authority: Certificate, key: PrivateKeyTypes
) -> Certificate:
    issuer = _read_certificate(go_bytes(authority.cert))
    try:
        issuer_key = _read_key(go_bytes(authority.key))
    except FunctionError as error:
        raise FunctionError(f"error parsing private key: {error}") from error
    return _issue(scope, request, key, issuer=(issuer, issuer_key))


def _issue(
    scope: RenderScope,
    request: _Request,
    key: PrivateKeyTypes,
    *,
    is_authority: bool = False,
    issuer: tuple[x509.Certificate, PrivateKeyTypes] | None = None,
) -> Certificate:
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415  loaded on first use
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415  loaded on first use

    signer = issuer[1] if issuer else key
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    try:
        builder = _builder(scope, request, key, is_authority=is_authority, issuer=issuer)
        signed = builder.sign(signer, algorithm)  # type: ignore[arg-type]  # checked by sign itself
    except (ValueError, TypeError) as error:
        raise FunctionError(f"error creating certificate: x509: {error}") from error
    return Certificate(
        signed.public_bytes(serialization.Encoding.PEM).decode("ascii"), _key_pem(key)
    )


def _builder(
    scope: RenderScope,
    request: _Request,
    key: PrivateKeyTypes,
    *,
    is_authority: bool,
    issuer: tuple[x509.Certificate, PrivateKeyTypes] | None,
) -> x509.CertificateBuilder:
    from cryptography import x509  # noqa: PLC0415  loaded on first use
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415  loaded on first use

    subject = _name(request.common_name)
    start = scope.effects.now().replace(microsecond=0)
    # Go's durations end after 292 years and wrap around.
    lifetime = timedelta(microseconds=Int64.wrap(request.days * _DAY_NANOSECONDS) // 1000)
    public_key = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(public_key)  # type: ignore[arg-type]  # the builder refuses other keys itself
        .serial_number(int.from_bytes(scope.effects.random.randbytes(16), "big") >> 1 or 1)
        .not_valid_before(start)
        .not_valid_after(start + lifetime)
        .add_extension(_key_usage(signs=is_authority), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    )
    if is_authority:
        identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)  # type: ignore[arg-type]
        builder = builder.add_extension(identifier, critical=False)
    if issuer:
        builder = _with_authority_identifier(builder, issuer[0])
    alternatives = _alternatives(request)
    if alternatives:
        names = x509.SubjectAlternativeName(alternatives)
        builder = builder.add_extension(names, critical=not request.common_name)
    return builder


def _name(common_name: str) -> x509.Name:
    from cryptography import x509  # noqa: PLC0415  loaded on first use
    from cryptography.x509.oid import NameOID  # noqa: PLC0415  loaded on first use

    if not common_name:
        return x509.Name([])
    # Go does not hold names to the standard's 64 characters, and charts count on it.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        attribute = x509.NameAttribute(NameOID.COMMON_NAME, common_name, _validate=False)
    return x509.Name([attribute])


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    from cryptography import x509  # noqa: PLC0415  loaded on first use

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _with_authority_identifier(
    builder: x509.CertificateBuilder, issuer: x509.Certificate
) -> x509.CertificateBuilder:
    from cryptography import x509  # noqa: PLC0415  loaded on first use

    try:
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return builder
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    return builder.add_extension(authority, critical=False)


def _alternatives(request: _Request) -> list[x509.GeneralName]:
    from cryptography import x509  # noqa: PLC0415  loaded on first use

    addresses, names = request.alternatives()
    for name in names:
        if not name.isascii():
            raise FunctionError(
                f"error creating certificate: x509: {quote(name)} cannot be encoded as an IA5String"
            )
    return [
        *(x509.DNSName(name) for name in names),
        *(x509.IPAddress(address) for address in addresses),
    ]


def _new_rsa_key(bits: int = _RSA_BITS) -> PrivateKeyTypes:
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415  loaded on first use

    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _key_pem(key: PrivateKeyTypes) -> str:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  loaded on first use
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa  # noqa: PLC0415  loaded on first use

    traditional = isinstance(
        key, rsa.RSAPrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey
    )
    form = serialization.PrivateFormat
    return key.private_bytes(
        serialization.Encoding.PEM,
        form.TraditionalOpenSSL if traditional else form.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")


def _given_key(pem: str) -> PrivateKeyTypes:
    try:
        return _read_key(go_bytes(pem))
    except FunctionError as error:
        raise FunctionError(f"parsing private key: {error}") from error


def _read_key(pem: bytes) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  loaded on first use
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  loaded on first use

    block = _PEM.search(pem)
    if block is None:
        raise FunctionError("no PEM data in input")
    kind = block[1].decode("latin-1")
    if kind == "PRIVATE KEY":
        complaint = "decoding PEM as PKCS#8"
    elif not kind.endswith(" PRIVATE KEY"):
        raise FunctionError(f"no private key data in PEM block of type {kind}")
    elif (algorithm := kind.removesuffix(" PRIVATE KEY")) in {"RSA", "EC", "DSA"}:
        complaint = f"parsing {algorithm} private key from PEM"
    else:
        raise FunctionError(f"invalid private key type {kind}")
    try:
        return serialization.load_pem_private_key(block[0], None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise FunctionError(f"{complaint}: x509: failed to parse private key") from error


def _read_certificate(pem: bytes) -> x509.Certificate:
    from cryptography import x509  # noqa: PLC0415  loaded on first use

    block = _PEM.search(pem)
    if block is None:
        raise FunctionError("unable to decode certificate")
    data = b""
    try:
        data = base_encodings.decode64(go_text(block[2]))
        return x509.load_der_x509_certificate(data)
    except ValueError as error:
        complaint = (
            "malformed tbs certificate" if _holds_a_sequence(data) else "malformed certificate"
        )
        raise FunctionError(
            f"error parsing certificate: decodedCert.Bytes: x509: {complaint}"
        ) from error


def _holds_a_sequence(der: bytes) -> bool:
    """Whether this is one DER sequence, whatever is in it."""
    if len(der) < 2 or der[0] != _DER_SEQUENCE:  # noqa: PLR2004  as Go has it
        return False
    if der[1] < _DER_LONG_LENGTH:
        return len(der) == 2 + der[1]
    size = der[1] - _DER_LONG_LENGTH
    return len(der) == 2 + size + int.from_bytes(der[2 : 2 + size], "big")
