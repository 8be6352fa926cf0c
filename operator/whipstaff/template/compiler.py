"""Compile a template's tree to Python source.

Generated code is safe and traceable: constants enter only through `literal`, names are ours, every
line knows its site, and the same tree always gives the same source. A site is a node with the name
of the function called there; an error on the line is reported at that node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whipstaff.template.code import Compiled, Slot, TooDeep, Value, literal
from whipstaff.template.expressions import Expressions
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
    Variable,
    With,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whipstaff.template.functions.registry import Function
HEADER = "def template(run, dot, out, me):"
MAX_LOOPS = 16  # and its compiler at 20 nested blocks
OUTLINE_INDENT = 30  # a body deeper than this becomes a function, if need be
OUTLINE_LOOPS = 6


def compile_body(body: Body, functions: Mapping[str, Function], *, strict: bool) -> Compiled:
    """The Python source of a template; TooDeep if Python cannot nest as deeply as it does."""
    try:
        return _Compiler(functions, strict=strict).run(body)
    except TooDeep:
        return _Compiler(functions, strict=strict, outlines=True).run(body)


class _Compiler(Expressions):
    def __init__(
        self, functions: Mapping[str, Function], *, strict: bool, outlines: bool = False
    ) -> None:
        super().__init__(functions, strict=strict, outlines=outlines)
        self.outlined: list[tuple[list[str], list[int]]] = []
        self.loops = 0

    def run(self, body: Body) -> Compiled:
        self.lines.append(HEADER)
        self.origin.append(-1)
        self.emit("w = out.append")
        self.emit("scope = run.scope")
        if self.outlines:
            self.emit("V = {}")
        self.body(body)
        for lines, origin in self.outlined:
            self.lines += lines
            self.origin += origin
        return Compiled("\n".join(self.lines) + "\n", tuple(self.origin), tuple(self.sites))

    def body(self, body: Body) -> None:
        text: list[str] = []
        for node in body.nodes:
            if isinstance(node, Text):
                text.append(node.text)
                continue
            self.text(text)
            self.statement(node)
        self.text(text)

    def inner(self, body: Body) -> None:
        """A body within another: in place, or as a function of its own where it is too deep."""
        if (self.depth < OUTLINE_INDENT and self.loops < OUTLINE_LOOPS) or not self.outlines:
            self.body(body)
            return
        outer = self.lines, self.origin, self.depth, self.loops
        function = self.name("body")
        self.lines = [f"def {function}(run, dot, out, me, w, scope, V):"]
        self.origin, self.depth, self.loops = [-1], 1, 0
        self.body(body)
        self.emit("return 0")
        self.outlined.append((self.lines, self.origin))
        self.lines, self.origin, self.depth, self.loops = outer
        # 1 stands for break, 2 for continue.
        self.emit(f"jump = {function}(run, dot, out, me, w, scope, V)")
        if self.loops:
            self.emit("if jump == 1: break")
            self.emit("if jump == 2: continue")
        else:
            self.emit("if jump: return jump")

    def text(self, pieces: list[str]) -> None:
        if pieces:
            self.emit(f"w({literal(''.join(pieces))})")
            pieces.clear()

    def statement(self, node: Node) -> None:
        if isinstance(node, Action | Branch | Template):
            self.base = node.base
        match node:
            case Action():
                self.action(node)
            case If() | With():
                self.branch(node)
            case Range():
                self.range(node)
            case Template():
                self.template(node)
            case Break():
                self.emit("break" if self.loops else "return 1")
            case Continue():
                self.emit("continue" if self.loops else "return 2")
            case _:
                raise TypeError(f"{type(node).__name__} is no statement")

    def action(self, node: Action) -> None:
        value = self.pipe(node.pipe)
        if node.pipe.variables:
            return
        if value.kind == "str":
            self.emit(f"w({value.code})")
        else:
            code = self.simple(value.code)
            self.emit(f"w({code} if type({code}) is str else show({code}))", self.site(node))

    def branch(self, node: If | With) -> None:
        with self.scope():
            value = self.pipe(node.pipe)
            dot = self.dot
            if isinstance(node, With):
                # The variable that it came from may change inside.
                code = self.place("d")
                self.emit(f"{code} = {value.code}")
                value = Value(code, value.at)
            self.emit(f"if {value.code}:")
            with self.indented(), self.scope():
                if isinstance(node, With):
                    self.dot = Slot(value.code)
                self.inner(node.body)
            self.dot = dot
            self.otherwise(node)

    def otherwise(self, node: Branch) -> None:
        if node.otherwise is not None and node.otherwise.nodes:
            self.emit("else:")
            with self.indented(), self.scope():
                self.inner(node.otherwise)

    def range(self, node: Range) -> None:
        self.loops += 1
        if self.loops > MAX_LOOPS:
            raise TooDeep
        with self.scope():
            value = self.pipe(node.pipe)
            variables = node.pipe.variables
            slots = [self.slot(variable) for variable in variables]
            items, item = self.name("i"), self.place("e")
            function = "pairs" if len(variables) > 1 else "elements"
            subject = self.place("r")
            self.emit(f"{subject} = {value.code}")
            walk = self.placed(function, f"run, {subject}", value.at)
            self.emit(f"{items} = {walk}", self.site(node))
            has_else = node.otherwise is not None and bool(node.otherwise.nodes)
            if has_else:
                self.emit(f"if {items}:")
                self.depth += 1
            dot = self.dot
            names = [slot.code if slot else self.place("v") for slot in slots]
            element = names[-1] if names else item
            if names:
                # Dot stays when the body sets the variable.
                names[-1] = item
            target = f"{names[0]}, {item}" if len(names) > 1 else item
            self.emit(f"for {target} in {items}:")
            with self.indented(), self.scope():
                self.emit("if len(out) > PARTS: squash(run, out)")
                if names:
                    self.emit(f"{element} = {item}")
                interface = f"holds_any({subject})"
                for slot in slots[-1:]:
                    if slot:
                        slot.interface = interface
                self.dot = Slot(item, interface=interface)
                self.inner(node.body)
            self.dot = dot
            if has_else:
                self.depth -= 1
                self.otherwise(node)
        self.loops -= 1

    def slot(self, variable: Variable) -> Slot | None:
        return self.find(variable.names[0])

    def template(self, node: Template) -> None:
        site, name = self.site(node), literal(node.name)
        data = "None"
        if node.pipe is not None:
            # A template that is not there is missed before its data are.
            self.emit(f"if {name} not in run.templates: invoke(run, {name}, None, out)", site)
            data = self.pipe(node.pipe).code
        self.emit(f"invoke(run, {name}, {data}, out)", site)
