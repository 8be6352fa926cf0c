"""The index of a repository, in memory: each version's part of it is written once.

An upload changes the part of its own chart; index.yaml is then put together from finished parts.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from whipstaff.golang import yaml
from whipstaff.golang.semver import Constraint, SemverError, Version
from whipstaff.golang.yaml_keys import natural_order


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of a chart; `json` and `yaml` are its finished parts of the two lists."""

    name: str
    version: str
    file: str
    created: str  # RFC 3339
    digest: str  # SHA-256 in hexadecimal
    tag: str  # of the storage
    json: bytes
    yaml: bytes

    @property
    def record(self) -> dict[str, Any]:
        """What the index says of the version, by Helm's names."""
        found: dict[str, Any] = json.loads(self.json)
        return found


def finished(found: dict[str, Any], file: str, created: str, tag: str) -> Entry:
    """Make an entry of what a worker found in an archive."""
    digest = found["digest"]
    before, after = found["yaml"]
    # Go writes the members of the chart first, and those of the repository after them.
    last = f',"created":"{created}","digest":"{digest}"}}'
    return Entry(
        name=found["name"],
        version=found["version"],
        file=file,
        created=created,
        digest=digest,
        tag=tag,
        json=_utf8(found["record"][:-1] + last),
        yaml=_utf8(f'{before}    created: "{created}"\n{after}'),
    )


class _Versions:
    """The versions of one chart, the newest first, and the part of the index that they are."""

    def __init__(self, name: str, entries: Sequence[Entry]) -> None:
        by_file = sorted(entries, key=lambda entry: entry.file)
        self.entries = sorted(by_file, key=_precedence, reverse=True)
        self._name = name

    @cached_property
    def yaml(self) -> bytes:
        key = yaml.dump({self._name: 0}).removesuffix(": 0\n")
        return b"".join((_utf8(f"  {key}:\n"), *(entry.yaml for entry in self.entries)))

    @cached_property
    def digest(self) -> bytes:
        return hashlib.sha256(self.yaml).digest()

    @cached_property
    def json(self) -> bytes:
        return b"[%s]" % b",".join(entry.json for entry in self.entries)


class Index:
    """All charts of a repository; changed by one at a time, read by any number."""

    def __init__(self, context_path: str = "") -> None:
        self._charts: dict[str, _Versions] = {}
        self._by_file: dict[str, Entry] = {}
        self._context_path = context_path
        self._text: tuple[bytes, str] | None = None
        self._names: list[str] | None = None
        self._generated = ""

    def __len__(self) -> int:
        return len(self._by_file)

    def change(self, generated: str, add: Sequence[Entry], remove: Sequence[str] = ()) -> None:
        """Take entries in, and those of files out; `generated` is the time, in RFC 3339."""
        touched = {entry.name: dict[str, Entry]() for entry in add}
        for file in remove:
            if gone := self._by_file.pop(file, None):
                touched.setdefault(gone.name, {})
        for entry in add:
            if (old := self._by_file.get(entry.file)) and old.name != entry.name:
                touched.setdefault(old.name, {})
            self._by_file[entry.file] = entry
            touched[entry.name][entry.file] = entry
        left_out = {*remove, *(entry.file for entry in add)}
        for name, new in touched.items():
            self._replace(name, new, left_out)
        if touched:
            self._text, self._generated = None, generated

    def _replace(self, name: str, new: dict[str, Entry], left_out: set[str]) -> None:
        known = self._charts.get(name)
        kept = [entry for entry in known.entries if entry.file not in left_out] if known else []
        if bool(known) != bool(kept or new):
            self._names = None
        if kept or new:
            self._charts[name] = _Versions(name, [*kept, *new.values()])
        else:
            self._charts.pop(name, None)

    def of_file(self, file: str) -> Entry | None:
        """Return the entry of an archive's file name."""
        return self._by_file.get(file)

    @property
    def names(self) -> list[str]:
        """All charts, in the order of the index."""
        if self._names is None:
            self._names = natural_order(self._charts)
        return self._names

    def versions(self, name: str) -> Sequence[Entry]:
        """Return the versions of a chart, the newest first; none of one that is not here."""
        known = self._charts.get(name)
        return known.entries if known else ()

    def find(self, name: str, version: str) -> Entry | None:
        """Return a version, the newest in a range, or the newest stable one of `latest`."""
        wanted = "*" if version in {"", "latest"} else version
        entries = self.versions(name)
        for entry in entries:
            if entry.version == wanted:
                return entry
        try:
            constraint = Constraint.parse(wanted)
        except SemverError:
            return None
        fitting = (entry for entry in entries if constraint.allows(Version.parse(entry.version)))
        return next(fitting, None)

    def newest(self) -> Iterator[Entry]:
        """Return of each chart its newest stable version, or the newest if none is stable."""
        for name in self.names:
            yield self.find(name, "latest") or self.versions(name)[0]

    def as_yaml(self) -> tuple[bytes, str]:
        """Return index.yaml and its ETag, which is that of any server with the same charts."""
        if self._text is None:
            charts = [self._charts[name] for name in self.names]
            entries = (b"entries:\n", *(chart.yaml for chart in charts)) if charts else (_NOTHING,)
            generated = _utf8(f'generated: "{self._generated}"\n')
            parts = (b"apiVersion: v1\n", *entries, generated, self._server_info())
            state = hashlib.sha256(b"".join(chart.digest for chart in charts))
            self._text = b"".join(parts), f'"{state.hexdigest()}"'
        return self._text

    def as_json(self, names: Sequence[str]) -> bytes:
        """Return charts and their versions as one JSON object."""
        pairs = (_utf8(json.dumps(name)) + b":" + self._charts[name].json for name in names)
        return b"{%s}" % b",".join(pairs)

    def versions_as_json(self, name: str) -> bytes:
        """Return the versions of a chart that is here."""
        return self._charts[name].json

    def _server_info(self) -> bytes:
        # What pushes charts reads from it where the paths of the API begin.
        if not self._context_path:
            return b""
        return _utf8(yaml.dump({"serverInfo": {"contextPath": self._context_path}}))


_NOTHING = b"entries: {}\n"


def _precedence(entry: Entry) -> Version:
    return Version.parse(entry.version)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")
