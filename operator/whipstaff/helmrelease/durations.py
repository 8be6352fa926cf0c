"""Durations as Go writes them: `300ms`, `1h30m`, `1.5h`."""

import re
from fractions import Fraction

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # micro sign
    "μs": 1_000,  # Greek mu; Go takes both
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_LONGEST_TEXT = 64
_LONGEST_NANOSECONDS = (1 << 63) - 1  # of Go's time.Duration


class DurationError(ValueError):
    """Text that is no duration; the message says why."""


def seconds(text: str) -> float:
    """Read a duration; DurationError if Go would not, or if it does not fit Go's type."""
    if len(text) > _LONGEST_TEXT:
        raise DurationError("is too long for a duration")
    sign, unsigned = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if unsigned == "0":  # the only number that Go takes without a unit
        return 0.0
    total = Fraction(0)
    position = 0
    while match := _PART.match(unsigned, position):
        total += Fraction(match[1].rstrip(".")) * _UNITS[match[2]]
        position = match.end()
    if not unsigned or position < len(unsigned):
        raise DurationError("is no duration: write numbers with units, as in 90s, 5m or 1h30m")
    if total > _LONGEST_NANOSECONDS:
        raise DurationError("is longer than a duration can be")
    return sign * float(total / _UNITS["s"])
