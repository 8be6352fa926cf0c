"""One HelmRelease as the queue knows it, and the intent that a pass on it sees."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from whipstaff.controller.patience import Patience
from whipstaff.helmrelease.types import Head, HelmRelease
from whipstaff.reconcile.world import Interrupted
from whipstaff.release.revision import JsonObject

Key = tuple[str, str]  # namespace and name of a HelmRelease


@dataclass(slots=True)
class Entry:
    """What is known of one HelmRelease; one pass on it at a time."""

    key: Key
    body: JsonObject
    head: Head
    present: bool = True  # False: it is gone, and a pass on it has not ended yet
    dirty: bool = True  # something is wanted that no pass has looked at yet
    moved: asyncio.Event = field(default_factory=asyncio.Event)  # since the running pass began
    patience: Patience = field(default_factory=Patience)
    passing: asyncio.Task[None] | None = None
    waiting: bool = False  # the pass waits for the cluster
    timer: asyncio.TimerHandle | None = None
    refusals: int = 0  # one after another, for the back-off
    written: JsonObject | None = None  # status as we wrote it; None: as the body has it
    claims: tuple[tuple[str, str, str], ...] = ()

    @property
    def suspended(self) -> bool:
        """Whether nothing is to be begun, as far as the spec can be read."""
        spec = self.body.get("spec")
        return isinstance(spec, dict) and bool(spec.get("suspend"))

    @property
    def wish(self) -> tuple[object, ...]:
        """What a pass answers to: an event that leaves it as it was wakes nobody."""
        return wish_of(self.head)


def wish_of(head: Head) -> tuple[object, ...]:
    """Return what a pass on a HelmRelease would answer to."""
    asked = (head.requested_at, head.force_at, head.reset_at, head.test_at)
    return (head.uid, head.generation, head.deletion_requested, *asked)


class Passing:
    """The intent of one pass: interrupted by a newer wish, or by the operator's end."""

    def __init__(self, release: HelmRelease, entry: Entry, room: asyncio.Semaphore) -> None:
        self._release = release
        self._entry = entry
        self._moved = entry.moved
        self._room = room

    @property
    def release(self) -> HelmRelease:
        """The HelmRelease as it was when the pass began."""
        return self._release

    @property
    def paused(self) -> bool:
        """Whether it was suspended meanwhile."""
        return self._entry.suspended

    def check(self) -> None:
        """Raise Interrupted if something else is wanted now."""
        if self._moved.is_set():
            raise Interrupted

    async def changed(self) -> None:
        """Return when something else is wanted."""
        await self._moved.wait()

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Give the worker back while inside."""
        self._room.release()
        self._entry.waiting = True
        try:
            yield
        finally:
            self._entry.waiting = False
            await self._room.acquire()
