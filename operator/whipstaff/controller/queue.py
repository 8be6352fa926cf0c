"""The queue of passes: one at a time for each HelmRelease, a few at a time for all.

Level-triggered: many events make one pass, which sees the newest state. A pass that waits for the
cluster holds no worker.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from whipstaff.controller.entry import Entry, Key, Passing
from whipstaff.errors import InvalidSpec, OperatorError, ReleaseNameTaken
from whipstaff.helmrelease.names import FINALIZER
from whipstaff.helmrelease.parsing import parse, parse_for_uninstall, parse_head
from whipstaff.helmrelease.types import ChartSpec, DeletionPolicy, Head, HelmRelease, Spec
from whipstaff.planning.decision import backoff_seconds
from whipstaff.reconcile.loop import Ending, Outcome, Pass
from whipstaff.reconcile.world import World
from whipstaff.release.revision import JsonObject

log = logging.getLogger(__name__)

JITTER = 0.05  # of every pause, so that releases made together do not come back together
CRASH_SECONDS = 60.0  # after a fault of ours
STOP_SECONDS = 8.0  # for running steps when the operator ends

_RETRIED = (Ending.REFUSED, Ending.UNREACHABLE)


class Queue:
    """All HelmReleases that were seen, and the passes over them."""

    def __init__(self, world: World, concurrency: int, random: Callable[[], float]) -> None:
        """`random` returns numbers from 0 to 1."""
        self._world = world
        self._room = asyncio.Semaphore(concurrency)
        self._random = random
        self._entries: dict[Key, Entry] = {}
        self._claims: dict[tuple[str, str, str], set[Key]] = defaultdict(set)
        self._open = False

    @property
    def depth(self) -> int:
        """How many HelmReleases a pass is under way or due for."""
        return sum(1 for entry in self._entries.values() if entry.passing is not None)

    def open(self) -> None:
        """Begin: every HelmRelease seen so far gets a pass. Before that, nothing is written."""
        self._open = True
        for entry in list(self._entries.values()):
            self._wake(entry)

    def changed(self, body: JsonObject) -> None:
        """Take note of a HelmRelease as it is now."""
        head = parse_head(body)
        key = (head.namespace, head.name)
        entry = self._entries.get(key)
        if entry is None or entry.head.uid != head.uid:
            if entry is not None:
                self._forget(entry)
            entry = self._entries[key] = Entry(key, body, head)
            self._claim(entry)
            self._wake(entry)
            return
        before = entry.wish
        entry.body, entry.head = body, head
        if entry.wish != before:
            self._claim(entry)
            entry.refusals = 0
            self._wake(entry)

    def gone(self, namespace: str, name: str, uid: str) -> None:
        """Forget a HelmRelease that is no more."""
        entry = self._entries.get((namespace, name))
        if entry is not None and entry.head.uid == uid:
            del self._entries[entry.key]
            self._forget(entry)

    def poison(self, namespace: str, name: str, text: str) -> None:
        """Take note of a HelmRelease that cannot be read: what runs of it is left alone."""
        log.error(
            "HelmRelease cannot be read", extra={"helmrelease": f"{namespace}/{name}", "why": text}
        )

    async def close(self) -> None:
        """End every pass at its next step border; cut off what takes too long."""
        self._open = False
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

    def _forget(self, entry: Entry) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
        entry.dirty = False
        entry.moved.set()
        self._give_up_claims(entry)

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
            outcome, pause = Outcome(Ending.INTERRUPTED), 0.0
            while entry.dirty and self._open:
                async with self._room:
                    entry.dirty = False
                    entry.moved = asyncio.Event()
                    outcome, pause = await self._pass(entry)
            current = self._entries.get(entry.key) is entry
            if current and self._open and outcome.ending is not Ending.DELETED:
                loop = asyncio.get_running_loop()
                entry.timer = loop.call_later(pause, self._wake, entry)
        finally:
            entry.passing = None
            if entry.dirty and self._open:
                self._wake(entry)

    async def _pass(self, entry: Entry) -> tuple[Outcome, float]:
        release, refusal = self._read(entry)
        if release.deletion_requested and FINALIZER not in release.finalizers:
            return Outcome(Ending.DELETED), 0.0
        work = Pass(self._world, Passing(release, entry, self._room), entry.written)
        try:
            outcome = await (work.refuse(refusal) if refusal else work.run())
        except Exception:
            log.exception("pass crashed", extra={"helmrelease": "/".join(entry.key)})
            return Outcome(Ending.REFUSED), CRASH_SECONDS
        entry.written = work.status
        return outcome, self._pause(entry, outcome, release.spec.interval_seconds)

    def _pause(self, entry: Entry, outcome: Outcome, interval_seconds: float) -> float:
        if outcome.ending in _RETRIED:
            entry.refusals += 1
            pause = backoff_seconds(entry.refusals)
        else:
            entry.refusals = 0
            again = outcome.again_seconds
            pause = interval_seconds if again is None else again
        return pause * (1 - JITTER + 2 * JITTER * self._random())

    def _read(self, entry: Entry) -> tuple[HelmRelease, OperatorError | None]:
        # A wrong chart or wrong values do not keep what is to be deleted.
        deletion = entry.head.deletion_requested
        try:
            release = parse_for_uninstall(entry.body) if deletion else parse(entry.body)
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
        self._give_up_claims(entry)
        try:
            spec = parse_for_uninstall(entry.body).spec
        except InvalidSpec:
            return
        entry.claims = (
            ("stored", spec.storage_namespace, spec.release_name),
            ("runs", spec.target_namespace, spec.release_name),
        )
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
    return HelmRelease(
        namespace=head.namespace,
        name=head.name,
        uid=head.uid,
        generation=head.generation,
        created_at=head.created_at,
        deletion_requested=head.deletion_requested,
        finalizers=head.finalizers,
        annotations=head.annotations,
        status=head.status,
        spec=spec,
    )


def _orphaning(release: HelmRelease) -> HelmRelease:
    """Return the HelmRelease as one whose deletion leaves everything alone."""
    uninstall = replace(release.spec.uninstall, deletion_policy=DeletionPolicy.ORPHAN)
    return replace(release, spec=replace(release.spec, uninstall=uninstall))
