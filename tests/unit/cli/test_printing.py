"""Tables as wide as they need be."""

import pytest

from whipstaff.cli.printing import as_json, table


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
