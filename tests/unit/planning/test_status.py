import json

import pytest

from tests.builders.observations import OTHER_INPUTS, a_header, a_release, an_observation
from tests.builders.observations import some_inputs as inputs_of
from whipstaff.errors import ChartUnavailable, RenderFailed
from whipstaff.planning.observation import Remembered
from whipstaff.planning.status import Findings, StatusFacts, Unready, status_for
from whipstaff.release.objects import ObjectReference


def status_of(seen, findings=None, **facts):
    now = "2026-11-21T10:00:00.5Z"
    return status_for(StatusFacts(seen=seen, findings=findings or Findings(), now=now, **facts))


def condition(status, kind):
    return next((c for c in status["conditions"] if c["type"] == kind), None)


def test_the_same_facts_give_the_same_status():
    first = status_of(an_observation(a_header(1)))
    again = an_observation(a_header(1), release=a_release(status=first))
    assert status_of(again) == first


def test_what_runs_is_ready():
    status = status_of(an_observation(a_header(1, "superseded"), a_header(2)))
    ready = condition(status, "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "UpgradeSucceeded")
    assert ready["lastTransitionTime"] == "2026-11-21T10:00:00Z"
    assert status["revision"] == 2
    assert [entry["revision"] for entry in status["history"]] == [2, 1]


@pytest.mark.parametrize(
    ("refusal", "stalled"),
    [
        pytest.param(ChartUnavailable("repository is down"), False, id="worth another try"),
        pytest.param(RenderFailed("line 3: no"), True, id="only a change can help"),
    ],
)
def test_a_refusal_says_why_and_whether_it_is_tried_again(refusal, stalled):
    status = status_of(an_observation(a_header(1)), Findings(refusal=refusal))
    ready = condition(status, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", type(refusal).__name__)
    assert ready["message"] == refusal.text
    assert (condition(status, "Stalled") is not None) is stalled
    assert status["revision"] == 1


def test_of_thousands_that_are_waited_for_a_hundred_are_told_of():
    """An object of more than 1.5 MiB could not be written, and the spec may take most of that."""
    many = tuple(
        Unready(ObjectReference("apps/v1", "Deployment", "web", f"{number:0>60}"), "x" * 300)
        for number in range(5000)
    )
    seen = an_observation(a_header(1))
    status = status_of(seen, Findings(progressing="waiting", unready=many))
    assert len(status["unready"]) == 100
    assert len(json.dumps(status)) < 64 << 10


def test_work_in_progress_has_not_handled_the_generation():
    release = a_release(generation=2, status={"observedGeneration": 1})
    seen = an_observation(a_header(1), release=release)
    status = status_of(seen, Findings(progressing="applying revision 2"))
    assert status["observedGeneration"] == 1
    assert condition(status, "Reconciling")["status"] == "True"


def test_a_failed_attempt_counts_and_what_ran_stays_the_revision():
    seen = an_observation(a_header(1), a_header(2, "failed", attempt=3))
    status = status_of(seen, Findings(exhausted="failed 3 times"))
    assert status["failures"] == 3
    assert status["revision"] == 1
    assert condition(status, "Ready")["reason"] == "UpgradeFailed"
    assert condition(status, "Stalled")["reason"] == "RetriesExhausted"


def test_a_pin_says_what_it_holds_back():
    seen = an_observation(
        a_header(1), release=a_release(revision=1), inputs=inputs_of(OTHER_INPUTS)
    )
    status = status_of(seen)
    pinned = condition(status, "Pinned")
    assert (pinned["status"], status["pinnedRevision"]) == ("True", 1)
    assert pinned["message"].startswith("held at revision 1; held back: blog 1.0.0")


@pytest.mark.parametrize(
    ("findings", "known"),
    [
        pytest.param(Findings(refusal=ChartUnavailable("down")), 1, id="refused"),
        pytest.param(Findings(suspended=True), 1, id="suspended"),
        pytest.param(Findings(unapproved=True), 1, id="waits for an approval"),
        pytest.param(Findings(), None, id="answered"),
    ],
)
def test_a_pin_that_was_taken_away_is_known_until_that_is_answered(findings, known):
    seen = an_observation(a_header(1), remembered=Remembered(pinned_revision=1))
    assert status_of(seen, findings).get("pinnedRevision") == known


def test_a_revision_made_outside_is_named_so():
    seen = an_observation(
        a_header(1, "superseded"),
        a_header(2, ours=False),
        release=a_release(revision=1),
        remembered=Remembered(pinned_revision=1),
    )
    status = status_of(seen)
    assert status["history"][0]["trigger"] == "outside"
    assert condition(status, "Ready")["reason"] == "ChangedOutside"
    assert condition(status, "Pinned")["status"] == "False"


@pytest.mark.parametrize(
    ("headers", "value", "said"),
    [
        pytest.param([a_header(1)], "True", "revision 1 runs", id="what runs"),
        pytest.param([a_header(1, "failed")], "False", "revision 1 failed", id="what failed"),
        pytest.param([], "False", "nothing runs", id="nothing"),
    ],
)
def test_a_suspended_release_says_so_beside_what_stands(headers, value, said):
    ready = condition(status_of(an_observation(*headers), Findings(suspended=True)), "Ready")
    assert ready["status"] == value
    assert said in ready["message"]
    assert "the HelmRelease is suspended" in ready["message"]


SENTENCE = "`replicaCuont` is never read; did you mean `replicaCount`?"


def test_unread_values_stay_until_something_else_is_rendered():
    first = status_of(an_observation(a_header(1)), unused=(SENTENCE,))
    assert first["unusedValues"] == [SENTENCE]
    later = an_observation(a_header(1), release=a_release(status=first))
    assert status_of(later) == first
    assert "unusedValues" not in status_of(later, unused=())


def test_of_a_held_revision_no_values_are_unread():
    known = {"unusedValues": [SENTENCE]}
    held = an_observation(a_header(1), release=a_release(revision=1, status=known))
    assert "unusedValues" not in status_of(held)


@pytest.mark.parametrize("odd", ["x", 1, {}, [1, None]], ids=repr)
def test_what_nobody_wrote_into_status_is_forgotten(odd):
    release = a_release(status={"unusedValues": odd})
    assert "unusedValues" not in status_of(an_observation(a_header(1), release=release))
