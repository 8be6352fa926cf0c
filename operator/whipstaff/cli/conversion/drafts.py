"""What is written: an object of ours, and beside its fields what became of those that are none."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from whipstaff.cli.conversion.originals import Original, Path, copied
from whipstaff.cli.own_schemas import own_schema
from whipstaff.cli.printing import one_line
from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease import names, parsing
from whipstaff.helmrelease.charts import PLACES
from whipstaff.helmrelease.strictness import Objection, dotted, objections
from whipstaff.helmrepository import names as repositories
from whipstaff.helmrepository import parsing as repository_parsing
from whipstaff.release.revision import JsonObject

EXACT_VERSION = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?")
NO_EQUAL = "was left out: it has no equal here"

_PARSERS: Mapping[str, Callable[[JsonObject], object]] = {
    names.KIND: parsing.parse,
    repositories.KIND: repository_parsing.parse,
}
_NOT_SHOWN: Final = object()
_LONGEST_SHOWN = 200
_LOGIN = re.compile(r"://[^/\s@]*@")
_TRIES = 1000  # fields that our parser refuses one by one
_OF_CHART = ("spec", "chart")
# Without them a release would go into another cluster, or with other rights, or there is nothing.
_DECISIVE: frozenset[Path] = frozenset(
    {("spec", "kubeConfig"), ("spec", "serviceAccountName"), ("spec", "url")}
)


@dataclass(frozen=True, slots=True)
class Note:
    """What a person should know of one field; `lost` if something was left out."""

    place: Path  # in what is written
    field: str  # in what was read
    text: str
    where: str = ""  # file and line
    lost: bool = True
    value: object = _NOT_SHOWN  # for the comment alone: it may be long, or secret

    @property
    def comment(self) -> str:
        """The line to stand in the YAML."""
        if self.value is _NOT_SHOWN:
            return one_line(f"{self.field}: {self.text}")
        shown = _LOGIN.sub("://…@", json.dumps(self.value, ensure_ascii=False))
        if len(shown) > _LONGEST_SHOWN:
            shown = f"{shown[:_LONGEST_SHOWN]}…"
        return one_line(f"{self.field}: {shown}: {self.text}")

    def told(self, subject: str) -> str:
        """Return the line for people who look at the terminal, which repeats no value."""
        word = "warning" if self.lost else "note"
        where = f"{self.where}: " if self.where else ""
        return one_line(f"{word}: {where}{subject}: {self.field}: {self.text}")


@dataclass(slots=True)
class Draft:
    """One object of ours that is being made of others."""

    body: JsonObject
    subject: str  # of what it is made, as messages name it
    notes: list[Note] = field(default_factory=list)
    _origins: dict[Path, tuple[Original, Path]] = field(default_factory=dict)

    @classmethod
    def new(
        cls,
        kind: str,
        name: str,
        namespace: str,
        subject: str,
        api_version: str = names.API_VERSION,
    ) -> "Draft":
        """Begin an object; an empty namespace is left out."""
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        return cls({"apiVersion": api_version, "kind": kind, "metadata": metadata}, subject)

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def is_ours(self) -> bool:
        return bool(self.body["apiVersion"] == names.API_VERSION)

    def at(self, *path: str | int) -> object:
        found: object = self.body
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        return found

    def put(self, path: Path, value: object, origin: tuple[Original, Path] | None = None) -> None:
        """Set a field of a table; `origin` says what it was made of."""
        *around, last = path
        table = self.body
        for step in around:
            table = table.setdefault(str(step), {})
        table[str(last)] = value
        if origin is not None:
            self._origins[path] = origin

    def move(self, original: Original, source: Path, path: Path | None = None) -> bool:
        """Take a field over as it is, under another path if one is given; False without one."""
        value = original.at(*source)
        if value is None:
            return False
        original.take(*source)
        self.put(path or source, copied(value), (original, source))
        return True

    def drop(self, path: Path, text: str) -> None:
        """Take a field out again, and say why; one that is not there is none."""
        if _has(self.body, path):
            self._leave_out(path, text)

    def lose(
        self, original: Original, source: Path, text: str, *, place: Path, shown: bool = True
    ) -> None:
        """Leave a field out, and say why; `shown` if the comment may repeat what it held."""
        for path, value in list(original.left(source)):
            held = value if shown else _NOT_SHOWN
            self.tell(original, path, text, place=place, value=held)
        original.take(*source)

    def tell(
        self,
        original: Original,
        source: Path,
        text: str,
        *,
        place: Path,
        lost: bool = True,
        value: object = _NOT_SHOWN,
    ) -> None:
        """Say something of a field of the original."""
        note = Note(place, dotted(source), text, original.found.at(source), lost, value)
        self.notes.append(note)

    def tell_of_rest(self, original: Original, places: Mapping[Path, Path], text: str) -> None:
        """Leave out all that nothing was made of; `places` says beside what it is told of."""
        for path, value in list(original.left()):
            ends = range(len(path), -1, -1)
            place = next((places[path[:end]] for end in ends if path[:end] in places), ())
            self.tell(original, path, text, place=place, value=value)
            original.take(*path)

    def conform(self) -> None:
        """Leave out what our own rules refuse, each with what they say."""
        if not self.is_ours:
            return
        for _ in range(_TRIES):
            found = objections(own_schema(self.kind), self._whole()) or self._refused()
            by_target: dict[Path, list[str]] = {}
            for one in found:
                target = self._target(one.path)
                by_target.setdefault(target, []).append(_text(one, target))
            by_target = {path: texts for path, texts in by_target.items() if _may_go(path)}
            if not by_target:
                return
            # The last one first: taking an item out of a list moves those behind it.
            for target in sorted(by_target, reverse=True):
                self._leave_out(target, "; ".join(by_target[target]))

    def _whole(self) -> JsonObject:
        """Return the object with something in place of a chart that nobody knows where to find."""
        if self.kind != names.KIND:
            return self.body
        chart = self.at(*_OF_CHART)
        given: JsonObject = chart if isinstance(chart, dict) else {}
        spec = {**self.body.get("spec", {}), "chart": {**_unknown(given), **given}}
        return {**self.body, "spec": spec}

    def _refused(self) -> list[Objection]:
        whole = self._whole()
        metadata = {"namespace": "default", "uid": "", **whole["metadata"]}
        try:
            _PARSERS[self.kind]({**whole, "metadata": metadata})
        except InvalidSpec as error:
            return [Objection(_steps(error.field), error.text.removeprefix(f"{error.field} "))]
        return []

    def _target(self, path: Path) -> Path:
        """Return what has to go: a field that is wrong, or what lacks one."""
        while path and not _has(self.body, path):
            path = path[:-1]
        return path

    def _leave_out(self, path: Path, text: str) -> None:
        original, source = self._origin(path)
        if original is not None and path[:2] in _DECISIVE and not path[2:]:
            raise original.unconvertible(source, text)
        value = _pop(self.body, path)
        place = tuple(step for step in path[:-1] if isinstance(step, str))
        where = original.found.at(source) if original else ""
        said = f"was left out: {text}"
        self.notes.append(Note(place, dotted(source), said, where, lost=True, value=value))

    def _origin(self, path: Path) -> tuple[Original | None, Path]:
        """Return what a field was made of; the field itself where nothing is known of it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self._origins:
                original, source = self._origins[path[:end]]
                return original, (*source, *path[end:])
        return None, path

    def comments(self) -> dict[Path, list[str]]:
        """Return the notes by the tables that they stand in."""
        found: dict[Path, list[str]] = {}
        for note in self.notes:
            found.setdefault(self._standing(note.place), []).append(note.comment)
        return found

    def _standing(self, place: Path) -> Path:
        """Return the innermost table around a place that is there, and has something in it."""
        for end in range(len(place), 0, -1):
            table = self.at(*place[:end])
            if isinstance(table, dict) and table:
                return place[:end]
        return ()


def _unknown(chart: JsonObject) -> JsonObject:
    known = any(chart.get(place) is not None for place in PLACES)
    return {} if known else {"name": "unknown", "repository": "https://unknown.invalid"}


def _may_go(path: Path) -> bool:
    return len(path) >= len(_OF_CHART) and path not in {("metadata", "name"), _OF_CHART}


def _text(objection: Objection, target: Path) -> str:
    lacking = dotted(objection.path[len(target) :])
    return f"{lacking} {objection.text}" if lacking else objection.text


def _steps(name: str) -> Path:
    parts = name.replace("[", ".[").split(".")
    return tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts if part)


def _has(value: object, path: Path) -> bool:
    for step in path:
        named = isinstance(value, dict) and step in value
        if not named and not (isinstance(value, list) and isinstance(step, int)):
            return False
        value = value[step]  # type: ignore[index]  # one of both
    return True


def _pop(body: JsonObject, path: Path) -> object:
    around: Any = body
    for step in path[:-1]:
        around = around[step]
    return around.pop(path[-1])
