"""A chart that lies on this machine: read, or what Helm says of what is there instead."""

from pathlib import Path

from whipstaff.chart import archive, folder
from whipstaff.chart.model import Chart
from whipstaff.cli import given_files
from whipstaff.cli.given_values import os_text
from whipstaff.cli.helm_logs import log
from whipstaff.errors import ChartInvalid
from whipstaff.golang import yaml

CHARTFILE = "Chart.yaml"
_SNIFFED_BYTES = 512
_KNOWN_API_VERSIONS = frozenset({"", "v1", "v2"})


class ChartNotFound(Exception):
    """Nothing that could be a chart lies where one was named; the words are Helm's."""


def load(path: Path) -> Chart:
    """Read the chart at a path; ChartInvalid or ChartNotFound in Helm's words."""
    return load_folder(path) if path.is_dir() else _load_archive(path)


def load_any(path: Path) -> Chart:
    """Read the chart at a path without asking of which format it is, as `helm show` does."""
    return folder.load(path, _tell_of_link) if path.is_dir() else _load_archive(path)


def load_folder(path: Path) -> Chart:
    """Read the chart in a folder; ChartInvalid or ChartNotFound in Helm's words."""
    file = path / CHARTFILE
    try:
        data = given_files.read(file)
    except OSError as error:
        raise ChartNotFound(
            f"unable to detect chart at {file}: {os_text(str(file), error)}"
        ) from error
    _check_api_version(data)
    return folder.load(path, _tell_of_link)


def _tell_of_link(link: Path) -> None:
    """Say as Helm does that what lies elsewhere becomes a part of the chart."""
    log(
        "INFO",
        "found symbolic link in path. Contents of linked file included and used",
        path=str(link),
        resolved=str(link.resolve()),
    )


def _load_archive(path: Path) -> Chart:
    try:
        data = given_files.read(path)
    except OSError as error:
        raise ChartNotFound(os_text(str(path), error)) from error
    if not data.startswith(b"\x1f\x8b\x08"):
        if path.name.endswith((".yml", ".yaml")):
            raise ChartNotFound(
                f"file '{path}' seems to be a YAML file, but expected a gzipped archive"
            )
        # Helm judges 512 bytes, zeros behind a shorter file's end, which make it no text.
        found = archive.content_type(data[:_SNIFFED_BYTES].ljust(_SNIFFED_BYTES, b"\0"))
        if found.startswith("text/"):
            found += "; charset=utf-8"
        raise ChartNotFound(f"file '{path}' does not appear to be a gzipped archive; got '{found}'")
    try:
        files = archive.members(data)
    except ChartInvalid as error:
        # Helm says no more than this, and leaves people to guess.
        raise ChartNotFound(f"unable to load chart archive: {error.text}") from error
    chartfile = next((file.data for file in files if file.name == CHARTFILE), None)
    if chartfile is None:
        raise ChartNotFound("unable to detect chart version, no Chart.yaml found")
    _check_api_version(chartfile)
    return archive.load(data)


def _check_api_version(data: bytes) -> None:
    try:
        found = yaml.load(data.decode("utf-8", "surrogateescape"))
    except yaml.YAMLError as error:
        raise ChartInvalid(f"cannot load {CHARTFILE}: {error.text}", where=CHARTFILE) from error
    version = found.get("apiVersion") if isinstance(found, dict) else None
    if isinstance(version, str) and version not in _KNOWN_API_VERSIONS:
        raise ChartInvalid("unsupported chart version", where="Chart.yaml: apiVersion")
