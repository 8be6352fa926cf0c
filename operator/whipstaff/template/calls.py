"""What the compiler and the interpreter both know of calls before they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whipstaff.golang.values import GoType

if TYPE_CHECKING:
    from whipstaff.template.functions.registry import Function

# Functions that are runtime's own, because they need the run and not only its scope.
OF_THE_RUN = frozenset({"include", "tpl"})


def miscount(function: Function, arguments: int, piped: bool) -> str:
    """What Go says of a call with too many or too few arguments; nothing if they fit."""
    count, wanted = arguments + piped, len(function.params)
    if function.variadic is None:
        if count != wanted:
            return f"wrong number of args for {function.name}: want {wanted} got {count}"
    elif count < wanted:
        # Go forgets the piped argument here.
        return f"wrong number of args for {function.name}: want at least {wanted} got {arguments}"
    return ""


def parameter(function: Function, number: int) -> GoType:
    """The type of an argument of the function."""
    if number < len(function.params):
        return function.params[number]
    return function.variadic or GoType.ANY
