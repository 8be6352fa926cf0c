"""Fields and methods of values, and what is given to methods and functions as their arguments.

A fast path stands in what the compiler and the interpreter make; it ends here whenever a value is
not what most are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whipstaff.golang.nil_values import NilList, NilMap, NilStrings
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import (
    ChartValues,
    GoObject,
    GoSignature,
    GoType,
    NamedMap,
    TypedMap,
    type_name,
)
from whipstaff.template.constants import WANTED, as_constant
from whipstaff.template.errors import EvalError, FunctionError
from whipstaff.template.values_methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from whipstaff.template.execution import Run

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
