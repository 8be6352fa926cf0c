"""Find what a revision leaves behind of earlier ones, which of it goes, and what that holds up."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from whipstaff.errors import ClusterRefused, OperatorError, PruneLimitExceeded
from whipstaff.helmrelease.types import PruneLimit, PruneOptions
from whipstaff.planning.contention import claims_of, host_ports_of, is_exclusive
from whipstaff.reconcile.ports import Cluster, Identity, ObjectReference
from whipstaff.release.manifests import in_install_order, keeps, owner_of
from whipstaff.release.revision import JsonObject, Revision

NAMED_LIMIT = 20  # objects that a refusal names
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """Live objects of earlier revisions that the release owns and its new revision has not."""

    going: tuple[ObjectReference, ...]  # in the order in which they are deleted
    guarded: tuple[ObjectReference, ...]  # that stay because of their kind


class Pruning:
    """The questions about what one revision leaves behind, as its release's identity."""

    def __init__(self, cluster: Cluster, identity: Identity, revision: Revision) -> None:
        self._cluster = cluster
        self._identity = identity
        self._revision = revision

    async def left_behind(
        self, candidates: Sequence[JsonObject], options: PruneOptions
    ) -> LeftBehind:
        """Choose among objects of earlier revisions, in the reverse of the order of installs."""
        current = await self._names(self._revision.objects)
        going: dict[ObjectReference, None] = {}
        guarded: dict[ObjectReference, None] = {}
        for body in reversed(in_install_order(candidates)):
            reference = await self._name(body)
            if reference is None or reference.same_in_any_version in current:
                continue
            if reference not in going and await self.owned(reference) is not None:
                (guarded if options.spares(reference) else going)[reference] = None
        return LeftBehind(tuple(going), tuple(guarded))

    async def owned(self, reference: ObjectReference) -> JsonObject | None:
        """Return a live object that may be deleted; None if it is to be kept or not ours."""
        live = await self._cluster.read(reference, self._identity)
        if live is None or keeps(live):
            return None
        mine = owner_of(live) == (self._revision.name, self._revision.namespace)
        return live if mine else None

    async def check(self, candidates: Sequence[JsonObject], options: PruneOptions) -> None:
        """Raise PruneLimitExceeded where more would go than the spec allows."""
        if options.most is None:
            return
        going = (await self.left_behind(candidates, options)).going
        if not options.most.allows(len(going), len(await self._names(candidates))):
            raise PruneLimitExceeded(_too_many(going, options.most))

    async def held_up_by(
        self, candidates: Sequence[JsonObject], options: PruneOptions
    ) -> Sequence[str]:
        """Say which old objects have what the new ones may wait for."""
        told = []
        for reference in (await self.left_behind(candidates, options)).going:
            live = await self.owned(reference)
            what = await self._contended(live) if live else ""
            if what:
                told.append(
                    f"{reference}, which is deleted once these are ready, has {what} too:"
                    " spec.upgrade.pruneBeforeWait deletes it first"
                )
        return told

    async def _contended(self, old: JsonObject) -> str:
        """Name what an old object and a new one both want and cannot both have."""
        for new in self._revision.objects:
            for name in sorted(claims_of(old) & claims_of(new)):
                namespace = old["metadata"].get("namespace", "")
                claim = ObjectReference("v1", "PersistentVolumeClaim", namespace, name)
                live = await self._cluster.read(claim, self._identity)
                if live is not None and is_exclusive(live):
                    return str(claim)
            ports = sorted(host_ports_of(old) & host_ports_of(new))
            if ports:
                return f"port {ports[0]} of its node"
        return ""

    async def _names(self, bodies: Iterable[JsonObject]) -> Collection[tuple[str, ...]]:
        names = [await self._name(body) for body in bodies]
        return {name.same_in_any_version for name in names if name is not None}

    async def _name(self, body: JsonObject) -> ObjectReference | None:
        """Name an object; None if nobody serves its kind, which then has no objects."""
        try:
            return await self._cluster.refer(body, self._revision.namespace, self._identity)
        except ClusterRefused as refused:
            if refused.code != _NOT_FOUND:
                raise
            return None


async def told_of_delay(
    pruning: Pruning, candidates: Sequence[JsonObject], options: PruneOptions
) -> str:
    """Return what is to be added to the message of a wait that failed; empty if nothing is."""
    try:
        return "".join(f"; {told}" for told in await pruning.held_up_by(candidates, options))
    except OperatorError:
        return ""  # what is to be told is what was not ready


def _too_many(going: Sequence[ObjectReference], most: PruneLimit) -> str:
    named = ", ".join(map(str, going[:NAMED_LIMIT]))
    more = len(going) - NAMED_LIMIT
    objects = "object" if len(going) == 1 else "objects"
    return (
        f"{len(going)} {objects} would be deleted, more than spec.upgrade.maxPrune allows"
        f" ({most}): {named}" + (f" and {more} more" if more > 0 else "")
    )
