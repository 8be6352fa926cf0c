"""What follows a failure: tried again, undone, or left; and what is told of it."""

import pytest

from tests.builders.observations import (
    INPUTS,
    OTHER_INPUTS,
    a_header,
    a_release,
    an_observation,
    some_inputs,
)
from whipstaff.errors import ChartUnavailable, ReleaseConflict
from whipstaff.helmrelease.types import (
    ActionOptions,
    CRDPolicy,
    Remediation,
    RemediationStrategy,
    TestOptions,
)
from whipstaff.planning.decision import Action, decide
from whipstaff.planning.failed import counts, failed
from whipstaff.planning.failures import FailurePolicy, previous_to
from whipstaff.planning.observation import Remembered
from whipstaff.planning.options import options_digest
from whipstaff.planning.state import Sync, classify
from whipstaff.release.marks import Rejected

UNINSTALL = RemediationStrategy.UNINSTALL
LAST = Remediation(remediate_last_failure=True)
RAN = a_header(1, "superseded", inputs=OTHER_INPUTS)
FAILED = a_header(2, "failed")
UNDONE = Rejected(INPUTS, 1, 2)
NOTED = {"inputs": OTHER_INPUTS, "made_from": 1, "action": "remediate", "rejected": UNDONE}
ROLLED_BACK = a_header(3, **NOTED)


def decision_for(*headers, upgrade=None, install=None, **facts):
    spec = {"upgrade": ActionOptions(remediation=upgrade)} if upgrade else {}
    if install:
        spec["install"] = ActionOptions(crds=CRDPolicy.CREATE, remediation=install)
    release = a_release(**spec, **facts.pop("spec", {}), annotations=facts.pop("asking", None))
    seen = an_observation(*headers, release=release, **facts)
    return decide(classify(seen), seen)


@pytest.mark.parametrize(
    ("remediation", "attempts", "exhausted", "undone"),
    [
        pytest.param(None, 2, False, False, id="nothing said: a third attempt"),
        pytest.param(None, 3, True, False, id="nothing said: three attempts"),
        pytest.param(Remediation(), 1, True, False, id="no retries"),
        pytest.param(LAST, 1, True, True, id="no retries, the last failure undone"),
        pytest.param(Remediation(2), 2, False, True, id="undone before each retry"),
        pytest.param(Remediation(2), 3, True, False, id="the last one is left"),
        pytest.param(Remediation(-1), 99, False, True, id="without an end"),
    ],
)
def test_a_policy_counts_attempts(remediation, attempts, exhausted, undone):
    policy = FailurePolicy(remediation)
    assert policy.exhausted(attempts) is exhausted
    assert (policy.undone_by(attempts) is not None) is undone


def test_retry_on_failure_is_never_exhausted_and_undoes_nothing():
    spec = a_release(upgrade=ActionOptions(remediation=LAST, retry_seconds=7.0)).spec
    policy = FailurePolicy.of(spec, "upgrade")
    assert not policy.exhausted(99)
    assert policy.undone_by(99) is None
    assert policy.pause_seconds(99) == 7.0


def test_a_rollback_by_a_pin_is_never_undone():
    spec = a_release(upgrade=ActionOptions(remediation=LAST)).spec
    assert FailurePolicy.of(spec, "rollback") == FailurePolicy()


def test_a_failed_upgrade_is_rolled_back_to_what_ran_before():
    decision = decision_for(a_header(1, inputs=OTHER_INPUTS), FAILED, upgrade=LAST)
    assert decision.action is Action.REMEDIATE
    assert decision.source.number == 1
    assert decision.rejected == UNDONE


def test_a_failed_install_is_uninstalled():
    first = a_header(1, "failed", action="install")
    decision = decision_for(first, install=Remediation(0, UNINSTALL, True))
    assert (decision.action, decision.source) == (Action.REMEDIATE, None)
    assert decision.rejected == Rejected(INPUTS, 1, 1)


