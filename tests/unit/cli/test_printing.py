"""Tables as wide as they need be."""

import click
import pytest

from whipstaff.cli.printing import as_json, as_yaml, echo, table


def test_columns_are_as_wide_as_what_is_in_them():
    assert table([["A", "BB"], ["ccc", "d"]]) == "A  \tBB\nccc\td \n"


@pytest.mark.parametrize(
    ("text", "widest", "expected"),
    [
        ("abcdefgh", 6, "abc..."),
        ("abcdef", 6, "abcdef"),
        ("世界世界", 6, "世界..."),
        ("abc", 2, "a..."),
        ("é́", 0, "é́"),
    ],
)
def test_what_is_wider_than_allowed_is_cut(text, widest, expected):
    assert table([[text]], widest) == f"{expected}\n"


def test_no_rows_are_an_empty_line():
    assert table([]) == "\n"


def test_json_is_spelled_as_go_spells_it():
    assert as_json([{"b": "<&>", "a": "é"}]) == '[{"b":"\\u003c\\u0026\\u003e","a":"é"}]\n'


STEERING = "\x1b]0;title\x07\x1b[2J\x9b31m\r\u202e"


@pytest.mark.parametrize("on_terminal", [True, False], ids=["a terminal", "a pipe"])
def test_a_terminal_is_steered_by_nobody_and_a_pipe_gets_all(monkeypatch, capfd, on_terminal):
    monkeypatch.setattr("sys.stdout.isatty", lambda: on_terminal)
    echo(f"one{STEERING}\ttwo\n")
    found = capfd.readouterr().out
    assert (found.startswith("one"), found.endswith("\ttwo\n")) == (True, True)
    assert [one in found for one in "\x1b\x07\x9b\u202e"] == [not on_terminal] * 4


def test_what_no_yaml_can_hold_is_refused_in_helms_words():
    with pytest.raises(click.ClickException, match=r"^unable to write YAML output: yaml: control"):
        as_yaml({"a": "\x9b"})
