"""Read a time by a Go layout."""

import re
from dataclasses import dataclass

from whipstaff.golang.durations import go_quoted
from whipstaff.golang.timefmt import MONTHS, UTC, WEEKDAYS, GoTime, Zone, days_in_month
from whipstaff.golang.timelayout import Chunk, Field, chunks
from whipstaff.golang.values import go_bytes, go_text

_NANOSECOND_DIGITS = 9
_ABBREVIATION = re.compile(
    r"ChST|MeST|GMT(?:[+-][0-9]+)?|[+-][0-9]+|(?:[A-Z]{4}T|[A-Z]{3}T|WITA|[A-Z]{3})(?![A-Z])"
)
_OFFSETS = {
    "-07:00:00": re.compile(r"([+-])([0-9]{2}):([0-9]{2}):([0-9]{2})"),
    "-070000": re.compile(r"([+-])([0-9]{2})([0-9]{2})([0-9]{2})"),
    "-07:00": re.compile(r"([+-])([0-9]{2}):([0-9]{2})()"),
    "-0700": re.compile(r"([+-])([0-9]{2})([0-9]{2})()"),
    "-07": re.compile(r"([+-])([0-9]{2})()()"),
}
_ONE_OR_TWO = re.compile(r"[0-9]{1,2}")
_TWO = re.compile(r"[0-9]{2}")
_FOUR = re.compile(r"[0-9]{4}")
_FRACTION = re.compile(r"[.,]([0-9]+)")
_TO_THREE = re.compile(r"[0-9]{1,3}")


class TimeError(ValueError):
    """A text that does not follow its layout; the text is Go's."""


class _Mismatch(Exception):
    """The value does not go on as the field wants."""


class _OutOfRange(Exception):
    """A number that no clock or calendar has."""


@dataclass(slots=True)
class _Reading:
    """What was read so far; -1 is not yet."""

    left: str
    year: int = 0
    month: int = -1
    day: int = -1
    year_day: int = -1
    hour: int = 0
    minute: int = 0
    second: int = 0
    nanosecond: int = 0
    half: str = ""
    zone: Zone | None = None
    offset: int | None = None
    abbreviation: str = ""

    def take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self.left)
        if found is None:
            raise _Mismatch
        self.left = self.left[found.end() :]
        return found

    def number(self, pattern: re.Pattern[str], low: int, high: int, what: str) -> int:
        number = int(self.take(pattern)[0])
        if not low <= number <= high:
            raise _OutOfRange(what)
        return number


def parse_time(layout: str, text: str) -> GoTime:
    """Read a time; where it names no zone it is UTC."""
    reading = _Reading(text)
    parts = chunks(layout)
    for index, part in enumerate(parts):
        held = reading.left
        if isinstance(part, str):
            _skip(reading, part, layout, text)
            continue
        try:
            _read(reading, part, parts[index + 1 :])
        except _OutOfRange as error:
            raise TimeError(f"parsing time {go_quoted(text)}: {error} out of range") from error
        except _Mismatch as error:
            raise _cannot_parse(text, layout, held, part.text) from error
    if reading.left:
        raise TimeError(f"parsing time {go_quoted(text)}: extra text: {go_quoted(reading.left)}")
    return _assembled(reading, text)


def _cannot_parse(text: str, layout: str, left: str, wanted: str) -> TimeError:
    return TimeError(
        f"parsing time {go_quoted(text)} as {go_quoted(layout)}: "
        f"cannot parse {go_quoted(left)} as {go_quoted(wanted)}"
    )


def _skip(reading: _Reading, prefix: str, layout: str, text: str) -> None:
    """Pass over text; a blank in the layout stands for any number of them, at the end even none."""
    wanted = prefix
    while wanted:
        left = reading.left
        if wanted[0] == " ":
            if left and left[0] != " ":
                raise _cannot_parse(text, layout, left, prefix)
            wanted, reading.left = wanted.lstrip(" "), left.lstrip(" ")
            continue
        if not left or left[0] != wanted[0]:
            raise _cannot_parse(text, layout, _from_first_difference(left, wanted), prefix)
        wanted, reading.left = wanted[1:], left[1:]


