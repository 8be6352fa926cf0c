"""Which kinds the cluster serves, where, and what charts may read of it as .Capabilities.

One read by the operator itself serves all releases: discovery holds no release's data. A dead
APIService costs only its own group.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import quote

from whipstaff.errors import ClusterRefused
from whipstaff.kube.client import Request, Requester
from whipstaff.kube.media_types import JSON
from whipstaff.reconcile.ports import OPERATOR, ClusterCapabilities, Identity, RemoteCluster
from whipstaff.release.revision import JsonObject

FRESH_SECONDS = 60.0
# A kind that is missing may have come a moment ago with its CRD: ask again, but not all the time.
MISSING_SECONDS = 1.0
CLUSTERS_KEPT = 32  # a reading takes up to a mebibyte

_UNAVAILABLE = 503
AGGREGATED = f"{JSON};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,{JSON}"
_AGGREGATED_LIST = "APIGroupDiscoveryList"


@dataclass(frozen=True, slots=True)
class Resource:
    """How a kind is reached."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of an object, or of the collection; no namespace means all of them."""
        root = "/api" if "/" not in self.api_version else "/apis"
        place = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        last = f"/{quote(name, safe='')}" if name else ""
        return f"{root}/{self.api_version}{place}/{self.plural}{last}"


@dataclass(frozen=True, slots=True)
class _Kinds:
    """One reading of discovery."""

    read_at: float
    resources: Mapping[tuple[str, str], Resource]
    capabilities: ClusterCapabilities
    away: frozenset[str]  # group versions whose own server does not answer

    def has_group_version(self, api_version: str) -> bool:
        return api_version in self.capabilities.api_versions


@dataclass(frozen=True, slots=True)
class _Found:
    """One group version and what it serves; `kinds` has those of subresources too."""

    api_version: str
    resources: tuple[Resource, ...]
    kinds: frozenset[str]


class Discovery:
    """Reads lazily, shares one reading, and reads again when a kind is missing."""

    def __init__(
        self,
        client: Requester,
        identity: Identity = OPERATOR,
        *,
        fresh_seconds: float = FRESH_SECONDS,
    ) -> None:
        self._client = client
        self._identity = identity
        self._fresh_seconds = fresh_seconds
        self._kinds: _Kinds | None = None
        self._reading = asyncio.Lock()

    def forget(self) -> None:
        """Read again at the next question."""
        self._kinds = None

    async def capabilities(self) -> ClusterCapabilities:
        """Return version and kinds, at most a minute old."""
        return (await self._at_most(self._fresh_seconds)).capabilities

    async def find(self, api_version: str, kind: str) -> Resource | None:
        """Return how a kind is reached, None if the cluster does not serve it.

        A group whose server is away is no group without kinds: ClusterRefused(503).
        """
        kinds = await self._at_most(self._fresh_seconds)
        found = kinds.resources.get((api_version, kind))
        if found is None:
            kinds = await self._at_most(MISSING_SECONDS)
            found = kinds.resources.get((api_version, kind))
        if found is None and api_version in kinds.away:
            raise ClusterRefused(
                f"the server of {api_version} is away", _UNAVAILABLE, "ServiceUnavailable"
            )
        return found

    async def serves(self, api_version: str) -> bool:
        """Whether the cluster has this group version."""
        return (await self._at_most(self._fresh_seconds)).has_group_version(api_version)

    async def _at_most(self, seconds: float) -> _Kinds:
        async with self._reading:
            known = self._kinds
            if known is None or monotonic() - known.read_at > seconds:
                try:
                    known = self._kinds = await self._read()
                except ClusterRefused as error:
                    # What was known goes on being true while the API server is away.
                    if known is None or not error.retryable:
                        raise
            return known

    async def _read(self) -> _Kinds:
        read_at, who = monotonic(), self._identity
        version, core, groups = await asyncio.gather(
            self._client.send(Request("GET", "/version", who)),
            self._client.send(Request("GET", "/api", who, accept=AGGREGATED)),
            self._client.send(Request("GET", "/apis", who, accept=AGGREGATED)),
        )
        if core.get("kind") == groups.get("kind") == _AGGREGATED_LIST:
            found = [*_aggregated(core), *_aggregated(groups)]
            away = _stale(groups)
        else:
            found, away = await self._read_each(core, groups)
        resources = {
            (resource.api_version, resource.kind): resource
            for group_version in found
            for resource in group_version.resources
        }
        names = _names(found)
        capabilities = ClusterCapabilities(str(version.get("gitVersion", "")), names)
        return _Kinds(read_at, resources, capabilities, away)

    async def _read_each(
        self, core: JsonObject, groups: JsonObject
    ) -> tuple[list[_Found], frozenset[str]]:
        """Ask each group version by itself, as before Kubernetes 1.26."""
        names = [str(version) for version in core.get("versions") or ()]
        for group in groups.get("groups") or ():
            names += [str(version["groupVersion"]) for version in group.get("versions") or ()]
        found = await asyncio.gather(*(self._read_one(name) for name in names))
        away = frozenset(name for name, one in zip(names, found, strict=True) if one is None)
        return [one for one in found if one is not None], away

    async def _read_one(self, api_version: str) -> _Found | None:
        root = "/api" if "/" not in api_version else "/apis"
        try:
            answer = await self._client.send(
                Request(
                    "GET",
                    f"{root}/{api_version}",
                    self._identity,
                    attempts=2,
                    timeout_seconds=10.0,
                )
            )
        except ClusterRefused:
            return None  # a dead APIService
        entries = answer.get("resources") or ()
        return _Found(
            api_version,
            tuple(_plain_resource(api_version, entry) for entry in _without_subresources(entries)),
            frozenset(str(entry.get("kind", "")) for entry in entries),
        )


