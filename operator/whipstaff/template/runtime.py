"""What compiled templates call: the slow paths, ranges, include and tpl. `ABI` names them all.

A fast path stands in the compiled code itself; it ends here whenever a value is not what most are.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Protocol

from whipstaff.golang import printf
from whipstaff.golang.nil_values import NilList, NilMap, NilStrings
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import (
    ChartValues,
    GoObject,
    GoSignature,
    GoType,
    Int32,
    Int64,
    NamedMap,
    TypedMap,
    Uint8,
    Uint32,
    sorted_keys,
    type_name,
)
from whipstaff.template.constants import WANTED, as_constant
from whipstaff.template.errors import EvalError, FunctionError, LimitExceeded
from whipstaff.template.laps import Counting, Lap
from whipstaff.template.nodes import Body, Node
from whipstaff.template.values_methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from whipstaff.template.scope import RenderScope

COMPILED = "<template>"  # the file name of compiled code, by which a traceback knows it
MAIN = "gotpl"  # Helm's name for the set of all templates, and so for a text given to tpl
INCLUDES_OF_ONE_NAME = 1_000
GO_DEPTH = 100_000  # Go's own limit; ours is lower, and nothing but endless recursion gets there
PARTS_BEFORE_COUNTING = 100_000
# What a fast path meets where a value is not the dictionary that most are.
MISS = KeyError, TypeError, AttributeError, IndexError

# A nil of these types is a value; of the others there is none.
NILLABLE = frozenset(
    {
        GoType.ANY,
        GoType.VALUE,
        GoType.DICT,
        GoType.STRING_MAP,
        GoType.LIST,
        GoType.STRINGS,
        GoType.BYTES,
        GoType.VERSION,
        GoType.WRITER,
    }
)


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
        except (LimitExceeded, MemoryError):
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


# -- printing ----------------------------------------------------------------------------------


def show(value: object) -> str:
    """What an action prints of a value."""
    if value is None:
        return "<no value>"
    if isinstance(value, GoObject):
        if value.string_of_pointer:
            return value.go_string() or ""
        if value.go_kind == "ptr" and value.go_string() is None:
            return printf.show(value).removeprefix("&")
    return printf.show(value)


def format_s(value: object) -> str:
    """%s of a value."""
    return printf.sprintf("%s", value)


def format_d(value: object) -> str:
    """%d of a value."""
    return printf.sprintf("%d", value)


def squash(run: Run, out: list[str]) -> None:
    """Join what was printed so far, so that a loop cannot print without bounds."""
    text = "".join(out)
    if len(text) > run.scope.limits.output_bytes:
        run.too_long()
    out[:] = [text]


# -- fields and methods ------------------------------------------------------------------------


def field(receiver: object, names: Sequence[str], interface: bool) -> object:
    """The value of a chain of fields; `interface` says whether Go sees the receiver as `any`."""
    for name in names:
        receiver, interface = _step(receiver, name, interface, strict=False)
    return receiver


def at_site(site: object, look_up: Callable[..., object], *arguments: object) -> object:
    """What a look-up finds; an error of it is reported at the site."""
    try:
        return look_up(*arguments)
    except EvalError as error:
        if error.site is None:
            error.site = site
        raise


def strict_field(receiver: object, names: Sequence[str], interface: bool) -> object:
    """As `field`, and a missing key is an error."""
    for name in names:
        receiver, interface = _step(receiver, name, interface, strict=True)
    return receiver


def _step(
    receiver: object,
    name: str,
    interface: bool,
    *,
    strict: bool,
) -> tuple[object, bool]:
    if receiver is None:
        if interface:
            raise EvalError(f"nil pointer evaluating interface {{}}.{name}")
        if strict:
            raise EvalError(f"nil data; no entry for key {quote(name)}")
        return None, False
    if isinstance(receiver, GoObject):
        return _member(receiver, name, interface, (), ()), False
    if isinstance(receiver, dict):
        if name in METHODS and isinstance(receiver, NamedMap):
            return _of_values(receiver, name, (), ()), False
        return _entry(receiver, name, strict=strict), not isinstance(receiver, TypedMap)
    raise no_field(receiver, name, interface)


def values_field(
    run: Run, receiver: object, names: Sequence[str], interface: bool, *, strict: bool
) -> object:
    """As `field`, where one of the names may be a method of a chart's values."""
    for name in names:
        receiver, interface = _step(receiver, name, interface, strict=strict)
        if name == "Values":
            receiver = named(run, receiver)
    return receiver


