"""What people ask of a HelmRelease by a command or a button, as the edit that says it.

An edit is data: it can be shown before it is made, and nothing here makes it. Fields are set by
server-side apply as our own field manager, which keeps what it had set before; a field goes by a
patch, whoever set it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from whipstaff.errors import RevisionNotFound
from whipstaff.helmrelease.names import (
    API_VERSION,
    FORCE_AT,
    KIND,
    REQUESTED_AT,
    RESET_AT,
    TEST_AT,
    TEST_FILTER,
    TEST_TIMEOUT,
)
from whipstaff.release.field_sets import holds, part, union
from whipstaff.release.revision import JsonObject

# Flux takes back what managers set whose name begins with kubectl.
MANAGER = "whipstaff-cli"
GATEWAY_MANAGER = "whipstaff-gateway"
_OUR_MANAGERS = (MANAGER, GATEWAY_MANAGER)

# By a label or an annotation, or as a field manager, who brings an object from Git.
_SYNCED_BY = {
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
}
_SYNCING_MANAGERS = {"kustomize-controller": "Flux", "argocd-controller": "Argo CD"}


@dataclass(frozen=True, slots=True)
class Edit:
    """Fields of spec and annotations to set, and fields of spec to take away."""

    spec: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    cleared: tuple[str, ...] = ()
    whole: bool = False  # what others had put into the fields that are set goes

    def shown(self, namespace: str, name: str) -> JsonObject:
        """Return what is asked for as an object to apply, or to put into Git."""
        body: JsonObject = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": name, "namespace": namespace},
        }
        if self.annotations:
            body["metadata"]["annotations"] = dict(self.annotations)
        spec = {**self.spec, **dict.fromkeys(self.cleared)}
        return {**body, "spec": spec} if spec else body


def pin(number: int) -> Edit:
    """Run a stored revision and stay there, until somebody takes the pin away."""
    return Edit(spec={"revision": number})


def unpin() -> Edit:
    """Run chart and values of spec again."""
    return Edit(cleared=("revision",))


def suspend() -> Edit:
    """Begin nothing any more."""
    return Edit(spec={"suspend": True})


def resume() -> Edit:
    """Begin again."""
    return Edit(cleared=("suspend",))


def approve(digest: str) -> Edit:
    """Have a plan done that waits."""
    return Edit(spec={"approvedPlan": digest})


def reconcile(moment: str, *, force: bool = False, reset: bool = False) -> Edit:
    """Have a pass made now; `moment` is any text that was not asked with before."""
    annotations = {REQUESTED_AT: moment}
    if force:
        annotations[FORCE_AT] = moment
    if reset:
        annotations[RESET_AT] = moment
    return Edit(annotations=annotations)


def uninstall(how: Mapping[str, Any], live: JsonObject) -> Edit:
    """Say how a release is to be uninstalled once its HelmRelease is deleted."""
    kept = (live.get("spec") or {}).get("uninstall") or {}
    return Edit(spec={"uninstall": {**kept, **how}} if how else {})


def change(wanted: Mapping[str, Any], live: JsonObject, *, reset_values: bool = False) -> Edit:
    """Change fields of spec as a merge patch (RFC 7396) does; null takes a field away.

    A pin goes, which would hold the change back, unless it is what is changed.
    """
    spec = live.get("spec") or {}
    merged = {
        name: value if name == "values" and reset_values else _merged(spec.get(name), value)
        for name, value in wanted.items()
    }
    gone = [name for name, value in merged.items() if value is None]
    pins = () if "revision" in wanted else ("revision",)
    kept = {name: value for name, value in merged.items() if value is not None}
    return Edit(spec=kept, cleared=(*gone, *pins), whole=True)


def revision_to(live: JsonObject, number: int, stored: Collection[int] = ()) -> int:
    """Return the revision to go back to, the one before the newest for 0; RevisionNotFound.

    `stored`: the numbers of all revisions; where these are not known, status tells of them.
    """
    history = (live.get("status") or {}).get("history") or ()
    known = stored or {int(one["revision"]) for one in history if one.get("revision")}
    if not known:
        raise RevisionNotFound("release: not found")
    wanted = number if number > 0 else max(known) - 1
    if wanted not in known:
        raise RevisionNotFound(f"release has no {wanted} version", wanted)
    return wanted


def run_tests(moment: str, *, chosen: str = "", timeout: str = "") -> Edit:
    """Have the chart's tests run on what runs; `moment` is any text that was not asked with before.

    `chosen` and `timeout` are those of `helm test`; empty, they are as `spec.test` has them.
    """
    return Edit(annotations={TEST_AT: moment, TEST_FILTER: chosen, TEST_TIMEOUT: timeout})


def applied(edit: Edit, live: JsonObject, manager: str = MANAGER) -> JsonObject:
    """Return the object to apply: what our manager had set, and the edit over it.

    It holds the version that was read, so that an edit in between is a conflict and is not lost.
    """
    kept = _applied_before(live, manager)
    metadata = live["metadata"]
    annotations = {**((kept.get("metadata") or {}).get("annotations") or {}), **edit.annotations}
    labels = (kept.get("metadata") or {}).get("labels")
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "resourceVersion": metadata["resourceVersion"],
            **({"annotations": annotations} if annotations else {}),
            **({"labels": labels} if labels else {}),
        },
        "spec": {
            **{
                name: value
                for name, value in (kept.get("spec") or {}).items()
                if name not in edit.cleared
            },
            **edit.spec,
        },
    }


def patched(edit: Edit, live: JsonObject) -> list[JsonObject]:
    """Return the edit as a JSON patch, where it takes fields away; empty if none is there.

    What goes is named with what was read of it, so that an edit in between is refused.
    """
    spec = live.get("spec") or {}
    gone = [name for name in edit.cleared if name in spec]
    if not gone and not edit.whole:
        return []
    operations = _annotated(edit, live)
    for name in gone:
        operations.append({"op": "test", "path": f"/spec/{name}", "value": spec[name]})
        operations.append({"op": "remove", "path": f"/spec/{name}"})
    return operations + [
        {"op": "add", "path": f"/spec/{name}", "value": value} for name, value in edit.spec.items()
    ]


def _annotated(edit: Edit, live: JsonObject) -> list[JsonObject]:
    """Return the annotations of an edit as operations of a JSON patch."""
    path = "/metadata/annotations"
    if not edit.annotations:
        return []
    if not live["metadata"].get("annotations"):
        return [{"op": "add", "path": path, "value": dict(edit.annotations)}]
    return [
        {"op": "add", "path": f"{path}/{name.replace('~', '~0').replace('/', '~1')}", "value": text}
        for name, text in edit.annotations.items()
    ]


def is_whole(edit: Edit, live: JsonObject) -> bool:
    """Whether an object is just what an edit asks for, in the fields that it is about."""
    spec = live.get("spec") or {}
    same = all(spec.get(name) == value for name, value in edit.spec.items())
    return same and not any(name in spec for name in edit.cleared)


def synced_by(live: JsonObject) -> str:
    """Name the GitOps tool that brings an object, which may undo an edit; empty if none does."""
    metadata = live.get("metadata") or {}
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    managers = {str(one.get("manager")) for one in metadata.get("managedFields") or ()}
    by_mark = [tool for mark, tool in _SYNCED_BY.items() if mark in marks]
    by_manager = [tool for name, tool in _SYNCING_MANAGERS.items() if name in managers]
    return next(iter(by_mark + by_manager), "")


def ours(live: JsonObject) -> JsonObject:
    """Return what of a HelmRelease's spec commands and buttons set, and nobody else besides."""
    mine: JsonObject = {}
    others: JsonObject = {}
    for entry in live["metadata"].get("managedFields") or ():
        fields = entry.get("fieldsV1") or {}
        if entry.get("manager") in _OUR_MANAGERS and not entry.get("subresource"):
            mine = union(mine, fields)
        else:
            others = union(others, fields)
    found = part(live, mine) if mine else {}
    spec: JsonObject = {}
    for name, value in (found.get("spec") or {}).items():
        if isinstance(value, dict):
            alone = {
                key: one for key, one in value.items() if not holds(others, ("spec", name, key))
            }
            spec |= {name: alone} if alone else {}
        elif not holds(others, ("spec", name)):
            spec[name] = value
    return spec


def _applied_before(live: JsonObject, manager: str) -> JsonObject:
    """Return the part of an object that our manager applied before."""
    for entry in live["metadata"].get("managedFields") or ():
        applies = entry.get("operation") == "Apply" and not entry.get("subresource")
        if entry.get("manager") == manager and applies:
            found = part(live, entry.get("fieldsV1") or {})
            return found if isinstance(found, dict) else {}
    return {}


def _merged(before: Any, patch: Any) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(patch, Mapping):
        return patch
    found = dict(before) if isinstance(before, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = _merged(found.get(name), value)
    return found
