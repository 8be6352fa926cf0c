"""Turn any value into a number as spf13/cast does: what is no number counts as zero."""

import math

from whipstaff.golang.strconv import MAX_INT64, MIN_INT64, NumberError, parse_float, parse_int
from whipstaff.golang.values import Duration, Int64


def to_int64(value: object) -> int:
    """The value as a 64-bit integer, as a plain `int`."""
    if type(value) is int:
        return value
    match value:
        case Duration():
            return 0  # a named type that cast does not list
        case int():
            return int(Int64.wrap(value))
        case float():
            return float_to_int64(value)
        case str():
            return _text_to_int64(str(value))
        case _:
            return 0


def to_float64(value: object) -> float:
    """The value as a float64."""
    match value:
        case Duration():
            return 0.0
        case int() | float():
            return float(value)
        case str():
            return _text_to_float64(value)
        case _:
            return 0.0


def float_to_int64(number: float) -> int:
    """Go's conversion on amd64: towards zero, and the smallest integer for what does not fit."""
    if not math.isfinite(number):
        return MIN_INT64
    whole = int(number)
    return whole if MIN_INT64 <= whole <= MAX_INT64 else MIN_INT64


def _text_to_int64(text: str) -> int:
    try:
        return parse_int(_without_zero_decimals(text))
    except NumberError:
        return 0


def _text_to_float64(text: str) -> float:
    try:
        return parse_float(text)
    except NumberError:
        return 0.0


def _without_zero_decimals(text: str) -> str:
    """`12.00` is 12, `12.` and `12.5` stay what they are."""
    bare = text.rstrip("0")
    if bare != text and bare.endswith("."):
        return bare[:-1]
    return text
