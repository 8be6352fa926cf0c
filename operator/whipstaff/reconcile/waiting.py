"""Waiting for the cluster: holds no worker, and ends early when something else is wanted."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping

from whipstaff.errors import ClusterRefused, OperatorError
from whipstaff.planning.readiness import Readiness, Verdict, readiness
from whipstaff.planning.status import Unready
from whipstaff.reconcile.ports import Cluster, ObjectReference
from whipstaff.reconcile.world import Work
from whipstaff.release.revision import JsonObject

NAMED_LIMIT = 5  # objects that a failure message names
SERVED_POLL_SECONDS = (0.1, 0.5)  # the first pause and the longest: each asks for all kinds
_NOT_FOUND = 404


class NotReady(OperatorError):
    """Objects did not become ready; the text names them and says why."""


class WaitTimeout(OperatorError):
    """Something took longer than its timeout; the text names what."""


async def within(
    work: Work, timeout_seconds: float, watching: Awaitable[None], why: Callable[[], str]
) -> None:
    """Await `watching`; Interrupted when the intent changes, WaitTimeout(why()) when it is late."""
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
    if wait in done:
        wait.result()
        return
    work.intent.check()
    raise WaitTimeout(f"timed out after {timeout_seconds:g}s: {why()}")


async def until_ready(
    cluster: Cluster,
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
    found: dict[ObjectReference, Readiness] = {}

    async def watch() -> None:
        async for live in cluster.follow(references, work.identity):
            for reference, body in live.items():
                if body is None and _over(reference, found.get(reference)):
                    continue
                found[reference] = readiness(body, complete_jobs=complete_jobs)
            _tell(work, found)
            if _settled(found, len(set(references))):
                return

    await within(work, timeout_seconds, watch(), lambda: _causes(found))


def _over(reference: ObjectReference, last: Readiness | None) -> bool:
    """Whether what is gone now has done its work: a Job may have no time to live."""
    return reference.kind == "Job" and last is not None and last.verdict is Verdict.READY


async def until_served(
    cluster: Cluster, work: Work, crds: Iterable[JsonObject], timeout_seconds: float
) -> None:
    """Wait until objects of the kinds can be named: discovery lags behind `Established`."""
    missing = deque(_samples(crds))

    async def ask() -> None:
        pause, longest = SERVED_POLL_SECONDS
        cluster.forget_kinds()
        while missing:
            try:
                await cluster.refer(missing[0], work.revision.namespace, work.identity)
                missing.popleft()
            except ClusterRefused as refused:
                if refused.code != _NOT_FOUND and not refused.retryable:
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)
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
        return "still there: " + ", ".join(str(ref) for ref, body in left.items() if body)

    if references:
        await within(work, timeout_seconds, watch(), why)


def _settled(found: Mapping[ObjectReference, Readiness], expected: int) -> bool:
    if len(found) < expected:
        return False
    verdicts = {item.verdict for item in found.values()}
    if verdicts == {Verdict.READY}:
        return True
    if Verdict.FAILED in verdicts and Verdict.PROGRESSING not in verdicts:
        raise NotReady(_causes(found))
    return False


def _tell(work: Work, found: Mapping[ObjectReference, Readiness]) -> None:
    work.story.unready = tuple(
        Unready(ref, item.cause) for ref, item in found.items() if item.verdict != Verdict.READY
    )


def _causes(found: Mapping[ObjectReference, Readiness]) -> str:
    causes = [
        f"{ref}: {item.cause}" for ref, item in found.items() if item.verdict is not Verdict.READY
    ]
    named = "; ".join(causes[:NAMED_LIMIT])
    more = len(causes) - NAMED_LIMIT
    return f"{named}; and {more} more" if more > 0 else named or "no answer from the cluster"
