"""What people read of a HelmRelease: conditions, history, causes.

The same facts always give the same status, so that a pass over an unchanged release writes nothing.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from whipstaff.errors import OperatorError
from whipstaff.helmrelease.placements import told_of_placement
from whipstaff.planning.changes import ADOPT, ReleasePlan
from whipstaff.planning.decision import Action
from whipstaff.planning.drift_notes import DriftFindings, condition_of, entries_of
from whipstaff.planning.failed import Failed, counts, failed, rejected_inputs
from whipstaff.planning.observation import Observation, Planned, Remembered
from whipstaff.planning.state import held_back
from whipstaff.planning.status_history import entries, entry_of
from whipstaff.release.marks import TESTS_FAILED, TESTS_PASSED, Marks, MetRequest, is_ours
from whipstaff.release.objects import ObjectReference
from whipstaff.release.revision import (
    Hook,
    HookEvent,
    JsonObject,
    ReleaseStatus,
    Revision,
    RevisionHeader,
    RevisionNumber,
)

TESTS_LIMIT = 32  # that are told of
UNREADY_LIMIT = 100  # objects that are told of: a status that is too large cannot be written
MESSAGE_LIMIT = 2048  # characters of a condition's message; the rest is in the release's record

_ABOUT_TESTS = ("tests", "testedRevision", "testRequest")


class Reason(StrEnum):
    """Reasons of conditions that are no error's; docs/conditions.md explains each."""

    INSTALL_SUCCEEDED = "InstallSucceeded"
    UPGRADE_SUCCEEDED = "UpgradeSucceeded"
    ROLLBACK_SUCCEEDED = "RollbackSucceeded"
    INSTALL_FAILED = "InstallFailed"
    UPGRADE_FAILED = "UpgradeFailed"
    ROLLBACK_FAILED = "RollbackFailed"
    UNINSTALL_SUCCEEDED = "UninstallSucceeded"
    UNINSTALL_FAILED = "UninstallFailed"
    TEST_SUCCEEDED = "TestSucceeded"
    TEST_FAILED = "TestFailed"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    MISSING_ROLLBACK_TARGET = "MissingRollbackTarget"
    PROGRESSING = "Progressing"
    PENDING_ELSEWHERE = "PendingElsewhere"
    SUSPENDED = "Suspended"
    CHANGED_OUTSIDE = "ChangedOutside"
    HELD = "Held"
    APPROVAL_REQUIRED = "ApprovalRequired"


