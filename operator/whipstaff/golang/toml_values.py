"""Read the numbers, truth values and times of TOML as BurntSushi's library does."""

import calendar
import math
import re
from typing import Final

from whipstaff.golang.strconv import quote
from whipstaff.golang.timefmt import UTC, GoTime, Zone
from whipstaff.golang.toml_scanner import Refusal, Scanner, quote_character
from whipstaff.golang.values import Int64

LOCAL_DATETIME: Final = Zone("datetime-local")
LOCAL_DATE: Final = Zone("date-local")
LOCAL_TIME: Final = Zone("time-local")

_WORD = re.compile(r"[^\W\d_]*")
_DIGITS = re.compile(r"[0-9]*", re.ASCII)
_DECIMAL = re.compile(r"[0-9_]*", re.ASCII)
_FLOAT = re.compile(r"[0-9_.\-+eE]*", re.ASCII)
_TIME = re.compile(r"[0-9:\-Tt .Zz+]*", re.ASCII)
_BASES: Final = {
    "b": ("a binary", re.compile(r"[01_]*", re.ASCII), "01"),
    "o": ("an octal", re.compile(r"[0-7_]*", re.ASCII), "01234567"),
    "x": ("a hexadecimal", re.compile(r"[0-9a-fA-F_]*", re.ASCII), "0123456789abcdefABCDEF"),
}
_SPECIAL: Final = frozenset(["nan", "+nan", "-nan", "inf", "+inf", "-inf"])
_PLAIN_FLOAT = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?", re.ASCII)
_LONGEST_INTEGER: Final = 80
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_MOMENT = re.compile(
    r"(?:(\d{4})-(\d{2})-(\d{2}))?(?:(?:(?<=\d)T|\A)(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?"
    r"(Z|[-+]\d{2}:\d{2})?)?",
    re.ASCII,
)

Scalar = bool | Int64 | float | GoTime


def scalar(scanner: Scanner) -> Scalar:
    """Read a value that is neither string nor array nor table."""
    first = scanner.peek()
    if first and first in "0123456789":
        return _number_or_time(scanner)
    if first and first in "+-":
        return _signed(scanner)
    if first == ".":
        scanner.refuse("floats must start with a digit, not '.'")
    if first and first in "in":
        return _special(scanner)
    if first.isalpha():
        return _truth(scanner)
    if not first:
        scanner.refuse("unexpected EOF; expected value")
    if first == "\n":
        raise Refusal("expected value but found '\\n' instead", scanner.line)
    return scanner.refuse_next(f"expected value but found {quote_character(first)} instead")


def _special(scanner: Scanner) -> Scalar:
    """Read inf or nan, or what the library's way of looking for them leaves of another word."""
    start = scanner.at
    scanner.take()
    found = (scanner.accept("n") and scanner.accept("f")) or (
        scanner.accept("a") and scanner.accept("n")
    )
    if found:
        word = scanner.text[start : scanner.at]
        return float(word) if word in _SPECIAL else _float(scanner, start)
    scanner.at -= 1
    return _truth(scanner)


def _truth(scanner: Scanner) -> bool:
    word = scanner.take_all(_WORD)
    scanner.peek()
    if word not in {"true", "false"}:
        scanner.refuse(f"expected value but found {quote(word)} instead")
    return word == "true"


def _number_or_time(scanner: Scanner) -> Scalar:
    start = scanner.at
    if scanner.take() == "0":
        base = scanner.peek()
        if base and base in _BASES:
            scanner.take()
            name, digits, allowed = _BASES[base]
            wrong = scanner.peek()
            if not wrong or wrong not in allowed:
                scanner.refuse(f"not {name} number: '0{base}{wrong or chr(0)}'")
            scanner.take_all(digits)
            return _integer(scanner, start)
        if base and base in "-:":
            return _integer(scanner, start)
    scanner.take_all(_DIGITS)
    if (following := scanner.peek()) and following in "-:":
        scanner.take_all(_TIME)
        return _time(scanner, start)
    return _decimal(scanner, start)


