"""Decide what a plain YAML scalar is: words of YAML 1.1, octals of 1.2, no base 60."""

import math
import re
from collections.abc import Mapping
from datetime import date
from typing import Final

INT64_MIN: Final = -(1 << 63)
INT64_MAX: Final = (1 << 63) - 1
UINT64_MAX: Final = (1 << 64) - 1

STR_TAG: Final = "!!str"
INT_TAG: Final = "!!int"
FLOAT_TAG: Final = "!!float"
BOOL_TAG: Final = "!!bool"
NULL_TAG: Final = "!!null"
TIMESTAMP_TAG: Final = "!!timestamp"
BINARY_TAG: Final = "!!binary"
MERGE_TAG: Final = "!!merge"

Scalar = str | int | float | bool | None

_TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_NULL = ("", "~", "null", "Null", "NULL")
_INFINITY = (".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF")
_MINUS_INFINITY = ("-.inf", "-.Inf", "-.INF")
_NOT_A_NUMBER = (".nan", ".NaN", ".NAN")

WORDS: Mapping[str, tuple[str, Scalar]] = {
    **dict.fromkeys(_TRUE, (BOOL_TAG, True)),
    **dict.fromkeys(_FALSE, (BOOL_TAG, False)),
    **dict.fromkeys(_NULL, (NULL_TAG, None)),
    **dict.fromkeys(_INFINITY, (FLOAT_TAG, math.inf)),
    **dict.fromkeys(_MINUS_INFINITY, (FLOAT_TAG, -math.inf)),
    **dict.fromkeys(_NOT_A_NUMBER, (FLOAT_TAG, math.nan)),
}

# A plain scalar that begins with anything else is text; "" stands for the empty scalar.
HINTS: Final = frozenset(["", *"+-.0123456789yYnNtTfFoO~"])
_NUMERIC_HINTS: Final = frozenset("+-0123456789")

_LONGEST_INTEGER: Final = 80  # 64 bits in base 2 with a sign and a prefix, and some leading zeros
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_DOTTED_FLOAT = re.compile(r"\.[0-9]+(?:[eE][-+]?[0-9]+)?", re.ASCII)
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", re.ASCII)
_DATE = r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
_CLOCK = r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?"
_TIMESTAMP = re.compile(
    rf"{_DATE}(?:[Tt]{_CLOCK}(?:Z|[-+]([0-9]{{2}}):([0-9]{{2}}))| +{_CLOCK})?", re.ASCII
)


def resolve(text: str) -> tuple[str, Scalar]:
    """Give the short tag and the value of an untagged plain scalar; timestamps keep their text."""
    first = text[:1]
    if first not in HINTS:
        return STR_TAG, text
    word = WORDS.get(text)
    if word is not None:
        return word
    if first == ".":
        return _resolve_dotted(text)
    if first in _NUMERIC_HINTS:
        return _resolve_number(text)
    return STR_TAG, text


def is_base_60(text: str) -> bool:
    """Say whether YAML 1.1 readers other than Go's would take the text for a base 60 number."""
    return ":" in text and _BASE_60.fullmatch(text) is not None


def is_timestamp(text: str) -> bool:
    """Say whether Go's YAML library takes the text for a date or a time."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return False
    year, month, day, *clock = (None if group is None else int(group) for group in match.groups())
    hour, minute, second, zone_hour, zone_minute, hour2, minute2, second2 = clock
    return (
        _is_date(year or 0, month or 0, day or 0)
        and (hour if hour is not None else hour2 or 0) < 24  # noqa: PLR2004 - a clock's bounds
        and (minute if minute is not None else minute2 or 0) < 60  # noqa: PLR2004
        and (second if second is not None else second2 or 0) < 60  # noqa: PLR2004
        and (zone_hour or 0) <= 24  # noqa: PLR2004 - Go's own bounds, both inclusive
        and (zone_minute or 0) <= 60  # noqa: PLR2004
    )


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year or 2000, month, day)  # the year 0 is a leap year too
    except ValueError:
        return False
    return True


def _resolve_dotted(text: str) -> tuple[str, Scalar]:
    if _DOTTED_FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return FLOAT_TAG, number
    return STR_TAG, text


def _resolve_number(text: str) -> tuple[str, Scalar]:
    if text[4:5] == "-" and is_timestamp(text):
        return TIMESTAMP_TAG, text
    plain = text.replace("_", "")
    if len(plain) <= _LONGEST_INTEGER and _INTEGER.fullmatch(plain):
        number = parse_integer(plain)
        signed = plain[0] in "+-"
        if INT64_MIN <= number <= (INT64_MAX if signed else UINT64_MAX):
            return INT_TAG, number
    if _FLOAT.fullmatch(plain) and math.isfinite(real := float(plain)):
        return FLOAT_TAG, real
    return STR_TAG, text


def parse_integer(plain: str) -> int:
    """Read what is known to be a Go integer literal: 0x, 0b, 0o and a leading 0 set the base."""
    sign, digits = (plain[0], plain[1:]) if plain[0] in "+-" else ("", plain)
    if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567":
        return int(sign + digits, 8)
    return int(sign + digits, 0 if len(digits) > 1 else 10)
