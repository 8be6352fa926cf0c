"""What repositories offer, as far as the caller may read them, and which releases are behind.

HelmRepositories and their logins are read as the caller; an index that was fetched with a login
is shown again only to who may read that login, too.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from whipstaff.errors import ClusterRefused, InvalidSpec, OperatorError
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.problems import of_error
from whipstaff.golang.semver import SemverError, Version
from whipstaff.helmrelease.names import API_VERSION
from whipstaff.helmrepository.parsing import parse
from whipstaff.helmrepository.types import HelmRepository
from whipstaff.kube.client import Request, Requester
from whipstaff.reconcile.ports import Identity
from whipstaff.release.revision import JsonObject
from whipstaff.sources.charts import Charts
from whipstaff.sources.entries import entries_of, names_of
from whipstaff.sources.repository import HTTPRepositories

MAX_AGE_SECONDS = 300.0  # of an index
WAIT_SECONDS = 8.0  # for an index; it goes on being read for the next who asks
REPOSITORIES_LIMIT = 100
NAMESPACES_LIMIT = 100  # that are asked one by one, of who may not list all
RELEASES_LIMIT = 2000  # that are looked at
_PLURAL = "helmrepositories"
_REGISTRY = "oci://"


@dataclass(frozen=True, slots=True)
class Offered:
    """A HelmRepository of a cluster, and the file of its index or why there is none."""

    cluster: str
    repository: HelmRepository
    trouble: str = ""
    file: Path | None = None
    names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return "/".join(self.repository.key)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, and the repositories that have it from one place."""

    repositories: Sequence[Offered]
    name: str
    newest: str
    versions: int


@dataclass(frozen=True, slots=True)
class Lag:
    """A release whose chart has newer versions."""

    release: JsonObject
    newest: str
    newer: int


class Offers:
    """Reads repositories for callers."""

    def __init__(
        self, client: Requester, repositories: HTTPRepositories, elsewhere: HTTPRepositories
    ) -> None:
        """`elsewhere` reads what other clusters name: the gateway's network is not theirs."""
        self._client = client
        self._repositories = repositories
        self._elsewhere = elsewhere

    async def listed(self, caller: Caller, namespaces: Collection[str]) -> Sequence[HelmRepository]:
        """Return the HelmRepositories of a cluster that the caller may read.

        Who may not list all is told of those in `namespaces` that they may list.
        """
        bodies = await self._listed(caller, namespaces)
        found = [parsed for body in bodies if (parsed := _parsed(body)) is not None]
        return found[:REPOSITORIES_LIMIT]

    async def read(
        self, caller: Caller, cluster: str, repositories: Iterable[HelmRepository]
    ) -> list[Offered]:
        """Return what repositories of a cluster have, each whatever becomes of the others."""
        charts = Charts({}, _AsCaller(self._client, caller.identity), timeout_seconds=WAIT_SECONDS)
        return await asyncio.gather(
            *(self._offered(caller, cluster, one, charts) for one in repositories)
        )

    async def _listed(self, caller: Caller, namespaces: Collection[str]) -> list[JsonObject]:
        try:
            return await self._list(caller, "")
        except ClusterRefused as error:
            if error.code != HTTPStatus.FORBIDDEN:
                raise
        found = []
        for namespace in sorted(namespaces)[:NAMESPACES_LIMIT]:
            try:
                found += await self._list(caller, f"/namespaces/{namespace}")
            except ClusterRefused as error:
                if error.code != HTTPStatus.FORBIDDEN:
                    raise
        return found

    async def _list(self, caller: Caller, place: str) -> list[JsonObject]:
        path = f"/apis/{API_VERSION}{place}/{_PLURAL}"
        query = {"limit": str(REPOSITORIES_LIMIT)}
        request = Request("GET", path, caller.identity, query=query, subject="HelmRepositories")
        answer = await self._client.send(request)
        return [one for one in answer.get("items") or () if isinstance(one, dict)]

    async def _offered(
        self, caller: Caller, cluster: str, repository: HelmRepository, charts: Charts
    ) -> Offered:
        if repository.spec.url.startswith(_REGISTRY):
            return Offered(cluster, repository, "a registry tells nobody which charts it has")
        at_home = caller.identity.remote is None
        if not at_home and _is_inside(repository.spec.url):
            # Here the name would be somebody else's, or nobody's.
            return Offered(cluster, repository, "its address means something in its cluster alone")
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                place = await charts.place(repository)
                repositories = self._repositories if at_home else self._elsewhere
                file = await repositories.entries(place, max_age_seconds=MAX_AGE_SECONDS)
                names = await asyncio.to_thread(names_of, file)
                return Offered(cluster, repository, "", file, names)
        except TimeoutError:
            return Offered(cluster, repository, "its index is still being read: look again")
        except OperatorError as error:
            return Offered(cluster, repository, of_error(error).detail)


