"""Labels by which we know our own stored revisions.

The helm CLI copies all labels of the current revision onto the one that it makes, so a mark is
worth something only on the revision whose number it holds.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from whipstaff.release.revision import RevisionHeader, RevisionNumber

MARK_PREFIX = "whipstaff.dev/"  # of them all
REVISION = "whipstaff.dev/revision"  # the mark: this revision's own number
INPUTS = "whipstaff.dev/inputs"  # digest of everything that it was rendered from
MANIFEST = "whipstaff.dev/manifest"  # digest of the rendered manifest and hooks
ACTION = "whipstaff.dev/action"  # install, upgrade, rollback, …
MADE_FROM = "whipstaff.dev/made-from"  # the revision that a rollback copied
ATTEMPT = "whipstaff.dev/attempt"  # how often these inputs were tried, this revision included
CRDS = "whipstaff.dev/crds"  # digest of the crds/ that were installed last
OPTIONS = "whipstaff.dev/options"  # digest of what else decides how an attempt ends
EVENT = "whipstaff.dev/event"  # the hook event that the hooks' phases are about
GENERATED = "whipstaff.dev/generated"  # it keeps what its templates generated
TRIGGER = "whipstaff.dev/trigger"  # why it was made: spec, retry, request, outside, …
FORCED = "whipstaff.dev/forced"  # digest of the wish that had it made though nothing changed
TESTS = "whipstaff.dev/tests"  # how the chart's tests ended: none, passed, failed
TEST_REQUEST = "whipstaff.dev/test-request"  # which wish for tests was met, and how they ended
MOVED_FROM = "whipstaff.dev/moved-from"  # digest of the release that this is a copy of
# Of a revision that undoes a failed one, and of one that was uninstalled because it failed:
REMEDIATES = "whipstaff.dev/remediates"  # the revision that failed
REJECTED = "whipstaff.dev/rejected"  # digest of its inputs
REJECTED_ATTEMPTS = "whipstaff.dev/rejected-attempts"  # how often those were tried
REJECTED_OPTIONS = "whipstaff.dev/rejected-options"  # with which options

TESTS_NONE, TESTS_PASSED, TESTS_FAILED = "none", "passed", "failed"
_BEGUN = "begun"


@dataclass(frozen=True, slots=True)
class Rejected:
    """Inputs that failed and were undone."""

    inputs: str
    attempts: int  # how often they were tried
    revision: RevisionNumber  # the last one that was made from them
    options: str = ""  # digest of those that it was tried with; empty: not known


@dataclass(frozen=True, slots=True)
class Marks:
    """What we note on a revision of ours; each text fits a label, empty where it has no sense."""

    inputs: str = ""
    manifest: str = ""
    crds: str = ""
    action: str = ""
    made_from: RevisionNumber | None = None
    attempt: int = 1
    options: str = ""
    trigger: str = ""
    generated: bool = False
    forced: str = ""
    tests: str = ""
    rejected: Rejected | None = None

    def labels(self, number: RevisionNumber) -> dict[str, str]:
        """Return the labels for revision `number`, the mark included."""
        made_from = "" if self.made_from is None else str(self.made_from)
        facts = {
            INPUTS: self.inputs,
            MANIFEST: self.manifest,
            CRDS: self.crds,
            ACTION: self.action,
            MADE_FROM: made_from,
            ATTEMPT: str(self.attempt) if self.attempt > 1 else "",
            OPTIONS: self.options,
            TRIGGER: self.trigger,
            GENERATED: "true" if self.generated else "",
            FORCED: self.forced,
            TESTS: self.tests,
        }
        if self.rejected is not None:
            facts |= {
                REMEDIATES: str(self.rejected.revision),
                REJECTED: self.rejected.inputs,
                REJECTED_ATTEMPTS: str(self.rejected.attempts),
                REJECTED_OPTIONS: self.rejected.options,
            }
        return {REVISION: str(number)} | {name: text for name, text in facts.items() if text}

    @classmethod
    def of(cls, header: RevisionHeader) -> Self:
        """Read the labels of a revision; one that is not ours has empty marks."""
        if not is_ours(header):
            return cls()
        labels = header.labels
        made_from, attempt = labels.get(MADE_FROM, ""), labels.get(ATTEMPT, "")
        return cls(
            inputs=labels.get(INPUTS, ""),
            manifest=labels.get(MANIFEST, ""),
            crds=labels.get(CRDS, ""),
            action=labels.get(ACTION, ""),
            made_from=RevisionNumber(int(made_from)) if _is_number(made_from) else None,
            attempt=int(attempt) if _is_number(attempt) else 1,
            options=labels.get(OPTIONS, ""),
            trigger=labels.get(TRIGGER, ""),
            generated=GENERATED in labels,
            forced=labels.get(FORCED, ""),
            tests=labels.get(TESTS, ""),
            rejected=_rejected_of(labels),
        )


@dataclass(frozen=True, slots=True)
class MetRequest:
    """A wish for a revision's tests, as far as it was met; it counts on any revision."""

    digest: str  # of its token; empty: there was none
    ended: str = ""  # none, passed or failed; empty while they run

    @property
    def label(self) -> str:
        """What stands in the label TEST_REQUEST."""
        return f"{self.digest}.{self.ended or _BEGUN}"

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> Self:
        """Read the labels of a revision."""
        digest, _, ended = labels.get(TEST_REQUEST, "").partition(".")
        return cls(digest, "" if ended == _BEGUN else ended)


def request_digest(token: str) -> str:
    """Return what stands for a wish where its token does not fit."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def is_ours(header: RevisionHeader) -> bool:
    """Whether we made this revision, and not the CLI from a copy of our labels."""
    return header.labels.get(REVISION) == str(header.number)


def _rejected_of(labels: Mapping[str, str]) -> Rejected | None:
    revision, attempts = labels.get(REMEDIATES, ""), labels.get(REJECTED_ATTEMPTS, "")
    if not _is_number(revision):
        return None
    tried = int(attempts) if _is_number(attempts) else 1
    options = labels.get(REJECTED_OPTIONS, "")
    return Rejected(labels.get(REJECTED, ""), tried, RevisionNumber(int(revision)), options)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
