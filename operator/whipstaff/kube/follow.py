"""Follows live objects for thousands of waits at once, with few watches.

One watch serves all waits for a kind: the operator's own covers every object that Helm manages in
the cluster, or in a namespace if it may see no more; an impersonated ServiceAccount's covers its
namespace. A watch opens when the first wait lasts, and closes some time after the last. Who may not
watch asks again and again instead.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextvars import Context
from dataclasses import dataclass
from time import monotonic

from whipstaff.errors import ClusterRefused
from whipstaff.kube.client import Request, Requester, WatchEvent, WatchFailed
from whipstaff.kube.discovery import Discoveries, Resource
from whipstaff.kube.media_types import METADATA_LIST
from whipstaff.reconcile.backoff import Backoff
from whipstaff.reconcile.ports import OPERATOR, Identity, ObjectReference
from whipstaff.release.revision import JsonObject

LINGER_SECONDS = 30.0
FIRST_POLL_SECONDS = 0.25
LONGEST_POLL_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 8.0
SOUND_SECONDS = 10.0  # a watch that lived as long starts the pauses anew
WATCH_LIMIT = 256  # beyond it waits ask again and again: a watch holds a connection
REFUSED_SECONDS = 60.0  # how long a refused watch is not tried again

_LABEL, _LABEL_VALUE = "app.kubernetes.io/managed-by", "Helm"
_GONE = 410

log = logging.getLogger(__name__)

Read = Callable[[ObjectReference, Identity], Awaitable[JsonObject | None]]


@dataclass(frozen=True, slots=True)
class _Scope:
    """What one watch covers; an empty namespace means all of them, an empty name all objects."""

    identity: Identity
    resource: Resource
    namespace: str
    name: str
    labelled: bool

    @property
    def selectors(self) -> dict[str, str]:
        selectors = {}
        if self.labelled:
            selectors["labelSelector"] = f"{_LABEL}={_LABEL_VALUE}"
        if self.name:
            selectors["fieldSelector"] = f"metadata.name={self.name}"
        return selectors


class Followers:
    """Gives each wait its view of the live objects, out of shared watches."""

    def __init__(
        self, client: Requester, discoveries: Discoveries, read: Read, *, everywhere: bool = True
    ) -> None:
        self._client = client
        self._everywhere = everywhere  # whether the operator may watch all namespaces at once
        self._discoveries = discoveries
        self._read = read
        self._feeds: dict[_Scope, _Feed] = {}

    async def close(self) -> None:
        """End all watches."""
        feeds, self._feeds = list(self._feeds.values()), {}
        await asyncio.gather(*(feed.close() for feed in feeds))

    async def follow(
        self, references: Collection[ObjectReference], identity: Identity
    ) -> AsyncIterator[Mapping[ObjectReference, JsonObject | None]]:
        """Yield all objects at once, then all of them again after each change."""
        view = _View(references)
        joined: dict[ObjectReference, _Source] = {}
        try:
            await self._join_open(view, identity, joined)
            await self._refresh(view, identity)
            yield view.take()
            await self._join(view, identity, joined)
            while True:
                await view.wait(polling=any(feed.refused for feed in joined.values()))
                if view.dirty:  # what is gone by now has a last state: a Job's end, for one
                    yield view.take()
                view.stale.update(r for r, feed in joined.items() if feed.refused)
                await self._refresh(view, identity)
                if view.dirty:
                    yield view.take()
        finally:
            for reference, feed in joined.items():
                feed.leave(view, reference)

    async def _refresh(self, view: "_View", identity: Identity) -> None:
        """Read what is stale; an API server that is away is waited for."""
        backoff = Backoff(FIRST_POLL_SECONDS, LONGEST_PAUSE_SECONDS)
        while view.stale:
            wanted = sorted(view.stale)
            view.stale.clear()
            answers = await asyncio.gather(
                *(self._read(reference, identity) for reference in wanted), return_exceptions=True
            )
            for reference, answer in zip(wanted, answers, strict=True):
                if isinstance(answer, ClusterRefused) and answer.retryable:
                    view.stale.add(reference)
                elif isinstance(answer, BaseException):
                    raise answer
                else:
                    view.put(reference, answer)
            if view.stale:
                await backoff.pause()

    async def _join_open(
        self, view: "_View", identity: Identity, joined: dict[ObjectReference, "_Source"]
    ) -> None:
        """Join what is open already before the first read, so that nothing is read twice."""
        for reference in view.references:
            scope = await self._scope(reference, identity, labelled=True)
            feed = self._feeds.get(scope) if scope else None
            if feed is not None and feed.live:
                feed.join(view, reference)
                joined[reference] = feed

    async def _join(
        self, view: "_View", identity: Identity, joined: dict[ObjectReference, "_Source"]
    ) -> None:
        for reference in view.references:
            body = view.objects.get(reference)
            scope = await self._scope(reference, identity, labelled=_is_labelled(body))
            feed = self._open(scope) if scope else _Polled()
            before = joined.get(reference)
            if before is feed:
                continue
            if before is not None:
                before.leave(view, reference)
            feed.join(view, reference)
            joined[reference] = feed
            if feed.live:
                view.mark_stale(reference)  # it may have changed between the read and now

    async def _scope(
        self, reference: ObjectReference, identity: Identity, *, labelled: bool
    ) -> _Scope | None:
        """Choose the watch for an object, None if its kind cannot be watched."""
        resource = await self._discoveries.of(identity).find(reference.api_version, reference.kind)
        if resource is None or "watch" not in resource.verbs:
            return None
        everywhere = self._everywhere and labelled and identity == OPERATOR
        # Unlabelled kinds without a namespace are few and large, as CRDs: each alone.
        alone = not labelled and not resource.namespaced
        return _Scope(
            identity,
            resource,
            "" if everywhere else reference.namespace,
            reference.name if alone else "",
            labelled,
        )

    def _open(self, scope: _Scope) -> "_Source":
        feed = self._feeds.get(scope)
        if feed is None:
            if len(self._feeds) >= WATCH_LIMIT:
                return _Polled()
            feed = self._feeds[scope] = _Feed(self._client, scope, self._closed)
        return feed

    def _closed(self, scope: _Scope) -> None:
        self._feeds.pop(scope, None)


class _View:
    """What one wait knows of its objects."""

    def __init__(self, references: Iterable[ObjectReference]) -> None:
        self.references = tuple(dict.fromkeys(references))
        self.objects: dict[ObjectReference, JsonObject | None] = {}
        self.stale = set(self.references)
        self.dirty = True
        self._woken = asyncio.Event()
        self._poll_seconds = FIRST_POLL_SECONDS

    def take(self) -> Mapping[ObjectReference, JsonObject | None]:
        """Return all objects; changes count from here."""
        self.dirty = False
        return dict(self.objects)

    def put(self, reference: ObjectReference, body: JsonObject | None) -> None:
        """Take a newer state of an object; an older one, or the same, changes nothing."""
        known = self.objects.get(reference)
        if reference in self.objects and not _newer(known, body):
            return
        self.objects[reference] = body
        self.dirty = True
        self._poll_seconds = FIRST_POLL_SECONDS
        self._woken.set()

    def mark_stale(self, reference: ObjectReference) -> None:
        """Have an object read again."""
        self.stale.add(reference)
        self._woken.set()

    async def wait(self, *, polling: bool) -> None:
        """Wait for a change, or for the time to ask again."""
        try:
            async with asyncio.timeout(self._poll_seconds if polling else None):
                await self._woken.wait()
        except TimeoutError:
            self._poll_seconds = min(self._poll_seconds * 2, LONGEST_POLL_SECONDS)
        self._woken.clear()


class _Feed:
    """One watch and the waits that it serves."""

    def __init__(self, client: Requester, scope: _Scope, closed: Callable[[_Scope], None]) -> None:
        self.live = False
        self.refused = False
        self._client = client
        self._scope = scope
        self._closed = closed
        self._views: dict[tuple[str, str], set[tuple[ObjectReference, _View]]] = {}
        self._ending: asyncio.TimerHandle | None = None
        # It serves other passes than the one that began it, and is not to log as that one.
        self._task = asyncio.create_task(self._run(), context=Context())

    async def close(self) -> None:
        """End the watch."""
        if self._ending is not None:
            self._ending.cancel()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def join(self, view: _View, reference: ObjectReference) -> None:
        """Tell a wait of each change of an object from now on."""
        self._views.setdefault(_key(reference), set()).add((reference, view))
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def leave(self, view: _View, reference: ObjectReference) -> None:
        """Tell it no more; the watch ends some time after the last one left."""
        views = self._views.get(_key(reference), set())
        views.discard((reference, view))
        if not views:
            self._views.pop(_key(reference), None)
        if not self._views and self._ending is None:
            self._ending = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._end)

    def _end(self) -> None:
        self._task.cancel()
        self._closed(self._scope)

    async def _run(self) -> None:
        backoff = Backoff(FIRST_POLL_SECONDS, LONGEST_PAUSE_SECONDS)
        while True:
            started = monotonic()
            try:
                version = await self._position()
                self._go_live()
                await self._watch_from(version)
            except ClusterRefused as error:
                if not error.retryable and error.code != _GONE:
                    await self._stand_back(error)
            except Exception:  # nobody else would notice that the waits hear nothing any more
                log.exception("a watch of followed objects failed")
            self.live = False
            if monotonic() - started > SOUND_SECONDS:
                backoff.reset()
            await backoff.pause()

    async def _position(self) -> str:
        """Return the resource version to watch from, with the smallest list there is."""
        answer = await self._client.send(
            Request(
                "GET",
                self._path,
                self._scope.identity,
                query={**self._scope.selectors, "limit": "1"},
                accept=METADATA_LIST,
            )
        )
        return str((answer.get("metadata") or {}).get("resourceVersion", ""))

    async def _watch_from(self, version: str) -> None:
        """Watch until a new list is needed; a connection that breaks is no reason for one."""
        request = Request("GET", self._path, self._scope.identity, query=self._scope.selectors)
        backoff = Backoff(FIRST_POLL_SECONDS, LONGEST_PAUSE_SECONDS)
        while True:
            try:
                async for event in self._client.watch(request, version):
                    version = self._hand_out(event) or version
                    backoff.reset()
            except WatchFailed:
                return
            except ClusterRefused as error:
                if error.code != 0:
                    raise
                await backoff.pause()

    def _hand_out(self, event: WatchEvent) -> str:
        if event.poison is not None:
            for reference, view in self._views.get((event.poison.namespace, event.poison.name), ()):
                view.mark_stale(reference)
            return event.poison.resource_version
        metadata = event.object.get("metadata") or {}
        views = self._views.get((metadata.get("namespace", ""), metadata.get("name", "")), ())
        for reference, view in views:
            match event.type:
                case "DELETED":
                    # It may only have lost its label; and its last state is to be seen first.
                    view.mark_stale(reference)
                case _:
                    metadata.pop("managedFields", None)
                    view.put(reference, event.object)
        return str(metadata.get("resourceVersion", ""))

    def _go_live(self) -> None:
        self.live = True
        self.refused = False
        self._mark_all_stale()

    async def _stand_back(self, error: ClusterRefused) -> None:
        log.info("watch refused", extra={"path": self._path, "code": error.code})
        self.live, self.refused = False, True
        self._mark_all_stale()
        await asyncio.sleep(REFUSED_SECONDS)

    def _mark_all_stale(self) -> None:
        for views in self._views.values():
            for reference, view in views:
                view.mark_stale(reference)

    @property
    def _path(self) -> str:
        return self._scope.resource.path(self._scope.namespace)


class _Polled:
    """Stands where no watch is possible: the wait asks again and again."""

    live = False
    refused = True

    def join(self, view: _View, reference: ObjectReference) -> None:
        """Change nothing: there is no watch to hear from."""

    def leave(self, view: _View, reference: ObjectReference) -> None:
        """Change nothing: there is no watch to end."""


_Source = _Feed | _Polled


def _key(reference: ObjectReference) -> tuple[str, str]:
    return reference.namespace, reference.name


def _is_labelled(body: JsonObject | None) -> bool:
    labels = ((body or {}).get("metadata") or {}).get("labels") or {}
    return bool(labels.get(_LABEL) == _LABEL_VALUE)


def _newer(known: JsonObject | None, body: JsonObject | None) -> bool:
    if known is None or body is None:
        return known is not body
    before, after = _version(known), _version(body)
    if before.isdigit() and after.isdigit():
        return int(after) > int(before)
    return before != after


def _version(body: JsonObject) -> str:
    return str((body.get("metadata") or {}).get("resourceVersion", ""))
