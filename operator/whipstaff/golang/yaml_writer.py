"""Write values as YAML, byte for byte as sigs.k8s.io/yaml does: as JSON, then in block style."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from whipstaff.golang.floats import format_g, format_json
from whipstaff.golang.json_values import (
    JSONError,
    finite,
    plain_value,
    quoted,
    refuse_cycle,
)
from whipstaff.golang.yaml_keys import natural_order
from whipstaff.golang.yaml_reader import YAMLError
from whipstaff.golang.yaml_scalars import INT64_MIN, UINT64_MAX
from whipstaff.golang.yaml_style import WIDTH, is_simple_key, one_line, remembered, string

# A longer JSON key is no simple key for the YAML parser through which the JSON goes.
_LONGEST_JSON_KEY: Final = 1024
_LONGEST_ESCAPE: Final = 6
_SHORT_KEY: Final = 40
# Indentation of a deep value takes the square of its depth: it would fill the memory.
_DEEPEST_INDENT: Final = 2_000
_FEW_KEYS: Final = 64
_ALTERED_BY_JSON = re.compile("[\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_REFUSED_BY_YAML = re.compile("[\x7f-\x84\x86-\x9f\ufffe\uffff]")
_NEXT_LINES = re.compile(" *\x85[ \x85]*")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def dump(value: object) -> str:
    """Write a value, its last line end included; raise `YAMLError` where Go refuses it."""
    out: list[str] = []
    try:
        try:
            _root(plain_value(value), out)
        except RecursionError:
            refuse_cycle(value)
            raise
    except JSONError as error:
        raise YAMLError(f"error marshaling into JSON: {error.text}") from error
    return "".join(out)


def _root(value: object, out: list[str]) -> None:
    if isinstance(value, dict) and value:
        _mapping(value, 0, out, "")
    elif isinstance(value, list) and value:
        _sequence(value, 0, out, "")
    elif isinstance(value, str):
        out.append(string(_through_json(value), 0, 0))
    else:
        out.append(_word(value) + "\n")


def _mapping(mapping: dict[str, Any], indent: int, out: list[str], lead: str) -> None:
    """Write a mapping: its first key follows `lead`, the others start at `indent`.

    Values are `Any` for speed: this is where rendering spends its time, and a cast is a call.
    """
    if indent > _DEEPEST_INDENT:
        raise RecursionError
    padding = " " * indent
    for key in _ordered(mapping):
        value = mapping[key]
        name = remembered.get(key) if len(key) <= _SHORT_KEY else None
        if name is None:
            key = _key_through_json(key)  # noqa: PLW2901 - the key as Go has it from here on
            if not is_simple_key(key):
                out.append(f"{lead}? {string(key, indent, indent + 2)}{padding}:")
                _value_of_complex_key(value, indent, out)
                lead = padding
                continue
            name = one_line(key)
        if value.__class__ is str:
            line = remembered.get(value)
            start = indent + len(name) + 2
            if line is None or start + len(line) > WIDTH:
                out.append(f"{lead}{name}: {string(_through_json(value), indent, start)}")
            else:
                out.append(f"{lead}{name}: {line}\n")
            lead = padding
            continue
        value = plain_value(value)
        if isinstance(value, dict) and value:
            out.append(f"{lead}{name}:\n")
            _mapping(value, indent + 2, out, padding + "  ")
        elif isinstance(value, list) and value:
            out.append(f"{lead}{name}:\n")
            _sequence(value, indent, out, padding)
        elif isinstance(value, str):
            text = string(_through_json(value), indent, indent + len(name) + 2)
            out.append(f"{lead}{name}: {text}")
        else:
            out.append(f"{lead}{name}: {_word(value)}\n")
        lead = padding


def _sequence(items: list[Any], indent: int, out: list[str], lead: str) -> None:
    """Write a sequence: its first dash follows `lead`, the others start at `indent`."""
    if indent > _DEEPEST_INDENT:
        raise RecursionError
    padding = " " * indent
    for item in items:
        value = plain_value(item)
        if isinstance(value, str):
            out.append(f"{lead}- {string(_through_json(value), indent, indent + 2)}")
        elif isinstance(value, dict) and value:
            _mapping(value, indent + 2, out, lead + "- ")
        elif isinstance(value, list) and value:
            _sequence(value, indent + 2, out, lead + "- ")
        else:
            out.append(f"{lead}- {_word(value)}\n")
        lead = padding


def _value_of_complex_key(value: object, indent: int, out: list[str]) -> None:
    value = plain_value(value)
    if isinstance(value, dict) and value:
        _mapping(value, indent + 2, out, " ")
    elif isinstance(value, list) and value:
        _sequence(value, indent + 2, out, " ")
    elif isinstance(value, str):
        out.append(" " + string(_through_json(value), indent, indent + 2))
    else:
        out.append(f" {_word(value)}\n")


def _word(value: object) -> str:
    """Write what needs no style: null, a truth value, a number or an empty collection."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return number(value)
    return "{}" if isinstance(value, dict) else "[]"


def number(value: float) -> str:
    """Write a float as YAML has it after JSON: whole ones that fit 64 bits are integers."""
    text = format_json(finite(value))
    if value.is_integer() and "e" not in text and INT64_MIN <= (whole := int(text)) <= UINT64_MAX:
        return str(whole)
    return format_g(value)


def _through_json(text: str) -> str:
    """Give the string that is left after JSON has been written and read back as YAML."""
    if (text.isascii() and "\x7f" not in text) or not _ALTERED_BY_JSON.search(text):
        return text
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    text = _LONE_SURROGATE.sub("\ufffd", text)
    if _REFUSED_BY_YAML.search(text):
        raise YAMLError("yaml: control characters are not allowed")
    # A NEL is a line break to the YAML parser, even in quotes: it folds.
    return _NEXT_LINES.sub(lambda run: "\n" * (run[0].count("\x85") - 1) or " ", text)


def _key_through_json(key: str) -> str:
    """Give the key that is left after JSON; long keys and keys over lines do not come through."""
    long = len(key) * _LONGEST_ESCAPE > _LONGEST_JSON_KEY and len(quoted(key)) > _LONGEST_JSON_KEY
    if long or "\x85" in key:
        raise YAMLError("yaml: did not find expected ',' or '}'")
    return _through_json(key)


def _ordered(mapping: dict[str, Any]) -> Iterable[str]:
    if len(mapping) == 1:
        return mapping
    return _sorted(tuple(mapping)) if len(mapping) <= _FEW_KEYS else natural_order(mapping)


@lru_cache(maxsize=4096)
def _sorted(keys: tuple[str, ...]) -> Sequence[str]:
    return tuple(natural_order(keys))
