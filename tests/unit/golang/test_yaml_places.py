"""Where the fields of a text stand."""

from whipstaff.golang.yaml_places import places

TEXT = """\
# a comment
a: 1
b:
  c: [x, y]
  d:
  - e: 1
  - e: 2
---
- z
"""


def test_each_field_has_its_line():
    first, second = places(TEXT, 9)
    assert dict(first.lines) == {
        ("a",): 2,
        ("b",): 3,
        ("b", "c"): 4,
        ("b", "c", 0): 4,
        ("b", "c", 1): 4,
        ("b", "d"): 5,
        ("b", "d", 0): 6,
        ("b", "d", 0, "e"): 6,
        ("b", "d", 1): 7,
        ("b", "d", 1, "e"): 7,
    }
    assert dict(second.lines) == {(0,): 9}


def test_a_field_that_is_not_there_has_the_line_of_what_it_would_be_in():
    first, _ = places(TEXT, 9)
    assert first.line(("b", "d", 1, "f")) == 7
    assert first.line(("q",)) == 2


def test_a_field_that_is_there_twice_is_told_of():
    [only] = places("a:\n  b: 1\n  c: 2\n  b: 3\n", 9)
    assert only.twice == ((("a", "b"), 4),)


def test_fields_of_two_elements_are_not_one_field_twice():
    [only] = places("- {a: 1}\n- {a: 1}\n", 9)
    assert only.twice == ()


def test_no_depth_is_too_much():
    [only] = places("[" * 5_000 + "]" * 5_000, 4)
    assert list(only.lines) == [(0,), (0, 0), (0, 0, 0), (0, 0, 0, 0)]


def test_what_is_behind_a_refusal_has_no_place():
    assert len(places("a: 1\n---\n[\n", 4)) == 1


def test_an_alias_is_not_followed():
    text = "a: &a {b: 1}\nc: *a\nd: *a\n"
    assert set(places(text, 9)[0].lines) == {("a",), ("a", "b"), ("c",), ("d",)}
