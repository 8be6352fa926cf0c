"""The routes that tell of changes as they happen, as server-sent events."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from whipstaff.gateway import models
from whipstaff.gateway.api import (
    FAILURES,
    Parts,
    authorization,
    caller_of,
    finder,
    synced,
    there,
)
from whipstaff.gateway.bodies import check_site
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.streams import Reader

_TEXT = (
    "Events: `changed` with a release as lists have it, `gone` with its namespace, name and uid, "
    "`reset` when the list has to be read, `end` with status and detail of what ended the stream."
)
_RESPONSES: dict[int | str, dict[str, Any]] = {
    **FAILURES,
    200: {
        "description": _TEXT,
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
}
_LAST = Annotated[
    str | None,
    Header(alias="Last-Event-ID", max_length=64, description="as `after`; it counts if both are"),
]


def stream_routes(parts: Parts) -> APIRouter:
    """Return the routes of version 1 that do not end."""
    router = APIRouter(prefix="/v1", responses=_RESPONSES)
    asking = Depends(finder(parts))

    asked = there(parts, asking)

    async def opened(request: Request, reader: Reader) -> Response:
        check_site(request)
        await synced(parts.clusters.named(reader.cluster))
        return await parts.streams.open(reader)

    @router.get("/changes", response_class=Response, operation_id="watchReleases")
    async def everywhere(
        request: Request,
        caller: Annotated[Caller, asked],
        query: Annotated[models.Changes, Query()],
        last: _LAST = None,
    ) -> Response:
        """Tell what happens to the releases of all namespaces that the caller may list.

        Of all clusters, unless one is named.
        """
        again = partial(caller_of, parts, request, authorization(request))
        reader = Reader(caller, again, query.cluster, after=last or query.after)
        return await opened(request, reader)

    @router.get(
        "/namespaces/{namespace}/changes",
        response_class=Response,
        operation_id="watchNamespacedReleases",
    )
    async def in_namespace(
        request: Request,
        caller: Annotated[Caller, asked],
        namespace: Annotated[models.Namespace, Path()],
        query: Annotated[models.NamespacedChanges, Query()],
        last: _LAST = None,
    ) -> Response:
        """Tell what happens to the releases of one namespace."""
        again = partial(caller_of, parts, request, authorization(request))
        cluster = parts.clusters.named(query.cluster).name
        reader = Reader(caller, again, cluster, namespace, query.name, last or query.after)
        return await opened(request, reader)

    return router
