"""The gateway's ASGI application: what every request passes, and how every failure is told."""

import logging
import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from whipstaff.errors import OperatorError
from whipstaff.gateway.api import Parts, routes
from whipstaff.gateway.object_api import object_routes
from whipstaff.gateway.pages.application import pages
from whipstaff.gateway.problems import MEDIA_TYPE, Problem, bad, of_error
from whipstaff.gateway.stream_api import stream_routes
from whipstaff.gateway.write_api import write_routes
from whipstaff.serving.logged import Logged
from whipstaff.settings import VERSION

URL_BYTES_LIMIT = 8 << 10

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
# No path of ours needs these, and who decodes twice, or tidies, reads another path than we do.
_ODD_PATH = re.compile(rb"%(2f|5c|00|2e)|//|/\.{1,2}(/|$)|\\", re.IGNORECASE)

log = logging.getLogger(__name__)
requests = logging.getLogger("whipstaff.gateway.requests")


def application(parts: Parts) -> ASGIApp:
    """Return the ASGI application."""
    app = _Described(
        title="Whipstaff",
        version=VERSION,
        summary="Helm releases of Kubernetes clusters, as their callers may see them.",
        openapi_url="/openapi.json",
        docs_url=None,  # its pages load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.include_router(routes(parts))
    app.include_router(write_routes(parts))
    app.include_router(stream_routes(parts))
    app.include_router(object_routes(parts))
    _add_probes(app, parts)
    _add_pages(app, parts)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(OperatorError, _operator_error)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _of_framework)
    app.add_exception_handler(Exception, _fault)
    return Logged(_Gate(app), requests, _HEADERS)


def _add_probes(app: FastAPI, parts: Parts) -> None:
    @app.get("/livez", include_in_schema=False)
    async def livez() -> JSONResponse:
        """Say that the process answers."""
        return JSONResponse({"alive": True})

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        """Say whether lists can be answered."""
        ready = parts.cache.synced
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"ready": ready}, int(status))


def _add_pages(app: FastAPI, parts: Parts) -> None:
    @app.get("/", include_in_schema=False)
    @app.get("/ui", include_in_schema=False)
    async def people() -> Response:
        """Lead to the pages, wherever this is served."""
        return RedirectResponse("./ui/")

    app.mount("/ui", pages(parts))


class _Described(FastAPI):
    """Has its OpenAPI document say what FastAPI does not know: media type, authentication."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:  # it is made when somebody asks: it takes a while
            _describe(super().openapi())
        return super().openapi()


def _describe(document: dict[str, Any]) -> None:
    schemes = {"bearer": {"type": "http", "scheme": "bearer"}, "certificate": {"type": "mutualTLS"}}
    document.setdefault("components", {})["securitySchemes"] = schemes
    document["security"] = [{"bearer": []}, {"certificate": []}]
    schemas = document["components"].get("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path in document["paths"].values():
        for operation in path.values():
            _describe_failures(operation["responses"])


def _describe_failures(responses: dict[str, Any]) -> None:
    responses.pop("422", None)  # FastAPI's own word for what is answered with 400 here
    for status, response in responses.items():
        if not status.startswith("2"):
            response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}


def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - as it is registered
    return error.response()


def _operator_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, OperatorError)  # noqa: S101 - as it is registered
    return of_error(error).response()


def _not_valid(_request: Request, error: Exception) -> Response:
    """Name what is wrong, without the value: it may be a secret that was put in the wrong place."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as it is registered
    found = error.errors()
    said = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in found[:10]]
    return bad("; ".join(said)).response()


def _of_framework(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as it is registered
    status = HTTPStatus(error.status_code)
    return Problem(status, status.phrase.lower(), error.headers or {}).response()


def _fault(_request: Request, error: Exception) -> Response:
    log.error("fault of the gateway", exc_info=error)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal server error").response()


class _Gate:
    """Refuses what no honest client sends, before anyone else reads it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            path: bytes = scope.get("raw_path", b"")
            if len(path) + len(scope["query_string"]) > URL_BYTES_LIMIT:
                app = Problem(HTTPStatus.REQUEST_URI_TOO_LONG, "the URL is too long").response()
            elif _ODD_PATH.search(path):
                app = bad("the path is not written as paths here are").response()
        await app(scope, receive, send)
