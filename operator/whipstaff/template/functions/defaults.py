"""sprig's defaults: what to take when a value is empty."""

from __future__ import annotations

from whipstaff.template.functions.registry import Function, GoType, function

FAMILY: dict[str, Function] = {}


@function("default", GoType.ANY, variadic=GoType.ANY)
def default(fallback: object, *given: object) -> object:
    """The first given value, or the fallback where that is empty or missing."""
    if given and given[0]:
        return given[0]
    return fallback


@function("empty", GoType.ANY)
def empty(given: object) -> bool:
    """Whether the value is its type's zero; Python's truth says the same of every Go value."""
    return not given


@function("coalesce", variadic=GoType.ANY)
def coalesce(*values: object) -> object:
    """The first value that is not empty."""
    for value in values:
        if value:
            return value
    return None


@function("all", variadic=GoType.ANY)
def all_filled(*values: object) -> bool:
    """Whether no value is empty."""
    return all(values)


@function("any", variadic=GoType.ANY)
def any_filled(*values: object) -> bool:
    """Whether some value is not empty."""
    return any(values)


@function("ternary", GoType.ANY, GoType.ANY, GoType.BOOL)
def ternary(yes: object, no: object, condition: bool) -> object:
    """`yes` if the condition holds, else `no`."""
    return yes if condition else no
