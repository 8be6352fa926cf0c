"""Signatures of charts: OpenPGP provenance as `helm package --sign` writes it, and cosign's.

Keys and signatures come from outside: they are read here, in a child.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from whipstaff.errors import ChartIntegrity, ChartSignatureInvalid, VerificationKeyInvalid
from whipstaff.golang import yaml
from whipstaff.workers.protocol import JsonObject

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from pysequoia import Cert

_COSIGN_TYPE = "cosign container image signature"
_PARTS_APART = "\n...\n"  # YAML's end of a document: `---` would begin something in OpenPGP


def provenance(keys: Mapping[str, str], text: str, file: str, digest: str) -> JsonObject:
    """Check that a key signed the provenance, and that it is of this file.

    `keys` by their names in a Secret, `text` the .prov, both in base64; `digest` as `sha256:…`.
    ChartSignatureInvalid if no key did, ChartIntegrity if the chart is another one.
    """
    import pysequoia  # noqa: PLC0415 - 26 ms and 3 MiB for those who verify

    certificates = [one for name, key in keys.items() for one in _certificates(name, key)]
    try:
        found = pysequoia.verify(bytes=base64.b64decode(text), store=lambda _: certificates)
    except (RuntimeError, ValueError) as error:  # its text is for programmers
        raise ChartSignatureInvalid(
            f"the provenance of {file} is signed by none of the keys", f"{file}.prov"
        ) from error
    signed = (found.bytes or b"").decode("utf-8", errors="replace")
    _check_sum(signed, file, digest)
    return {"signer": found.valid_sigs[0].certificate}


def cosign(
    keys: Mapping[str, str], signatures: Sequence[Mapping[str, str]], digest: str
) -> JsonObject:
    """Check that a key signed a manifest of this digest.

    Each signature has a `payload` and a `signature`, both in base64.
    """
    public = [_public_key(name, base64.b64decode(key)) for name, key in keys.items()]
    others = []
    for one in signatures:
        payload = base64.b64decode(one["payload"])
        signature = _decoded(one["signature"])
        if not any(_signed(key, signature, payload) for key in public):
            continue
        found = _manifest_digest(payload)
        if hmac.compare_digest(found, digest):
            return {"signer": ""}
        others.append(found)
    if others:
        raise ChartIntegrity(f"the signature is of the manifest {others[0]}, not of {digest}")
    raise ChartSignatureInvalid(f"the manifest {digest} is signed by none of the keys", digest)


def _certificates(name: str, key: str) -> "Iterable[Cert]":
    from pysequoia import Cert  # noqa: PLC0415

    try:
        found = Cert.split_bytes(base64.b64decode(key))
    except (RuntimeError, ValueError) as error:
        raise VerificationKeyInvalid(f"{name} holds no OpenPGP key", name) from error
    if not found:
        raise VerificationKeyInvalid(f"{name} holds no OpenPGP key", name)
    return found


def _check_sum(signed: str, file: str, digest: str) -> None:
    _, apart, sums = signed.partition(_PARTS_APART)
    try:
        found = yaml.load(sums.partition(_PARTS_APART)[0]) if apart else None
    except ValueError as error:
        raise ChartSignatureInvalid(f"{file}.prov lists no files", f"{file}.prov") from error
    files = found.get("files") if isinstance(found, dict) else None
    promised = files.get(file) if isinstance(files, dict) else None
    if promised is None:
        raise ChartSignatureInvalid(f"the provenance does not speak of {file}", f"{file}.prov")
    if promised != digest:
        raise ChartIntegrity(f"{file} has the digest {digest}, but {promised} was signed")


def _public_key(name: str, pem: bytes) -> "PublicKeyTypes":
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        return load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise VerificationKeyInvalid(f"{name} holds no public key in PEM", name) from error


def _signed(key: "PublicKeyTypes", signature: bytes, payload: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa  # noqa: PLC0415

    try:
        match key:
            case ec.EllipticCurvePublicKey():
                key.verify(signature, payload, ec.ECDSA(hashes.SHA256()))
            case rsa.RSAPublicKey():
                key.verify(signature, payload, padding.PKCS1v15(), hashes.SHA256())
            case ed25519.Ed25519PublicKey():
                key.verify(signature, payload)
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _manifest_digest(payload: bytes) -> str:
    """Return which manifest a payload speaks of; empty if it does not speak of one."""
    try:
        critical: Any = json.loads(payload)["critical"]
        if critical["type"] != _COSIGN_TYPE:
            return ""
        return str(critical["image"]["docker-manifest-digest"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
