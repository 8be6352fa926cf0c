"""Durations mean what Go takes them for."""

import pytest

from whipstaff.helmrelease.durations import DurationError, seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("+0", 0),
        ("1s", 1),
        ("90s", 90),
        ("5m0s", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1.s", 1),
        ("500ms", 0.5),
        ("1s1s", 2),
        ("30m1h", 5400),
        ("1us", 1e-6),
        ("1µs", 1e-6),
        ("1μs", 1e-6),
        ("3ns", 3e-9),
        ("-1m", -60),
        ("+1m", 60),
        ("2562047h47m16.854775807s", 9223372036.854775807),
    ],
)
def test_what_go_reads_is_read(text, expected):
    assert seconds(text) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "1d",
        "s",
        ".s",
        "-",
        "1h 30m",
        " 1s",
        "1S",
        "1,5s",
        "soon",
        "--1s",
        "\u0661s",
        "1e3s",
        "0 ",
    ],
)
def test_what_go_refuses_is_refused(text):
    with pytest.raises(DurationError, match="is no duration"):
        seconds(text)


@pytest.mark.parametrize("text", ["2562047h47m16.854775808s", "99999999h", "9" * 60 + "h"])
def test_what_does_not_fit_into_gos_type_is_refused(text):
    with pytest.raises(DurationError, match="longer than a duration can be"):
        seconds(text)


def test_a_long_text_is_refused_before_it_is_read():
    with pytest.raises(DurationError, match="too long"):
        seconds("1s" * 100_000)
