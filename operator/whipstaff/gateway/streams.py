"""Streams of changes: each tells its caller what the caller may see, as long as that is so."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from whipstaff.errors import OperatorError
from whipstaff.gateway.access import Access, list_releases
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.changes import Change, ChangeLog
from whipstaff.gateway.clusters import Clusters
from whipstaff.gateway.problems import Problem, not_for, of_error

STREAMS = 256  # at a time, of all callers: lists need connections, too
STREAMS_OF_ONE = 16
HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 10.0  # how often it is asked who the caller is, and what they may see
BREATH_SECONDS = 0.2  # between two looks at the log: what changes more often is told once
BATCH = 100  # changes that are looked at with one check of the caller
LIFE_SECONDS = 15 * 60.0  # a certificate is believed for so long
RETRY_MILLISECONDS = 2000

# Nothing on the way may keep what is meant to arrive at once.
_HEADERS = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever waits for changes, and of what."""

    caller: Caller
    again: Callable[[], Awaitable[object]]  # finds the caller anew; Problem(401) if it is nobody
    cluster: str = ""  # in which the caller is that; empty: all, and the caller is of the own one
    namespace: str = ""  # empty: all
    name: str = ""  # empty: all
    after: str = ""  # position of what the reader knows; empty: nothing


class Streams:
    """Opens streams, and ends them."""

    def __init__(
        self,
        log: ChangeLog,
        access: Access,
        clusters: Clusters,
        limit: int = STREAMS,
        limit_of_one: int = STREAMS_OF_ONE,
    ) -> None:
        self._log = log
        self._access = access
        self._clusters = clusters
        self._limit = limit
        self._limit_of_one = limit_of_one
        self._open: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many are open."""
        return self._open.total()

    async def open(self, reader: Reader) -> EventSourceResponse:
        """Return the answer that is a stream; Problem(403, 429 or 503) for who cannot have one."""
        self._check(reader.caller)
        everything = await _sees_everything(self._access, reader)
        rights = _Rights(self._access, self._clusters, reader, everything)
        return _Stream(self, reader, _Telling(self._log, rights, reader))

    def close(self) -> None:
        """End all."""
        self._log.close()

    def _check(self, caller: Caller) -> None:
        again = {"Retry-After": "10"}
        if self._open[caller.name] >= self._limit_of_one:
            text = f"{self._limit_of_one} streams are open for {caller.name}"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, text, again)
        if self.count >= self._limit:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "too many streams are open", again)

    def enter(self, caller: Caller) -> None:
        """Count a stream that begins."""
        self._check(caller)
        self._open[caller.name] += 1

    def leave(self, caller: Caller) -> None:
        """Count one less."""
        self._open[caller.name] -= 1
        if not self._open[caller.name]:
            del self._open[caller.name]


class _Stream(EventSourceResponse):
    """Counts itself from the first byte to the last, however it ends."""

    def __init__(self, streams: Streams, reader: Reader, telling: "_Telling") -> None:
        super().__init__(telling.frames(), headers=_HEADERS)
        self._streams = streams
        self._caller = reader.caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._streams.enter(self._caller)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.leave(self._caller)


class _Rights:
    """What the caller of one stream is known to see."""

    def __init__(
        self, access: Access, clusters: Clusters, reader: Reader, everything: bool
    ) -> None:
        """`everything`: whether the caller may list all namespaces of the stream's cluster."""
        self._access = access
        self._clusters = clusters
        self._reader = reader
        self._everything = everything
        self._checked = time.monotonic()

    async def changed(self) -> bool:
        """Ask who the caller is by now, and what they may see; Problem if that is nothing."""
        if time.monotonic() - self._checked < CHECK_SECONDS:
            return False
        await self._reader.again()
        everything = await _sees_everything(self._access, self._reader)
        self._checked = time.monotonic()
        before, self._everything = self._everything, everything
        return before != everything

    async def sees(self, change: Change) -> bool:
        """Whether the caller may list the releases that are beside a changed one."""
        if self._reader.cluster or change.cluster == self._clusters.home.name:
            if self._reader.namespace:
                return True  # or the stream had ended
            place = list_releases(change.namespace)
            return self._everything or await self._access.may(self._reader.caller, place)
        try:
            caller = self._clusters.named(change.cluster).caller(self._reader.caller)
            return await self._access.may(caller, list_releases()) or await self._access.may(
                caller, list_releases(change.namespace)
            )
        except (Problem, OperatorError):
            return False  # another cluster's trouble is no end of the stream


