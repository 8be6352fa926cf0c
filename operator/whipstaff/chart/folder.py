"""A chart in a folder, as the command line reads it: .helmignore counts, links are followed."""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from whipstaff.chart import archive, loader
from whipstaff.chart.ignore import FILE_NAME, Rules
from whipstaff.chart.model import Chart, File
from whipstaff.errors import ChartInvalid, ChartTooDeep, ChartTooLarge
from whipstaff.golang.strconv import quote

_MAX_FOLDER_DEPTH = 64


OnLink = Callable[[Path], None]


def load(path: Path, on_link: OnLink = lambda _: None) -> Chart:
    """Read the chart that lies in a folder; the limits are those of an archive.

    `on_link` is told of every link that is followed.
    """
    ignore_file = path / FILE_NAME
    rules = Rules.parse(ignore_file.read_bytes() if ignore_file.is_file() else b"")
    budget = archive.Budget()
    files: list[File] = []
    for name, file in _walk(path, "", rules, on_link):
        budget.members -= 1
        if budget.members < 0:
            raise ChartTooLarge(f"chart has more than {archive.MAX_MEMBERS} files")
        files.append(_read(name, file))
    # Of which format the chart is, its user asks: `lint` has findings for one of no known format.
    return loader.assemble(files, lambda inner: archive.load(inner, budget))


def _walk(folder: Path, prefix: str, rules: Rules, on_link: OnLink) -> Iterator[tuple[str, Path]]:
    if prefix.count("/") > _MAX_FOLDER_DEPTH:
        raise ChartTooDeep(f"folders are nested deeper than {_MAX_FOLDER_DEPTH}", where=prefix)
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        name = prefix + entry.name
        is_folder = entry.is_dir()
        if rules.ignore(name, folder=is_folder):
            continue
        if entry.is_symlink():
            on_link(entry)
        if is_folder:
            yield from _walk(entry, f"{name}/", rules, on_link)
        else:
            yield name, entry


def _read(name: str, file: Path) -> File:
    if not file.is_file():
        raise ChartInvalid(
            f"cannot load irregular file {name} as it has file mode type bits set", where=name
        )
    facts = file.stat()
    if facts.st_size > archive.MAX_FILE_BYTES:
        raise ChartTooLarge(
            f"chart file {quote(file.name)} is larger than "
            f"the maximum file size {archive.MAX_FILE_BYTES}",
            where=name,
        )
    modified = datetime.fromtimestamp(int(facts.st_mtime), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return File(name, file.read_bytes().removeprefix(BOM_UTF8), modified)
