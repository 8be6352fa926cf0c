"""Folds what earlier managers of an object own into what we own as an applier.

An object that the helm CLI made without server-side apply, or that Flux made, keeps fields that a
new chart drops: the entry of the old manager still claims them. Folded into ours, the next apply
takes them away. The rules are those of client-go's csaupgrade, which the CLI follows too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from whipstaff.release.field_sets import union
from whipstaff.release.manifests import FIELD_MANAGER, marked_by_flux
from whipstaff.release.revision import JsonObject

MANAGER = FIELD_MANAGER
# The CLI's own updates, kubectl's, and what the API server calls fields that predate any entry.
_UPDATERS = (
    (MANAGER, "Update"),
    ("kubectl-client-side-apply", "Update"),
    ("before-first-apply", "Update"),
)
# As which Flux writes the objects of its releases, with server-side apply and without.
_FLUX = (("helm-controller", "Update"), ("helm-controller", "Apply"))
_KINDS_OF_FLUX = ".toolkit.fluxcd.io/"


def needs_folding(body: Mapping[str, Any]) -> bool:
    """Whether the object has entries to be folded."""
    folded = _folded(body)
    return any(_is(entry, *writer) for entry in _entries(body) for writer in folded)


def fold(body: Mapping[str, Any]) -> list[JsonObject]:
    """Return the managedFields to write: one Apply entry of ours for all that are folded."""
    entries = [dict(entry) for entry in _entries(body)]
    for writer in _folded(body):
        entries = _fold_writer(entries, *writer)
    return entries


def _folded(body: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Return whose entries count as ours, as (manager, operation)."""
    # Into objects of its own kinds helm-controller also writes what no chart has: finalizers.
    own_kind = _KINDS_OF_FLUX in str(body.get("apiVersion", ""))
    flux = marked_by_flux(dict(body)) is not None and not own_kind
    return (*_UPDATERS, *_FLUX) if flux else _UPDATERS


def _entries(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return (body.get("metadata") or {}).get("managedFields") or ()


def _is(entry: Mapping[str, Any], manager: str, operation: str) -> bool:
    return (
        entry.get("manager") == manager
        and entry.get("operation") == operation
        and not entry.get("subresource")
    )


def _fold_writer(entries: list[JsonObject], manager: str, operation: str) -> list[JsonObject]:
    folded = [entry for entry in entries if _is(entry, manager, operation)]
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
    return [entry for entry in entries if entry is ours or not _is(entry, manager, operation)]
