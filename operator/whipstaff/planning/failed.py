"""What status tells of a failure: what failed, how often, and what was done about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from whipstaff.errors import OperatorError
from whipstaff.planning.observation import Observation
from whipstaff.planning.state import rejection, tests_failed
from whipstaff.release.marks import TESTS_FAILED, Marks, Rejected, is_ours
from whipstaff.release.revision import (
    JsonObject,
    ReleaseStatus,
    RevisionHeader,
    RevisionNumber,
)


@dataclass(frozen=True, slots=True)
class Failed:
    """The revision that failed, and the newest one, which may undo it."""

    revision: RevisionNumber
    action: str  # install, upgrade or rollback: what failed
    attempts: int
    by_tests: bool
    newest: RevisionHeader
    rejected: Rejected | None = None  # None: it was not undone

    @property
    def undone(self) -> bool:
        """Whether a remediation succeeded."""
        ended = self.newest.status in (ReleaseStatus.DEPLOYED, ReleaseStatus.UNINSTALLED)
        return self.rejected is not None and ended

    @property
    def by_uninstalling(self) -> bool:
        """Whether the remediation is an uninstallation: else it is a rollback."""
        return self.revision == self.newest.number

    def text(self, history: Sequence[JsonObject]) -> str:
        """Return why it failed, as its record says."""
        entry = next((one for one in history if one["revision"] == self.revision), {})
        description = str(entry.get("description") or f"revision {self.revision} failed")
        if self.rejected is not None and self.by_uninstalling:
            return description.partition("; ")[2] or description
        return description

    def answer(self, history: Sequence[JsonObject]) -> str:
        """Return what was done about it; empty if nothing was."""
        if self.rejected is None:
            return ""
        if self.by_uninstalling:
            gone = self.newest.status is ReleaseStatus.UNINSTALLED
            return "it was uninstalled" if gone else "it is being uninstalled"
        number, source = self.newest.number, Marks.of(self.newest).made_from
        if not is_ours(self.newest):
            return f"revision {number} runs, which was made outside Whipstaff"
        if self.newest.status is ReleaseStatus.DEPLOYED:
            return f"revision {source} runs again, as revision {number}"
        entry = next((one for one in history if one["revision"] == number), {})
        return str(entry.get("description") or f"revision {number}, its rollback, failed")


def failed(seen: Observation) -> Failed | None:
    """Return what failed, if that is how the release stands; pending revisions say nothing."""
    newest = seen.newest
    if newest is None or newest.status.pending:
        return None
    noted = Marks.of(newest)
    rejected = noted.rejected if is_ours(newest) else rejection(seen)
    if rejected is not None:
        return _undone(seen, newest, rejected)
    if newest.status is ReleaseStatus.FAILED:
        return Failed(newest.number, noted.action or "upgrade", noted.attempt, False, newest)
    if tests_failed(seen):
        return Failed(newest.number, noted.action, noted.attempt, True, newest)
    return None


def _undone(seen: Observation, newest: RevisionHeader, rejected: Rejected) -> Failed | None:
    moved = not isinstance(seen.inputs, OperatorError) and rejected.inputs != seen.inputs.digest
    if (seen.release.spec.revision is not None or moved) and newest.status.ran:
        return None  # what runs is what is wanted by now, or will be replaced
    header = next((one for one in seen.headers if one.number == rejected.revision), None)
    noted = Marks.of(header) if header else Marks()
    own = rejected.revision == newest.number
    return Failed(
        rejected.revision,
        (noted.action if own else "") or "upgrade",
        rejected.attempts,
        noted.tests == TESTS_FAILED,
        newest,
        rejected,
    )


def counts(seen: Observation) -> Mapping[str, int]:
    """Return how often the inputs of now failed, for the fields of status."""
    found = failed(seen)
    if found is None or _moved_on(seen, found):
        return {}
    counted = {"failures": found.attempts}
    if found.action in ("install", "upgrade"):
        counted[f"{found.action}Failures"] = found.attempts
    return counted


def _moved_on(seen: Observation, found: Failed) -> bool:
    if seen.release.spec.revision is not None or isinstance(seen.inputs, OperatorError):
        return False
    noted = Marks.of(found.newest)
    inputs = found.rejected.inputs if found.rejected else noted.inputs
    return noted.made_from is None and inputs != seen.inputs.digest


def rejected_inputs(
    seen: Observation, history: Sequence[JsonObject], digests: JsonObject
) -> JsonObject:
    """Return `status.rejected`: which inputs are not tried as long as they stay; may be empty."""
    found = failed(seen)
    if found is None or found.rejected is None:
        return {}
    entry = next((one for one in history if one["revision"] == found.revision), {})
    known = digests if digests.get("revision") == found.revision else {}
    told = {
        "revision": found.revision,
        "inputs": found.rejected.inputs,
        "attempts": found.rejected.attempts,
        "chart": entry.get("chart") or known.get("chart"),
        "version": entry.get("version") or known.get("version"),
        "reason": found.text(history) if entry else known.get("reason"),
    }
    return {name: value for name, value in told.items() if value}