class _Telling:
    """One stream: what it has told, and what of it was shown."""

    def __init__(self, log: ChangeLog, rights: _Rights, reader: Reader) -> None:
        self._log = log
        self._rights = rights
        self._reader = reader
        self._seen: dict[tuple[str, str], bool] = {}  # namespaces, and whether they were shown
        self._number = 0

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield what is sent; what fails is the last that is told."""
        began = sent = time.monotonic()
        yield self._first()
        try:
            while not self._log.closed and time.monotonic() - began < LIFE_SECONDS:
                frames = await self._news()
                for frame in frames:
                    yield frame
                if frames:
                    sent = time.monotonic()
                elif time.monotonic() - sent >= HEARTBEAT_SECONDS:
                    sent = time.monotonic()
                    yield KEEPALIVE_COMMENT
                await asyncio.sleep(BREATH_SECONDS)
                left = HEARTBEAT_SECONDS - (time.monotonic() - sent)
                await self._log.wait(self._number, max(0.0, min(left, CHECK_SECONDS)))
        except Problem as problem:
            yield _end(problem)
        except OperatorError as error:
            yield _end(of_error(error))

    def _first(self) -> bytes:
        known = self._log.number_at(self._reader.after)
        self._number = self._log.newest if known is None else known
        return self._reset() if known is None else format_sse_event(retry=RETRY_MILLISECONDS)

    def _reset(self) -> bytes:
        """Say that the list has to be read: what was missed is not known here."""
        return format_sse_event(
            event="reset",
            data_str="{}",
            id=self._log.position(self._number),
            retry=RETRY_MILLISECONDS,
        )

    async def _news(self) -> list[bytes]:
        """Return what changed since the last look, as far as the caller may see it now."""
        found = [self._reset()] if await self._rights.changed() else []
        changes = self._log.after(self._number)
        if changes is None:
            self._number = self._log.newest
            return [self._reset()]
        changes = changes[:BATCH]
        for change in changes:
            if self._is_meant(change):
                found += await self._told(change)
        if changes:
            self._number = changes[-1].number
        return found

    def _is_meant(self, change: Change) -> bool:
        reader = self._reader
        of_cluster = reader.cluster in ("", change.cluster)
        of_namespace = reader.namespace in ("", change.namespace)
        return of_cluster and of_namespace and reader.name in ("", change.name)

    async def _told(self, change: Change) -> list[bytes]:
        place = change.cluster, change.namespace
        allowed = await self._rights.sees(change)
        before = self._seen.setdefault(place, allowed)
        self._seen[place] = allowed
        frames = [change.frame] if allowed else []
        # What is shown of the namespace is too much, or too little.
        return frames if before == allowed else [self._reset(), *frames]


async def _sees_everything(access: Access, reader: Reader) -> bool:
    """Whether a caller may list all namespaces; Problem(403) if they may not list their own."""
    if not reader.namespace:
        return await access.may(reader.caller, list_releases())
    if not await access.may(reader.caller, list_releases(reader.namespace)):
        raise not_for(reader.namespace, reader.caller.name)
    return False


def _end(problem: Problem) -> bytes:
    facts = {"status": int(problem.status), "detail": problem.detail}
    return format_sse_event(event="end", data_str=json.dumps(facts))
