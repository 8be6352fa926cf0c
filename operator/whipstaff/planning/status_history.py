"""status.history: an entry for each stored revision, newest first.

What the labels of a revision do not say stands in the entry that status had, or in the revision.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from whipstaff.errors import OperatorError
from whipstaff.planning.decision import Action
from whipstaff.planning.observation import Observation
from whipstaff.release.marks import TESTS_FAILED, Marks, is_ours
from whipstaff.release.revision import JsonObject, ReleaseStatus, Revision, RevisionHeader

HISTORY_LIMIT = 100  # entries
DESCRIPTION_LIMIT = 2048  # characters; the rest is in the revision
TESTS_FAILED_WORDS = "; tests failed: "  # in the description of a revision


def entries(seen: Observation, revisions: Mapping[int, Revision]) -> list[JsonObject]:
    """Return all of them; `revisions` are those that are at hand."""
    old = {
        entry.get("revision"): entry
        for entry in seen.release.status.get("history") or ()
        if isinstance(entry, dict)
    }
    return [
        _entry(header, old.get(header.number, {}), revisions.get(header.number), seen)
        for header in seen.headers[:HISTORY_LIMIT]
    ]


def _entry(
    header: RevisionHeader, old: JsonObject, revision: Revision | None, seen: Observation
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
        entry["description"] = revision.description[:DESCRIPTION_LIMIT]
    if "action" not in entry or revision is not None:
        entry["action"] = noted.action or _action_outside(header, revision)
    entry["trigger"] = noted.trigger or ("spec" if is_ours(header) else "outside")
    entry["manifestDigest"] = noted.manifest
    entry["madeFrom"] = noted.made_from or 0
    inputs = seen.inputs
    if not isinstance(inputs, OperatorError) and noted.inputs == inputs.digest:
        entry["chartDigest"] = inputs.chart_digest
        entry["valuesDigest"] = inputs.values_digest
    entry["started"] = _moment(header.created_at)
    if header.status.pending:
        entry["finished"] = ""
    elif header.status is not ReleaseStatus.SUPERSEDED or "finished" not in entry:
        entry["finished"] = _moment(header.modified_at)
    return {name: value for name, value in entry.items() if value not in ("", 0)}


def _action_outside(header: RevisionHeader, revision: Revision | None) -> str:
    if revision is not None and revision.description.startswith("Rollback"):
        return str(Action.ROLLBACK)
    return str(Action.INSTALL if header.number == 1 else Action.UPGRADE)


def _moment(unix_seconds: int) -> str:
    if not unix_seconds:
        return ""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unknown_revisions(seen: Observation) -> tuple[RevisionHeader, ...]:
    """Return those whose entry in status.history has to be read from the store first."""
    known = {
        entry.get("revision"): entry
        for entry in seen.release.status.get("history") or ()
        if isinstance(entry, dict) and "chart" in entry
    }
    return tuple(
        header
        for header in seen.headers[:HISTORY_LIMIT]
        if header.number not in known or _described_anew(known[header.number], header)
    )


def _described_anew(entry: JsonObject, header: RevisionHeader) -> bool:
    """Whether a revision got another description: a superseded one keeps its own."""
    known, status = str(entry.get("status", "")), header.status
    ended = known.startswith("pending-") and not status.pending
    if known != status and (ended or status in (ReleaseStatus.FAILED, ReleaseStatus.UNINSTALLED)):
        return True
    untold = TESTS_FAILED_WORDS not in str(entry.get("description", ""))
    return Marks.of(header).tests == TESTS_FAILED and untold


def entry_of(history: Sequence[JsonObject], header: RevisionHeader | None) -> JsonObject:
    """Return the entry of a revision; nothing where there is none."""
    if header is None:
        return {}
    return next((entry for entry in history if entry["revision"] == header.number), {})
