"""The operator's own list and watch of its kinds, which survives what ends kopf's.

An ERROR event, a line that is no JSON, a frozen socket, an API server away for minutes, a CRD that
goes and comes again: each ends in a new list, never in silence. One object that cannot be decoded
is reported as poison and the others go on. A deletion that nobody saw is found by the next list.
"""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from whipstaff.errors import ClusterRefused
from whipstaff.helmrelease.names import API_VERSION, GROUP
from whipstaff.kube.client import Request, Requester, WatchEvent, WatchFailed
from whipstaff.kube.media_types import METADATA_ONLY
from whipstaff.kube.scanner import Poison
from whipstaff.reconcile.backoff import Backoff
from whipstaff.reconcile.ports import OPERATOR, Identity
from whipstaff.release.revision import JsonObject

PATH = f"/apis/{API_VERSION}"
CRDS_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
SOUND_SECONDS = 10.0  # a watch that lived as long starts the pauses anew

_NOT_FOUND = 404

log = logging.getLogger(__name__)


class Listener(Protocol):
    """Who is told; the calls return at once."""

    def changed(self, body: JsonObject) -> None:
        """An object is new, or another than before."""
        ...

    def gone(self, namespace: str, name: str, uid: str) -> None:
        """An object exists no more."""
        ...

    def poison(self, namespace: str, name: str, text: str) -> None:
        """An object exists that cannot be decoded; `text` says why, without its data."""
        ...


@dataclass(slots=True)
class _Seen:
    """What the listener knows of one namespace, or of all: uid and version of each object."""

    namespace: str  # empty: all
    objects: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    heartbeat: float = field(default_factory=monotonic)
    listed: bool = False
    absent: bool = False
    version: str = ""