def _is_inside(url: str) -> bool:
    """Whether a URL's host is a name that a cluster gives its own Services."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return not {".", ":"} & set(host) or host.endswith((".svc", ".cluster.local"))


class _AsCaller:
    """Reads the Secrets of repositories with the caller's rights."""

    def __init__(self, client: Requester, identity: Identity) -> None:
        self._client = client
        self._identity = identity

    async def secret(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
        subject = f"Secret {namespace}/{name}"
        try:
            found = await self._client.send(Request("GET", path, self._identity, subject=subject))
        except ClusterRefused as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
            return None
        return dict(found)


def charts_of(offered: Iterable[Offered], search: str) -> list[tuple[str, Sequence[Offered]]]:
    """Return the charts whose name has a text in it, by name, each with its repositories.

    HelmRepositories of several namespaces and clusters often are of one place: it counts once.
    """
    word = search.casefold()
    found: dict[tuple[str, str], list[Offered]] = {}
    for one in offered:
        for name in one.names:
            if word in name.casefold():
                found.setdefault((name, str(one.file)), []).append(one)
    return sorted(((name, places) for (name, _), places in found.items()), key=_order)


def _order(pair: tuple[str, Sequence[Offered]]) -> tuple[str, str, str]:
    name, places = pair
    return name, places[0].cluster, places[0].name


def described(name: str, repositories: Sequence[Offered]) -> Chart:
    """Read from an index what there is of a chart."""
    versions = _versions(repositories[0], name)
    newest = next((one for one in versions if not _prerelease(one)), versions[0])
    return Chart(repositories, name, newest, len(versions))


def behind(releases: Iterable[JsonObject], offered: Iterable[Offered]) -> list[Lag]:
    """Return the releases whose repository has newer versions of their chart, most of them first.

    Pre-releases do not count.
    """
    places: dict[tuple[str, str], Offered] = {}
    for one in offered:
        places[one.cluster, one.name] = one
        places.setdefault((one.cluster, one.repository.spec.url), one)
    known: dict[tuple[str, str, str], tuple[str, ...]] = {}
    found = []
    for _, facts in zip(range(RELEASES_LIMIT), releases, strict=False):
        chart = facts["chart"]
        place = places.get((facts["cluster"], chart["repository"].rstrip("/")))
        if place is None or chart["name"] not in place.names:
            continue
        key = (place.cluster, place.name, chart["name"])
        if key not in known:
            known[key] = _versions(place, chart["name"])
        newer = _newer(known[key], chart["version"])
        if newer:
            found.append(Lag(facts, newer[0], len(newer)))
    return sorted(found, key=lambda lag: -lag.newer)


def _versions(offered: Offered, name: str) -> tuple[str, ...]:
    if offered.file is None:
        return ("",)
    return tuple(one.version for one in entries_of(offered.file, name)) or ("",)


def _newer(versions: Iterable[str], running: str) -> list[str]:
    try:
        than = Version.parse(running)
        return [one for one in versions if not _prerelease(one) and Version.parse(one) > than]
    except SemverError:
        return []


def _prerelease(version: str) -> bool:
    try:
        return bool(Version.parse(version).prerelease)
    except SemverError:
        return True


def _parsed(body: JsonObject) -> HelmRepository | None:
    try:
        return parse(body)
    except InvalidSpec:
        return None
