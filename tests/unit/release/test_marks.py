"""Marks tell our own revisions from copies that the helm CLI made of them."""

import re

import pytest

from whipstaff.release.marks import REVISION, Marks, is_ours
from whipstaff.release.revision import ReleaseStatus, RevisionHeader

MARKS = Marks(
    inputs="v1-0123", manifest="v1-4567", action="rollback", made_from=2, attempt=3, trigger="retry"
)


def a_header(number, labels):
    return RevisionHeader(number, ReleaseStatus.DEPLOYED, labels)


@pytest.mark.parametrize("marks", [pytest.param(MARKS, id="all"), pytest.param(Marks(), id="none")])
def test_what_was_noted_is_read_back(marks):
    assert Marks.of(a_header(5, marks.labels(5))) == marks


def test_a_revision_with_its_own_number_is_ours():
    assert is_ours(a_header(5, Marks().labels(5)))


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({}, id="none"),
        pytest.param(MARKS.labels(4), id="copied from the revision before"),
        pytest.param({REVISION: "05"}, id="written otherwise"),
    ],
)
def test_a_revision_without_its_own_number_is_not_ours(labels):
    header = a_header(5, labels)

    assert not is_ours(header)
    assert Marks.of(header) == Marks()


@pytest.mark.parametrize("text", ["", "x", "-1", "²", "1.0"])
def test_odd_numbers_count_as_absent(text):
    labels = MARKS.labels(5) | {"whipstaff.dev/made-from": text, "whipstaff.dev/attempt": text}

    assert Marks.of(a_header(5, labels)).made_from is None
    assert Marks.of(a_header(5, labels)).attempt == 1


def test_marks_are_valid_labels():
    for name, value in MARKS.labels(5).items():
        assert re.fullmatch(r"whipstaff\.dev/[a-z-]{1,63}", name)
        assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", value)
