"""Signatures of manifests as cosign makes them, by a key or by a certificate.

Cosign 2 signs a payload and keeps the signature in annotations beside it; cosign 3 signs a
statement, and both are in a bundle.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from whipstaff.errors import ChartIntegrity, ChartSignatureInvalid, VerificationKeyInvalid
from whipstaff.workers.protocol import JsonObject

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

Annotations = Mapping[str, str]

_PAYLOAD_TYPE = "cosign container image signature"
_STATEMENT_TYPE = "application/vnd.in-toto+json"
_STATEMENTS = frozenset({"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"})
_PREDICATE_TYPE = "https://sigstore.dev/cosign/sign/v1"


class Judge(Protocol):
    """Whose signatures count; what does not is ChartSignatureInvalid."""

    nobody: str  # whom a manifest is signed by if by none of them

    def payload(self, payload: bytes, annotations: Annotations) -> None:
        """Check a signature of cosign 2."""
        ...

    def statement(self, bundle: bytes) -> tuple[str, bytes]:
        """Check a bundle of cosign 3, return type and content of what was signed."""
        ...


def verify(
    judge: Judge, signatures: Sequence[Annotations], bundles: Sequence[str], digest: str
) -> JsonObject:
    """Check that a manifest of this digest is signed by whom the judge knows.

    A signature has its `payload` in base64, and of its annotations `signature`, `certificate`,
    `log` and `timestamp`, empty where there is none; bundles are in base64. ChartSignatureInvalid
    if none counts, ChartIntegrity if those that do are of other manifests.
    """
    failure = ""
    others: list[str] = []
    checks: list[_Payload | _Bundle] = [*map(_Payload, signatures), *map(_Bundle, bundles)]
    for check in checks:
        try:
            found = check.manifests(judge)
        except ChartSignatureInvalid as error:
            failure = f": {error.text}" if error.text else failure
            continue
        if digest in found:
            return {}
        others += found
    if others:
        raise ChartIntegrity(f"the signature is of the manifest {others[0]}, not of {digest}")
    text = f"the manifest {digest} is signed by {judge.nobody}{failure}"
    raise ChartSignatureInvalid(text, digest)


@dataclass(frozen=True, slots=True)
class _Payload:
    signature: Annotations

    def manifests(self, judge: Judge) -> list[str]:
        """Return which manifest was signed; ChartSignatureInvalid."""
        payload = base64.b64decode(self.signature["payload"])
        judge.payload(payload, self.signature)
        try:
            critical: Any = json.loads(payload)["critical"]
            if critical["type"] != _PAYLOAD_TYPE:
                return [""]
            return [str(critical["image"]["docker-manifest-digest"])]
        except (ValueError, TypeError, KeyError, RecursionError):
            return [""]


@dataclass(frozen=True, slots=True)
class _Bundle:
    text: str

    def manifests(self, judge: Judge) -> list[str]:
        """Return which manifests a statement is about; none if it says something else of them."""
        kind, content = judge.statement(base64.b64decode(self.text))
        try:
            statement: Any = json.loads(content)
            known = kind == _STATEMENT_TYPE and statement["_type"] in _STATEMENTS
            if not known or statement["predicateType"] != _PREDICATE_TYPE:
                return []  # a statement on how it was built, say
            return [f"sha256:{subject['digest']['sha256']}" for subject in statement["subject"]]
        except (ValueError, TypeError, KeyError, RecursionError):
            return []


class Keys:
    """Whoever holds one of some private keys."""

    nobody = "none of the keys"

    def __init__(self, keys: Mapping[str, str]) -> None:
        """`keys` by the names that errors say, PEM in base64; VerificationKeyInvalid."""
        self._keys = [_public_key(name, base64.b64decode(key)) for name, key in keys.items()]

    def payload(self, payload: bytes, annotations: Annotations) -> None:
        """Check a signature of cosign 2."""
        self._check(_decoded(annotations["signature"]), payload)

    def statement(self, bundle: bytes) -> tuple[str, bytes]:
        """Check a bundle of cosign 3."""
        try:
            envelope: Any = json.loads(bundle)["dsseEnvelope"]
            kind, content = str(envelope["payloadType"]), _decoded(envelope["payload"])
            [signature] = envelope["signatures"]
            signed = _decoded(signature["sig"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ChartSignatureInvalid("a bundle holds no statement") from error
        head = f"DSSEv1 {len(kind.encode())} {kind} {len(content)} "
        self._check(signed, head.encode() + content)
        return kind, content

    def _check(self, signature: bytes, data: bytes) -> None:
        if not any(_signed(key, signature, data) for key in self._keys):
            raise ChartSignatureInvalid("")


def _public_key(name: str, pem: bytes) -> "PublicKeyTypes":
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        return load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise VerificationKeyInvalid(f"{name} holds no public key in PEM", name) from error


def _signed(key: "PublicKeyTypes", signature: bytes, data: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa  # noqa: PLC0415

    try:
        match key:
            case ec.EllipticCurvePublicKey():
                key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
            case rsa.RSAPublicKey():
                key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
            case ed25519.Ed25519PublicKey():
                key.verify(signature, data)
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error:
        return b""