def named(run: Run, value: object) -> object:
    """The value of a chain that ends in `.Values`: Helm's own type, if it is a chart's values."""
    return ChartValues(value) if isinstance(value, dict) and id(value) in run.named else value


def no_field(receiver: object, name: str, interface: bool) -> EvalError:
    """The error for a value that has no fields; what came out of a map of `any` counts as `any`."""
    static = "interface {}" if interface else type_name(receiver)
    return EvalError(f"can't evaluate field {name} in type {static}")


def _entry(receiver: dict[str, object], name: str, *, strict: bool) -> object:
    if name in receiver:
        return receiver[name]
    if strict:
        raise EvalError(f"map has no entry for key {quote(name)}")
    return receiver[name] if isinstance(receiver, TypedMap) else None


def _member(
    receiver: GoObject,
    name: str,
    interface: bool,
    values: Sequence[object],
    arguments: Sequence[Argument],
) -> object:
    method = receiver.methods().get(name)
    if method is not None:
        given = checked(name, method[1], values, arguments)
        try:
            return method[0](*given)
        except FunctionError as error:
            error.method = error.method or name
            raise
    getter = receiver.fields().get(name)
    if getter is not None:
        if values:
            raise EvalError(f"{name} has arguments but cannot be invoked as function")
        return getter()
    inner = receiver.underlying()
    if isinstance(inner, dict):
        if values:
            raise EvalError(f"{name} is not a method but has arguments")
        return _entry(inner, name, strict=False)
    raise no_field(receiver, name, interface)


# An argument's site, how a nil of it counts, and its spelling if it is a constant.
Argument = tuple[object, bool, str | None]


def call_member(
    receiver: object,
    name: str,
    interface: bool,
    site: object,
    values: Sequence[object],
    arguments: Sequence[Argument],
) -> object:
    """The result of a method called with arguments; `site` is where Go finds that it cannot be."""
    try:
        return _called(receiver, name, interface, values, arguments)
    except EvalError as error:
        if error.site is None:
            error.site = site
        raise


def expect_member(receiver: object, name: str, interface: bool, site: object, count: int) -> None:
    """Refuse, as Go does before it looks at the arguments, what cannot be called with so many."""
    signature = None
    if isinstance(receiver, GoObject) and name in receiver.methods():
        signature = receiver.methods()[name][1]
    elif isinstance(receiver, NamedMap) and name in METHODS:
        signature = METHODS[name][1]
    if signature is None:
        at_site(site, _called, receiver, name, interface, (None,) * count, ())
    else:
        at_site(site, _parameters, name, signature, count)


def _called(
    receiver: object,
    name: str,
    interface: bool,
    values: Sequence[object],
    arguments: Sequence[Argument],
) -> object:
    if receiver is None and interface:
        raise EvalError(f"nil pointer evaluating interface {{}}.{name}")
    if receiver is None:
        return None
    if isinstance(receiver, GoObject):
        return _member(receiver, name, interface, values, arguments)
    if isinstance(receiver, dict):
        if name in METHODS and isinstance(receiver, NamedMap):
            return _of_values(receiver, name, values, arguments)
        raise EvalError(f"{name} is not a method but has arguments")
    raise no_field(receiver, name, interface)


def _of_values(
    receiver: NamedMap, name: str, values: Sequence[object], arguments: Sequence[Argument]
) -> object:
    method, signature = METHODS[name]
    return method(receiver, *checked(name, signature, values, arguments))


def checked(
    name: str,
    signature: GoSignature,
    values: Sequence[object],
    arguments: Sequence[Argument],
) -> list[object]:
    """The arguments as the parameters' types want them."""
    params = _parameters(name, signature, len(values))
    result: list[object] = []
    for value, param, (site, interface, literal) in zip(values, params, arguments, strict=True):
        if literal == "nil" and param not in NILLABLE:
            raise EvalError(f"cannot assign nil to {param.value}", site)
        if literal is not None and literal != "nil" and param not in {GoType.ANY, GoType.VALUE}:
            result.append(_constant(value, param, literal, site))
        else:
            result.append(convert(value, param, interface, site))
    return result


def _parameters(name: str, signature: GoSignature, count: int) -> tuple[GoType, ...]:
    """The types of so many arguments; EvalError if the method does not take so many, or any."""
    params = signature.params
    if signature.variadic is not None:
        if count < len(params):
            raise EvalError(
                f"wrong number of args for {name}: want at least {len(params)} got {count}"
            )
        params = params + (signature.variadic,) * (count - len(params))
    elif count != len(params):
        raise EvalError(f"wrong number of args for {name}: want {len(params)} got {count}")
    if signature.refused:
        raise EvalError(signature.refused)
    return params


