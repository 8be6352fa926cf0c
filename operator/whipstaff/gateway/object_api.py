"""Objects as the API server has them, for the client's commands that go through a gateway.

Such a command prints what the command without a gateway prints, so it has to read the same. What is
read is one object, what stored releases, Pods and operators are found by, or the log of a Pod;
never a watch, and no other subresource, since those of Services and nodes lead on. What is to be
applied is tried, never done. The API server judges each as the caller's own request. What is read
is not masked: who asks for a Secret may read it. Who tries to apply one perhaps may not.
"""

import json
import re
from contextlib import nullcontext
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from whipstaff.gateway import bodies, models
from whipstaff.gateway.access import Access, get_secret
from whipstaff.gateway.api import NO_STORE, Parts, finder, there
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.problems import bad
from whipstaff.gateway.write_api import WRITE_FAILURES, body_of
from whipstaff.kube import client as kube
from whipstaff.kube.discovery import AGGREGATED
from whipstaff.kube.media_types import APPLY_PATCH, JSON, METADATA_LIST, TABLE
from whipstaff.release.secrecy import masked_secret

WHOLE_LIMIT = 25  # objects of a page: a stored release may have a mebibyte
LOG_BYTES_LIMIT = 16 << 20
PATH_LIMIT = 1024

_ROOT = r"(?:api/v1|apis/[a-z0-9][-a-z0-9.]*/v[a-z0-9]+)"
_PLURAL = r"(?!(?:watch|proxy)/)[a-z0-9][-a-z0-9.]*"  # as these, the API server has old prefixes
_NAME = r"[A-Za-z0-9][-A-Za-z0-9_.:]*"
_PLACE = rf"(?:/namespaces/{_NAME})?"
_KINDS = re.compile(rf"version|api|apis|{_ROOT}")
_OBJECT = re.compile(rf"{_ROOT}{_PLACE}/{_PLURAL}/{_NAME}")
_SECRET = re.compile(rf"api/v1/namespaces/({_NAME})/secrets/({_NAME})")
_LIST = re.compile(rf"api/v1{_PLACE}/(?:secrets|configmaps|pods)|apis/apps/v1{_PLACE}/deployments")
_LOG = re.compile(rf"api/v1/namespaces/{_NAME}/pods/{_NAME}/log")
_LARGE = re.compile(rf"{_LIST.pattern}|{_LOG.pattern}")  # or of anybody's size
_FORMS = frozenset({JSON, METADATA_LIST, TABLE, AGGREGATED})


def object_routes(parts: Parts) -> APIRouter:
    """Return the route that reads objects."""
    router = APIRouter(prefix="/v1", responses=WRITE_FAILURES)
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

    @router.patch(
        "/objects/{path:path}",
        operation_id="tryObject",
        response_class=Response,
        openapi_extra=body_of(models.Tried),
    )
    async def tried(
        request: Request,
        caller: Annotated[Caller, asking],
        path: Annotated[str, Path(max_length=PATH_LIMIT)],
        query: Annotated[models.Trial, Query()],
    ) -> Response:
        """Return what an object would be if this were applied; nothing is changed."""
        bodies.check_site(request)
        if not _OBJECT.fullmatch(path):
            raise bad("this is no object that could be applied")
        body = await bodies.read(request, models.Tried)
        asked = kube.Request(
            "PATCH",
            f"/{path}",
            caller.identity,
            query=_as_dry_run(query),
            body=body.root,
            content_type=APPLY_PATCH,
        )
        text = await parts.releases.passed_on(asked)
        if not await _may_see(parts.access, caller, path):
            text = json.dumps(masked_secret(json.loads(text)))
        return Response(text, media_type=JSON, headers=NO_STORE)

    return router


async def _may_see(access: Access, caller: Caller, path: str) -> bool:
    """Whether a caller may read what is at a path, if it is a Secret.

    The right to change one is enough to be told, as the result of a dry run, all that it holds.
    """
    found = _SECRET.fullmatch(path)
    return found is None or await access.may(caller, get_secret(*found.groups()))


def _as_dry_run(query: models.Trial) -> dict[str, str]:
    return {
        "dryRun": "All",
        "fieldManager": query.field_manager,
        "fieldValidation": query.field_validation,
        **({"force": "true"} if query.force else {}),
    }


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
        raise bad(f"/{path} is not read through a gateway: it is no object, nor a list by a label")
    return kube.Request("GET", f"/{path}", caller.identity, query=more, accept=form)
