"""Read the index.yaml of a chart repository: which charts there are, in which versions.

An index of 26 MB takes a whole reader of YAML many seconds. As far as it is laid out as Helm lays
it out, only the keys that someone asks for are read; anything else is for the whole reader. What
Helm refuses of an entry is passed over with Helm's warning, fields that it does not know are not
minded.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from whipstaff.chart.metadata import printable
from whipstaff.cli.helm_logs import log
from whipstaff.golang import yaml
from whipstaff.golang.semver import Constraint, SemverError, Version
from whipstaff.golang.strconv import quote

_WANTED = ("appVersion", "description", "digest", "keywords", "name", "type", "urls", "version")
_CHART = re.compile(
    rb"^  ([A-Za-z0-9][A-Za-z0-9._-]*|\"[A-Za-z0-9._-]+\"|'[A-Za-z0-9._-]+'):\n", re.MULTILINE
)
# Lines as Helm lays them out below `entries:`; whatever is indented more belongs to a key.
_UNUSUAL = re.compile(
    rb"^(?!      |    [A-Za-z][A-Za-z0-9_.-]*:[ \n]|    - |  - [A-Za-z][A-Za-z0-9_.-]*:[ \n]"
    rb"|  [A-Za-z0-9][A-Za-z0-9._-]*:\n|  \"[A-Za-z0-9._-]+\":\n|  '[A-Za-z0-9._-]+':\n|\n|\Z)",
    re.MULTILINE,
)
_TOP_LEVEL = re.compile(rb"^[^ \n#]", re.MULTILINE)
_FIELD = re.compile(
    rb"\n    (" + "|".join(_WANTED).encode() + rb"):(.*)((?:\n(?:      |    - |(?=\n)).*)*)"
)
_PLAIN = re.compile(r"[A-Za-z](?:[^:#\n]|:(?=[^ \n])|(?<=[^ ])#)*(?<![ :])")
_VERSION = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?")
_ITEM = re.compile(r"\n    - (.*)")
_YAMLS_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_TYPES = frozenset({"", "application", "library"})
_RANGE = re.compile(r"[\^~<>=!*]|\|\|| - ")


class IndexInvalid(Exception):
    """An index that is none; the words are Helm's."""


class IndexEntry(NamedTuple):
    """One version of a chart."""

    name: str
    version: str
    app_version: str
    description: str
    keywords: tuple[str, ...]
    urls: tuple[str, ...]
    digest: str  # as the index has it; may be empty


@dataclass(frozen=True, slots=True)
class RepositoryIndex:
    """The charts of a repository by name, the newest version of each first."""

    charts: dict[str, tuple[IndexEntry, ...]]

    def find(self, name: str, version: str) -> IndexEntry | None:
        """Return the exact version, or the newest of the range; None if there is none.

        SemverError for a range that cannot be read.
        """
        versions = self.charts.get(name, ())
        constraint = Constraint.parse(version or "*") if versions else None
        exact = next((one for one in versions if version and one.version == version), None)
        if exact is not None or constraint is None:
            return exact
        found = next(
            (one for one in versions if constraint.allows(Version.parse(one.version))), None
        )
        if found is not None and version and not _is_range(version):
            log(
                "WARN",
                "unable to find exact version requested; falling back to closest available version",
                chart=name,
                requested=version,
                selected=found.version,
            )
        return found


def read(data: bytes, source: str, only: str | None = None) -> RepositoryIndex:
    """Read an index, or one chart of it; IndexInvalid if it is none. `source` is for warnings."""
    if not data:
        raise IndexInvalid("empty index.yaml file")
    entries = _quickly(data, only)
    if entries is None:
        entries = _whole(data)
    charts = {
        name: _usable(name, listed, source)
        for name, listed in entries.items()
        if only is None or name == only
    }
    return RepositoryIndex(charts)


def _is_range(version: str) -> bool:
    core = re.split(r"[-+]", version, maxsplit=1)[0]
    return bool(_RANGE.search(version)) or "x" in core.lower()


Raw = dict[str, object]  # the wanted fields of an entry
Listed = Sequence[Raw | None]


def _quickly(data: bytes, only: str | None) -> dict[str, Listed] | None:
    """Read what is laid out as Helm lays it out; None if it is not."""
    body = _body(data)
    if body is None or _UNUSUAL.search(body):
        return None
    places = list(_CHART.finditer(body))
    if not places or places[0].start() != 0:
        return None
    ends = [*(place.start() for place in places[1:]), len(body)]
    found: dict[str, Listed] = {}
    try:
        for place, end in zip(places, ends, strict=True):
            name = _chart_name(place[1].decode())
            if name is None or name in found:
                return None
            wanted = only is None or name == only
            found[name] = list(_entries(body[place.end() : end])) if wanted else ()
    except (yaml.YAMLError, UnicodeDecodeError, ValueError):
        return None
    return found


def _body(data: bytes) -> bytes | None:
    """Return the lines below `entries:`, None if what stands beside them is not Helm's."""
    start = 0 if data.startswith(b"entries:\n") else data.find(b"\nentries:\n") + 1
    if not start and not data.startswith(b"entries:\n"):
        return None
    begin = start + len(b"entries:\n")
    after = _TOP_LEVEL.search(data, begin)
    end = after.start() if after else len(data)
    head = data[:start] + data[end:]
    try:
        fields = yaml.load_strict(head.decode())
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
    if not isinstance(fields, dict) or not fields.get("apiVersion") or "entries" in fields:
        return None
    return data[begin:end]


