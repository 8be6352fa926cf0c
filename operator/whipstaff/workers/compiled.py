"""Loaded charts and the code of their templates, on disk under the digests of their archives.

What lies here is taken as it is and executed, so it must come from us alone: the folder and every
file in it belong to our user and are closed to all others, or they count as absent. A file whose
checksum is wrong, or that another version of the operator or of Python wrote, is absent too.
"""

import hashlib
import os
import pickle
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import whipstaff
from whipstaff.chart.model import Chart

BYTES_LIMIT = 128 << 20  # of the folder; the least recently used files go beyond it
FILE_BYTES_LIMIT = 32 << 20
_PART = ".part-"
_PART_SECONDS = 600.0  # what is older was left by a process that died
_FOREIGN = stat.S_IRWXG | stat.S_IRWXO
_CHECKSUM_BYTES = 4
_CODE = " code"
_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW


class CompiledCharts:
    """A folder of charts in the form that is fastest to take up again; no failure is an error.

    The folder above it must be there already.
    """

    def __init__(self, folder: Path, bytes_limit: int = BYTES_LIMIT) -> None:
        self._folder = folder
        self._bytes_limit = bytes_limit

    def find(self, digest: str) -> Chart | None:
        """Return a chart; None if it is not to be had."""
        body = self.find_bytes(digest)
        # What `find_bytes` checked is why this is safe to read.
        return None if body is None else pickle.loads(body)  # noqa: S301

    def store(self, digest: str, chart: Chart) -> None:
        """Keep a chart, if it can be kept."""
        self.store_bytes(digest, pickle.dumps(chart, pickle.HIGHEST_PROTOCOL))

    def find_code(self, digest: str) -> bytes | None:
        """Return what `rendering.take_code` takes; it lies apart, as most restarts need none."""
        body = self.find_bytes(digest + _CODE)
        return None if body is None else bytes(body)

    def store_code(self, digest: str, code: bytes) -> None:
        """Keep the code of a chart's templates, if it can be kept."""
        self.store_bytes(digest + _CODE, code)

    def find_bytes(self, key: str) -> memoryview | None:
        """Return what was stored under a key by this build of the operator, whole and by us."""
        with suppress(OSError), self._opened() as folder:
            name = _name(key)
            data = _read_own(name, folder)
            if data is None or not _is_whole(data):
                return None
            os.utime(name, dir_fd=folder, follow_symlinks=False)  # used now
            return memoryview(data)[_CHECKSUM_BYTES:]
        return None

    def store_bytes(self, key: str, body: bytes) -> None:
        """Keep bytes under a key, if they can be kept."""
        if len(body) > min(FILE_BYTES_LIMIT, self._bytes_limit):
            return
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with self._opened() as folder:
                _write_own(_name(key), _checksum(body) + body, folder)
                self._make_room(folder)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the folder once, so that what is checked is what is used; OSError if not ours."""
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
        try:
            if not _is_ours(os.fstat(folder)):
                raise PermissionError(f"{self._folder} is open to others")
            yield folder
        finally:
            os.close(folder)

    def _make_room(self, folder: int) -> None:
        """Remove the least recently used files beyond the limit, and what died half written."""
        found = []
        for name in os.listdir(folder):
            with suppress(OSError):  # another process may have removed it
                facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
                found.append((facts.st_mtime, facts.st_size, name))
        found.sort()
        excess = sum(size for _, size, _ in found) - self._bytes_limit
        youngest_time = found[-1][0] if found else 0.0
        for used, size, name in found:
            dead = name.startswith(_PART) and youngest_time - used > _PART_SECONDS
            if dead or (excess > 0 and not name.startswith(_PART)):
                with suppress(OSError):
                    os.unlink(name, dir_fd=folder)
                excess -= size


def _is_ours(facts: os.stat_result) -> bool:
    return facts.st_uid == os.geteuid() and not facts.st_mode & _FOREIGN


def _read_own(name: str, folder: int) -> bytes | None:
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_NONBLOCK | _OPEN, dir_fd=folder), "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode) or not _is_ours(facts):
            return None
        return file.read(FILE_BYTES_LIMIT) if facts.st_size <= FILE_BYTES_LIMIT else None


def _write_own(name: str, data: bytes, folder: int) -> None:
    """Put a file in place whole; one that a kill leaves behind is never read."""
    part = f"{_PART}{os.getpid()}"
    with suppress(FileNotFoundError):
        os.unlink(part, dir_fd=folder)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o600, dir_fd=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with suppress(OSError):
            os.unlink(part, dir_fd=folder)
        raise


def _is_whole(data: bytes) -> bool:
    return _checksum(memoryview(data)[_CHECKSUM_BYTES:]) == data[:_CHECKSUM_BYTES]


def _checksum(body: bytes | memoryview) -> bytes:
    """Tell a file that a fault of the disk or a lost write spoilt, which could crash Python.

    It is no guard against people: what they cannot write needs none.
    """
    return zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "big")


def _name(digest: str) -> str:
    """Name a chart's file after all that its content depends on."""
    return hashlib.sha256(f"{digest} {_version()}".encode()).hexdigest()


@cache
def _version() -> str:
    """Return what differs between any two builds of the operator, or of Python."""
    package = Path(whipstaff.__file__).parent
    facts = [
        (str(path.relative_to(package)), (status := path.stat()).st_size, status.st_mtime_ns)
        for path in sorted(package.rglob("*.py"))
    ]
    return hashlib.sha256(MAGIC_NUMBER + repr(facts).encode()).hexdigest()
