"""Go's times; the oracle cases of the date functions say the rest."""

import datetime

import pytest

from whipstaff.golang.durations import (
    DurationError,
    format_duration,
    parse_duration,
    round_duration,
)
from whipstaff.golang.timefmt import GoTime, load_zone
from whipstaff.golang.timeparse import TimeError, parse_time


@pytest.mark.parametrize(
    ("seconds", "zone", "expected"),
    [
        (1710054000, "America/New_York", "2024-03-10 03:00:00 -0400 EDT"),
        (1710053999, "America/New_York", "2024-03-10 01:59:59 -0500 EST"),
        (0, "Asia/Kolkata", "1970-01-01 05:30:00 +0530 IST"),
        (-62135596800, "UTC", "0001-01-01 00:00:00 +0000 UTC"),
        (253402300800, "UTC", "10000-01-01 00:00:00 +0000 UTC"),
        (4102444800 + 400 * 31556952 * 30, "Europe/Berlin", "14100-01-01 01:00:00 +0100 CET"),
    ],
)
def test_an_instant_is_shown_in_any_zone_and_year(seconds, zone, expected):
    assert GoTime(seconds).within(load_zone(zone)).go_string() == expected


def test_a_datetime_keeps_its_microseconds():
    moment = datetime.datetime(2024, 2, 29, 1, 2, 3, 456789, tzinfo=datetime.UTC)
    assert (
        GoTime.of(moment).format("2006-01-02T15:04:05.999999999Z07:00")
        == "2024-02-29T01:02:03.456789Z"
    )


@pytest.mark.parametrize("name", ["Nowhere/Else", "../etc/passwd", "/etc/passwd", "a\0b"])
def test_a_zone_that_is_none_is_none(name):
    assert load_zone(name) is None


def test_what_was_read_is_written_back():
    layout = "Mon, 02 Jan 2006 15:04:05.000 -0700"
    text = "Thu, 29 Feb 2024 13:14:15.250 +0530"
    assert parse_time(layout, text).format(layout) == text


def test_a_day_that_no_month_has_is_refused():
    with pytest.raises(TimeError, match="day out of range"):
        parse_time("2006-01-02", "2023-02-29")


@pytest.mark.parametrize(
    ("text", "nanoseconds", "written"),
    [
        ("1h2m3.5s", 3_723_500_000_000, "1h2m3.5s"),
        ("-90s", -90_000_000_000, "-1m30s"),
        ("1.5ms", 1_500_000, "1.5ms"),
        ("1µs", 1_000, "1µs"),
        ("0", 0, "0s"),
    ],
)
def test_durations_are_read_and_written(text, nanoseconds, written):
    assert parse_duration(text) == nanoseconds
    assert format_duration(nanoseconds) == written


@pytest.mark.parametrize("text", ["", "1", "1d", ".s", "9999999h", "1h2"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(DurationError, match="time: "):
        parse_duration(text)


def test_a_duration_rounds_halves_away_from_zero():
    assert round_duration(1_500_000_000, 10**9) == 2 * 10**9
    assert round_duration(-1_500_000_000, 10**9) == -2 * 10**9