def _chart_name(text: str) -> str | None:
    bare = text.strip("\"'")
    if bare == text and (not text[0].isalpha() or text.lower() in _YAMLS_WORDS):
        return None
    return bare


def _entries(section: bytes) -> Iterator[Raw]:
    """Yield the wanted fields of each entry of a chart."""
    first, *others = (b"\n" + section).split(b"\n  - ")
    if first.strip():
        raise ValueError("entries of another layout")
    for text in others:
        entry: Raw = {}
        for name, value, below in _FIELD.findall(b"\n    " + text):
            key = name.decode()
            if key in entry:
                raise ValueError("a key twice")
            entry[key] = _value(key, value.decode().strip(" "), below.decode())
        yield entry


def _value(key: str, text: str, below: str) -> object:
    """Read the value of a key: what stands behind it, and the lines below it."""
    below = below.rstrip("\n")
    if not below and (found := _scalar(text)) is not None:
        return found
    if not text and below:
        items = [_scalar(item) for item in _ITEM.findall(below)]
        if None not in items and "\n      " not in below:
            return items
    loaded = yaml.load_strict(f"    {key}: {text}{below}\n")
    if not isinstance(loaded, dict):
        raise TypeError("no field")
    return loaded.get(key)


def _scalar(text: str) -> str | None:
    """Read a text that YAML could take for nothing else; None if it might."""
    if _VERSION.fullmatch(text):
        return text
    if text[:1] in {'"', "'"}:
        inner = text[1:-1]
        plain = len(text) > 1 and text[0] == text[-1] and not re.search(r"[\"'\\]", inner)
        return inner if plain else None
    return text if _PLAIN.fullmatch(text) and text.lower() not in _YAMLS_WORDS else None


def _whole(data: bytes) -> dict[str, Listed]:
    index = _parsed(data)
    if index is None:
        index = {}
    if not isinstance(index, dict):
        kind = (
            "string" if isinstance(index, str) else "array" if isinstance(index, list) else "number"
        )
        raise IndexInvalid(
            "error unmarshaling JSON: while decoding JSON: json: "
            f"cannot unmarshal {kind} into Go value of type repo.IndexFile"
        )
    entries = index.get("entries")
    if not index.get("apiVersion"):
        raise IndexInvalid("no API version specified")
    found: dict[str, Listed] = {}
    for name, listed in entries.items() if isinstance(entries, dict) else ():
        items = listed if isinstance(listed, list) else []
        found[str(name)] = [one if isinstance(one, dict) else None for one in items]
    return found


def _parsed(data: bytes) -> object:
    try:
        if data.lstrip()[:1] == b"{":
            return json.loads(data)
    except (ValueError, RecursionError):
        pass  # YAML with braces, then
    try:
        return yaml.load_strict(data.decode("utf-8", "surrogateescape"))
    except yaml.YAMLError as error:
        raise IndexInvalid(error.text) from error


def _usable(chart: str, listed: Listed, source: str) -> tuple[IndexEntry, ...]:
    """Return the versions that can be used, the newest first; warn of the others."""
    found = []
    for raw in reversed(listed):  # Helm's order of warnings
        if raw is None:
            _skip(chart, "", source, "empty entry")
            continue
        entry = _entry(raw)
        if problem := _problem(entry, raw):
            _skip(chart, f" {quote(entry.version)}", source, f"validation: {problem}")
        else:
            found.append((Version.parse(entry.version).key, entry))
    found.reverse()
    found.sort(key=lambda pair: pair[0], reverse=True)
    return tuple(entry for _, entry in found)


def _skip(chart: str, version: str, source: str, why: str) -> None:
    log(
        "WARN",
        f"skipping loading invalid entry for chart {quote(chart)}{version} from {source}: {why}",
    )


def _entry(raw: Raw) -> IndexEntry:
    return IndexEntry(
        _shown(raw.get("name")),
        _text(raw.get("version")),
        _shown(raw.get("appVersion")),
        _shown(raw.get("description")),
        tuple(map(_shown, _items(raw.get("keywords")))),
        tuple(map(_text, _items(raw.get("urls")))),
        _text(raw.get("digest")),
    )


def _items(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()


def _text(value: object) -> str:
    found = yaml.string_of(value)
    return found if isinstance(found, str) else ""


def _shown(value: object) -> str:
    """Return a text that may go to a terminal, as Helm cleans it."""
    return printable(_text(value))


def _problem(entry: IndexEntry, raw: Raw) -> str:
    """Return what Helm minds of an entry; empty if it minds nothing."""
    name, version = entry.name, entry.version
    if not name:
        return "chart.metadata.name is required"
    if name in {".", ".."}:
        return f"chart.metadata.name {quote(name)} is not allowed"
    if "/" in name:
        return f"chart.metadata.name {quote(name)} is invalid"
    if not version:
        return "chart.metadata.version is required"
    try:
        Version.parse(version)
    except SemverError:
        return f"chart.metadata.version {quote(version)} is invalid"
    if _text(raw.get("type")) not in _TYPES:
        return "chart.metadata.type must be application or library"
    return ""
