"""The clusters that are answered for: the gateway's own, and those that labelled Secrets lead to.

Each has a cache of its own and is looked at again and again, so that one which does not answer is
known before anybody asks for it, and holds nobody up. A Secret whose content is another leads to
another cluster: nothing that was known of the one before is kept.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import TypeVar

from whipstaff.errors import ClusterRefused, OperatorError, RemoteClusterUnreachable
from whipstaff.gateway.cache import ReleaseCache
from whipstaff.gateway.callers import Caller, elsewhere
from whipstaff.gateway.problems import Problem, not_found, of_error
from whipstaff.helmrelease.names import API_VERSION, PLURAL
from whipstaff.kube.client import Request, Requester
from whipstaff.kube.remote import RemoteClusters
from whipstaff.kube.watching import WatchingCore
from whipstaff.reconcile.ports import Identity, Person, RemoteCluster
from whipstaff.release.revision import JsonObject

LABEL = "whipstaff.dev/cluster"
LOOK_SECONDS = 5.0  # between two looks at a cluster
LOOKING_SECONDS = 5.0  # of one look
SYNC_LOOK_SECONDS = 0.05  # between two looks whether a cache is there
SYNC_SECONDS = 5.0  # a list waits so long for a cache that was just begun
ACROSS_SECONDS = 5.0  # a list of all clusters waits so long for each

Found = TypeVar("Found")

log = logging.getLogger(__name__)


class StoredKubeconfigs:
    """The Secrets that lead to other clusters, as the watch tells of them."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], JsonObject] = {}
        self.listener: Callable[[], None] = lambda: None  # called after each change

    async def secret(self, namespace: str, name: str) -> JsonObject | None:
        """Return a Secret as it was seen last."""
        return self._held.get((namespace, name))

    def places(self) -> dict[str, tuple[tuple[RemoteCluster, str], ...]]:
        """Return the Secrets for each name of a cluster, with what tells their contents apart."""
        found: dict[str, tuple[tuple[RemoteCluster, str], ...]] = {}
        for (namespace, secret), body in sorted(self._held.items()):
            labels = (body.get("metadata") or {}).get("labels") or {}
            name = str(labels.get(LABEL) or secret)
            data = json.dumps(body.get("data"), sort_keys=True)
            digest = hashlib.sha256(data.encode("utf-8", "replace")).hexdigest()
            found[name] = (*found.get(name, ()), (RemoteCluster(namespace, secret), digest))
        return found

    def changed(self, body: JsonObject) -> None:
        """Take a Secret as it is now."""
        metadata = body["metadata"]
        self._held[str(metadata.get("namespace")), str(metadata.get("name"))] = body
        self.listener()

    def gone(self, namespace: str, name: str, uid: str) -> None:
        """Forget one."""
        self._held.pop((namespace, name), None)
        self.listener()

    def poison(self, namespace: str, name: str, text: str) -> None:
        """Take one that cannot be decoded for one that leads nowhere."""
        log.warning("a Secret cannot be read", extra={"secret": name, "problem": text})
        self.gone(namespace, name, "")


class Cluster:
    """One cluster: its releases, and whether it answers."""

    def __init__(
        self,
        name: str,
        cache: ReleaseCache,
        places: tuple[tuple[RemoteCluster, str], ...] = (),
        *,
        namespace: str = "",
        unusable: str = "",
    ) -> None:
        """Take what it is called and where it is.

        `places`: the one Secret that leads there, none if the gateway itself is there.
        `namespace`: where its HelmReleases may be listed, empty for everywhere.
        `unusable`: why it is never asked, whatever its kubeconfig says.
        """
        self.name = name
        self.cache = cache
        self.places = places
        self.trouble = unusable  # why it cannot be asked, empty if it can
        self.ended = False  # the gateway does not answer for it any more
        self._looked_at = bool(unusable)
        self._announced = self.own  # streams were told to read the list
        self._namespace = namespace
        self._unusable = bool(unusable)
        self._began = monotonic()

    @property
    def own(self) -> bool:
        """Whether the gateway runs in it."""
        return not self.places

    @property
    def state(self) -> str:
        """Why it does not answer, as far as is known; empty if it does."""
        return self.trouble or ("" if self._looked_at else "it was not asked yet")

    def caller(self, caller: Caller) -> Caller:
        """Return a caller as this cluster is told of them; Problem(403) if it cannot be."""
        if self._unusable:
            raise Problem(HTTPStatus.BAD_GATEWAY, self.trouble)
        return caller if self.own else elsewhere(caller, *self.places[0])

    async def synced(self) -> bool:
        """Wait until its releases are known, or cannot be, not for long; whether they are."""
        until = (monotonic() if self.own else self._began) + SYNC_SECONDS
        while not (self._is_known or self.trouble or monotonic() > until):  # noqa: ASYNC110 - at first
            await asyncio.sleep(SYNC_LOOK_SECONDS)
        return self._is_known

    @property
    def _is_known(self) -> bool:
        return self._announced and self.cache.synced

    async def run(self, client: Requester, reader: Person) -> None:
        """Look at it, and follow its releases from the first moment that it answers."""
        self._began = monotonic()
        remote = None if self.own else self.places[0][0]
        place = f"/namespaces/{self._namespace}" if self._namespace else ""
        look = Request(
            "GET",
            f"/apis/{API_VERSION}{place}/{PLURAL}",
            Identity(person=reader, remote=remote),
            query={"limit": "1"},
            timeout_seconds=LOOKING_SECONDS,
            attempts=1,
        )
        async with asyncio.TaskGroup() as group:
            following = self.own
            if following:
                group.create_task(self.cache.run())
            while True:
                self._note(*await _looked(client, look))
                if not following and not self.trouble:
                    following = True
                    group.create_task(self.cache.run())
                    group.create_task(self._announce())
                await asyncio.sleep(LOOK_SECONDS)

    async def _announce(self) -> None:
        """Have streams read the list, once there is one of this cluster."""
        while not self.cache.synced:  # noqa: ASYNC110 - only in its first moments
            await asyncio.sleep(SYNC_LOOK_SECONDS)
        self.cache.changes.reset()
        self._announced = True

    def _note(self, trouble: str, problem: str) -> None:
        if trouble != self.trouble:
            facts = {"cluster": self.name, "reachable": not trouble, "problem": problem}
            log.info("a cluster changed", extra=facts)
        self.trouble = trouble
        self._looked_at = True


