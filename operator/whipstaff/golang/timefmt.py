"""Go's time.Time: an instant in a zone, its layouts (`2006-01-02 15:04:05 MST`) and its methods.

`Local` is UTC here: what a chart renders must not depend on where the operator runs.
"""

import datetime
import functools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from whipstaff.golang.durations import SECOND
from whipstaff.golang.strconv import quote
from whipstaff.golang.timelayout import Chunk, Field, chunks
from whipstaff.golang.values import (
    Duration,
    GoInt,
    GoObject,
    GoSignature,
    GoType,
    Int64,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

_DAY_SECONDS = 86400
_DAYS_BEFORE_1970 = 719162  # since 0001-01-01
_FIRST_SECOND: Final = -9223372028741760000
_ZERO_SECONDS = -_DAYS_BEFORE_1970 * _DAY_SECONDS
_CYCLE_YEARS = 400
_CYCLE_DAYS = 146097
FIRST_YEAR: Final = 2  # of datetime, with room for an offset
LAST_YEAR: Final = 9998
RFC3339_NANO = "2006-01-02T15:04:05.999999999Z07:00"


class Month(GoInt, GoObject):
    """Go's time.Month."""

    __slots__ = ()
    go_type = "time.Month"

    def methods(self) -> Mapping[str, tuple[Callable[..., object], GoSignature]]:
        return {"String": (self.go_string, _NOTHING)}

    def go_string(self) -> str:
        return MONTHS[self - 1]


class Weekday(GoInt, GoObject):
    """Go's time.Weekday, 0 for Sunday."""

    __slots__ = ()
    go_type = "time.Weekday"

    def methods(self) -> Mapping[str, tuple[Callable[..., object], GoSignature]]:
        return {"String": (self.go_string, _NOTHING)}

    def go_string(self) -> str:
        return WEEKDAYS[self]


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone: one of the database by its name, or a fixed offset with an abbreviation."""

    name: str
    offset: int = 0  # seconds east
    fixed: bool = True

    def at(self, seconds: int) -> tuple[str, int]:
        """Abbreviation and offset in seconds at an instant."""
        if self.fixed:
            return self.name, self.offset
        local = self._local(seconds)
        offset = local.utcoffset()
        return local.tzname() or "", int(offset.total_seconds()) if offset else 0

    def is_summer(self, seconds: int) -> bool:
        """Whether the clock is ahead for the summer."""
        return not self.fixed and bool(self._local(seconds).dst())

    def _local(self, seconds: int) -> datetime.datetime:
        # zoneinfo knows the years of datetime; the rules repeat every 400 years, and at first there
        # were none.
        years = _civil(seconds // _DAY_SECONDS)[0]
        if not FIRST_YEAR <= years <= LAST_YEAR:
            like = FIRST_YEAR if years < FIRST_YEAR else LAST_YEAR - 2 * _CYCLE_YEARS
            seconds -= (years - like) // _CYCLE_YEARS * _CYCLE_DAYS * _DAY_SECONDS
        moment = _EPOCH + datetime.timedelta(seconds=seconds)
        return moment.astimezone(_database_zone(self.name))


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
UTC = Zone("UTC")
LOCAL = UTC


def load_zone(name: str) -> Zone | None:
    """The zone of this name in the time zone database, None if there is none."""
    if name in {"", "UTC", "Local"}:
        return UTC
    return Zone(name, fixed=False) if _database_zone(name) else None


@functools.lru_cache(maxsize=64)
def _database_zone(name: str) -> "ZoneInfo | None":
    import zoneinfo  # noqa: PLC0415 - most times are in UTC

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


class Location(GoObject):
    """Go's *time.Location."""

    __slots__ = ("zone",)
    go_type: ClassVar[str] = "*time.Location"

    def __init__(self, zone: Zone) -> None:
        self.zone = zone

    def go_string(self) -> str:
        return self.zone.name

    def methods(self) -> Mapping[str, tuple[Callable[..., object], GoSignature]]:
        return {"String": (self.go_string, _NOTHING)}


class GoTime(GoObject):
    """An instant, in seconds since 1970 and nanoseconds, shown in a zone."""

    __slots__ = ("nanosecond", "seconds", "zone")
    go_type: ClassVar[str] = "time.Time"
    go_kind: ClassVar[str] = "struct"

    def __init__(self, seconds: int, nanosecond: int = 0, zone: Zone = UTC) -> None:
        self.seconds = seconds
        self.nanosecond = nanosecond
        self.zone = zone

    @classmethod
    def of(cls, moment: datetime.datetime) -> "GoTime":
        """The instant of an aware datetime, in UTC."""
        since = moment - _EPOCH
        return cls(since.days * _DAY_SECONDS + since.seconds, since.microseconds * 1000)

    @classmethod
    def zero(cls) -> "GoTime":
        """The first instant of year 1: Go's zero Time."""
        return cls(_ZERO_SECONDS)

    @classmethod
    def civil(
        cls, date: tuple[int, int, int], clock: tuple[int, int, int, int], zone: Zone
    ) -> "GoTime":
        """The instant of a date and a clock (hour, minute, second, nanosecond) in a zone."""
        hour, minute, second, nanosecond = clock
        local = _days(*date) * _DAY_SECONDS + hour * 3600 + minute * 60 + second
        offset = zone.at(local)[1]
        # As Go does: an offset that does not hold at the instant it leads to gives way.
        if offset and zone.at(local - offset)[1] != offset:
            offset = zone.at(local - offset)[1]
        return cls(local - offset, nanosecond, zone)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GoTime) and (self._instant, self.zone) == (
            other._instant,
            other.zone,
        )

    def __hash__(self) -> int:
        return hash(self._instant)

    def __bool__(self) -> bool:
        return True

    @property
    def _instant(self) -> tuple[int, int]:
        return self.seconds, self.nanosecond

    @property
    def _local(self) -> int:
        local = self.seconds + self.zone.at(self.seconds)[1]
        # Go counts from long ago in 64 bits without sign, and what lies before comes out behind.
        return local if local >= _FIRST_SECOND else local + (1 << 64)

    @property
    def date(self) -> tuple[int, int, int]:
        return _civil(self._local // _DAY_SECONDS)

    @property
    def clock(self) -> tuple[int, int, int]:
        left = self._local % _DAY_SECONDS
        return left // 3600, left % 3600 // 60, left % 60

    @property
    def weekday(self) -> int:
        return (self._local // _DAY_SECONDS + 4) % 7

    @property
    def year_day(self) -> int:
        return self._local // _DAY_SECONDS - _days(self.date[0], 1, 1) + 1

    def within(self, zone: Zone) -> "GoTime":
        """The same instant, shown in another zone."""
        return GoTime(self.seconds, self.nanosecond, zone)

    def plus(self, nanoseconds: int) -> "GoTime":
        carried, nanosecond = divmod(self.nanosecond + nanoseconds, SECOND)
        return GoTime(self.seconds + carried, nanosecond, self.zone)

    def since(self, other: "GoTime") -> Duration:
        """The time from the other instant to this one, at most what a Duration holds."""
        span = (self.seconds - other.seconds) * SECOND + self.nanosecond - other.nanosecond
        return Duration(max(-(1 << 63), min(span, (1 << 63) - 1)))

    def format(self, layout: str) -> str:
        return "".join(
            chunk if isinstance(chunk, str) else _FIELDS[chunk.field](self, chunk)
            for chunk in chunks(layout)
        )

    def go_string(self) -> str:
        return self.format("2006-01-02 15:04:05.999999999 -0700 MST")

    def go_json(self) -> str:
        return self.format(RFC3339_NANO)

    def methods(self) -> Mapping[str, tuple[Callable[..., object], GoSignature]]:
        return {
            name: (functools.partial(call, self), kind) for name, (call, kind) in _METHODS.items()
        }


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a day since 1970, by the Gregorian calendar at any distance."""
    cycles, rest = divmod(days + _DAYS_BEFORE_1970, _CYCLE_DAYS)
    date = datetime.date.fromordinal(rest + 1)
    return date.year + cycles * _CYCLE_YEARS, date.month, date.day


def _days(year: int, month: int, day: int) -> int:
    """The day since 1970; month and day may lie outside their range."""
    year += (month - 1) // 12
    month = (month - 1) % 12 + 1
    cycles, rest = divmod(year - 1, _CYCLE_YEARS)
    ordinal = datetime.date(rest + 1, month, 1).toordinal() - 1
    return cycles * _CYCLE_DAYS + ordinal + day - 1 - _DAYS_BEFORE_1970


def days_in_month(year: int, month: int) -> int:
    """How many days a month has in a year."""
    return _days(year, month + 1, 1) - _days(year, month, 1)


def _year(moment: GoTime, chunk: Chunk) -> str:
    year = moment.date[0]
    if chunk.field is Field.YEAR:
        return f"{abs(year) % 100:02d}"
    return f"{'-' if year < 0 else ''}{abs(year):04d}"


def _month(moment: GoTime, chunk: Chunk) -> str:
    name = MONTHS[moment.date[1] - 1]
    return name if chunk.field is Field.LONG_MONTH else name[:3]


def _weekday(moment: GoTime, chunk: Chunk) -> str:
    name = WEEKDAYS[moment.weekday]
    return name if chunk.field is Field.LONG_WEEKDAY else name[:3]


def _hour12(moment: GoTime) -> int:
    return moment.clock[0] % 12 or 12


def _zone_offset(moment: GoTime, chunk: Chunk) -> str:
    offset = moment.zone.at(moment.seconds)[1]
    if offset == 0 and chunk.text.startswith("Z"):
        return "Z"
    sign, size = ("-", -offset) if offset < 0 else ("+", offset)
    if -60 < offset < 0:  # noqa: PLR2004  as Go has it
        sign = "+"  # Go looks at whole minutes for the sign
    colon = ":" if ":" in chunk.text else ""
    text = f"{sign}{size // 3600:02d}"
    digits = chunk.text.count("0") + chunk.text.count("7")
    if digits > 2:  # noqa: PLR2004  as Go has it
        text += f"{colon}{size // 60 % 60:02d}"
    if digits > 4:  # noqa: PLR2004  as Go has it
        text += f"{colon}{size % 60:02d}"
    return text


def _zone_name(moment: GoTime, _chunk: Chunk) -> str:
    name, offset = moment.zone.at(moment.seconds)
    if name:
        return name
    sign, minutes = ("-", -offset // 60) if offset <= -60 else ("+", abs(offset) // 60)  # noqa: PLR2004  as Go has it
    return f"{sign}{minutes // 60:02d}{minutes % 60:02d}"


def _fraction(moment: GoTime, chunk: Chunk) -> str:
    digits = f"{moment.nanosecond:09d}"[: len(chunk.text) - 1]
    if chunk.field is Field.FRACTION_9:
        digits = digits.rstrip("0")
    return chunk.text[0] + digits if digits else ""


_FIELDS: Mapping[Field, Callable[[GoTime, Chunk], str]] = {
    Field.YEAR: _year,
    Field.LONG_YEAR: _year,
    Field.MONTH: _month,
    Field.LONG_MONTH: _month,
    Field.NUMBER_MONTH: lambda moment, _: str(moment.date[1]),
    Field.ZERO_MONTH: lambda moment, _: f"{moment.date[1]:02d}",
    Field.WEEKDAY: _weekday,
    Field.LONG_WEEKDAY: _weekday,
    Field.DAY: lambda moment, _: str(moment.date[2]),
    Field.UNDER_DAY: lambda moment, _: f"{moment.date[2]:2d}",
    Field.ZERO_DAY: lambda moment, _: f"{moment.date[2]:02d}",
    Field.UNDER_YEAR_DAY: lambda moment, _: f"{moment.year_day:3d}",
    Field.ZERO_YEAR_DAY: lambda moment, _: f"{moment.year_day:03d}",
    Field.HOUR: lambda moment, _: f"{moment.clock[0]:02d}",
    Field.HOUR_12: lambda moment, _: str(_hour12(moment)),
    Field.ZERO_HOUR_12: lambda moment, _: f"{_hour12(moment):02d}",
    Field.MINUTE: lambda moment, _: str(moment.clock[1]),
    Field.ZERO_MINUTE: lambda moment, _: f"{moment.clock[1]:02d}",
    Field.SECOND: lambda moment, _: str(moment.clock[2]),
    Field.ZERO_SECOND: lambda moment, _: f"{moment.clock[2]:02d}",
    Field.UPPER_PM: lambda moment, _: "PM" if moment.clock[0] >= 12 else "AM",  # noqa: PLR2004  as Go has it
    Field.LOWER_PM: lambda moment, _: "pm" if moment.clock[0] >= 12 else "am",  # noqa: PLR2004  as Go has it
    Field.ZONE_OFFSET: _zone_offset,
    Field.ZONE_NAME: _zone_name,
    Field.FRACTION_0: _fraction,
    Field.FRACTION_9: _fraction,
}


def _truncated(moment: GoTime, unit: int) -> GoTime:
    return moment.plus(-_past_multiple(moment, unit)) if unit > 0 else moment


def _rounded(moment: GoTime, unit: int) -> GoTime:
    if unit <= 0:
        return moment
    past = _past_multiple(moment, unit)
    return moment.plus(unit - past if past * 2 >= unit else -past)


def _past_multiple(moment: GoTime, unit: int) -> int:
    # Multiples are counted from the zero time, not from 1970.
    return ((moment.seconds - _ZERO_SECONDS) * SECOND + moment.nanosecond) % unit


def _added_date(moment: GoTime, years: int, months: int, days: int) -> GoTime:
    year, month, day = moment.date
    clock = (*moment.clock, moment.nanosecond)
    return GoTime.civil((year + years, month + months, day + days), clock, moment.zone)


def _go_source(moment: GoTime) -> str:
    year, month, day = moment.date
    hour, minute, second = moment.clock
    zone = "time.UTC" if moment.zone == UTC else f"time.Location({quote(moment.zone.name)})"
    return (
        f"time.Date({year}, time.{MONTHS[month - 1]}, {day}, {hour}, {minute}, {second}, "
        f"{moment.nanosecond}, {zone})"
    )


def _binary(moment: GoTime) -> bytes:
    offset = moment.zone.at(moment.seconds)[1]
    minutes, rest = divmod(offset, 60)
    if moment.zone == UTC:
        minutes = -1
    version = 2 if rest else 1
    head = struct.pack(">BqIh", version, moment.seconds - _ZERO_SECONDS, moment.nanosecond, minutes)
    return head + bytes([rest]) if rest else head


def _several(name: str, count: int) -> tuple[Callable[..., object], GoSignature]:
    """A method that returns too much for a template."""
    return GoTime.go_string, GoSignature(
        refused=f"function {name} has {count} return values; should be 1 or 2"
    )


def _two(name: str, second: str) -> tuple[Callable[..., object], GoSignature]:
    """A method whose second result is no error."""
    return GoTime.go_string, GoSignature(
        refused=f"invalid function signature for {name}: second return value should be error; "
        f"is {second}"
    )


_NOTHING = GoSignature()
_TIME = GoSignature((GoType.TIME,))
_DURATION = GoSignature((GoType.DURATION,))
_METHODS: Mapping[str, tuple[Callable[..., object], GoSignature]] = {
    "String": (GoTime.go_string, _NOTHING),
    "Format": (GoTime.format, GoSignature((GoType.STRING,))),
    "Unix": (lambda t: Int64(t.seconds), _NOTHING),
    "UnixMilli": (lambda t: Int64.wrap(t.seconds * 1000 + t.nanosecond // 10**6), _NOTHING),
    "UnixMicro": (lambda t: Int64.wrap(t.seconds * 10**6 + t.nanosecond // 1000), _NOTHING),
    "UnixNano": (lambda t: Int64.wrap(t.seconds * SECOND + t.nanosecond), _NOTHING),
    "Year": (lambda t: t.date[0], _NOTHING),
    "Month": (lambda t: Month(t.date[1]), _NOTHING),
    "Day": (lambda t: t.date[2], _NOTHING),
    "Weekday": (lambda t: Weekday(t.weekday), _NOTHING),
    "YearDay": (lambda t: t.year_day, _NOTHING),
    "Hour": (lambda t: t.clock[0], _NOTHING),
    "Minute": (lambda t: t.clock[1], _NOTHING),
    "Second": (lambda t: t.clock[2], _NOTHING),
    "Nanosecond": (lambda t: t.nanosecond, _NOTHING),
    "IsZero": (lambda t: (t.seconds, t.nanosecond) == (_ZERO_SECONDS, 0), _NOTHING),
    "Location": (lambda t: Location(t.zone), _NOTHING),
    "UTC": (lambda t: t.within(UTC), _NOTHING),
    "Local": (lambda t: t.within(LOCAL), _NOTHING),
    "Add": (lambda t, span: t.plus(span), _DURATION),
    "In": (lambda t, place: t.within(place.zone), GoSignature((GoType.LOCATION,))),
    "IsDST": (lambda t: t.zone.is_summer(t.seconds), _NOTHING),
    "Date": _several("Date", 3),
    "Clock": _several("Clock", 3),
    "Zone": _two("Zone", "int"),
    "ISOWeek": _two("ISOWeek", "int"),
    "ZoneBounds": _two("ZoneBounds", "time.Time"),
    "GoString": (_go_source, _NOTHING),
    "AppendFormat": (
        lambda t, start, layout: start + t.format(layout).encode(),
        GoSignature((GoType.BYTES, GoType.STRING)),
    ),
    "MarshalBinary": (_binary, _NOTHING),
    "GobEncode": (_binary, _NOTHING),
    "AddDate": (_added_date, GoSignature((GoType.INT, GoType.INT, GoType.INT))),
    "Sub": (lambda t, other: t.since(other), _TIME),
    "Before": (lambda t, other: t.since(other) < 0, _TIME),
    "After": (lambda t, other: t.since(other) > 0, _TIME),
    "Equal": (lambda t, other: t.since(other) == 0, _TIME),
    "Compare": (lambda t, other: (t.since(other) > 0) - (t.since(other) < 0), _TIME),
    "Truncate": (_truncated, _DURATION),
    "Round": (_rounded, _DURATION),
    "MarshalText": (lambda t: t.format(RFC3339_NANO).encode(), _NOTHING),
    "MarshalJSON": (lambda t: f'"{t.format(RFC3339_NANO)}"'.encode(), _NOTHING),
}
