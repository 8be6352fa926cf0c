"""The job of a chart server: what an index says of an archive, and what a page shows of it."""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from whipstaff.chart import archive
from whipstaff.chart import record as chart_record
from whipstaff.chart.model import Chart
from whipstaff.errors import ChartTooLarge, ChartUnavailable, OperatorError
from whipstaff.golang import yaml
from whipstaff.release.revision import JsonObject

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

ENTRY_BYTES_LIMIT = 128 << 10  # of one version in an index; the largest real ones take a third
_TEXT_CHARACTERS = 128 << 10  # of a README or values file on a page
_READMES = ("readme.md", "readme.txt", "readme")
# Where lines are folded depends on how far they are indented: an entry is written in its place.
_PLACE = "entries:\n  name:\n"
_CREATED = "\n    created: "


def entries(paths: Sequence[str], base: str, archive_bytes: int) -> JsonObject:
    """Return an entry, or `error`, for each archive; `base` is where archives are, for URLs."""
    return {"entries": [_entry_or_error(path, base, archive_bytes) for path in paths]}


def _entry_or_error(path: str, base: str, archive_bytes: int) -> JsonObject:
    try:
        return _entry(path, base, archive_bytes)
    except ChartUnavailable:
        raise
    except OperatorError as error:
        return {"error": error.text}


def _entry(path: str, base: str, archive_bytes: int) -> JsonObject:
    """Return name, version and digest, and the entry as JSON and as the YAML of an index.

    When a file was written is known later than what is in it, so both forms lack `created`: it
    belongs between the two halves of `yaml`, and after `urls` in `record`.
    """
    data = _read(Path(path), archive_bytes)
    metadata = archive.load(data).metadata
    name, version = metadata.name, metadata.version
    record: JsonObject = {
        **chart_record.metadata(metadata),
        "urls": [f"{base}/{name}-{version}.tgz"],
    }
    digest = hashlib.sha256(data).hexdigest()
    entry = {**record, "created": "", "digest": digest}
    text = yaml.dump({"entries": {"name": [entry]}}).removeprefix(_PLACE)
    if len(text) > ENTRY_BYTES_LIMIT:
        raise ChartTooLarge(
            f"Chart.yaml takes more than the {ENTRY_BYTES_LIMIT} bytes that an index has for a "
            "version",
            where="Chart.yaml",
        )
    before, _, after = text.partition(_CREATED)
    return {
        "name": name,
        "version": version,
        "digest": digest,
        "record": json.dumps(record, ensure_ascii=False, separators=(",", ":")),
        "yaml": [f"{before}\n", after.partition("\n")[2]],
    }


def contents(path: str, archive_bytes: int) -> JsonObject:
    """Return what people look at: README as HTML without any of the author's, and values."""
    chart = archive.load(_read(Path(path), archive_bytes))
    files = {file.name.lower(): file for file in reversed(chart.files)}
    readme = next((files[name] for name in _READMES if name in files), None)
    text = _shown(readme.data) if readme else ""
    is_markdown = readme is not None and readme.name.lower().endswith(".md")
    return {
        "readme": _markdown().render(text) if is_markdown else "",
        "readme_text": "" if is_markdown else text,
        "values": _shown(_values(path, archive_bytes) or b""),
    }


def values(path: str, archive_bytes: int) -> JsonObject:
    """Return values.yaml as it is, in base64; None if there is none."""
    data = _values(path, archive_bytes)
    return {"values": None if data is None else base64.b64encode(data).decode("ascii")}


def templates(path: str, archive_bytes: int) -> JsonObject:
    """Return the chart's templates in base64, and its values as they are read."""
    chart: Chart = archive.load(_read(Path(path), archive_bytes))
    return {
        "templates": [
            {"name": file.name, "data": base64.b64encode(file.data).decode("ascii")}
            for file in chart.templates
        ],
        "values": chart_record.plain(chart.values or {}),
    }


def _values(path: str, archive_bytes: int) -> bytes | None:
    members = archive.members(_read(Path(path), archive_bytes))
    return next((file.data for file in members if file.name == "values.yaml"), None)


def _read(file: Path, archive_bytes: int) -> bytes:
    try:
        if file.stat().st_size > archive_bytes:
            raise ChartTooLarge(f"the archive is larger than {archive_bytes} bytes")
        return file.read_bytes()
    except OSError as error:
        raise ChartUnavailable(f"the archive {file.name} is gone", file.name) from error


def _shown(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return text if len(text) <= _TEXT_CHARACTERS else f"{text[:_TEXT_CHARACTERS]}\n…"


@lru_cache(maxsize=1)
def _markdown() -> "MarkdownIt":
    """Make the reader of READMEs: HTML is text to it, and a picture is the link to it.

    Links of javascript: and their kin are left as text by the library itself.
    """
    from markdown_it import MarkdownIt  # noqa: PLC0415 - for those who look at a page

    return (
        MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable("table").disable("image")
    )
