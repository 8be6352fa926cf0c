"""Jinja2's sandbox, made narrower: what a template reaches is listed here, by kind of object."""

import math
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from types import CodeType
from typing import Any

from jinja2 import nodes, pass_context
from jinja2.environment import Template, TemplateModule
from jinja2.exceptions import SecurityError, TemplateNotFound, TemplateSyntaxError
from jinja2.loaders import BaseLoader
from jinja2.runtime import (
    BlockReference,
    Context,
    LoopContext,
    Macro,
    StrictUndefined,
    TemplateReference,
    Undefined,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from whipstaff.golang.values import GoObject
from whipstaff.jinja import functions
from whipstaff.jinja.values import go_value, kind_name, members, shown
from whipstaff.template import runtime
from whipstaff.template.engine import Budget
from whipstaff.template.errors import EvalError, LimitExceeded
from whipstaff.template.functions.bounds import check_size
from whipstaff.template.scope import RenderScope

TPL = "the text given to tpl"
_CODES_KEPT = 2_000
_COUNTED, _PRINTED = "counted by us", "printed by us"  # filters that only `map` could spell
_TESTS = frozenset(
    {
        *("boolean", "defined", "false", "in", "integer", "mapping", "none", "number"),
        *("sequence", "string", "true", "undefined"),
        *("eq", "ne", "lt", "le", "gt", "ge", "==", "!=", "<", "<=", ">", ">="),
    }
)
# Of anything else, Jinja2's own would compute `text % number`, or make one long text.
_TESTS_OF: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("divisibleby", "even", "odd"), (int, float)),
    **dict.fromkeys(("lower", "upper"), (str,)),
}
_LOOP = frozenset(
    {
        *("index", "index0", "revindex", "revindex0", "first", "last", "length"),
        *("depth", "depth0", "previtem", "nextitem"),
    }
)
_JINJA2_PASSES = frozenset({"_loop_vars", "_block_vars"})
_LOOP_METHODS = frozenset({"cycle", "changed"})


class Meter:
    """Counts what a render uses of the budget that all templates of a release share."""

    def __init__(self, scope: RenderScope, budget: Budget) -> None:
        self.scope = scope
        self._budget = budget

    def charge(self, steps: int) -> None:
        """Count steps; LimitExceeded when there are none left, or no time."""
        budget, limits = self._budget, self.scope.limits
        budget.steps -= steps
        if budget.steps < 0:
            raise LimitExceeded(f"rendering took more than {limits.steps} steps")
        if budget.deadline and time.monotonic() > budget.deadline:
            raise LimitExceeded(f"rendering took more than {limits.seconds} seconds")

    def counted(self, value: object) -> list[object] | range:
        """Return what a loop goes through, each round of it a step."""
        found = members(value)
        self.charge(len(found))
        return found


class _LoopMethod:
    """`loop.cycle` and `loop.changed`."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self.call = call


def _range(bounds: tuple[object, ...]) -> range:
    """Python's range, of no more numbers than a list may have."""
    whole = [one for one in bounds if isinstance(one, int) and not isinstance(one, bool)]
    if len(whole) != len(bounds):
        raise EvalError("range wants whole numbers")
    try:
        numbers = range(*whole)
    except (TypeError, ValueError) as error:
        raise EvalError("range wants a stop, or a start and a stop, and then a step") from error
    check_size(_length(numbers))
    return numbers


def _length(numbers: range) -> int:
    try:
        return len(numbers)
    except OverflowError:
        return sys.maxsize


# What templates call by these names; both are done in `Environment.call`.
RANGE, NAMESPACE = object(), object()


class Loader(BaseLoader):
    """The templates of one chart: what `import` and `include` name, to path and source."""

    def __init__(self, sources: Mapping[str, tuple[str, str]]) -> None:
        self._sources = sources

    def load(
        self,
        environment: "Environment",  # type: ignore[override]  # no other has this loader
        name: str,
        globals: object = None,  # noqa: A002 - Jinja2's own word
    ) -> Template:
        if not isinstance(name, str):
            raise EvalError(f"a template is named by a string, not by {kind_name(name)}")
        if name not in self._sources:
            raise TemplateNotFound(name, f"the chart has no template {name!r}")
        path, source = self._sources[name]
        return environment.template(path, source)


