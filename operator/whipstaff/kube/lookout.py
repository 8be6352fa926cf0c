"""Wakes HelmReleases when objects of their releases are changed by somebody else: the Lookout port.

One watch serves all objects of a kind that Helm manages: of the whole cluster, or of a namespace
where the operator may see no more. It opens with the first object and closes with the last, and
asks for metadata alone: managedFields tell whether what a release owns was touched. What its own
applies change is known by the resource version, and wakes nobody.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from whipstaff.errors import ClusterRefused
from whipstaff.kube.client import Client, Request, WatchEvent
from whipstaff.kube.discovery import Discoveries, Resource
from whipstaff.kube.metadata_watch import MetadataWatch
from whipstaff.planning.drift import fingerprint
from whipstaff.reconcile.ports import OPERATOR, HelmReleaseName, Identity, ObjectReference
from whipstaff.release.manifests import MANAGED_BY, MANAGED_BY_LABEL
from whipstaff.release.revision import JsonObject

WATCH_LIMIT = 256  # beyond it objects are looked at by interval: a watch holds a connection
BEGIN_SECONDS = 5.0  # a pass waits no longer for its watches to begin
GATHER_SECONDS = 0.2  # one edit may be several events
REST_SECONDS = 5.0  # between two wakes of one HelmRelease

_NOT_AS_IT_SHOULD = "drifted"  # for a fingerprint: no object has it
_Place = tuple[str, str]  # namespace and name


@dataclass(frozen=True, slots=True)
class _Scope:
    """What one watch covers; an empty namespace means all of them."""

    resource: Resource
    namespace: str

    @property
    def kind(self) -> str:
        return self.resource.kind

    def request(self, accept: str, **query: str) -> Request:
        selector = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
        path = self.resource.path(self.namespace)
        return Request("GET", path, query={"labelSelector": selector, **query}, accept=accept)


@dataclass(frozen=True, slots=True)
class _Seen:
    """An object as it was at a resource version; without a fingerprint it did not exist."""

    version: int = 0
    fingerprint: str = ""


@dataclass(slots=True)
class _User:
    """What one HelmRelease wants to hear of."""

    scopes: dict[ObjectReference, "_Scope | None"] = field(default_factory=dict)  # None: unwatched
    token: str = ""  # none while nothing is settled
    held: bool = True  # a pass is under way
    missed: bool = True  # anything may have changed
    stirred: bool = False  # something changed that the pass under way may not have seen
    expected: dict[ObjectReference, _Seen] = field(default_factory=dict)
    latest: dict[ObjectReference, _Seen] = field(default_factory=dict)  # by events
    timer: asyncio.TimerHandle | None = None
    woken_at: float = float("-inf")

    def note(self, reference: ObjectReference, seen: _Seen) -> bool:
        """Take note of an event; True if it is about something new."""
        if seen.version >= self.latest.get(reference, _Seen()).version:
            self.latest[reference] = seen
        return self._is_news(reference)

    def settle(self, expected: Mapping[ObjectReference, _Seen], token: str) -> None:
        known = {**self.expected, **expected}
        self.expected = {each: known[each] for each in self.scopes if each in known}
        self.token = token
        self.latest = {each: self.latest[each] for each in self.news()}
        self.stirred = self.moved

    @property
    def moved(self) -> bool:
        """Whether something changed since it was settled, or nothing is."""
        return self.missed or not self.token or bool(self.news())

    def news(self) -> Collection[ObjectReference]:
        """Return what is another than it was settled as."""
        return [each for each in self.latest if each in self.scopes and self._is_news(each)]

    def _is_news(self, reference: ObjectReference) -> bool:
        seen, known = self.latest[reference], self.expected.get(reference, _Seen())
        return seen.version > known.version and seen.fingerprint != known.fingerprint


class ApiServerLookout:
    """The watches, and who heeds which of the objects that they cover."""

    def __init__(self, client: Client, discoveries: Discoveries, *, everywhere: bool) -> None:
        """`everywhere`: whether the operator may watch all namespaces at once."""
        self._client = client
        self._discoveries = discoveries
        self._everywhere = everywhere
        self._wake: Callable[[HelmReleaseName], None] = _nobody
        self._users: dict[HelmReleaseName, _User] = {}
        self._watches: dict[_Scope, _Watch] = {}
        self._endings: set[asyncio.Task[None]] = set()

    def tell(self, wake: Callable[[HelmReleaseName], None]) -> None:
        """Have `wake` called with whoever has something to look at; it returns at once."""
        self._wake = wake

    @property
    def watch_count(self) -> int:
        """How many watches there are now."""
        return len(self._watches)

    async def close(self) -> None:
        """End all watches."""
        for name in list(self._users):
            self.forget(name)
        await asyncio.gather(*self._endings)

    async def heed(
        self,
        user: HelmReleaseName,
        references: Collection[ObjectReference],
        identity: Identity,
        token: str,
    ) -> Collection[ObjectReference] | None:
        one = self._users.setdefault(user, _User())
        scopes = {each: await self._scope(each, identity) for each in references}
        before, one.scopes = one.scopes, {}
        for reference, scope in scopes.items():
            one.scopes[reference] = scope if self._join(user, reference, scope) else None
        for reference, scope in before.items():
            if scope is not None and one.scopes.get(reference) != scope:
                self._leave(user, reference, scope)
        await self._begun({scope for scope in one.scopes.values() if scope})
        settled = one.token == token and not one.missed and before.keys() == one.scopes.keys()
        if settled and self._sees(one):
            return one.news()
        one.token, one.missed = "", False
        one.expected.clear()
        return None

    def _sees(self, one: _User) -> bool:
        """Whether every change of its objects is told of."""
        return all(scope and self._watches[scope].live for scope in one.scopes.values())

    def settle(
        self,
        user: HelmReleaseName,
        token: str,
        seen: Mapping[ObjectReference, JsonObject | None],
        drifted: Collection[ObjectReference] = (),
    ) -> None:
        one = self._users.get(user)
        if one is not None:
            expected = {each: _seen(each.kind, body) for each, body in seen.items()}
            for each in drifted:
                expected[each] = _Seen(expected.get(each, _Seen()).version, _NOT_AS_IT_SHOULD)
            one.settle(expected, token)

    def unmoved(self, user: HelmReleaseName, token: str) -> bool:
        one = self._users.get(user)
        if one is None or one.moved or one.token != token:
            return False
        return self._sees(one)

    def hold(self, user: HelmReleaseName) -> None:
        one = self._users.get(user)
        if one is not None:
            one.held, one.stirred = True, False

    def release(self, user: HelmReleaseName) -> None:
        one = self._users.get(user)
        if one is not None:
            one.held = False
            if one.stirred:
                self._wake_soon(user, one)

    def forget(self, user: HelmReleaseName) -> None:
        one = self._users.pop(user, None)
        if one is None:
            return
        if one.timer is not None:
            one.timer.cancel()
        for reference, scope in one.scopes.items():
            if scope is not None:
                self._leave(user, reference, scope)

    async def _scope(self, reference: ObjectReference, identity: Identity) -> _Scope | None:
        """Choose the watch for an object, None if there can be none."""
        if identity.remote is not None:
            return None
        try:
            discovery = self._discoveries.of(OPERATOR)
            resource = await discovery.find(reference.api_version, reference.kind)
        except ClusterRefused:
            return None
        if resource is None or "watch" not in resource.verbs:
            return None
        return _Scope(resource, "" if self._everywhere else reference.namespace)

    def _join(
        self, user: HelmReleaseName, reference: ObjectReference, scope: _Scope | None
    ) -> bool:
        if scope is None:
            return False
        watch = self._watches.get(scope)
        if watch is None:
            if len(self._watches) >= WATCH_LIMIT:
                return False
            watch = self._watches[scope] = _Watch(self._client, scope, self._happened)
        watch.add(user, reference)
        return True

    def _leave(self, user: HelmReleaseName, reference: ObjectReference, scope: _Scope) -> None:
        watch = self._watches[scope]
        watch.remove(user, reference)
        if not watch.users:
            del self._watches[scope]
            ending = asyncio.create_task(watch.feed.end())
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def _begun(self, scopes: Collection[_Scope]) -> None:
        """Wait until the watches have begun, so that nothing is missed that is read after."""
        waits = (self._watches[scope].feed.settled.wait() for scope in scopes)
        try:
            async with asyncio.timeout(BEGIN_SECONDS):
                await asyncio.gather(*waits)
        except TimeoutError:
            pass  # what it will have missed it will tell

    def _happened(
        self, user: HelmReleaseName, reference: ObjectReference | None, seen: _Seen
    ) -> None:
        """Take note of a change; without a reference anything may have changed."""
        one = self._users.get(user)
        if one is None:
            return
        if reference is None:
            one.missed = True
        elif not one.note(reference, seen):
            return
        one.stirred = True
        if not one.held:
            self._wake_soon(user, one)

    def _wake_soon(self, user: HelmReleaseName, one: _User) -> None:
        if one.timer is None:
            loop = asyncio.get_running_loop()
            rested_at = one.woken_at + REST_SECONDS
            at = max(loop.time() + GATHER_SECONDS, rested_at)
            one.timer = loop.call_at(at, self._wake_now, user, one)

    def _wake_now(self, user: HelmReleaseName, one: _User) -> None:
        one.timer = None
        if one.moved and not one.held:
            one.woken_at = asyncio.get_running_loop().time()
            self._wake(user)


class _Watch:
    """One watch, and who heeds which of its objects."""

    def __init__(
        self,
        client: Client,
        scope: _Scope,
        happened: Callable[[HelmReleaseName, ObjectReference | None, _Seen], None],
    ) -> None:
        self.users: dict[_Place, set[tuple[HelmReleaseName, ObjectReference]]] = {}
        self.feed = MetadataWatch(client, scope, self)
        self._kind = scope.kind
        self._happened = happened

    @property
    def live(self) -> bool:
        """Whether every change is told of."""
        return self.feed.live

    def add(self, user: HelmReleaseName, reference: ObjectReference) -> None:
        """Tell a HelmRelease of an object."""
        self.users.setdefault(_place(reference), set()).add((user, reference))

    def remove(self, user: HelmReleaseName, reference: ObjectReference) -> None:
        """Tell it no more."""
        place = _place(reference)
        self.users[place].discard((user, reference))
        if not self.users[place]:
            del self.users[place]

    def missed(self) -> None:
        """Have everyone look, but where nobody may watch: there each interval does."""
        if not self.live:
            return
        for user in {user for users in self.users.values() for user, _ in users}:
            self._happened(user, None, _Seen())

    def happened(self, event: WatchEvent) -> None:
        """Tell who heeds the object."""
        if event.poison is not None:
            place = (event.poison.namespace, event.poison.name)
            seen = _Seen(_number(event.poison.resource_version), "unreadable")
        else:
            metadata = event.object.get("metadata") or {}
            place = (metadata.get("namespace", ""), metadata.get("name", ""))
            seen = _seen(self._kind, event.object)
            if event.type == "DELETED":  # it may only have lost its label
                seen = _Seen(seen.version)
        for user, reference in list(self.users.get(place, ())):
            self._happened(user, reference, seen)


def _seen(kind: str, body: JsonObject | None) -> _Seen:
    if body is None:
        return _Seen()
    metadata = body.get("metadata") or {}
    version = _number(metadata.get("resourceVersion"))
    return _Seen(version, fingerprint(kind, metadata))


def _number(version: object) -> int:
    """Read a resource version, which is an ever greater number for objects of one kind."""
    return int(version) if isinstance(version, str) and version.isdecimal() else 0


def _place(reference: ObjectReference) -> _Place:
    return reference.namespace, reference.name


def _nobody(_user: HelmReleaseName) -> None:
    """Nobody has asked to be told."""
