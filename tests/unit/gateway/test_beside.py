import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whipstaff.gateway.pages import beside
from whipstaff.gateway.pages.beside import Row, Side, rows


def unified(before, after):
    return "".join(
        difflib.unified_diff(
            before.splitlines(keepends=True), after.splitlines(keepends=True), "before", "after"
        )
    )


def test_lines_that_changed_stand_beside_each_other():
    assert rows(unified("a\nb\nc\n", "a\nB\nc\n")) == [
        Row("same", Side(1, "a"), Side(1, "a")),
        Row("changed", Side(2, "b"), Side(2, "B")),
        Row("same", Side(3, "c"), Side(3, "c")),
    ]


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        pytest.param("", "a\n", "added", id="added"),
        pytest.param("a\n", "", "removed", id="removed"),
    ],
)
def test_what_only_one_side_has_stands_alone(before, after, kind):
    (row,) = rows(unified(before, after))
    assert (row.kind, row.left.number, row.right.number) == (
        kind,
        int(kind == "removed"),
        int(kind == "added"),
    )


def test_what_was_left_out_between_is_a_gap():
    before = "".join(f"{number}\n" for number in range(40))
    after = before.replace("2\n", "x\n", 1).replace("35\n", "y\n", 1)
    found = rows(unified(before, after))
    gaps = [row.left.number for row in found if row.kind == "gap"]
    shown = [row.left.number for row in found if row.kind in ("same", "changed")]
    assert gaps == [max(shown) - 7 - min(shown) - 5]
    assert Row("changed", Side(36, "35"), Side(36, "y")) in found


def test_what_was_left_out_before_is_a_gap_as_well():
    before = "".join(f"{number}\n" for number in range(40))
    first, *_ = rows(unified(before, before.replace("35\n", "y\n")))
    assert first == Row("gap", Side(32))


def test_a_gap_says_what_comes_after_it_is_in():
    (first, *_) = rows("--- a\n+++ b\n@@ -5,1 +5,1 @@ spec.template\n-a\n+b\n")
    assert first == Row("gap", Side(4, "spec.template"))


LABELS = "metadata:\n  labels:\n    helm.sh/chart: blog-1\n    app.kubernetes.io/version: '1'\n"


@pytest.mark.parametrize(
    ("after", "routine"),
    [
        pytest.param(LABELS.replace("1", "2"), True, id="labels of the version"),
        pytest.param(f"{LABELS}    app: blog\n", False, id="one more label"),
        pytest.param(LABELS.replace("1", "2") + "spec: {}\n", False, id="and something else"),
        pytest.param("metadata:\n  labels:\n    helm.sh/chart: blog-1\n", False, id="one less"),
    ],
)
def test_what_every_version_changes_is_told_from_what_matters(after, routine):
    assert beside.is_routine(rows(unified(LABELS, after))) is routine


@pytest.mark.parametrize(
    ("line", "routine"),
    [
        ("    chart: blog-{}.0.0", True),
        ('    "helm.sh/chart": "blog-{}.0.0"', True),
        ("  chart: '{}.0.0'", False),
        ("  version: '{}'", False),
    ],
)
def test_a_label_of_the_version_is_told_from_data_of_the_name(line, routine):
    before, after = (f"a:\n{line.format(number)}\n" for number in (1, 2))
    assert beside.is_routine(rows(unified(before, after))) is routine


def test_lines_are_counted():
    assert beside.tally(rows(unified("a\nb\nc\n", "a\nB\nc\nd\ne\n"))) == (3, 1)


def test_a_line_that_looks_like_a_head_is_a_line():
    found = rows(unified("-- a\n", "++ b\n"))
    assert found == [Row("changed", Side(1, "-- a"), Side(1, "++ b"))]


def test_what_is_no_diff_is_a_note():
    (row,) = rows("… 30000 and 2 lines are too many to be compared\n")
    assert (row.kind, "too many" in row.left.text) == ("note", True)
    assert rows("") == []


def test_rows_without_end_end(monkeypatch):
    monkeypatch.setattr(beside, "ROWS_LIMIT", 3)
    found = rows(unified("", "a\n" * 10))
    assert (len(found), found[-1].kind) == (4, "note")


lines = st.lists(st.text("ab-+ @", max_size=4), max_size=12).map(
    lambda found: "".join(f"{line}\n" for line in found)
)


@given(lines, lines)
def test_both_sides_are_the_texts_that_were_compared(before, after):
    found = rows(
        "".join(
            difflib.unified_diff(
                *(text.splitlines(keepends=True) for text in (before, after)),
                "before",
                "after",
                n=100,
            )
        )
    )
    if before != after:
        for side, text in (("left", before), ("right", after)):
            told = [getattr(row, side) for row in found if getattr(row, side).number]
            assert "".join(f"{line.text}\n" for line in told) == text
            assert [line.number for line in told] == list(range(1, len(told) + 1))
