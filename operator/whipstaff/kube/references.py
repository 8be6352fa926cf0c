"""Wakes HelmReleases when an object changes that they refer to: values, a chart or its source.

One watch serves all references to a kind: of the whole cluster, or of a namespace where the
operator may see no more. It opens with the first reference and closes with the last. It asks for
metadata alone, begins at the present and leaves out what Helm stores, so that no Secret is ever
listed and none of their content passes through here; whoever is woken reads what it refers to, as
whom its release acts (docs/decisions/0008-watching-references.md).
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from contextvars import Context
from dataclasses import dataclass
from time import monotonic

from whipstaff.errors import ClusterRefused
from whipstaff.kube.client import (
    METADATA_LIST,
    METADATA_ONLY,
    Client,
    Request,
    WatchEvent,
    WatchFailed,
)
from whipstaff.reconcile.ports import ObjectReference

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 8.0
SOUND_SECONDS = 10.0  # a watch that lived as long starts the pauses anew
REFUSED_SECONDS = 30.0  # who may not watch has everyone look again so often

# What a release is stored in changes with every action, and nobody refers to it.
_SELECTORS = {
    "Secret": {"fieldSelector": "type!=helm.sh/release.v1"},
    "ConfigMap": {"labelSelector": "owner!=helm"},
}
_PLURALS = {
    "Secret": "secrets",
    "ConfigMap": "configmaps",
    "GitRepository": "gitrepositories",
    "OCIRepository": "ocirepositories",
    "Bucket": "buckets",
    "HelmChart": "helmcharts",
}
_GONE = 410

log = logging.getLogger(__name__)

User = tuple[str, str]  # namespace and name of a HelmRelease
_Place = tuple[str, str]  # namespace and name of what it refers to


@dataclass(frozen=True, slots=True)
class _Scope:
    """What one watch covers; an empty namespace means all of them."""

    api_version: str
    kind: str
    namespace: str

    def request(self, accept: str, **query: str) -> Request:
        root = "/apis" if "/" in self.api_version else "/api"
        place = f"/namespaces/{self.namespace}" if self.namespace else ""
        path = f"{root}/{self.api_version}{place}/{_PLURALS[self.kind]}"
        selectors = _SELECTORS.get(self.kind, {})
        return Request("GET", path, query={**selectors, **query}, accept=accept)


class References:
    """Knows which HelmRelease refers to what, and watches that."""

    def __init__(self, client: Client, *, everywhere: bool = True) -> None:
        """`everywhere`: whether the operator may watch all namespaces at once."""
        self._client = client
        self._everywhere = everywhere
        self._wake: Callable[[User], None] = _nobody
        self._references: dict[User, frozenset[ObjectReference]] = {}
        self._watches: dict[_Scope, _Watch] = {}
        self._endings: set[asyncio.Task[None]] = set()

    def tell(self, wake: Callable[[User], None]) -> None:
        """Have `wake` called with whoever refers to what changed; it returns at once."""
        self._wake = wake

    def refer(self, user: User, references: Collection[ObjectReference]) -> None:
        """Take note of all that a HelmRelease refers to now; nothing to forget it.

        What is in the cluster should be read after this call: what changes later wakes the user.
        """
        wanted = frozenset(references)
        before = self._references.pop(user, frozenset())
        if wanted:
            self._references[user] = wanted
        for reference in wanted - before:
            self._watch(self._scope(reference)).add(user, reference)
        for reference in before - wanted:
            scope = self._scope(reference)
            self._watches[scope].remove(user, reference)
            if not self._watches[scope].used:
                self._end(self._watches.pop(scope))

    async def settled(self) -> None:
        """Wait until every watch has begun, or was refused."""
        await asyncio.gather(*(watch.settled.wait() for watch in self._watches.values()))

    async def close(self) -> None:
        """End all watches."""
        for watch in self._watches.values():
            self._end(watch)
        self._watches.clear()
        self._references.clear()
        await asyncio.gather(*self._endings)

    def _scope(self, reference: ObjectReference) -> _Scope:
        namespace = "" if self._everywhere else reference.namespace
        return _Scope(reference.api_version, reference.kind, namespace)

    def _watch(self, scope: _Scope) -> "_Watch":
        watch = self._watches.get(scope)
        if watch is None:
            watch = self._watches[scope] = _Watch(self._client, scope, self._woken)
        return watch

    def _end(self, watch: "_Watch") -> None:
        ending = asyncio.create_task(watch.end())
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    def _woken(self, user: User) -> None:
        self._wake(user)


class _Watch:
    """One watch, and who refers to which of the objects that it covers."""

    def __init__(self, client: Client, scope: _Scope, wake: Callable[[User], None]) -> None:
        self.settled = asyncio.Event()
        self._client = client
        self._scope = scope
        self._wake = wake
        self._users: dict[_Place, set[User]] = {}
        # It serves other passes than the one that began it, and is not to log as that one.
        self._task = asyncio.create_task(self._run(), context=Context())

    @property
    def used(self) -> bool:
        """Whether anyone refers to anything."""
        return bool(self._users)

    def add(self, user: User, reference: ObjectReference) -> None:
        """Wake a user whenever an object changes."""
        self._users.setdefault(_place(reference), set()).add(user)

    def remove(self, user: User, reference: ObjectReference) -> None:
        """Wake it no more."""
        place = _place(reference)
        self._users[place].discard(user)
        if not self._users[place]:
            del self._users[place]

    async def end(self) -> None:
        """Close the watch."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            began = monotonic()
            try:
                await self._watch_from(await self._position())
            except ClusterRefused as error:
                if not error.retryable and error.code != _GONE:
                    log.info("watch refused", extra={"kind": self._scope.kind, "code": error.code})
                    self._miss()
                    await asyncio.sleep(REFUSED_SECONDS)
            except Exception:  # nobody else would notice that changes go unseen
                log.exception("a watch of references failed")
            if monotonic() - began > SOUND_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _position(self) -> str:
        """Return the resource version of the present, with the smallest list there is."""
        answer = await self._client.send(self._scope.request(METADATA_LIST, limit="1"))
        return str((answer.get("metadata") or {}).get("resourceVersion", ""))

    async def _watch_from(self, version: str) -> None:
        """Watch until a new beginning is needed; a connection that breaks is no reason for one."""
        request = self._scope.request(METADATA_ONLY)
        pause, began = FIRST_PAUSE_SECONDS, False
        while True:
            try:
                async for event in self._client.watch(request, version):
                    if not began:
                        self._miss()  # what changed before nobody saw
                    began, pause = True, FIRST_PAUSE_SECONDS
                    version = self._hand_out(event) or version
            except WatchFailed:
                return
            except ClusterRefused as error:
                if error.code != 0:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _miss(self) -> None:
        """Have everyone look: there may have been changes that were not seen."""
        for users in list(self._users.values()):
            for user in list(users):
                self._wake(user)
        self.settled.set()

    def _hand_out(self, event: WatchEvent) -> str:
        """Wake who refers to what changed; return the resource version."""
        if event.poison is not None:
            place = (event.poison.namespace, event.poison.name)
            version = event.poison.resource_version
        else:
            metadata = event.object.get("metadata") or {}
            place = (metadata.get("namespace", ""), metadata.get("name", ""))
            version = str(metadata.get("resourceVersion", ""))
        for user in list(self._users.get(place, ())):
            self._wake(user)
        return version


def _place(reference: ObjectReference) -> _Place:
    return reference.namespace, reference.name


def _nobody(_user: User) -> None:
    """Nobody has asked to be told."""
