"""Write values as the newer YAML library of Go does: sequences indented, long lines left long.

Values do not go through JSON here: floats keep their exponents, bytes are lists of numbers.
"""

import base64
import re
from collections.abc import Iterable
from typing import Any, Final

from whipstaff.golang.durations import format_duration
from whipstaff.golang.floats import format_g
from whipstaff.golang.timefmt import GoTime
from whipstaff.golang.values import Duration, Float32, GoObject, StructFields
from whipstaff.golang.yaml_keys import natural_order
from whipstaff.golang.yaml_reader import YAMLError
from whipstaff.golang.yaml_style import is_simple_key, one_line, unfolded

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_BASE64_LINE: Final = 70
# Indentation of a deep value takes the square of its depth: it would fill the memory.
_DEEPEST_INDENT: Final = 2_000
_NOT_FINITE: Final = {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}


def dump_pretty(value: object) -> str:
    """Write a value, its last line end included; one that holds itself is too deep."""
    out: list[str] = []
    value = _plain(value)
    if _is_block(value):
        _block(value, 0, out, "")
    else:
        out.append(_scalar(value, 0))
    return "".join(out)


def _is_block(value: object) -> bool:
    return isinstance(value, (dict, list)) and bool(value)


def _block(value: Any, indent: int, out: list[str], lead: str) -> None:  # noqa: ANN401 - see _is_block
    """Write a collection that holds something; its first member follows `lead`."""
    if indent > _DEEPEST_INDENT:
        raise RecursionError
    if isinstance(value, dict):
        _mapping(value, indent, out, lead)
        return
    for item in value:
        member = _plain(item)
        if _is_block(member):
            _block(member, indent + 2, out, lead + "- ")
        else:
            out.append(f"{lead}- {_scalar(member, indent)}")
        lead = " " * indent


def _mapping(mapping: dict[str, object], indent: int, out: list[str], lead: str) -> None:
    padding = " " * indent
    if isinstance(mapping, StructFields):
        keys: Iterable[str] = mapping
    else:
        keys = natural_order(mapping, letters_after_digits=True)
    for key in keys:
        name = _simple_key(key)
        value = _plain(mapping[key])
        if name is None:
            out.append(f"{lead}? {_scalar(key, indent)}{padding}:")
        else:
            out.append(f"{lead}{name}:")
        if not _is_block(value):
            out.append(f" {_scalar(value, indent)}")
        elif name is None:
            _block(value, indent + 2, out, " ")
        else:
            out.append("\n")
            _block(value, indent + 2, out, padding + "  ")
        lead = padding


def _simple_key(key: str) -> str | None:
    if not key.isascii() and _LONE_SURROGATE.search(key):
        key = _binary(key)
        return key if is_simple_key(key) else None
    return one_line(key) if is_simple_key(key) else None


def _scalar(value: object, indent: int) -> str:
    """Write what is no block, its line end included."""
    if isinstance(value, str):
        if value.isascii() or not _LONE_SURROGATE.search(value):
            return unfolded(value, indent)
        tag, _, lines = _binary(value).partition(" ")
        return f"{tag} {unfolded(lines, indent)}" if "\n" in lines else f"{tag} {lines}\n"
    if isinstance(value, bool):
        word = "true" if value else "false"
    elif isinstance(value, int):
        word = int.__repr__(value)
    elif isinstance(value, float):
        text = format_g(value, bits=32 if isinstance(value, Float32) else 64)
        word = _NOT_FINITE.get(text, text)
    elif value is None:
        word = "null"
    elif isinstance(value, GoTime):
        word = value.go_json()  # a timestamp, so without quotes
    else:
        word = "{}" if isinstance(value, dict) else "[]"
    return word + "\n"


def _binary(text: str) -> str:
    """Write bytes that are no UTF-8 with their tag, in lines of 70 if one does not do."""
    encoded = base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")
    if len(encoded) >= _BASE64_LINE:
        starts = range(0, len(encoded), _BASE64_LINE)
        encoded = "".join(encoded[start : start + _BASE64_LINE] + "\n" for start in starts)
    return f"!!binary {encoded}"


def _plain(value: object) -> object:
    """Give the map, list or scalar that a Go value is to reflection."""
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, Duration):
        return format_duration(value)
    if isinstance(value, complex):
        raise YAMLError("cannot marshal type: complex128")
    if not isinstance(value, GoObject):
        return value
    if isinstance(value, GoTime | int):
        return value
    for inner in (value.go_text(), value.underlying()):
        if inner is not None:
            return inner
    return StructFields({name.lower(): getter() for name, getter in value.fields().items()})
