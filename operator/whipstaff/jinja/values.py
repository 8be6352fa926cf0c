"""What crosses between Go's values and a Jinja2 template, in both directions."""

from collections.abc import Mapping, Sequence

from jinja2.runtime import Undefined

from whipstaff.golang.values import (
    GoObject,
    GoType,
    Int32,
    Int64,
    JSONNumber,
    TypedList,
    sorted_keys,
    type_name,
)
from whipstaff.template.errors import EvalError

_EXACT = 1 << 53  # up to here every whole float64 is the number that was written
_INT64_BEYOND = 1 << 63
_INTEGERS: Mapping[GoType, type[int]] = {
    GoType.INT: int,
    GoType.INT32: Int32,
    GoType.INT64: Int64,
}
_ATOMS = frozenset({str, bool, float, bytes, type(None)})


def shown(value: object) -> object:
    """Return a value as a template sees it: a whole number is an int.

    Helm reads every number of a YAML file as a float64; here 8080 is to be 8080, not 8.08e+03.
    """
    if type(value) is float and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return shown(float(value)) if isinstance(value, JSONNumber) else value


def copied(value: object) -> object:
    """Copy a table with all that is in it, so that it can be changed."""
    match value:
        case dict():
            return {key: copied(member) for key, member in value.items()}
        case list():
            return [copied(member) for member in value]
        case _:
            return value


def go_value(value: object) -> object:
    """Return what a template computed as Helm's functions want it; EvalError if it is no value."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    match value:
        case GoObject() | bool():
            return value
        case int():
            if not -_INT64_BEYOND <= value < 2 * _INT64_BEYOND:  # uint64 is the widest
                raise EvalError("a number beyond 64 bits")
            return value
        case float() | bytes():
            return value
        case str():
            return str.__str__(value)
        case Undefined():
            str(value)  # raises, and says what is missing
            return None
        case dict():
            return go_table(value)
        case list() | tuple() | range():
            return _list(value)
        case _:
            raise EvalError("a macro, a loop or a template is no value")


def go_table(value: dict[str, object]) -> dict[str, object]:
    """Return a table whose members are Go values; EvalError if a key is no string."""
    if type(value) is not dict:
        return value  # of Go's side, where all members are Go's
    result: dict[str, object] = {}
    for key, member in value.items():
        if not isinstance(key, str):
            raise EvalError("the keys of a table must be strings")
        result[str.__str__(key)] = go_value(member)
    return result


def _list(value: Sequence[object]) -> list[object]:
    return value if isinstance(value, TypedList) else [go_value(member) for member in value]


def as_parameter(value: object, param: GoType) -> object:
    """Give a whole number the width that a parameter wants: a template's author knows but one."""
    if type(value) in {int, Int64} and isinstance(value, int):
        if param in _INTEGERS:
            return _INTEGERS[param](value)
        if param is GoType.FLOAT64:
            return float(value)
    return value


def kind_name(value: object) -> str:
    """Name a value's kind for people who write templates."""
    match value:
        case None:
            return "null"
        case dict():
            return "a table"
        case list() | tuple() | range():
            return "a list"
        case str():
            return "a string"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case GoObject():
            return type_name(value)
        case _:
            return "something that is no value"


def members(value: object) -> list[object] | range:
    """Return what a loop goes through: a list's members, a table's keys in order; or EvalError."""
    match value:
        case list() | tuple():
            return [shown(member) for member in value]
        case range():
            return value
        case dict():
            return list(sorted_keys(go_table(value)))
        case GoObject():
            inner = value.underlying()
            if inner is not None:
                return members(inner)
        case Undefined():
            str(value)  # raises, and says what is missing
        case _:
            pass
    raise EvalError(f"a loop goes through lists and tables; this is {kind_name(value)}")
