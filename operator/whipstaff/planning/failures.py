"""What follows a failure: how often the same inputs are tried, how far apart, and what is undone.

Without a `remediation` block a failed revision is tried three times in all and nothing is undone.
With one its rules are Flux's.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from whipstaff.helmrelease.types import Remediation, RemediationStrategy, Spec
from whipstaff.planning.observation import Observation
from whipstaff.planning.state import tests_ignored
from whipstaff.release.marks import TESTS_FAILED, Marks
from whipstaff.release.revision import ReleaseStatus, RevisionHeader

ATTEMPTS_LIMIT = 3  # of a revision with the same inputs
BACKOFF_FIRST_SECONDS = 5.0
BACKOFF_LAST_SECONDS = 600.0


def backoff_seconds(attempt: int) -> float:
    """Return how long to wait after the failed `attempt`, counted from 1, without jitter."""
    doublings = min(attempt - 1, 10)  # by then it is the last pause; no number overflows
    return float(min(BACKOFF_FIRST_SECONDS * 2**doublings, BACKOFF_LAST_SECONDS))


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """The rules for one action."""

    remediation: Remediation | None = None  # None: nothing is undone
    retry_seconds: float | None = None  # tried again for ever, this far apart

    @classmethod
    def of(cls, spec: Spec, action: str) -> "FailurePolicy":
        """Return the rules for a failed install or upgrade; a rollback by a pin has the default."""
        if action not in ("install", "upgrade"):
            return cls()
        options = spec.install if action == "install" else spec.upgrade
        if options.retry_seconds is not None:
            return cls(retry_seconds=options.retry_seconds)
        return cls(options.remediation)

    def exhausted(self, attempts: int) -> bool:
        """Whether so many attempts are all that there are."""
        if self.retry_seconds is not None:
            return False
        if self.remediation is None:
            return attempts >= ATTEMPTS_LIMIT
        return 0 <= self.remediation.retries < attempts

    def undone_by(self, attempts: int) -> RemediationStrategy | None:
        """Return how the last of so many failed attempts is undone, None if it is not."""
        if self.remediation is None:
            return None
        if self.exhausted(attempts) and not self.remediation.remediate_last_failure:
            return None
        return self.remediation.strategy

    def pause_seconds(self, attempts: int) -> float:
        """Return how long to wait after so many failed attempts."""
        if self.retry_seconds is not None:
            return self.retry_seconds
        return backoff_seconds(attempts)


def previous_to(seen: Observation, failed: RevisionHeader) -> RevisionHeader | None:
    """Return what ran before a failed revision and can run again; None if nothing did."""
    older = (header for header in seen.headers if header.number < failed.number)
    for header in _until_uninstalled(older):
        noted = Marks.of(header)
        sound = noted.tests != TESTS_FAILED or tests_ignored(seen, noted.action)
        if header.status.ran and sound:
            return header
    return None


def _until_uninstalled(headers: Iterable[RevisionHeader]) -> Iterable[RevisionHeader]:
    for header in headers:
        if header.status in (ReleaseStatus.UNINSTALLED, ReleaseStatus.UNINSTALLING):
            return
        yield header
