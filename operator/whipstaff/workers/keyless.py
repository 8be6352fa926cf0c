"""Signatures by certificates that last minutes: who signed, says an authority in a trusted root.

The library checks certificates, transparency logs and times; the network is never asked. Cosign 2
puts the promise of a log beside a signature and no proof, so that parts of the library that are no
API are used here: its version is bounded, and the tests are with it.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding
from sigstore._internal.trust import RekorKeyring
from sigstore.errors import CertValidationError, Error, VerificationError
from sigstore.models import Bundle, TransparencyLogEntry, TrustedRoot
from sigstore.verify.verifier import Verifier
from sigstore_models.trustroot.v1 import TrustedRoot as TrustedRootDocument

from whipstaff.errors import ChartSignatureInvalid, InvalidSpec, VerificationKeyInvalid
from whipstaff.golang.regexp import Regexp, RegexpError, compile_pattern

_IDENTITIES = "spec.chart.verify.matchOIDCIdentity"
_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_OLD_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")  # the same, as bare bytes
_USER_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
# What the library and what is below it raise for evidence that is not as it should be.
_UNSOUND = (
    Error,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RecursionError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
)


@dataclass(frozen=True, slots=True)
class _Identity:
    """Whom to trust: regular expressions that are found somewhere in the text, as Flux has it."""

    issuer: Regexp
    subject: Regexp

    def fits(self, issuer: str, subjects: Sequence[str]) -> bool:
        return self.issuer.matches(issuer) and any(map(self.subject.matches, subjects))


class Identities:
    """A policy of the library: the certificate is of someone who is trusted."""

    def __init__(self, wanted: Sequence[Mapping[str, str]]) -> None:
        """Each has `issuer` and `subject`; InvalidSpec for what is no regular expression."""
        self._wanted = [
            _Identity(*(_pattern(one[field], number, field) for field in ("issuer", "subject")))
            for number, one in enumerate(wanted)
        ]

    def verify(self, cert: x509.Certificate) -> None:
        """Raise VerificationError for a certificate of someone else."""
        issuer, subjects = _issuer_of(cert), _subjects_of(cert)
        if not any(one.fits(issuer, subjects) for one in self._wanted):
            who = ", ".join(subjects) or "nobody"
            raise VerificationError(
                f"it is by {who}, as {issuer or 'no issuer'} says, whom none of {_IDENTITIES} fits"
            )


class Signers:
    """Whoever has one of some identities, as a trusted root has it: a Judge."""

    nobody = f"none of {_IDENTITIES}"

    def __init__(self, identities: Sequence[Mapping[str, str]], root: bytes, name: str) -> None:
        """`root` is a trusted_root.json; VerificationKeyInvalid calls it `name` if it is none."""
        self._identities = Identities(identities)
        try:
            self._verifier = Verifier(trusted_root=TrustedRoot(TrustedRootDocument.from_json(root)))
        except _UNSOUND as error:
            raise VerificationKeyInvalid(
                f"{name} holds no trusted root of Sigstore", name
            ) from error

    def statement(self, bundle: bytes) -> tuple[str, bytes]:
        """Return type and content of what was signed in a bundle; ChartSignatureInvalid."""
        try:
            return self._verifier.verify_dsse(Bundle.from_json(bundle), self._identities)
        except _UNSOUND as error:
            _refuse(error)

    def payload(self, payload: bytes, annotations: Mapping[str, str]) -> None:
        """Check a signature of cosign 2 by what its manifest says; ChartSignatureInvalid."""
        try:
            bundle = _Annotated.of(payload, annotations)
            self._verifier.verify_artifact(payload, bundle, self._identities)
        except _UNSOUND as error:
            _refuse(error)


class _Promised(TransparencyLogEntry):
    """An entry that a log promised to take in, with its signature and the time."""

    def _validate(self) -> None:
        """Ask for no proof: the promise must do."""

    def _verify(self, keyring: RekorKeyring) -> None:
        self._verify_set(keyring)


class _Annotated(Bundle):
    """A bundle put together from annotations."""

    def _verify(self) -> None:
        material = self._inner.verification_material
        if material.certificate is None:
            raise VerificationError("it has no certificate")
        self._signing_certificate = x509.load_der_x509_certificate(material.certificate.raw_bytes)
        self._log_entry = _Promised(material.tlog_entries[0])

    @classmethod
    def of(cls, payload: bytes, annotations: Mapping[str, str]) -> Bundle:
        """Read what cosign 2 wrote; VerificationError or ValueError if that is not whole."""
        certificate = x509.load_pem_x509_certificate(annotations["certificate"].encode())
        if not annotations["log"]:
            raise VerificationError("it is in no transparency log")
        material: dict[str, Any] = {
            "certificate": {"rawBytes": _base64(certificate.public_bytes(Encoding.DER))},
            "tlogEntries": [_entry(json.loads(annotations["log"]))],
        }
        if annotations["timestamp"]:
            stamp = json.loads(annotations["timestamp"])["SignedRFC3161Timestamp"]
            stamps = [{"signedTimestamp": stamp}]
            material["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
        digest = _base64(hashlib.sha256(payload).digest())
        document = {
            "mediaType": _BUNDLE,
            "verificationMaterial": material,
            "messageSignature": {
                "messageDigest": {"algorithm": "SHA2_256", "digest": digest},
                "signature": annotations["signature"],
            },
        }
        return cls.from_json(json.dumps(document))


def _entry(annotation: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of a log as bundles have it."""
    found = annotation["Payload"]
    body = json.loads(base64.b64decode(found["body"]))
    return {
        "logIndex": str(found["logIndex"]),
        "logId": {"keyId": _base64(bytes.fromhex(found["logID"]))},
        "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
        "integratedTime": str(found["integratedTime"]),
        "inclusionPromise": {"signedEntryTimestamp": annotation["SignedEntryTimestamp"]},
        "canonicalizedBody": found["body"],
        # There is none, but the library's model wants one.
        "inclusionProof": {"logIndex": "0", "rootHash": "", "treeSize": "1", "hashes": []},
    }


def _refuse(error: Exception) -> NoReturn:
    match error:
        case CertValidationError():
            why = "its certificate is of no authority in the trusted root, or was not valid then"
        case Error():
            why = str(error).partition("\n")[0]  # the others are for programmers
        case _:
            why = f"it is not whole ({type(error).__name__})"
    raise ChartSignatureInvalid(f"a signature does not count: {why}") from error


def _pattern(text: str, number: int, field: str) -> Regexp:
    try:
        return compile_pattern(text)
    except RegexpError as error:
        place = f"{_IDENTITIES}[{number}].{field}"
        raise InvalidSpec(f"{place}: {error}", place) from error


def _issuer_of(certificate: x509.Certificate) -> str:
    """Return who says who the subject is, empty if nobody does."""
    for kind in (_ISSUER, _OLD_ISSUER):
        try:
            found = certificate.extensions.get_extension_for_oid(kind).value
        except x509.ExtensionNotFound:
            continue
        if isinstance(found, x509.UnrecognizedExtension):
            return asn1.decode_der(str, found.value) if kind == _ISSUER else found.value.decode()
    return ""


def _subjects_of(certificate: x509.Certificate) -> list[str]:
    """Return the mail addresses, URIs and user names of a certificate."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    others = names.get_values_for_type(x509.OtherName)
    return [
        *names.get_values_for_type(x509.RFC822Name),
        *names.get_values_for_type(x509.UniformResourceIdentifier),
        *(asn1.decode_der(str, one.value) for one in others if one.type_id == _USER_NAME),
    ]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