class Watching:
    """Tells a Listener of all objects of one kind of ours, in the given namespaces or in all."""

    root = PATH

    def __init__(
        self,
        client: Requester,
        plural: str,
        listener: Listener,
        namespaces: Collection[str] = (),
        *,
        selector: str = "",
        identity: Identity = OPERATOR,
    ) -> None:
        """`plural` as in URLs: helmreleases; `selector` of labels, empty for all.

        The listener is told of an object that loses its labels as of one that is gone.
        """
        self._client = client
        self._plural = plural
        self._listener = listener
        self._identity = identity
        self._query = {"labelSelector": selector} if selector else {}
        self._seen = [_Seen(namespace) for namespace in sorted(set(namespaces) or {""})]
        self._crd_gone = False

    @property
    def crd_gone(self) -> bool:
        """Whether the API server does not know the kind at the moment."""
        return self._crd_gone

    @property
    def absent(self) -> bool:
        """Whether the last list was answered 404: no definition, or one that is not served yet."""
        return any(seen.absent for seen in self._seen)

    @property
    def synced(self) -> bool:
        """Whether each object was told of once."""
        return all(seen.listed for seen in self._seen)

    @property
    def silence_seconds(self) -> float:
        """How long nothing was heard: no list, event or bookmark. Liveness reads it."""
        return monotonic() - min(seen.heartbeat for seen in self._seen)

    async def run(self) -> None:
        """Tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            for seen in self._seen:
                group.create_task(self._follow(seen))

    async def _follow(self, seen: _Seen) -> None:
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        while True:
            started = monotonic()
            try:
                await self._list(seen)
                await self._watch(seen)
            except ClusterRefused as error:
                log.warning(
                    "objects are listed again",
                    extra={
                        "resource": self._plural,
                        "code": error.code,
                        "text": error.text,
                        "watched": seen.namespace,
                    },
                )
            except Exception:  # whatever it is, silence would be worse
                log.exception("a watch failed", extra={"resource": self._plural})
            if monotonic() - started > SOUND_SECONDS:
                backoff.reset()
            await backoff.pause()

    async def _list(self, seen: _Seen) -> None:
        """Tell of all that changed since, and of what is gone."""
        try:
            page = await self._client.list_all(self._request(seen))
        except ClusterRefused as error:
            if error.code == _NOT_FOUND:
                await self._miss(seen)
            raise
        self._crd_gone = seen.absent = False
        seen.heartbeat = monotonic()
        present = {_key(body) for body in page.items}
        present |= {(poison.namespace, poison.name) for poison in page.poison}
        for key in set(seen.objects) - present:
            self._forget(seen, key)
        for body in page.items:
            self._tell(seen, body)
        for poison in page.poison:
            self._tell_poison(seen, poison)
        seen.version = page.resource_version
        seen.listed = True

    async def _miss(self, seen: _Seen) -> None:
        """Answer a 404 of the list: no CRD, or an API server that has not read it yet."""
        seen.heartbeat = monotonic()
        seen.absent = True
        if await self._crd_metadata() is not None:
            return
        self._crd_gone = True
        for key in list(seen.objects):
            self._forget(seen, key)

    async def _watch(self, seen: _Seen) -> None:
        """Watch until a new list is needed; a connection that ends is no reason for one."""
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        while True:
            try:
                async for event in self._client.watch(self._request(seen), seen.version):
                    seen.heartbeat = monotonic()
                    self._take(seen, event)
                    backoff.reset()
            except WatchFailed:
                raise
            except ClusterRefused as error:
                if error.code != 0:
                    raise
                log.info("a watch broke", extra={"resource": self._plural, "text": error.text})
            await backoff.pause()

    def _take(self, seen: _Seen, event: WatchEvent) -> None:
        if event.poison is not None:
            key = (event.poison.namespace, event.poison.name)
            if event.type == "DELETED":
                self._forget(seen, key)
            else:
                self._tell_poison(seen, event.poison)
            seen.version = event.poison.resource_version or seen.version
            return
        match event.type:
            case "ADDED" | "MODIFIED":
                self._tell(seen, event.object)
            case "DELETED":
                self._forget(seen, _key(event.object))
            case _:
                pass  # a bookmark moves the version alone
        metadata = event.object.get("metadata") or {}
        seen.version = str(metadata.get("resourceVersion") or seen.version)

    def _tell(self, seen: _Seen, body: JsonObject) -> None:
        metadata = body.get("metadata") or {}
        facts = (str(metadata.get("uid", "")), str(metadata.get("resourceVersion", "")))
        if self._note(seen, _key(body), facts):
            metadata.pop("managedFields", None)
            self._listener.changed(body)

    def _tell_poison(self, seen: _Seen, poison: Poison) -> None:
        if not poison.name:
            log.error("an object without a readable name is skipped", extra={"text": poison.text})
            return
        key, facts = (poison.namespace, poison.name), (poison.uid, poison.resource_version)
        if self._note(seen, key, facts):
            self._listener.poison(*key, poison.text)

    def _note(self, seen: _Seen, key: tuple[str, str], facts: tuple[str, str]) -> bool:
        """Remember an object; False if it was told of as it is."""
        known = seen.objects.get(key)
        if known == facts and all(facts):
            return False
        if known is not None and known[0] != facts[0]:
            self._listener.gone(*key, known[0])  # deleted and made anew between two lists
        seen.objects[key] = facts
        return True

    def _forget(self, seen: _Seen, key: tuple[str, str]) -> None:
        known = seen.objects.pop(key, None)
        if known is not None:
            self._listener.gone(*key, known[0])

    async def _crd_metadata(self) -> JsonObject | None:
        """Read our CRD's metadata, None if there is none; {} if we may not know."""
        try:
            found = await self._client.send(
                Request(
                    "GET",
                    f"{CRDS_PATH}/{self._plural}.{GROUP}",
                    self._identity,
                    accept=METADATA_ONLY,
                    attempts=2,
                )
            )
        except ClusterRefused as error:
            return None if error.code == _NOT_FOUND else {}
        metadata: JsonObject = found.get("metadata") or {}
        return metadata

    def _request(self, seen: _Seen) -> Request:
        place = f"/namespaces/{seen.namespace}" if seen.namespace else ""
        path = f"{self.root}{place}/{self._plural}"
        return Request("GET", path, self._identity, query=self._query)


class WatchingCore(Watching):
    """The same of a kind of Kubernetes' own core, such as secrets."""

    root = "/api/v1"


def _key(body: JsonObject) -> tuple[str, str]:
    metadata = body.get("metadata") or {}
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))
