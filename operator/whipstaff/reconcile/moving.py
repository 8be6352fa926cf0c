"""Take a release along to another name or storage namespace, with its revisions and its objects.

Records are copied, then the objects are marked as the new release's, then the old records go: a
kill at any border leaves what the next pass goes on with. What runs is not touched otherwise; the
upgrade that follows renders with the new name, and deletes late what has the old one.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace

from whipstaff.errors import ClusterRefused, ReleaseConflict, TargetNamespaceChanged
from whipstaff.helmrelease.types import HelmRelease, Placement
from whipstaff.reconcile.sending import for_each
from whipstaff.reconcile.world import World, identity_of
from whipstaff.release.history import living
from whipstaff.release.manifests import (
    RELEASE_NAME_ANNOTATION,
    RELEASE_NAMESPACE_ANNOTATION,
    owner_of,
)
from whipstaff.release.marks import MOVED_FROM, is_ours
from whipstaff.release.revision import JsonObject, ReleaseKey, RevisionHeader

_NOT_FOUND = 404

log = logging.getLogger(__name__)


class Move:
    """One release on its way to where its HelmRelease wants it."""

    def __init__(self, world: World, release: HelmRelease, former: Placement) -> None:
        self._world = world
        self._release = release
        self._former = former
        self._wanted = release.spec.placement
        self._identity = identity_of(release)

    async def run(self) -> None:
        """Move what there is; TargetNamespaceChanged where that would mean to move objects."""
        old, wanted = self._former, self._wanted
        headers = await self._history(old.key)
        if not any(is_ours(header) for header in headers):
            return  # nothing was installed there, or all of it was moved
        if old.target_namespace != wanted.target_namespace:
            raise TargetNamespaceChanged(_what_it_means(old, wanted), "spec.targetNamespace")
        if old.key == wanted.key:
            return
        if headers[0].status.pending and not is_ours(headers[0]):
            holder = str(old.key)
            raise ReleaseConflict(f"someone else is at work on release {holder}", holder)
        await self._copy(headers)
        await for_each(await self._objects(headers), self._take_over)
        for header in reversed(headers):
            await self._world.store.delete(old.key, header.number, self._identity)
        log.info("release moved", extra={"source": str(old.key), "target": str(wanted.key)})

    async def _history(self, key: ReleaseKey) -> tuple[RevisionHeader, ...]:
        return await self._world.store.history(key, self._identity)

    async def _copy(self, headers: Sequence[RevisionHeader]) -> None:
        """Store each revision under the new name, but for those that are there since a kill."""
        mark = hashlib.sha256(str(self._former.key).encode()).hexdigest()[:16]
        there = await self._history(self._wanted.key)
        if any(header.labels.get(MOVED_FROM) != mark for header in there):
            holder = str(self._wanted.key)
            raise ReleaseConflict(
                f"release {self._former.key} cannot become {holder}: there is one already", holder
            )
        if self._release.spec.create_namespace:
            name = self._wanted.storage_namespace
            await self._world.cluster.ensure_namespace(name, self._identity)
        copied = {header.number for header in there}
        store = self._world.store
        for header in reversed(headers):
            if header.number in copied:
                continue
            revision = await store.read(self._former.key, header.number, self._identity)
            labels = {**revision.labels, MOVED_FROM: mark}
            moved = replace(revision, name=self._wanted.release_name, labels=labels)
            await store.create(self._wanted.key, moved, self._identity)

    async def _objects(self, headers: Sequence[RevisionHeader]) -> list[JsonObject]:
        """Return the objects of all revisions that may live."""
        found: list[JsonObject] = []
        for header in living(headers):
            key = self._former.key
            found += (await self._world.store.read(key, header.number, self._identity)).objects
        return found

    async def _take_over(self, body: JsonObject) -> None:
        """Mark a live object of the old release as the new one's."""
        cluster, old = self._world.cluster, self._former
        try:
            reference = await cluster.refer(body, old.target_namespace, self._identity)
        except ClusterRefused as refused:
            if refused.code != _NOT_FOUND:
                raise
            return  # nobody serves the kind: the object is gone
        live = await cluster.read(reference, self._identity)
        if live is None or owner_of(live) != (old.release_name, old.target_namespace):
            return
        marks = {
            RELEASE_NAME_ANNOTATION: self._wanted.release_name,
            RELEASE_NAMESPACE_ANNOTATION: self._wanted.target_namespace,
        }
        await cluster.annotate(reference, marks, self._identity)


def _what_it_means(old: Placement, wanted: Placement) -> str:
    there, here = old.target_namespace, wanted.target_namespace
    return (
        f"spec.targetNamespace was {there} and is {here}: no object can move between namespaces, so"
        f" everything would be installed anew in {here}, without its data, and what runs in {there}"
        f" would be deleted; set it back to {there}, or make another HelmRelease for {here} and"
        " delete this one once it runs"
    )
