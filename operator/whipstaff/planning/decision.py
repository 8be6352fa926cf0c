"""What to do about where a release stands."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import assert_never

from whipstaff.errors import OperatorError, RevisionNotFound, RevisionNotUsable
from whipstaff.planning.observation import Observation
from whipstaff.planning.state import Sync, SyncState, attempts
from whipstaff.release.revision import ReleaseStatus, RevisionHeader

ATTEMPTS_LIMIT = 3  # of a revision with the same inputs
BACKOFF_FIRST_SECONDS = 5.0
BACKOFF_LAST_SECONDS = 600.0


class Action(StrEnum):
    """What a pass does to a release."""

    INSTALL = "install"
    UPGRADE = "upgrade"
    ROLLBACK = "rollback"
    RESUME = "resume"  # our own interrupted revision
    ABANDON = "abandon"  # our own interrupted revision, which nobody wants any more
    UNLOCK = "unlock"  # someone else's
    TIDY = "tidy"  # the end of our own deployed revision that a kill cut off


@dataclass(frozen=True, slots=True)
class Decision:
    """An action, or why there is none."""

    action: Action | None = None
    source: RevisionHeader | None = None  # what is rolled back to, resumed or unlocked
    attempt: int = 1
    trigger: str = "spec"  # what led to it: spec, retry, request or outside
    wait_seconds: float = 0.0  # look again then; with `why`
    stalled: bool = False  # nothing will be tried until something changes
    why: str = ""


def backoff_seconds(attempt: int) -> float:
    """Return how long to wait after the failed `attempt`, counted from 1, without jitter."""
    doublings = min(attempt - 1, 10)  # by then it is the last pause; no number overflows
    return float(min(BACKOFF_FIRST_SECONDS * 2**doublings, BACKOFF_LAST_SECONDS))


def decide(state: SyncState, seen: Observation) -> Decision:
    """Choose the action; raises the error that keeps what is wanted from being known."""
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
        case Sync.CHANGED_OUTSIDE:
            return _release(seen, attempt=1, trigger="outside", why=state.why)
        case Sync.ABSENT | Sync.PIN_UNREACHED | Sync.OUT_OF_SYNC:
            return _release(seen, attempt=1, trigger="spec", why=state.why)
        case _:
            assert_never(state.sync)


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
    return Decision(action, attempt=attempt, trigger=trigger, why=why)


def _since_uninstalled(seen: Observation) -> list[RevisionHeader]:
    gone = {ReleaseStatus.UNINSTALLED, ReleaseStatus.UNINSTALLING}
    return list(takewhile(lambda header: header.status not in gone, seen.headers))


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
    assert state.header is not None  # noqa: S101 - FAILED is always about a revision
    tried = attempts(state.header)
    if seen.asked:
        why = "asked for by whipstaff.dev/requestedAt"
        return _release(seen, attempt=1, trigger="request", why=why)
    if tried >= ATTEMPTS_LIMIT:
        return Decision(
            stalled=True, why=f"failed {tried} times; waits for a change of the HelmRelease"
        )
    failed_at = state.header.modified_at or state.header.created_at
    left = failed_at + backoff_seconds(tried) - seen.now_seconds
    if left > 0:
        return Decision(wait_seconds=left, why=f"{state.why}; attempt {tried + 1} follows")
    return _release(seen, attempt=tried + 1, trigger="retry", why=state.why)
