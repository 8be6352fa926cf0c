"""What to do about where a release stands."""

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import takewhile
from typing import assert_never

from whipstaff.errors import OperatorError, ReleaseConflict, RevisionNotFound, RevisionNotUsable
from whipstaff.helmrelease.types import Approval, RemediationStrategy
from whipstaff.planning.failures import (
    ATTEMPTS_LIMIT,
    FailurePolicy,
    backoff_seconds,
    previous_to,
)
from whipstaff.planning.observation import Observation
from whipstaff.planning.options import rejected_otherwise, tried_otherwise
from whipstaff.planning.state import Sync, SyncState, attempts, rejection
from whipstaff.release.marks import Marks, Rejected
from whipstaff.release.revision import ReleaseStatus, RevisionHeader

_RESET = "asked for by whipstaff.dev/resetAt"
_OPTIONS = "the options are others than those that it failed with"


class Action(StrEnum):
    """What a pass does to a release."""

    INSTALL = "install"
    UPGRADE = "upgrade"
    ROLLBACK = "rollback"
    RESUME = "resume"  # our own interrupted revision
    ABANDON = "abandon"  # our own interrupted revision, which nobody wants any more
    UNLOCK = "unlock"  # someone else's
    TIDY = "tidy"  # the end of our own deployed revision that a kill cut off
    REMEDIATE = "remediate"  # undo what failed: roll back, or uninstall
    TEST = "test"  # run the chart's tests


@dataclass(frozen=True, slots=True)
class Decision:
    """An action, or why there is none."""

    action: Action | None = None
    source: RevisionHeader | None = None  # what is rolled back to, resumed or unlocked
    attempt: int = 1
    trigger: str = "spec"  # what led to it: spec, outside, retry, request, reset, force, options, …
    rejected: Rejected | None = None  # what a remediation undoes; it uninstalls without a source
    wait_seconds: float = 0.0  # look again then; with `why`
    stalled: bool = False  # nothing will be tried until something changes
    no_way_back: bool = False  # … because there is nothing to roll back to
    unapproved: bool = False  # a plan waits for somebody to approve of it
    why: str = ""


def decide(state: SyncState, seen: Observation) -> Decision:
    """Choose the action; raises the error that keeps what is wanted from being known.

    Tests that somebody asks for come last, when there is nothing else to do: they are of what runs.
    """
    asked = tests_on_request(seen)
    try:
        decision = _towards(state, seen)
    except OperatorError:
        if asked is None:
            raise
        return asked
    return decision if asked is None or decision.action is not None else asked


def tests_on_request(seen: Observation) -> Decision | None:
    """Return what answers a wish for tests; None if there is none, or nothing to test."""
    newest = seen.newest
    stands = newest is not None and newest.status in (ReleaseStatus.DEPLOYED, ReleaseStatus.FAILED)
    if not stands or not seen.tests_asked:
        return None
    why = "asked for by whipstaff.dev/testAt"
    return Decision(Action.TEST, newest, trigger="request", why=why)


def _towards(state: SyncState, seen: Observation) -> Decision:  # noqa: C901, PLR0911, PLR0912 - one case a state
    match state.sync:
        case Sync.IN_SYNC:
            if seen.release.spec.revision is None and isinstance(seen.inputs, OperatorError):
                raise seen.inputs
            return Decision(why=state.why)
        case Sync.INTERRUPTED:
            return Decision(Action.RESUME, state.header, why=state.why)
        case Sync.SUPERSEDED:
            return Decision(Action.ABANDON, state.header, why=state.why)
        case Sync.UNTIDY:
            return Decision(Action.TIDY, state.header, why=state.why)
        case Sync.LOCKED:
            return _wait_or_unlock(state, seen)
        case Sync.FAILED:
            return _try_again(state, seen)
        case Sync.REMEDIATED:
            return _retry_rejected(state, seen)
        case Sync.REMEDIATION_FAILED:
            return _remediate_again(state, seen)
        case Sync.REMEDIATING:
            rejected = Marks.of(_about(state)).rejected
            return Decision(Action.REMEDIATE, rejected=rejected, why=state.why)
        case Sync.FORCED:
            return _release(seen, attempt=1, trigger="force", why=state.why)
        case Sync.UNTESTED:
            return Decision(Action.TEST, state.header, why=state.why)
        case Sync.CHANGED_OUTSIDE:
            return _release(seen, attempt=1, trigger="outside", why=state.why)
        case Sync.ABSENT | Sync.PIN_UNREACHED | Sync.OUT_OF_SYNC:
            return _release(seen, attempt=1, trigger="spec", why=state.why)
        case _:
            assert_never(state.sync)