async def _looked(client: Requester, look: Request) -> tuple[str, str]:
    """Return why a cluster cannot be asked, to be told, and the same for the log."""
    try:
        await client.send(look)
    except OperatorError as error:
        return told(error), error.text
    except Exception:  # a cluster that is not looked at would be taken for sound
        log.exception("a cluster cannot be looked at")
        return "it cannot be asked", ""
    return "", ""


def told(error: Exception) -> str:
    """Say why a cluster gave no answer, without addresses."""
    match error:
        case ClusterRefused(code=HTTPStatus.NOT_FOUND):
            return "HelmReleases are not defined there"
        case RemoteClusterUnreachable() | ClusterRefused(code=0):
            return "it does not answer"
        case OperatorError():
            return of_error(error).detail
        case Problem():
            return error.detail
        case _:
            return f"it did not answer within {ACROSS_SECONDS:.0f} s"


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A cluster that gave no answer, and why."""

    cluster: str
    reason: str


@dataclass(frozen=True, slots=True)
class Beyond:
    """How other clusters are found and reached."""

    remotes: RemoteClusters
    stored: StoredKubeconfigs
    namespace: str  # whose Secrets are watched; empty: there are no other clusters
    reader: Person  # who watches them


class Clusters:
    """All of them, by name."""

    def __init__(self, client: Requester, reader: Person, home: Cluster, beyond: Beyond) -> None:
        """`reader`: as whom HelmReleases are read in each cluster."""
        self.home = home
        self._client = client
        self._reader = reader
        self._beyond = beyond
        self._others: dict[str, Cluster] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __iter__(self) -> Iterator[Cluster]:
        yield self.home
        yield from (self._others[name] for name in sorted(self._others))

    def named(self, name: str) -> Cluster:
        """Return one, the gateway's own without a name; Problem(404) if there is none."""
        if name in ("", self.home.name):
            return self.home
        if name not in self._others:
            raise not_found(f"there is no cluster {name}")
        return self._others[name]

    async def across(
        self, ask: Callable[[Cluster], Awaitable[Found]]
    ) -> tuple[list[Found], list[Unreachable]]:
        """Ask all clusters at once; those without an answer in time are named.

        Where there is but one, its failure is the answer.
        """
        every = list(self)
        if len(every) == 1:
            return [await ask(self.home)], []
        answers = await asyncio.gather(*(_bounded(ask, one) for one in every))
        found = [one[0] for one in answers if isinstance(one, tuple)]
        return found, [one for one in answers if isinstance(one, Unreachable)]

    async def run(self) -> None:
        """Follow all clusters until cancelled, and the Secrets that lead to them."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.home.run(self._client, self._reader))
            if not self._beyond.namespace:
                return
            self._beyond.stored.listener = lambda: self._sort_out(group)
            watching = WatchingCore(
                self._client,
                "secrets",
                self._beyond.stored,
                [self._beyond.namespace],
                selector=LABEL,
                identity=Identity(person=self._beyond.reader),
            )
            group.create_task(watching.run())

    def _sort_out(self, group: asyncio.TaskGroup) -> None:
        """Begin with what is new, end what is gone; what is another is both."""
        wanted = self._beyond.stored.places()
        for name in [name for name, one in self._others.items() if wanted.get(name) != one.places]:
            self._end(name)
        for name in [name for name in wanted if name not in self._others]:
            cluster = self._others[name] = self._made(name, wanted[name])
            log.info("cluster begun", extra={"cluster": name, "trouble": cluster.trouble})
            if not cluster.trouble:
                running = cluster.run(self._client, self._reader)
                self._tasks[name] = group.create_task(running)

    def _end(self, name: str) -> None:
        cluster = self._others.pop(name)
        cluster.ended = True
        log.info("cluster ended", extra={"cluster": name})
        if name in self._tasks:
            self._tasks.pop(name).cancel()
        for remote, _ in cluster.places:
            self._beyond.remotes.forget(remote)
        self.home.cache.changes.reset()

    def _made(self, name: str, places: tuple[tuple[RemoteCluster, str], ...]) -> Cluster:
        why = ""
        secrets = " and ".join(remote.secret for remote, _ in places)
        if name == self.home.name:
            why = f"Secret {secrets} has the name of the gateway's own cluster"
        elif len(places) > 1:  # whoever is asked might be the wrong one
            why = f"Secrets {secrets} are both for a cluster of this name"
        reader = Identity(person=self._reader, remote=places[0][0])
        changes = self.home.cache.changes  # one log for all, for there are streams of all
        cache = ReleaseCache(self._client, reader, changes, cluster=name)
        return Cluster(name, cache, places, unusable=why)


async def _bounded(
    ask: Callable[[Cluster], Awaitable[Found]], cluster: Cluster
) -> tuple[Found] | Unreachable:
    if cluster.trouble:
        return Unreachable(cluster.name, cluster.trouble)
    try:
        async with asyncio.timeout(ACROSS_SECONDS):
            return (await ask(cluster),)
    except (OperatorError, Problem, TimeoutError) as error:
        return Unreachable(cluster.name, told(error))
