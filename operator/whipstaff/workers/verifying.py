"""Signatures of charts: OpenPGP provenance as `helm package --sign` writes it, and cosign's.

Keys and signatures come from outside: they are read here, in a child.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from whipstaff.errors import ChartIntegrity, ChartSignatureInvalid, VerificationKeyInvalid
from whipstaff.golang import yaml
from whipstaff.workers.cosign import Judge, Keys, verify
from whipstaff.workers.protocol import JsonObject

if TYPE_CHECKING:
    from pysequoia import Cert

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


def cosign(trusted: Mapping[str, Any], **evidence: Any) -> JsonObject:  # noqa: ANN401 - see cosign.verify
    """Check cosign's signatures of a manifest.

    `trusted` holds `keys` by their names, or `identities` with a `root` and its `root_name`; keys
    and root in base64.
    """
    judge: Judge
    if trusted["identities"]:
        from whipstaff.workers.keyless import Signers  # noqa: PLC0415 - 46 MiB and 340 ms

        root = base64.b64decode(trusted["root"])
        judge = Signers(trusted["identities"], root, trusted["root_name"])
    else:
        judge = Keys(trusted["keys"])
    return verify(judge, **evidence)


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
