"""Take a release out of the cluster because its HelmRelease is being deleted.

Each step can be done twice, and the newest record goes last: a kill in between is picked up where
it happened. Nothing is removed that Whipstaff never released.
"""

import logging

from whipstaff.errors import ClusterRefused, OperatorError
from whipstaff.helmrelease.names import API_VERSION, CRD_NAME, KIND
from whipstaff.helmrelease.types import DeletionPolicy, HelmRelease
from whipstaff.planning.steps import steps_to_uninstall
from whipstaff.reconcile.execute import execute
from whipstaff.reconcile.ports import OPERATOR, ObjectReference
from whipstaff.reconcile.world import Intent, Story, Work, World, identity_of
from whipstaff.release.history import living
from whipstaff.release.marks import is_ours
from whipstaff.release.revision import ReleaseStatus, Revision, RevisionHeader

_FORBIDDEN = 403

log = logging.getLogger(__name__)


class Uninstallation:
    """The end of one release."""

    def __init__(self, world: World, intent: Intent, release: HelmRelease, story: Story) -> None:
        self._world = world
        self._intent = intent
        self._release = release
        self._identity = identity_of(release)
        self._story = story

    async def run(self) -> None:
        """Uninstall, or leave everything alone where that is what deletion means."""
        if await self._orphaned():
            log.info("release left running", extra={"release": str(self._release.release_key)})
            return
        going = await self._namespace_is_going()
        try:
            await self._uninstall(hooks_can_run=not going)
        except OperatorError as error:
            if not going or error.retryable:
                raise
            # What is in the namespace goes with it, ServiceAccounts and rights first: a refusal
            # must not keep the finalizer, or the namespace would never end.
            log.warning("uninstallation cut short", extra={"why": error.reason})

    async def _orphaned(self) -> bool:
        if self._release.spec.uninstall.deletion_policy is DeletionPolicy.ORPHAN:
            return True
        # Whoever removes our CRD removes the operator, not what it installed.
        return await self._world.cluster.definition_is_going(CRD_NAME, API_VERSION, KIND)

    async def _namespace_is_going(self) -> bool:
        name = self._release.spec.target_namespace
        reference = ObjectReference("v1", "Namespace", "", name)
        try:
            namespace = await self._world.cluster.read(reference, OPERATOR)
        except ClusterRefused as refused:
            if refused.code != _FORBIDDEN:
                raise
            return False  # the uninstallation finds out
        return namespace is None or "deletionTimestamp" in namespace.get("metadata", {})

    async def _uninstall(self, *, hooks_can_run: bool) -> None:
        key = self._release.release_key
        headers = await self._world.store.history(key, self._identity)
        if not any(is_ours(header) for header in headers):
            return
        if headers[0].status is ReleaseStatus.UNINSTALLED:
            return
        revisions = await self._living(headers)
        work = Work(self._intent, key, self._identity, revisions[0], "uninstall", self._story)
        work.known.update({revision.number: revision for revision in revisions})
        plan = steps_to_uninstall(
            revisions,
            [header.number for header in headers],
            self._release.spec.uninstall,
            deployed=[h.number for h in headers if h.status is ReleaseStatus.DEPLOYED],
            hooks_can_run=hooks_can_run,
        )
        await execute(self._world, work, plan)

    async def _living(self, headers: tuple[RevisionHeader, ...]) -> list[Revision]:
        """Read the newest revision and all whose objects may live still."""
        chosen = {header.number: header for header in (headers[0], *living(headers))}
        key = self._release.release_key
        return [await self._world.store.read(key, number, self._identity) for number in chosen]
