"""Check the provenance of a packaged chart against a keyring, in helm's words."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from whipstaff.chart.provenance import PARTS_APART
from whipstaff.cli import given_files
from whipstaff.cli.given_values import os_text
from whipstaff.cli.helm_home import Refused
from whipstaff.golang import yaml
from whipstaff.golang.strconv import quote

if TYPE_CHECKING:
    from pysequoia import Cert

_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----"


@dataclass(frozen=True, slots=True)
class Verification:
    """Who signed a chart."""

    identities: tuple[str, ...]
    fingerprint: str
    file_hash: str  # as `sha256:…`

    @property
    def sentences(self) -> str:
        """What helm prints of it."""
        signers = "".join(f"Signed by: {name}\n" for name in self.identities)
        key = f"Using Key With Fingerprint: {self.fingerprint}\n"
        return f"{signers}{key}Chart Hash Verified: {self.file_hash}\n"


def default_keyring() -> str:
    """Return where GnuPG keeps its public keys."""
    environment = os.environ  # noqa: TID251 - a command reads it, as helm does
    home = environment.get("HOME") or str(Path.home())
    return str(Path(environment.get("GNUPGHOME", f"{home}/.gnupg")) / "pubring.gpg")


def verify_chart(chart: Path, provenance: Path, keyring: str, name: str = "") -> Verification:
    """Check that a key of the keyring signed an archive; Refused if none did.

    `name` is that of the archive in the provenance, if its file has another one.
    """
    try:
        folder = chart.is_dir()
        chart.stat()
    except OSError as error:
        raise Refused(os_text(str(chart), error, verb="stat")) from error
    if folder:
        raise Refused("unpacked charts cannot be verified")
    if not (name or chart.name).lower().endswith(".tgz"):
        raise Refused("chart must be a tgz file")
    try:
        signed = provenance.read_bytes()
    except OSError as error:
        why = os_text(str(provenance), error, verb="stat")
        raise Refused(f"could not load provenance file {provenance}: {why}") from error
    return verify(chart.read_bytes(), signed, keyring, name or chart.name)


def verify(archive: bytes, provenance: bytes, keyring: str, name: str) -> Verification:
    """Check that a key of the keyring signed these bytes as the file `name`; else Refused."""
    signer, text = _signer(provenance, _keys(keyring))
    found = f"sha256:{hashlib.sha256(archive).hexdigest()}"
    promised = _sums(text).get(name)
    if promised is None:
        raise Refused(f"provenance does not contain a SHA for a file named {quote(name)}")
    if promised != found:
        raise Refused(
            f"sha256 sum does not match for {name}: {quote(str(promised))} != {quote(found)}"
        )
    identities = tuple(str(one) for one in signer.user_ids)
    return Verification(identities, signer.fingerprint.upper(), found)


def _keys(keyring: str) -> "list[Cert]":
    from pysequoia import Cert  # noqa: PLC0415 - 13 ms for those who verify

    try:
        data = given_files.read(keyring)
    except OSError as error:
        raise Refused(f"failed to load keyring: {os_text(keyring, error)}") from error
    try:
        return list(Cert.split_bytes(data))
    except (RuntimeError, ValueError) as error:
        raise Refused(f"failed to load keyring: {keyring} holds no OpenPGP keys") from error


def _signer(provenance: bytes, keys: "list[Cert]") -> "tuple[Cert, str]":
    """Return whose signature it is, and what was signed."""
    import pysequoia  # noqa: PLC0415

    if _BEGIN not in provenance:
        raise Refused("signature block not found")
    asked: list[Cert] = []

    def known(handles: Iterable[str]) -> "list[Cert]":
        wanted = {handle.upper() for handle in handles}
        asked.extend(key for key in keys if _has(key, wanted))
        return asked or keys

    try:
        found = pysequoia.verify(bytes=provenance, store=known)
    except (RuntimeError, ValueError) as error:
        if asked:
            raise Refused("openpgp: invalid signature: the provenance was changed") from error
        raise Refused("openpgp: signature made by unknown entity") from error
    signature = found.valid_sigs[0]
    signer = next(key for key in keys if key.fingerprint == signature.certificate)
    return signer, (found.bytes or b"").decode("utf-8", "replace")


def _has(key: "Cert", handles: set[str]) -> bool:
    own = key.fingerprint.upper()
    return any(own.endswith(handle) for handle in handles)


def _sums(text: str) -> dict[str, object]:
    _, apart, sums = text.partition(PARTS_APART)
    if not apart:
        raise Refused("message block must have at least two parts")
    try:
        found = yaml.load(sums.partition(PARTS_APART)[0])
    except yaml.YAMLError as error:
        raise Refused(error.text) from error
    files = found.get("files") if isinstance(found, dict) else None
    return files if isinstance(files, dict) else {}
