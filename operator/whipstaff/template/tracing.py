"""See which parts of their shared data templates read and change.

`Tracer.adopt` turns the maps of a render's data into `TracedMap`s, which tell the tracer of every
read and keep what a write replaced. Lists count as one value with the key that leads to them: only
the maps inside them are looked at apart. Nothing that templates can do goes by unseen: they reach
shared data through the methods of these maps alone, and functions write to maps only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from whipstaff.golang.values import ChartValues, RenderData

if TYPE_CHECKING:
    from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
    from datetime import datetime

    from whipstaff.template.scope import Effects, RandomSource, RenderScope


class Whole(IntEnum):
    """What is read of a map besides single keys: all values, which keys, whether there are any."""

    VALUES = 0
    KEYS = 1
    EMPTINESS = 2


class Missing:
    """What a map holds under a key that it does not have."""


MISSING: Final = Missing()
SCALARS: Final = frozenset({str, float, int, bool, type(None)})

Place = tuple[int, "str | Whole"]  # the number of a map, and its key
Written = dict[tuple[int, str], tuple["TracedMap", object]]  # what a place holds now
# Reads, writes and a look outside, of what came before a part of a template.
Aside = tuple[set[Place], dict[tuple[int, str], "TracedMap"], bool]

_getitem, _get, _contains = dict.__getitem__, dict.get, dict.__contains__
_setitem, _delitem = dict.__setitem__, dict.__delitem__


class Effect:
    """The world outside, as `Effects`; the tracer is told of every look at it."""

    __slots__ = ("_inner", "_tracer")

    def __init__(self, inner: Effects, tracer: Tracer) -> None:
        self._inner = inner
        self._tracer = tracer

    @property
    def now(self) -> Callable[[], datetime]:
        self._tracer.impure = True
        return self._inner.now

    @property
    def random(self) -> RandomSource:
        self._tracer.impure = True
        return self._inner.random

    @property
    def lookup(self) -> Callable[[str, str, str, str], dict[str, object]]:
        self._tracer.impure = True
        return self._inner.lookup


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one template read of its data, and what it left changed there.

    `pure` says that the same reads lead to the same text and the same writes, and that `writes` can
    be repeated without the template: it looked at nothing outside, and neither read nor stored maps
    that another template could change unseen.
    """

    reads: frozenset[Place]
    writes: Written
    pure: bool


class Tracer:
    """The traced data of one chart and release, and what happened to it since `begin`."""

    def __init__(self) -> None:
        self._numbers = 0
        self._adopted: dict[int, tuple[object, object]] = {}
        self.made: dict[int, TracedMap] = {}  # by number, until `settle`
        self._reads: set[Place] = set()
        self.note: Final = self._reads.add
        self._written: dict[tuple[int, str], TracedMap] = {}  # by the template at work
        self._before: dict[tuple[int, str], tuple[TracedMap, object]] = {}  # of the whole render
        self.touched: set[Place] = set()  # what writes of this render have to do with
        self._foreign: set[Place] = set()  # where untraced maps lie that templates stored
        self.named: list[TracedMap] = []  # maps that were adopted as common.Values
        self.impure = False

    # -- making traced data --------------------------------------------------------------------

    def adopt(self, value: object) -> object:
        """The value with its maps traced.

        What is shared inside it stays shared, also with what was adopted before, until `settle`.
        """
        kind = type(value)
        if kind in SCALARS:
            return value
        known = self._adopted.get(id(value))
        if known is not None:
            return known[1]
        made: object = value
        if kind is dict or kind is RenderData:
            made = traced = self.empty_map(TracedMap if kind is dict else TracedData)
            self._adopted[id(value)] = value, made
            for key, inner in value.items():  # type: ignore[attr-defined]  # the line above says so
                _setitem(traced, key, self.adopt(inner))
        elif kind is list:
            made = [self.adopt(inner) for inner in value]  # type: ignore[attr-defined]  # see above
            self._adopted[id(value)] = value, made
        elif kind is ChartValues:
            made = self.adopt(value.inner)  # type: ignore[attr-defined]  # see above
            self.named.append(made)  # type: ignore[arg-type]  # made of a dict
        return made

    def settle(self) -> None:
        """Forget which plain map became which traced one, and which were made."""
        self._adopted.clear()
        self.made.clear()

    def empty_map(self, kind: type[TracedMap] | None = None) -> TracedMap:
        """A new traced map without entries."""
        self._numbers += 1
        made = self.made[self._numbers] = (kind or TracedMap)(self, self._numbers)
        return made

    # -- one template after the other ----------------------------------------------------------

    def begin(self) -> None:
        """Start to look at one template."""
        self._reads.clear()
        self._written.clear()
        self.impure = False

    def end(self) -> Footprint:
        """What the template did since `begin`."""
        reads = frozenset(self._reads)
        writes = {
            place: (node, _get(node, place[1], MISSING)) for place, node in self._written.items()
        }
        foreign = any(place in self._foreign for place in writes)
        pure = not (self.impure or foreign or not reads.isdisjoint(self._foreign))
        return Footprint(reads, writes, pure)

    @property
    def read_count(self) -> int:
        """How much was read since `begin`, or since `set_aside`."""
        return len(self._reads)

    def set_aside(self) -> Aside:
        """Look at a part of the template's work alone, until `join`."""
        aside = self._reads.copy(), self._written, self.impure
        self._reads.clear()
        self._written = {}
        self.impure = False
        return aside

    def join(self, aside: Aside) -> frozenset[Place] | None:
        """Go on with the whole; return what the part read, None if it did more than that."""
        reads = None if self._written or self.impure else frozenset(self._reads)
        before, written, impure = aside
        self._reads |= before
        self._written = {**written, **self._written} if self._written else written
        self.impure |= impure
        return reads

    def read_again(self, reads: frozenset[Place]) -> None:
        """Count these as read."""
        self._reads |= reads

    def repeat(self, writes: Written) -> None:
        """Write what a template would write again."""
        for (_, key), (node, value) in writes.items():
            self.keep(node, key)
            restore(node, key, value)

    def undo(self) -> None:
        """Bring the data back to what it was before all templates."""
        for (_, key), (node, value) in self._before.items():
            restore(node, key, value)
        self._before.clear()
        self._foreign.clear()
        self.touched.clear()

    # -- what traced maps tell -----------------------------------------------------------------

    def original(self, node: TracedMap, key: str) -> object:
        """What a place held before all templates."""
        kept = self._before.get((node.number, key))
        return _get(node, key, MISSING) if kept is None else kept[1]

    def pair(self, plain: object, traced: TracedMap) -> bool:
        """Say that a traced map stands for a plain one; False if another does already."""
        known = self._adopted.setdefault(id(plain), (plain, traced))
        return known[1] is traced

    def keep(self, node: TracedMap, key: str) -> None:
        """Remember what a place held before the first write to it."""
        place = node.number, key
        if place not in self._before:
            self._before[place] = node, _get(node, key, MISSING)
            self.touch(node, key)

    def touch(self, node: TracedMap, key: str) -> None:
        """Say that what a place holds is of this moment of this render alone."""
        self.touched.update(((node.number, key), *((node.number, part) for part in Whole)))

    def written(self, node: TracedMap, key: str, value: object) -> None:
        """Hear of a write before it happens."""
        self.keep(node, key)
        place = node.number, key
        self._written[place] = node
        if _is_foreign(value):
            self._foreign.add(place)
            self._foreign.add((node.number, Whole.VALUES))

    def watch(self, scope: RenderScope) -> RenderScope:
        """The scope, with every look at its effects noted."""
        return replace(scope, effects=Effect(scope.effects, self))


