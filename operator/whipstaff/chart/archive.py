"""A packaged chart: the bytes of a tgz in, its members or its chart out, nothing on disk.

Every limit is checked before the bytes it guards are kept. One
budget serves an archive and all archives inside it.
"""

import gzip
import io
import posixpath
import re
import tarfile
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from whipstaff.chart import loader, plain_tar
from whipstaff.chart.model import Chart, File
from whipstaff.errors import ChartInvalid, ChartPathIllegal, ChartTooDeep, ChartTooLarge
from whipstaff.golang.strconv import quote

MAX_TOTAL_BYTES = 100 << 20  # decompressed, the sum of all members
MAX_FILE_BYTES = 5 << 20  # decompressed, one member
MAX_MEMBERS = 10_000
MAX_NESTING = 20  # archives inside archives
MAX_EXPANSION = 200  # decompressed bytes for one of the archive, past the first 16 MiB
_EXPANSION_FREE_BYTES = 16 << 20
_HEADER_BYTES = 4 << 10  # what a member may take besides its content, roughly

_CHUNK_BYTES = 64 << 10

_DRIVE = re.compile(r"[a-zA-Z]:/")
_GZIP_MAGIC = b"\x1f\x8b\x08"


@dataclass(slots=True)
class Budget:
    """What may still be read from an archive and the archives inside it."""

    total_bytes: int = MAX_TOTAL_BYTES
    members: int = MAX_MEMBERS
    nesting: int = MAX_NESTING


def load(data: bytes, budget: Budget | None = None) -> Chart:
    """Read a chart and the charts inside it; ChartInvalid says what is wrong and where.

    A budget is given for a chart inside another one.
    """
    outermost = budget is None
    budget = budget or Budget()
    if budget.nesting <= 0:
        raise ChartTooDeep(f"charts are nested deeper than {MAX_NESTING} archives")
    budget.nesting -= 1
    chart = loader.assemble(members(data, budget), lambda inner: load(inner, budget))
    budget.nesting += 1
    if outermost:
        loader.check_format(chart)
    return chart


def members(data: bytes, budget: Budget | None = None) -> list[File]:
    """Read the regular files of an archive, their paths relative to the chart."""
    if not data.startswith(_GZIP_MAGIC):
        raise ChartInvalid(f"not a gzip archive ({content_type(data)})")
    compressed = io.BytesIO(data)
    try:
        plain = _measured(compressed)
        files = _files_in(plain, compressed, budget or Budget())
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        position = compressed.tell()
        raise ChartInvalid(f"broken gzip archive after byte {position}: {error}") from error
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise ChartInvalid(f"broken tar archive: {error}") from error
    if not files:
        raise ChartInvalid("no files in chart archive")
    return files


def content_type(data: bytes) -> str:
    """Guess what someone sent instead of a gzip archive."""
    head = data[:512].lstrip().lower()
    if not data:
        return "empty"
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "text/html"
    if all(byte >= 0x20 or byte in b"\t\n\r\f\x1b" for byte in head):  # noqa: PLR2004 - the blank
        return "text/plain"
    return "application/octet-stream"


def _measured(compressed: io.BytesIO) -> bytes | None:
    """Read an archive to its end; return what is in it, None if that is much.

    Nothing is kept of what is much: a bomb must not fill the memory first.
    """
    bytes_in = len(compressed.getbuffer())
    ratio_limit = max(_EXPANSION_FREE_BYTES, MAX_EXPANSION * bytes_in)
    archive = gzip.GzipFile(fileobj=compressed)
    bytes_out = 0
    chunks: list[bytes] = []
    while chunk := archive.read(_CHUNK_BYTES):
        bytes_out += len(chunk)
        if bytes_out > MAX_TOTAL_BYTES + MAX_MEMBERS * _HEADER_BYTES:
            raise _too_large()
        if bytes_out > ratio_limit:
            raise ChartTooLarge(f"chart expands to more than {MAX_EXPANSION} times its archive")
        if bytes_out <= _EXPANSION_FREE_BYTES:
            chunks.append(chunk)
        else:
            chunks.clear()
    return b"".join(chunks) if bytes_out <= _EXPANSION_FREE_BYTES else None


def _files_in(plain: bytes | None, compressed: io.BytesIO, budget: Budget) -> list[File]:
    files: list[File] = []
    seen: set[str] = set()
    members = None if plain is None else plain_tar.members(plain)
    for file in (
        _plain_files(members, budget) if members is not None else _streamed(compressed, budget)
    ):
        if file.name in seen:
            raise ChartInvalid("the archive has this file twice", where=file.name)
        seen.add(file.name)
        files.append(file)
    return files


def _plain_files(members: Iterable[plain_tar.Member], budget: Budget) -> Iterator[File]:
    for member in members:
        name = _admitted(member.name, member.size, budget, is_file=True)
        yield _file(name, member.content, member.modified, budget)


def _streamed(compressed: io.BytesIO, budget: Budget) -> Iterator[File]:
    compressed.seek(0)
    stream = gzip.GzipFile(fileobj=compressed)
    with tarfile.open(fileobj=stream, mode="r|", errorlevel=2) as archive:
        for member in archive:
            if member.isdir():
                continue
            is_file = member.isreg() and not member.issparse()
            name = _admitted(member.name, member.size, budget, is_file=is_file)
            content = archive.extractfile(member)
            yield _file(name, content.read() if content else b"", member.mtime, budget)


def _admitted(member_name: str, size: int, budget: Budget, *, is_file: bool) -> str:
    """Return the path of a member in the chart; raise what forbids to read it."""
    budget.members -= 1
    if budget.members < 0:
        raise ChartTooLarge(f"chart has more than {MAX_MEMBERS} files")
    name = _chart_path(member_name)
    if not is_file:
        raise ChartInvalid("chart contains something else than a regular file", where=name)
    if size > budget.total_bytes:
        raise _too_large()
    if size > MAX_FILE_BYTES:
        raise ChartTooLarge(
            f"decompressed chart file {quote(member_name)} is larger than "
            f"the maximum file size {MAX_FILE_BYTES}",
            where=name,
        )
    return name


def _file(name: str, data: bytes, modified: float, budget: Budget) -> File:
    budget.total_bytes -= len(data)
    return File(name, data.removeprefix(BOM_UTF8), _timestamp(modified))


def _too_large() -> ChartTooLarge:
    return ChartTooLarge(f"decompressed chart is larger than the maximum size {MAX_TOTAL_BYTES}")


def _chart_path(member_name: str) -> str:
    """Strip the archive's top folder; every way out of it is refused in Helm's words."""
    delimiter = "\\" if "\\" in member_name else "/"
    top, _, rest = member_name.partition(delimiter)
    path = rest.replace(delimiter, "/")
    if path.startswith("/"):
        raise ChartPathIllegal("chart illegally contains absolute paths", where=member_name)
    path = posixpath.normpath(path)
    if path == ".":
        raise ChartPathIllegal(
            "chart illegally contains content outside the base directory: " + quote(member_name),
            where=member_name,
        )
    if path.startswith(".."):
        raise ChartPathIllegal("chart illegally references parent directory", where=member_name)
    if _DRIVE.match(path):
        raise ChartPathIllegal("chart contains illegally named files", where=member_name)
    if top == "Chart.yaml":
        raise ChartInvalid("chart yaml not in base directory", where=member_name)
    return path


def _timestamp(seconds: float) -> str:
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return ""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{text}{fraction}Z"
