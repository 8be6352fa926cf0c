"""Where a release stands: an ordered list of small judgements, the first that speaks wins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from whipstaff.errors import OperatorError
from whipstaff.planning.observation import Observation
from whipstaff.release import marks
from whipstaff.release.manifests import comparable
from whipstaff.release.marks import Marks, Rejected
from whipstaff.release.revision import ReleaseStatus, RevisionHeader


class Sync(StrEnum):
    """Where a release stands against what its HelmRelease asks for."""

    ABSENT = "absent"  # nothing runs
    INTERRUPTED = "interrupted"  # our own pending revision: we died over it
    SUPERSEDED = "superseded"  # our own pending revision, but something else is wanted now
    LOCKED = "locked"  # someone else's pending revision
    PIN_UNREACHED = "pin-unreached"  # spec.revision names another revision than runs
    FAILED = "failed"  # the last attempt at these very inputs failed, or its tests did
    FORCED = "forced"  # someone asked for a revision, whatever runs
    REMEDIATING = "remediating"  # we died over the uninstallation of what failed
    REMEDIATED = "remediated"  # what failed was undone: its inputs are rejected
    REMEDIATION_FAILED = "remediation-failed"
    CHANGED_OUTSIDE = "changed-outside"  # the helm CLI made the revision that runs
    OUT_OF_SYNC = "out-of-sync"  # chart, version or values are others
    UNTIDY = "untidy"  # in sync, but an interrupted end left work
    UNTESTED = "untested"  # in sync, but the chart's tests have not run
    IN_SYNC = "in-sync"


@dataclass(frozen=True, slots=True)
class SyncState:
    """Where the release stands, and why in one phrase."""

    sync: Sync
    why: str
    header: RevisionHeader | None = None  # the revision that the judgement is about


Check = Callable[[Observation], SyncState | None]


def classify(seen: Observation) -> SyncState:
    """Judge what was observed; every observation has a state."""
    for check in CHECKS:
        state = check(seen)
        if state:
            return state
    return SyncState(Sync.IN_SYNC, "nothing changed", seen.deployed)


def held_back(seen: Observation) -> bool:
    """Whether a pin keeps changed inputs from being released."""
    if seen.release.spec.revision is None or isinstance(seen.inputs, OperatorError):
        return False
    deployed = seen.deployed
    return deployed is not None and _inputs_differ(seen, deployed)


def attempts(header: RevisionHeader) -> int:
    """Return how often the inputs of a revision were tried, this revision included."""
    return Marks.of(header).attempt


def rejection(seen: Observation) -> Rejected | None:
    """Return what was tried and undone, if it is what is wanted now."""
    newest = seen.newest
    if newest is None or newest.status.pending or seen.release.spec.revision is not None:
        return None
    rejected = Marks.of(_judged(seen, newest)).rejected
    if rejected is None or isinstance(seen.inputs, OperatorError):
        return None
    if seen.remembered.pinned_revision:  # whoever takes a pin away wants the inputs tried
        return None
    return rejected if rejected.inputs == seen.inputs.digest else None


def _judged(seen: Observation, newest: RevisionHeader) -> RevisionHeader:
    """Return the newest revision of ours where what runs was made outside: that rejects nothing."""
    if marks.is_ours(newest) or newest.status is not ReleaseStatus.DEPLOYED:
        return newest
    return next((header for header in seen.headers if marks.is_ours(header)), newest)


def tests_failed(seen: Observation) -> bool:
    """Whether what is wanted runs, but its tests failed, and that counts."""
    spec, newest = seen.release.spec, seen.newest
    if newest is None or newest.status is not ReleaseStatus.DEPLOYED or spec.revision is not None:
        return False
    if not spec.test.enable:
        return False
    noted = Marks.of(newest)
    if noted.tests != marks.TESTS_FAILED or _inputs_differ(seen, newest):
        return False
    return not tests_ignored(seen, noted.action)


def tests_ignored(seen: Observation, action: str) -> bool:
    """Whether failed tests after an install or an upgrade count as no failure."""
    spec = seen.release.spec
    remediation = (spec.install if action == "install" else spec.upgrade).remediation
    return remediation.ignore_test_failures if remediation else spec.test.ignore_failures


def _never_installed(seen: Observation) -> SyncState | None:
    newest = seen.newest
    if newest is None:
        return SyncState(Sync.ABSENT, "no revision is stored")
    if newest.status is ReleaseStatus.UNINSTALLED:
        if rejection(seen) is not None:
            why = f"revision {newest.number} failed and was uninstalled"
            return SyncState(Sync.REMEDIATED, why, newest)
        return SyncState(Sync.ABSENT, f"revision {newest.number} is {newest.status}", newest)
    return None


def _interrupted(seen: Observation) -> SyncState | None:
    newest = seen.newest
    if newest is None:
        return None
    if newest.status is ReleaseStatus.UNINSTALLING:
        if Marks.of(newest).rejected is not None:
            why = f"revision {newest.number} failed and is being uninstalled"
            return SyncState(Sync.REMEDIATING, why, newest)
        # Not ours: we uninstall only what is being deleted. `helm uninstall` may be at work.
        return SyncState(Sync.LOCKED, f"revision {newest.number} is {newest.status}", newest)
    if not newest.status.pending:
        return None
    if not marks.is_ours(newest):
        return SyncState(Sync.LOCKED, f"revision {newest.number} is {newest.status}", newest)
    if _still_wanted(seen, newest):
        return SyncState(Sync.INTERRUPTED, f"revision {newest.number} was begun", newest)
    return SyncState(Sync.SUPERSEDED, "the HelmRelease asks for something else now", newest)


def _pin_unreached(seen: Observation) -> SyncState | None:
    pin = seen.release.spec.revision
    if pin is None:
        return None
    deployed, newest = seen.deployed, seen.newest
    if _failed_attempt(seen):
        return None  # judged below
    if deployed is not None and deployed is newest and _runs(deployed, pin):
        return None
    # Someone used the helm CLI on a release that was already held: that is left alone.
    held_before = seen.remembered.pinned_revision == pin
    if deployed is not None and deployed is newest and held_before and not marks.is_ours(deployed):
        return None
    return SyncState(Sync.PIN_UNREACHED, f"spec.revision asks for revision {pin}", deployed)


def _forced(seen: Observation) -> SyncState | None:
    if seen.newest is None or not seen.forced:
        return None
    return SyncState(Sync.FORCED, "asked for by whipstaff.dev/forceAt", seen.newest)


def _failed(seen: Observation) -> SyncState | None:
    newest = _failed_attempt(seen)
    if newest is not None:
        return SyncState(Sync.FAILED, f"revision {newest.number} failed", newest)
    newest = seen.newest
    if newest is not None and tests_failed(seen):
        return SyncState(Sync.FAILED, f"the tests of revision {newest.number} failed", newest)
    return None


def _remediated(seen: Observation) -> SyncState | None:
    newest, rejected = seen.newest, rejection(seen)
    if newest is None or rejected is None:
        return None
    if newest.status is ReleaseStatus.FAILED:
        why = f"revision {newest.number}, which undoes revision {rejected.revision}, failed"
        return SyncState(Sync.REMEDIATION_FAILED, why, newest)
    why = f"revision {rejected.revision} failed and was rolled back"
    return SyncState(Sync.REMEDIATED, why, newest)


def _changed_outside(seen: Observation) -> SyncState | None:
    newest = seen.newest
    if seen.release.spec.revision is not None or newest is None or marks.is_ours(newest):
        return None
    return SyncState(
        Sync.CHANGED_OUTSIDE, f"revision {newest.number} was made outside Whipstaff", newest
    )


def _inputs_changed(seen: Observation) -> SyncState | None:
    newest = seen.newest
    if seen.release.spec.revision is not None or newest is None:
        return None
    if newest.status is not ReleaseStatus.DEPLOYED:
        return SyncState(Sync.OUT_OF_SYNC, f"revision {newest.number} is {newest.status}", newest)
    if _inputs_differ(seen, newest):
        return SyncState(Sync.OUT_OF_SYNC, "chart or values changed", newest)
    return None


def _untidy(seen: Observation) -> SyncState | None:
    deployed = [h for h in seen.headers if h.status is ReleaseStatus.DEPLOYED]
    if len(deployed) > 1 and deployed[0] is seen.newest and marks.is_ours(deployed[0]):
        return SyncState(Sync.UNTIDY, "several revisions say that they are deployed", deployed[0])
    return None


def _untested(seen: Observation) -> SyncState | None:
    newest = seen.newest
    if newest is None or not seen.release.spec.test.enable or seen.release.spec.revision:
        return None
    noted = Marks.of(newest)
    if noted.action not in ("install", "upgrade") or noted.tests:
        return None
    return SyncState(Sync.UNTESTED, f"revision {newest.number} is not tested", newest)


# The order is the document.
CHECKS: Sequence[Check] = (
    _interrupted,  # a stale lock is judged before anything that trusts the record
    _forced,
    _never_installed,
    _pin_unreached,
    _untidy,  # what our last action ended with, before another begins
    _failed,
    _remediated,  # before the inputs, which are others than those that run
    _changed_outside,
    _inputs_changed,
    _untested,
)


def _runs(deployed: RevisionHeader, pin: int) -> bool:
    made_from = deployed.labels.get(marks.MADE_FROM) if marks.is_ours(deployed) else None
    return deployed.number == pin or made_from == str(pin)


def _still_wanted(seen: Observation, pending: RevisionHeader) -> bool:
    pin, rejected = seen.release.spec.revision, Marks.of(pending).rejected
    made_from = pending.labels.get(marks.MADE_FROM)
    if pin is not None:
        return made_from == str(pin) and rejected is None
    if rejected is not None:
        return isinstance(seen.inputs, OperatorError) or rejected.inputs == seen.inputs.digest
    if made_from is not None:
        return False
    if isinstance(seen.inputs, OperatorError):
        return True  # what was begun is stored whole: it can be ended without its chart
    return _matches(seen, pending, seen.inputs.digest)


def _failed_attempt(seen: Observation) -> RevisionHeader | None:
    """Return the newest revision if it is our failed attempt at what is wanted now."""
    newest, pin = seen.newest, seen.release.spec.revision
    if newest is None or newest.status is not ReleaseStatus.FAILED or not marks.is_ours(newest):
        return None
    made_from = newest.labels.get(marks.MADE_FROM)
    if Marks.of(newest).rejected is not None:
        return None  # what failed is a remediation
    if pin is not None:
        return newest if made_from == str(pin) else None
    if made_from is not None or isinstance(seen.inputs, OperatorError):
        return None
    return newest if newest.labels.get(marks.INPUTS) == seen.inputs.digest else None


def _inputs_differ(seen: Observation, header: RevisionHeader) -> bool:
    if isinstance(seen.inputs, OperatorError):
        return False
    known = seen.remembered
    if known.same_revision == header.number and known.same_inputs == seen.inputs.digest:
        return False
    return not _matches(seen, header, seen.inputs.digest)


def _matches(seen: Observation, header: RevisionHeader, digest: str) -> bool:
    stored = header.labels.get(marks.INPUTS, "")
    if comparable(stored):
        return stored == digest
    # A digest of another algorithm says nothing: only an edit counts as a change, or an update
    # of the operator would release everything again.
    return seen.remembered.settled_generation == seen.release.generation
