"""What an edit of a HelmRelease leads to that its author may not expect, in sentences."""

from collections.abc import Iterator

from whipstaff.helmrelease.types import Approval, HelmRelease, Spec

_MOVES = "what runs moves there with its history"
_NO_WAY = "no object can move between namespaces, so nothing is done until it is set back"


def foretold(release: HelmRelease, before: Spec | None) -> Iterator[str]:
    """Yield sentences on a spec; `before` is the one that it replaces, if that can be read."""
    spec = release.spec
    if spec.suspend:
        yield "spec.suspend: nothing of this is done until it is taken away"
    yield from _pin(spec, before)
    yield from _approval(release)
    if before is None or not release.status.get("revision"):
        return
    for field, old, new, meaning in (
        ("targetNamespace", before.target_namespace, spec.target_namespace, _NO_WAY),
        ("storageNamespace", before.storage_namespace, spec.storage_namespace, _MOVES),
        ("releaseName", before.release_name, spec.release_name, _MOVES),
    ):
        if old != new:
            yield f"spec.{field}: was {old!r} and is {new!r} now; {meaning}"


def _pin(spec: Spec, before: Spec | None) -> Iterator[str]:
    if spec.revision is not None:
        yield (
            f"spec.revision: revision {spec.revision} is what runs while it is set;"
            " chart and values were not looked at"
        )
    elif before is not None and before.revision is not None:
        yield (
            f"spec.revision: without the pin to {before.revision}, what chart and values say now"
            " is released"
        )


def _approval(release: HelmRelease) -> Iterator[str]:
    spec = release.spec
    if spec.approval is Approval.AUTOMATIC:
        if spec.approved_plan:
            yield "spec.approvedPlan: has no meaning while spec.approval is Automatic"
        return
    plan = release.status.get("plan")
    waiting = plan.get("digest") if isinstance(plan, dict) else None
    if spec.approved_plan and spec.approved_plan != waiting:
        yield "spec.approvedPlan: is not the digest of the plan that waits, if any does"