def _from_first_difference(left: str, wanted: str) -> str:
    """Go compares bytes, so it may stop inside a character."""
    data, other = go_bytes(left), go_bytes(wanted)
    same = next((i for i, (a, b) in enumerate(zip(data, other, strict=False)) if a != b), 0)
    return go_text(data[same:])


def _read(reading: _Reading, chunk: Chunk, following: tuple[str | Chunk, ...]) -> None:
    match chunk.field:
        case Field.YEAR:
            year = int(reading.take(_TWO)[0])
            reading.year = year + (1900 if year >= 69 else 2000)  # noqa: PLR2004  as Go has it
        case Field.LONG_YEAR:
            reading.year = int(reading.take(_FOUR)[0])
        case Field.MONTH:
            reading.month = _name(reading, [name[:3] for name in MONTHS]) + 1
        case Field.LONG_MONTH:
            reading.month = _name(reading, MONTHS) + 1
        case Field.NUMBER_MONTH:
            reading.month = reading.number(_ONE_OR_TWO, 1, 12, "month")
        case Field.ZERO_MONTH:
            reading.month = reading.number(_TWO, 1, 12, "month")
        case Field.WEEKDAY:
            _name(reading, [name[:3] for name in WEEKDAYS])
        case Field.LONG_WEEKDAY:
            _name(reading, WEEKDAYS)
        case Field.DAY | Field.UNDER_DAY | Field.ZERO_DAY:
            if chunk.field is Field.UNDER_DAY:
                reading.left = reading.left.removeprefix(" ")
            pattern = _TWO if chunk.field is Field.ZERO_DAY else _ONE_OR_TWO
            reading.day = int(reading.take(pattern)[0])
        case Field.UNDER_YEAR_DAY:
            reading.left = reading.left.removeprefix(" ").removeprefix(" ")
            reading.year_day = int(reading.take(_TO_THREE)[0])
        case Field.ZERO_YEAR_DAY:
            reading.year_day = int(reading.take(re.compile("[0-9]{3}"))[0])
        case _:
            _read_clock(reading, chunk, following)


def _read_clock(reading: _Reading, chunk: Chunk, following: tuple[str | Chunk, ...]) -> None:
    match chunk.field:
        case Field.HOUR:
            reading.hour = reading.number(_ONE_OR_TWO, 0, 23, "hour")
        case Field.HOUR_12:
            reading.hour = reading.number(_ONE_OR_TWO, 0, 12, "hour")
        case Field.ZERO_HOUR_12:
            reading.hour = reading.number(_TWO, 0, 12, "hour")
        case Field.MINUTE:
            reading.minute = reading.number(_ONE_OR_TWO, 0, 59, "minute")
        case Field.ZERO_MINUTE:
            reading.minute = reading.number(_TWO, 0, 59, "minute")
        case Field.SECOND | Field.ZERO_SECOND:
            pattern = _ONE_OR_TWO if chunk.field is Field.SECOND else _TWO
            reading.second = reading.number(pattern, 0, 59, "second")
            # A fraction may follow even if the layout has none.
            fraction = _FRACTION.match(reading.left)
            if fraction and not _next_is_fraction(following):
                _take_fraction(reading, fraction)
        case Field.UPPER_PM | Field.LOWER_PM:
            upper = chunk.field is Field.UPPER_PM
            found = reading.take(re.compile("[AP]M" if upper else "[ap]m"))
            reading.half = found[0].upper()
        case Field.FRACTION_0:
            digits = len(chunk.text) - 1
            _take_fraction(
                reading, reading.take(re.compile(rf"[.,]([0-9]{{{digits}}})")), keep=True
            )
        case Field.FRACTION_9:
            fraction = _FRACTION.match(reading.left)
            if fraction:
                _take_fraction(reading, fraction)
        case Field.ZONE_NAME:
            _read_abbreviation(reading)
        case _:
            _read_offset(reading, chunk)


def _name(reading: _Reading, names: tuple[str, ...] | list[str]) -> int:
    for index, name in enumerate(names):
        if reading.left[: len(name)].lower() == name.lower():
            reading.left = reading.left[len(name) :]
            return index
    raise _Mismatch


