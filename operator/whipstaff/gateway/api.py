"""The routes of version 1: each acts as its caller, and answers JSON."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from whipstaff.gateway import listing, models
from whipstaff.gateway.access import Access, list_releases
from whipstaff.gateway.bodies import cost_of
from whipstaff.gateway.cache import Entry, ReleaseCache
from whipstaff.gateway.callers import Caller, Callers
from whipstaff.gateway.clusters import Cluster, Clusters, Unreachable
from whipstaff.gateway.limits import Rate
from whipstaff.gateway.offers import Offers
from whipstaff.gateway.pods import LivePods
from whipstaff.gateway.problems import Problem, not_for
from whipstaff.gateway.releases import Named, Releases
from whipstaff.gateway.streams import Streams
from whipstaff.gateway.writing import Writer
from whipstaff.release.revision import RevisionNumber
from whipstaff.serving.connections import CERTIFICATE

# The API server takes `Authorization` off what it passes on to a Service.
PROXIED_AUTHORIZATION = "x-whipstaff-authorization"
FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"description": HTTPStatus(status).phrase, "model": models.Problem}
    for status in (400, 401, 403, 404, 429, 502, 503)
}
NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes are made of."""

    callers: Callers
    access: Access
    clusters: Clusters
    releases: Releases
    pods: LivePods
    offers: Offers
    writer: Writer
    streams: Streams
    rate: Rate  # of one caller
    failures: Rate  # of one address, of requests without a caller

    @property
    def cache(self) -> ReleaseCache:
        """The releases of the gateway's own cluster."""
        return self.clusters.home.cache


def routes(parts: Parts) -> APIRouter:
    """Return all routes of version 1."""
    router = APIRouter(prefix="/v1", responses=FAILURES)
    asking = Depends(finder(parts))
    named = named_by(there(parts, asking))
    _add_clusters(router, parts, asking)
    _add_lists(router, parts, asking)
    _add_release(router, parts.releases, named)
    _add_revisions(router, parts.releases, named)
    return router


def finder(parts: Parts) -> Callable[[Request], Awaitable[Caller]]:
    """Return what finds the caller of a request."""

    async def find(request: Request) -> Caller:
        """Return who asks, before anything else of the request is looked at."""
        return await admitted(parts, request, authorization(request))

    return find


def authorization(request: Request) -> list[str]:
    """Return what the headers of a request say about who asks."""
    headers = request.headers
    return headers.getlist("authorization") + headers.getlist(PROXIED_AUTHORIZATION)


async def admitted(parts: Parts, request: Request, told: Sequence[str]) -> Caller:
    """Return who asks, within the limits of how often; Problem(401 or 429) else.

    Behind a proxy all have one address: who guesses there keeps nobody out who was believed before.
    """
    address = request.client.host if request.client else ""
    if not parts.callers.believed(told, request.scope["state"].get(CERTIFICATE)):
        parts.failures.check(address)
    try:
        caller = await caller_of(parts, request, told)
    except Problem as problem:
        if problem.status is HTTPStatus.UNAUTHORIZED:
            parts.failures.spend(address)
        raise
    request.state.user = caller.name
    parts.rate.take(caller.name, cost_of(request))
    return caller


async def caller_of(parts: Parts, request: Request, told: Sequence[str]) -> Caller:
    """Return who asks, by what a request brings; Problem(401) if nobody can be believed."""
    return await parts.callers.find(told, request.scope["state"].get(CERTIFICATE))


def there(parts: Parts, asking: Any) -> Any:  # noqa: ANN401 - FastAPI's Depends
    """Return what finds the caller as the cluster is told of them that a request is about."""

    async def find(
        caller: Annotated[Caller, asking], cluster: Annotated[models.Cluster, Query()] = ""
    ) -> Caller:
        return parts.clusters.named(cluster).caller(caller)

    return Depends(find)


def named_by(asking: Any) -> Any:  # noqa: ANN401 - FastAPI's Depends
    """Return what finds caller and release of a request."""

    async def named(
        caller: Annotated[Caller, asking],
        namespace: Annotated[models.Namespace, Path()],
        name: Annotated[models.Name, Path()],
    ) -> Named:
        return Named(caller, namespace, name)

    return Depends(named)


