"""Tell in status how a pass goes on, as long as it lasts; and never write the same twice."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from whipstaff.errors import OperatorError
from whipstaff.helmrelease.types import HelmRelease
from whipstaff.reconcile.ports import Event, Reporter
from whipstaff.release.revision import JsonObject

log = logging.getLogger(__name__)

FIRST_WORD_SECONDS = 1.0  # a pass that is over sooner writes only its end
NEXT_WORD_SECONDS = 3.0
UNUSED_VALUES = "ValuesUnused"  # reason of an event


class Narrator:
    """Writes the status of one release."""

    def __init__(self, reporter: Reporter, release: HelmRelease, written: JsonObject) -> None:
        self._reporter = reporter
        self._release = release
        self._telling: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self.written = written

    def begin(self, status: Callable[[], JsonObject]) -> None:
        """Write what `status` returns after a moment, and again whenever it changes."""
        if self._telling is None:
            self._over.clear()
            self._telling = asyncio.ensure_future(self._tell(status))

    async def end(self) -> None:
        """Stop telling, a write under way ended: the last word is `write`'s."""
        telling, self._telling = self._telling, None
        if telling is not None:
            self._over.set()
            await telling

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
        pause = FIRST_WORD_SECONDS
        while not await self._ends_within(pause):
            pause = NEXT_WORD_SECONDS
            now = status()
            if now == self.written:
                continue
            try:
                await self._reporter.write_status(release.namespace, release.name, release.uid, now)
                self.written = now
            except OperatorError as error:
                log.info("progress not written", extra={"why": error.reason})

    async def _ends_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return False
        return True


def news(old: JsonObject, new: JsonObject) -> list[Event]:
    """Return events on what moved between two statuses: transitions only.

    Ready, where its status or reason is another, or another revision runs; how tests ended and what
    was undone; each other drift, and what became of it; values that nothing reads, when one more of
    them is known.
    """
    before, after = _condition(old, "Ready"), _condition(new, "Ready")
    moved = _facts(before) != _facts(after) or old.get("revision") != new.get("revision")
    events = [_event(after)] if moved else []
    for kind in ("Tested", "Remediated"):
        found = _condition(new, kind)
        if found and _facts(_condition(old, kind)) != _facts(found):
            events.append(_event(found))
    if _drifts(new) - _drifts(old):
        drifted = _condition(new, "Drifted")
        kind = "Warning" if drifted.get("status") == "True" else "Normal"
        events.append(Event(kind, drifted.get("reason", ""), drifted.get("message", "")))
    unused = new.get("unusedValues") or []
    if set(unused) - set(old.get("unusedValues") or ()):
        events.append(Event("Warning", UNUSED_VALUES, "; ".join(unused)))
    return events


def _event(condition: JsonObject) -> Event:
    kind = "Warning" if condition.get("status") == "False" else "Normal"
    return Event(kind, condition.get("reason", ""), condition.get("message", ""))


def _drifts(status: JsonObject) -> set[str]:
    """Return what tells the drifts of a status apart: an object, its fields, what became of it."""
    counted = ("corrections", "since")
    return {
        repr(sorted((name, value) for name, value in entry.items() if name not in counted))
        for entry in status.get("drift") or ()
    }


def _facts(condition: JsonObject) -> tuple[str, str]:
    return condition.get("status", ""), condition.get("reason", "")


def _condition(status: JsonObject, kind: str) -> JsonObject:
    conditions = status.get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind), {})