def towards_spec(seen: Observation) -> Decision:
    """Choose what leads to what the spec wants, whatever failed, waits or is locked."""
    return _release(seen, attempt=1, trigger="spec", why="")


def usable(headers: tuple[RevisionHeader, ...]) -> tuple[RevisionHeader, ...]:
    """Return the revisions that can be run again, newest first."""
    return tuple(header for header in headers if header.status.ran)


def _release(seen: Observation, *, attempt: int, trigger: str, why: str) -> Decision:
    pin = seen.release.spec.revision
    if pin is not None:
        source = _pinned(seen, pin)
        return Decision(Action.ROLLBACK, source, attempt=attempt, trigger=trigger, why=why)
    if isinstance(seen.inputs, OperatorError):
        raise seen.inputs
    ran_once = any(header.status.ran for header in _since_uninstalled(seen))
    action = Action.UPGRADE if ran_once else Action.INSTALL
    if action is Action.INSTALL:
        _refuse_kept_name(seen)
    if _waits_for_approval(seen, trigger):
        return Decision(unapproved=True, why=why)
    return Decision(action, attempt=attempt, trigger=trigger, why=why)


def _since_uninstalled(seen: Observation) -> list[RevisionHeader]:
    gone = {ReleaseStatus.UNINSTALLED, ReleaseStatus.UNINSTALLING}
    return list(takewhile(lambda header: header.status not in gone, seen.headers))


def needs_plan(seen: Observation, trigger: str) -> bool:
    """Whether what is about to be done has to be planned first.

    What failed after it was approved is tried again without asking anew.
    """
    return seen.release.spec.approval is not Approval.AUTOMATIC and trigger != "retry"


def _waits_for_approval(seen: Observation, trigger: str) -> bool:
    """Whether a plan for just this is told of, and neither approved nor asked for anew."""
    if not needs_plan(seen, trigger) or seen.asked or seen.planned is None:
        return False
    return not seen.approved


def _refuse_kept_name(seen: Observation) -> None:
    newest = seen.newest
    kept = newest is not None and newest.status is ReleaseStatus.UNINSTALLED
    if not kept or seen.release.spec.install.replace or rejection(seen) is not None:
        return
    raise ReleaseConflict(
        "the name is that of a release that was uninstalled with its history kept, and"
        " spec.install.replace does not let it be used again",
        seen.release.spec.release_name,
    )


def _pinned(seen: Observation, pin: int) -> RevisionHeader:
    choices = ", ".join(str(header.number) for header in usable(seen.headers)) or "none"
    wanted = next((header for header in seen.headers if header.number == pin), None)
    if wanted is None:
        raise RevisionNotFound(
            f"spec.revision: revision {pin} is not stored; usable revisions: {choices}", pin
        )
    if not wanted.status.ran:
        raise RevisionNotUsable(
            f"spec.revision: revision {pin} is {wanted.status} and cannot be run; "
            f"usable revisions: {choices}",
            pin,
        )
    return wanted


def _wait_or_unlock(state: SyncState, seen: Observation) -> Decision:
    assert state.header is not None  # noqa: S101 - LOCKED is always about a revision
    since = state.header.modified_at or state.header.created_at
    left = seen.release.spec.timeout_seconds - (seen.now_seconds - since)
    if left > 0:
        return Decision(
            wait_seconds=left,
            why=f"{state.why}: someone else is at work, unlocked if it takes longer than timeout",
        )
    return Decision(Action.UNLOCK, state.header, why=state.why)


