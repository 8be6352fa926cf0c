"""text/template's own functions; `and` and `or` are compiled in place, here is their signature."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote_from_bytes

from whipstaff.golang.nil_values import is_nil
from whipstaff.golang.printf import sprint, sprintf, sprintln
from whipstaff.golang.quoting import is_print
from whipstaff.golang.values import (
    GoInt,
    GoObject,
    TypedMap,
    Uint8,
    go_bytes,
    go_text,
    kind_of,
    type_name,
)
from whipstaff.template.errors import FunctionError
from whipstaff.template.functions.registry import Function, GoType, function

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

FAMILY: dict[str, Function] = {}

ANY: Final = GoType.ANY
VALUE: Final = GoType.VALUE
STRING: Final = GoType.STRING

MAX_SLICE_INDEXES = 3


@function("and", VALUE, variadic=VALUE)
def and_(first: object, *others: object) -> object:
    """The first argument that is false, else the last."""
    result = first
    for other in others:
        result = result and other
    return result


@function("or", VALUE, variadic=VALUE)
def or_(first: object, *others: object) -> object:
    """The first argument that is true, else the last."""
    result = first
    for other in others:
        result = result or other
    return result


@function("not", VALUE)
def not_(value: object) -> bool:
    """Whether the value counts as false."""
    return not value


@function("len", VALUE)
def length(value: object, interface: bool = True) -> int:
    """The number of elements, or of a string's bytes; `interface` says what kind of nil it is."""
    value = _indirect(value)
    match value:
        case str():
            return len(value) if value.isascii() else len(go_bytes(value))
        case dict() | list() | bytes():
            return len(value)
        case None if interface:
            raise FunctionError("len of nil pointer")
        case None:
            raise FunctionError("reflect: call of reflect.Value.Type on zero Value")
        case _:
            raise FunctionError(f"len of type {_bare_type(value)}")


@function("index", VALUE, variadic=VALUE)
def index(item: object, *indexes: object) -> object:
    """The element at these indexes in turn; a missing key of a map gives the zero value."""
    if item is None:
        raise FunctionError("index of untyped nil")
    for position in indexes:
        if item is None:
            raise FunctionError("index of nil pointer")
        item = _element(_indirect(item), position)
    return item


def _element(item: object, position: object) -> object:
    match item:
        case dict():
            if type(position) is not str:
                raise FunctionError(
                    "value is nil; should be of type string"
                    if position is None
                    else f"value has type {type_name(position)}; should be string"
                )
            return item[position] if position in item or isinstance(item, TypedMap) else None
        case list():
            return _at(item, _offset(position, len(item)), "slice")
        case str() | bytes():
            data = item if isinstance(item, bytes) else go_bytes(item)
            what = "string" if isinstance(item, str) else "slice"
            return Uint8(_at(data, _offset(position, len(data)), what))
        case _:
            raise FunctionError(f"can't index item of type {_bare_type(item)}")


def _at(items: Sequence[T], offset: int, what: str) -> T:
    if offset == len(items):
        raise FunctionError(f"reflect: {what} index out of range")
    return items[offset]


def _offset(position: object, capacity: int) -> int:
    if position is None:
        raise FunctionError("cannot index slice/array with nil")
    if not isinstance(position, int) or isinstance(position, bool):
        raise FunctionError(f"cannot index slice/array with type {type_name(position)}")
    if not 0 <= position <= capacity:
        raise FunctionError(f"index out of range: {int(position)}")
    return int(position)


@function("slice", VALUE, variadic=VALUE)
def slice_(item: object, *indexes: object) -> object:
    """Part of a string or list, as Go's item[i:j:k]."""
    if item is None:
        raise FunctionError("slice of untyped nil")
    item = _indirect(item)
    if len(indexes) > MAX_SLICE_INDEXES:
        raise FunctionError(f"too many slice indexes: {len(indexes)}")
    if isinstance(item, str) and len(indexes) == MAX_SLICE_INDEXES:
        raise FunctionError("cannot 3-index slice a string")
    if not isinstance(item, str | list | bytes):
        raise FunctionError(f"can't slice item of type {_bare_type(item)}")
    data = go_bytes(item) if isinstance(item, str) else item
    bounds = [0, len(data)]
    for number, position in enumerate(indexes):
        bounds[number : number + 1] = [_offset(position, len(data))]
    for low, high in pairwise(bounds):
        if low > high:
            raise FunctionError(f"invalid slice index: {low} > {high}")
    part = data[bounds[0] : bounds[1]]
    return go_text(part) if isinstance(item, str) and isinstance(part, bytes) else part


@function("call", VALUE, variadic=VALUE)
def call(name: str | None, callee: object, *_: object) -> object:
    """Fail: no value that a template can reach is a function; one piped in has no name."""
    if callee is None:
        raise FunctionError("call of nil")
    if name is None:
        name = callee if isinstance(callee, str) else f"<{type_name(callee)} Value>"
    raise FunctionError(f"non-function {name} of type {type_name(callee)}")


@function("print", variadic=ANY)
def print_(*values: object) -> str:
    """The values as Go's Sprint gives them."""
    return sprint(*values)


