"""What the status of a HelmRepository says, as a function of what happened."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from whipstaff.errors import OperatorError
from whipstaff.helmrelease.types import Head
from whipstaff.release.revision import JsonObject

EXCHANGED_SHOWN = 5


class Reason(StrEnum):
    """The reasons of conditions that are no errors."""

    FETCHED = "IndexFetched"
    SUSPENDED = "Suspended"
    EXCHANGED = "ChartDigestChanged"


class Change(NamedTuple):
    """What was another in an index than in the one before it."""

    before: str  # the digest of that one
    charts: frozenset[str] | None  # whose versions are others; None: it may be any
    exchanged: tuple[str, ...] = ()  # "blog 1.0.0": the same versions of other archives

    def and_then(self, later: "Change") -> "Change":
        """Return both changes as one."""
        known = self.charts is not None and later.charts is not None
        charts = (self.charts or frozenset()) | (later.charts or frozenset()) if known else None
        return Change(self.before, charts, self.exchanged + later.exchanged)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is known of a repository since it was asked last."""

    charts: int  # names in the index
    index_digest: str  # "sha256:…" of index.yaml as it was sent; empty where there is none
    skipped: int = 0  # entries that nobody can use
    sentence: str = ""  # for people
    changes: tuple[Change, ...] = ()  # the last ones, each from the digest of the one before

    def since(self, digest: str) -> Change:
        """Say what is another than in the index of that digest."""
        found = Change(digest, frozenset())
        if digest == self.index_digest:
            return found
        for place in reversed(range(len(self.changes))):
            if self.changes[place].before == digest:
                for change in self.changes[place:]:
                    found = found.and_then(change)
                return found
        return Change(digest, None)


def status_for(head: Head, outcome: Fetched | OperatorError, now: str) -> JsonObject:
    """Return the whole status after the repository was asked, or could not be."""
    old = head.status
    refused = isinstance(outcome, OperatorError)
    status: JsonObject = {
        "observedGeneration": head.generation,
        "lastHandledReconcileAt": head.requested_at,
        "charts": old.get("charts", 0),
        "indexDigest": old.get("indexDigest", ""),
        "lastFetchedAt": old.get("lastFetchedAt", ""),
        "conditions": _conditions(head, outcome, now),
    }
    if not isinstance(outcome, OperatorError):
        status |= {
            "charts": outcome.charts,
            "indexDigest": outcome.index_digest,
            "lastFetchedAt": whole_seconds(now),
        }
    if refused and not status["lastFetchedAt"]:
        del status["charts"]
    return {name: value for name, value in status.items() if value not in ("", [])}


def suspended_status(head: Head, now: str) -> JsonObject:
    """Return the status of one that is suspended: what is known of it stays."""
    old = {name: value for name, value in head.status.items() if name != "conditions"}
    conditions = _conditions_in(head.status)
    ready = conditions.get("Ready")
    if ready is None:
        text = "the HelmRepository is suspended, and was never asked"
        kept = [_condition(head, "Ready", ("False", Reason.SUSPENDED, text), now)]
    else:
        kept = [ready]
    return {**old, "observedGeneration": head.generation, "conditions": kept}


def news(old: JsonObject, new: JsonObject) -> tuple[str, str, str] | None:
    """Return type, reason and message of the Event that a new status is worth, if it is."""
    before, after = _ready_of(old), _ready_of(new)
    if (before.get("status"), before.get("reason")) == (after.get("status"), after.get("reason")):
        return None
    kind = "Normal" if after.get("status") == "True" else "Warning"
    return kind, str(after.get("reason")), str(after.get("message"))


def exchange_news(change: Change) -> tuple[str, str, str] | None:
    """Return type, reason and message of the Event for versions that are other archives now."""
    if not change.exchanged:
        return None
    shown = ", ".join(change.exchanged[:EXCHANGED_SHOWN])
    more = len(change.exchanged) - EXCHANGED_SHOWN
    also = f" and {more} more" if more > 0 else ""
    return (
        "Warning",
        Reason.EXCHANGED,
        f"the index has other digests for versions that were there before: {shown}{also}",
    )


def _ready_of(status: JsonObject) -> JsonObject:
    return _conditions_in(status).get("Ready", {})


def _conditions(head: Head, outcome: Fetched | OperatorError, now: str) -> list[JsonObject]:
    if not isinstance(outcome, OperatorError):
        ready = ("True", str(Reason.FETCHED), outcome.sentence)
        return [_condition(head, "Ready", ready, now)]
    refused = ("False", outcome.reason, outcome.text)
    kind = "Reconciling" if outcome.retryable else "Stalled"
    also = ("True", outcome.reason, outcome.text)
    return [_condition(head, "Ready", refused, now), _condition(head, kind, also, now)]


def _condition(head: Head, kind: str, facts: tuple[str, str, str], now: str) -> JsonObject:
    value, reason, message = facts
    old = _conditions_in(head.status).get(kind, {})
    unmoved = old.get("status") == value and old.get("lastTransitionTime")
    return {
        "type": kind,
        "status": value,
        "reason": str(reason),
        "message": message,
        "observedGeneration": head.generation,
        "lastTransitionTime": old["lastTransitionTime"] if unmoved else whole_seconds(now),
    }


def _conditions_in(status: JsonObject) -> dict[str, JsonObject]:
    listed = status.get("conditions")
    found = listed if isinstance(listed, list) else []
    return {str(one.get("type")): one for one in found if isinstance(one, dict)}


def whole_seconds(now: str) -> str:
    """Cut the fraction off a time, as conditions have it."""
    return now.partition(".")[0].removesuffix("Z") + "Z"
