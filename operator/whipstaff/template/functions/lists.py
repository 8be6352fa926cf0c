"""sprig's list functions. None of them changes the list it is given."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from whipstaff.golang.cast import to_int64
from whipstaff.golang.deep_equal import deep_equal
from whipstaff.golang.nil_values import NilList
from whipstaff.golang.values import (
    GoObject,
    Strings,
    TypedList,
    Uint8,
    go_bytes,
    kind_of,
)
from whipstaff.template.errors import FunctionError
from whipstaff.template.functions.bounds import check_size
from whipstaff.template.functions.registry import Function, GoType, function
from whipstaff.template.functions.text import to_text, to_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FAMILY: dict[str, Function] = {}

NIL_POINTER = "runtime error: invalid memory address or nil pointer dereference"
MAKE_SLICE = "runtime error: makeslice: len out of range"


def members(value: object, complaint: str) -> Sequence[object]:
    """The members of any slice; `complaint` and the kind make the error for anything else."""
    if isinstance(value, list):
        return value
    if value is None:
        raise FunctionError(NIL_POINTER)
    if isinstance(value, bytes):
        return [Uint8(byte) for byte in value]
    if isinstance(value, GoObject):
        inner = value.underlying()
        if isinstance(inner, list):
            return inner
    raise FunctionError(f"{complaint} {kind_of(value)}")


@function("tuple", variadic=GoType.ANY)
@function("list", variadic=GoType.ANY)
def make_list(*items: object) -> list[object]:
    """The arguments as a list."""
    return list(items)


@function("append", GoType.ANY, GoType.ANY)
@function("mustAppend", GoType.ANY, GoType.ANY)
@function("push", GoType.ANY, GoType.ANY)
@function("mustPush", GoType.ANY, GoType.ANY)
def append(items: object, item: object) -> list[object]:
    """A copy of the list with one more member at its end."""
    return [*members(items, "Cannot push on type"), item]


@function("prepend", GoType.ANY, GoType.ANY)
@function("mustPrepend", GoType.ANY, GoType.ANY)
def prepend(items: object, item: object) -> list[object]:
    """A copy of the list with one more member at its start."""
    return [item, *members(items, "Cannot prepend on type")]


@function("first", GoType.ANY)
@function("mustFirst", GoType.ANY)
def first(items: object) -> object:
    """The first member, nil of an empty list."""
    found = members(items, "Cannot find first on type")
    return found[0] if found else None


@function("last", GoType.ANY)
@function("mustLast", GoType.ANY)
def last(items: object) -> object:
    """The last member, nil of an empty list."""
    found = members(items, "Cannot find last on type")
    return found[-1] if found else None


@function("rest", GoType.ANY)
@function("mustRest", GoType.ANY)
def rest(items: object) -> list[object]:
    """All but the first member."""
    found = members(items, "Cannot find rest on type")
    return list(found[1:]) if found else NilList()


@function("initial", GoType.ANY)
@function("mustInitial", GoType.ANY)
def initial(items: object) -> list[object]:
    """All but the last member."""
    found = members(items, "Cannot find initial on type")
    return list(found[:-1]) if found else NilList()


@function("reverse", GoType.ANY)
@function("mustReverse", GoType.ANY)
def reverse(items: object) -> list[object]:
    """The members in reverse order."""
    return list(members(items, "Cannot find reverse on type"))[::-1]


@function("compact", GoType.ANY)
@function("mustCompact", GoType.ANY)
def compact(items: object) -> list[object]:
    """The members that are not empty."""
    return [item for item in members(items, "Cannot compact on type") if item]


@function("uniq", GoType.ANY)
@function("mustUniq", GoType.ANY)
def uniq(items: object) -> list[object]:
    """Each member once, in the order they come."""
    found = members(items, "Cannot find uniq on type")
    if all(type(item) is str for item in found):
        return list(dict.fromkeys(found))
    kept: list[object] = []
    for item in found:
        if not _holds(kept, item):
            kept.append(item)
    return kept


@function("without", GoType.ANY, variadic=GoType.ANY)
@function("mustWithout", GoType.ANY, variadic=GoType.ANY)
def without(items: object, *omitted: object) -> list[object]:
    """The members that equal none of the others given."""
    found = members(items, "Cannot find without on type")
    return [item for item in found if not _holds(omitted, item)]


@function("has", GoType.ANY, GoType.ANY)
@function("mustHas", GoType.ANY, GoType.ANY)
def has(needle: object, haystack: object) -> bool:
    """Whether a list holds the needle, same in value and type."""
    if haystack is None:
        return False
    return _holds(members(haystack, "Cannot find has on type"), needle)


def _holds(items: Iterable[object], needle: object) -> bool:
    return any(deep_equal(needle, item) for item in items)


@function("slice", GoType.ANY, variadic=GoType.ANY)
@function("mustSlice", GoType.ANY, variadic=GoType.ANY)
def cut(items: object, *indices: object) -> object:
    """The members from the first index up to the second; nil of an empty list."""
    found = members(items, "list should be type of slice or array but")
    if not found:
        return None
    start = to_int64(indices[0]) if indices else 0
    end = to_int64(indices[1]) if len(indices) > 1 else len(found)
    # Go may look beyond the length, up to the capacity; here nothing is there.
    if start < 0 or end < start or end > len(found):
        raise FunctionError("reflect.Value.Slice: slice index out of bounds")
    if isinstance(items, bytes):
        return items[start:end]
    if isinstance(items, Strings):
        return Strings(items[start:end])
    if isinstance(items, TypedList):
        return TypedList(items[start:end], items.elem)
    return list(found[start:end])


@function("concat", variadic=GoType.ANY)
def concat(*lists: object) -> object:
    """All members in one list; a nil one if there are none."""
    joined: list[object] = []
    for items in lists:
        try:
            joined += members(items, "Cannot concat type")
        except FunctionError as error:
            if str(error) == NIL_POINTER:
                raise
            raise FunctionError(f"{error} as list") from error
    check_size(len(joined))
    return joined or NilList()


@function("chunk", GoType.INT, GoType.ANY)
@function("mustChunk", GoType.INT, GoType.ANY)
def chunk(size: int, items: object) -> TypedList:
    """Lists of `size` members, the last one of what remains."""
    found = members(items, "Cannot chunk type")
    if size < -1 and len(found) == 1:
        size = 1  # sprig divides as floats, and comes to one chunk
    count = -(-len(found) // size) if size > 0 else _chunks_of_nothing(size, len(found))
    parts = [list(found[index * size : (index + 1) * size]) for index in range(count)]
    return TypedList(parts, "[]interface {}")


def _chunks_of_nothing(size: int, length: int) -> int:
    # sprig divides as floats: a negative size gives no chunks where the quotient rounds to -1.
    if size < 0 and length > 1 and math.floor((length - 1) / size) + 1 == 0:
        return 0
    raise FunctionError(MAKE_SLICE)


@function("sortAlpha", GoType.ANY)
def sort_alpha(items: object) -> Strings:
    """The members as text, sorted by bytes."""
    if kind_of(items) != "slice":
        return Strings([to_text(items)])
    texts = to_texts(items)
    plain = all(text.isascii() for text in texts)
    ordered = sorted(texts) if plain else sorted(texts, key=go_bytes)
    if isinstance(items, Strings):
        items[:] = ordered  # sprig sorts a []string where it stands
        return items
    return Strings(ordered)


@function("until", GoType.INT)
def until(count: int) -> TypedList:
    """The numbers from 0 up, or down, to just before `count`."""
    return until_step(0, count, -1 if count < 0 else 1)


@function("untilStep", GoType.INT, GoType.INT, GoType.INT)
def until_step(start: int, stop: int, step: int) -> TypedList:
    """The numbers from `start` to just before `stop`."""
    return TypedList(_steps(start, stop, step), "int")


@function("seq", variadic=GoType.INT)
def seq(*params: int) -> str:
    """The numbers as in the shell: `seq LAST`, `seq FIRST LAST`, `seq FIRST STEP LAST`."""
    match params:
        case (last,):
            start, step = 1, -1 if last < 1 else 1
        case (start, last):
            step = -1 if last < start else 1
        case (start, step, last):
            if last < start and step > 0:
                return ""
        case _:
            return ""
    return " ".join(map(str, _steps(start, last + (-1 if last < start else 1), step)))


def _steps(start: int, stop: int, step: int) -> Iterable[int]:
    if step == 0 or (step > 0) == (stop < start):
        return ()
    steps = range(start, stop, step)
    check_size(max(abs(stop - start) // abs(step), 0))
    return steps