# A nil that has one of these types.
_NILS: Mapping[GoType, Callable[[], object]] = {
    GoType.DICT: NilMap,
    GoType.STRING_MAP: NilMap,
    GoType.LIST: NilList,
    GoType.STRINGS: NilStrings,
    GoType.BYTES: bytes,
    GoType.VERSION: lambda: None,
    GoType.WRITER: lambda: None,
}


def _constant(value: object, param: GoType, spelled: str, site: object) -> object:
    """A constant as an argument of a method with a parameter of this type."""
    fit = as_constant(value, param)
    if fit is None:
        wanted = WANTED.get(param)
        raise EvalError(
            f"expected {wanted}; found {spelled}"
            if wanted
            else f"can't handle {spelled} for arg of type {param.value}",
            site,
        )
    return fit


def convert(value: object, param: GoType, interface: bool, site: object) -> object:
    """The value as an argument of this type, if Go can assign it."""
    if param is GoType.ANY or param is GoType.VALUE:
        return value
    if value is None:
        if interface:
            raise EvalError(
                f"wrong type for value; expected {param.value}; got interface {{}}", site
            )
        if param not in NILLABLE:
            raise EvalError(f"invalid value; expected {param.value}", site)
        return _NILS[param]()
    if type(value) is ChartValues and param is GoType.DICT:
        return value.inner
    name = type_name(value)
    if name == param.value or (param is GoType.DICT and isinstance(value, NamedMap)):
        return value
    if isinstance(value, GoObject) and name == "*" + param.value:
        return value
    raise EvalError(f"wrong type for value; expected {param.value}; got {name}", site)


def reject(text: str, site: int | None = None) -> None:
    """Fail with this text: what the compiler knew to be wrong, once it is reached."""
    raise EvalError(text, site)


# -- ranges ------------------------------------------------------------------------------------


def elements(run: Run, value: object) -> Sequence[object]:
    """What `range` with at most one variable goes through."""
    kind = type(value)
    if kind is list:
        items: Sequence[object] = value  # type: ignore[assignment]  # the line above says so
    elif isinstance(value, dict):
        items = [value[key] for key in sorted_keys(value)]
    elif isinstance(value, int) and kind is not bool:
        items = range(max(value, 0)) if kind is int else Counting(value)
    else:
        items = _items(value)
    run.charge(len(items))
    return items if run.scope.generated is None else Lap(items, value)


