"""HelmRepositories: each is asked every interval, and whoever takes charts from it is told.

Level-triggered, as the queue of HelmReleases is: many events make one look, at the newest state.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from whipstaff.controller.entry import wish_of
from whipstaff.controller.metrics import KnownRepository
from whipstaff.errors import InvalidSpec, OperatorError
from whipstaff.helmrelease.parsing import parse_head
from whipstaff.helmrelease.selectors import EVERYTHING, Selector
from whipstaff.helmrelease.types import Head, RepositoryKey
from whipstaff.helmrepository.parsing import parse
from whipstaff.helmrepository.status import (
    Fetched,
    exchange_news,
    news,
    status_for,
    suspended_status,
)
from whipstaff.helmrepository.types import HelmRepository
from whipstaff.planning.failures import backoff_seconds
from whipstaff.reconcile.ports import Clock, Event, Reporter
from whipstaff.release.revision import JsonObject

log = logging.getLogger(__name__)

JITTER = 0.05  # of every pause, so that repositories made together are not asked together
CRASH_SECONDS = 60.0  # after a fault of ours
AT_A_TIME = 8  # repositories that are asked


class RepositorySource(Protocol):
    """Who asks repositories, and keeps what HelmReleases may take charts from."""

    def know(self, key: RepositoryKey, repository: HelmRepository | InvalidSpec) -> None:
        """Take note of a HelmRepository as it is now."""
        ...

    def forget(self, key: RepositoryKey) -> None:
        """Take note that it is no more."""
        ...

    async def refresh(self, repository: HelmRepository) -> Fetched:
        """Ask it now; ChartUnavailable and its kin."""
        ...


@dataclass(slots=True)
class _Entry:
    """One HelmRepository; one look at it at a time."""

    key: RepositoryKey
    head: Head
    repository: HelmRepository | InvalidSpec
    ours: bool = True  # its status is ours to write
    moved: asyncio.Event = field(default_factory=asyncio.Event)  # something else is wanted
    tending: asyncio.Task[None] | None = None
    refusals: int = 0  # one after another, for the back-off
    digest: str | None = None  # of the index as it was last; None: not known, or it failed
    written: JsonObject | None = None  # status as we wrote it; None: as the head has it


class Repositories:
    """All HelmRepositories that were seen; a Listener."""

    def __init__(
        self,
        source: RepositorySource,
        reporter: Reporter,
        clock: Clock,
        random: Callable[[], float],
        moved: Callable[[RepositoryKey, frozenset[str] | None], None],
        *,
        selector: Selector = EVERYTHING,
    ) -> None:
        """`random` returns numbers from 0 to 1; `moved` is called when charts may have changed.

        With their names, or None for any. `selector` says whose status is written here: another
        operator may have the others.
        """
        self._selector = selector
        self._source = source
        self._reporter = reporter
        self._clock = clock
        self._random = random
        self._moved = moved
        self._room = asyncio.Semaphore(AT_A_TIME)
        self._entries: dict[RepositoryKey, _Entry] = {}
        self._open = False

    def open(self) -> None:
        """Begin to ask. Before that, nothing is fetched and nothing written."""
        self._open = True
        for entry in self._entries.values():
            self._tend(entry)

    async def close(self) -> None:
        """Stop asking."""
        self._open = False
        tasks = [entry.tending for entry in self._entries.values() if entry.tending is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def changed(self, body: JsonObject) -> None:
        """Take note of a HelmRepository as it is now."""
        head = parse_head(body)
        key = RepositoryKey(head.namespace, head.name)
        repository = _read(body)
        entry = self._entries.get(key)
        ours = self._selector.takes(body["metadata"].get("labels") or {})
        if entry is not None:
            entry.ours = ours
        if entry is not None and wish_of(entry.head) == wish_of(head):
            return
        if entry is not None and entry.head.uid != head.uid:
            self._end(entry)
            entry = None
        if entry is None:
            entry = self._entries[key] = _Entry(key, head, repository, ours)
            other_spec = True
        else:
            other_spec = entry.head.generation != head.generation
            entry.head, entry.repository, entry.refusals = head, repository, 0
        self._source.know(key, repository)
        entry.moved.set()
        if other_spec:
            entry.digest = None
            self._moved(key, None)
        self._tend(entry)

    def gone(self, namespace: str, name: str, uid: str) -> None:
        """Forget a HelmRepository; what runs of its charts goes on running."""
        key = RepositoryKey(namespace, name)
        entry = self._entries.get(key)
        if entry is not None and entry.head.uid == uid:
            self._end(entry)
            self._source.forget(key)
            self._moved(key, None)

    def known(self) -> Iterator[KnownRepository]:
        """Yield every HelmRepository, with its status as it was last written."""
        for entry in self._entries.values():
            spec = None if isinstance(entry.repository, InvalidSpec) else entry.repository.spec
            suspended = spec is not None and spec.suspend
            yield KnownRepository(*entry.key, suspended, self._known(entry).status)

    def poison(self, namespace: str, name: str, text: str) -> None:
        """Take note of a HelmRepository that cannot be read."""
        log.error(
            "HelmRepository cannot be read",
            extra={"helmrepository": f"{namespace}/{name}", "why": text},
        )

    def _end(self, entry: _Entry) -> None:
        del self._entries[entry.key]
        if entry.tending is not None:
            entry.tending.cancel()

    def _tend(self, entry: _Entry) -> None:
        if self._open and entry.tending is None:
            entry.tending = asyncio.ensure_future(self._look_again_and_again(entry))

    async def _look_again_and_again(self, entry: _Entry) -> None:
        while True:
            entry.moved.clear()
            try:
                async with self._room:
                    pause = await self._look(entry)
            except Exception:
                log.exception("look crashed", extra={"helmrepository": "/".join(entry.key)})
                pause = CRASH_SECONDS
            await _until(entry.moved, pause)

    async def _look(self, entry: _Entry) -> float | None:
        """Ask a repository and write its status; return the seconds until the next time."""
        head, repository = entry.head, entry.repository
        if isinstance(repository, InvalidSpec):
            await self._write(entry, head, repository)
            return None
        if repository.spec.suspend:
            await self._put(entry, head, suspended_status(self._known(entry), self._clock.now()))
            return None
        outcome: Fetched | OperatorError
        try:
            outcome = await self._source.refresh(repository)
        except OperatorError as error:
            outcome = error
        if entry.head is not head:
            return 0.0  # it was edited meanwhile: the answer is to another question
        exchanged = self._exchanged(entry, outcome)
        self._tell(entry, outcome)
        await self._write(entry, head, outcome)
        if exchanged is not None:
            await self._reporter.emit(head.namespace, head.name, head.uid, [Event(*exchanged)])
        if isinstance(outcome, OperatorError):
            entry.refusals += 1
            pause = min(backoff_seconds(entry.refusals), repository.spec.interval_seconds)
        else:
            entry.refusals = 0
            pause = repository.spec.interval_seconds
        return pause * (1 - JITTER + 2 * JITTER * self._random())

    def _tell(self, entry: _Entry, outcome: Fetched | OperatorError) -> None:
        """Wake who takes charts from here, if there may be others now."""
        if not isinstance(outcome, Fetched):
            entry.digest = None
            return
        digest = outcome.index_digest
        if digest != entry.digest:
            log.info(
                "repository changed", extra={"helmrepository": "/".join(entry.key), "index": digest}
            )
            # Who saw it fail, or did not see it yet, may wait for any chart.
            charts = outcome.since(entry.digest).charts if entry.digest else None
            self._moved(entry.key, charts)
        entry.digest = digest

    def _exchanged(
        self, entry: _Entry, outcome: Fetched | OperatorError
    ) -> tuple[str, str, str] | None:
        """Say which versions are other archives than when the repository was asked before."""
        before = entry.digest or str(self._known(entry).status.get("indexDigest", ""))
        if not before or not isinstance(outcome, Fetched):
            return None
        return exchange_news(outcome.since(before))

    async def _write(self, entry: _Entry, head: Head, outcome: Fetched | OperatorError) -> None:
        known = self._known(entry)
        status = status_for(known, outcome, self._clock.now())
        told = news(known.status, status)
        if await self._put(entry, head, status) and told:
            await self._reporter.emit(head.namespace, head.name, head.uid, [Event(*told)])

    async def _put(self, entry: _Entry, head: Head, status: JsonObject) -> bool:
        """Write a status that is new; False if there was nothing to write, or it failed."""
        if status == self._known(entry).status or not entry.ours:
            return False
        try:
            await self._reporter.write_status(head.namespace, head.name, head.uid, status)
        except OperatorError as error:
            log.warning(
                "status not written",
                extra={"helmrepository": "/".join(entry.key), "why": error.reason},
            )
            return False
        entry.written = status
        return True

    @staticmethod
    def _known(entry: _Entry) -> Head:
        """Return the head with the status as it was last written."""
        return entry.head if entry.written is None else entry.head.with_status(entry.written)


def _read(body: JsonObject) -> HelmRepository | InvalidSpec:
    try:
        return parse(body)
    except InvalidSpec as wrong:
        return wrong


async def _until(moved: asyncio.Event, seconds: float | None) -> None:
    """Wait for either; None: for the event alone."""
    try:
        async with asyncio.timeout(seconds):
            await moved.wait()
    except TimeoutError:
        return
