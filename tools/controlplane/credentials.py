"""Keys, certificates, tokens and kubeconfigs of one control plane; all of them die with it."""

import base64
import datetime
import ipaddress
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=365)

USERS: Mapping[str, tuple[str, ...]] = {
    "admin": ("system:masters",),
    "system:kube-controller-manager": (),
    "system:kube-scheduler": (),
    "system:kwok": ("system:masters",),
    "alice": (),
    "bob": (),
}
"""User -> groups. Alice and Bob have no rights but those that a test grants them."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where the files are that the programs are started with, and each user's token."""

    ca_certificate: Path
    server_certificate: Path
    server_key: Path
    service_account_key: Path
    token_file: Path
    tokens: Mapping[str, str]


def make_credentials(folder: Path) -> Credentials:
    """Make everything anew in a folder that only this user can read."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("whipstaff-test-ca", ca_key.public_key(), ca_key, issuer=None)
    server_key = ec.generate_private_key(ec.SECP256R1())
    server = _certificate("kube-apiserver", server_key.public_key(), ca_key, issuer=ca)
    made = Credentials(
        ca_certificate=folder / "ca.crt",
        server_certificate=folder / "server.crt",
        server_key=folder / "server.key",
        service_account_key=folder / "service-account.key",
        token_file=folder / "tokens.csv",
        tokens={user: secrets.token_urlsafe(24) for user in USERS},
    )
    made.ca_certificate.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    made.server_certificate.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    _write_key(made.server_key, server_key)
    _write_key(made.service_account_key, ec.generate_private_key(ec.SECP256R1()))
    lines = [
        f'{made.tokens[user]},{user},{user},"{",".join(groups)}"' for user, groups in USERS.items()
    ]
    made.token_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    made.token_file.chmod(0o600)
    return made


def write_kubeconfig(
    path: Path, *, server: str, ca_certificate: Path, token: str, namespace: str = "default"
) -> Path:
    """Write a kubeconfig that needs no other file."""
    authority = base64.b64encode(ca_certificate.read_bytes()).decode("ascii")
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "whipstaff",
        "clusters": [
            {
                "name": "whipstaff",
                "cluster": {"server": server, "certificate-authority-data": authority},
            }
        ],
        "users": [{"name": "whipstaff", "user": {"token": token}}],
        "contexts": [
            {
                "name": "whipstaff",
                "context": {"cluster": "whipstaff", "user": "whipstaff", "namespace": namespace},
            }
        ],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return path


def _certificate(
    name: str,
    public_key: ec.EllipticCurvePublicKey,
    ca_key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    is_ca = issuer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .add_extension(_usage(is_ca=is_ca), critical=True)
    )
    if not is_ca:
        names: list[x509.GeneralName] = [
            x509.DNSName("localhost"),
            x509.DNSName("kubernetes.default.svc"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
        builder = builder.add_extension(
            x509.SubjectAlternativeName(names), critical=False
        ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(ca_key, hashes.SHA256())


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
