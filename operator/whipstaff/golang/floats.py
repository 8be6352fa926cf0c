"""Spell floating-point numbers as Go's strconv and encoding/json do."""

import math
import struct

_EXACT_INTEGER_LIMIT = 1e15
_SINGLE = 32


def shortest_digits(number: float) -> tuple[str, str, int]:
    """Split a finite number into sign, shortest digits and point: it is 0.digits x 10^point."""
    sign = "-" if math.copysign(1.0, number) < 0 else ""
    if number == 0:
        return sign, "0", 1
    return sign, *_split(repr(abs(number)))


def shortest_digits_32(number: float) -> tuple[str, str, int]:
    """Split a number, rounded to 32 bits, into the fewest digits that give those bits back."""
    sign = "-" if math.copysign(1.0, number) < 0 else ""
    single = _single(abs(number))
    if single == 0:
        return sign, "0", 1
    text = next(
        (text for n in range(9) if _single(float(text := f"{single:.{n}e}")) == single),
        repr(single),
    )
    return sign, *_split(text)


def format_g(number: float, *, bits: int = 64) -> str:
    """Spell a number as strconv does with format g and the shortest precision."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else ("+Inf" if number > 0 else "-Inf")
    split = shortest_digits_32 if bits == _SINGLE else shortest_digits
    sign, digits, point = split(number)
    # Go decides between the two forms as if six digits had been asked for.
    if point - 1 < -4 or point - 1 >= 6:  # noqa: PLR2004 - Go's own bounds
        return sign + _scientific(digits, point - 1, 2)
    return sign + _positional(digits, point)


def format_json(number: float) -> str:
    """Spell a finite number as encoding/json does: positional below 1e21, then scientific."""
    if number.is_integer() and abs(number) < _EXACT_INTEGER_LIMIT:
        return str(int(number)) if number else _zero(number)
    sign, digits, point = shortest_digits(number)
    size = abs(number)
    if size < 1e-6 or size >= 1e21:  # noqa: PLR2004 - Go's own bounds
        return sign + _scientific(digits, point - 1, 1)
    return sign + _positional(digits, point)


def _zero(number: float) -> str:
    return "-0" if math.copysign(1.0, number) < 0 else "0"


def _single(number: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", number))[0])
    except OverflowError:
        return math.inf


def _split(text: str) -> tuple[str, int]:
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + (int(exponent) if exponent else 0)
    digits = (whole + fraction).rstrip("0")
    stripped = digits.lstrip("0")
    return stripped, point - (len(digits) - len(stripped))


def _scientific(digits: str, exponent: int, exponent_width: int) -> str:
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):0{exponent_width}d}"


def _positional(digits: str, point: int) -> str:
    if point <= 0:
        return "0." + "0" * -point + digits
    if len(digits) <= point:
        return digits + "0" * (point - len(digits))
    return digits[:point] + "." + digits[point:]