@function("println", variadic=ANY)
def println(*values: object) -> str:
    """The values as Go's Sprintln gives them."""
    return sprintln(*values)


@function("printf", STRING, variadic=ANY)
def printf(template: str, *values: object) -> str:
    """The values in a format of Go's."""
    return sprintf(template, *values)


_HTML = str.maketrans(
    {
        "\0": "\ufffd",
        '"': "&#34;",
        "'": "&#39;",
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
    }
)

_JS_SPECIAL = re.compile(r"[\\'\"<>&=\x00-\x1f]|[^\x00-\x7f]")
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"'}


@function("html", variadic=ANY)
def html(*values: object) -> str:
    """The values printed, and escaped for HTML."""
    return _printed(values).translate(_HTML)


@function("js", variadic=ANY)
def js(*values: object) -> str:
    """The values printed, and escaped for JavaScript."""
    return _JS_SPECIAL.sub(_js_escape, _printed(values))


def _js_escape(found: re.Match[str]) -> str:
    character = found[0]
    if character.isascii():
        return _JS.get(character) or f"\\u{ord(character):04X}"
    if "\udc80" <= character <= "\udcff":
        return character  # a byte that is no UTF-8 reads as U+FFFD, which can be printed
    return character if is_print(ord(character)) else f"\\u{ord(character):04X}"


@function("urlquery", variadic=ANY)
def urlquery(*values: object) -> str:
    """The values printed, and escaped for the query of a URL."""
    return quote_from_bytes(go_bytes(_printed(values)), safe=" ").replace(" ", "+")


def _printed(values: tuple[object, ...]) -> str:
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    return sprint(*("<no value>" if value is None else value for value in values))


# -- comparisons -------------------------------------------------------------------------------


def _kind(value: object) -> str:
    """The kind that comparisons know: bool, complex, int, uint, float, string, or none."""
    match value:
        case bool():
            return "bool"
        case GoInt():
            return "int" if value.signed else "uint"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "string"
        case complex():
            return "complex"
        case _:
            return ""


_NUMBERS = frozenset({"int", "uint"})


@function("eq", VALUE, variadic=VALUE)
def eq(one: object, *others: object) -> bool:
    """Whether the first argument equals any of the others."""
    if not others:
        raise FunctionError("missing argument for comparison")
    kind = _kind(one)
    for other in others:
        kind_of_other = _kind(other)
        if kind and kind == kind_of_other:
            if one == other:
                return True
        elif kind != kind_of_other:
            if {kind, kind_of_other} == _NUMBERS:
                if one == other:
                    return True
            elif one is not None and other is not None:
                raise _incompatible(one, other)
        elif _same(one, other):
            return True
    return False


def _incompatible(one: object, other: object) -> FunctionError:
    return FunctionError(
        f"incompatible types for comparison: {type_name(one)} and {type_name(other)}"
    )


def _same(one: object, other: object) -> bool:
    """Whether two values of no basic kind are the same: nil, one pointer, or equal structs."""
    if one is not None and other is not None and kind_of(one) != kind_of(other):
        raise FunctionError(
            f"non-comparable types {sprintf('%s', one)}: {type_name(one)}, "
            f"{type_name(other)}: {sprintf('%v', other)}"
        )
    nil, nil_too = one is None or is_nil(one), other is None or is_nil(other)
    if nil or nil_too:
        return nil and nil_too
    if kind_of(other) in {"map", "slice"}:
        raise FunctionError(f"non-comparable type {sprintf('%s', other)}: {type_name(other)}")
    if kind_of(other) == "struct":
        return type_name(one) == type_name(other) and one == other
    return one is other


@function("ne", VALUE, VALUE)
def ne(one: object, other: object) -> bool:
    """Whether the two differ."""
    return not eq(one, other)


@function("lt", VALUE, VALUE)
def lt(one: object, other: object) -> bool:
    """Whether the first is smaller."""
    kind, kind_of_other = _kind(one), _kind(other)
    if not kind or not kind_of_other:
        raise FunctionError("invalid type for comparison")
    if kind != kind_of_other and {kind, kind_of_other} != _NUMBERS:
        raise _incompatible(one, other)
    if isinstance(one, str) and isinstance(other, str):
        return go_bytes(one) < go_bytes(other)
    if kind in {"bool", "complex"}:
        raise FunctionError("invalid type for comparison")
    return bool(one < other)  # type: ignore[operator]  # both are real numbers


@function("le", VALUE, VALUE)
def le(one: object, other: object) -> bool:
    """Whether the first is smaller or equal."""
    return lt(one, other) or eq(one, other)


@function("gt", VALUE, VALUE)
def gt(one: object, other: object) -> bool:
    """Whether the first is larger."""
    return not le(one, other)


@function("ge", VALUE, VALUE)
def ge(one: object, other: object) -> bool:
    """Whether the first is larger or equal."""
    return not lt(one, other)


def _indirect(value: object) -> object:
    """What a pointer to a map or slice points to."""
    if isinstance(value, GoObject):
        inner = value.underlying()
        return value if inner is None else inner
    return value


def _bare_type(value: object) -> str:
    return type_name(value).removeprefix("*")
