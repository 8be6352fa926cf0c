"""sprig's numbers: integers are int64 and wrap around, the `…f` functions calculate in decimals."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from whipstaff.golang import printf
from whipstaff.golang.cast import to_float64, to_int64
from whipstaff.golang.strconv import NumberError, parse_int
from whipstaff.golang.strconv import atoi as go_atoi
from whipstaff.golang.values import Int64
from whipstaff.template.errors import FunctionError
from whipstaff.template.functions.registry import Function, GoType, function

if TYPE_CHECKING:
    from collections.abc import Callable

    from whipstaff.template.scope import RenderScope

FAMILY: dict[str, Function] = {}

DIVIDE_BY_ZERO = "runtime error: integer divide by zero"


@function("atoi", GoType.STRING)
def atoi(text: str) -> int:
    """The number that the text is in decimal, 0 if it is none."""
    return go_atoi(text)


@function("int", GoType.ANY)
def to_int(value: object) -> int:
    """The value as an int."""
    return to_int64(value)


@function("int64", GoType.ANY)
def int64(value: object) -> Int64:
    """The value as an int64."""
    return Int64(to_int64(value))


@function("float64", GoType.ANY)
def float64(value: object) -> float:
    """The value as a float64."""
    return to_float64(value)


@function("toDecimal", GoType.ANY)
def to_decimal(value: object) -> Int64:
    """The number that the value's text is in octal, 0 if it is none."""
    try:
        return Int64(parse_int(printf.show(value), 8))
    except NumberError:
        return Int64(0)


@function("add", variadic=GoType.ANY)
def add(*terms: object) -> Int64:
    """The sum."""
    return Int64.wrap(sum(map(to_int64, terms)))


@function("add1", GoType.ANY)
def add1(term: object) -> Int64:
    """One more."""
    return Int64.wrap(to_int64(term) + 1)


@function("sub", GoType.ANY, GoType.ANY)
def sub(left: object, right: object) -> Int64:
    """The difference."""
    return Int64.wrap(to_int64(left) - to_int64(right))


@function("mul", GoType.ANY, variadic=GoType.ANY)
def mul(factor: object, *factors: object) -> Int64:
    """The product."""
    product = to_int64(factor)
    for other in factors:
        product = int(Int64.wrap(product * to_int64(other)))
    return Int64(product)


@function("div", GoType.ANY, GoType.ANY)
def div(left: object, right: object) -> Int64:
    """The quotient, rounded towards zero."""
    return Int64.wrap(_quotient(to_int64(left), to_int64(right)))


@function("mod", GoType.ANY, GoType.ANY)
def mod(left: object, right: object) -> Int64:
    """The remainder, with the sign of the left side."""
    dividend, divisor = to_int64(left), to_int64(right)
    return Int64(dividend - divisor * _quotient(dividend, divisor))


def _quotient(dividend: int, divisor: int) -> int:
    if divisor == 0:
        raise FunctionError(DIVIDE_BY_ZERO)
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


@function("max", GoType.ANY, variadic=GoType.ANY)
@function("biggest", GoType.ANY, variadic=GoType.ANY)
def largest(number: object, *others: object) -> Int64:
    """The largest of the numbers as integers."""
    return Int64(max(map(to_int64, (number, *others))))


@function("min", GoType.ANY, variadic=GoType.ANY)
def smallest(number: object, *others: object) -> Int64:
    """The smallest of the numbers as integers."""
    return Int64(min(map(to_int64, (number, *others))))


@function("maxf", GoType.ANY, variadic=GoType.ANY)
def maxf(number: object, *others: object) -> float:
    """The largest of the numbers."""
    return _extreme(max, math.inf, (number, *others))


@function("minf", GoType.ANY, variadic=GoType.ANY)
def minf(number: object, *others: object) -> float:
    """The smallest of the numbers."""
    return _extreme(min, -math.inf, (number, *others))


def _extreme(pick: Callable[..., float], bound: float, values: tuple[object, ...]) -> float:
    numbers = [to_float64(value) for value in values]
    if bound in numbers:
        return bound
    if any(map(math.isnan, numbers)):
        return math.nan
    return pick(numbers, key=lambda number: (number, math.copysign(1.0, number)))