def _add_clusters(router: APIRouter, parts: Parts, asking: Any) -> None:  # noqa: ANN401 - FastAPI's Depends
    @router.get("/clusters", response_model=models.ClusterList, operation_id="listClusters")
    async def clusters(
        _caller: Annotated[Caller, asking], _: Annotated[models.Unasked, Query()]
    ) -> Response:
        """List the clusters that are answered for, and whether they answer."""
        items = [
            {
                "name": one.name,
                "own": one.own,
                "reachable": not one.state,
                "reason": one.state or None,
            }
            for one in parts.clusters
        ]
        return _answer({"items": items})


def _add_lists(router: APIRouter, parts: Parts, asking: Any) -> None:  # noqa: ANN401 - FastAPI's Depends
    @router.get("/releases", response_model=models.ReleaseList, operation_id="listReleases")
    async def everywhere(
        caller: Annotated[Caller, asking],
        query: Annotated[models.FiltersEverywhere, Query()],
    ) -> Response:
        """List the releases of all namespaces whose HelmReleases the caller may list.

        Of all clusters, unless one is named; those that do not answer are named in the answer.
        """
        found = await visible_anywhere(parts, caller, query)
        return _listed(found, query.namespace, query)

    @router.get(
        "/namespaces/{namespace}/releases",
        response_model=models.ReleaseList,
        operation_id="listNamespacedReleases",
    )
    async def in_namespace(
        caller: Annotated[Caller, asking],
        namespace: Annotated[models.Namespace, Path()],
        query: Annotated[models.Filters, Query()],
    ) -> Response:
        """List the releases of one namespace."""
        return await _listed_of_one(parts, caller, namespace, query)


async def synced(cluster: Cluster) -> None:
    """Wait until all releases of a cluster are known; Problem(503) if that takes long."""
    if not await cluster.synced():
        again = {"Retry-After": "5"}
        why = cluster.trouble or "the releases are still being read"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, why, again)


@dataclass(frozen=True, slots=True)
class Found:
    """Releases that a caller may list, and what streams go on after."""

    entries: Sequence[Entry]
    position: str
    unreachable: Sequence[Unreachable] = ()


async def _listed_of_one(
    parts: Parts, caller: Caller, namespace: str, filters: models.Filters
) -> Response:
    found = await visible(parts, caller, namespace, filters.cluster)
    return _listed(found, namespace, filters)


async def visible(parts: Parts, caller: Caller, namespace: str, cluster: str = "") -> Found:
    """Return the releases of one cluster that a caller may list, or Problem(403).

    Of one namespace, or of all if it is empty; of the gateway's own cluster without a name.
    """
    position = parts.cache.changes.position()
    entries = await _seen(parts, parts.clusters.named(cluster), caller, namespace)
    return Found(entries, position)


async def visible_anywhere(
    parts: Parts, caller: Caller, filters: models.FiltersEverywhere
) -> Found:
    """Return the releases that a caller may list, of all clusters unless one is named."""
    if filters.cluster:
        return await visible(parts, caller, filters.namespace, filters.cluster)

    async def ask(cluster: Cluster) -> list[Entry]:
        return await _seen(parts, cluster, caller, filters.namespace)

    position = parts.cache.changes.position()  # whatever changes from here on is told again
    every, unreachable = await parts.clusters.across(ask)
    return Found([entry for some in every for entry in some], position, unreachable)


async def _seen(parts: Parts, cluster: Cluster, caller: Caller, namespace: str) -> list[Entry]:
    """Return those releases of a cluster that the caller may list."""
    caller = cluster.caller(caller)
    await synced(cluster)
    if not namespace:
        places = await parts.access.among(caller, cluster.cache.namespaces)
    elif await parts.access.may(caller, list_releases(namespace)):
        places = frozenset({namespace})
    else:
        raise not_for(namespace, caller.name)
    if cluster.ended:  # the rights may be those of the cluster that took its place
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "its Secret is being exchanged")
    return list(cluster.cache.entries(places))


def _listed(found: Found, namespace: str, filters: models.Filters) -> Response:
    page = listing.page_of(found.entries, query_of(filters, namespace))
    rest = json.dumps(
        {
            "total": page.total,
            "continue": page.continue_ or None,
            "position": found.position,
            "unreachable": [asdict(one) for one in found.unreachable],
        }
    )
    # The items are JSON already; making it anew for each caller would take most of the time.
    items = b",".join(entry.text for entry in page.entries)
    body = b'{"items":[' + items + b"]," + rest[1:].encode()
    return Response(body, media_type="application/json", headers=NO_STORE)