class Environment(ImmutableSandboxedEnvironment):
    """Renders the templates of one chart once."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})

    def __init__(self, loader: Loader, objects: Mapping[str, object], meter: Meter) -> None:
        super().__init__(
            loader=loader,
            undefined=StrictUndefined,
            finalize=_printed,
            optimized=False,  # constants are computed where they are counted, when rendering
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
        )
        self.meter = meter
        self.filters = _FILTERS  # type: ignore[assignment]  # Jinja2's own type is wider
        known: Mapping[str, Any] = self.tests
        self.tests = {name: known[name] for name in _TESTS}
        self.tests |= {name: _test_of(kinds, known[name]) for name, kinds in _TESTS_OF.items()}
        self.globals = {
            **functions.FUNCTIONS,
            "range": RANGE,
            "namespace": NAMESPACE,
            **objects,
        }

    # -- reading -------------------------------------------------------------------------------

    def getattr(self, obj: object, attribute: str) -> object:
        """Read `obj.attribute`; nothing of Python is reached by it."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: object, argument: object) -> object:
        """Read `obj[argument]`, which is the same."""
        if isinstance(obj, Undefined):
            str(obj)  # raises, and says what is missing
        is_name = isinstance(argument, str)
        found = _member(obj, str(argument)) if is_name else _element(obj, argument)
        if found is not _NOTHING:
            return found
        if is_name:
            return self.undefined(hint=f"{kind_name(obj)} has no {argument!r}", name=str(argument))
        return self.undefined(hint=f"{kind_name(obj)} has no element {kind_name(argument)}")

    def unsafe_undefined(self, obj: object, attribute: str) -> Undefined:
        return self.undefined(hint=f"{kind_name(obj)} has no {attribute!r}", exc=SecurityError)

    # -- calling and computing -----------------------------------------------------------------

    def call(self, context: Context, called: object, /, *given: object, **named: object) -> object:
        """Call what a template may call, and nothing else."""
        if isinstance(called, LoopContext):
            # A recursive loop goes through what it is called with.
            return context.call(called, *map(self.meter.counted, given), **named)
        if isinstance(called, Macro | BlockReference):
            self.meter.charge(1)
            return context.call(called, *given, **named)
        # Jinja2 passes on which variables a loop or block has; none of ours wants to know.
        named = {name: value for name, value in named.items() if name not in _JINJA2_PASSES}
        match called:
            case functions.HelmFunction() | functions.Method():
                return called.apply(self.meter, given, named)
            case _LoopMethod():
                return called.call(*given, **named)
            case Undefined():
                str(called)  # raises, and says what is missing
            case _ if called is RANGE and not named:
                return _range(given)
            case _ if called is NAMESPACE and not given:
                return Namespace(**named)
            case _:
                pass
        raise EvalError(f"{kind_name(called)} cannot be called")

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        """Compute, if the result is not too large."""
        self.meter.charge(1)
        _check_operands(operator, left, right)
        try:
            return self.binop_table[operator](left, right)
        except TypeError as error:
            words = f"{kind_name(left)} {operator} {kind_name(right)}"
            raise EvalError(f"cannot compute {words}") from error
        except (ArithmeticError, ValueError) as error:
            raise EvalError(f"cannot compute {operator}: {error}") from error

    # -- printing ------------------------------------------------------------------------------

    def concat(self, parts: Iterable[str]) -> str:
        """Join what a template or macro prints; LimitExceeded if it is too much."""
        limit = self.meter.scope.limits.output_bytes
        size = 0
        found: list[str] = []
        for part in parts:
            size += len(part)
            if size > limit:
                raise LimitExceeded(f"a template printed more than {limit} characters")
            found.append(part)
        return "".join(found)

    def print_text(self, text: str) -> str:
        """Return what a text prints as a template, for `tpl`."""
        self.meter.charge(1)
        try:
            template = self.template(TPL, text)
        except TemplateSyntaxError as error:
            raise EvalError(f"{TPL}:{error.lineno}: {error.message}") from error
        return self.concat(template.root_render_func(template.new_context()))

    # -- compiling -----------------------------------------------------------------------------

    def template(self, path: str, source: str) -> Template:
        """Compile a template, or take its code from an earlier render."""
        code = _CODES.get((path, source))
        if code is None:
            code = _CODES[path, source] = self.compile(source, path, path)
            if len(_CODES) > _CODES_KEPT:
                _CODES.popitem(last=False)
        return self.template_class.from_code(self, code, self.globals)

    def _generate(
        self,
        source: nodes.Template,
        name: str | None,
        filename: str | None,
        defer_init: bool = False,
    ) -> str:
        """Have every loop counted and everything that is joined printed our way."""
        for constant in source.find_all(nodes.Const):
            if isinstance(constant.value, float) and not math.isfinite(constant.value):
                # Python would take what stands for it for a name.
                raise TemplateSyntaxError("a number is out of range", constant.lineno, name)
        for loop in source.find_all(nodes.For):
            loop.iter = _filtered(loop.iter, _COUNTED)
        for joined in source.find_all(nodes.Concat):
            joined.nodes = [_filtered(one, _PRINTED) for one in joined.nodes]
        return super()._generate(source, name, filename, defer_init=defer_init)


