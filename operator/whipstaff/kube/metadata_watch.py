"""One watch of metadata alone, which begins at the present: no object is listed or read whole.

What happened while nobody watched is told of as missed, so that its listener looks itself.
"""

import asyncio
import logging
from contextvars import Context
from time import monotonic
from typing import Protocol

from whipstaff.errors import ClusterRefused
from whipstaff.kube.client import Request, Requester, WatchEvent, WatchFailed
from whipstaff.kube.media_types import METADATA_LIST, METADATA_ONLY
from whipstaff.reconcile.backoff import Backoff

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 8.0
SOUND_SECONDS = 10.0  # a watch that lived as long starts the pauses anew
REFUSED_SECONDS = 30.0  # who may not watch asks again, and has everyone look, so often

_GONE = 410

log = logging.getLogger(__name__)


class Collection(Protocol):
    """What is watched."""

    @property
    def kind(self) -> str:
        """The kind of its objects, for logs."""
        ...

    def request(self, accept: str, **query: str) -> Request:
        """Return the GET of the collection."""
        ...


class Listener(Protocol):
    """Who is told; the calls return at once."""

    def happened(self, event: WatchEvent) -> None:
        """An object is new, another than before, or gone."""
        ...

    def missed(self) -> None:
        """There may have been changes that were not seen."""
        ...


class MetadataWatch:
    """Watches until it is ended."""

    def __init__(self, client: Requester, collection: Collection, listener: Listener) -> None:
        self.settled = asyncio.Event()  # it has begun, or was refused
        self.live = False
        self._client = client
        self._collection = collection
        self._listener = listener
        # It serves other passes than the one that began it, and is not to log as that one.
        self._task = asyncio.create_task(self._run(), context=Context())

    async def end(self) -> None:
        """Close the watch."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        while True:
            began = monotonic()
            try:
                await self._watch_from(await self._position())
            except ClusterRefused as error:
                if not error.retryable and error.code != _GONE:
                    await self._stand_back(error)
            except Exception:  # nobody else would notice that changes go unseen
                log.exception("a watch of metadata failed")
            self.live = False
            if monotonic() - began > SOUND_SECONDS:
                backoff.reset()
            await backoff.pause()

    async def _stand_back(self, error: ClusterRefused) -> None:
        log.info("watch refused", extra={"kind": self._collection.kind, "code": error.code})
        self.live = False
        self._miss()
        await asyncio.sleep(REFUSED_SECONDS)

    async def _position(self) -> str:
        """Return the resource version of the present, with the smallest list there is."""
        answer = await self._client.send(self._collection.request(METADATA_LIST, limit="1"))
        return str((answer.get("metadata") or {}).get("resourceVersion", ""))

    async def _watch_from(self, version: str) -> None:
        """Watch until a new beginning is needed; a connection that breaks is no reason for one."""
        request = self._collection.request(METADATA_ONLY)
        backoff, began = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS), False
        while True:
            try:
                async for event in self._client.watch(request, version):
                    if not began:
                        self.live = True
                        self._miss()  # what changed before nobody saw
                    began = True
                    backoff.reset()
                    version = self._hand_out(event) or version
            except WatchFailed:
                return
            except ClusterRefused as error:
                if error.code != 0:
                    raise
            await backoff.pause()

    def _miss(self) -> None:
        self._listener.missed()
        self.settled.set()

    def _hand_out(self, event: WatchEvent) -> str:
        """Tell of an event; return the resource version."""
        if event.poison is None and not event.object:
            return ""  # the empty bookmark of the beginning
        if event.type != "BOOKMARK":
            self._listener.happened(event)
        if event.poison is not None:
            return event.poison.resource_version
        return str((event.object.get("metadata") or {}).get("resourceVersion", ""))
