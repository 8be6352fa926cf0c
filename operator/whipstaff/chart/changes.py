"""What differs from the last render in the data that templates share."""

from collections.abc import Iterator
from typing import cast

from whipstaff.chart.model import JsonObject
from whipstaff.template.tracing import (
    MISSING,
    SCALARS,
    Place,
    TracedMap,
    Tracer,
    Whole,
    peek,
    restore,
)


class Unfollowable(Exception):
    """The data changed in a way that cannot be done to the kept data."""


class Changes:
    """The places where shared data differs from what it was at the same moment last time."""

    def __init__(self) -> None:
        self._was: dict[Place, object] = {}  # where the last render had something else than now
        self._different: dict[Place, bool] = {}  # whether a key came or went
        self.dirty: frozenset[Place] = frozenset()
        self._stale = False

    def clear(self) -> None:
        self._was.clear()
        self._different.clear()
        self.dirty = frozenset()

    def was(self, node: TracedMap, key: str, value: object) -> None:
        """Say what a place held at this moment of the last render."""
        self._was[node.number, key] = value

    def compare(self, node: TracedMap, key: str, original: object) -> None:
        """See whether a place differs now; `original` is what it held before all templates."""
        place = node.number, key
        old, new = self._was.get(place, original), peek(node, key)
        if _indistinguishable(old, new):
            self._stale |= self._different.pop(place, None) is not None
        else:
            self._different[place] = (old is MISSING) != (new is MISSING)
            self._stale = True

    def touches(self, reads: frozenset[Place]) -> bool:
        """Whether any of these reads would give something else than the last time."""
        return not reads.isdisjoint(self.places())

    def places(self) -> frozenset[Place]:
        """What would give something else than the last time, if it was read."""
        if self._stale:
            self.dirty = frozenset(self._spread())
            self._stale = False
        return self.dirty

    def _spread(self) -> Iterator[Place]:
        for (number, key), came_or_went in self._different.items():
            yield number, key
            yield number, Whole.VALUES
            if came_or_went:
                yield number, Whole.KEYS
                yield number, Whole.EMPTINESS


class Patch:
    """Makes traced data equal to new plain data, and tells the differences."""

    def __init__(self, tracer: Tracer, changes: Changes) -> None:
        self._tracer = tracer
        self._changes = changes
        self._met: dict[int, JsonObject] = {}

    def apply(self, node: TracedMap, fresh: JsonObject) -> None:
        """Raise Unfollowable where maps are shared otherwise than before; all is lost then."""
        try:
            self._table(node, fresh)
        finally:
            self._tracer.settle()

    def _table(self, node: TracedMap, fresh: JsonObject) -> None:
        if not self._first_met(node, fresh):
            return
        for key in [key for key in dict.keys(node) if key not in fresh]:
            self._put(node, key, MISSING)
        for key, value in fresh.items():
            old = peek(node, key)
            if isinstance(value, dict) and isinstance(old, TracedMap):
                self._table(old, value)
            elif not is_same(old, value):
                self._put(node, key, self._tracer.adopt(value))
            elif isinstance(value, list):
                self._unchanged(old, value)

    def _unchanged(self, old: object, fresh: object) -> None:
        """See that the maps in an unchanged list are shared as they were."""
        if isinstance(fresh, list):
            for inner, other in zip(cast("list[object]", old), fresh, strict=True):
                self._unchanged(inner, other)
        elif isinstance(fresh, dict):
            node = cast("TracedMap", old)
            if self._first_met(node, fresh):
                for key, value in fresh.items():
                    self._unchanged(peek(node, key), value)

    def _first_met(self, node: TracedMap, fresh: JsonObject) -> bool:
        met = self._met.get(node.number)
        if met is fresh:
            return False
        if met is not None or not self._tracer.pair(fresh, node):
            raise Unfollowable
        self._met[node.number] = fresh
        return True

    def _put(self, node: TracedMap, key: str, value: object) -> None:
        self._changes.was(node, key, peek(node, key))
        restore(node, key, value)
        self._changes.compare(node, key, value)


def is_same(old: object, new: object) -> bool:
    """Whether plain data equals other data, traced or not, in depth and type."""
    if old is new:
        return True
    if isinstance(old, dict) and isinstance(new, dict):
        return dict.keys(old) == dict.keys(new) and all(
            is_same(peek(old, key), value) for key, value in dict.items(new)
        )
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(is_same, old, new))
    return _same_scalar(old, new)


def _same_scalar(old: object, new: object) -> bool:
    if type(old) is float and type(new) is float:
        return old.hex() == new.hex()  # a zero has a sign
    return type(old) is type(new) and type(old) in SCALARS and old == new


def _indistinguishable(old: object, new: object) -> bool:
    """Whether no template can tell two values apart, nor change one of them alone."""
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_indistinguishable, old, new))
    return old is new or _same_scalar(old, new)
