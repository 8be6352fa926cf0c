"""What is remembered and told of drift."""

from dataclasses import replace

import pytest

from whipstaff.planning.drift import Drift
from whipstaff.planning.drift_notes import (
    CORRECTIONS_LIMIT,
    FIELDS_LIMIT,
    NOTES_LIMIT,
    WINDOW_SECONDS,
    DriftFindings,
    Note,
    Standing,
    condition_of,
    corrections_before,
    entries_of,
    noted,
    remembered_notes,
)
from whipstaff.release.objects import ObjectReference

NOW = 1_800_000_000
WEB = Drift(ObjectReference("apps/v1", "Deployment", "shop", "web"), ("spec.replicas",), ("edit",))
GONE = Drift(ObjectReference("v1", "ConfigMap", "shop", "settings"), missing=True)
AGAIN = (
    "put right 5 times within an hour, and changed again:"
    " Deployment shop/web: spec.replicas (by edit)"
)


def corrected(drift=WEB, corrections=1, since=NOW):
    return Note(drift, Standing.CORRECTED, corrections, since)


@pytest.mark.parametrize(
    "note",
    [
        corrected(),
        Note(GONE, Standing.FOUND, since=NOW),
        Note(WEB, Standing.REFUSED, 2, NOW, why="no"),
        Note(Drift(ObjectReference("v1", "Namespace", "", "shop")), Standing.RECURS, 5, NOW),
    ],
)
def test_what_is_told_is_remembered(note):
    assert remembered_notes({"drift": entries_of([note])}, NOW) == (note,)


@pytest.mark.parametrize(
    "drift",
    [None, "x", 7, ["x"], [{}], [{"standing": "Odd"}], [{"since": 7, "fields": 3}]],
    ids=repr,
)
def test_what_cannot_be_read_is_forgotten(drift):
    assert remembered_notes({"drift": drift}, NOW) == ()


def test_corrections_are_forgotten_after_an_hour():
    status = {"drift": entries_of([corrected(), Note(GONE, Standing.FOUND, since=NOW)])}
    later = remembered_notes(status, NOW + WINDOW_SECONDS)
    assert [note.drift for note in later] == [GONE]


def test_the_same_drift_is_counted():
    notes = [corrected(corrections=3)]
    assert corrections_before(notes, WEB) == 3
    assert corrections_before(notes, replace(WEB, managers=("another",))) == 3
    assert corrections_before(notes, replace(WEB, fields=("spec.paused",))) == 0
    assert corrections_before(notes, GONE) == 0


def many(corrections):
    references = (ObjectReference("v1", "ConfigMap", "shop", f"{n:03}") for n in range(NOTES_LIMIT))
    return [corrected(Drift(each, missing=True), corrections) for each in references]


def test_where_more_drifts_than_are_remembered_all_are_fought_over_alike():
    assert corrections_before(many(4), WEB) == 4


def test_no_more_is_told_than_fits():
    found = [*many(1), corrected(WEB)]
    assert len(noted((), found, NOW)) == NOTES_LIMIT
    fields = tuple(f"spec.{number:02}" + "x" * 300 for number in range(FIELDS_LIMIT + 2))
    (entry,) = entries_of([corrected(replace(WEB, fields=fields))])
    assert len(entry["fields"]) == FIELDS_LIMIT + 1
    assert entry["fields"][-1] == "… and 2 more"
    assert max(map(len, entry["fields"])) == 200


def test_the_hour_begins_with_the_first_correction():
    notes = noted((), [corrected(since=0)], NOW)
    assert notes == (corrected(),)
    notes = noted(notes, [corrected(corrections=2, since=0)], NOW + 60)
    assert notes == (corrected(corrections=2),)


def test_the_hour_does_not_begin_while_nothing_is_put_right():
    found = noted((), [Note(WEB, Standing.FOUND)], NOW - WINDOW_SECONDS)
    assert noted(found, [corrected()], NOW) == (corrected(),)


def test_what_is_no_more_is_not_told():
    assert noted([Note(WEB, Standing.FOUND, since=NOW)], [], NOW) == ()


def test_what_was_put_right_stays_told():
    assert noted([corrected()], [corrected(GONE)], NOW) == (corrected(GONE), corrected())


def test_what_was_found_now_is_told_before_what_was_put_right_earlier():
    def missing(name):
        return Drift(ObjectReference("v1", "ConfigMap", "shop", name), missing=True)

    earlier = noted((), [corrected(missing(f"a-{at}")) for at in range(NOTES_LIMIT)], NOW)
    notes = noted(earlier, [corrected(missing("z"))], NOW)
    assert notes == (corrected(missing("z")), *earlier[:-1])
    assert noted(notes, [], NOW) == notes


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        pytest.param(
            DriftFindings(),
            ("False", "NoDriftDetected", "the objects are as revision 3 has them"),
            id="none",
        ),
        pytest.param(
            DriftFindings((corrected(),)),
            (
                "False",
                "DriftCorrected",
                "put right: Deployment shop/web: spec.replicas (by edit)",
            ),
            id="put right",
        ),
        pytest.param(
            DriftFindings((Note(GONE, Standing.FOUND),)),
            ("True", "DriftDetected", "changed by others: ConfigMap shop/settings is missing"),
            id="found",
        ),
        pytest.param(
            DriftFindings((Note(WEB, Standing.REFUSED, why="you may not"), corrected(GONE))),
            (
                "True",
                "DriftCorrectionFailed",
                "cannot be put right: Deployment shop/web: spec.replicas (by edit): you may not",
            ),
            id="refused",
        ),
        pytest.param(
            DriftFindings((corrected(GONE), Note(WEB, Standing.RECURS, CORRECTIONS_LIMIT))),
            ("True", "DriftRecurs", AGAIN),
            id="recurs",
        ),
        pytest.param(
            DriftFindings((corrected(),), unknown="no answer"),
            ("Unknown", "DriftUnknown", "no answer"),
            id="unknown",
        ),
    ],
)
def test_the_condition_says_how_it_stands(findings, expected):
    assert condition_of(findings, 3) == expected


def test_a_message_names_a_few():
    _, _, message = condition_of(DriftFindings(tuple(many(1))), 3)
    assert message.endswith("; and 45 more")