def pairs(run: Run, value: object) -> Sequence[tuple[object, object]]:
    """What `range` with two variables goes through: index or key, and element."""
    if isinstance(value, dict):
        run.charge(len(value))
        entries: list[tuple[object, object]] = [(key, value[key]) for key in sorted_keys(value)]
        return entries if run.scope.generated is None else Lap(entries, value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise EvalError(f"can't use {value} to iterate over more than one variable")
    if isinstance(value, GoObject) and isinstance(value.underlying(), dict):
        return pairs(run, value.underlying())
    items = value if isinstance(value, list) else _items(value)
    run.charge(len(items))
    numbered: list[tuple[object, object]] = list(enumerate(items))
    return numbered if run.scope.generated is None else Lap(numbered, items)


def holds_any(value: object) -> bool:
    """Whether Go sees an `any` in each of the things that `range` goes through."""
    if isinstance(value, dict):
        return not isinstance(value, TypedMap)
    return type_name(value) == "[]interface {}"


def _items(value: object) -> Sequence[object]:
    if value is None:
        return ()
    if isinstance(value, list):
        return value
    if isinstance(value, bytes):
        return [Uint8(byte) for byte in value]
    if isinstance(value, GoObject):
        inner = value.underlying()
        if isinstance(inner, dict):
            return [inner[key] for key in sorted_keys(inner)]
        if inner is not None:
            return inner
    raise EvalError(f"range can't iterate over {show(value)}")


# -- templates in templates --------------------------------------------------------------------


def invoke(run: Run, name: str, data: object, out: list[str]) -> None:
    """{{template}}: execute another template into the same output."""
    definition = run.templates.get(name)
    if definition is None:
        raise EvalError(f"template {quote(name)} not defined")
    run.charge(1)
    run.depth += 1
    if run.depth > run.scope.limits.depth:
        raise EvalError(f"exceeded maximum template depth ({GO_DEPTH})")
    (definition.strict_call if run.strict else definition.call)(run, data, out)
    run.depth -= 1


def include(run: Run, name: str, data: object) -> str:
    """Helm's include: what the named template prints."""
    if run.memory is not None and name != MAIN:
        return run.memory.include(run, name, data, _included)
    return _included(run, name, data)


def _included(run: Run, name: str, data: object) -> str:
    count = run.included.get(name, 0)
    if count > INCLUDES_OF_ONE_NAME:
        raise FunctionError(
            f"rendering template has a nested reference name: {name}: unable to execute template"
        )
    definition = run.templates.get(name)
    if definition is None:
        raise FunctionError(
            f"template: no template {quote(name)} associated with template {quote(MAIN)}"
        )
    run.included[name] = count + 1
    text = run.execute(definition, data)
    run.included[name] = count
    return text


def tpl(run: Run, text: str, data: object) -> str:
    """Helm's tpl: what the text prints as a template; what it defines is known to it alone."""
    if "{{" not in text:
        return text.replace("<no value>", "")
    defined = run.parse_text(text)
    outer, was_inside = run.templates, run.is_inside_tpl
    if len(defined) > 1:  # names may mean others in there
        run.is_inside_tpl = True
    inner = run.templates = dict(outer)
    inner.update(defined)
    try:
        result = run.execute(defined[MAIN], data)
    except ExecError as error:
        head = f"error during tpl function execution for {quote(text)}: "
        raise TplError(head, error) from error
    finally:
        run.templates, run.is_inside_tpl = outer, was_inside
    return result.replace("<no value>", "")


# -- from Go's chain of errors to Helm's text --------------------------------------------------

_WARNING = re.compile(r"HELM_ERR_START(.*)HELM_ERR_END", re.DOTALL)
_EXECUTING = re.compile(
    r'executing "(?P<name>[^"]*)" at <(?P<context>.*?)>: (?P<message>.*)', re.DOTALL
)


def helm_text(error: ExecError) -> str:
    """The text that Helm prints for a failed template."""
    text = error.text
    tokens = text.split(": ", 2)
    warning = _WARNING.search(tokens[2])
    if warning:
        return f"execution error at ({tokens[1]}): {warning[1]}"
    places: list[str] = []
    current: Exception | None = error
    while current is not None:
        place = _traced(current)
        if place is None:
            return text
        if not places or places[-1] != place:
            places.append(place)
        current = current.cause if isinstance(current, ExecError) else None
    return "".join(places).strip()


def _traced(error: Exception) -> str | None:
    """One level of the chain in Helm's form; None where Helm gives up and prints the chain."""
    if isinstance(error, TplError):
        return None
    if isinstance(error, ExecError):
        # The rest of the chain is cut off below; its first words suffice.
        rest = error.cause
        text = error.head + (
            (rest.head if isinstance(rest, ExecError | TplError) else str(rest)) if rest else ""
        )
    else:
        text = str(error)
    if not text.startswith("template: "):
        return None
    remainder = text.removeprefix("template: ")
    if remainder.startswith("no template "):
        return f"{text}\n"
    location, found, after = remainder.partition(": executing ")
    if found:
        match = _EXECUTING.fullmatch("executing " + after)
        if match is None:
            return None
        message = match["message"].split(" template:", 1)[0]
        return _place(location, match["name"], match["context"], message)
    location, found, message = remainder.rpartition(": ")
    if not found:
        return None
    return f"{location}\n  {message.split(' template:', 1)[0]}\n"


def _place(location: str, name: str, context: str, message: str) -> str:
    text = f'{location}\n  executing "{name}" at <{context}>:\n    '
    return f"{text}{message}\n" if message else text


ABI: Mapping[str, object] = {
    "MISS": MISS,
    "PARTS": PARTS_BEFORE_COUNTING,
    "Int32": Int32,
    "Int64": Int64,
    "Uint32": Uint32,
    "T": {member.name: member for member in GoType},
    "at_site": at_site,
    "call_member": call_member,
    "convert": convert,
    "elements": elements,
    "expect_member": expect_member,
    "field": field,
    "format_d": format_d,
    "format_s": format_s,
    "holds_any": holds_any,
    "include": include,
    "invoke": invoke,
    "named": named,
    "pairs": pairs,
    "reject": reject,
    "show": show,
    "squash": squash,
    "strict_field": strict_field,
    "tpl": tpl,
    "values_field": values_field,
}
