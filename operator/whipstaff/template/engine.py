"""Parse a chart's templates and render them.

Sources are parsed once, and compiled when first executed; all template sets that hold the same text
under the same name share them. What was compiled can be taken out and put back after a restart.
"""

from __future__ import annotations

import hashlib
import marshal
import time
from collections import OrderedDict
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER
from typing import TYPE_CHECKING, Self, cast

from whipstaff.golang.strconv import quote
from whipstaff.golang.values import ChartValues
from whipstaff.template.definitions import Language, Source, collector_paused
from whipstaff.template.error_texts import helm_text
from whipstaff.template.errors import FunctionError, LimitExceeded, TemplateError
from whipstaff.template.execution import MAIN, ExecError, Run, of_templates, place_of
from whipstaff.template.parser import ParseError, allow_frames

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from whipstaff.template.definitions import Definition, Kept
    from whipstaff.template.functions.registry import Function
    from whipstaff.template.scope import RenderScope

COMPILER_VERSION = 4  # raise it when the generated code changes
CACHED_SOURCES = 8_000
CACHED_CHARACTERS = 64 << 20
FRAMES_PER_TEMPLATE = 6


class Engine:
    """A language: Go's templates with these functions."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = functions
        self._language = Language(functions)
        self._sources: OrderedDict[tuple[str, str], Source] = OrderedDict()
        self._characters = 0
        self._kept: dict[tuple[str, bytes], list[Kept]] = {}

    @collector_paused()
    def parse(self, sources: Mapping[str, str], order: Sequence[str] | None = None) -> TemplateSet:
        """The templates of these files, read in this order; a later definition of a name wins."""
        definitions: dict[str, Definition] = {}
        names = list(sources) if order is None else list(order)
        for name in names:
            try:
                found = self._source(name, sources[name])
            except ParseError as error:
                raise TemplateError(_parse_text(name, str(error)), name, error.line) from error
            for key, definition in found.definitions.items():
                if key not in definitions or not definition.empty:
                    definitions[key] = definition
        return TemplateSet(self, definitions, [(name, sources[name]) for name in names])

    def parse_text(self, text: str) -> Mapping[str, Definition]:
        """What a text given to tpl defines."""
        try:
            return self._source(MAIN, text).definitions
        except ParseError as error:
            raise FunctionError(f"cannot parse template {quote(text)}: {error}") from error

    def _source(self, name: str, text: str) -> Source:
        key = name, text
        found = self._sources.get(key)
        if found is not None:
            self._sources.move_to_end(key)
            return found
        kept = self._kept.pop((name, _digest(text)), None) if self._kept else None
        found = Source(name, text, self._language, kept)
        self._sources[key] = found
        self._characters += len(text)
        while len(self._sources) > CACHED_SOURCES or self._characters > CACHED_CHARACTERS:
            (_, old), _ = self._sources.popitem(last=False)
            self._characters -= len(old)
        return found

    # -- keeping compiled code -----------------------------------------------------------------

    def dump(self, keys: Iterable[tuple[str, str]]) -> bytes:
        """The compiled code of these (name, text) pairs, for `load`."""
        entries = [
            (name, _digest(text), self._sources[name, text].kept())
            for name, text in keys
            if (name, text) in self._sources
        ]
        return marshal.dumps((self._version(), entries))

    def has_new_code(self, keys: Iterable[tuple[str, str]]) -> bool:
        """Whether any of these (name, text) pairs was compiled since it was last dumped."""
        return any(self._sources[key].is_new for key in keys if key in self._sources)

    def load(self, data: bytes) -> bool:
        """Take code that `dump` gave; False, and nothing is taken, if another version gave it.

        Code is trusted as it is: the bytes must come from where nobody else can write.
        """
        try:
            version, entries = marshal.loads(data)  # noqa: S302  see the docstring
        except (EOFError, ValueError, TypeError):
            return False
        if version != self._version():
            return False
        for name, digest, kept in cast("list[tuple[str, bytes, list[Kept]]]", entries):
            self._kept[name, digest] = kept
        while len(self._kept) > CACHED_SOURCES:
            del self._kept[next(iter(self._kept))]
        return True

    def _version(self) -> bytes:
        # The compiler writes the signatures of functions into the code.
        signatures = repr(
            [(f.name, f.params, f.variadic, f.scoped) for f in self.functions.values()]
        )
        return MAGIC_NUMBER + bytes((COMPILER_VERSION,)) + _digest(signatures)


@dataclass(slots=True)
class Budget:
    """What is left of the limits that all templates of one render share."""

    steps: int
    deadline: float  # of the monotonic clock; 0 is none

    @classmethod
    def of(cls, scope: RenderScope) -> Self:
        """Return all that the scope allows."""
        seconds = scope.limits.seconds
        return cls(scope.limits.steps, time.monotonic() + seconds if seconds else 0.0)


class TemplateSet:
    """The templates of one chart and its subcharts."""

    def __init__(
        self, engine: Engine, definitions: dict[str, Definition], keys: list[tuple[str, str]]
    ) -> None:
        self.engine = engine
        self.definitions = definitions
        self._keys = keys
        self._named: dict[int, dict[str, object]] = {}

    def name_values(self, values: dict[str, object]) -> None:
        """Let a plain map be common.Values wherever a chain of fields ends in `.Values`."""
        self._named[id(values)] = values

    def render(
        self, name: str, data: object, scope: RenderScope, budget: Budget | None = None
    ) -> str:
        """What the named template prints; TemplateError with Helm's text if it fails.

        Templates that share a budget share its steps and its time. What Go prints where there is
        nothing is left out, as by Helm.
        """
        return self.printed(name, data, scope, budget).replace("<no value>", "")

    def printed(
        self, name: str, data: object, scope: RenderScope, budget: Budget | None = None
    ) -> str:
        """What the named template prints in Go, otherwise as `render`."""
        budget = budget or Budget.of(scope)
        run = Run(self.definitions, scope, self.engine.parse_text)
        run.named = self._named
        run.steps, run.deadline = budget.steps, budget.deadline
        if isinstance(data, dict) and isinstance(values := data.get("Values"), ChartValues):
            # Templates read plain maps faster, and the type is only asked for as a whole.
            data["Values"] = values.inner
            self.name_values(values.inner)
        allow_frames(scope.limits.depth * FRAMES_PER_TEMPLATE)
        try:
            text = run.execute(self.definitions[name], data)
        except LimitExceeded as error:
            raise _placed(error, name, strict=scope.strict) from error
        except ExecError as error:
            template, line, column = error.location.rsplit(":", 2)
            raise TemplateError(helm_text(error), template, int(line), int(column)) from error
        finally:
            budget.steps = run.steps
        return text

    def compiled(self) -> bytes:
        """The code compiled so far, for `Engine.load` after a restart."""
        return self.engine.dump(self._keys)


def _placed(error: LimitExceeded, name: str, *, strict: bool) -> LimitExceeded:
    """The error with the place of the innermost call in a file; texts given to tpl have none."""
    template, line, column = error.template or name, error.line, error.column
    innermost = error.__cause__ if isinstance(error.__cause__, RecursionError) else error
    for trace in of_templates(innermost):
        if error.template or trace.tb_frame.f_locals["me"].file == MAIN:
            continue
        _, location, _, _ = place_of(trace, strict=strict)
        template, line_text, column_text = location.rsplit(":", 2)
        line, column = int(line_text), int(column_text)
    place = f"{template}:{line}:{column}" if line else template
    return LimitExceeded(f"{place}: {error}", template, line, column)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _parse_text(name: str, text: str) -> str:
    """A parse error as Helm words it: the place and the last words of the chain."""
    tokens = text.split(": ")
    if len(tokens) == 1:
        return f"parse error in ({name}): {text}"
    return f"parse error at ({tokens[1]}): {tokens[-1]}"
