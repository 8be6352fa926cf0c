import pytest

from tests.builders.observations import OTHER_INPUTS, a_header, a_release, an_observation
from whipstaff.errors import ChartUnavailable, RevisionNotFound, RevisionNotUsable
from whipstaff.planning.decision import Action, decide
from whipstaff.planning.failures import backoff_seconds
from whipstaff.planning.observation import Remembered
from whipstaff.planning.state import classify


def decision_for(seen):
    return decide(classify(seen), seen)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param([], Action.INSTALL, id="nothing there"),
        pytest.param([a_header(1)], None, id="in sync"),
        pytest.param([a_header(1, inputs=OTHER_INPUTS)], Action.UPGRADE, id="inputs changed"),
        pytest.param([a_header(2, ours=False)], Action.UPGRADE, id="changed outside"),
        pytest.param([a_header(1, "pending-install")], Action.RESUME, id="interrupted"),
        pytest.param(
            [a_header(1, "pending-install", inputs=OTHER_INPUTS)], Action.ABANDON, id="unwanted"
        ),
        pytest.param([a_header(2, "pending-upgrade", ours=False)], Action.UNLOCK, id="stale lock"),
        pytest.param([a_header(1), a_header(2)], Action.TIDY, id="two deployed"),
        pytest.param([a_header(1, "failed")], Action.INSTALL, id="nothing ever ran"),
        pytest.param([a_header(1), a_header(2, "failed")], Action.UPGRADE, id="something ran"),
        pytest.param(
            [a_header(1, "superseded"), a_header(2, "uninstalled")],
            Action.INSTALL,
            id="uninstalled with its history kept",
        ),
    ],
)
def test_each_state_has_its_action(headers, expected):
    assert decision_for(an_observation(*headers)).action is expected


def test_someone_elses_lock_is_waited_for_until_timeout():
    lock = a_header(2, "pending-upgrade", ours=False, modified_at=1900)
    waiting = decision_for(an_observation(lock, now_seconds=2000))
    assert (waiting.action, waiting.wait_seconds) == (None, 200.0)


def test_a_failed_revision_is_tried_three_times_with_growing_pauses():
    soon = decision_for(an_observation(a_header(1, "failed", modified_at=1998)))
    assert (soon.action, soon.wait_seconds) == (None, 3.0)
    second = decision_for(an_observation(a_header(1, "failed")))
    assert (second.action, second.attempt) == (Action.INSTALL, 2)
    third = decision_for(an_observation(a_header(2, "failed", attempt=2)))
    assert (third.action, third.attempt) == (Action.INSTALL, 3)
    never = decision_for(an_observation(a_header(3, "failed", attempt=3)))
    assert (never.action, never.stalled) == (None, True)


def test_asking_starts_the_attempts_anew():
    asked = a_release(annotations={"whipstaff.dev/requestedAt": "now"})
    header = a_header(3, "failed", attempt=3)
    again = decision_for(an_observation(header, release=asked))
    assert (again.action, again.attempt, again.trigger) == (Action.INSTALL, 1, "request")
    answered = an_observation(header, release=asked, remembered=Remembered(handled_request="now"))
    assert decision_for(answered).stalled


def test_pauses_grow_from_five_seconds_to_ten_minutes():
    assert [backoff_seconds(n) for n in (1, 2, 3, 20)] == [5.0, 10.0, 20.0, 600.0]


@pytest.mark.parametrize(
    ("headers", "error", "text"),
    [
        pytest.param(
            [a_header(3), a_header(2, "superseded")],
            RevisionNotFound,
            "revision 1 is not stored; usable revisions: 3, 2",
            id="pruned",
        ),
        pytest.param(
            [a_header(1, "failed"), a_header(2)],
            RevisionNotUsable,
            "revision 1 is failed and cannot be run; usable revisions: 2",
            id="failed",
        ),
        pytest.param(
            [], RevisionNotFound, "is not stored; usable revisions: none", id="empty cluster"
        ),
    ],
)
def test_a_pin_that_cannot_be_reached_names_the_usable_revisions(headers, error, text):
    seen = an_observation(*headers, release=a_release(revision=1))
    with pytest.raises(error, match=text):
        decision_for(seen)


def test_a_chart_that_cannot_be_had_refuses_a_release_that_is_in_sync_too():
    with pytest.raises(ChartUnavailable):
        decision_for(an_observation(a_header(1), inputs=ChartUnavailable("down")))
