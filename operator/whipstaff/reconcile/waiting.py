"""Waiting for the cluster: holds no worker, and ends early when something else is wanted."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator

from whipstaff.errors import ClusterRefused, OperatorError
from whipstaff.planning.readiness import Readiness, Verdict
from whipstaff.planning.status import Unready
from whipstaff.reconcile.backoff import Backoff
from whipstaff.reconcile.health import judge
from whipstaff.reconcile.inquiry import Inquiry
from whipstaff.reconcile.ports import Cluster, ObjectReference
from whipstaff.reconcile.world import Work, World
from whipstaff.release.revision import JsonObject

NAMED_LIMIT = 5  # objects that a failure message names
FIND_OUT_SECONDS = (3.0, 30.0)  # the first pause and the longest: each asks for Pods, logs, events
SERVED_POLL_SECONDS = (0.1, 0.5)  # the first pause and the longest: each asks for all kinds
_NOT_FOUND = 404


class NotReady(OperatorError):
    """Objects did not become ready; the text names them and says why."""


class WaitTimeout(OperatorError):
    """Something took longer than its timeout; the text names what."""


async def _nothing() -> None: ...


async def within(
    work: Work,
    timeout_seconds: float,
    watching: Awaitable[None],
    why: Callable[[], str],
    find_out: Callable[[], Awaitable[None]] = _nothing,
) -> None:
    """Await `watching`; Interrupted when the intent changes, WaitTimeout(why()) when it is late.

    `find_out` is awaited before `why` is asked.
    """
    async with work.intent.waiting():
        wait = asyncio.ensure_future(watching)
        change = asyncio.ensure_future(work.intent.changed())
        try:
            done, _ = await asyncio.wait(
                {wait, change}, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in (wait, change):
                task.cancel()
            await asyncio.gather(wait, change, return_exceptions=True)
        if not done:
            await find_out()
    if wait in done:
        wait.result()
        return
    work.intent.check()
    raise WaitTimeout(f"timed out after {timeout_seconds:g}s: {why()}")


async def until_ready(
    world: World,
    work: Work,
    references: Collection[ObjectReference],
    timeout_seconds: float,
    *,
    complete_jobs: bool = True,
) -> None:
    """Wait until each object is ready; NotReady when one failed and no other is on its way.

    `complete_jobs`: a Job is ready at its end only, not once it has started.
    """
    if not references:
        return
    sight = _Sight(Inquiry(world.evidence, work))
    expected = len(set(references))

    async def watch() -> None:
        async for live in world.cluster.follow(references, work.identity):
            for reference, body in live.items():
                if body is None and _over(reference, sight.found.get(reference)):
                    continue
                if sight.judged(reference, body):
                    continue
                sight.found[reference] = await judge(
                    world, work.intent.release, reference, body, complete_jobs=complete_jobs
                )
                sight.bodies[reference] = body
            work.story.unready = sight.unready()
            if len(sight.found) == expected and await sight.settled():
                return

    async def watch_and_find_out() -> None:
        asking = asyncio.ensure_future(_keep_finding_out(world, work, sight))
        try:
            await watch()
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    watching = watch_and_find_out()
    await within(work, timeout_seconds, watching, sight.causes, sight.find_out)


async def _keep_finding_out(world: World, work: Work, sight: "_Sight") -> None:
    """Look into what is not ready, as long as the wait lasts, and tell it in status."""
    backoff = Backoff(*FIND_OUT_SECONDS)
    while True:
        await backoff.pause()
        async with world.inquiries.turn():
            await sight.find_out()
        work.story.unready = sight.unready()


class _Sight:
    """What a wait has seen of its objects."""

    def __init__(self, inquiry: Inquiry) -> None:
        self.found: dict[ObjectReference, Readiness] = {}
        self.bodies: dict[ObjectReference, JsonObject | None] = {}
        self._inquiry = inquiry

    def judged(self, reference: ObjectReference, body: JsonObject | None) -> bool:
        """Whether this very state was judged: one object that moves leaves the others as known."""
        return body is not None and self.bodies.get(reference) is body

    async def settled(self) -> bool:
        """Whether all are ready; NotReady when one failed and no other is on its way."""
        verdicts = {item.verdict for item in self.found.values()}
        if verdicts == {Verdict.READY}:
            return True
        if Verdict.FAILED in verdicts and Verdict.PROGRESSING not in verdicts:
            await self.find_out()
            raise NotReady(self.causes())
        return False

    async def find_out(self) -> None:
        """Look into those that are not ready."""
        await self._inquiry.ask(
            {item.reference: self.bodies[item.reference] for item in self.unready()}
        )

    def unready(self) -> tuple[Unready, ...]:
        """Return those that are not ready, and why."""
        return tuple(
            Unready(ref, self._inquiry.explained(ref, item.cause))
            for ref, item in self.found.items()
            if item.verdict is not Verdict.READY
        )

    def causes(self) -> str:
        """Say why, naming five objects at most."""
        causes = [f"{item.reference}: {item.cause}" for item in self.unready()]
        named = "; ".join(causes[:NAMED_LIMIT])
        more = len(causes) - NAMED_LIMIT
        return f"{named}; and {more} more" if more > 0 else named or "no answer from the cluster"


def _over(reference: ObjectReference, last: Readiness | None) -> bool:
    """Whether what is gone now has done its work: a Job may have no time to live."""
    return reference.kind == "Job" and last is not None and last.verdict is Verdict.READY


async def until_served(
    cluster: Cluster, work: Work, crds: Iterable[JsonObject], timeout_seconds: float
) -> None:
    """Wait until objects of the kinds can be named: discovery lags behind `Established`."""
    missing = deque(_samples(crds))

    async def ask() -> None:
        backoff = Backoff(*SERVED_POLL_SECONDS)
        cluster.forget_kinds()
        while missing:
            try:
                await cluster.refer(missing[0], work.revision.namespace, work.identity)
                missing.popleft()
            except ClusterRefused as refused:
                if refused.code != _NOT_FOUND and not refused.retryable:
                    raise
                await backoff.pause()
                cluster.forget_kinds()

    def why() -> str:
        return "not served yet: " + ", ".join(
            f"{it['kind']} ({it['apiVersion']})" for it in missing
        )

    if missing:
        await within(work, timeout_seconds, ask(), why)


def _samples(crds: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Make up an object of each kind and version that the definitions serve."""
    for crd in crds:
        spec = crd.get("spec") or {}
        kind = (spec.get("names") or {}).get("kind", "")
        for version in spec.get("versions") or ():
            if version.get("served"):
                api_version = f"{spec.get('group', '')}/{version.get('name', '')}"
                yield {"apiVersion": api_version, "kind": kind, "metadata": {"name": "any"}}


async def until_gone(
    cluster: Cluster, work: Work, references: Collection[ObjectReference], timeout_seconds: float
) -> None:
    """Wait until none of the objects exists any more."""
    left: dict[ObjectReference, JsonObject | None] = {}

    async def watch() -> None:
        async for live in cluster.follow(references, work.identity):
            left.update(live)
            if len(left) == len(set(references)) and not any(left.values()):
                return

    def why() -> str:
        return "still there: " + ", ".join(_left(ref, body) for ref, body in left.items() if body)

    if references:
        await within(work, timeout_seconds, watch(), why)


def _left(reference: ObjectReference, body: JsonObject) -> str:
    """Name an object that is still there, and who has to let go of it."""
    finalizers = body.get("metadata", {}).get("finalizers")
    return f"{reference} (held by {', '.join(finalizers)})" if finalizers else str(reference)
