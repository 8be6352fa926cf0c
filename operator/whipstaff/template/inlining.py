"""Calls of common functions that are compiled in place, because an expression is faster."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from whipstaff.template.code import Value, literal
from whipstaff.template.nodes import Node, String

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from whipstaff.template.functions.registry import Function

_PLAIN_VERBS = re.compile(r"%([sdv])")


def inline(
    function: Function,
    arguments: Sequence[Node],
    values: Sequence[Value],
    simple: Callable[[str], str],
) -> Value | None:
    """The call as an expression, where that is the same; None where it is not.

    `simple` turns an expression into a name, so that it can be written twice.
    """
    codes = [value.code for value in values]
    match function.name, codes:
        case "not" | "empty", [one]:
            return Value(f"not {one}", "", "bool")
        case "default", [fallback, given]:
            return Value(f"{given} or {fallback}", "")
        case "eq" | "ne", [_, _]:
            return _equality(function.name, values, simple)
        case "printf", [_, *_] if arguments and isinstance(arguments[0], String):
            return _formatted(arguments[0].text, values[1:], simple)
        case _:
            return None


def _equality(name: str, values: Sequence[Value], simple: Callable[[str], str]) -> Value:
    one, two = (simple(value.code) if not value.kind else value.code for value in values)
    operator = "==" if name == "eq" else "!="
    dynamic = [code for code, value in zip((one, two), values, strict=True) if value.kind != "str"]
    if not dynamic:
        return Value(f"{one} {operator} {two}", "", "bool")
    check = " is ".join(f"type({code})" for code in dynamic) + " is str"
    return Value(f"{one} {operator} {two} if {check} else f_{name}({one}, {two})", "", "bool")


def _formatted(
    template: str, values: Sequence[Value], simple: Callable[[str], str]
) -> Value | None:
    pieces = _PLAIN_VERBS.split(template)
    texts, verbs = pieces[0::2], pieces[1::2]
    if "%" in "".join(texts) or len(verbs) != len(values) or not verbs:
        return None
    parts = [literal(texts[0])] if texts[0] else []
    for verb, value, text in zip(verbs, values, texts[1:], strict=True):
        parts.append(_verb(verb, value, simple))
        if text:
            parts.append(literal(text))
    return Value(" + ".join(parts), "", "str")


def _verb(verb: str, value: Value, simple: Callable[[str], str]) -> str:
    if verb == "d":
        if value.kind == "int":
            return f"str({value.code})"
        code = simple(value.code)
        return f"(str({code}) if type({code}) is int else format_d({code}))"
    if value.kind == "str":
        return value.code
    code = simple(value.code)
    slow = "format_s" if verb == "s" else "f_print"
    return f"({code} if type({code}) is str else {slow}({code}))"
