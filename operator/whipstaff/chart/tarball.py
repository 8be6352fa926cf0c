"""A tarball of a source: what is wanted of its files, read under limits, nothing on disk.

A tarball of a whole Git repository may be larger than any chart: what is not wanted is passed
over. Names that lead out of the tarball are nobody's files and are passed over too.
"""

import gzip
import posixpath
import tarfile
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from whipstaff.chart.archive import MAX_FILE_BYTES, MAX_TOTAL_BYTES, content_type
from whipstaff.chart.model import File
from whipstaff.errors import ChartInvalid, ChartPathIllegal, ChartTooLarge

MAX_MEMBERS = 200_000
MAX_UNPACKED_BYTES = 2 << 30  # all members together, wanted or not

_GZIP_MAGIC = b"\x1f\x8b"
_HEAD_BYTES = 512


class Tarball:
    """A compressed tarball on disk; each question reads it anew."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, wanted: Callable[[str], bool]) -> dict[str, File]:
        """Return the wanted files by their names; ChartInvalid and its kin for what cannot be read.

        Names are relative and have no `.` or `..` in them.
        """
        found: dict[str, File] = {}
        room_bytes = MAX_TOTAL_BYTES
        with self._opened() as archive:
            for name, member in _members(archive):
                if member.isdir() or not wanted(name):
                    continue
                _check(name, member, found)
                room_bytes -= member.size
                if room_bytes < 0:
                    raise ChartTooLarge(
                        f"the files of the chart are larger than {MAX_TOTAL_BYTES} bytes"
                    )
                content = archive.extractfile(member)
                data = content.read() if content else b""
                found[name] = File(name, data.removeprefix(BOM_UTF8))
        return found

    def tops(self) -> set[str]:
        """Return what lies at the root: names of folders and files."""
        with self._opened() as archive:
            return {name.partition("/")[0] for name, _ in _members(archive)}

    @contextmanager
    def _opened(self) -> Iterator[tarfile.TarFile]:
        with self._path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if not head.startswith(_GZIP_MAGIC):
            raise ChartInvalid(f"the artifact is not a gzip archive ({content_type(head)})")
        try:
            with (
                gzip.open(self._path) as stream,
                tarfile.open(fileobj=stream, mode="r|", errorlevel=2) as archive,
            ):
                yield archive
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise ChartInvalid(f"the artifact is a broken gzip archive: {error}") from error
        except (tarfile.TarError, ValueError, OverflowError) as error:
            raise ChartInvalid(f"the artifact is a broken tar archive: {error}") from error


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Yield what lies inside, under clean names."""
    left, room_bytes = MAX_MEMBERS, MAX_UNPACKED_BYTES
    for member in archive:
        # The library keeps every header otherwise.
        archive.members.clear()  # type: ignore[attr-defined]  # its stubs leave this list out
        left -= 1
        room_bytes -= max(member.size, 0)
        if left < 0:
            raise ChartTooLarge(f"the artifact has more than {MAX_MEMBERS} files")
        if room_bytes < 0:
            raise ChartTooLarge(f"the artifact holds more than {MAX_UNPACKED_BYTES} bytes")
        name = posixpath.normpath(member.name)
        if name.startswith(("/", "../")) or name in {".", ".."}:
            continue
        yield name, member


def _check(name: str, member: tarfile.TarInfo, found: dict[str, File]) -> None:
    if not member.isreg() or member.issparse():
        raise ChartPathIllegal(f"{name} is a link or no regular file", where=name)
    if name in found:
        raise ChartInvalid("the artifact has this file twice", where=name)
    if member.size > MAX_FILE_BYTES:
        raise ChartTooLarge(
            f"{name} is larger than the maximum file size {MAX_FILE_BYTES}", where=name
        )
