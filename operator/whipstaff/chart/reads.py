"""Which values the templates of one render read.

A path goes from the root chart's values down: `("redis", "image", "tag")` is a value of the chart
`redis` inside it. A list counts as one value, so no path leads into one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from whipstaff.chart.model import Chart
from whipstaff.chart.values import GLOBAL
from whipstaff.template.tracing import Place, TracedMap, Whole, peek

ValuePath = tuple[str, ...]


@dataclass(frozen=True)
class Reads:
    """What was read of the coalesced values, by Helm's own rules as well as by templates.

    `is_read` answers for the values as they were rendered: a branch that was not taken read
    nothing. It says False only if it is sure: of a chart that is switched off it cannot tell.

    `chart` is as loaded, `rendered` has its dependencies decided; `values` are the traced ones.
    """

    chart: Chart
    rendered: Chart
    values: TracedMap
    places: tuple[frozenset[Place], ...]  # of each template
    _all: set[Place] = field(default_factory=set, repr=False, compare=False)

    def is_read(self, path: ValuePath) -> bool:
        """Whether anything read the value at a path, or all of a table around it.

        A table counts as read if it was looked at as a whole, or anything in it was.
        """
        return (
            self._decides(path)
            or self.is_switched_off(path)
            or any(self._is_read(inner) for inner in self._spread(path))
        )

    def known_keys(self, table: ValuePath) -> frozenset[str]:
        """The keys of a table that have a value or that a template asked for: what could be meant.

        Empty if there is no such table.
        """
        node = self._node(table)
        return frozenset() if node is None else frozenset(dict.keys(node)) | self.asked_keys(table)

    def asked_keys(self, table: ValuePath) -> frozenset[str]:
        """The keys of a table that a template asked for by name."""
        node = self._node(table)
        if node is None:
            return frozenset()
        asked = {key for number, key in self._read_places() if number == node.number}
        return frozenset(key for key in asked if isinstance(key, str))

    def _read_places(self) -> set[Place]:
        if not self._all:
            self._all.update(*self.places)
        return self._all

    def _node(self, path: ValuePath) -> TracedMap | None:
        node: object = self.values
        for key in path:
            node = peek(node, key) if isinstance(node, TracedMap) else None
        return node if isinstance(node, TracedMap) else None

    def _is_read(self, path: ValuePath) -> bool:
        table = self._node(path[:-1])
        if table is None:
            # Something that is no table stands in the way; whoever read that, read this.
            return len(path) > 1 and self._is_read(path[:-1])
        read = self._read_places()
        keys = (path[-1], Whole.VALUES, Whole.KEYS)
        # A table that nothing looks into is not read by being handed on, but nobody can be sure.
        return any((table.number, key) in read for key in keys)

    def _spread(self, path: ValuePath) -> Iterator[ValuePath]:
        """The paths where a value arrives: globals go to all charts inside."""
        yield path
        for place in _charts(self.rendered):
            for above in _prefixes(place):
                if path[: len(above) + 1] == (*above, GLOBAL) and above != place:
                    yield (*place, *path[len(above) :])

    def _decides(self, path: ValuePath) -> bool:
        """Whether Helm reads the value to decide which charts take part."""
        return path[:1] == ("tags",) or any(path == one for one in conditions(self.chart))

    def is_switched_off(self, path: ValuePath) -> bool:
        """Whether the value is for a chart inside that is not rendered."""
        rendered = set(_charts(self.rendered))
        return any(
            path[: len(place)] == place and place not in rendered for place in _declared(self.chart)
        )


def conditions(chart: Chart, above: ValuePath = ()) -> Iterator[ValuePath]:
    """The paths of the values that switch charts on and off, for the chart as loaded."""
    for one in chart.metadata.dependencies or ():
        for condition in one.condition.strip().split(","):
            if condition:
                yield (*above, *condition.split("."))
        for subchart in chart.subcharts:
            if subchart.name == one.name:
                yield from conditions(subchart, (*above, one.alias or one.name))


def _declared(chart: Chart, above: ValuePath = ()) -> Iterator[ValuePath]:
    """Where the values of charts inside a loaded chart would be."""
    for one in chart.metadata.dependencies or ():
        place = (*above, one.alias or one.name)
        yield place
        for subchart in chart.subcharts:
            if subchart.name == one.name:
                yield from _declared(subchart, place)


def _charts(chart: Chart, above: ValuePath = ()) -> Iterator[ValuePath]:
    """Where the values of a processed chart and of those inside it are."""
    yield above
    for subchart in chart.subcharts:
        yield from _charts(subchart, (*above, subchart.name))


def _prefixes(path: ValuePath) -> Iterator[ValuePath]:
    return (path[:length] for length in range(len(path) + 1))


def leaves(values: Mapping[str, object], above: ValuePath = ()) -> Iterable[ValuePath]:
    """The paths of all values that are no tables, and of empty tables."""
    for key, value in values.items():
        path = (*above, key)
        if isinstance(value, dict) and value:
            yield from leaves(value, path)
        else:
            yield path
