"""The syntax tree of a template.

`position` is where error messages point, in characters; it counts from the `base` of the action
that the node belongs to, so that equal actions can share their nodes. `str` is Go's own spelling of
a node, which error messages quote.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from whipstaff.golang.strconv import quote

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True, eq=False)
class Node:
    """Anything that has a place in the source."""

    position: int


@dataclass(slots=True, eq=False)
class Text(Node):
    """Text outside of actions."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True, eq=False)
class Dot(Node):
    """The cursor."""

    def __str__(self) -> str:
        return "."


@dataclass(slots=True, eq=False)
class Nil(Node):
    """The untyped nil."""

    def __str__(self) -> str:
        return "nil"


@dataclass(slots=True, eq=False)
class Bool(Node):
    """true or false."""

    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(slots=True, eq=False)
class String(Node):
    """A string constant, as written and as it reads."""

    quoted: str
    text: str

    def __str__(self) -> str:
        return self.quoted


@dataclass(slots=True, eq=False)
class Number(Node):
    """A numeric constant, under every type that can hold it; None for the others."""

    text: str
    as_int: int | None = None
    as_uint: int | None = None
    as_float: float | None = None
    as_complex: complex | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True, eq=False)
class Field(Node):
    """A chain of fields from dot: `.a.b`."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return "." + ".".join(self.names)


@dataclass(slots=True, eq=False)
class Variable(Node):
    """A variable and the fields read from it: `$x.a`; the first name has the dollar sign."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(slots=True, eq=False)
class Identifier(Node):
    """The name of a function."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(slots=True, eq=False)
class Chain(Node):
    """Fields of a term in parentheses, or of a function's result: `(f x).a.b`."""

    term: Node
    names: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join((_operand(self.term), *self.names))


@dataclass(slots=True, eq=False)
class Command(Node):
    """One stage of a pipeline: a function and its arguments, or a single operand."""

    operands: list[Node] = field(default_factory=list)

    def __str__(self) -> str:
        return " ".join(map(_operand, self.operands))


@dataclass(slots=True, eq=False)
class Pipe(Node):
    """A pipeline, with the variables that it declares or, if `assigns`, sets."""

    commands: list[Command] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)
    assigns: bool = False
    evaluate: Callable[[Any], object] | None = None  # what the interpreter made of it

    def __str__(self) -> str:
        stages = " | ".join(map(str, self.commands))
        if not self.variables:
            return stages
        names = ", ".join(map(str, self.variables))
        return f"{names} {'=' if self.assigns else ':='} {stages}"


@dataclass(slots=True, eq=False)
class Body(Node):
    """What stands between two control actions, or in a whole template."""

    nodes: list[Node] = field(default_factory=list)

    def __str__(self) -> str:
        return "".join(map(str, self.nodes))


@dataclass(slots=True, eq=False)
class Action(Node):
    """A pipeline whose value is printed, unless it declares or sets variables."""

    pipe: Pipe
    base: int = 0

    def __str__(self) -> str:
        return f"{{{{{self.pipe}}}}}"


@dataclass(slots=True, eq=False)
class Branch(Node):
    """What if, with and range have in common."""

    pipe: Pipe
    body: Body
    otherwise: Body | None
    base: int = 0


def _branch(word: str, node: Branch) -> str:
    otherwise = "" if node.otherwise is None else f"{{{{else}}}}{node.otherwise}"
    return f"{{{{{word} {node.pipe}}}}}{node.body}{otherwise}{{{{end}}}}"


@dataclass(slots=True, eq=False)
class If(Branch):
    """if … else … end."""

    def __str__(self) -> str:
        return _branch("if", self)


@dataclass(slots=True, eq=False)
class With(Branch):
    """with … else … end."""

    def __str__(self) -> str:
        return _branch("with", self)


@dataclass(slots=True, eq=False)
class Range(Branch):
    """range … else … end."""

    def __str__(self) -> str:
        return _branch("range", self)


@dataclass(slots=True, eq=False)
class Break(Node):
    """Leave the innermost range."""

    def __str__(self) -> str:
        return "{{break}}"


@dataclass(slots=True, eq=False)
class Continue(Node):
    """Go on with the next element of the innermost range."""

    def __str__(self) -> str:
        return "{{continue}}"


@dataclass(slots=True, eq=False)
class Template(Node):
    """Execute another template here."""

    name: str
    pipe: Pipe | None
    base: int = 0

    def __str__(self) -> str:
        argument = "" if self.pipe is None else f" {self.pipe}"
        return f"{{{{template {quote(self.name)}{argument}}}}}"


@dataclass(slots=True, eq=False)
class End(Node):
    """Closes a control action; never part of a tree."""

    def __str__(self) -> str:
        return "{{end}}"


@dataclass(slots=True, eq=False)
class Else(Node):
    """Divides a control action; never part of a tree."""

    def __str__(self) -> str:
        return "{{else}}"


def _operand(node: Node) -> str:
    return f"({node})" if isinstance(node, Pipe) else str(node)


def is_empty(body: Body) -> bool:
    """Whether a template holds nothing but blanks, so that it does not replace another."""
    return all(
        is_empty(node) if isinstance(node, Body) else isinstance(node, Text) and not _has_ink(node)
        for node in body.nodes
    )


def _has_ink(node: Text) -> bool:
    return bool(
        node.text.strip(
            "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\u2000"
            "\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
        )
    )