_FROM_HISTORY = (
    "history",
    "revision",
    "release",
    "chartVersion",
    "pinnedRevision",
    "failures",
    "installFailures",
    "upgradeFailures",
    "rejected",
    "tests",
    "testedRevision",
    "testRequest",
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
    aside: bool = False  # … on what says nothing of whether the release is ready
    waiting: str = ""  # for someone else, or for the next attempt
    exhausted: str = ""  # gave up
    no_way_back: bool = False  # … as there is nothing to roll back to
    suspended: bool = False
    unapproved: bool = False  # a plan waits for somebody to approve of it
    unready: tuple[Unready, ...] = ()


@dataclass(frozen=True, slots=True)
class Tested:
    """How the tests of a revision ended, and what they logged, by name."""

    __test__ = False  # pytest takes it for tests

    revision: RevisionNumber
    hooks: tuple[Hook, ...]
    logs: Mapping[str, str]
    failed: bool
    request: str = ""  # the wish that they answer; empty: they ran because of `spec.test`
    why: str = ""  # … they failed


@dataclass(frozen=True, slots=True)
class StatusFacts:
    """All that status is made from."""

    seen: Observation
    findings: Findings
    revisions: Mapping[int, Revision] = field(default_factory=dict)  # those that are at hand
    same_inputs: str = ""
    now: str = ""  # RFC 3339, for transitions
    unused: Sequence[str] | None = None  # sentences on unread values; None: nothing was rendered
    tests: Tested | None = None  # that ran in this pass
    plan: JsonObject | None = None  # that was made in this pass, as status tells of it
    drift: DriftFindings | None = None  # as it was found in this pass


def remembered(status: JsonObject) -> Remembered:
    """Read back what status keeps between laps; anything odd counts as forgotten."""
    return Remembered(
        settled_generation=_int(status, "settledGeneration"),
        same_inputs=_text(status, "observedInputs"),
        same_revision=_int(status, "revision"),
        pinned_revision=_int(status, "pinnedRevision"),
        handled_request=_text(status, "lastHandledReconcileAt"),
        handled_force=_text(status, "lastHandledForceAt"),
        handled_reset=_text(status, "lastHandledResetAt"),
        handled_test=_text(status, "lastHandledTestAt"),
        plan=_planned(status.get("plan")),
    )


def _planned(plan: object) -> Planned | None:
    if not isinstance(plan, dict):
        return None
    return Planned(_text(plan, "digest"), _text(plan, "inputs"), _int(plan, "revision"))


def told_of(plan: ReleasePlan, secret: str) -> JsonObject:
    """Return what status tells of a plan; `secret` is where the whole of it is."""
    return {
        "digest": plan.digest,
        "inputs": plan.inputs,
        "action": plan.action,
        "revision": plan.revision,
        "chart": plan.chart,
        "version": plan.version,
        "summary": plan.summary,
        **{name: count for name, count in plan.counts.items() if count},
        "secretName": secret,
    }


def status_for(facts: StatusFacts) -> JsonObject:
    """Return the whole status."""
    seen, findings = facts.seen, facts.findings
    old = seen.release.status
    history = entries(facts.seen, facts.revisions)
    deployed = seen.deployed
    newest = seen.newest
    held = findings.waiting or findings.exhausted or findings.unapproved
    settled = not (findings.refusal or held)
    status: JsonObject = {
        "observedGeneration": seen.release.generation,
        "settledGeneration": seen.release.generation
        if settled
        else old.get("settledGeneration", 0),
        "conditions": _conditions(facts, history),
        "history": history,
        "observedPostRenderersDigest": _post_renderers(seen),
        "lastHandledReconcileAt": seen.release.requested_at,
        "lastHandledForceAt": seen.release.force_at or seen.remembered.handled_force,
        "lastHandledResetAt": seen.release.reset_at or seen.remembered.handled_reset,
        "lastHandledTestAt": seen.release.test_at or seen.remembered.handled_test,
        "revision": deployed.number if deployed else 0,
        "release": told_of_placement(seen.release.spec.placement),
        "chartVersion": entry_of(history, deployed).get("version", ""),
        "pinnedRevision": _reached_pin(seen, findings),
        "observedInputs": facts.same_inputs,
        "rejected": rejected_inputs(seen, history, old.get("rejected") or {}),
        **counts(seen),
        **_tests(facts),
        "lastAttemptedRevision": newest.number if newest else 0,
        "lastAttemptedInputs": Marks.of(newest).inputs if newest else "",
        "plan": _plan(facts),
        "drift": _drift(facts),
        "unready": [_unready(item) for item in findings.unready[:UNREADY_LIMIT]],
        "unusedValues": _unused(facts),
    }
    if findings.progressing or findings.suspended:  # nobody has acted on the spec yet
        status["observedGeneration"] = old.get("observedGeneration", 0)
        status["settledGeneration"] = old.get("settledGeneration", 0)
    if not _answered(findings):
        status["lastHandledReconcileAt"] = seen.remembered.handled_request
        status["lastHandledForceAt"] = seen.remembered.handled_force
        status["lastHandledResetAt"] = seen.remembered.handled_reset
        if not seen.tests_ran:
            status["lastHandledTestAt"] = seen.remembered.handled_test
    if not seen.history_known:
        status |= {name: old.get(name, "") for name in _FROM_HISTORY}
    return {name: value for name, value in status.items() if value not in ("", 0, [], {})}


def _plan(facts: StatusFacts) -> JsonObject:
    """Return the plan that waits; one that was carried out, or is not wanted, is told no more."""
    findings = facts.findings
    if facts.plan is not None:
        return facts.plan
    waits = findings.unapproved or findings.refusal or findings.suspended
    known = facts.seen.release.status.get("plan")
    return known if waits and isinstance(known, dict) else {}


def _tests(facts: StatusFacts) -> JsonObject:
    """Return how tests ended: those that ran now, or those that are told of a stored revision."""
    seen, tested = facts.seen, facts.tests
    if tested is None:
        old = seen.release.status
        told: JsonObject = {name: old[name] for name in _ABOUT_TESTS if name in old}
        known = {header.number for header in seen.headers}
        return told if told.get("testedRevision") in known else {}
    tests = [hook for hook in tested.hooks if HookEvent.TEST in hook.events and hook.phase]
    return {
        "testedRevision": tested.revision,
        "testRequest": tested.request,
        "tests": [_test(hook, tested.logs.get(hook.name, "")) for hook in tests[:TESTS_LIMIT]],
    }


def _test(hook: Hook, log: str) -> JsonObject:
    entry = {
        "name": hook.name,
        "kind": hook.kind,
        "phase": str(hook.phase),
        "started": _to_second(hook.started_at) if hook.started_at else "",
        "completed": _to_second(hook.completed_at) if hook.completed_at else "",
        "log": log,
    }
    return {name: value for name, value in entry.items() if value}


def _drift(facts: StatusFacts) -> list[JsonObject]:
    """Return what is told of drift: what was found now, or what was known before."""
    seen = facts.seen
    if facts.drift is not None:
        return entries_of(facts.drift.notes)
    if not _is_looked_at(seen):
        return []
    known = seen.release.status.get("drift")
    return known if isinstance(known, list) else []


def _drifted(facts: StatusFacts) -> dict[str, tuple[str, str, str]]:
    """Return the condition Drifted, where anybody looks."""
    seen = facts.seen
    if not _is_looked_at(seen):
        return {}
    if facts.drift is not None and seen.deployed is not None:
        return {"Drifted": condition_of(facts.drift, seen.deployed.number)}
    old = _known_condition(seen.release.status, "Drifted")
    return {"Drifted": (old["status"], old["reason"], old["message"])} if old else {}


def _is_looked_at(seen: Observation) -> bool:
    newest = seen.newest
    runs = seen.deployed is not None or not seen.history_known
    if newest is not None and newest.status is ReleaseStatus.FAILED:  # nobody says what is right
        runs = False
    return runs and seen.release.spec.drift_detection.looks


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
    if findings.unapproved:
        wanted["Ready"] = ("False", Reason.APPROVAL_REQUIRED, _asks(facts))
    if findings.progressing:
        wanted["Reconciling"] = ("True", Reason.PROGRESSING, findings.progressing)
    elif findings.waiting:
        wanted["Reconciling"] = ("True", Reason.PROGRESSING, findings.waiting)
    if findings.unapproved:
        wanted["ApprovalRequired"] = ("True", Reason.APPROVAL_REQUIRED, _asks(facts))
    if findings.exhausted:
        gave_up = Reason.RETRIES_EXHAUSTED
        if findings.no_way_back:
            gave_up = Reason.MISSING_ROLLBACK_TARGET
        wanted["Stalled"] = ("True", gave_up, findings.exhausted)
    elif findings.refusal is not None and not findings.refusal.retryable:
        wanted["Stalled"] = ("True", findings.refusal.reason, findings.refusal.text)
    if newest is not None and not newest.status.pending:
        wanted["Released"] = _released(seen, newest, history)
        wanted |= _about_failure(seen, findings, history)
        wanted |= _tested_on_request(facts, newest)
    wanted |= _drifted(facts)
    if seen.release.spec.revision is not None:
        wanted["Pinned"] = _pinned(seen, findings)
    return [_condition(kind, *wanted[kind], facts) for kind in _ORDER if kind in wanted]


_ORDER = (
    "Ready",
    "Reconciling",
    "Stalled",
    "ApprovalRequired",
    "Released",
    "Tested",
    "Remediated",
    "Drifted",
    "Pinned",
)

_SUCCEEDED = {
    "install": Reason.INSTALL_SUCCEEDED,
    "upgrade": Reason.UPGRADE_SUCCEEDED,
    "rollback": Reason.ROLLBACK_SUCCEEDED,
    "remediate": Reason.ROLLBACK_SUCCEEDED,
}
_FAILED = {
    "install": Reason.INSTALL_FAILED,
    "upgrade": Reason.UPGRADE_FAILED,
    "rollback": Reason.ROLLBACK_FAILED,
    "remediate": Reason.ROLLBACK_FAILED,
}


def _ready(
    seen: Observation, findings: Findings, history: Sequence[JsonObject]
) -> tuple[str, str, str]:
    known = _known_condition(seen.release.status, "Ready")
    if findings.aside and known:
        return known["status"], known["reason"], known["message"]
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
    found = failed(seen)
    if found is not None:
        more, answer = findings.exhausted or findings.waiting, found.answer(history)
        text = f"{found.text(history)}; {answer}" if answer else found.text(history)
        return "False", _why(found), f"{text} ({more})" if more else text
    if findings.waiting:
        return "False", Reason.PENDING_ELSEWHERE, findings.waiting
    if findings.suspended and newest is not None and newest.status.pending:
        text = f"revision {newest.number} was begun, and the HelmRelease is suspended"
        return "False", Reason.SUSPENDED, text
    if deployed is None:
        return "False", Reason.SUSPENDED, "nothing runs, and the HelmRelease is suspended"
    entry = entry_of(history, deployed)
    what = f"{entry.get('chart', 'the chart')} {entry.get('version', '')}".strip()
    text = f"revision {deployed.number} runs {what}"
    if not is_ours(deployed):
        return "True", Reason.CHANGED_OUTSIDE, f"{text}, made outside Whipstaff"
    return "True", _SUCCEEDED[_action(deployed, entry)], text


def _asks(facts: StatusFacts) -> str:
    """Say what is to be approved of, and where it can be read."""
    plan, approved = _plan(facts), facts.seen.release.spec.approved_plan
    text = (
        f"{_aim(plan)} {plan.get('chart')} {plan.get('version')} waits for approval"
        f" ({plan.get('summary')}): set spec.approvedPlan to {plan.get('digest')};"
        f" the whole plan is in Secret {plan.get('secretName')}"
    )
    if approved and approved != plan.get("digest"):
        text += f"; the approved plan {approved[:14]}… is void: what it was made for is no more"
    return text


def _aim(plan: JsonObject) -> str:
    return "adoption as it is of" if plan.get("action") == ADOPT else f"{plan.get('action')} to"


def _why(found: Failed) -> Reason:
    return Reason.TEST_FAILED if found.by_tests else _FAILED[found.action]


def _about_failure(
    seen: Observation, findings: Findings, history: Sequence[JsonObject]
) -> dict[str, tuple[str, str, str]]:
    """Return the conditions Tested and Remediated, where there is something to tell."""
    told: dict[str, tuple[str, str, str]] = {}
    newest, found = seen.newest, failed(seen)
    tests = Marks.of(newest).tests if newest else ""
    if found is not None and found.by_tests:
        told["Tested"] = ("False", Reason.TEST_FAILED, found.text(history))
    elif tests == TESTS_FAILED and newest is not None:
        text = str(entry_of(history, newest).get("description", ""))
        told["Tested"] = ("False", Reason.TEST_FAILED, text)
    elif tests == TESTS_PASSED and newest is not None:
        text = f"the tests of revision {newest.number} passed"
        told["Tested"] = ("True", Reason.TEST_SUCCEEDED, text)
    if found is not None and found.rejected is not None:
        why = f"because revision {found.revision} failed"
        if found.undone:
            how = Reason.UNINSTALL_SUCCEEDED if found.by_uninstalling else Reason.ROLLBACK_SUCCEEDED
            told["Remediated"] = ("True", how, f"{found.answer(history)}, {why}")
        elif not found.by_uninstalling:
            told["Remediated"] = ("False", Reason.ROLLBACK_FAILED, found.answer(history))
        elif findings.refusal is not None:
            told["Remediated"] = ("False", Reason.UNINSTALL_FAILED, findings.refusal.text)
    return told


def _tested_on_request(
    facts: StatusFacts, newest: RevisionHeader
) -> dict[str, tuple[str, str, str]]:
    """Return the condition Tested, where somebody asked for the tests that ran last."""
    met, tested = MetRequest.of(newest.labels), facts.tests
    if met.ended == TESTS_PASSED and Marks.of(newest).tests != TESTS_FAILED:
        text = f"the tests of revision {newest.number} passed, which somebody asked for"
        return {"Tested": ("True", Reason.TEST_SUCCEEDED, text)}
    if met.ended != TESTS_FAILED:
        return {}
    text = f"tests of revision {newest.number} failed, which somebody asked for"
    known = _known_condition(facts.seen.release.status, "Tested")
    if tested is not None and tested.request:
        text = f"{text}: {tested.why}"
    elif str(known.get("message", "")).startswith(text):
        text = known["message"]
    return {"Tested": ("False", Reason.TEST_FAILED, text)}


def _released(
    seen: Observation, newest: RevisionHeader, history: Sequence[JsonObject]
) -> tuple[str, str, str]:
    found = failed(seen)
    if found is not None and not found.by_tests:
        return "False", _FAILED[found.action], found.text(history)
    entry = entry_of(history, newest)
    text = str(entry.get("description") or f"revision {newest.number} is {newest.status}")
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
    if pin is None:  # one that was taken away is remembered until that was answered
        delayed = findings.refusal or findings.waiting or findings.suspended or findings.unapproved
        return seen.remembered.pinned_revision if delayed else 0
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
    old = _known_condition(facts.seen.release.status, kind)
    unmoved = old.get("status") == value
    return {
        "type": kind,
        "status": value,
        "reason": str(reason),
        "message": message[:MESSAGE_LIMIT],
        "lastTransitionTime": old.get("lastTransitionTime") if unmoved else _to_second(facts.now),
        "observedGeneration": _acted_on(facts),
    }


def _known_condition(status: JsonObject, kind: str) -> JsonObject:
    return next((c for c in status.get("conditions") or () if c.get("type") == kind), {})


def _acted_on(facts: StatusFacts) -> int:
    release = facts.seen.release
    if facts.findings.suspended:
        return _int(release.status, "observedGeneration")
    return release.generation


def _post_renderers(seen: Observation) -> str:
    """Return the digest of what is changed after rendering, empty if nothing is."""
    wanted = seen.release.spec.post_rendering
    if wanted is None:
        return ""
    canonical = json.dumps(wanted.order(), sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _action(header: RevisionHeader, entry: JsonObject) -> str:
    action = Marks.of(header).action or entry.get("action", "")
    return action if action in _SUCCEEDED else str(Action.UPGRADE)


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


def _to_second(moment: str) -> str:
    return moment[:19] + "Z"


def _text(status: JsonObject, name: str) -> str:
    value = status.get(name)
    return value if isinstance(value, str) else ""


def _int(status: JsonObject, name: str) -> int:
    value = status.get(name)
    return value if isinstance(value, int) else 0