def _try_again(state: SyncState, seen: Observation) -> Decision:
    header = _about(state)
    tried, policy = attempts(header), FailurePolicy.of(seen.release.spec, Marks.of(header).action)
    if seen.reset:
        return _release(seen, attempt=1, trigger="reset", why=_RESET)
    if seen.asked:
        why = "asked for by whipstaff.dev/requestedAt"
        return _release(seen, attempt=1, trigger="request", why=why)
    if tried_otherwise(seen.release.spec, header):
        return _release(seen, attempt=1, trigger="options", why=_OPTIONS)
    undo = policy.undone_by(tried)
    if undo is not None:
        noted = Marks.of(header)
        rejected = Rejected(noted.inputs, tried, header.number, noted.options)
        return _undo(state, seen, header, undo, rejected)
    if policy.exhausted(tried):
        return Decision(stalled=True, why=f"failed {_times(tried)}; waits for a change")
    why = f"{state.why}; attempt {tried + 1} follows"
    return _retry(state, seen, policy.pause_seconds(tried), tried + 1, why)


def _retry_rejected(state: SyncState, seen: Observation) -> Decision:
    """Try inputs again that were undone, if a retry is left for them."""
    rejected = rejection(seen)
    assert rejected is not None  # noqa: S101 - REMEDIATED is about a rejection
    if seen.reset:
        return _release(seen, attempt=1, trigger="reset", why=_RESET)
    tried = rejected.attempts
    action = "install" if Marks.of(_about(state)).action == "install" else "upgrade"
    if rejected_otherwise(seen.release.spec, rejected, action):
        return _release(seen, attempt=1, trigger="options", why=_OPTIONS)
    policy = FailurePolicy.of(seen.release.spec, action)
    if policy.exhausted(tried):
        why = f"rejected after {_times(tried, 'attempt')}; not tried again before a change"
        return Decision(stalled=True, why=why)
    why = f"{state.why}; attempt {tried + 1} follows"
    return _retry(state, seen, policy.pause_seconds(tried), tried + 1, why)


def _remediate_again(state: SyncState, seen: Observation) -> Decision:
    """Undo once more what could not be undone, as often as a revision is tried."""
    header = _about(state)
    noted = Marks.of(header)
    assert noted.rejected is not None  # noqa: S101 - REMEDIATION_FAILED is about a rejection
    if seen.reset:
        return _release(seen, attempt=1, trigger="reset", why=_RESET)
    spec = seen.release.spec
    if rejected_otherwise(spec, noted.rejected, "upgrade"):
        return _release(seen, attempt=1, trigger="options", why=_OPTIONS)
    tried = 0 if seen.asked or tried_otherwise(spec, header) else noted.attempt
    if tried >= ATTEMPTS_LIMIT:
        why = f"the rollback of revision {noted.rejected.revision} failed {_times(tried)}"
        return Decision(stalled=True, why=f"{why}; waits for a change")
    left = _left(header, backoff_seconds(tried), seen) if tried else 0
    if left > 0:
        return Decision(wait_seconds=left, why=f"{state.why}; attempt {tried + 1} follows")
    undo = RemediationStrategy.ROLLBACK
    return replace(_undo(state, seen, header, undo, noted.rejected), attempt=tried + 1)


def _undo(
    state: SyncState,
    seen: Observation,
    header: RevisionHeader,
    strategy: RemediationStrategy,
    rejected: Rejected,
) -> Decision:
    if strategy is RemediationStrategy.UNINSTALL:
        return Decision(Action.REMEDIATE, trigger="remediation", rejected=rejected, why=state.why)
    previous = previous_to(seen, header)
    if previous is None:
        why = "no previous revision is stored that it could be rolled back to"
        return Decision(stalled=True, no_way_back=True, why=why)
    return Decision(
        Action.REMEDIATE, previous, trigger="remediation", rejected=rejected, why=state.why
    )


def _retry(
    state: SyncState, seen: Observation, pause_seconds: float, attempt: int, why: str
) -> Decision:
    left = _left(_about(state), pause_seconds, seen)
    if left > 0:
        return Decision(wait_seconds=left, why=why)
    return _release(seen, attempt=attempt, trigger="retry", why=state.why)


def _left(header: RevisionHeader, pause_seconds: float, seen: Observation) -> float:
    return (header.modified_at or header.created_at) + pause_seconds - seen.now_seconds


def _about(state: SyncState) -> RevisionHeader:
    assert state.header is not None  # noqa: S101 - all but ABSENT is about a revision
    return state.header


def _times(count: int, noun: str = "time") -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