class Discoveries:
    """The discovery of each cluster: its own, and those that were asked for last."""

    def __init__(self, client: Requester) -> None:
        self._client = client
        self._known: OrderedDict[RemoteCluster | None, Discovery] = OrderedDict()

    def of(self, identity: Identity) -> Discovery:
        """Return what is known of the cluster in which someone acts."""
        remote = identity.remote
        found = self._known.get(remote)
        if found is None:
            found = self._known[remote] = Discovery(self._client, identity.unimpersonated)
        self._known.move_to_end(remote)
        if len(self._known) > CLUSTERS_KEPT:
            self._known.popitem(last=False)
        return found

    def forget(self) -> None:
        """Read again at the next question, in every cluster."""
        for discovery in self._known.values():
            discovery.forget()


def _plain_resource(api_version: str, entry: Mapping[str, Any]) -> Resource:
    return Resource(
        api_version=api_version,
        kind=str(entry.get("kind", "")),
        plural=str(entry.get("name", "")),
        namespaced=bool(entry.get("namespaced")),
        verbs=frozenset(entry.get("verbs") or ()),
    )


def _aggregated_resource(api_version: str, entry: Mapping[str, Any]) -> Resource:
    return Resource(
        api_version=api_version,
        kind=_kind_of(entry),
        plural=str(entry.get("resource", "")),
        namespaced=entry.get("scope") == "Namespaced",
        verbs=frozenset(entry.get("verbs") or ()),
    )


def _aggregated(answer: JsonObject) -> Iterator[_Found]:
    for group in answer.get("items") or ():
        name = (group.get("metadata") or {}).get("name", "")
        for version in group.get("versions") or ():
            if version.get("freshness") == "Stale":
                continue  # a dead APIService: what it served last says nothing
            api_version = f"{name}/{version['version']}" if name else str(version["version"])
            entries = version.get("resources") or ()
            yield _Found(
                api_version,
                tuple(
                    _aggregated_resource(api_version, entry) for entry in entries if _kind_of(entry)
                ),
                frozenset(_kinds_of(entries)),
            )


def _stale(answer: JsonObject) -> frozenset[str]:
    return frozenset(
        f"{(group.get('metadata') or {}).get('name', '')}/{version['version']}"
        for group in answer.get("items") or ()
        for version in group.get("versions") or ()
        if version.get("freshness") == "Stale"
    )


def _kinds_of(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for entry in entries:
        yield _kind_of(entry)
        for subresource in entry.get("subresources") or ():
            yield _kind_of(subresource)


def _kind_of(entry: Mapping[str, Any]) -> str:
    return str((entry.get("responseKind") or {}).get("kind", ""))


def _without_subresources(entries: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    return (entry for entry in entries if "/" not in str(entry.get("name", "")))


def _names(found: Iterable[_Found]) -> tuple[str, ...]:
    """Name group versions and kinds as Helm does: kinds of subresources count too."""
    names = set()
    for group_version in found:
        names.add(group_version.api_version)
        names.update(f"{group_version.api_version}/{kind}" for kind in group_version.kinds if kind)
    return tuple(sorted(names))
