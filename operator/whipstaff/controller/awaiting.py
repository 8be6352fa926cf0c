"""Wakes HelmReleases that wait for objects of other kinds, or of other operators' HelmReleases.

Looked at only while someone waits, as whom that one's release acts.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextvars import Context
from dataclasses import dataclass
from time import monotonic

from whipstaff.controller.entry import Key
from whipstaff.errors import ClusterRefused
from whipstaff.reconcile.backoff import Backoff
from whipstaff.reconcile.ports import Identity, ObjectReference
from whipstaff.release.revision import JsonObject

FIRST_PAUSE_SECONDS = 1.0  # after an answer that could not be had
REFUSED_SECONDS = 30.0  # the longest pause; who may not look has a pass made so often

Follow = Callable[
    [Collection[ObjectReference], Identity],
    AsyncIterator[Mapping[ObjectReference, JsonObject | None]],
]
Wanted = Mapping[Identity, frozenset[ObjectReference]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Watch:
    wanted: Wanted
    tasks: tuple[asyncio.Task[None], ...]


class Awaiting:
    """The objects that HelmReleases wait for now."""

    def __init__(self, follow: Follow, wake: Callable[[Key], None]) -> None:
        """`follow` yields objects at once and then after each change, as the Cluster port does."""
        self._follow = follow
        self._wake = wake
        self._watches: dict[Key, _Watch] = {}

    def want(self, key: Key, wanted: Wanted) -> None:
        """Wake a HelmRelease at each change of these objects, and once now; of none: no more."""
        known = self._watches.get(key)
        if known is not None and known.wanted == wanted:
            return
        self._end(key)
        if wanted:
            tasks = tuple(
                # It outlives the pass that began it, and is not to log as that one.
                asyncio.create_task(self._run(key, references, identity), context=Context())
                for identity, references in wanted.items()
            )
            self._watches[key] = _Watch(wanted, tasks)

    async def close(self) -> None:
        """Look at nothing any more."""
        tasks = [task for watch in self._watches.values() for task in watch.tasks]
        for key in list(self._watches):
            self._end(key)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, key: Key) -> None:
        watch = self._watches.pop(key, None)
        for task in watch.tasks if watch else ():
            task.cancel()

    async def _run(
        self, key: Key, references: Collection[ObjectReference], identity: Identity
    ) -> None:
        backoff = Backoff(FIRST_PAUSE_SECONDS, REFUSED_SECONDS)
        while True:
            began = monotonic()
            try:
                async for _ in self._follow(references, identity):
                    self._wake(key)
            except ClusterRefused as error:
                log.info("a dependency cannot be followed", extra={"why": error.reason})
            except Exception:  # nobody else would notice that the wait has no end
                log.exception("a dependency cannot be followed")
            if monotonic() - began > REFUSED_SECONDS:
                backoff.reset()
            await backoff.pause()
            self._wake(key)
