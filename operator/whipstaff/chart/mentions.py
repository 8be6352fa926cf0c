"""Which values the templates of a chart mention anywhere, in branches that are not taken too.

Read off the text of the templates, so it knows names and not what they are at the time: what
`.Values.a.b` names is certain, what `.b` or "b" names could be anything called so.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from whipstaff.chart.model import Chart
from whipstaff.chart.values import GLOBAL
from whipstaff.golang.values import go_text

ValuePath = tuple[str, ...]

_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`([^`]*)`')
_CHAIN = re.compile(r"(?:\.[^\W\d]\w*)+")
_WORD = re.compile(r"[^\s.,:;|()\[\]{}\"'`$=/]+")
_VALUES = "Values"


@dataclass(slots=True)
class _Names:
    """What one chart's templates say."""

    paths: set[ValuePath] = field(default_factory=set)  # below `.Values`, and all that lead there
    ends: set[ValuePath] = field(default_factory=set)  # of them, those that are handed on
    words: set[str] = field(default_factory=set)

    def read(self, text: str) -> None:
        for action in _actions(text):
            for double, raw in _STRING.findall(action):
                literal = double or raw
                self.words.add(literal)
                self.words.update(_WORD.findall(literal))
                if "Values" in literal:
                    self._chains(literal)
            self._chains(_STRING.sub(" ", action))

    def _chains(self, code: str) -> None:
        for chain in _CHAIN.findall(code):
            names = chain[1:].split(".")
            if _VALUES not in names:
                self.words.update(names)
                continue
            path = tuple(names[names.index(_VALUES) + 1 :])
            self.ends.add(path)
            self.paths.update(path[:length] for length in range(1, len(path) + 1))


def _actions(text: str) -> Iterator[str]:
    """What stands between braces; each character is looked at once, whatever the text."""
    start = text.find("{{")
    while start >= 0:
        end = text.find("}}", start)
        if end < 0:
            return
        yield text[start + 2 : end]
        start = text.find("{{", end)


class Mentions:
    """What a loaded chart and those inside it mention; library charts speak for all of them."""

    def __init__(self, chart: Chart) -> None:
        self._places: dict[ValuePath, _Names] = {}
        self._libraries = _Names()
        for place, one in charts(chart):
            names = self._libraries if one.metadata.is_library else _Names()
            self._places.setdefault(place, names)
            for text in _texts(one):
                names.read(text)

    def read(self, text: str) -> None:
        """Take a text among the user's values into account, which `tpl` may render."""
        self._libraries.read(text)

    def has(self, path: ValuePath) -> bool:
        """Whether a template may read the value at this path, or something in it."""
        return any(
            inner in said.paths or inner[-1] in said.words
            for place, names in self._places.items()
            for inner in _seen_from(place, path)
            for said in (names, self._libraries)
        )

    def has_chart(self, path: ValuePath) -> bool:
        """Whether a chart inside has its values at this path, or below it."""
        return any(place[: len(path)] == path for place in self._places)

    def has_all_of(self, table: ValuePath) -> bool:
        """Whether a template may read everything in a table, whatever it is called."""
        return any(
            _all_of(said, inner)
            for place, names in self._places.items()
            for inner in _seen_from(place, table)
            for said in (names, self._libraries)
        )

    def keys(self, table: ValuePath) -> frozenset[str]:
        """The keys of a table that templates name for certain, and charts inside at that place."""
        found = {place[-1] for place in self._places if place and place[:-1] == table}
        for place, names in self._places.items():
            if table[: len(place)] == place:
                inner = table[len(place) :]
                depth = len(inner)
                found |= {
                    path[depth]
                    for said in (names, self._libraries)
                    for path in said.paths
                    if len(path) > depth and path[:depth] == inner
                }
        return frozenset(found)


def _all_of(names: _Names, table: ValuePath) -> bool:
    if table in names.ends:
        return True
    # What is called so somewhere may be another thing, if this one is only read by its keys.
    return table not in names.paths and table[-1] in names.words


def _seen_from(place: ValuePath, path: ValuePath) -> Iterator[ValuePath]:
    """The paths by which a chart's templates know a value: its own, and globals from above."""
    if path[: len(place)] == place and len(path) > len(place):
        yield path[len(place) :]
    for depth in range(len(place)):
        if path[: depth + 1] == (*place[:depth], GLOBAL):
            yield path[depth:]


def charts(chart: Chart, above: ValuePath = ()) -> Iterator[tuple[ValuePath, Chart]]:
    """A loaded chart and those inside it, each with the place of its values."""
    yield above, chart
    for subchart in chart.subcharts:
        names = [
            one.alias or one.name
            for one in chart.metadata.dependencies or ()
            if one.name == subchart.name
        ]
        for name in names or [subchart.name]:
            yield from charts(subchart, (*above, name))


def _texts(chart: Chart) -> Iterator[str]:
    for file in (*chart.templates, *chart.files):
        if b"{{" in file.data:
            yield go_text(file.data)
    yield from templates_in(chart.values)


def templates_in(value: object) -> Iterator[str]:
    """The texts among values that `tpl` would find something in."""
    match value:
        case str() if "{{" in value:
            yield value
        case dict():
            for inner in value.values():
                yield from templates_in(inner)
        case list():
            for inner in value:
                yield from templates_in(inner)
        case _:
            pass
