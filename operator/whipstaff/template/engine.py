"""Parse a chart's templates and render them.

Definitions are compiled when they are first executed, and shared by all template sets that hold the
same source under the same name.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from types import FunctionType
from typing import TYPE_CHECKING

from whipstaff.golang.strconv import quote
from whipstaff.golang.values import ChartValues
from whipstaff.template.compiler import TooDeep, compile_body
from whipstaff.template.errors import FunctionError, LimitExceeded, TemplateError
from whipstaff.template.nodes import is_empty
from whipstaff.template.parser import MAX_NESTING, ParseError, parse
from whipstaff.template.runtime import ABI, COMPILED, MAIN, ExecError, Run, helm_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import CodeType

    from whipstaff.template.compiler import Compiled
    from whipstaff.template.functions.registry import Function
    from whipstaff.template.nodes import Body, Node
    from whipstaff.template.scope import RenderScope

CACHED_SOURCES = 4_000
CACHED_CHARACTERS = 32 << 20
FRAMES_PER_TEMPLATE = 4
FRAMES_PER_NODE = 8


class Engine:
    """A language: Go's templates with these functions. Sources are parsed once and kept."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = functions
        self.namespace: dict[str, object] = dict(ABI)
        for name, function in functions.items():
            self.namespace[f"f_{name}"] = function.call
        self._sources: OrderedDict[tuple[str, str], dict[str, Definition]] = OrderedDict()
        self._characters = 0

    def parse(self, sources: Mapping[str, str], order: Sequence[str] | None = None) -> TemplateSet:
        """The templates of these files, read in this order; a later definition of a name wins."""
        definitions: dict[str, Definition] = {}
        for name in sources if order is None else order:
            try:
                found = self.definitions(name, sources[name])
            except ParseError as error:
                raise TemplateError(_parse_text(name, str(error)), name, error.line) from error
            for key, definition in found.items():
                known = definitions.get(key)
                if known is None or not definition.empty:
                    definitions[key] = definition
        return TemplateSet(self, definitions)

    def definitions(self, name: str, source: str) -> dict[str, Definition]:
        """What a source defines; ParseError if it is no template."""
        key = name, source
        found = self._sources.get(key)
        if found is not None:
            self._sources.move_to_end(key)
            return found
        _allow_frames(MAX_NESTING * FRAMES_PER_NODE)
        trees = parse(name, source, self.functions)
        found = {
            inner: Definition(self, inner, name, source, tree) for inner, tree in trees.items()
        }
        self._sources[key] = found
        self._characters += len(source)
        while len(self._sources) > CACHED_SOURCES or self._characters > CACHED_CHARACTERS:
            (_, old), _ = self._sources.popitem(last=False)
            self._characters -= len(old)
        return found

    def parse_text(self, text: str) -> Mapping[str, Definition]:
        """What a text given to tpl defines."""
        try:
            return self.definitions(MAIN, text)
        except ParseError as error:
            raise FunctionError(f"cannot parse template {quote(text)}: {error}") from error


class TemplateSet:
    """The templates of one chart and its subcharts."""

    def __init__(self, engine: Engine, definitions: dict[str, Definition]) -> None:
        self.engine = engine
        self.definitions = definitions
        self._named: dict[int, dict[str, object]] = {}

    def render(self, name: str, data: object, scope: RenderScope) -> str:
        """What the named template prints; TemplateError with Helm's text if it fails."""
        run = Run(dict(self.definitions), scope, self.engine.parse_text)
        run.named = self._named
        if isinstance(data, dict) and isinstance(values := data.get("Values"), ChartValues):
            # Templates read plain maps faster, and the type is only asked for as a whole.
            data["Values"] = self._named[id(values.inner)] = values.inner
        _allow_frames(scope.limits.depth * FRAMES_PER_TEMPLATE)
        try:
            return run.execute(self.definitions[name], data).replace("<no value>", "")
        except ExecError as error:
            template, line, column = _location(error.location)
            raise TemplateError(helm_text(error), template, line, column) from error


class Definition:
    """One template; its code is made when it is first called."""

    __slots__ = (
        "_made",
        "body",
        "call",
        "empty",
        "engine",
        "file",
        "name",
        "source",
        "strict_call",
    )

    call: Callable[[Run, object, list[str]], object]
    strict_call: Callable[[Run, object, list[str]], object]

    def __init__(self, engine: Engine, name: str, file: str, source: str, body: Body) -> None:
        self.engine = engine
        self.name = name
        self.file = file
        self.source = source
        self.body = body
        self.empty = is_empty(body)
        self.call = self._first_call
        self.strict_call = self._first_strict_call
        self._made: dict[bool, Compiled] = {}

    def _first_call(self, run: Run, dot: object, out: list[str]) -> object:
        self.call = self.make(strict=False)
        return self.call(run, dot, out)

    def _first_strict_call(self, run: Run, dot: object, out: list[str]) -> object:
        self.strict_call = self.make(strict=True)
        return self.strict_call(run, dot, out)

    def compiled(self, *, strict: bool) -> Compiled:
        """The Python source with its sites."""
        made = self._made.get(strict)
        if made is None:
            try:
                made = compile_body(self.body, self.engine.functions, strict=strict)
            except TooDeep:
                raise LimitExceeded(
                    f"template {self.name} nests its control actions too deeply", self.file
                ) from None
            self._made[strict] = made
        return made

    def make(self, *, strict: bool) -> Callable[[Run, object, list[str]], object]:
        """The Python function of this template."""
        module = compile(self.compiled(strict=strict).source, COMPILED, "exec")
        codes: list[CodeType] = [c for c in module.co_consts if hasattr(c, "co_code")]
        namespace = self.engine.namespace
        if len(codes) > 1:
            namespace = dict(namespace)
            for code in codes:
                namespace[code.co_name] = FunctionType(code, namespace)
        # The definition is a default argument, so that a traceback leads back to it.
        return FunctionType(codes[0], namespace, "template", (self,))

    def site_of(self, line: int, *, strict: bool) -> int:
        """The site of a line of the compiled code."""
        lines = self.compiled(strict=strict).lines
        while line > 1 and lines[line - 1] < 0:
            line -= 1
        return lines[line - 1]

    def place(self, site: int) -> tuple[str, Node, str]:
        """The location `file:line:column` of a site, its node, the function called there."""
        made = self._made.get(False) or self._made[True]
        found = made.sites[site]
        before = self.source[: found.node.position]
        line = 1 + before.count("\n")
        column = len(before.rpartition("\n")[2].encode("utf-8", "surrogateescape"))
        return f"{self.file}:{line}:{column}", found.node, found.function


def _allow_frames(count: int) -> None:
    """Let Python recurse as deeply as our own limits do, so that they are what is met."""
    needed = count + 2_000
    if sys.getrecursionlimit() < needed:
        sys.setrecursionlimit(needed)


def _parse_text(name: str, text: str) -> str:
    """A parse error as Helm words it: the place and the last words of the chain."""
    tokens = text.split(": ")
    if len(tokens) == 1:
        return f"parse error in ({name}): {text}"
    return f"parse error at ({tokens[1]}): {tokens[-1]}"


def _location(location: str) -> tuple[str, int, int]:
    template, line, column = location.rsplit(":", 2)
    return template, int(line), int(column)
