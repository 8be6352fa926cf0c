"""What the status of a HelmRepository says, as a function of what happened."""

from dataclasses import dataclass
from enum import StrEnum

from whipstaff.errors import OperatorError
from whipstaff.helmrelease.types import Head
from whipstaff.release.revision import JsonObject


class Reason(StrEnum):
    """The reasons of conditions that are no errors."""

    FETCHED = "IndexFetched"
    SUSPENDED = "Suspended"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is known of a repository since it was asked last."""

    charts: int  # names in the index
    index_digest: str  # "sha256:…" of index.yaml as it was sent; empty where there is none
    skipped: int = 0  # entries that nobody can use
    sentence: str = ""  # for people


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