def test_without_a_previous_revision_nothing_is_rolled_back():
    decision = decision_for(FAILED, upgrade=LAST)
    assert (decision.action, decision.stalled, decision.no_way_back) == (None, True, True)


def test_a_revision_whose_tests_failed_is_no_way_back():
    tested = a_header(3, "superseded", tests="failed")
    seen = an_observation(RAN, tested, a_header(4, "failed"))
    assert previous_to(seen, seen.newest).number == 1
    ignoring = an_observation(
        *(RAN, tested, a_header(4, "failed")),
        release=a_release(test=TestOptions(ignore_failures=True)),
    )
    assert previous_to(ignoring, ignoring.newest).number == 3


def test_what_ran_before_an_uninstallation_is_no_way_back():
    seen = an_observation(RAN, a_header(2, "uninstalled"), a_header(3, "failed"))
    assert previous_to(seen, seen.newest) is None


@pytest.mark.parametrize(
    ("asking", "action"),
    [
        pytest.param({}, None, id="nobody asks"),
        pytest.param({"whipstaff.dev/requestedAt": "1"}, None, id="a pass"),
        pytest.param(
            {"whipstaff.dev/requestedAt": "1", "whipstaff.dev/resetAt": "1"},
            Action.UPGRADE,
            id="a reset",
        ),
        pytest.param(
            {"whipstaff.dev/requestedAt": "1", "whipstaff.dev/resetAt": "2"},
            None,
            id="a reset of another breath",
        ),
        pytest.param(
            {"whipstaff.dev/requestedAt": "1", "whipstaff.dev/forceAt": "1"},
            Action.UPGRADE,
            id="force",
        ),
    ],
)
def test_rejected_inputs_are_tried_again_only_for_who_means_it(asking, action):
    decision = decision_for(RAN, FAILED, ROLLED_BACK, upgrade=LAST, asking=asking)
    assert decision.action is action
    assert decision.stalled is (action is None)


def test_what_the_helm_command_makes_has_nobody_forget_what_was_rejected():
    outside = a_header(4, ours=False)
    headers = (RAN, FAILED, a_header(3, "superseded", **NOTED), outside)
    decision = decision_for(*headers, upgrade=LAST)
    assert (decision.action, decision.stalled) == (None, True)
    told = failed(an_observation(*headers))
    assert (told.revision, told.undone) == (2, True)
    assert told.answer([]) == "revision 4 runs, which was made outside Whipstaff"
    moved = decision_for(*headers, upgrade=LAST, inputs=some_inputs("v1.dddd"))
    assert (moved.action, moved.trigger) == (Action.UPGRADE, "outside")
    assert failed(an_observation(*headers, inputs=some_inputs("v1.dddd"))) is None


def test_other_inputs_are_tried_over_a_remediation():
    inputs = some_inputs("v1.dddd")
    decision = decision_for(RAN, FAILED, ROLLED_BACK, upgrade=LAST, inputs=inputs)
    assert (decision.action, decision.attempt) == (Action.UPGRADE, 1)


def test_the_inputs_that_run_again_are_in_sync():
    seen = an_observation(RAN, FAILED, ROLLED_BACK, inputs=some_inputs(OTHER_INPUTS))
    assert classify(seen).sync is Sync.IN_SYNC
    assert failed(seen) is None


def test_a_retry_that_is_left_follows_a_pause_and_counts_on():
    retry = Remediation(1, remediate_last_failure=True)
    waiting = decision_for(RAN, FAILED, ROLLED_BACK, upgrade=retry, now_seconds=1002)
    assert (waiting.action, waiting.wait_seconds) == (None, 3.0)
    trying = decision_for(RAN, FAILED, ROLLED_BACK, upgrade=retry)
    assert (trying.action, trying.attempt, trying.trigger) == (Action.UPGRADE, 2, "retry")


