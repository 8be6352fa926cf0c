"""The words of the compiler: values, sites, variables, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from whipstaff.template.nodes import Node


class TooDeep(Exception):
    """A template nests control actions deeper than Python can."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place that an error can be reported at: a node of the action that begins at `base`."""

    node: Node
    function: str = ""
    base: int = 0


@dataclass(frozen=True, slots=True)
class Value:
    """An expression without side effects, and what is known of it.

    `at` is an expression for the site that Go would name for an error that follows; `interface`
    says whether Go sees an `any`, which tells the two kinds of nil apart, or is an expression
    for it.
    """

    code: str
    at: str
    kind: str = ""  # its Python type, if that is certain
    interface: bool | str = False


@dataclass(frozen=True, slots=True)
class Compiled:
    """Python source with the site of each line, -1 where none."""

    source: str
    lines: tuple[int, ...]
    sites: tuple[Site, ...]


@dataclass(slots=True)
class Slot:
    """A template variable's Python name, and whether its value is an `any`."""

    code: str
    interface: bool | str = False


def literal(value: complex | str | bool | None) -> str:
    """A constant as source; nothing else may bring one in."""
    if value is not None and type(value) not in (str, int, float, bool, complex):
        raise TypeError(f"{type(value).__name__} is no constant")
    return repr(value)
