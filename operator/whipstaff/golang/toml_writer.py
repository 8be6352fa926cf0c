"""Write values as TOML, byte for byte as BurntSushi's encoder does for maps, lists and scalars."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from whipstaff.golang.durations import format_duration
from whipstaff.golang.floats import format_g
from whipstaff.golang.json_values import plain_value
from whipstaff.golang.nil_values import is_nil, is_nil_slice
from whipstaff.golang.timefmt import RFC3339_NANO, GoTime
from whipstaff.golang.values import (
    Duration,
    Float32,
    GoObject,
    JSONNumber,
    StructFields,
    sorted_keys,
)

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
# Times without a zone come from TOML itself, and go back as they were written.
_LAYOUTS: Final = {
    "datetime-local": "2006-01-02T15:04:05.999999999",
    "date-local": "2006-01-02",
    "time-local": "15:04:05.999999999",
}
# A deep table repeats the keys above it: all in all they take the square of its depth.
_DEEPEST_KEY: Final = 1_000
_SPECIAL = re.compile(r'["\\\x00-\x1f\x7f]')
_ESCAPES: Final = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}


class TOMLError(ValueError):
    """A value or a text that the TOML library refuses, in its words."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class TOMLPanic(TOMLError):
    """What makes the library panic; no function of Helm's swallows it."""


def dump(value: object) -> str:
    """Write a map as a document; a scalar or a list alone is written as the bare value."""
    writer = _Writer()
    if value is None:
        raise TOMLPanic("reflect: call of reflect.Value.Type on zero Value")
    writer.encode([], value)
    return "".join(writer.out)


class _Writer:
    """What has been written so far; sub-tables follow the plain keys of their table."""

    def __init__(self) -> None:
        self.out: list[str] = []

    def encode(self, key: list[str], value: object) -> None:
        """Write a value under its key; nil is not written."""
        if len(key) > _DEEPEST_KEY:
            raise RecursionError
        if not key and is_nil_slice(value):
            self.out.append("[]")
            return
        value = _reflected(value)
        if value is None:
            return
        if isinstance(value, Mapping):
            self._table(key, value)
        elif _is_table_array(value):
            self._array_of_tables(key, value)
        elif isinstance(value, complex):
            raise TOMLError("unsupported type for key '': complex128")  # elsewhere it is no element
        elif not key:
            self.out.append(_element(value))
        else:
            indent = "  " * (len(key) - 1)
            self.out.append(f"{indent}{_quoted_key(key[-1])} = {_element(value)}\n")

    def _table(self, key: list[str], table: Mapping[str, object]) -> None:
        if len(key) == 1:
            self._blank_line()
        if key:
            self.out.append(f"{'  ' * (len(key) - 1)}[{joined_key(key)}]\n")
        self._members(key, table)

    def _array_of_tables(self, key: list[str], tables: object) -> None:
        if not key:
            raise TOMLError("toml: top-level values must be Go maps or structs")
        if isinstance(tables, list):
            for table in tables:
                self._blank_line()
                self.out.append(f"{'  ' * (len(key) - 1)}[[{joined_key(key)}]]\n")
                self._members(key, table)

    def _members(self, key: list[str], table: Mapping[str, object]) -> None:
        direct, below = _split(table)
        for name in [*direct, *below]:
            self.encode([*key, name], table[name])

    def _blank_line(self) -> None:
        if self.out:
            self.out.append("\n")


def _reflected(value: object) -> object:
    """Give the map, list or scalar that a Go value is to reflection; times stay times."""
    if is_nil(value):
        return None
    if not isinstance(value, GoObject) or isinstance(value, GoTime | int):
        return value
    for inner in (value.go_text(), value.underlying()):
        if inner is not None:
            return inner
    return StructFields({name: get() for name, get in value.fields().items()})


def _split(table: Mapping[str, object]) -> tuple[list[str], list[str]]:
    """Sort a table's keys: those with plain values, then those with tables of their own."""
    names = list(table) if isinstance(table, StructFields) else sorted_keys(table)
    below = {name for name in names if _is_table(_reflected(table[name]))}
    return [name for name in names if name not in below], [name for name in names if name in below]


def _is_table(value: object) -> bool:
    if isinstance(value, complex):
        raise TOMLError("unsupported type: complex128")
    return isinstance(value, Mapping) or _is_table_array(value)


def _is_table_array(value: object) -> bool:
    """Say whether a list holds nothing but tables; a nil in any list is an error."""
    if not isinstance(value, list) or not value:
        return False
    tables = 0
    for item in map(_reflected, value):
        if item is None:
            raise TOMLError("toml: cannot encode array with nil element")
        if isinstance(item, Mapping):
            tables += 1
        else:
            _is_table(item)
    return tables == len(value)


def _element(value: object) -> str:
    value = _reflected(value)
    if isinstance(value, JSONNumber):
        value = plain_value(value) if value else 0
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Duration):
        value = format_duration(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, bytes):
        return "[" + ", ".join(str(byte) for byte in value) + "]"
    if isinstance(value, list):
        return "[" + ", ".join(_element(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return _inline(value)
    if isinstance(value, GoTime):
        return value.format(_LAYOUTS.get(value.zone.name, RFC3339_NANO))
    return _element(plain_value(value))


def _inline(table: Mapping[str, object]) -> str:
    direct, below = _split(table)
    written: list[str] = []
    for names, more in ((direct, bool(below)), (below, False)):
        for at, name in enumerate(names):
            if _reflected(table[name]) is None:
                continue
            # A nil at the end leaves the comma before it standing, as in Go.
            comma = ", " if more or at != len(names) - 1 else ""
            written.append(f"{_quoted_key(name)} = {_element(table[name])}{comma}")
    return "{" + "".join(written) + "}"


def _float(value: float) -> str:
    if math.isnan(value):
        return "-nan" if math.copysign(1.0, value) < 0 else "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    text = format_g(value, bits=32 if isinstance(value, Float32) else 64)
    return text if "." in text or "e" in text else text + ".0"


def joined_key(key: Sequence[str]) -> str:
    """Spell a dotted key, its parts quoted where they must be."""
    return ".".join(_quoted_key(part) for part in key)


def _quoted_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _quoted(text: str) -> str:
    return '"' + _SPECIAL.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}"