def _signed(scanner: Scanner) -> Scalar:
    start = scanner.at
    sign = scanner.take()
    following = scanner.peek()
    for word in ("inf", "nan"):
        if following == word[0]:
            for letter in word:
                if not scanner.accept(letter):
                    seen = scanner.text[start : scanner.at]
                    scanner.refuse(f"invalid float: '{seen}'")
            return float(sign + word)
    if following == ".":
        scanner.refuse("floats must start with a digit, not '.'")
    if following == "0" and (base := scanner.text[scanner.at + 1 : scanner.at + 2]) in set(_BASES):
        scanner.refuse(f"cannot use sign with non-decimal numbers: '{sign}0{base}'")
    if not following or following not in "0123456789":
        scanner.refuse_next(f"expected a digit but got {quote_character(following)}")
    return _decimal(scanner, start)


def _decimal(scanner: Scanner, start: int) -> Scalar:
    scanner.take_all(_DECIMAL)
    following = scanner.peek()
    if following and following in ".eE":
        scanner.take_all(_FLOAT)
        return _float(scanner, start)
    return _integer(scanner, start)


def _integer(scanner: Scanner, start: int) -> Int64:
    written = scanner.text[start : scanner.at]
    if not _underscores_fit(written):
        scanner_refusal = (
            f"Invalid integer {quote(written)}: underscores must be surrounded by digits"
        )
        raise Refusal(scanner_refusal, scanner.line)
    if _has_leading_zero(written):
        raise Refusal(f"Invalid integer {quote(written)}: cannot have leading zeroes", scanner.line)
    plain = written.replace("_", "")
    number = int(plain, 0) if len(plain) <= _LONGEST_INTEGER else 1 << 64
    if not -(1 << 63) <= number < 1 << 63:
        raise Refusal(f"{written} is out of range for int64", scanner.line)
    return Int64(number)


def _float(scanner: Scanner, start: int) -> float:
    written = scanner.text[start : scanner.at]
    parts = [part for part in re.split("[.eE]", written) if part]
    problem = ""
    if not all(_underscores_fit(part) for part in parts):
        problem = "underscores must be surrounded by digits"
    elif parts and _has_leading_zero(parts[0]):
        problem = "cannot have leading zeroes"
    elif re.search(r"\.(?![0-9])", written):
        problem = "'.' must be followed by one or more digits"
    if problem:
        raise Refusal(f"Invalid float {quote(written)}: {problem}", scanner.line)
    plain = written.replace("_", "")
    if not _PLAIN_FLOAT.fullmatch(plain):
        raise Refusal(f"Invalid float value: {quote(written)}", scanner.line)
    number = float(plain)
    if math.isinf(number):
        raise Refusal(f"{written} is out of range for float64", scanner.line)
    return number


def _underscores_fit(written: str) -> bool:
    """Say whether digits stand around each underscore, and at the end."""
    accepted = False
    for character in written:
        if character == "_" and not accepted:
            return False
        accepted = character in _HEX
    return accepted


def _has_leading_zero(written: str) -> bool:
    digits = written.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1] not in "box"


def _time(scanner: Scanner, start: int) -> GoTime:
    written = scanner.text[start : scanner.at].strip()
    written = written.replace("z", "Z").replace("t", "T").replace(" ", "T")
    match = _MOMENT.fullmatch(written)
    moment = None if match is None else _moment(match.groups())
    if moment is None:
        raise Refusal(f"invalid datetime: {quote(written)}", scanner.line)
    return moment


def _moment(groups: tuple[str | None, ...]) -> GoTime | None:
    """Make a time of the parts of its text; None when a part is out of range."""
    zone_text = groups[7]
    year, month, day, hour, minute, second = (int(part or 0) for part in groups[:6])
    nanosecond = int((groups[6] or "0")[:9].ljust(9, "0"))
    if groups[0] is None:
        zone, year, month, day = LOCAL_TIME, 0, 1, 1
        if zone_text is not None:
            return None
    elif groups[3] is None:
        zone = LOCAL_DATE
    else:
        zone = LOCAL_DATETIME
    if zone_text is not None:
        found = _zone(zone_text)
        if found is None:
            return None
        zone = found
    if not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(year or 2000, month)[1]:  # noqa: PLR2004 - a calendar's bounds
        return None
    if hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004 - a clock's bounds
        return None
    return GoTime.civil((year, month, day), (hour, minute, second, nanosecond), zone)


def _zone(text: str) -> Zone | None:
    if text in {"Z", "+00:00", "-00:00"}:
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:])
    if hours > 24 or minutes > 60:  # noqa: PLR2004 - Go's own bounds, both inclusive
        return None
    offset = (hours * 60 + minutes) * 60
    return Zone("", -offset if text[0] == "-" else offset)