def test_taking_a_pin_away_tries_rejected_inputs_again():
    decision = decision_for(
        *(RAN, FAILED, ROLLED_BACK), upgrade=LAST, remembered=Remembered(pinned_revision=1)
    )
    assert decision.action is Action.UPGRADE


@pytest.mark.parametrize(
    ("attempt", "action", "stalled"),
    [
        pytest.param(1, Action.REMEDIATE, False, id="once"),
        pytest.param(2, Action.REMEDIATE, False, id="twice"),
        pytest.param(3, None, True, id="three times"),
    ],
)
def test_a_rollback_that_failed_is_tried_three_times(attempt, action, stalled):
    again = a_header(
        *(2 + attempt, "failed"), made_from=1, action="remediate", rejected=UNDONE, attempt=attempt
    )
    decision = decision_for(a_header(1, inputs=OTHER_INPUTS), FAILED, again, upgrade=LAST)
    assert (decision.action, decision.stalled) == (action, stalled)
    if action:
        assert (decision.source.number, decision.attempt) == (1, attempt + 1)
        assert decision.rejected == UNDONE


def test_a_remediation_that_was_begun_is_ended():
    begun = a_header(3, "pending-rollback", made_from=1, action="remediate", rejected=UNDONE)
    headers = (a_header(1, inputs=OTHER_INPUTS), FAILED, begun)
    assert decision_for(*headers, upgrade=LAST).action is Action.RESUME
    moved = decision_for(*headers, upgrade=LAST, inputs=some_inputs("v1.dddd"))
    assert moved.action is Action.ABANDON
    unknown = decision_for(*headers, upgrade=LAST, inputs=ChartUnavailable("down"))
    assert unknown.action is Action.RESUME
    going = a_header(2, "uninstalling", rejected=UNDONE)
    assert decision_for(a_header(1), going).action is Action.REMEDIATE
    assert decision_for(a_header(1, "uninstalling")).action is Action.UNLOCK  # someone else's


def test_a_wish_for_a_revision_is_answered_once_though_status_is_lost():
    asking = {"whipstaff.dev/requestedAt": "1", "whipstaff.dev/forceAt": "1"}
    first = an_observation(a_header(1), release=a_release(annotations=asking))
    assert classify(first).sync is Sync.FORCED
    made = a_header(2, forced=first.force_digest)
    again = an_observation(a_header(1, "superseded"), made, release=first.release)
    assert classify(again).sync is Sync.IN_SYNC
    known = Remembered(handled_force="1")
    assert classify(an_observation(a_header(1), release=first.release, remembered=known)).sync is (
        Sync.IN_SYNC
    )


@pytest.mark.parametrize(
    ("tests", "ignored", "expected"),
    [
        pytest.param("", False, Sync.UNTESTED, id="not run"),
        pytest.param("none", False, Sync.IN_SYNC, id="there are none"),
        pytest.param("passed", False, Sync.IN_SYNC, id="passed"),
        pytest.param("failed", False, Sync.FAILED, id="failed"),
        pytest.param("failed", True, Sync.IN_SYNC, id="failed and ignored"),
    ],
)
def test_tests_run_once_and_count_unless_they_are_ignored(tests, ignored, expected):
    options = TestOptions(enable=True, ignore_failures=ignored)
    seen = an_observation(a_header(1, tests=tests), release=a_release(test=options))
    assert classify(seen).sync is expected
    off = an_observation(a_header(1, tests=tests))
    assert classify(off).sync is Sync.IN_SYNC


def test_what_is_not_ours_or_a_rollback_is_not_tested():
    release = a_release(test=TestOptions(enable=True))
    for header in (a_header(1, action="rollback"), a_header(1, action="remediate")):
        assert classify(an_observation(header, release=release)).sync is Sync.IN_SYNC


def test_a_name_whose_history_was_kept_is_refused_where_it_may_not_be_replaced():
    install = {"install": ActionOptions(replace=False)}
    with pytest.raises(ReleaseConflict, match=r"spec\.install\.replace"):
        decision_for(a_header(1, "uninstalled"), spec=install)


