"""Constants of the template language as Python source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whipstaff.golang.values import GoInt, GoType, Int32, Int64, Uint32
from whipstaff.template.code import literal
from whipstaff.template.nodes import Bool, Nil, Number, String

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# How error messages name the constant that a parameter wants.
WANTED: Mapping[GoType, str] = {
    GoType.STRING: "string",
    GoType.BOOL: "bool",
    GoType.INT: "integer",
    GoType.INT32: "integer",
    GoType.INT64: "integer",
    GoType.UINT32: "unsigned integer",
    GoType.DURATION: "integer",
    GoType.FLOAT64: "float",
}

_INTEGERS = frozenset({"integer", "unsigned integer"})
_SIZED: Mapping[GoType, Callable[[int], int]] = {
    GoType.INT32: Int32.wrap,
    GoType.INT64: Int64,
    GoType.DURATION: Int64,
    GoType.UINT32: Uint32.wrap,
}


def constant_of(node: Bool | String | Nil) -> tuple[str, str]:
    """The source and the Python type of a constant, where any type will do."""
    match node:
        case Bool():
            return literal(node.value), "bool"
        case String():
            return literal(node.text), "str"
        case Nil():
            return "None", ""


def number_value(node: Number) -> complex | None:
    """A number where any type will do; None if it is too large to be an int."""
    text = node.text
    if node.as_complex is not None:
        return node.as_complex
    hexadecimal = text[:2] in {"0x", "0X"} and not any(c in text for c in "pP")
    is_float = not hexadecimal and text[0] != "'" and any(c in text for c in ".eEpP")
    return node.as_float if is_float and node.as_float is not None else node.as_int


def typed_constant(node: Bool | Number | String, param: GoType) -> tuple[str, str] | str:
    """The source and Python type of a constant for a parameter, or what Go says if it is unfit."""
    value, problem = typed_value(node, param)
    if problem:
        return problem
    kind = type(value).__name__
    if isinstance(value, GoInt):
        return f"{kind}({literal(int(value))})", kind
    return literal(value), kind


def typed_value(
    node: Bool | Number | String, param: GoType
) -> tuple[bool | int | float | str | None, str]:
    """A constant as a value for a parameter, and what Go says if it is unfit."""
    match param, node:
        case GoType.STRING, String():
            return node.text, ""
        case GoType.BOOL, Bool():
            return node.value, ""
        case GoType.INT, Number() if node.as_int is not None:
            return node.as_int, ""
        case _, Number() if param in _SIZED and (whole := _whole(node, param)) is not None:
            return _SIZED[param](whole), ""
        case GoType.FLOAT64, Number() if node.as_float is not None:
            return node.as_float, ""
    if param in WANTED:
        return None, f"expected {WANTED[param]}; found {node}"
    return None, f"can't handle {node} for arg of type {param.value}"


def _whole(node: Number, param: GoType) -> int | None:
    return node.as_uint if param is GoType.UINT32 else node.as_int


def as_constant(value: object, param: GoType) -> object:
    """What a constant of this value is to a parameter, None if it is unfit.

    For methods, whose parameters are known only when the value is there.
    """
    if isinstance(value, complex) and not value.imag:
        value = value.real
    match param, value:
        case (GoType.STRING, str()) | (GoType.BOOL, bool()):
            return value
        case GoType.FLOAT64, float() | int() if not isinstance(value, bool):
            return float(value)
        case _, float() | int() if WANTED.get(param) in _INTEGERS and not isinstance(value, bool):
            whole = int(value) if value == value // 1 else None
            if whole is None or (param is GoType.UINT32 and whole < 0):
                return None
            return _SIZED.get(param, int)(whole)
    return None
