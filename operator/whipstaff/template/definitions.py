"""Templates that can be executed: parsed and compiled when they are first needed, and kept."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from whipstaff.template.code import TooDeep
from whipstaff.template.compiler import compile_body
from whipstaff.template.errors import LimitExceeded
from whipstaff.template.execution import COMPILED, interpret
from whipstaff.template.interpreter import Interpreter
from whipstaff.template.nodes import is_empty
from whipstaff.template.quick_parser import QuickParser
from whipstaff.template.runtime import ABI

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from whipstaff.template.code import Compiled
    from whipstaff.template.execution import Run, State
    from whipstaff.template.functions.registry import Function
    from whipstaff.template.nodes import Body, Node

CALLS_BEFORE_COMPILING = 60  # compiling takes as long as so many calls of what is interpreted
DEPTH_OF_INTERPRETING = 40  # compiled code needs fewer of Python's frames

# What is kept of a definition on disk: its name, whether it is empty, its codes, its line map.
Kept = tuple[str, bool, tuple[CodeType, ...], tuple[int, ...]]


class Language:
    """What all templates of an engine have in common."""

    __slots__ = ("functions", "interpreter", "namespace", "parser")

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = functions
        self.namespace: dict[str, object] = dict(ABI)  # that of compiled code
        for name, function in functions.items():
            self.namespace[f"f_{name}"] = function.call
        self.parser = QuickParser(functions)
        self.interpreter = Interpreter(functions)


class Source:
    """One file, or one text given to tpl, and the templates that it defines."""

    __slots__ = (
        "_trees",
        "definitions",
        "file",
        "is_new",
        "language",
        "text",
    )

    def __init__(
        self,
        file: str,
        text: str,
        language: Language,
        kept: Sequence[Kept] | None = None,
    ) -> None:
        """Parse the text, unless what is kept of it is at hand; ParseError if it is no template."""
        self.file = file
        self.text = text
        self.language = language
        self.is_new = False  # code was made since it was last kept
        self._trees: dict[str, Body] | None = None
        self.definitions: dict[str, Definition]
        if kept is None:
            self.definitions = {
                name: Definition(self, name, empty=is_empty(tree))
                for name, tree in self.trees().items()
            }
        else:
            self.definitions = {
                name: Definition(self, name, empty=empty, codes=codes, lines=lines)
                for name, empty, codes, lines in kept
            }

    def trees(self) -> dict[str, Body]:
        """The syntax trees by name."""
        if self._trees is None:
            with collector_paused():
                self._trees = self.language.parser.parse(self.file, self.text)
        return self._trees

    def kept(self) -> list[Kept]:
        """What to keep of the definitions; those never executed have no code."""
        self.is_new = False
        for definition in self.definitions.values():
            if definition.was_called:
                definition.compile()
        return [(d.name, d.empty, d.codes, d.lines) for d in self.definitions.values()]


class Definition:
    """One template; its code is made when it is first called."""

    __slots__ = (
        "_calls",
        "_strict_lines",
        "_walk",
        "call",
        "codes",
        "empty",
        "lines",
        "name",
        "source",
        "strict_call",
    )

    call: Callable[[Run, object, list[str]], object]
    strict_call: Callable[[Run, object, list[str]], object]

    def __init__(
        self,
        source: Source,
        name: str,
        *,
        empty: bool,
        codes: tuple[CodeType, ...] = (),
        lines: tuple[int, ...] = (),
    ) -> None:
        self.source = source
        self.name = name
        self.empty = empty
        self.codes = codes
        self.lines = lines
        self._strict_lines: tuple[int, ...] = ()
        self._calls = 0  # while it was not compiled
        self._walk: Callable[[State], object] | None = None
        self.call = self._compiled_call if codes else self._interpreted_call
        self.strict_call = self._first_strict_call

    def _interpreted_call(self, run: Run, dot: object, out: list[str]) -> object:
        self._calls += 1
        self.source.is_new = True
        if (
            self.codes  # they were made to be kept
            or self._calls > CALLS_BEFORE_COMPILING
            or run.depth > DEPTH_OF_INTERPRETING
            or run.scope.generated is not None  # what is kept is known by frames of compiled code
        ):
            return self._compiled_call(run, dot, out)
        interpret(run, dot, out, self)
        return None

    def _compiled_call(self, run: Run, dot: object, out: list[str]) -> object:
        self.compile()
        self.call = self._function(self.codes)
        return self.call(run, dot, out)

    def compile(self) -> None:
        """Make the code, if it was not made yet."""
        if not self.codes:
            with collector_paused():
                made = self.compiled(strict=False)
                self.codes, self.lines = _codes_of(made), made.lines

    def walk(self, state: State) -> object:
        """Execute the template as it is, without compiled code."""
        if self._walk is None:
            self._walk = self.source.language.interpreter.body(self.source.trees()[self.name])
        return self._walk(state)

    def _first_strict_call(self, run: Run, dot: object, out: list[str]) -> object:
        made = self.compiled(strict=True)
        self._strict_lines = made.lines
        self.strict_call = self._function(_codes_of(made))
        return self.strict_call(run, dot, out)

    def _function(self, codes: tuple[CodeType, ...]) -> Callable[[Run, object, list[str]], object]:
        namespace = self.source.language.namespace
        if len(codes) > 1:
            namespace = dict(namespace)
            for code in codes:
                namespace[code.co_name] = FunctionType(code, namespace)
        # The definition is a default argument, so that a traceback leads back to it.
        return FunctionType(codes[0], namespace, "template", (self,))

    def compiled(self, *, strict: bool) -> Compiled:
        """The Python source with its sites."""
        tree = self.source.trees()[self.name]
        try:
            return compile_body(tree, self.source.language.functions, strict=strict)
        except TooDeep:
            raise LimitExceeded(
                f"template {self.name} nests its control actions too deeply", self.source.file
            ) from None

    @property
    def was_called(self) -> bool:
        """Whether it was executed since there was a render."""
        return self._calls > 0

    @property
    def file(self) -> str:
        """The file that it stands in, `gotpl` for a text given to tpl."""
        return self.source.file

    def site_of(self, line: int, *, strict: bool) -> int:
        """The site of a line of the compiled code."""
        lines = self._strict_lines if strict else self.lines
        while line > 1 and lines[line - 1] < 0:
            line -= 1
        return lines[line - 1]

    def place(self, site: int) -> tuple[str, Node, str]:
        """The location `file:line:column` of a site, its node, the function called there."""
        # Compiling again gives the same sites; they are not worth keeping for errors alone.
        found = self.compiled(strict=False).sites[site]
        return self.location(found.node, found.base), found.node, found.function

    def location(self, node: Node, base: int) -> str:
        """The location `file:line:column` of a node in the action at `base`."""
        before = self.source.text[: base + node.position]
        line = 1 + before.count("\n")
        column = len(before.rpartition("\n")[2].encode("utf-8", "surrogateescape"))
        return f"{self.source.file}:{line}:{column}"


def _codes_of(made: Compiled) -> tuple[CodeType, ...]:
    module = compile(made.source, COMPILED, "exec", dont_inherit=True)
    return tuple(constant for constant in module.co_consts if isinstance(constant, CodeType))


@contextmanager
def collector_paused() -> Iterator[None]:
    """Without garbage collection: trees are many objects that live, and a third of the time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