@pytest.mark.parametrize(
    ("headers", "inputs", "expected"),
    [
        pytest.param([a_header(1)], INPUTS, {}, id="in sync"),
        pytest.param(
            [a_header(1, "failed", action="install", attempt=2)],
            INPUTS,
            {"failures": 2, "installFailures": 2},
            id="an install",
        ),
        pytest.param(
            [RAN, FAILED, ROLLED_BACK],
            INPUTS,
            {"failures": 1, "upgradeFailures": 1},
            id="an upgrade that was undone",
        ),
        pytest.param([RAN, FAILED], "v1.dddd", {}, id="the inputs are others"),
        pytest.param([RAN, FAILED, ROLLED_BACK], "v1.dddd", {}, id="others, after it was undone"),
    ],
)
def test_failures_are_counted_by_inputs(headers, inputs, expected):
    assert counts(an_observation(*headers, inputs=some_inputs(inputs))) == expected


# Options that change.

SLOWER = ActionOptions(timeout_seconds=600.0, remediation=Remediation())


def upgraded(spec):
    return options_digest(a_release(**spec).spec, "upgrade")


@pytest.mark.parametrize(
    ("spec", "same"),
    [
        pytest.param({"upgrade": SLOWER}, False, id="another timeout"),
        pytest.param({"service_account_name": "deployer"}, False, id="another account"),
        pytest.param({"test": TestOptions(enable=True)}, False, id="tests"),
        pytest.param({"upgrade": ActionOptions(remediation=LAST)}, True, id="what follows"),
        pytest.param({"install": SLOWER}, True, id="those of another action"),
        pytest.param(
            {"interval_seconds": 7.0, "max_history": 3}, True, id="how it is looked after"
        ),
        pytest.param({"test": TestOptions(timeout_seconds=9.0)}, True, id="tests that do not run"),
    ],
)
def test_options_are_others_if_an_attempt_may_end_otherwise(spec, same):
    assert (upgraded(spec) == upgraded({})) is same


def test_a_failed_revision_is_tried_again_at_once_with_other_options():
    exhausted = a_header(2, "failed", attempt=3, options=upgraded({}), modified_at=2000)
    assert decision_for(RAN, exhausted).stalled
    again = decision_for(RAN, exhausted, spec={"upgrade": SLOWER})
    assert (again.action, again.attempt, again.trigger) == (Action.UPGRADE, 1, "options")


def test_who_did_not_note_its_options_is_not_tried_again_for_them():
    assert decision_for(RAN, a_header(2, "failed", attempt=3), spec={"upgrade": SLOWER}).stalled


def test_rejected_inputs_are_tried_again_with_other_options():
    failed_with = a_header(2, "failed", options=upgraded({}))
    undo = decision_for(RAN, failed_with, upgrade=LAST)
    assert undo.rejected.options == upgraded({})
    rejected = {**NOTED, "rejected": undo.rejected}
    for back in (a_header(3, **rejected), a_header(3, "failed", **rejected)):
        assert decision_for(RAN, failed_with, back, upgrade=LAST).trigger != "options"
        again = decision_for(RAN, failed_with, back, spec={"upgrade": SLOWER})
        assert (again.action, again.attempt, again.trigger) == (Action.UPGRADE, 1, "options")


def test_a_remediation_that_failed_is_tried_again_with_other_options():
    undone = {**NOTED, "options": options_digest(a_release().spec, "rollback")}
    failed_thrice = a_header(3, "failed", attempt=3, **undone)
    assert decision_for(RAN, FAILED, failed_thrice, upgrade=LAST).stalled
    slower = {"rollback": ActionOptions(timeout_seconds=600.0)}
    again = decision_for(RAN, FAILED, failed_thrice, upgrade=LAST, spec=slower)
    assert (again.action, again.attempt) == (Action.REMEDIATE, 1)