def query_of(filters: models.Filters, namespace: str) -> listing.Query:
    """Return what a list was asked for."""
    return listing.Query(
        cluster=filters.cluster,
        namespace=namespace,
        search=filters.search,
        standing=filters.standing,
        chart=filters.chart,
        label_selector=filters.label_selector,
        sort=filters.sort,
        limit=filters.limit,
        continue_=filters.continue_,
    )


def _add_release(router: APIRouter, releases: Releases, asked: Any) -> None:  # noqa: ANN401 - FastAPI's Depends
    root = "/namespaces/{namespace}/releases/{name}"

    @router.get(root, response_model=models.ReleaseDetails, operation_id="getRelease")
    async def details(
        named: Annotated[Named, asked], _: Annotated[models.Nothing, Query()]
    ) -> Response:
        """Return one release with its spec, secret values masked, and its status."""
        return _answer(await releases.details(named))

    @router.get(f"{root}/history", response_model=models.History, operation_id="getHistory")
    async def history(
        named: Annotated[Named, asked], _: Annotated[models.Nothing, Query()]
    ) -> Response:
        """Return its revisions, newest first."""
        return _answer(await releases.history(named))

    @router.get(f"{root}/unready", response_model=models.UnreadyList, operation_id="getUnready")
    async def unready(
        named: Annotated[Named, asked], _: Annotated[models.Nothing, Query()]
    ) -> Response:
        """Return its objects that are not ready, each with its cause."""
        return _answer(await releases.unready(named))

    @router.get(f"{root}/plan", response_model=models.Plan, operation_id="getPlan")
    async def plan(
        named: Annotated[Named, asked], _: Annotated[models.Nothing, Query()]
    ) -> Response:
        """Return the plan that waits for an approval."""
        return _answer(await releases.plan(named))

    @router.get(f"{root}/events", response_model=models.EventList, operation_id="getEvents")
    async def events(
        named: Annotated[Named, asked], _: Annotated[models.Nothing, Query()]
    ) -> Response:
        """Return what happened to it, newest first."""
        return _answer(await releases.events(named))

    @router.get(f"{root}/diff", response_model=models.Difference, operation_id="getDiff")
    async def diff(
        named: Annotated[Named, asked], query: Annotated[models.Between, Query()]
    ) -> Response:
        """Tell in what two of its revisions differ."""
        before, after = RevisionNumber(query.from_), RevisionNumber(query.to)
        return _answer(await releases.diff(named, before, after, reveal=query.show_secrets))


def _add_revisions(router: APIRouter, releases: Releases, asked: Any) -> None:  # noqa: ANN401 - FastAPI's Depends
    root = "/namespaces/{namespace}/releases/{name}/revisions/{revision}"
    parts = (
        ("", "facts", models.Revision, "getRevision", "Return what a revision says of itself."),
        ("/manifest", "manifest", models.Manifest, "getManifest", "Return its manifest."),
        ("/hooks", "hooks", models.Manifest, "getHooks", "Return the manifests of its hooks."),
        ("/notes", "notes", models.Notes, "getNotes", "Return the chart's notes."),
    )
    for path, part, model, operation, text in parts:
        router.add_api_route(
            root + path,
            _part(releases, part, asked),
            response_model=model,
            operation_id=operation,
            description=text,
            summary=text,
        )

    @router.get(f"{root}/values", response_model=models.Values, operation_id="getValues")
    async def values(
        named: Annotated[Named, asked],
        revision: Annotated[models.Number, Path()],
        query: Annotated[models.WhichValues, Query()],
    ) -> Response:
        """Return the values that it was given, or all that its templates had."""
        number, part = RevisionNumber(revision), "computed" if query.all else "values"
        return _answer(await releases.part(named, number, part, reveal=query.show_secrets))


def _part(releases: Releases, part: str, asked: Any) -> Callable[..., Awaitable[Response]]:  # noqa: ANN401 - FastAPI's Depends
    async def answer(
        named: Annotated[Named, asked],
        revision: Annotated[models.Number, Path()],
        query: Annotated[models.Reveal, Query()],
    ) -> Response:
        number = RevisionNumber(revision)
        return _answer(await releases.part(named, number, part, reveal=query.show_secrets))

    return answer


def _answer(found: Any) -> JSONResponse:  # noqa: ANN401 - any JSON
    return JSONResponse(found, headers=NO_STORE)
