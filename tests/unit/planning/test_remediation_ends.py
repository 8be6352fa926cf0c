"""Whatever fails, an endless loop of upgrades and rollbacks does not come of it.

Decisions are carried out on headers alone: an attempt or a remediation ends as hypothesis says.
"""

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from tests.builders.observations import INPUTS, OTHER_INPUTS, a_header, a_release, an_observation
from whipstaff.helmrelease.types import ActionOptions, Remediation, RemediationStrategy
from whipstaff.planning.decision import Action, decide
from whipstaff.planning.failures import ATTEMPTS_LIMIT
from whipstaff.planning.options import options_digest
from whipstaff.planning.state import classify
from whipstaff.release.marks import Marks
from whipstaff.release.revision import ReleaseStatus

STEPS_LIMIT = 60
RELEASES = (Action.INSTALL, Action.UPGRADE)


@dataclass
class Life:
    """A release: its headers, oldest first, and what was done to it."""

    release: object
    endings: list  # of attempts and rollbacks, whether they succeed; afterwards they fail
    headers: list = field(default_factory=list)
    done: list = field(default_factory=list)
    now: int = 2000

    def run(self):
        """Do what is decided until nothing is; return the last decision."""
        for _ in range(STEPS_LIMIT):
            seen = an_observation(*self.headers, release=self.release, now_seconds=self.now)
            decision = decide(classify(seen), seen)
            if decision.action is not None:
                self._do(decision, seen.next_number)
            elif decision.wait_seconds:
                self.now += int(decision.wait_seconds) + 1
            else:
                return decision
        raise AssertionError(f"no end of it: {self.done}")

    def _do(self, decision, number):
        self.done.append(decision.action)
        noted = {"action": str(decision.action), "attempt": decision.attempt}
        if decision.action in RELEASES:
            options = options_digest(self.release.spec, str(decision.action))
            self._make(number, inputs=INPUTS, options=options, **noted)
        elif decision.source is None:
            newest = self.headers.pop()
            marks = replace(Marks.of(newest), rejected=decision.rejected)
            labels = marks.labels(newest.number)
            gone = replace(newest, status=ReleaseStatus.UNINSTALLED, labels=labels)
            self.headers.append(gone)
        else:
            made_from = {"made_from": decision.source.number, "rejected": decision.rejected}
            self._make(number, inputs=Marks.of(decision.source).inputs, **made_from, **noted)

    def _make(self, number, **marks):
        succeeds = self.endings.pop(0) if self.endings else False
        if succeeds:
            self.headers = [_superseded(header) for header in self.headers]
        status = "deployed" if succeeds else "failed"
        self.headers.append(a_header(number, status, modified_at=self.now, **marks))


def _superseded(header):
    runs = header.status is ReleaseStatus.DEPLOYED
    return replace(header, status=ReleaseStatus.SUPERSEDED) if runs else header


remediations = st.none() | st.builds(
    Remediation,
    retries=st.integers(0, 4),
    strategy=st.sampled_from(RemediationStrategy),
    remediate_last_failure=st.booleans(),
)


@given(remediations, st.booleans(), st.lists(st.booleans(), max_size=12))
def test_the_same_inputs_are_tried_as_often_as_is_said_and_no_more(policy, runs, endings):
    release = a_release(upgrade=ActionOptions(remediation=policy))
    life = Life(release, list(endings), [a_header(1, inputs=OTHER_INPUTS)] if runs else [])
    last = life.run()
    attempts = sum(action in RELEASES for action in life.done)
    most = ATTEMPTS_LIMIT if policy is None else policy.retries + 1
    # What was never installed, or is so no more, has the rules of installs: three attempts.
    assert attempts <= max(most, ATTEMPTS_LIMIT)
    if runs and not (policy and policy.strategy is RemediationStrategy.UNINSTALL):
        assert attempts <= most
    newest = life.headers[-1]
    in_sync = newest.status is ReleaseStatus.DEPLOYED and Marks.of(newest).inputs == INPUTS
    assert last.stalled is not in_sync


@given(st.integers(0, 4), st.booleans())
def test_each_failed_upgrade_is_rolled_back_before_the_next_is_tried(retries, last):
    policy = Remediation(retries=retries, remediate_last_failure=last)
    upgrades_fail = [False, True] * (retries + 1)  # and rollbacks succeed
    release = a_release(upgrade=ActionOptions(remediation=policy))
    life = Life(release, upgrades_fail, [a_header(1, inputs=OTHER_INPUTS)])
    assert life.run().stalled
    expected = [Action.UPGRADE, Action.REMEDIATE] * (retries + 1)
    assert life.done == (expected if last else expected[:-1])