def _next_is_fraction(following: tuple[str | Chunk, ...]) -> bool:
    upcoming = next((part for part in following if isinstance(part, Chunk)), None)
    return upcoming is not None and upcoming.field in {Field.FRACTION_0, Field.FRACTION_9}


def _take_fraction(reading: _Reading, found: re.Match[str], *, keep: bool = False) -> None:
    reading.nanosecond = int(found[1][:_NANOSECOND_DIGITS].ljust(_NANOSECOND_DIGITS, "0"))
    if not keep:
        reading.left = reading.left[found.end() :]


def _read_offset(reading: _Reading, chunk: Chunk) -> None:
    if chunk.text.startswith("Z") and reading.left.startswith("Z"):
        reading.left = reading.left[1:]
        reading.zone = UTC
        return
    sign, hours, minutes, seconds = reading.take(_OFFSETS["-" + chunk.text[1:]]).groups()
    parts = int(hours), int(minutes or 0), int(seconds or 0)
    # People do write 24 hours and 60 minutes, so Go lets them.
    for part, most, name in zip(parts, (24, 60, 60), ("hour", "minute", "second"), strict=True):
        if part > most:
            raise _OutOfRange(f"time zone offset {name}")
    offset = (parts[0] * 60 + parts[1]) * 60 + parts[2]
    reading.offset = -offset if sign == "-" else offset


def _read_abbreviation(reading: _Reading) -> None:
    if reading.left.startswith("UTC"):
        reading.left = reading.left[3:]
        reading.zone = UTC
        return
    found = _ABBREVIATION.match(reading.left)
    if found is None:
        raise _Mismatch
    spelled = found[0]
    number = spelled.removeprefix("GMT")
    if number[:1] in {"+", "-"} and int(number[1:]) > 23:  # noqa: PLR2004  as Go has it
        if spelled == number:
            raise _Mismatch
        spelled = "GMT"
    reading.abbreviation = spelled
    reading.left = reading.left[len(spelled) :]


def _assembled(reading: _Reading, text: str) -> GoTime:
    if reading.half == "PM" and reading.hour < 12:  # noqa: PLR2004  as Go has it
        reading.hour += 12
    elif reading.half == "AM" and reading.hour == 12:  # noqa: PLR2004  as Go has it
        reading.hour = 0
    try:
        _settle_date(reading)
    except _OutOfRange as error:
        raise TimeError(f"parsing time {go_quoted(text)}: {error}") from error
    date = reading.year, reading.month, reading.day
    clock = reading.hour, reading.minute, reading.second, reading.nanosecond
    read = GoTime.civil(date, clock, UTC)
    if reading.zone:
        return read
    if reading.offset is not None:
        zone = Zone(reading.abbreviation, reading.offset)
        if reading.offset == 0 and reading.abbreviation in {"", "UTC"}:
            zone = UTC
        return GoTime(read.seconds - reading.offset, read.nanosecond, zone)
    if reading.abbreviation:
        # Go makes up a zone of that name, and takes the clock for UTC's all the same, GMT+3 or not.
        number = reading.abbreviation[3:] if reading.abbreviation.startswith("GMT") else ""
        offset = int(number or 0) * 3600
        return read.within(Zone(reading.abbreviation, offset))
    return read


def _settle_date(reading: _Reading) -> None:
    if reading.year_day < 0:
        reading.month = reading.month if reading.month >= 0 else 1
        reading.day = reading.day if reading.day >= 0 else 1
        if not 1 <= reading.day <= days_in_month(reading.year, reading.month):
            raise _OutOfRange("day out of range")
        return
    left = reading.year_day
    if not 1 <= left <= (366 if days_in_month(reading.year, 2) > 28 else 365):  # noqa: PLR2004  as Go has it
        raise _OutOfRange("day-of-year out of range")
    month = 1
    while left > days_in_month(reading.year, month):
        left -= days_in_month(reading.year, month)
        month += 1
    if reading.month >= 0 and reading.month != month:
        raise _OutOfRange("day-of-year does not match month")
    if reading.day >= 0 and reading.day != left:
        raise _OutOfRange("day-of-year does not match day")
    reading.month, reading.day = month, left
