"""Folds what the helm CLI owns as an updater into what it owns as an applier.

An object that the CLI made without server-side apply keeps fields that a new chart drops: the
entry of the old manager still claims them. Folded into ours, the next apply takes them away. The
rules are those of client-go's csaupgrade, which the CLI follows too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from whipstaff.release.field_sets import union
from whipstaff.release.manifests import FIELD_MANAGER
from whipstaff.release.revision import JsonObject

MANAGER = FIELD_MANAGER
# The CLI's own updates, kubectl's, and what the API server calls fields that predate any entry.
FOLDED_MANAGERS = (MANAGER, "kubectl-client-side-apply", "before-first-apply")


def needs_folding(body: Mapping[str, Any]) -> bool:
    """Whether the object has entries to be folded."""
    return any(_foldable(entry) for entry in _entries(body))


def fold(body: Mapping[str, Any]) -> list[JsonObject]:
    """Return the managedFields to write: one Apply entry of ours for all that are folded."""
    entries = [dict(entry) for entry in _entries(body)]
    for manager in FOLDED_MANAGERS:
        entries = _fold_manager(entries, manager)
    return entries


def _entries(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return (body.get("metadata") or {}).get("managedFields") or ()


def _foldable(entry: Mapping[str, Any]) -> bool:
    return entry.get("manager") in FOLDED_MANAGERS and _is(entry, str(entry["manager"]), "Update")


def _is(entry: Mapping[str, Any], manager: str, operation: str) -> bool:
    return (
        entry.get("manager") == manager
        and entry.get("operation") == operation
        and not entry.get("subresource")
    )


def _fold_manager(entries: list[JsonObject], manager: str) -> list[JsonObject]:
    folded = [entry for entry in entries if _is(entry, manager, "Update")]
    if not folded:
        return entries
    ours = next((entry for entry in entries if _is(entry, MANAGER, "Apply")), None)
    if ours is None:
        ours = folded[0]  # the most recent one
        ours.update(manager=MANAGER, operation="Apply")
    # Paths of another API version cannot be compared with ours; client-go drops them too.
    same_version = (e for e in folded if e.get("apiVersion") == ours.get("apiVersion"))
    source = next((entry for entry in same_version if entry is not ours), None)
    if source is not None:
        ours["fieldsV1"] = union(ours.get("fieldsV1") or {}, source.get("fieldsV1") or {})
    return [entry for entry in entries if not _is(entry, manager, "Update")]
