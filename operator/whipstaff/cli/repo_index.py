"""`whipstaff repo index`: the index.yaml of a folder of packaged charts, as helm writes it."""

import hashlib
import os
import posixpath
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click

from whipstaff.chart import archive, record
from whipstaff.chart import metadata as chartfile
from whipstaff.chart.metadata import METADATA
from whipstaff.chart.shapes import ListOf, MapOf, Scalar, ShapeError, Struct, read
from whipstaff.cli.given_values import os_text
from whipstaff.cli.helm_flags import HelmCommand, exactly
from whipstaff.cli.helm_home import Refused, write_whole
from whipstaff.cli.helm_logs import log
from whipstaff.errors import ChartInvalid, OperatorError
from whipstaff.golang import json, url, yaml
from whipstaff.golang.semver import Constraint, SemverError, Version
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import StructFields, go_bytes, go_text

_FILE = "index.yaml"
_USAGE = "whipstaff repo index [DIR] [flags]"
_ENTRY = Struct(
    "repo.ChartVersion",
    {
        **METADATA.fields,
        "urls": ListOf(Scalar.TEXT),
        "created": Scalar.TEXT,
        "removed": Scalar.BOOL,
        "digest": Scalar.TEXT,
        "checksum": Scalar.TEXT,
        "engine": Scalar.TEXT,
        "tillerVersion": Scalar.TEXT,
        "url": Scalar.TEXT,
    },
)
_INDEX = Struct(
    "repo.IndexFile",
    {
        "serverInfo": MapOf(Scalar.ANY),
        "apiVersion": Scalar.TEXT,
        "generated": Scalar.TEXT,
        "entries": MapOf(ListOf(_ENTRY)),
        "publicKeys": ListOf(Scalar.TEXT),
        "annotations": MapOf(Scalar.TEXT),
    },
)
# What stands behind the fields of Chart.yaml, in Helm's order; the first two are always there.
_METADATA_ORDER = tuple(METADATA.fields)
_OWN = ("urls", "created", "removed", "digest", "checksum", "engine", "tillerVersion", "url")
_ALWAYS = {"urls", "created"}
_DECODING = "error unmarshaling JSON: while decoding JSON: "
_NO_TIME = "0001-01-01T00:00:00Z"
_DUPLICATE = "validation: more than one dependency with name or alias"

Entry = dict[str, object]  # a version of a chart, by Helm's names
Entries = dict[str, list[Entry]]


