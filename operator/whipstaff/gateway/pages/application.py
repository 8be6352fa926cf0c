"""The ASGI application of the pages: who may see them, and how failures are told to people."""

import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from pydantic import Field
from starlette.exceptions import HTTPException

from whipstaff.errors import OperatorError
from whipstaff.gateway import models
from whipstaff.gateway.api import Parts, admitted, authorization, caller_of, synced
from whipstaff.gateway.bodies import check_site
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.pages import sessions
from whipstaff.gateway.pages.charts import add_charts
from whipstaff.gateway.pages.edits import add_edits
from whipstaff.gateway.pages.release import add_release_pages
from whipstaff.gateway.pages.releases import add_list
from whipstaff.gateway.pages.sheets import Sheets
from whipstaff.gateway.problems import Problem, bad, of_error, unauthorized
from whipstaff.gateway.streams import Reader
from whipstaff.serving.connections import CERTIFICATE

log = logging.getLogger(__name__)


def pages(parts: Parts) -> FastAPI:
    """Return the application, to be mounted at `/ui`."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    sheets = Sheets(time.time)  # noqa: TID251 - what people read is relative to it
    asking = _finder(parts)
    _add_sessions(app, parts, sheets)
    add_list(app, parts, sheets, asking)
    add_charts(app, parts, sheets, asking)
    add_release_pages(app, parts, sheets, asking)
    add_edits(app, parts, sheets, asking)
    _add_changes(app, parts, asking)
    _add_failures(app, sheets)
    return app


def _finder(parts: Parts) -> Callable[[Request], Awaitable[Caller]]:
    async def find(request: Request) -> Caller:
        """Return who asks; Problem(401) for nobody, which is no attempt at guessing a token."""
        told = sessions.told(request, authorization(request))
        if not told and not request.scope["state"].get(CERTIFICATE):
            raise unauthorized("")
        return await admitted(parts, request, told)

    return find


def _add_sessions(app: FastAPI, parts: Parts, sheets: Sheets) -> None:
    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        """Return a style, a script or an icon; they are nobody's secret."""
        return sheets.file(name)

    @app.get("/sign-in")
    async def asked(request: Request) -> Response:
        """Ask for a token."""
        known = sessions.TOKEN in request.cookies
        text = "The token that was signed in with is not known any more." if known else ""
        wanted = sessions.next_page(request.query_params.get("next", ""))
        return _sign_in(sheets, request, text, wanted)

    @app.post("/sign-in")
    async def signed_in(request: Request) -> Response:
        """Take a token that the API server or the issuer knows."""
        fields = await sessions.form(request)
        token = fields.get("token", "").strip()
        if len(token) > sessions.TOKEN_BYTES_LIMIT:
            text = f"browsers keep no token of more than {sessions.TOKEN_BYTES_LIMIT} characters"
            raise bad(text)
        wanted = sessions.next_page(fields.get("next", ""))
        try:
            await admitted(parts, request, [f"Bearer {token}"])
        except Problem as problem:
            if problem.status is not HTTPStatus.UNAUTHORIZED:
                raise
            return _sign_in(sheets, request, problem.detail, wanted, problem.status)
        answer = _to(wanted)
        sessions.keep(request, answer, token)
        return answer

    @app.get("/sign-out")
    async def leaving(request: Request) -> Response:
        """Ask whether the token is to be forgotten."""
        return sheets.form(request, "sign-out.html")

    @app.post("/sign-out")
    async def signed_out(request: Request) -> Response:
        """Forget the token."""
        await sessions.form(request)
        answer = _to("sign-in")
        sessions.forget(request, answer)
        return answer


class Watched(models.Nothing):
    """What changes a page waits for."""

    namespace: models.Namespace | Literal[""] = ""
    name: models.Name | Literal[""] = ""
    after: str = Field("", max_length=64)


def _add_changes(
    app: FastAPI, parts: Parts, asking: Callable[[Request], Awaitable[Caller]]
) -> None:
    @app.get("/changes")
    async def changes(
        request: Request,
        caller: Annotated[Caller, Depends(asking)],
        query: Annotated[Watched, Query()],
        last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=64)] = None,
    ) -> Response:
        """Tell what changes, as the stream for programs does."""
        check_site(request)
        cluster = parts.clusters.named(query.cluster)
        await synced(cluster)
        told = sessions.told(request, authorization(request))
        again = partial(caller_of, parts, request, told)
        caller = cluster.caller(caller)
        after = last or query.after
        reader = Reader(caller, again, query.cluster, query.namespace, query.name, after)
        return await parts.streams.open(reader)


def _to(page: str) -> Response:
    """Lead from `ui/…` to another page there; relative, for a proxy may have a path of its own."""
    return RedirectResponse(f"./{page}", HTTPStatus.SEE_OTHER)


def _sign_in(
    sheets: Sheets, request: Request, text: str, wanted: str, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    return sheets.form(request, "sign-in.html", status, problem=text, next=wanted)


def _ask_who(sheets: Sheets, request: Request) -> Response:
    """Lead to where a token is asked for, and from there back."""
    if sessions.is_from_elsewhere(request) and request.method == "GET":
        return sheets.page(request, "again.html")
    path = request.url.path.removeprefix("/ui/")
    query = f"?{request.url.query}" if request.url.query else ""
    wanted = sessions.next_page(path + query) if request.method == "GET" else ""
    up = "../" * path.count("/") or "./"
    text = f"?{urlencode({'next': wanted})}" if wanted else ""
    return RedirectResponse(f"{up}sign-in{text}", HTTPStatus.SEE_OTHER)


def _add_failures(app: FastAPI, sheets: Sheets) -> None:
    def of_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)  # noqa: S101 - as it is registered
        if error.status is HTTPStatus.UNAUTHORIZED:
            return _ask_who(sheets, request)
        page = sheets.page(request, "problem.html", error.status, problem=error)
        page.headers.update(error.headers)
        return page

    def of_operator_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, OperatorError)  # noqa: S101 - as it is registered
        return of_problem(request, of_error(error))

    def of_query(request: Request, _error: Exception) -> Response:
        text = "there is no such page: its address is not as a page's address is"
        return of_problem(request, Problem(HTTPStatus.BAD_REQUEST, text))

    def of_framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - as it is registered
        status = HTTPStatus(error.status_code)
        return of_problem(request, Problem(status, status.phrase.lower(), error.headers or {}))

    def of_fault(request: Request, _error: Exception) -> Response:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return of_problem(request, Problem(status, status.phrase.lower()))

    app.add_exception_handler(Problem, of_problem)
    app.add_exception_handler(OperatorError, of_operator_error)
    app.add_exception_handler(RequestValidationError, of_query)
    app.add_exception_handler(HTTPException, of_framework)
    app.add_exception_handler(Exception, of_fault)