def _test_of(kinds: tuple[type, ...], test: Callable[..., object]) -> Callable[..., bool]:
    def asked(*given: object) -> bool:
        return all(isinstance(one, kinds) for one in given) and bool(test(*given))

    return asked


_NOTHING = object()
_CODES: OrderedDict[tuple[str, str], CodeType] = OrderedDict()


def _filtered(node: nodes.Expr | nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _member(obj: object, name: str) -> object:
    """Read what a name means on an object of a kind that is known; _NOTHING otherwise."""
    match obj:
        case dict():
            return shown(obj[name]) if name in obj else _NOTHING
        case GoObject():
            return _go_member(obj, name)
        case LoopContext() if name in _LOOP:
            return getattr(obj, name)
        case LoopContext() if name in _LOOP_METHODS:
            return _LoopMethod(getattr(obj, name))
        case TemplateModule() if not name.startswith("_"):
            return vars(obj).get(name, _NOTHING)
        case TemplateReference():
            return _block(obj, name)
        case BlockReference() if name == "super":
            return obj.super
        case _:
            variables = isinstance(obj, Namespace) and not name.startswith("_")
            return getattr(obj, name, _NOTHING) if variables else _NOTHING


def _go_member(obj: GoObject, name: str) -> object:
    method = obj.methods().get(name)
    if method is not None:
        call, signature = method
        # As in Go: what takes no arguments is read like a field.
        return functions.Method(name, call, signature) if signature.params else call()
    getter = obj.fields().get(name)
    if getter is not None:
        return getter()
    inner = obj.underlying()
    return _member(inner, name) if isinstance(inner, dict) else _NOTHING


def _block(reference: TemplateReference, name: str) -> object:
    try:
        return reference[name]
    except KeyError:
        return _NOTHING


def _element(obj: object, position: object) -> object:
    if isinstance(obj, GoObject):
        obj = obj.underlying()
    if not isinstance(obj, list | tuple | str | range) or type(position) is not int:
        return _NOTHING
    try:
        return shown(obj[position])
    except IndexError:
        return _NOTHING


def _check_operands(operator: str, left: object, right: object) -> None:
    """Refuse what would take memory without bounds, or is a language of its own."""
    for one in (left, right):
        if isinstance(one, int):
            go_value(one)  # numbers have 64 bits
    if isinstance(left, str | bytes) and operator == "%":
        raise EvalError("a string cannot be formatted with %: use printf")
    if operator == "**" and not _is_small_power(left, right):
        raise EvalError("a number beyond 64 bits")
    sizes = [len(one) for one in (left, right) if isinstance(one, str | bytes | list | tuple)]
    counts = [one for one in (left, right) if isinstance(one, int)]
    if operator == "*" and sizes and counts:
        check_size(sizes[0] * counts[0])
    elif operator == "+":
        check_size(sum(sizes))


def _is_small_power(base: object, exponent: object) -> bool:
    if not isinstance(base, int | float) or not isinstance(exponent, int | float):
        return True  # and an error of another kind
    return abs(exponent) <= 64 or abs(base) <= 1  # noqa: PLR2004 - bits of a number


@pass_context
def _printed(context: Context, value: object) -> str:
    """Print a value as a Go template would; nothing for null."""
    if type(value) is str:
        return value
    known = go_value(value)
    return "" if known is None else runtime.show(known)


@pass_context
def _rounds(context: Context, value: object) -> object:
    environment = context.environment
    assert isinstance(environment, Environment)  # noqa: S101 - no other has this filter
    return environment.meter.counted(value)


_FILTERS: Mapping[str, Callable[..., object]] = {
    **functions.filters(),
    _COUNTED: _rounds,
    _PRINTED: _printed,
}
