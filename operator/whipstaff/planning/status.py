"""What people read of a HelmRelease: conditions, history, causes.

The same facts always give the same status, so that a pass over an unchanged release writes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from whipstaff.errors import OperatorError
from whipstaff.planning.decision import Action
from whipstaff.planning.observation import Observation, Remembered
from whipstaff.planning.state import held_back
from whipstaff.release.marks import Marks, is_ours
from whipstaff.release.objects import ObjectReference
from whipstaff.release.revision import JsonObject, ReleaseStatus, Revision, RevisionHeader

HISTORY_LIMIT = 100  # entries of status.history, newest first
MESSAGE_LIMIT = 2048  # characters of a condition's message; the rest is in the release's record


class Reason(StrEnum):
    """Reasons of conditions that are no error's; docs/conditions.md explains each."""

    INSTALL_SUCCEEDED = "InstallSucceeded"
    UPGRADE_SUCCEEDED = "UpgradeSucceeded"
    ROLLBACK_SUCCEEDED = "RollbackSucceeded"
    INSTALL_FAILED = "InstallFailed"
    UPGRADE_FAILED = "UpgradeFailed"
    ROLLBACK_FAILED = "RollbackFailed"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    PROGRESSING = "Progressing"
    PENDING_ELSEWHERE = "PendingElsewhere"
    SUSPENDED = "Suspended"
    CHANGED_OUTSIDE = "ChangedOutside"
    HELD = "Held"


_FROM_HISTORY = (
    "history",
    "revision",
    "chartVersion",
    "pinnedRevision",
    "failures",
    "lastAttemptedRevision",
    "lastAttemptedInputs",
)


@dataclass(frozen=True, slots=True)
class Unready:
    """An object that is not ready, and the cause in one sentence."""

    reference: ObjectReference
    cause: str


