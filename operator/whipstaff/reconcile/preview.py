"""Finding out what a change would do before it does it, from what its dry runs answer."""

from collections.abc import Iterable
from itertools import chain

from whipstaff.errors import ClusterRefused
from whipstaff.planning.changes import (
    Definition,
    Effect,
    Mask,
    ObjectChange,
    ReleasePlan,
    differences,
    overlaid,
)
from whipstaff.planning.steps import Change, events_of
from whipstaff.reconcile.inquiry import secrets_of
from whipstaff.reconcile.ports import Cluster, Identity, ObjectReference
from whipstaff.reconcile.pruning import Pruning
from whipstaff.release.marks import INPUTS, MANIFEST
from whipstaff.release.revision import JsonObject

_NOT_FOUND = 404


class Preview:
    """What is known so far of what a change would do."""

    def __init__(
        self, cluster: Cluster, identity: Identity, change: Change, secrets: Iterable[str] = ()
    ) -> None:
        """`secrets`: texts that are masked, besides those of the Secrets before and after."""
        self._cluster = cluster
        self._identity = identity
        self._change = change
        revisions = (change.revision, *change.earlier)
        self._mask = Mask(chain(secrets, *map(secrets_of, revisions)))
        self._found: dict[ObjectReference, ObjectChange] = {}

    async def saw(self, reference: ObjectReference, would_be: JsonObject | None) -> None:
        """Take note of what an object would become; None where the server cannot say yet."""
        live = await self._cluster.read(reference, self._identity)
        if live is None:
            self.comes(reference)
        elif would_be is None:
            self._found[reference] = ObjectChange(Effect.CHANGE, reference)
        else:
            fields = differences(live, would_be, self._mask)
            if fields:
                self._found[reference] = ObjectChange(Effect.CHANGE, reference, fields)

    def recreates(self, reference: ObjectReference, live: JsonObject, sent: JsonObject) -> None:
        """Take note of an object that is deleted and made anew."""
        fields = differences(live, overlaid(live, sent), self._mask)
        self._found[reference] = ObjectChange(Effect.RECREATE, reference, fields)

    def comes(self, reference: ObjectReference) -> None:
        """Take note of an object that is not there."""
        self._found[reference] = ObjectChange(Effect.CREATE, reference)

    async def plan(self) -> ReleasePlan:
        """Return the plan, objects in the order in which they are applied, then deletions."""
        change, revision = self._change, self._change.revision
        metadata = revision.chart.get("metadata") or {}
        pruning = Pruning(self._cluster, self._identity, revision)
        left = await pruning.left_behind(change.prunable, change.options.prune)
        deletions = [ObjectChange(Effect.DELETE, reference) for reference in left.going]
        return ReleasePlan(
            action=change.kind,
            revision=revision.number,
            chart=str(metadata.get("name", "")),
            version=str(metadata.get("version", "")),
            inputs=revision.labels.get(INPUTS, ""),
            manifest=revision.labels.get(MANIFEST, ""),
            changes=(*await self._in_order(), *deletions),
            guarded=left.guarded,
            namespaces=change.namespaces,
            definitions=await self._definitions(),
            hooks=self._hooks(),
        )

    async def _in_order(self) -> list[ObjectChange]:
        rank = {
            reference: place
            for place, body in enumerate(self._change.revision.objects)
            if (reference := await self._name(body)) is not None
        }
        last = len(rank)
        return sorted(
            self._found.values(), key=lambda one: (rank.get(one.reference, last), one.reference)
        )

    async def _definitions(self) -> tuple[Definition, ...]:
        """Name the files of crds/ that would be applied."""
        found = []
        for body in self._change.crds:
            reference = await self._name(body)
            missing = reference and await self._cluster.read(reference, self._identity) is None
            if missing or self._change.replaces_crds:
                found.append(Definition.of(body))
        return tuple(found)

    def _hooks(self) -> tuple[str, ...]:
        if self._change.options.disable_hooks:
            return ()
        return tuple(
            f"{event} hook {hook.kind} {hook.name}"
            for event in events_of(self._change.kind)
            for hook in self._change.revision.hooks
            if event in hook.events
        )

    async def _name(self, body: JsonObject) -> ObjectReference | None:
        """Name an object; None if nobody serves its kind."""
        namespace = self._change.revision.namespace
        try:
            return await self._cluster.refer(body, namespace, self._identity)
        except ClusterRefused as refused:
            if refused.code != _NOT_FOUND:
                raise
            return None


def named(body: JsonObject, namespace: str) -> ObjectReference:
    """Name an object whose kind nobody serves yet as well as its text allows."""
    metadata = body.get("metadata") or {}
    return ObjectReference(
        str(body.get("apiVersion", "")),
        str(body.get("kind", "")),
        str(metadata.get("namespace") or namespace),
        str(metadata.get("name") or ""),
    )
