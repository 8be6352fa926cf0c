"""Constants of the template language as Python source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whipstaff.golang.values import GoType
from whipstaff.template.code import literal
from whipstaff.template.nodes import Bool, Nil, Number, String

if TYPE_CHECKING:
    from collections.abc import Mapping

# How error messages name the constant that a parameter wants.
_WANTED: Mapping[GoType, str] = {
    GoType.STRING: "string",
    GoType.BOOL: "bool",
    GoType.INT: "integer",
    GoType.INT32: "integer",
    GoType.INT64: "integer",
    GoType.DURATION: "integer",
    GoType.FLOAT64: "float",
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


def typed_constant(node: Bool | Number | String, param: GoType) -> tuple[str, str] | str:
    """The source and Python type of a constant for a parameter, or what Go says if it is unfit."""
    match param, node:
        case GoType.STRING, String():
            return literal(node.text), "str"
        case GoType.BOOL, Bool():
            return literal(node.value), "bool"
        case GoType.INT, Number() if node.as_int is not None:
            return literal(node.as_int), "int"
        case GoType.INT32, Number() if node.as_int is not None:
            return f"Int32({literal(node.as_int)})", "Int32"
        case GoType.INT64 | GoType.DURATION, Number() if node.as_int is not None:
            return f"Int64({literal(node.as_int)})", "Int64"
        case GoType.FLOAT64, Number() if node.as_float is not None:
            return literal(node.as_float), "float"
    if param in _WANTED:
        return f"expected {_WANTED[param]}; found {node}"
    return f"can't handle {node} for arg of type {param.value}"