@function("floor", GoType.ANY)
def floor(number: object) -> float:
    """The next whole number below."""
    return _whole(math.floor, to_float64(number))


@function("ceil", GoType.ANY)
def ceil(number: object) -> float:
    """The next whole number above."""
    return _whole(math.ceil, to_float64(number))


@function("round", GoType.ANY, GoType.INT, variadic=GoType.FLOAT64)
def round_to(number: object, places: int, *round_on: float) -> float:
    """The number with `places` decimals; from `round_on` on, 0.5 by default, it is rounded up."""
    power = _power_of_ten(places)
    digits = power * to_float64(number)
    left = math.modf(digits)[0] if math.isfinite(digits) else math.nan
    rounded = _whole(math.ceil if left >= (round_on or (0.5,))[0] else math.floor, digits)
    if power == 0:
        return math.nan if rounded == 0 or math.isnan(rounded) else math.copysign(math.inf, rounded)
    return rounded / power


def _whole(how: Callable[[float], int], number: float) -> float:
    # Python's integers have neither a negative zero nor infinities.
    return math.copysign(float(how(number)), number) if math.isfinite(number) else number


def _power_of_ten(places: int) -> float:
    """Go's Pow, which squares and so rounds: not always the nearest float."""
    if places in {0, 1}:
        return 10.0**places
    result, exponent = 1.0, 0
    square, square_exponent = math.frexp(10.0)
    left = abs(places)
    while left:
        if square_exponent > _LARGEST_EXPONENT:
            exponent += square_exponent
            break
        if left & 1:
            result *= square
            exponent += square_exponent
        square *= square
        square_exponent <<= 1
        if square < 0.5:  # noqa: PLR2004  as Go has it
            square += square
            square_exponent -= 1
        left >>= 1
    if places < 0:
        result, exponent = 1 / result, -exponent
    try:
        return math.ldexp(result, exponent)
    except OverflowError:
        return math.inf


_LARGEST_EXPONENT = 1 << 12


@function("randInt", GoType.INT, GoType.INT, scoped=True)
def rand_int(scope: RenderScope, low: int, high: int) -> int:
    """A number from `low` up to `high` less one."""
    if high <= low:
        raise FunctionError("invalid argument to Intn")
    return low + scope.effects.random.randbelow(high - low)


@function("add1f", GoType.ANY)
def add1f(term: object) -> float:
    """One more, in decimals."""
    return _decimal(term, (1,), lambda left, right: left + right)


@function("addf", variadic=GoType.ANY)
def addf(*terms: object) -> float:
    """The sum, in decimals."""
    return _decimal(0, terms, lambda left, right: left + right)


@function("subf", GoType.ANY, variadic=GoType.ANY)
def subf(left: object, *others: object) -> float:
    """The difference, in decimals."""
    return _decimal(left, others, lambda left, right: left - right)


@function("mulf", GoType.ANY, variadic=GoType.ANY)
def mulf(factor: object, *factors: object) -> float:
    """The product, in decimals."""
    return _decimal(factor, factors, lambda left, right: left * right)


@function("divf", GoType.ANY, variadic=GoType.ANY)
def divf(left: object, *others: object) -> float:
    """The quotient to 16 places."""
    return _decimal(left, others, _decimal_quotient)


def _decimal(
    start: object,
    others: tuple[object, ...],
    operation: Callable[[Fraction, Fraction], Fraction],
) -> float:
    result = _exact(to_float64(start))
    for other in others:
        result = operation(result, _exact(to_float64(other)))
    try:
        return float(result)
    except OverflowError:
        return math.inf if result > 0 else -math.inf


def _exact(number: float) -> Fraction:
    if not math.isfinite(number):
        raise FunctionError(f"Cannot create a Decimal from {printf.show(number)}")
    return Fraction(repr(number))


_PRECISION = 10**16  # shopspring/decimal keeps 16 places of a quotient


def _decimal_quotient(left: Fraction, right: Fraction) -> Fraction:
    if right == 0:
        raise FunctionError("decimal division by 0")
    quotient = abs(left / right) * _PRECISION
    rounded = Fraction(math.floor(quotient + Fraction(1, 2)), _PRECISION)
    return rounded if (left < 0) == (right < 0) else -rounded
