"""Spell floating-point numbers in every form of Go's strconv.FormatFloat."""

from __future__ import annotations

import math

from whipstaff.golang.floats import format_g

SMALLEST_EXPONENT = -1074  # of a float64, of which zero is one too
FRACTION_DIGITS = 13  # hexadecimal digits of a float64 after the point


def format_float(value: float, form: str, precision: int | None, *, bits: int = 64) -> str:
    """Go's strconv.FormatFloat in form e, E, f, g, G, x, X or b; precision None is the shortest."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    match form:
        case "g" | "G" if precision is None:
            text = format_g(value, bits=bits)
            return text.upper() if form == "G" else text
        case "b":
            mantissa, exponent = _binary(abs(value))
            sign = "-" if math.copysign(1.0, value) < 0 else ""
            return f"{sign}{mantissa}p{exponent:+d}"
        case "x" | "X":
            text = _hexadecimal_float(value, precision)
            return text.upper() if form == "X" else text
        case _:
            return f"{value:.{precision}{form}}"


def with_point(text: str, form: str, precision: int | None) -> str:
    """What the sharp flag adds: a decimal point, and for g the trailing zeros."""
    marks = "pP" if form in "xX" else "eE"
    cut = next((i for i, c in enumerate(text) if c in marks), len(text))
    number, tail = text[:cut], text[cut:]
    missing = 0
    if form in "gGx":
        missing = 6 if precision is None else precision
        significant = number.replace(".", "").lstrip("0")
        missing -= len(significant)
    if "." not in number:
        if number == "0":
            missing -= 1
        number += "."
    return number + "0" * max(0, missing) + tail


def _binary(value: float) -> tuple[int, int]:
    exponent = math.frexp(value)[1]
    exponent = max(exponent - 53, SMALLEST_EXPONENT) if value else SMALLEST_EXPONENT
    return int(math.ldexp(value, -exponent)), exponent


def _hexadecimal_float(value: float, precision: int | None) -> str:
    """Go's %x of a float: one digit before the point, at least two of the exponent."""
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if value == 0:
        return sign + "0x0" + ("." + "0" * precision if precision else "") + "p+00"
    mantissa, exponent = math.frexp(abs(value))
    bits, exponent = int(mantissa * (1 << 53)), exponent - 1
    if precision is not None and precision < FRACTION_DIGITS:
        shift = 4 * (FRACTION_DIGITS - precision)
        rest, bits = bits & ((1 << shift) - 1), bits >> shift
        half = 1 << (shift - 1)
        bits += rest > half or (rest == half and bits & 1)
        bits <<= shift
        if bits >> 53:
            bits, exponent = bits >> 1, exponent + 1
    digits = f"{bits & ((1 << 52) - 1):013x}"
    digits = digits.rstrip("0") if precision is None else digits[:precision].ljust(precision, "0")
    point = "." if digits else ""
    return f"{sign}0x1{point}{digits}p{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
