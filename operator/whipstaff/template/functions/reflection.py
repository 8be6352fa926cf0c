"""sprig's view of Go types."""

from __future__ import annotations

from whipstaff.golang import deep_equal as reflect
from whipstaff.golang.values import kind_of as go_kind
from whipstaff.golang.values import type_name
from whipstaff.template.functions.registry import Function, GoType, function

FAMILY: dict[str, Function] = {}


@function("typeOf", GoType.ANY)
def type_of(value: object) -> str:
    """The Go type, as %T prints it."""
    return type_name(value)


@function("typeIs", GoType.STRING, GoType.ANY)
def type_is(wanted: str, value: object) -> bool:
    """Whether the value is of this Go type."""
    return wanted == type_name(value)


@function("typeIsLike", GoType.STRING, GoType.ANY)
def type_is_like(wanted: str, value: object) -> bool:
    """Whether the value is of the type, or a pointer to it."""
    return type_name(value) in {wanted, f"*{wanted}"}


@function("kindOf", GoType.ANY)
def kind_of(value: object) -> str:
    """The name of the value's reflect.Kind."""
    return go_kind(value)


@function("kindIs", GoType.STRING, GoType.ANY)
def kind_is(wanted: str, value: object) -> bool:
    """Whether the value is of this reflect.Kind."""
    return wanted == go_kind(value)


@function("deepEqual", GoType.ANY, GoType.ANY)
def deep_equal(left: object, right: object) -> bool:
    """Whether both are the same in type and in depth."""
    return reflect.deep_equal(left, right)
