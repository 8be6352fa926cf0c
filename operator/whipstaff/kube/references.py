"""Wakes HelmReleases when an object changes that they refer to: values, a chart or its source.

One watch serves all references to a kind: of the whole cluster, or of a namespace where the
operator may see no more. It opens with the first reference and closes with the last. It asks for
metadata alone, begins at the present and leaves out what Helm stores, so that no Secret is ever
listed and none of their content passes through here; whoever is woken reads what it refers to, as
whom its release acts (docs/decisions/0008-watching-references.md).
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from whipstaff.kube.client import Client, Request, WatchEvent
from whipstaff.kube.metadata_watch import MetadataWatch
from whipstaff.reconcile.ports import ObjectReference

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
        self._wake = wake
        self._users: dict[_Place, set[User]] = {}
        self._watch = MetadataWatch(client, scope, self)

    @property
    def settled(self) -> asyncio.Event:
        """Set once it has begun, or was refused."""
        return self._watch.settled

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
        await self._watch.end()

    def missed(self) -> None:
        """Have everyone look."""
        for users in list(self._users.values()):
            for user in list(users):
                self._wake(user)

    def happened(self, event: WatchEvent) -> None:
        """Wake who refers to what changed."""
        if event.poison is not None:
            place = (event.poison.namespace, event.poison.name)
        else:
            metadata = event.object.get("metadata") or {}
            place = (metadata.get("namespace", ""), metadata.get("name", ""))
        for user in list(self._users.get(place, ())):
            self._wake(user)


def _place(reference: ObjectReference) -> _Place:
    return reference.namespace, reference.name


def _nobody(_user: User) -> None:
    """Nobody has asked to be told."""
