"""Tell in status how a pass goes on, as long as it lasts; and never write the same twice."""

import asyncio
from collections.abc import Callable, Sequence

from whipstaff.helmrelease.types import HelmRelease
from whipstaff.reconcile.ports import Event, Reporter
from whipstaff.release.revision import JsonObject

FIRST_WORD_SECONDS = 1.0  # a pass that is over sooner writes only its end
NEXT_WORD_SECONDS = 3.0


class Narrator:
    """Writes the status of one release."""

    def __init__(self, reporter: Reporter, release: HelmRelease, written: JsonObject) -> None:
        self._reporter = reporter
        self._release = release
        self._telling: asyncio.Task[None] | None = None
        self.written = written

    def begin(self, status: Callable[[], JsonObject]) -> None:
        """Write what `status` returns after a moment, and again whenever it changes."""
        if self._telling is None:
            self._telling = asyncio.ensure_future(self._tell(status))

    async def end(self) -> None:
        """Stop telling; the last word is `write`'s."""
        telling, self._telling = self._telling, None
        if telling is not None:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def write(self, status: JsonObject, events: Sequence[Event] = ()) -> None:
        """Write status unless it is written already; events go with a status that is new."""
        await self.end()
        if status == self.written:
            return
        release = self._release
        await self._reporter.write_status(release.namespace, release.name, release.uid, status)
        self.written = status
        if events:
            await self._reporter.emit(release.namespace, release.name, release.uid, events)

    async def _tell(self, status: Callable[[], JsonObject]) -> None:
        release = self._release
        await asyncio.sleep(FIRST_WORD_SECONDS)
        while True:
            now = status()
            if now != self.written:
                await self._reporter.write_status(release.namespace, release.name, release.uid, now)
                self.written = now
            await asyncio.sleep(NEXT_WORD_SECONDS)