def _is_foreign(value: object) -> bool:
    """Whether a stored value could change without the tracer hearing of it."""
    kind = type(value)
    if (
        kind in SCALARS
        or kind is TracedMap
        or kind is TracedData
        or kind is Missing
        or isinstance(value, int | float | str)
    ):
        return False
    if kind is list:
        return any(map(_is_foreign, value))  # type: ignore[call-overload]  # the line above says so
    return True


def restore(node: TracedMap, key: str, value: object) -> None:
    """Put a value back, or take the key away, without a trace."""
    if value is MISSING:
        if _contains(node, key):
            _delitem(node, key)
    else:
        _setitem(node, key, value)


def peek(node: dict[str, object], key: str) -> object:
    """What a map holds under a key, `MISSING` if nothing, without a trace."""
    return _get(node, key, MISSING)


class TracedMap(dict[str, object]):
    """A map[string]interface{} that tells its tracer of reads and writes.

    All that C code takes from a dict without asking its methods is asked for by none of ours:
    because `__iter__` is overridden, even `dict(x)` and `{**x}` go through these methods.
    """

    __slots__ = ("_tracer", "note", "number")

    def __init__(self, tracer: Tracer, number: int) -> None:
        super().__init__()
        self._tracer = tracer
        self.note = tracer.note
        self.number = number

    # -- reads ---------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> object:
        self.note((self.number, key))
        return _getitem(self, key)

    def get(self, key: str, default: object = None) -> object:
        self.note((self.number, key))
        return _get(self, key, default)

    def __contains__(self, key: object) -> bool:
        self.note((self.number, key))  # type: ignore[arg-type]  # all keys are str
        return _contains(self, key)

    def __bool__(self) -> bool:
        self.note((self.number, Whole.EMPTINESS))
        return dict.__len__(self) > 0

    def __len__(self) -> int:
        self.note((self.number, Whole.KEYS))
        return dict.__len__(self)

    def __iter__(self) -> Iterator[str]:
        self.note((self.number, Whole.KEYS))
        return dict.__iter__(self)

    def keys(self) -> KeysView[str]:  # type: ignore[override]  # typeshed wants dict_keys
        self.note((self.number, Whole.KEYS))
        return dict.keys(self)

    def values(self) -> ValuesView[object]:  # type: ignore[override]  # it wants dict_values
        self.note((self.number, Whole.VALUES))
        return dict.values(self)

    def items(self) -> ItemsView[str, object]:  # type: ignore[override]  # it wants dict_items
        self.note((self.number, Whole.VALUES))
        return dict.items(self)

    def copy(self) -> dict[str, object]:
        return dict(self.items())

    def __eq__(self, other: object) -> bool:
        self.note((self.number, Whole.VALUES))
        if isinstance(other, TracedMap):
            other.note((other.number, Whole.VALUES))
        return dict.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    # -- writes --------------------------------------------------------------------------------

    def __setitem__(self, key: str, value: object) -> None:
        self._tracer.written(self, key, value)
        _setitem(self, key, value)

    def __delitem__(self, key: str) -> None:
        self._tracer.written(self, key, MISSING)
        _delitem(self, key)

    def pop(self, key: str, default: object = None) -> object:
        self.note((self.number, key))
        self._tracer.written(self, key, MISSING)
        return dict.pop(self, key, default)

    def setdefault(self, key: str, default: object = None) -> object:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, other: Mapping[str, object]) -> None:  # type: ignore[override]  # one form
        for key, value in other.items():
            self[key] = value


class TracedData(TracedMap, RenderData):
    """A traced common.Values: what the dot of a template is at first."""

    __slots__ = ()
