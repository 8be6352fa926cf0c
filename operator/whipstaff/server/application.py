"""The routes of a chart server, and what every request passes on its way to them."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from whipstaff.server import api
from whipstaff.server.access import Access
from whipstaff.server.access import Scope as Right
from whipstaff.server.names import folder_of
from whipstaff.server.pages import Pages
from whipstaff.server.refusals import Refusal
from whipstaff.server.repositories import Repositories
from whipstaff.server.repository import Repository
from whipstaff.server.storage import StorageFailed
from whipstaff.server.uploads import Incoming
from whipstaff.serving.logged import Logged

log = logging.getLogger(__name__)
requests = logging.getLogger("whipstaff.server.requests")

Answer = Callable[[Request, Repository], Awaitable[Response]]

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_FROM_ELSEWHERE = frozenset({"cross-site", "same-site"})


@dataclass(frozen=True, slots=True)
class Parts:
    """What an application is made of."""

    repositories: Repositories
    access: Access
    incoming: Incoming
    context_path: str = ""  # under which all is, as in /charts
    hosts: frozenset[str] = frozenset()  # names that the server is asked by; empty: any


def application(parts: Parts) -> ASGIApp:
    """Return the ASGI application."""
    pages = Pages(parts.repositories, parts.access, parts.context_path)
    guard = _Guard(parts)
    routes: list[BaseRoute] = [
        Route("/health", api.health),
        Route("/info", guard.of_server(api.info)),
        *_api_routes(guard, parts),
        *_repository_routes(guard, pages, parts.repositories.depth),
    ]
    if parts.context_path:
        routes = [Mount(parts.context_path, routes=routes)]
    handlers: Mapping[Any, Callable[[Request, Any], Response]] = {
        Refusal: lambda request, error: _refused(request, error, pages),
        HTTPException: lambda request, error: _refused(request, _of_framework(error), pages),
        StorageFailed: _storage_failed,
        Exception: _fault,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Logged(_AskedByName(app, parts.hosts), requests, _HEADERS)


def _api_routes(guard: "_Guard", parts: Parts) -> list[BaseRoute]:
    uploads = api.Uploads(parts.incoming)
    root = f"/api{_tenant(parts.repositories.depth)}"
    one = root + "/charts/{name}/{version}"
    return [
        Route(f"{root}/charts", guard.reading(api.charts), methods=["GET"]),
        Route(f"{root}/charts", guard.writing(uploads.chart), methods=["POST"]),
        Route(f"{root}/prov", guard.writing(uploads.provenance), methods=["POST"]),
        Route(root + "/charts/{name}", guard.reading(api.chart)),
        Route(one, guard.reading(api.version), methods=["GET"]),
        Route(one, guard.writing(api.delete), methods=["DELETE"]),
        Route(f"{one}/values", guard.reading(api.values)),
        Route(f"{one}/templates", guard.reading(api.templates)),
    ]


def _repository_routes(guard: "_Guard", pages: Pages, depth: int) -> list[BaseRoute]:
    root = _tenant(depth)
    found: list[BaseRoute] = [
        Route(f"{root}/index.yaml", guard.reading(api.index)),
        # `helm serve` had its repository at /charts, and the index says charts/ once more.
        Route(f"{root}/charts/index.yaml", guard.reading(api.index)),
        Route(root + "/charts/charts/{file}", guard.reading(api.file)),
        Route(root + "/charts/{file}", guard.reading(api.file)),
        Route(root + "/charts/{name}/{version}", guard.reading(pages.chart)),
        Route(f"{root}/", guard.reading(pages.catalogue)),
    ]
    if depth:
        found += [Route(root, guard.reading(pages.catalogue)), Route("/", pages.repositories)]
    return found


def _tenant(depth: int) -> str:
    return "".join(f"/{{t{level}}}" for level in range(depth))


class _Guard:
    """Asks `access` before a repository is touched."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def reading(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        return self._guarded(answer, Right.READ)

    def writing(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        return self._guarded(answer, Right.WRITE)

    def of_server(
        self, answer: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Guard what belongs to no repository."""

        async def guarded(request: Request) -> Response:
            self._check(request, Right.READ, "")
            return await answer(request)

        return guarded

    def _guarded(self, answer: Answer, right: Right) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            repositories = self._parts.repositories
            tenant = tuple(request.path_params[f"t{level}"] for level in range(repositories.depth))
            folder = folder_of(tenant)
            self._check(request, right, folder)
            if right is Right.WRITE:
                _refuse_other_sites(request)
            return await answer(request, repositories.of(folder))

        return guarded

    def _check(self, request: Request, right: Right, folder: str) -> None:
        login = request.headers.get("authorization")
        request.state.user = self._parts.access.check(login, right, folder)


def _refuse_other_sites(request: Request) -> None:
    """Refuse what a page from elsewhere has a browser send: it may come with the user's login."""
    origin = request.headers.get("origin")
    elsewhere = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if elsewhere or request.headers.get("sec-fetch-site") in _FROM_ELSEWHERE:
        raise Refusal(HTTPStatus.FORBIDDEN, "charts are not taken from pages of other sites")


def _refused(request: Request, refusal: Refusal, pages: Pages) -> Response:
    reads_pages = "text/html" in request.headers.get("accept", "")
    if reads_pages and not request.url.path.startswith("/api/"):
        return pages.refusal(refusal)
    return JSONResponse({"error": refusal.text}, refusal.status, refusal.headers)


def _of_framework(error: HTTPException) -> Refusal:
    status = HTTPStatus(error.status_code)
    return Refusal(status, status.phrase.lower(), error.headers or {})


def _storage_failed(_request: Request, error: StorageFailed) -> Response:
    log.error("storage failed", extra={"problem": str(error)})
    return JSONResponse(
        {"error": "the storage of the charts does not answer as it should"},
        HTTPStatus.SERVICE_UNAVAILABLE,
    )


def _fault(_request: Request, error: Exception) -> Response:
    log.error("fault of the server", exc_info=error)
    return JSONResponse({"error": "internal server error"}, HTTPStatus.INTERNAL_SERVER_ERROR)


class _AskedByName:
    """Answers only those who ask for one of the server's hosts."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app if scope["type"] != "http" or self._knows(scope) else _misdirected
        await app(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        """Whether the server is asked as one of its hosts: else a name was made to lead here."""
        asked = next((value for name, value in scope["headers"] if name == b"host"), b"")
        host = urlsplit(f"//{asked.decode('latin-1')}").hostname
        return not self._hosts or host in self._hosts


async def _misdirected(scope: Scope, receive: Receive, send: Send) -> None:
    answer = JSONResponse({"error": "this server has another name"}, HTTPStatus.MISDIRECTED_REQUEST)
    await answer(scope, receive, send)
