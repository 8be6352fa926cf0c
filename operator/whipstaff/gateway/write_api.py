"""The routes that change releases: each is an edit of a HelmRelease, made as its caller."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from whipstaff.errors import RevisionNotFound
from whipstaff.gateway import bodies, models
from whipstaff.gateway.api import FAILURES, NO_STORE, Parts, finder, named_by, there
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.once import order
from whipstaff.gateway.problems import bad, conflict
from whipstaff.gateway.releases import Named
from whipstaff.gateway.writing import How, Writer
from whipstaff.helmrelease import edits
from whipstaff.helmrelease.edits import Edit
from whipstaff.release.revision import JsonObject

_RELEASE = "/namespaces/{namespace}/releases/{name}"
WRITE_FAILURES: dict[int | str, dict[str, Any]] = {
    **FAILURES,
    **{
        status: {"description": HTTPStatus(status).phrase, "model": models.Problem}
        for status in (408, 409, 413, 415, 422)
    },
}
_KEY = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="the same request with the same key is carried out once",
    ),
]
_UID_NEEDED = (
    "with an Idempotency-Key, a deletion needs the `uid` of the HelmRelease that is meant: sent "
    "again, it might hit a later one of the same name"
)
_Making = Callable[[Any, JsonObject, Collection[int]], Edit]  # the last: stored revisions


@dataclass(frozen=True, slots=True)
class Action:
    """Something that is asked of one release."""

    name: str
    body: type[BaseModel]
    edit: _Making
    text: str
    counts: bool = False  # it is about one of the stored revisions


def write_routes(parts: Parts) -> APIRouter:
    """Return the routes of version 1 that change something."""
    router = APIRouter(prefix="/v1", responses=WRITE_FAILURES)
    asking = there(parts, Depends(finder(parts)))
    named = named_by(asking)
    _add_install(router, parts.writer, asking)
    _add_upgrade(router, parts.writer, named)
    _add_uninstall(router, parts.writer, named)
    for action in ACTIONS:
        router.add_api_route(
            f"{_RELEASE}/{action.name}",
            _doing(parts, action, named),
            methods=["POST"],
            response_model=models.Edited,
            operation_id=f"{action.name}Release",
            summary=action.text,
            description=action.text,
            openapi_extra=body_of(action.body),
        )
    return router


def _add_install(router: APIRouter, writer: Writer, asking: Any) -> None:  # noqa: ANN401 - FastAPI's Depends
    @router.post(
        "/namespaces/{namespace}/releases",
        response_model=models.Edited,
        status_code=HTTPStatus.CREATED,
        operation_id="installRelease",
        openapi_extra=body_of(models.Install),
    )
    async def install(
        request: Request,
        caller: Annotated[Caller, asking],
        namespace: Annotated[models.Namespace, Path()],
        query: Annotated[models.Writing, Query()],
        key: _KEY = None,
    ) -> Response:
        """Make a HelmRelease."""
        bodies.check_site(request)
        body = await bodies.read(request, models.Install)
        named = Named(caller, namespace, body.name)
        told = await writer.create(named, body.spec, _how(named, "install", body, query, key))
        created = told["made"] or told["repeated"]
        # Relative, for behind a proxy nobody here knows what the path begins with.
        headers = {**NO_STORE, "Location": f"releases/{body.name}"} if created else NO_STORE
        status = HTTPStatus.CREATED if created else HTTPStatus.OK
        return JSONResponse(told, int(status), headers)


def _add_upgrade(router: APIRouter, writer: Writer, asked: Any) -> None:  # noqa: ANN401 - FastAPI's Depends
    @router.patch(
        _RELEASE,
        response_model=models.Edited,
        operation_id="upgradeRelease",
        openapi_extra=body_of(models.Upgrade),
    )
    async def upgrade(
        request: Request,
        named: Annotated[Named, asked],
        query: Annotated[models.Writing, Query()],
        key: _KEY = None,
    ) -> Response:
        """Change chart, values and whatever else spec has; a pin goes."""
        bodies.check_site(request)
        body = await bodies.read(request, models.Upgrade)
        how = _how(named, "upgrade", body, query, key, body.resource_version)

        def edit(live: JsonObject) -> Edit:
            return edits.change(body.spec, live, reset_values=body.reset_values)

        return _answer(await writer.edit(named, edit, how))


def _add_uninstall(router: APIRouter, writer: Writer, asked: Any) -> None:  # noqa: ANN401 - FastAPI's Depends
    @router.delete(_RELEASE, response_model=models.Edited, operation_id="uninstallRelease")
    async def uninstall(
        request: Request,
        named: Annotated[Named, asked],
        query: Annotated[models.Deleting, Query()],
        key: _KEY = None,
    ) -> Response:
        """Delete the HelmRelease; the operator uninstalls its release.

        With a key, `uid` says which: sent again, it never hits a later one of the same name.
        """
        bodies.check_site(request)
        if key is not None and not query.uid:
            raise bad(_UID_NEEDED)
        wanted = {
            "keepHistory": query.keep_history,
            "disableHooks": query.disable_hooks,
            "disableWait": query.disable_wait,
            "deletionPropagation": query.propagation,
        }
        how = {name: value for name, value in wanted.items() if value}

        def edit(live: JsonObject) -> Edit:
            return edits.uninstall(how, live)

        placed = order(named.caller.name, key, "uninstall", how, query.uid)
        told = How(placed, query.dry_run, query.show_secrets, uid=query.uid)
        return _answer(await writer.delete(named, edit, told))


async def done(parts: Parts, action: Action, named: Named, body: BaseModel, how: How) -> JsonObject:
    """Carry out an action, and return what is told of it."""
    stored = await parts.releases.stored_numbers(named) if action.counts else frozenset[int]()
    return await parts.writer.edit(named, lambda live: action.edit(body, live, stored), how)


def _doing(parts: Parts, action: Action, asked: Any) -> Callable[..., Awaitable[Response]]:  # noqa: ANN401 - FastAPI's Depends
    async def do(
        request: Request,
        named: Annotated[Named, asked],
        query: Annotated[models.Writing, Query()],
        key: _KEY = None,
    ) -> Response:
        bodies.check_site(request)
        body = await bodies.read(request, action.body)
        how = _how(named, action.name, body, query, key)
        return _answer(await done(parts, action, named, body, how))

    return do


def _how(
    named: Named,
    action: str,
    body: BaseModel,
    query: models.Writing,
    key: str | None,
    version: str = "",
) -> How:
    content = body.model_dump()
    content.pop("resource_version", None)  # read anew for a repetition, it is another one
    placed = order(named.caller.name, key, action, content)
    return How(placed, query.dry_run, query.show_secrets, version)


def _rollback(body: models.Rollback, live: JsonObject, stored: Collection[int]) -> Edit:
    return _pinned(body.revision or 0, live, stored)


def _pin(body: models.Pin, live: JsonObject, stored: Collection[int]) -> Edit:
    running = int((live.get("status") or {}).get("revision") or 0)
    if not body.revision and not running:
        raise conflict("no revision runs that could stay")
    return _pinned(body.revision or running, live, stored)


def _pinned(number: int, live: JsonObject, stored: Collection[int]) -> Edit:
    try:
        return edits.pin(edits.revision_to(live, number, stored))
    except RevisionNotFound as error:
        raise conflict(error.text) from error


def _approve(body: models.Approve, live: JsonObject, _: Collection[int]) -> Edit:
    plan = (live.get("status") or {}).get("plan") or {}
    if plan.get("digest") != body.digest:
        raise conflict(f"the plan that waits is {plan.get('digest') or 'none'}, not the given one")
    return edits.approve(body.digest)


def _reconcile(body: models.Reconcile, *_: object) -> Edit:
    return edits.reconcile(body.at or _moment(), force=body.force, reset=body.reset)


def _test(body: models.RunTests, *_: object) -> Edit:
    return edits.run_tests(body.at or _moment(), chosen=body.filter, timeout=body.timeout)


def _moment() -> str:
    return datetime.now(UTC).isoformat()  # noqa: TID251 - any text that is new


ACTIONS = (
    Action(
        "rollback",
        models.Rollback,
        _rollback,
        "Go back to a stored revision and stay there.",
        counts=True,
    ),
    Action(
        "pin",
        models.Pin,
        _pin,
        "Stay on a stored revision, whatever chart and values say.",
        counts=True,
    ),
    Action("unpin", models.Empty, lambda *_: edits.unpin(), "Follow chart and values again."),
    Action("approve", models.Approve, _approve, "Have the plan done that waits for an approval."),
    Action("suspend", models.Empty, lambda *_: edits.suspend(), "Leave a release alone."),
    Action("resume", models.Empty, lambda *_: edits.resume(), "Look after a release again."),
    Action("reconcile", models.Reconcile, _reconcile, "Look at a release now."),
    Action("test", models.RunTests, _test, "Run the chart's tests on what runs."),
)


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a body that is read by hand: FastAPI reads it before it asks who sends it."""
    needed = any(field.is_required() for field in model.model_fields.values())
    schema = model.model_json_schema()
    return {
        "requestBody": {"required": needed, "content": {"application/json": {"schema": schema}}}
    }


def _answer(found: JsonObject) -> JSONResponse:
    return JSONResponse(found, headers=NO_STORE)