@click.command("index", cls=HelmCommand)
@click.argument("folders", nargs=-1, metavar="DIR", callback=exactly(1, _USAGE))
@click.option("--url", "base", default="", metavar="URL", help="Where the charts will be served.")
@click.option(
    "--merge", default="", metavar="FILE", help="Index whose charts are taken over, if not here."
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def repo_index(folders: tuple[str], base: str, merge: str, *, as_json: bool) -> None:
    """Write the index of a folder of packaged charts."""
    folder = os.path.abspath(folders[0])  # noqa: PTH100 - Go's: `..` goes before links are read
    now = datetime.now(UTC).astimezone().isoformat().replace("+00:00", "Z")  # noqa: TID251
    entries = _indexed(folder, base, now)
    if merge:
        _merge(entries, _others(Path(merge), now, as_json=as_json))
    for versions in entries.values():
        versions.sort(key=lambda entry: Version.parse(_text(entry, "version")).key, reverse=True)
    if not Path(folder).is_dir():
        raise Refused(f"open {folder}/{_FILE}: no such file or directory")
    _write(Path(folder, _FILE), entries, now, as_json=as_json)


def _indexed(folder: str, base: str, now: str) -> Entries:
    """The charts of a folder and of the folders in it."""
    entries: Entries = {}
    for place in _archives(Path(folder)):
        data = place.read_bytes()
        try:
            metadata = archive.load(data).metadata
        except OperatorError:
            continue  # as in Helm: it is no chart
        parent = _joined(base, posixpath.dirname(place.relative_to(folder).as_posix()))
        metadata = chartfile.validate(metadata)
        entry: Entry = {
            **record.metadata(metadata),
            "urls": [_joined(parent, place.name) if parent else place.name],
            "created": now,
            "digest": hashlib.sha256(data).hexdigest(),
        }
        entries.setdefault(metadata.name, []).append(entry)
    return entries


def _archives(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*.tgz"))
    yield from sorted(folder.glob("*/*.tgz"))


def _joined(base: str, path: str) -> str:
    """Put a path behind a URL, as Helm does."""
    try:
        found = url.parse(base)
    except url.URLError:
        return posixpath.normpath(posixpath.join(base, path))
    parts = [part for part in (found.path, path) if part]
    found.path = posixpath.normpath("/".join(parts)) if parts else ""
    return str(found)


def _others(file: Path, now: str, *, as_json: bool) -> Entries:
    """The charts of the index to merge with; one that is not there is written, empty."""
    if not file.exists():
        _write(file, {}, now, as_json=as_json)
        return {}
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Refused(f"merge failed: {os_text(str(file), error)}") from error
    try:
        return _read(data, str(file))
    except ValueError as error:
        raise Refused(f"merge failed: error loading {file}: {error}") from error


def _read(data: bytes, source: str) -> Entries:
    """Read all that Helm keeps of an index; ValueError in its words."""
    if not data:
        raise ValueError("empty index.yaml file")
    found, decoding = _parsed(go_text(data))
    try:
        index = cast("dict[str, Any]", read(found, _INDEX))
    except ShapeError as error:
        raise ValueError(f"{decoding}{error}") from error
    if not index.get("apiVersion"):
        raise ValueError("no API version specified")
    return {
        name: list(_usable(name, versions or [], source))[::-1]
        for name, versions in (index.get("entries") or {}).items()
    }


def _parsed(text: str) -> tuple[object, str]:
    """Return what JSON or YAML says, and what Helm puts before an error about it."""
    try:
        return json.load(text), ""
    except json.JSONError:
        pass
    try:
        found = yaml.load_strict(text)
    except yaml.YAMLError as error:
        raise ValueError(error.text) from error
    _check_known(found)
    return found, _DECODING


def _check_known(index: object) -> None:
    """Refuse fields that Helm does not know, as it does: they would be lost."""
    if not isinstance(index, dict):
        return
    entries = index.get("entries")
    versions = [
        one
        for listed in (entries.values() if isinstance(entries, dict) else ())
        for one in (listed if isinstance(listed, list) else ())
    ]
    for value, shape in ((index, _INDEX), *((one, _ENTRY) for one in versions)):
        known = {name.casefold() for name in shape.fields}
        for name in value if isinstance(value, dict) else ():
            if str(name).casefold() not in known:
                raise ValueError(f"{_DECODING}json: unknown field {quote(str(name))}")


def _usable(chart: str, versions: list[Entry], source: str) -> Iterator[Entry]:
    """The entries that can be used, the last one first."""
    skipping = f"skipping loading invalid entry for chart {quote(chart)}"
    for entry in reversed(versions):  # Helm's order of warnings
        if not entry:
            log("WARN", f"{skipping} from {source}: empty entry")
            continue
        entry.setdefault("apiVersion", "v1")
        fields = {name: part for name, part in entry.items() if name in METADATA.fields}
        try:
            chartfile.validate(chartfile.parse(yaml.dump(fields), source))
        except ChartInvalid as error:
            if not error.text.startswith(_DUPLICATE):
                version = quote(_text(entry, "version"))
                log("WARN", f"{skipping} {version} from {source}: {error.text}")
                continue
        yield entry


def _merge(entries: Entries, others: Entries) -> None:
    """Add what is not there yet."""
    for versions in others.values():
        for entry in versions:
            name, version = _text(entry, "name"), _text(entry, "version")
            if not _has(entries.get(name, []), name, version):
                entries.setdefault(name, []).append(entry)


def _has(versions: list[Entry], name: str, wanted: str) -> bool:
    """Whether there is a version already, or what Helm takes for it: one of this range."""
    if any(_text(one, "version") == wanted for one in versions):
        return True
    try:
        constraint = Constraint.parse(wanted)
    except SemverError:
        return False
    found = (_text(one, "version") for one in versions)
    near = next((one for one in found if constraint.allows(Version.parse(one))), None)
    if near is not None:
        log(
            "WARN",
            "unable to find exact version requested; falling back to closest available version",
            chart=name,
            requested=wanted,
            selected=near,
        )
    return near is not None


def _text(entry: Entry, field: str) -> str:
    return str(entry.get(field, ""))


def _write(file: Path, entries: Entries, now: str, *, as_json: bool) -> None:
    index = StructFields(
        {
            "apiVersion": "v1",
            "generated": now,
            "entries": {
                name: [_shown(one) for one in versions] for name, versions in entries.items()
            },
        }
    )
    write_whole(file, go_bytes(json.dump_indent(index) if as_json else yaml.dump(index)))


def _shown(entry: Entry) -> StructFields:
    """An entry with its fields in Helm's order; those that are empty are left out."""
    entry = {"urls": None, "created": _NO_TIME} | entry
    return StructFields(
        {
            name: _ordered(entry[name])
            for name in (*_METADATA_ORDER, *_OWN)
            if entry.get(name) or name in _ALWAYS
        }
    )


def _ordered(part: object) -> object:
    """Keep the order of maintainers' and dependencies' fields, which are structs to Helm."""
    if not isinstance(part, list):
        return part
    return [StructFields(one) if isinstance(one, dict) else one for one in part]
