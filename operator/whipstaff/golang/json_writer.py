"""Write values as JSON, byte for byte as Go's encoding/json does."""

from typing import Any, Final

from whipstaff.golang.floats import format_json
from whipstaff.golang.json_values import (
    JSONError,
    finite,
    plain_value,
    quoted,
    refuse_cycle,
)
from whipstaff.golang.values import StructFields, sorted_keys

_INDENT: Final = "  "
# Indentation of a deep value takes the square of its depth: it would fill the memory.
_DEEPEST_INDENT: Final = 2_000


def dump(value: object) -> str:
    """Write a value on one line with `<`, `>` and `&` escaped; raise `JSONError` if Go does."""
    return _written(value, html=True, newline="")


def dump_raw(value: object) -> str:
    """Write a value on one line and leave `<`, `>` and `&` as they are."""
    return _written(value, html=False, newline="")


def dump_indent(value: object) -> str:
    """Write a value over several lines, indented by two spaces."""
    return _written(value, html=True, newline="\n")


def _written(value: object, *, html: bool, newline: str) -> str:
    out: list[str] = []
    try:
        _write(value, out, newline, html=html)
    except RecursionError:
        refuse_cycle(value)
        raise
    return "".join(out)


def _write(value: object, out: list[str], newline: str, *, html: bool) -> None:
    """Write a value; `newline` is a line break and the indentation so far, or nothing."""
    value = plain_value(value)
    if isinstance(value, str):
        out.append(quoted(value, html=html))
    elif isinstance(value, dict):
        _write_object(value, out, newline, html=html)
    elif isinstance(value, list):
        _write_array(value, out, newline, html=html)
    else:
        out.append(_word(value))


def _write_object(members: dict[str, Any], out: list[str], newline: str, *, html: bool) -> None:
    if not members:
        out.append("{}")
        return
    inner = _deeper(newline)
    lead = "{" + inner
    colon = ": " if newline else ":"
    for key in members if isinstance(members, StructFields) else sorted_keys(members):
        out.append(f"{lead}{quoted(key, html=html)}{colon}")
        _write(members[key], out, inner, html=html)
        lead = "," + inner
    out.append(newline + "}")


def _write_array(items: list[Any], out: list[str], newline: str, *, html: bool) -> None:
    if not items:
        out.append("[]")
        return
    inner = _deeper(newline)
    lead = "[" + inner
    for item in items:
        out.append(lead)
        _write(item, out, inner, html=html)
        lead = "," + inner
    out.append(newline + "]")


def _deeper(newline: str) -> str:
    if len(newline) > _DEEPEST_INDENT:
        raise RecursionError
    return newline and newline + _INDENT


def _word(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return format_json(finite(value))
    raise JSONError(f"json: unsupported type: {type(value).__name__}")
