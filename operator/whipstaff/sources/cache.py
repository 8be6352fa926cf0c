"""Archives on disk, each under its own SHA-256: what is found there is what was asked for.

Several processes may share a folder: files appear whole, by rename, and only ever go away.
"""

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

_CHUNK_BYTES = 1 << 20
_TEMPORARY = ".part-"
_IN_USE_SECONDS = 120.0
_TEMPORARY_SECONDS = 3600.0  # what is older was left by a process that died


class ArchiveCache:
    """A folder with at most so many bytes of archives; the least recently used go first.

    What was asked for a moment ago may be about to be read, by this process or another: it stays,
    until there is half as much again as there may be.
    """

    def __init__(self, folder: Path, bytes_limit: int) -> None:
        self._folder = folder / "archives"
        self._bytes_limit = bytes_limit

    def find(self, digest: str, scope: str = "") -> Path | None:
        """Return the archive of a digest `sha256:…`, None if there is none; a broken one goes.

        Scopes part what was fetched with different logins: a digest alone opens nothing.
        """
        path = self._path(digest, scope)
        try:
            found = _digest_of(path)
        except OSError:
            return None
        if found != digest:
            path.unlink(missing_ok=True)
            return None
        with suppress(OSError):
            os.utime(path)  # used now
        return path

    def store(self, data: bytes, scope: str = "") -> str:
        """Keep an archive and return its digest; it is on the disk when this returns."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        target = self._path(digest, scope)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=target.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        self._make_room(target)
        return digest

    def adopt(self, file: Path, scope: str = "") -> str:
        """Take over a file, which must be on the cache's own disk, and return its digest."""
        digest = _digest_of(file)
        target = self._path(digest, scope)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file.open("rb") as written:
            os.fsync(written.fileno())
        file.replace(target)
        self._make_room(target)
        return digest

    def _path(self, digest: str, scope: str = "") -> Path:
        folder = self._folder
        if scope:
            folder /= hashlib.sha256(scope.encode()).hexdigest()
        return folder / f"{digest.removeprefix('sha256:')}.tgz"

    def _make_room(self, newest: Path) -> None:
        """Remove the least recently used archives beyond the limit, never the newest or in use."""
        files = sorted(self._listed(), key=lambda one: one[0])
        youngest_time = files[-1][0] if files else 0.0
        excess = sum(size for _, size, _ in files) - self._bytes_limit
        for used, size, path in files:
            left_over = path.name.startswith(_TEMPORARY)
            if left_over and youngest_time - used < _TEMPORARY_SECONDS:
                continue
            if path == newest or (excess <= 0 and not left_over):
                continue
            in_use = youngest_time - used < _IN_USE_SECONDS
            if in_use and excess <= self._bytes_limit // 2:
                continue
            path.unlink(missing_ok=True)
            excess -= size

    def _listed(self) -> list[tuple[float, int, Path]]:
        found = []
        for path in self._folder.rglob("*"):
            with suppress(OSError):  # another process may have removed it
                facts = path.stat()
                if stat.S_ISREG(facts.st_mode):
                    found.append((facts.st_mtime, facts.st_size, path))
        return found


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"
