"""sprig's dates, in Go's layouts; what is no date counts as now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whipstaff.golang.durations import (
    SECOND,
    DurationError,
    format_duration,
    parse_duration,
    round_duration,
)
from whipstaff.golang.strconv import atoi
from whipstaff.golang.timefmt import UTC, GoTime, load_zone
from whipstaff.golang.timeparse import TimeError, parse_time
from whipstaff.golang.values import Duration, Int32, Int64
from whipstaff.template.errors import FunctionError
from whipstaff.template.functions.registry import Function, GoType, function

if TYPE_CHECKING:
    from whipstaff.template.scope import RenderScope

FAMILY: dict[str, Function] = {}

_HTML_LAYOUT = "2006-01-02"
_ROUND_UNITS = (
    (365 * 86400 * SECOND, "y"),
    (30 * 86400 * SECOND, "mo"),
    (86400 * SECOND, "d"),
    (3600 * SECOND, "h"),
    (60 * SECOND, "m"),
    (SECOND, "s"),
)


@function("now", scoped=True)
def now(scope: RenderScope) -> GoTime:
    """The time of the render."""
    return GoTime.of(scope.effects.now())


@function("date", GoType.STRING, GoType.ANY, scoped=True)
def date(scope: RenderScope, layout: str, moment: object) -> str:
    """The moment in UTC by a layout."""
    return _moment(scope, moment).within(UTC).format(layout)


@function("htmlDate", GoType.ANY, scoped=True)
def html_date(scope: RenderScope, moment: object) -> str:
    """The moment's date as HTML wants it."""
    return date(scope, _HTML_LAYOUT, moment)


@function("htmlDateInZone", GoType.ANY, GoType.STRING, scoped=True)
def html_date_in_zone(scope: RenderScope, moment: object, zone: str) -> str:
    """The moment's date in a zone as HTML wants it."""
    return date_in_zone(scope, _HTML_LAYOUT, moment, zone)


@function("dateInZone", GoType.STRING, GoType.ANY, GoType.STRING, scoped=True)
@function("date_in_zone", GoType.STRING, GoType.ANY, GoType.STRING, scoped=True)
def date_in_zone(scope: RenderScope, layout: str, moment: object, zone: str) -> str:
    """The moment in a zone of the database; in UTC if there is none of that name."""
    return _moment(scope, moment).within(load_zone(zone) or UTC).format(layout)


def _moment(scope: RenderScope, value: object) -> GoTime:
    if isinstance(value, GoTime):
        return value
    if type(value) in {int, Int64, Int32} and isinstance(value, int):
        return GoTime(int(value))
    return now(scope)


@function("dateModify", GoType.STRING, GoType.TIME)
@function("date_modify", GoType.STRING, GoType.TIME)
def date_modify(span: str, moment: GoTime) -> GoTime:
    """The moment moved by a duration; unmoved if the text is none."""
    try:
        return moment.plus(parse_duration(span))
    except DurationError:
        return moment


@function("mustDateModify", GoType.STRING, GoType.TIME)
@function("must_date_modify", GoType.STRING, GoType.TIME)
def must_date_modify(span: str, moment: GoTime) -> GoTime:
    """The moment moved by a duration."""
    try:
        return moment.plus(parse_duration(span))
    except DurationError as error:
        raise FunctionError(str(error)) from error


@function("ago", GoType.ANY, scoped=True)
def ago(scope: RenderScope, moment: object) -> str:
    """How long ago it was, in whole seconds."""
    known = None if type(moment) is Int32 else moment  # sprig forgot int32 here
    span = now(scope).since(_moment(scope, known))
    return format_duration(round_duration(span, SECOND))


@function("duration", GoType.ANY)
def duration(seconds: object) -> str:
    """Seconds, as text or int64, as a duration; anything else counts as none."""
    if type(seconds) is str:
        count = atoi(seconds)
    elif type(seconds) is Int64:
        count = int(seconds)
    else:
        count = 0
    return format_duration(Duration.wrap(count * SECOND))


@function("durationRound", GoType.ANY, scoped=True)
def duration_round(scope: RenderScope, span: object) -> str:
    """The duration in its largest unit alone: `3mo`, `2h`."""
    size = abs(_span(scope, span))
    for unit, name in _ROUND_UNITS:
        if size > unit:
            return f"{size // unit}{name}"
    return "0s"


def _span(scope: RenderScope, value: object) -> int:
    if isinstance(value, GoTime):
        return now(scope).since(value)
    if type(value) is Int64:
        return int(value)
    if type(value) is str:
        try:
            return parse_duration(value)
        except DurationError:
            return 0
    return 0


@function("toDate", GoType.STRING, GoType.STRING)
def to_date(layout: str, text: str) -> GoTime:
    """The time that the text says; the zero time if it says none."""
    try:
        return parse_time(layout, text)
    except TimeError:
        return GoTime.zero()


@function("mustToDate", GoType.STRING, GoType.STRING)
def must_to_date(layout: str, text: str) -> GoTime:
    """The time that the text says."""
    try:
        return parse_time(layout, text)
    except TimeError as error:
        raise FunctionError(str(error)) from error


@function("unixEpoch", GoType.TIME)
def unix_epoch(moment: GoTime) -> str:
    """The moment in seconds since 1970."""
    return str(moment.seconds)
