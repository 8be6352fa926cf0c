"""How a template function is declared: its Go name, its Go parameters, its Python callable."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from whipstaff.golang.values import GoType

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Function", "GoType", "function"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the template language; the engine checks `params` before it calls.

    `scoped` functions get the RenderScope as their first Python argument.
    """

    name: str
    call: Callable[..., object]
    params: tuple[GoType, ...]
    variadic: GoType | None = None
    scoped: bool = False

    @property
    def returns_string(self) -> bool:
        """Whether the result is certainly a plain Go string, so that no caller needs to look."""
        return self.call.__annotations__.get("return") in {"str", str}

    @property
    def returns_bool(self) -> bool:
        """Whether the result is certainly a bool."""
        return self.call.__annotations__.get("return") in {"bool", bool}


def function(
    name: str,
    *params: GoType,
    variadic: GoType | None = None,
    scoped: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register the decorated function in its module's `FAMILY` table, and return it unchanged."""

    def register(call: Callable[P, R]) -> Callable[P, R]:
        family: dict[str, Function] = vars(sys.modules[call.__module__])["FAMILY"]
        family[name] = Function(name, call, params, variadic, scoped)
        return call

    return register
