"""Parse templates that are in order, and each action that they repeat only once.

Whatever is unusual is left to `parser`, which knows every error and its words: what is read here
must be read there, and to the same tree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from whipstaff.template.lexer import SPACES, Kind
from whipstaff.template.nodes import (
    Action,
    Body,
    Branch,
    Break,
    Continue,
    If,
    Node,
    Range,
    Template,
    Text,
    With,
    is_empty,
)
from whipstaff.template.parser import ActionParser, ParseError, parse
from whipstaff.template.quick_actions import ActionText, Unusual, read

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

MAX_NESTING = 200  # of control actions; with the parentheses of one action less than the parser's
KEPT_CHARACTERS = 500  # of an action that is worth keeping
KEPT_ACTIONS = 20_000

# Strings may hold a right delimiter. Nothing here gives back what it took, so no text is slow.
_ACTION = re.compile(
    r"\{\{(?:"
    r"(?P<comment>(?:-[ \t\r\n])?/\*(?>(?s:.*?)\*/))(?:\}\}|[ \t\r\n]-\}\}[ \t\r\n]*+)"
    r"|(?P<trim>-(?=[ \t\r\n]))?"
    r"(?P<inner>(?>[^\"'`}\-]++|\"(?>[^\"\\\n]|\\[^\n])*+\"|`[^`]*+`|-(?!\}\})"
    r"|'(?>[^'\\\n]|\\[^\n])*+')*+)"
    r"(?:\}\}|(?<=[ \t\r\n])-\}\}[ \t\r\n]*+)"
    r")"
)

_IF, _WITH, _RANGE = int(Kind.IF), int(Kind.WITH), int(Kind.RANGE)
_ELSE, _END, _DEFINE, _BLOCK = int(Kind.ELSE), int(Kind.END), int(Kind.DEFINE), int(Kind.BLOCK)
_TEMPLATE, _BREAK, _CONTINUE = int(Kind.TEMPLATE), int(Kind.BREAK), int(Kind.CONTINUE)
_CONTROLS = {_IF: If, _WITH: With, _RANGE: Range}
_APART = frozenset({_DEFINE, _BLOCK})


class QuickParser:
    """Keeps the actions it has read; every chart says `end` a thousand times."""

    def __init__(self, functions: Container[str]) -> None:
        self._functions = functions
        self._known: dict[str, ActionText] = {}

    def parse(self, name: str, source: str) -> dict[str, Body]:
        """The trees that `source` defines, its own under `name`; ParseError if it is none."""
        try:
            return _Reading(name, source, self).run()
        except Unusual:
            return parse(name, source, self._functions)

    def action(self, inner: str) -> ActionText:
        """What the text between delimiters says; Unusual if it is not all in order."""
        found = self._known.get(inner)
        if found is None:
            try:
                found = read(inner, self._functions)
            except Unusual:
                found = self._read_slowly(inner)
            if len(inner) <= KEPT_CHARACTERS:
                if len(self._known) >= KEPT_ACTIONS:
                    self._known.clear()
                self._known[inner] = found
        return found

    def _read_slowly(self, inner: str) -> ActionText:
        try:
            return ActionText(*ActionParser(inner, self._functions).read())
        except ParseError as error:
            raise Unusual from error


class _Open(NamedTuple):
    """A control action, define or block that waits for its end."""

    kind: int
    node: Branch | None  # None of define and block
    name: str
    nodes: list[Node]  # where its sisters go
    body: Body
    variables: list[str]  # of the template that it stands in
    known: int  # how many of them there were before it
    ranges: int
    chained: bool  # it ends with the one before


class _Reading:
    """One source being read."""

    def __init__(self, name: str, source: str, parser: QuickParser) -> None:
        self.source = source
        self.name = name
        self.parser = parser
        self.trees: dict[str, Body] = {}
        self.open: list[_Open] = []
        self.body = Body(0)
        self.nodes = self.body.nodes
        self.variables = ["$"]
        self.ranges = 0

    def run(self) -> dict[str, Body]:  # noqa: C901, PLR0912 - the loop of all loops here
        source, match, read = self.source, _ACTION.match, self.parser.action
        position = 0
        while (start := source.find("{{", position)) >= 0:
            found = match(source, start)
            if found is None:
                raise Unusual
            comment, trim, inner = found.groups()
            text = source[position:start]
            if trim or (comment and comment[0] == "-"):
                text = text.rstrip(SPACES)
            if text:
                self.nodes.append(Text(position, text))
            position = found.end()
            if inner is None:
                continue
            action = read(inner)
            kind, _, at, _, pipe, needs, declares = action
            if kind == 0 and pipe is not None:
                if needs or declares:
                    self.declare(needs, declares)
                self.nodes.append(Action(at, pipe, found.start(3)))
            elif kind == _END:
                self.end()
            else:
                self.take(action, found.start(3))
        if self.open:
            raise Unusual
        if position < len(source):
            self.nodes.append(Text(position, source[position:]))
        self.add(self.name, self.body)
        return self.trees

    def take(self, action: ActionText, base: int) -> None:
        """Begin what an action with a keyword begins."""
        kind, _, position, name, pipe, needs, declares = action
        if kind == _ELSE:
            self.otherwise(action, base)
            return
        known = len(self.variables)
        if needs or declares:
            self.declare(needs, declares)
        if kind in _CONTROLS:
            self.control(action, base, known, chained=False)
        elif kind == _TEMPLATE:
            self.nodes.append(Template(position, name, pipe, base))
        elif kind in _APART:
            self.apart(action, base)
        elif not self.ranges:
            raise Unusual
        else:
            self.nodes.append(Break(position) if kind == _BREAK else Continue(position))

    def declare(self, needs: Sequence[str], declares: Sequence[str]) -> None:
        if any(name not in self.variables for name in needs):
            raise Unusual
        self.variables += declares

    def control(self, action: ActionText, base: int, known: int, *, chained: bool) -> None:
        if len(self.open) > MAX_NESTING or action.pipe is None:
            raise Unusual
        kind = action.chained if chained else action.kind
        node = _CONTROLS[kind](action.position, action.pipe, Body(base), None, base)
        self.nodes.append(node)
        self.enter(kind, node, "", known, chained=chained)
        self.ranges += kind == _RANGE

    def enter(
        self, kind: int, node: Branch | None, name: str, known: int, *, chained: bool
    ) -> None:
        self.open.append(
            _Open(
                kind, node, name, self.nodes, self.body, self.variables, known, self.ranges, chained
            )
        )
        self.body = Body(0) if node is None else node.body
        self.nodes = self.body.nodes

    def apart(self, action: ActionText, base: int) -> None:
        """Begin a define or block: its own variables, its own ranges."""
        if action.kind == _BLOCK:
            self.nodes.append(Template(action.position, action.name, action.pipe, base))
        elif self.open:
            raise Unusual
        self.enter(action.kind, None, action.name, len(self.variables), chained=False)
        self.variables, self.ranges = ["$"], 0

    def otherwise(self, action: ActionText, base: int) -> None:
        if not self.open:
            raise Unusual
        opened = self.open[-1]
        node = opened.node
        if node is None or node.otherwise is not None:
            raise Unusual
        self.ranges = opened.ranges
        self.body = node.otherwise = Body(base)
        self.nodes = self.body.nodes
        if action.chained:
            if opened.kind != action.chained:
                raise Unusual
            known = len(self.variables)
            self.declare(action.needs, action.declares)
            self.control(action, base, known, chained=True)

    def end(self) -> None:
        while self.open:
            opened = self.open.pop()
            body = self.body
            self.body, self.nodes = opened.body, opened.nodes
            self.variables, self.ranges = opened.variables, opened.ranges
            if opened.node is None:
                self.add(opened.name, body)
                return
            del self.variables[opened.known :]
            if not opened.chained:
                return
        raise Unusual

    def add(self, name: str, root: Body) -> None:
        known = self.trees.get(name)
        if known is None or is_empty(known):
            self.trees[name] = root
        elif not is_empty(root):
            raise Unusual
