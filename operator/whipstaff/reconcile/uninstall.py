"""Take a release out of the cluster because its HelmRelease is being deleted.

Each step can be done twice, and the newest record goes last: a kill in between is picked up where
it happened. Nothing is removed that Whipstaff never released.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from whipstaff.errors import (
    ClusterRefused,
    KubeConfigInvalid,
    OperatorError,
    RemoteClusterUnreachable,
    ServiceAccountNotFound,
)
from whipstaff.helmrelease.names import API_VERSION, CRD_NAME, KIND
from whipstaff.helmrelease.types import DeletionPolicy, HelmRelease, UninstallOptions
from whipstaff.planning.steps import Plan, Purge, RunHooks, Step, steps_to_uninstall
from whipstaff.reconcile.accounts import explained
from whipstaff.reconcile.execute import DELETION_IN_PROGRESS, execute
from whipstaff.reconcile.ports import OPERATOR, Identity, ObjectReference
from whipstaff.reconcile.waiting import WaitTimeout
from whipstaff.reconcile.world import Intent, Story, Work, World, identity_of
from whipstaff.release.history import living
from whipstaff.release.marks import Marks, Rejected, is_ours
from whipstaff.release.revision import ReleaseStatus, Revision, RevisionHeader

_FORBIDDEN = 403
_ORPHANED = "to leave what runs alone, set spec.uninstall.deletionPolicy: Orphan"

log = logging.getLogger(__name__)


class Uninstallation:
    """The end of one release."""

    def __init__(self, world: World, intent: Intent, release: HelmRelease, story: Story) -> None:
        self._world = world
        self._intent = intent
        self._release = release
        self._identity = identity_of(release)
        self._story = story
        self._step: Step | None = None  # that is done, or that failed

    async def run(self, known: dict[int, Revision]) -> None:
        """Uninstall, or leave everything alone where that is what deletion means.

        `known` gets each revision as it is then, however that ends.
        """
        if await self._orphaned():
            log.info("release left running", extra={"release": str(self._release.release_key)})
            return
        going = False
        try:
            going = await self._namespace_is_going()
            await self._uninstall(known, hooks_can_run=not going)
        except OperatorError as refusal:
            error = await explained(self._world, self._release, refusal)
            # What is in the namespace goes with it, ServiceAccounts and rights first: a refusal
            # must not keep the finalizer, or the namespace would never end.
            if not (going and not error.retryable) and not await self._means_are_gone(error):
                raise self._with_way_out(error) from refusal
            log.warning("uninstallation cut short", extra={"why": error.reason})

    async def _means_are_gone(self, error: OperatorError) -> bool:
        """Whether what the HelmRelease acts by went with its own namespace for good."""
        if not isinstance(error, (ServiceAccountNotFound, KubeConfigInvalid)):
            return False
        return await self._is_going(self._release.namespace, OPERATOR)

    async def _orphaned(self) -> bool:
        if self._release.spec.uninstall.deletion_policy is DeletionPolicy.ORPHAN:
            return True
        # Whoever removes our CRD removes the operator, not what it installed.
        return await self._world.cluster.definition_is_going(CRD_NAME, API_VERSION, KIND)

    async def _namespace_is_going(self) -> bool:
        target = self._release.spec.target_namespace
        return await self._is_going(target, self._identity.unimpersonated)

    async def _is_going(self, name: str, identity: Identity) -> bool:
        reference = ObjectReference("v1", "Namespace", "", name)
        try:
            namespace = await self._world.cluster.read(reference, identity)
        except ClusterRefused as refused:
            if refused.code != _FORBIDDEN:
                raise
            return False  # the uninstallation finds out
        return namespace is None or "deletionTimestamp" in namespace.get("metadata", {})

    async def remediate(self, rejected: Rejected, known: dict[int, Revision]) -> None:
        """Take a failed release away, its history kept.

        The record says why, and which inputs are not to be tried again. `known` gets each revision
        as it is then, however that ends.
        """
        headers = await self._history()
        revisions = await self._living(headers)
        failed = revisions[0]
        noted = replace(Marks.of(headers[0]), rejected=rejected)
        revisions[0] = replace(failed, labels=dict(failed.labels) | noted.labels(failed.number))
        begun = failed.description.partition(f"{DELETION_IN_PROGRESS}; ")
        options = replace(self._release.spec.uninstall, keep_history=True)
        going = await self._namespace_is_going()
        work = self._work(revisions, "remediate")
        because = begun[2] if begun[1] else failed.description
        plan = self._plan(headers, revisions, options, hooks_can_run=not going, because=because)
        try:
            await self._execute(work, plan, known)
        except OperatorError as error:
            raise self._with_way_out(error) from error

    async def _uninstall(self, known: dict[int, Revision], *, hooks_can_run: bool) -> None:
        headers = await self._history()
        if not any(is_ours(header) for header in headers):
            return
        options = self._release.spec.uninstall
        revisions = await self._living(headers)
        work = self._work(revisions, "uninstall")
        if headers[0].status is not ReleaseStatus.UNINSTALLED:
            plan = self._plan(headers, revisions, options, hooks_can_run=hooks_can_run)
            await self._execute(work, plan, known)
        elif not options.keep_history:  # kept by a remediation, or by the helm CLI
            numbers = sorted(header.number for header in headers)
            await execute(self._world, work, (Purge(tuple(numbers)),))

    async def _execute(self, work: Work, plan: Plan, known: dict[int, Revision]) -> None:
        try:
            for step in plan:
                self._step = step
                await execute(self._world, work, (step,))
        finally:
            known.update(work.known)

    def _with_way_out(self, error: OperatorError) -> OperatorError:
        """Say beside what keeps a release from going how to go on in spite of it."""
        way = self._way_out(error)
        return replace(error, text=f"{error.text}; {way}") if way else error

    def _way_out(self, error: OperatorError) -> str:
        if not _unreached(error):
            if isinstance(self._step, RunHooks):
                return self._without("hooks", "disableHooks", "--no-hooks")
            if isinstance(error, WaitTimeout):
                return self._without("waiting", "disableWait", "--wait=hookOnly")
        return _ORPHANED if self._release.deletion_requested else ""

    def _without(self, what: str, name: str, flag: str) -> str:
        way = f"to go on without {what}, set spec.uninstall.{name}: true"
        if not self._release.deletion_requested:
            return way
        place = f"{self._release.name} -n {self._release.namespace}"
        return f"{way}, as `whipstaff uninstall {place} {flag}` does"

    async def _history(self) -> tuple[RevisionHeader, ...]:
        return await self._world.store.history(self._release.release_key, self._identity)

    def _work(self, revisions: Sequence[Revision], action: str) -> Work:
        key = self._release.release_key
        work = Work(self._intent, key, self._identity, revisions[0], action, self._story)
        work.known.update({revision.number: revision for revision in revisions})
        return work

    def _plan(
        self,
        headers: Sequence[RevisionHeader],
        revisions: Sequence[Revision],
        options: UninstallOptions,
        *,
        hooks_can_run: bool,
        because: str = "",
    ) -> Plan:
        return steps_to_uninstall(
            revisions,
            [header.number for header in headers],
            options,
            deployed=[h.number for h in headers if h.status is ReleaseStatus.DEPLOYED],
            hooks_can_run=hooks_can_run,
            because=because,
        )

    async def _living(self, headers: tuple[RevisionHeader, ...]) -> list[Revision]:
        """Read the newest revision and all whose objects may live still."""
        chosen = {header.number: header for header in (headers[0], *living(headers))}
        key = self._release.release_key
        return [await self._world.store.read(key, number, self._identity) for number in chosen]


def _unreached(error: OperatorError) -> bool:
    """Whether the release is out of reach, whatever is to be done to it."""
    if isinstance(error, (KubeConfigInvalid, RemoteClusterUnreachable)):
        return True
    return isinstance(error, ClusterRefused) and error.code == _FORBIDDEN