@dataclass(frozen=True, slots=True)
class Findings:
    """How a pass ended, or where it stands; exactly one of the first four is set, or none."""

    refusal: OperatorError | None = None  # nothing was changed
    progressing: str = ""  # still at work, in one sentence
    waiting: str = ""  # for someone else, or for the next attempt
    exhausted: str = ""  # gave up
    suspended: bool = False
    unready: tuple[Unready, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusFacts:
    """All that status is made from."""

    seen: Observation
    findings: Findings
    revisions: Mapping[int, Revision] = field(default_factory=dict)  # those that are at hand
    same_inputs: str = ""
    now: str = ""  # RFC 3339, for transitions
    unused: Sequence[str] | None = None  # sentences on unread values; None: nothing was rendered


def remembered(status: JsonObject) -> Remembered:
    """Read back what status keeps between laps; anything odd counts as forgotten."""
    return Remembered(
        settled_generation=_int(status, "settledGeneration"),
        same_inputs=_text(status, "observedInputs"),
        same_revision=_int(status, "revision"),
        pinned_revision=_int(status, "pinnedRevision"),
        handled_request=_text(status, "lastHandledReconcileAt"),
    )


def status_for(facts: StatusFacts) -> JsonObject:
    """Return the whole status."""
    seen, findings = facts.seen, facts.findings
    old = seen.release.status
    history = _history(facts)
    deployed = seen.deployed
    newest = seen.newest
    settled = not (findings.refusal or findings.waiting or findings.exhausted)
    status: JsonObject = {
        "observedGeneration": seen.release.generation,
        "settledGeneration": seen.release.generation
        if settled
        else old.get("settledGeneration", 0),
        "conditions": _conditions(facts, history),
        "history": history,
        "lastHandledReconcileAt": seen.release.requested_at,
        "revision": deployed.number if deployed else 0,
        "chartVersion": _entry_of(history, deployed).get("version", ""),
        "pinnedRevision": _reached_pin(seen, findings),
        "observedInputs": facts.same_inputs,
        "failures": _failures(newest),
        "lastAttemptedRevision": newest.number if newest else 0,
        "lastAttemptedInputs": Marks.of(newest).inputs if newest else "",
        "unready": [_unready(item) for item in findings.unready],
        "unusedValues": _unused(facts),
    }
    if findings.progressing or findings.suspended:  # nobody has acted on the spec yet
        status["observedGeneration"] = old.get("observedGeneration", 0)
        status["settledGeneration"] = old.get("settledGeneration", 0)
    if not _answered(findings):
        status["lastHandledReconcileAt"] = seen.remembered.handled_request
    if not seen.history_known:
        status |= {name: old.get(name, "") for name in _FROM_HISTORY}
    return {name: value for name, value in status.items() if value not in ("", 0, [])}


def _unused(facts: StatusFacts) -> list[str]:
    """What the last render said; while a revision is held, the values are not in force."""
    release = facts.seen.release
    if release.spec.revision is not None:
        return []
    if facts.unused is not None:
        return list(facts.unused)
    known = release.status.get("unusedValues")
    return [one for one in known if isinstance(one, str)] if isinstance(known, list) else []


def _answered(findings: Findings) -> bool:
    """Whether a request for a pass was acted on; what is only delayed is still asked for."""
    delayed = findings.progressing or findings.waiting or findings.suspended
    return not delayed and (findings.refusal is None or not findings.refusal.retryable)


def _conditions(facts: StatusFacts, history: Sequence[JsonObject]) -> list[JsonObject]:
    seen, findings = facts.seen, facts.findings
    newest = seen.newest
    wanted: dict[str, tuple[str, str, str]] = {"Ready": _ready(seen, findings, history)}
    if findings.progressing:
        wanted["Reconciling"] = ("True", Reason.PROGRESSING, findings.progressing)
    elif findings.waiting:
        wanted["Reconciling"] = ("True", Reason.PROGRESSING, findings.waiting)
    if findings.exhausted:
        wanted["Stalled"] = ("True", Reason.RETRIES_EXHAUSTED, findings.exhausted)
    elif findings.refusal is not None and not findings.refusal.retryable:
        wanted["Stalled"] = ("True", findings.refusal.reason, findings.refusal.text)
    if newest is not None and not newest.status.pending:
        wanted["Released"] = _released(newest, history)
    if seen.release.spec.revision is not None:
        wanted["Pinned"] = _pinned(seen, findings)
    return [_condition(kind, *wanted[kind], facts) for kind in _ORDER if kind in wanted]


_ORDER = ("Ready", "Reconciling", "Stalled", "Released", "Pinned")

_SUCCEEDED = {
    "install": Reason.INSTALL_SUCCEEDED,
    "upgrade": Reason.UPGRADE_SUCCEEDED,
    "rollback": Reason.ROLLBACK_SUCCEEDED,
}
_FAILED = {
    "install": Reason.INSTALL_FAILED,
    "upgrade": Reason.UPGRADE_FAILED,
    "rollback": Reason.ROLLBACK_FAILED,
}


def _ready(
    seen: Observation, findings: Findings, history: Sequence[JsonObject]
) -> tuple[str, str, str]:
    value, reason, text = _standing(seen, findings, history)
    if findings.suspended and reason is not Reason.SUSPENDED:
        text = f"{text}; the HelmRelease is suspended: nothing is changed"
    return value, reason, text


def _standing(
    seen: Observation, findings: Findings, history: Sequence[JsonObject]
) -> tuple[str, str, str]:
    deployed, newest = seen.deployed, seen.newest
    if findings.refusal is not None:
        return "False", findings.refusal.reason, findings.refusal.text
    if findings.progressing:
        return "Unknown", Reason.PROGRESSING, findings.progressing
    if newest is not None and newest.status is ReleaseStatus.FAILED:
        entry = _entry_of(history, newest)
        text = str(entry.get("description") or f"revision {newest.number} failed")
        more = findings.exhausted or findings.waiting
        return "False", _FAILED[_action(newest, entry)], f"{text} ({more})" if more else text
    if findings.waiting:
        return "False", Reason.PENDING_ELSEWHERE, findings.waiting
    if findings.suspended and newest is not None and newest.status.pending:
        text = f"revision {newest.number} was begun, and the HelmRelease is suspended"
        return "False", Reason.SUSPENDED, text
    if deployed is None:
        return "False", Reason.SUSPENDED, "nothing runs, and the HelmRelease is suspended"
    entry = _entry_of(history, deployed)
    what = f"{entry.get('chart', 'the chart')} {entry.get('version', '')}".strip()
    text = f"revision {deployed.number} runs {what}"
    if not is_ours(deployed):
        return "True", Reason.CHANGED_OUTSIDE, f"{text}, made outside Whipstaff"
    return "True", _SUCCEEDED[_action(deployed, entry)], text


def _released(newest: RevisionHeader, history: Sequence[JsonObject]) -> tuple[str, str, str]:
    entry = _entry_of(history, newest)
    text = str(entry.get("description") or f"revision {newest.number} is {newest.status}")
    if newest.status is ReleaseStatus.FAILED:
        return "False", _FAILED[_action(newest, entry)], text
    return "True", _SUCCEEDED[_action(newest, entry)], text


def _pinned(seen: Observation, findings: Findings) -> tuple[str, str, str]:
    pin, deployed = seen.release.spec.revision, seen.deployed
    if not _reached_pin(seen, findings) or deployed is None:
        return "False", Reason.HELD, f"spec.revision asks for revision {pin}, which does not run"
    if not is_ours(deployed) and deployed.number != pin:
        text = f"revision {deployed.number}, made outside Whipstaff, runs instead of {pin}"
        return "False", Reason.CHANGED_OUTSIDE, text
    text = f"held at revision {pin}"
    if held_back(seen) and not isinstance(seen.inputs, OperatorError):
        chart = f"{seen.inputs.chart_name} {seen.inputs.chart_version}"
        text += f"; held back: {chart} with the values of the spec"
    return "True", Reason.HELD, text


def _reached_pin(seen: Observation, findings: Findings) -> int:
    pin, deployed = seen.release.spec.revision, seen.deployed
    if pin is None:
        return 0
    if findings.refusal is not None:  # says nothing about what runs
        return seen.remembered.pinned_revision if seen.remembered.pinned_revision == pin else 0
    if deployed is None:
        return 0
    reached = deployed is seen.newest and (
        deployed.number == pin
        or Marks.of(deployed).made_from == pin
        or (seen.remembered.pinned_revision == pin and not is_ours(deployed))
    )
    return int(pin) if reached else 0


def _condition(kind: str, value: str, reason: str, message: str, facts: StatusFacts) -> JsonObject:
    release = facts.seen.release
    old: JsonObject = next(
        (c for c in release.status.get("conditions") or () if c.get("type") == kind), {}
    )
    unmoved = old.get("status") == value
    return {
        "type": kind,
        "status": value,
        "reason": str(reason),
        "message": message[:MESSAGE_LIMIT],
        "lastTransitionTime": old.get("lastTransitionTime") if unmoved else _to_second(facts.now),
        "observedGeneration": _acted_on(facts),
    }


def _acted_on(facts: StatusFacts) -> int:
    release = facts.seen.release
    if facts.findings.suspended:
        return _int(release.status, "observedGeneration")
    return release.generation


def _history(facts: StatusFacts) -> list[JsonObject]:
    old = {
        entry.get("revision"): entry
        for entry in facts.seen.release.status.get("history") or ()
        if isinstance(entry, dict)
    }
    return [
        _entry(header, old.get(header.number, {}), facts.revisions.get(header.number), facts)
        for header in facts.seen.headers[:HISTORY_LIMIT]
    ]


def unknown_revisions(seen: Observation) -> tuple[RevisionHeader, ...]:
    """Return those whose entry in status.history has to be read from the store first."""
    known = {
        entry.get("revision"): entry.get("status", "")
        for entry in seen.release.status.get("history") or ()
        if isinstance(entry, dict) and "chart" in entry
    }
    return tuple(
        header
        for header in seen.headers[:HISTORY_LIMIT]
        if header.number not in known or _described_anew(known[header.number], header.status)
    )


def _described_anew(known: str, status: ReleaseStatus) -> bool:
    """Whether a revision got another description: a superseded one keeps its own."""
    ended = known.startswith("pending-") and not status.pending
    return known != status and (ended or status is ReleaseStatus.FAILED)


def _entry(
    header: RevisionHeader, old: JsonObject, revision: Revision | None, facts: StatusFacts
) -> JsonObject:
    noted = Marks.of(header)
    entry: JsonObject = dict(old)
    entry["revision"] = header.number
    entry["status"] = str(header.status)
    if revision is not None:
        metadata = revision.chart.get("metadata") or {}
        entry["chart"] = metadata.get("name", "")
        entry["version"] = metadata.get("version", "")
        entry["appVersion"] = metadata.get("appVersion", "")
        entry["description"] = revision.description[:MESSAGE_LIMIT]
    if "action" not in entry or revision is not None:
        entry["action"] = noted.action or _action_outside(header, revision)
    entry["trigger"] = noted.trigger or ("spec" if is_ours(header) else "outside")
    entry["manifestDigest"] = noted.manifest
    entry["madeFrom"] = noted.made_from or 0
    inputs = facts.seen.inputs
    if not isinstance(inputs, OperatorError) and noted.inputs == inputs.digest:
        entry["chartDigest"] = inputs.chart_digest
        entry["valuesDigest"] = inputs.values_digest
    entry["started"] = _moment(header.created_at)
    if header.status.pending:
        entry["finished"] = ""
    elif header.status is not ReleaseStatus.SUPERSEDED or "finished" not in entry:
        entry["finished"] = _moment(header.modified_at)
    return {name: value for name, value in entry.items() if value not in ("", 0)}


def _entry_of(history: Sequence[JsonObject], header: RevisionHeader | None) -> JsonObject:
    if header is None:
        return {}
    return next((entry for entry in history if entry["revision"] == header.number), {})


def _action(header: RevisionHeader, entry: JsonObject) -> str:
    action = Marks.of(header).action or entry.get("action", "")
    return action if action in _SUCCEEDED else str(Action.UPGRADE)


def _action_outside(header: RevisionHeader, revision: Revision | None) -> str:
    if revision is not None and revision.description.startswith("Rollback"):
        return str(Action.ROLLBACK)
    return str(Action.INSTALL if header.number == 1 else Action.UPGRADE)


def _failures(newest: RevisionHeader | None) -> int:
    if newest is None or newest.status is not ReleaseStatus.FAILED:
        return 0
    return Marks.of(newest).attempt


def _unready(item: Unready) -> JsonObject:
    reference = item.reference
    entry = {
        "apiVersion": reference.api_version,
        "kind": reference.kind,
        "namespace": reference.namespace,
        "name": reference.name,
        "cause": item.cause,
    }
    return {name: value for name, value in entry.items() if value}


def _moment(unix_seconds: int) -> str:
    if not unix_seconds:
        return ""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _to_second(moment: str) -> str:
    return moment[:19] + "Z"


def _text(status: JsonObject, name: str) -> str:
    value = status.get(name)
    return value if isinstance(value, str) else ""


def _int(status: JsonObject, name: str) -> int:
    value = status.get(name)
    return value if isinstance(value, int) else 0
