"""A chart written down again: as an archive, or as the files of a folder.

Archives are reproducible: the same chart gives the same bytes, wherever and whenever it is packed.
So every member has one time, one mode and no owner, members stand in the order of the chart's
files, and the gzip header says nothing of where it was made.
"""

import gzip
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from whipstaff.chart import lock, record
from whipstaff.chart import metadata as chartfile
from whipstaff.chart.model import Chart, File, Metadata
from whipstaff.errors import ChartInvalid
from whipstaff.golang import json, yaml
from whipstaff.golang.semver import SemverError, Version
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import go_bytes, go_text

# 1980: the first time that archives of every kind can hold, zip's too.
MODIFIED_SECONDS = 315_532_800

_MODE = 0o644
_COMPRESSION = 9


class Entry(NamedTuple):
    """A file of a chart: `name` is relative to the chart's folder."""

    name: str
    data: bytes


def archive_name(chart: Chart) -> str:
    """The name of the file that a chart is packed into."""
    return f"{chart.name}-{chart.metadata.version}.tgz"


def check_version(version: str) -> None:
    """Raise ChartInvalid for a version that is not SemVer 2; Helm takes `1.2` and `v1` too."""
    try:
        Version.parse(version)
    except SemverError as error:
        raise ChartInvalid(str(error), where="Chart.yaml: version") from error
    try:
        Version.parse_strict(version)
    except SemverError as error:
        raise ChartInvalid(
            f"chart.metadata.version {quote(version)} is not a version of SemVer 2: {error}",
            where="Chart.yaml: version",
        ) from error


def pack(chart: Chart, modified_seconds: int = MODIFIED_SECONDS) -> bytes:
    """Return the archive of a chart; ChartInvalid for one that Helm would not pack."""
    try:
        chartfile.validate(chart.metadata)
    except ChartInvalid as error:
        raise ChartInvalid(f"chart validation: {error.text}", error.where) from error
    return archive_of(_entries(chart, chart.name), modified_seconds)


def archive_of(entries: Iterable[Entry], modified_seconds: int = MODIFIED_SECONDS) -> bytes:
    """Return the archive of files as they are, the chart's folder being part of their names."""
    buffer = io.BytesIO()
    # Its own header holds neither a name nor a time.
    with (
        gzip.GzipFile("", "wb", _COMPRESSION, buffer, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for entry in entries:
            tar.addfile(_header(entry, modified_seconds), io.BytesIO(entry.data))
    return buffer.getvalue()


def contents(chart: Chart) -> Iterator[Entry]:
    """The files of a chart as a folder has them, the charts inside it left out."""
    yield Entry("Chart.yaml", chartfile_text(chart.metadata))
    if chart.raw_values is not None:
        yield Entry("values.yaml", chart.raw_values)
    if chart.schema is not None:
        yield Entry("values.schema.json", chart.schema)
    yield from (Entry(file.name, file.data) for file in _others(chart))


def chartfile_text(metadata: Metadata) -> bytes:
    """Chart.yaml, written anew from what was read of it: without comments, keys in order."""
    return go_bytes(yaml.dump(record.metadata(metadata)))


def _entries(chart: Chart, folder: str) -> Iterator[Entry]:
    """All files of a chart's archive, in Helm's order."""
    metadata = chart.metadata
    if metadata.api_version == lock.V1:
        metadata = replace(metadata, dependencies=None)  # these have a file of their own
    yield Entry(f"{folder}/Chart.yaml", chartfile_text(metadata))
    if chart.lock is not None and metadata.api_version != lock.V1:
        yield Entry(f"{folder}/{lock.FILE_NAME}", go_bytes(lock.dump(chart.lock)))
    if chart.raw_values is not None:
        yield Entry(f"{folder}/values.yaml", chart.raw_values)
    if chart.schema is not None:
        _check_json(chart.schema)
        yield Entry(f"{folder}/values.schema.json", chart.schema)
    for file in _others(chart):
        yield Entry(f"{folder}/{file.name}", file.data)
    for subchart in chart.subcharts:
        yield from _entries(subchart, f"{folder}/charts/{subchart.name}")


def _others(chart: Chart) -> Iterator[File]:
    yield from chart.templates
    yield from chart.files


def _check_json(schema: bytes) -> None:
    try:
        json.load(go_text(schema))
    except json.JSONError as error:
        raise ChartInvalid(
            "invalid JSON in values.schema.json", where="values.schema.json"
        ) from error


def _header(entry: Entry, modified_seconds: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(entry.name)
    header.size = len(entry.data)
    header.mode = _MODE
    header.mtime = modified_seconds
    return header
