"""Go's durations: nanoseconds in 64 bits, written as `1h2m3.5s`."""

from whipstaff.golang.strconv import MAX_INT64, MIN_INT64, quote
from whipstaff.golang.values import Duration

SECOND = 10**9
_UNITS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,
    "\u03bcs": 10**3,
    "ms": 10**6,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}
_SMALL_UNITS = ((10**3, 1, "ns"), (10**6, 10**3, "\u00b5s"), (10**9, 10**6, "ms"))
_TOO_LARGE = 1 << 63
_DIGITS = frozenset("0123456789")


class DurationError(ValueError):
    """A text that is no duration; the text is Go's."""


def format_duration(nanoseconds: int) -> str:
    """The duration as Go prints it."""
    sign, left = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if left == 0:
        return "0s"
    for limit, unit, name in _SMALL_UNITS:
        if left < limit:
            return f"{sign}{_with_fraction(left, unit)}{name}"
    minutes, rest = divmod(left, 60 * SECOND)
    text = f"{_with_fraction(rest, SECOND)}s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = f"{minutes}m{text}"
        if hours:
            text = f"{hours}h{text}"
    return sign + text


def _with_fraction(count: int, unit: int) -> str:
    whole, rest = divmod(count, unit)
    fraction = str(rest).zfill(len(str(unit)) - 1).rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)


def parse_duration(text: str) -> Duration:
    """Read a duration such as `-1.5h` or `2h45m`."""
    rest = text[1:] if text[:1] in {"-", "+"} else text
    if rest == "0":
        return Duration(0)
    if not rest:
        raise _invalid(text)
    total = 0
    while rest:
        amount, rest = _amount(text, rest)
        total += amount
        if total > _TOO_LARGE:
            raise _invalid(text)
    if text.startswith("-"):
        return Duration.wrap(-total)
    if total > MAX_INT64:
        raise _invalid(text)
    return Duration(total)


def _amount(text: str, rest: str) -> tuple[int, str]:
    whole, rest = _take(rest, digits=True)
    fraction = ""
    if rest.startswith("."):
        fraction, rest = _take(rest[1:], digits=True)
    if not whole and not fraction:
        raise _invalid(text)
    name, rest = _take(rest, digits=False)
    if not name:
        raise DurationError(f"time: missing unit in duration {go_quoted(text)}")
    unit = _UNITS.get(name)
    if unit is None:
        raise DurationError(f"time: unknown unit {go_quoted(name)} in duration {go_quoted(text)}")
    # Digits beyond these make a number too large, or are lost in Go too.
    count = int((whole.lstrip("0") or "0")[:20])
    if count > _TOO_LARGE // unit:
        raise _invalid(text)
    kept = fraction[:18]
    count *= unit
    if kept:
        count += int(float(int(kept)) * (float(unit) / float(10 ** len(kept))))
    if count > _TOO_LARGE:
        raise _invalid(text)
    return count, rest


def _take(text: str, *, digits: bool) -> tuple[str, str]:
    size = 0
    while size < len(text) and (
        text[size] in _DIGITS if digits else text[size] not in _DIGITS and text[size] != "."
    ):
        size += 1
    return text[:size], text[size:]


def _invalid(text: str) -> DurationError:
    return DurationError(f"time: invalid duration {go_quoted(text)}")


def go_quoted(text: str) -> str:
    """The text in quotes as package time writes it: what is no plain ASCII by its bytes."""
    if text.isascii() and text.isprintable():
        return quote(text)
    pieces = [
        char
        if " " <= char <= "\x7f"
        else "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in text.replace("\\", "\\\\").replace('"', '\\"')
    ]
    return '"' + "".join(pieces) + '"'


def round_duration(nanoseconds: int, unit: int) -> Duration:
    """The nearest multiple of `unit`, halves away from zero."""
    sign = -1 if nanoseconds < 0 else 1
    rounded = sign * ((abs(nanoseconds) + unit // 2) // unit * unit)
    return Duration(max(MIN_INT64, min(rounded, MAX_INT64)))
