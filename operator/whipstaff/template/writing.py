"""Write the Python of a template: its lines, their sites, the names of its variables."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from whipstaff.template.code import Site, Slot, TooDeep, literal
from whipstaff.template.nodes import (
    Node,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_INDENT = 90  # Python's own parser stops at 100


class Writer:
    """Lines of Python with their sites, and the names in them."""

    def __init__(self, *, outlines: bool) -> None:
        self.outlines = outlines
        self.lines: list[str] = []
        self.origin: list[int] = []
        self.sites: list[Site] = []
        self.numbers: dict[tuple[int, str, int], int] = {}
        self.base = 0  # of the action that is being compiled
        self.depth = 1
        self.names = 0
        self.scopes: list[dict[str, Slot]] = [{"$": Slot("dot")}]

    def emit(self, line: str, site: int = -1) -> None:
        self.lines.append(" " * self.depth + line)
        self.origin.append(site)

    def site(self, node: Node, function: str = "") -> int:
        key = id(node), function, self.base
        number = self.numbers.get(key)
        if number is None:
            number = self.numbers[key] = len(self.sites)
            self.sites.append(Site(node, function, self.base))
        return number

    def name(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}{self.names}"

    def place(self, prefix: str) -> str:
        """Where a value is kept that bodies within this one read; outlined ones share `V`."""
        name = self.name(prefix)
        return f"V[{literal(name)}]" if self.outlines else name

    @contextmanager
    def indented(self) -> Iterator[None]:
        self.depth += 1
        if self.depth > MAX_INDENT:
            raise TooDeep
        mark = len(self.lines)
        yield
        if len(self.lines) == mark:
            self.emit("pass")
        self.depth -= 1

    @contextmanager
    def scope(self) -> Iterator[None]:
        self.scopes.append({})
        yield
        self.scopes.pop()

    def simple(self, code: str) -> str:
        """The expression as a name, so that it can be written twice."""
        if code.isidentifier() and code[0].islower():  # not None
            return code
        name = self.name("t")
        self.emit(f"{name} = {code}")
        return name

    def find(self, name: str) -> Slot | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return None
