"""The queue of passes: one at a time for each HelmRelease, a few at a time for all.

Level-triggered: many events make one pass, which sees the newest state. A pass that waits for the
cluster holds no worker.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Protocol

from whipstaff.controller.entry import Entry, Key, Passing, wish_of
from whipstaff.controller.logs import bound
from whipstaff.controller.metrics import Known
from whipstaff.controller.relations import Relations
from whipstaff.errors import InvalidSpec, OperatorError, ReleaseNameTaken
from whipstaff.helmrelease.names import FINALIZER
from whipstaff.helmrelease.namespaces import refuse_other_namespaces
from whipstaff.helmrelease.parsing import (
    chart_name_of,
    parse,
    parse_for_uninstall,
    parse_head,
    repository_ref_of,
)
from whipstaff.helmrelease.placements import placement_told
from whipstaff.helmrelease.references import referenced_by
from whipstaff.helmrelease.types import (
    DEFAULT_MAX_HISTORY,
    ChartSpec,
    DeletionPolicy,
    Head,
    HelmRelease,
    RepositoryKey,
    Spec,
)
from whipstaff.planning.failures import backoff_seconds
from whipstaff.reconcile.loop import Ending, Outcome, Pass
from whipstaff.reconcile.ports import ObjectReference
from whipstaff.reconcile.world import World
from whipstaff.release.revision import JsonObject, ReleaseKey

log = logging.getLogger(__name__)

JITTER = 0.05  # of every pause, so that releases made together do not come back together
_STORED = "stored"  # begins the claim to where revisions are
CRASH_SECONDS = 60.0  # after a fault of ours
STOP_SECONDS = 8.0  # for running steps when the operator ends


class References(Protocol):
    """Who knows when an object changes that a HelmRelease refers to."""

    def tell(self, wake: Callable[[Key], None]) -> None:
        """Have `wake` called with whoever refers to what changed."""
        ...

    def refer(self, user: Key, references: Collection[ObjectReference]) -> None:
        """Take note of all that a HelmRelease refers to now."""
        ...


class NoReferences:
    """Nothing that is referred to ever changes."""

    def tell(self, wake: Callable[[Key], None]) -> None: ...

    def refer(self, user: Key, references: Collection[ObjectReference]) -> None: ...


class Queue:
    """All HelmReleases that were seen, and the passes over them."""

    def __init__(  # noqa: PLR0913 - what settings say is given by name
        self,
        world: World,
        concurrency: int,
        random: Callable[[], float],
        *,
        history_limit: int = DEFAULT_MAX_HISTORY,
        default_service_account: str = "",
        references: References | None = None,
        own_namespace_only: bool = False,
    ) -> None:
        """`random` returns numbers from 0 to 1; `history_limit` stands in for maxHistory.

        `default_service_account` acts for releases that name no account; `own_namespace_only`
        refuses what refers to other namespaces.
        """
        self._world = world
        self._references = references or NoReferences()
        self._references.tell(self._referent_moved)
        self._relations = Relations(world.kinship, world.cluster.follow, self._look_again)
        self._history_limit = history_limit
        self._default_service_account = default_service_account
        self._own_namespace_only = own_namespace_only
        self._room = asyncio.Semaphore(concurrency)
        self._random = random
        self._entries: dict[Key, Entry] = {}
        self._claims: dict[tuple[str, str, str], set[Key]] = defaultdict(set)
        self._open = False

    @property
    def depth(self) -> int:
        """How many HelmReleases a pass is under way or due for."""
        return sum(1 for entry in self._entries.values() if entry.passing is not None)

    @property
    def waiting(self) -> int:
        """How many passes wait for the cluster."""
        return sum(1 for entry in self._entries.values() if entry.waiting)

    @property
    def is_open(self) -> bool:
        """Whether passes are made: from `open` to `close`."""
        return self._open

    def known(self) -> Iterator[Known]:
        """Yield every HelmRelease with its status as it is now."""
        for entry in self._entries.values():
            if not entry.present:
                continue
            stored = next((claim for claim in entry.claims if claim[0].startswith(_STORED)), None)
            yield Known(
                *entry.key,
                suspended=entry.suspended,
                status=entry.head.status if entry.written is None else entry.written,
                release=ReleaseKey(*stored[1:]) if stored else None,
            )

    def open(self) -> None:
        """Begin: every HelmRelease seen so far gets a pass. Before that, nothing is written."""
        self._open = True
        for entry in list(self._entries.values()):
            self._wake(entry)

    def changed(self, body: JsonObject) -> None:
        """Take note of a HelmRelease as it is now."""
        head = parse_head(body)
        key = (head.namespace, head.name)
        self._relations.noted(head, body)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = Entry(key, body, head)
        elif entry.present and head.older_than(entry.head):
            return  # what was true a while ago, from an API server that lags behind
        elif entry.present and entry.wish == wish_of(head):
            entry.body, entry.head = body, head
            if entry.written == head.status:
                entry.written = head.status  # one of the two is enough: there are thousands
            return
        fresh = entry.head.uid != head.uid
        if fresh:
            entry.written = None  # what was written is another object's status
        entry.body, entry.head, entry.present = body, head, True
        self._claim(entry)
        self._references.refer(key, referenced_by(body))
        self._inputs_moved(entry, at_once=fresh or head.deletion_requested)

    def gone(self, namespace: str, name: str, uid: str) -> None:
        """Forget a HelmRelease that is no more."""
        entry = self._entries.get((namespace, name))
        if entry is None or entry.head.uid != uid:
            return
        if entry.timer is not None:
            entry.timer.cancel()
        entry.present = False
        entry.moved.set()
        self._references.refer(entry.key, ())
        self._relations.gone(entry.key)
        self._give_up_claims(entry)
        self._bury(entry)

    def poison(self, namespace: str, name: str, text: str) -> None:
        """Take note of a HelmRelease that cannot be read: what runs of it is left alone."""
        log.error(
            "HelmRelease cannot be read", extra={"helmrelease": f"{namespace}/{name}", "why": text}
        )

    def repository_moved(
        self, repository: RepositoryKey, charts: frozenset[str] | None = None
    ) -> None:
        """Look again at who takes one of these charts from a HelmRepository, None for any.

        What is under way goes on: another chart version waits for the end of it.
        """
        for entry in self._entries.values():
            if not entry.present or repository_ref_of(entry.body) != repository:
                continue
            if charts is not None and chart_name_of(entry.body) not in charts:
                continue
            self._look_again(entry.key)

    def objects_moved(self, key: Key) -> None:
        """Look at a HelmRelease again whose objects somebody changed."""
        self._look_again(key)

    def _look_again(self, key: Key) -> None:
        """Have a pass made, after the end of the one that is under way."""
        entry = self._entries.get(key)
        if entry is None or not entry.present:
            return
        if entry.passing is not None:
            entry.dirty = True
        else:
            self._wake(entry)

    def _referent_moved(self, user: Key) -> None:
        """Look again at a HelmRelease that refers to what changed, as if it were edited."""
        entry = self._entries.get(user)
        if entry is not None and entry.present:
            self._inputs_moved(entry, at_once=False)

    def _inputs_moved(self, entry: Entry, *, at_once: bool) -> None:
        """Have a pass made; one that is under way may first come to the end of a row of edits.

        While it is suspended, what is under way ends first, whatever was edited.
        """
        entry.refusals = 0
        if entry.passing is None or at_once:
            self._wake(entry)
            return
        entry.dirty = True
        if entry.suspended:
            entry.patience.forget()
        else:
            entry.patience.edited(entry.moved.set)

    async def close(self) -> None:
        """End every pass at its next step border; cut off what takes too long."""
        self._open = False
        await self._relations.close()
        passes = []
        for entry in self._entries.values():
            if entry.timer is not None:
                entry.timer.cancel()
            if entry.passing is not None:
                entry.moved.set()
                passes.append(entry.passing)
        if not passes:
            return
        _, late = await asyncio.wait(passes, timeout=STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _bury(self, entry: Entry) -> None:
        """Forget an entry whose HelmRelease is gone, once no pass works on it any more."""
        if not entry.present and entry.passing is None:
            self._world.lookout.forget(entry.key)
            del self._entries[entry.key]

    def _wake(self, entry: Entry) -> None:
        entry.dirty = True
        entry.moved.set()
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        if self._open and entry.passing is None:
            entry.passing = asyncio.ensure_future(self._drive(entry))

    async def _drive(self, entry: Entry) -> None:
        """Make passes until nothing newer is wanted, then set the alarm for the next."""
        try:
            pause: float | None = None
            while self._wanted(entry):
                async with self._room:
                    if not self._wanted(entry):
                        break  # gone, or the operator ends: while this waited for its turn
                    entry.dirty = False
                    entry.patience.pass_begins()
                    entry.moved = asyncio.Event()
                    with bound(helmrelease="/".join(entry.key)):
                        pause = await self._pass(entry)
            if pause is not None and entry.present and self._open:
                loop = asyncio.get_running_loop()
                entry.timer = loop.call_later(pause, self._wake, entry)
        finally:
            entry.passing = None
            self._bury(entry)

    def _wanted(self, entry: Entry) -> bool:
        return entry.dirty and entry.present and self._open

    async def _pass(self, entry: Entry) -> float | None:
        """Make one pass; return the seconds until the next, None if there is none."""
        uid = entry.head.uid
        try:
            release, refusal = self._read(entry)
            if release.deletion_requested and FINALIZER not in release.finalizers:
                return None
            self._relations.pass_begins(entry.key)
            work = Pass(self._world, Passing(release, entry, self._room), entry.written)
            outcome = await (work.refuse(refusal) if refusal else work.run())
        except Exception:
            log.exception("pass crashed")
            return CRASH_SECONDS
        entry.patience.pass_ended(interrupted=outcome.ending is Ending.INTERRUPTED)
        if entry.head.uid == uid:
            entry.written = work.status
        if outcome.ending is Ending.DELETED:
            return None
        pause = self._pause(entry, outcome, release.spec.interval_seconds)
        self._relations.pass_ended(release, held=outcome.held, refusals=entry.refusals)
        return pause

    def _pause(self, entry: Entry, outcome: Outcome, interval_seconds: float) -> float:
        if outcome.ending is Ending.REFUSED and not outcome.held:
            entry.refusals += 1
            pause = backoff_seconds(entry.refusals)
        else:
            entry.refusals = 0
            again = outcome.again_seconds
            pause = interval_seconds if again is None else again
        return pause * (1 - JITTER + 2 * JITTER * self._random())

    def _read(self, entry: Entry) -> tuple[HelmRelease, OperatorError | None]:
        # A wrong chart or wrong values do not keep what is to be deleted.
        deletion, account = entry.head.deletion_requested, self._default_service_account
        try:
            release = (
                parse_for_uninstall(entry.body, service_account=account)
                if deletion
                else parse(entry.body, history_limit=self._history_limit, service_account=account)
            )
            if self._own_namespace_only and not deletion:
                refuse_other_namespaces(release)
        except InvalidSpec as wrong:
            return _without_spec(entry.head), wrong
        holder = self._holder(entry)
        if holder is entry:
            return release, None
        text = (
            f'release "{release.spec.release_name}" in namespace '
            f'"{release.spec.target_namespace}" belongs to HelmRelease {"/".join(holder.key)}; '
            "nothing is done here until that one is deleted"
        )
        if release.deletion_requested:
            return _orphaning(release), None
        return release, ReleaseNameTaken(text, "/".join(holder.key))

    def _claim(self, entry: Entry) -> None:
        """Note which release the entry is about, by both of its names."""
        try:
            spec = parse_for_uninstall(entry.body).spec
        except InvalidSpec:
            claims: tuple[tuple[str, str, str], ...] = ()
        else:
            # Whether two Secrets lead to one cluster is not known: there, its owners decide.
            remote = spec.kube_config
            where = f" in {entry.key[0]}/{remote.secret}/{remote.key}" if remote else ""
            # Until it has moved, a release is in both places.
            told = placement_told(entry.head.status)
            places = dict.fromkeys((spec.placement, told or spec.placement))
            claims = tuple(
                claim
                for place in places
                for claim in (
                    (_STORED + where, place.storage_namespace, place.release_name),
                    ("runs" + where, place.target_namespace, place.release_name),
                )
            )
        if claims == entry.claims:
            return
        self._give_up_claims(entry)
        entry.claims = claims
        for claim in entry.claims:
            self._claims[claim].add(entry.key)

    def _give_up_claims(self, entry: Entry) -> None:
        claims, entry.claims = entry.claims, ()
        for claim in claims:
            self._claims[claim].discard(entry.key)
            for key in self._claims[claim]:
                self._wake(self._entries[key])
            if not self._claims[claim]:
                del self._claims[claim]

    def _holder(self, entry: Entry) -> Entry:
        """Return who has the release: the HelmRelease that was there first."""
        rivals = {key for claim in entry.claims for key in self._claims[claim]}
        candidates = [self._entries[key] for key in rivals if key in self._entries] or [entry]
        return min(candidates, key=lambda rival: (rival.head.created_at, rival.key))


def _without_spec(head: Head) -> HelmRelease:
    """Return a HelmRelease whose spec says nothing, to report on one that cannot be read."""
    spec = Spec(ChartSpec("", ""), head.name, head.namespace, head.namespace)
    return HelmRelease(**head.facts, spec=spec)


def _orphaning(release: HelmRelease) -> HelmRelease:
    """Return the HelmRelease as one whose deletion leaves everything alone."""
    uninstall = replace(release.spec.uninstall, deletion_policy=DeletionPolicy.ORPHAN)
    return replace(release, spec=replace(release.spec, uninstall=uninstall))
