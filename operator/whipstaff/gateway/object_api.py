"""Objects as the API server has them, for the client's commands that go through a gateway.

Such a command prints what the command without a gateway prints, so it has to read the same. What is
read is one object, what a stored release or a Pod is found by, or the log of a Pod; never a watch,
and no other subresource, since those of Services and nodes lead on. The API server judges each as
the caller's own request, and nothing in it is masked: who asks for a Secret may read that Secret.
"""

import re
from contextlib import nullcontext
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from whipstaff.gateway import models
from whipstaff.gateway.api import FAILURES, NO_STORE, Parts, finder, there
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.problems import bad
from whipstaff.kube import client as kube
from whipstaff.kube.direct import JSON, METADATA_LIST, TABLE

WHOLE_LIMIT = 25  # objects of a page: a stored release may have a mebibyte
LOG_BYTES_LIMIT = 16 << 20
PATH_LIMIT = 1024

_ROOT = r"(?:api/v1|apis/[a-z0-9][-a-z0-9.]*/v[a-z0-9]+)"
_PLURAL = r"(?!(?:watch|proxy)/)[a-z0-9][-a-z0-9.]*"  # as these, the API server has old prefixes
_NAME = r"[A-Za-z0-9][-A-Za-z0-9_.:]*"
_KINDS = re.compile(_ROOT)
_OBJECT = re.compile(rf"{_ROOT}(?:/namespaces/{_NAME})?/{_PLURAL}/{_NAME}")
_LIST = re.compile(rf"api/v1(?:/namespaces/{_NAME})?/(?:secrets|configmaps|pods)")
_LOG = re.compile(rf"api/v1/namespaces/{_NAME}/pods/{_NAME}/log")
_LARGE = re.compile(rf"{_LIST.pattern}|{_LOG.pattern}")  # or of anybody's size
_FORMS = frozenset({JSON, METADATA_LIST, TABLE})


def object_routes(parts: Parts) -> APIRouter:
    """Return the route that reads objects."""
    router = APIRouter(prefix="/v1", responses=FAILURES)
    asking = there(parts, Depends(finder(parts)))

    @router.get("/objects/{path:path}", operation_id="getObjects", response_class=Response)
    async def objects(
        request: Request,
        caller: Annotated[Caller, asking],
        path: Annotated[str, Path(max_length=PATH_LIMIT)],
        query: Annotated[models.Objects, Query()],
    ) -> Response:
        """Return what the API server has at a path: an object, some by a label, or a log."""
        asked = _asked(path, query, request.headers.get("accept", ""), caller)
        waiting = parts.releases.turn(caller) if _LARGE.match(path) else nullcontext()
        async with waiting:
            text = await parts.releases.passed_on(asked)
        media_type = "text/plain" if _LOG.fullmatch(path) else JSON
        return Response(text, media_type=media_type, headers=NO_STORE)

    return router


def _asked(path: str, query: models.Objects, accept: str, caller: Caller) -> kube.Request:
    """Return what to ask the API server; Problem(400) for what is not read through a gateway."""
    form = accept if accept in _FORMS else JSON
    if _LOG.fullmatch(path):
        more = {"container": query.container, "limitBytes": str(LOG_BYTES_LIMIT)}
        form = "*/*"
    elif _LIST.fullmatch(path) and query.label_selector:
        limit = query.limit if form == METADATA_LIST else min(query.limit, WHOLE_LIMIT)
        more = {"labelSelector": query.label_selector, "limit": str(limit)}
        more |= {"continue": query.continue_} if query.continue_ else {}
    elif _KINDS.fullmatch(path) or _OBJECT.fullmatch(path):
        more = {}
    else:
        raise bad("this is not read through a gateway: it is no object, nor a list by a label")
    return kube.Request("GET", f"/{path}", caller.identity, query=more, accept=form)
