"""What status says of what failed, what was undone, and how tests ended."""

import pytest

from tests.builders.observations import (
    INPUTS,
    OTHER_INPUTS,
    a_header,
    a_release,
    an_observation,
)
from tests.builders.releases import a_revision
from tests.builders.worlds import hook
from whipstaff.helmrelease.types import TestOptions
from whipstaff.planning.status import Findings, StatusFacts, Tested, status_for
from whipstaff.planning.status_history import unknown_revisions
from whipstaff.release.marks import Rejected
from whipstaff.release.revision import HookPhase

RAN = a_header(1, "superseded", inputs=OTHER_INPUTS)
BROKEN = a_header(2, "failed")
UNDONE = {"inputs": OTHER_INPUTS, "made_from": 1, "action": "remediate"}
BACK = a_header(3, rejected=Rejected(INPUTS, 1, 2), **UNDONE)
BACK_FAILED = a_header(3, "failed", rejected=Rejected(INPUTS, 1, 2), **UNDONE)
GONE = a_header(1, "uninstalled", action="install", rejected=Rejected(INPUTS, 1, 1))
UNTESTED = a_header(2, "superseded", tests="failed")
UPGRADE_FAILED = 'Upgrade "blog" failed: it broke'
DESCRIPTIONS = {
    1: "Install complete",
    2: UPGRADE_FAILED,
    3: "Rollback to 1",
}


def revisions(**described):
    told = DESCRIPTIONS | {int(key[1:]): text for key, text in described.items()}
    return {number: a_revision(number, description=text) for number, text in told.items()}


def status_of(seen, findings=None, described=None, **facts):
    return status_for(
        StatusFacts(
            seen=seen,
            findings=findings or Findings(),
            revisions=described or revisions(),
            now="2026-11-21T10:00:00.5Z",
            **facts,
        )
    )


def conditions(status):
    return {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}


def message(status, kind="Ready"):
    return next(each["message"] for each in status["conditions"] if each["type"] == kind)


@pytest.mark.parametrize(
    ("headers", "described", "expected", "said"),
    [
        pytest.param(
            [RAN, BROKEN, BACK],
            {},
            {"Remediated": ("True", "RollbackSucceeded"), "Released": ("False", "UpgradeFailed")},
            f"{UPGRADE_FAILED}; revision 1 runs again, as revision 3 (no more)",
            id="rolled back",
        ),
        pytest.param(
            [a_header(1, inputs=OTHER_INPUTS), BROKEN, BACK_FAILED],
            {"n3": 'Rollback "blog" failed: it broke too'},
            {"Remediated": ("False", "RollbackFailed"), "Released": ("False", "UpgradeFailed")},
            f'{UPGRADE_FAILED}; Rollback "blog" failed: it broke too (no more)',
            id="the rollback failed",
        ),
        pytest.param(
            [GONE],
            {"n1": 'Uninstallation complete; Release "blog" failed: it broke'},
            {"Remediated": ("True", "UninstallSucceeded"), "Released": ("False", "InstallFailed")},
            'Release "blog" failed: it broke; it was uninstalled (no more)',
            id="uninstalled",
        ),
        pytest.param(
            [RAN, UNTESTED, BACK],
            {"n2": "Upgrade complete; tests failed: a test broke"},
            {"Tested": ("False", "TestFailed"), "Remediated": ("True", "RollbackSucceeded")},
            "Upgrade complete; tests failed: a test broke; revision 1 runs again, as revision 3"
            " (no more)",
            id="its tests failed",
        ),
    ],
)
def test_what_was_undone_is_told_with_why(headers, described, expected, said):
    findings = Findings(exhausted="no more")
    status = status_of(an_observation(*headers), findings, revisions(**described))
    assert expected.items() <= conditions(status).items()
    assert conditions(status)["Ready"][0] == "False"
    assert conditions(status)["Stalled"] == ("True", "RetriesExhausted")
    assert message(status) == said
    assert status["rejected"]["inputs"] == INPUTS


@pytest.mark.parametrize("header", [BACK, GONE], ids=["rolled back", "uninstalled"])
def test_the_same_facts_give_the_same_status(header):
    headers = [header] if header is GONE else [RAN, BROKEN, header]
    first = status_of(an_observation(*headers), Findings(exhausted="no more"))
    again = an_observation(*headers, release=a_release(status=first))
    assert status_of(again, Findings(exhausted="no more")) == first
    assert unknown_revisions(again) == ()


def test_the_reason_outlives_the_revision_that_failed():
    first = status_of(an_observation(RAN, BROKEN, BACK))
    pruned = an_observation(RAN, BACK, release=a_release(status=first))
    assert status_of(pruned)["rejected"] == first["rejected"]


def test_without_a_way_back_the_reason_says_so():
    status = status_of(an_observation(BROKEN), Findings(exhausted="none", no_way_back=True))
    assert conditions(status)["Stalled"] == ("True", "MissingRollbackTarget")


def a_tested(failed=False):
    phase = HookPhase.FAILED if failed else HookPhase.SUCCEEDED
    ran = hook("check", "test", phase=phase, started_at="2026-11-21T10:00:00.123Z")
    return Tested(2, (ran, hook("migrate"), hook("left-out", "test")), {"check": "fine"}, failed)


def test_tests_are_told_with_their_logs_until_others_ran():
    enabled = {"test": TestOptions(enable=True)}
    seen = an_observation(RAN, a_header(2, tests="passed"), release=a_release(**enabled))
    status = status_of(seen, tests=a_tested())
    assert status["testedRevision"] == 2
    assert status["tests"] == [
        {
            "name": "check",
            "kind": "Job",
            "phase": "Succeeded",
            "started": "2026-11-21T10:00:00Z",
            "log": "fine",
        }
    ]
    assert conditions(status)["Tested"] == ("True", "TestSucceeded")
    later = an_observation(*seen.headers, release=a_release(status=status, **enabled))
    assert status_of(later) == status
    forgotten = an_observation(a_header(3), release=a_release(status=status))
    assert "tests" not in status_of(forgotten)


@pytest.mark.parametrize("ignored", [False, True], ids=["", "ignored"])
def test_a_failed_test_is_told_whether_or_not_it_counts(ignored):
    release = a_release(test=TestOptions(enable=True, ignore_failures=ignored))
    seen = an_observation(RAN, a_header(2, tests="failed"), release=release)
    described = revisions(n2="Upgrade complete; tests failed: it broke")
    status = status_of(seen, described=described, tests=a_tested(failed=True))
    assert conditions(status)["Tested"] == ("False", "TestFailed")
    assert message(status, "Tested") == "Upgrade complete; tests failed: it broke"
    ready = ("True", "UpgradeSucceeded") if ignored else ("False", "TestFailed")
    assert conditions(status)["Ready"] == ready
    assert conditions(status)["Released"] == ("True", "UpgradeSucceeded")


def test_a_release_stays_ready_while_tests_run_that_somebody_asks_for():
    first = status_of(an_observation(RAN, a_header(2)))
    seen = an_observation(RAN, a_header(2), release=a_release(status=first))
    status = status_of(seen, Findings(progressing="testing revision 2", aside=True))
    assert conditions(status)["Ready"] == ("True", "UpgradeSucceeded")
    assert conditions(status)["Reconciling"] == ("True", "Progressing")


def test_a_description_that_tests_changed_is_read_again():
    first = status_of(an_observation(RAN, a_header(2)))
    seen = an_observation(RAN, a_header(2, tests="failed"), release=a_release(status=first))
    assert [header.number for header in unknown_revisions(seen)] == [2]
