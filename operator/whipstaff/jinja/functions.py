"""Helm's functions for Jinja2 templates: called as in Go, or as filters.

A filter gets the piped value as its last argument, as in Go's pipelines: `text | nindent(4)` is
`nindent(4, text)`. What changes a table in Go gives a changed copy here.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from jinja2 import filters as jinja_filters
from jinja2 import pass_context
from jinja2.runtime import Context, Undefined
from jinja2.utils import _PassArg

from whipstaff.golang.values import GoSignature, GoType
from whipstaff.jinja.values import as_parameter, copied, go_value, kind_name, shown
from whipstaff.template import members
from whipstaff.template.errors import EvalError, FunctionError, LimitExceeded
from whipstaff.template.functions.catalogue import REGISTRY
from whipstaff.template.functions.registry import Function

if TYPE_CHECKING:
    from whipstaff.jinja.environment import Environment, Meter

# Jinja2 has its own words for these, or templates in another form.
_ELSEWHERE = frozenset({"and", "or", "not", "call", "include", "tpl"})
# These are asked about what may not be there.
_TOLERANT = frozenset({"coalesce", "default", "empty", "required"})
_CHANGING = frozenset(
    {"merge", "mergeOverwrite", "mustMerge", "mustMergeOverwrite", "set", "unset"}
)
_WARNING = ("HELM_ERR_START", "HELM_ERR_END")  # around what a chart's author says itself
# Filters of Jinja2's that Helm has nothing like, by themselves harmless.
_JINJA_FILTERS = ("map", "reject", "rejectattr", "select", "selectattr", "sort", "sum", "unique")


class HelmFunction:
    """A function as templates call it: `nindent(4, text)`."""

    __slots__ = ("_function", "_signature")

    def __init__(self, function: Function) -> None:
        self._function = function
        self._signature = GoSignature(function.params, function.variadic)

    def apply(self, meter: "Meter", given: Iterable[object], named: Mapping[str, object]) -> object:
        """Call it; EvalError with Helm's own words if it fails."""
        name = self._function.name
        meter.charge(1)
        if named:
            raise EvalError(f"{name} takes no arguments by name")
        values = [self._argument(value) for value in given]
        pairs = zip(values, self._params(len(values)), strict=True)
        values = [as_parameter(value, param) for value, param in pairs]
        checked = _checked(name, self._signature, values)
        if name in _CHANGING:
            checked[0] = copied(checked[0])
        if self._function.scoped:
            checked.insert(0, meter.scope)
        return _called(name, self._function.call, checked)

    def _argument(self, value: object) -> object:
        if isinstance(value, Undefined) and self._function.name in _TOLERANT:
            return None
        return go_value(value)

    def _params(self, count: int) -> list[GoType]:
        rest = self._signature.variadic or GoType.ANY
        known = list(self._signature.params[:count])
        return known + [rest] * (count - len(known))


class Method:
    """A method of an object, such as `Files.Get`."""

    __slots__ = ("_call", "_name", "_signature")

    def __init__(self, name: str, call: Callable[..., object], signature: GoSignature) -> None:
        self._name = name
        self._call = call
        self._signature = signature

    def apply(self, meter: "Meter", given: Iterable[object], named: Mapping[str, object]) -> object:
        """Call it; EvalError if it fails."""
        meter.charge(1)
        if named:
            raise EvalError(f"{self._name} takes no arguments by name")
        values = [go_value(value) for value in given]
        checked = _checked(self._name, self._signature, values)
        return _called(self._name, self._call, checked)


def _checked(name: str, signature: GoSignature, values: list[object]) -> list[object]:
    try:
        return members.checked(name, signature, values, [(0, True, None)] * len(values))
    except EvalError as error:
        raise EvalError(f"{name}: {error}") from error


def _called(name: str, call: Callable[..., object], arguments: list[object]) -> object:
    try:
        return shown(call(*arguments))
    except FunctionError as error:
        text = str(error)
        if text.startswith(_WARNING[0]):
            said = text.removeprefix(_WARNING[0]).removesuffix(_WARNING[1])
            raise EvalError(said) from error
        raise EvalError(f"error calling {name}: {text}") from error
    except (EvalError, LimitExceeded, MemoryError, SystemError, RecursionError):
        raise
    except Exception as error:
        # As in a Go template: what no function foresaw is named by its kind.
        raise EvalError(f"error calling {name}: {type(error).__name__}") from error


FUNCTIONS: Mapping[str, HelmFunction] = {
    name: HelmFunction(function) for name, function in REGISTRY.items() if name not in _ELSEWHERE
}


def _as_filter(function: HelmFunction) -> Callable[..., object]:
    # Jinja2 computes no filter of constants beforehand that wants the context.
    @pass_context
    def piped(context: Context, value: object, *given: object, **named: object) -> object:
        return function.apply(_meter(context), [*given, value], named)

    return piped


def _counted(name: str) -> Callable[..., object]:
    """One of Jinja2's own filters: it gets a list whose members count as steps, and gives one."""
    call: Any = jinja_filters.FILTERS[name]
    wants_context = _PassArg.from_obj(call) is _PassArg.context

    @pass_context
    def piped(context: Context, value: object, *given: object, **named: object) -> object:
        meter = _meter(context)
        first = context if wants_context else context.environment
        found = call(first, meter.counted(value), *given, **named)
        return found if isinstance(found, int | float | str) else list(found)

    return piped


@pass_context
def _items(context: Context, value: object) -> list[tuple[str, object]]:
    """The keys and members of a table, in the order of its keys."""
    if isinstance(value, Undefined):
        str(value)  # raises, and says what is missing
    if not isinstance(value, dict):
        raise EvalError(f"items wants a table, this is {kind_name(value)}")
    return [(str(key), shown(value[str(key)])) for key in _meter(context).counted(value)]


@pass_context
def _tpl(context: Context, value: object) -> str:
    """What a text prints as a template of this chart."""
    text = go_value(value)
    if not isinstance(text, str):
        raise EvalError(f"tpl wants a string, this is {kind_name(value)}")
    return cast("Environment", context.environment).print_text(text)


def _meter(context: Context) -> "Meter":
    return cast("Environment", context.environment).meter


def filters() -> dict[str, Callable[..., object]]:
    """Return all filters by name; where Helm and Jinja2 use one name it is Helm's."""
    found = {name: _counted(name) for name in _JINJA_FILTERS}
    found |= {name: _as_filter(function) for name, function in FUNCTIONS.items()}
    found |= {"items": _items, "tpl": _tpl}
    return found
