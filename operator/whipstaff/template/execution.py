"""What one render knows, and where it is: the run, the interpreter's state, an error's place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from whipstaff.golang.strconv import quote
from whipstaff.template.errors import EvalError, FunctionError, LimitExceeded
from whipstaff.template.nodes import Body, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from whipstaff.template.scope import RenderScope

COMPILED = "<template>"  # the file name of compiled code, by which a traceback knows it
MAIN = "gotpl"  # Helm's name for the set of all templates, and so for a text given to tpl


class Definition(Protocol):
    """A template that can be executed."""

    name: str
    call: Callable[[Run, object, list[str]], object]
    strict_call: Callable[[Run, object, list[str]], object]

    def place(self, site: int) -> tuple[str, Node, str]:
        """The location `file:line:column` of a site, its node, the function called there."""
        ...

    def site_of(self, line: int, *, strict: bool) -> int:
        """The site of a line of the compiled code."""
        ...

    def walk(self, state: State) -> object:
        """Execute the template as it is, without compiled code."""
        ...

    def location(self, node: Node, base: int) -> str:
        """The location `file:line:column` of a node in the action at `base`."""
        ...


class ExecError(Exception):
    """A template failed, with its place; `cause` is the error of the function called there."""

    def __init__(self, location: str, head: str, cause: Exception | None) -> None:
        super().__init__(head)
        self.location = location
        self.head = head
        self.cause = cause

    @property
    def text(self) -> str:
        """The whole chain on one line, as text/template words it."""
        parts: list[str] = []
        error: Exception | None = self
        while error is not None:
            parts.append(error.head if isinstance(error, ExecError | TplError) else str(error))
            error = error.cause if isinstance(error, ExecError | TplError) else None
        return "".join(parts)


class TplError(Exception):
    """A text given to tpl failed."""

    def __init__(self, head: str, cause: ExecError) -> None:
        super().__init__(head)
        self.head = head
        self.cause = cause


class Run:
    """The state of one render."""

    def __init__(
        self,
        templates: Mapping[str, Definition],
        scope: RenderScope,
        parse_text: Callable[[str], Mapping[str, Definition]],
    ) -> None:
        self.templates = templates
        self.scope = scope
        self.parse_text = parse_text
        self.strict = scope.strict
        self.named: dict[int, dict[str, object]] = {}  # maps that `.Values` shows as common.Values
        self.included: dict[str, int] = {}
        self.depth = 0
        # Where the place of a call counts, or what is said in passing, nothing is passed over.
        is_plain = scope.generated is None and not scope.lint
        self.memory = scope.memory if is_plain else None
        self.is_inside_tpl = False
        self.steps = scope.limits.steps
        self.deadline = time.monotonic() + scope.limits.seconds if scope.limits.seconds else 0.0

    def charge(self, steps: int) -> None:
        """Count steps; LimitExceeded when there are none left, or no time."""
        self.steps -= steps
        if self.steps < 0:
            raise LimitExceeded(f"rendering took more than {self.scope.limits.steps} steps")
        if self.deadline and time.monotonic() > self.deadline:
            raise LimitExceeded(f"rendering took more than {self.scope.limits.seconds} seconds")

    def execute(self, definition: Definition, data: object) -> str:
        """What the template prints; ExecError if it fails."""
        out: list[str] = []
        self.charge(1)
        self.deepen()
        try:
            (definition.strict_call if self.strict else definition.call)(self, data, out)
        except (LimitExceeded, MemoryError, SystemError):
            raise  # only who set the limit of memory can say how much it was
        except RecursionError as error:
            raise LimitExceeded("templates or values are nested too deeply") from error
        except Exception as error:
            raise located(error, strict=self.strict) from error
        finally:
            self.depth -= 1
        text = "".join(out)
        if len(text) > self.scope.limits.output_bytes:
            self.too_long()
        return text

    def deepen(self) -> None:
        """Enter a template; LimitExceeded if they are too many already."""
        self.depth += 1
        if self.depth > self.scope.limits.depth:
            raise LimitExceeded(f"exceeded maximum template depth ({self.scope.limits.depth})")

    def too_long(self) -> None:
        limit = self.scope.limits.output_bytes
        raise LimitExceeded(f"a template printed more than {limit} characters")


_START = Body(0)


class State:
    """Where the interpreter is in one template: its dot, its variables, and Go's current node.

    A variable is its value and whether Go sees an `any`; `undo` has what declarations hid.
    """

    __slots__ = (
        "base",
        "chain_any",
        "dot",
        "dot_any",
        "function",
        "node",
        "out",
        "run",
        "undo",
        "vars",
        "write",
    )

    def __init__(self, run: Run, dot: object, out: list[str]) -> None:
        self.run = run
        self.dot = dot
        self.dot_any = False
        self.chain_any = False
        self.out = out
        self.write = out.append
        self.vars: dict[str, tuple[object, bool]] = {"$": (dot, False)}
        self.undo: list[tuple[str, tuple[object, bool] | None]] = []
        self.node: Node = _START
        self.base = 0  # of the action that the node belongs to
        self.function = ""

    def forget(self, mark: int) -> None:
        """End a scope: take back the declarations since there were `mark` of them."""
        while len(self.undo) > mark:
            name, hidden = self.undo.pop()
            if hidden is None:
                del self.vars[name]
            else:
                self.vars[name] = hidden


def interpret(run: Run, dot: object, out: list[str], me: Definition) -> None:
    """Execute a template without compiled code."""
    state = State(run, dot, out)
    me.walk(state)


def of_templates(error: BaseException) -> Iterator[TracebackType]:
    """The part of an error's traceback that executes templates, the innermost last."""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code is interpret.__code__ or code.co_filename == COMPILED:
            yield trace
        trace = trace.tb_next


def place_of(
    trace: TracebackType, site: object = None, *, strict: bool
) -> tuple[Definition, str, Node, str]:
    """The template that is executed there, its location and node, the function called there."""
    names = trace.tb_frame.f_locals
    me: Definition = names["me"]
    if trace.tb_frame.f_code is interpret.__code__:
        state: State = names["state"]
        node = site if isinstance(site, Node) else state.node
        return me, me.location(node, state.base), node, state.function
    at = site if isinstance(site, int) else me.site_of(trace.tb_lineno, strict=strict)
    return me, *me.place(at)


def located(error: Exception, *, strict: bool) -> ExecError:
    """The error with the place of the innermost template in its traceback."""
    traces = list(of_templates(error))
    if not traces:
        raise error
    site = error.site if isinstance(error, EvalError) else None
    definition, location, node, name = place_of(traces[-1], site, strict=strict)
    head = f"template: {location}: executing {quote(definition.name)} at <{node}>: "
    if isinstance(error, EvalError):
        return ExecError(location, head + str(error), None)
    if not isinstance(error, FunctionError | ExecError | TplError):
        error = FunctionError(f"{type(error).__name__}: {error}")
    called = (error.method if isinstance(error, FunctionError) else "") or name
    return ExecError(location, f"{head}error calling {called}: ", error)
