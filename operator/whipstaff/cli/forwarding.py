"""A port of this machine that leads to a Service, through the API server's proxy.

Every request goes on with the rights of whoever runs the command, so none is taken but of a
browser that was given the key: no other user of the machine, and no other site's page, has it.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp
import yarl
from aiohttp import web

from whipstaff.errors import ClusterRefused, OperatorError
from whipstaff.kube.access import Access
from whipstaff.serving import faults

CONNECT_SECONDS = 10.0
BODY_BYTES_LIMIT = 4 << 20
HOST = "127.0.0.1"

# Nothing else of a browser's is the gateway's business, and `Impersonate-…` is the API server's.
_PASSED = frozenset(
    {
        *("accept", "accept-language", "cache-control", "content-type", "if-none-match"),
        *("idempotency-key", "last-event-id", "user-agent", "sec-fetch-site"),
    }
)
_KEPT_BACK = frozenset(
    {
        *("connection", "keep-alive", "transfer-encoding", "upgrade", "trailer", "te"),
        *("content-length", "server", "date", "proxy-authenticate", "audit-id"),
    }
)
_OWN_SITES = frozenset({"same-origin", "none"})
# What leaves the proxy's part of the API server, or would if somebody tidied it.
_ODD_PATH = re.compile(r"%(2f|5c|00|2e)|//|/\.{1,2}(/|$)|\\", re.IGNORECASE)
_SECURE = re.compile(r";\s*secure(?=\s*(;|$))", re.IGNORECASE)
_PROBLEM = "application/problem+json"

Token = Callable[[], Awaitable[str]]


class Forwarder:
    """Takes requests of one browser, and sends them on."""

    def __init__(self, access: Access, prefix: str, token: Token, page: str) -> None:
        """`prefix`: the Service's path on the API server; `page`: where to begin, such as `ui/`.

        `token` proves who asks to the Service, which does not see what the API server saw.
        """
        self._access = access
        self._prefix = prefix
        self._token = token
        self._page = page
        self._lasting = secrets.token_urlsafe(24)
        self._single = secrets.token_urlsafe(24)
        self._spent = False
        self._host = ""
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """What a person may open as often as they like."""
        return f"http://{self._host}/?key={self._lasting}"

    @property
    def single_url(self) -> str:
        """What opens once: other users see how a browser is started."""
        return f"http://{self._host}/?key={self._single}"

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[None]:
        """Listen at a port of the loopback, at any one for 0; OSError if it is not to be had."""
        app = web.Application(client_max_size=BODY_BYTES_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(
            app, access_log=None, logger=faults.log, handler_cancellation=True, shutdown_timeout=1.0
        )
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        connector = aiohttp.TCPConnector(ssl=self._access.tls, limit=0)
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        ) as self._session:
            await runner.setup()
            try:
                await web.TCPSite(runner, HOST, port).start()
                self._host = f"{HOST}:{runner.addresses[0][1]}"
                yield
            finally:
                await runner.cleanup()

    async def check(self) -> None:
        """Find out whether the Service answers; ClusterRefused says in a person's words why not."""
        try:
            async with self._sent("GET", f"{self._prefix}/livez", {}, None) as answer:
                status, text = answer.status, await answer.text(errors="replace")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ClusterRefused(f"the API server does not answer: {error}") from error
        if status != HTTPStatus.OK:
            raise ClusterRefused(_why(status, text), code=status)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Host") != self._host:  # a name of another site that leads here
            return _refused(HTTPStatus.MISDIRECTED_REQUEST, "this is another host")
        if request.path == "/" and "key" in request.query:
            return self._let_in(request.query["key"])
        if not secrets.compare_digest(
            request.cookies.get(self._cookie, "").encode(), self._lasting.encode()
        ):
            text = "Open the URL that `whipstaff dashboard` printed."
            return _refused(HTTPStatus.FORBIDDEN, text)
        if _is_foreign(request, self._host):
            return _refused(HTTPStatus.FORBIDDEN, "Requests of other sites are not taken.")
        if _ODD_PATH.search(request.rel_url.raw_path):
            return _refused(HTTPStatus.BAD_REQUEST, "This is no path of the gateway's.")
        if request.path == "/":
            raise web.HTTPSeeOther(f"/{self._page}")
        return await self._forward(request)

    @property
    def _cookie(self) -> str:
        """A name of its own: cookies are shared by all ports of a machine."""
        return f"whipstaff-dashboard-{self._host.rpartition(':')[2]}"

    def _let_in(self, key: str) -> web.StreamResponse:
        given = key.encode()
        single = not self._spent and secrets.compare_digest(given, self._single.encode())
        if not single and not secrets.compare_digest(given, self._lasting.encode()):
            return _refused(HTTPStatus.FORBIDDEN, "This URL was opened before, or is another's.")
        self._spent = self._spent or single
        answer = web.Response(
            status=HTTPStatus.SEE_OTHER,
            headers={"Location": f"/{self._page}", "Cache-Control": "no-store"},
        )
        answer.set_cookie(self._cookie, self._lasting, httponly=True, samesite="Strict", path="/")
        return answer

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path
        if not path.startswith(f"{self._prefix}/"):  # which links have that the API server rewrote
            path = self._prefix + path
        query = request.rel_url.raw_query_string
        headers = {k: v for k, v in request.headers.items() if k.lower() in _PASSED}
        cookies = [f"{k}={v}" for k, v in request.cookies.items() if k != self._cookie]
        if cookies:
            headers["Cookie"] = "; ".join(cookies)
        body = await request.read() if request.can_read_body else None
        target = f"{path}?{query}" if query else path
        try:
            if token := await self._token():
                headers["X-Whipstaff-Authorization"] = f"Bearer {token}"
            async with self._sent(request.method, target, headers, body) as answer:
                return await _passed_on(request, answer)
        except OperatorError as error:
            return _refused(HTTPStatus.BAD_GATEWAY, error.text)
        except (aiohttp.ClientError, TimeoutError) as error:
            return _refused(HTTPStatus.BAD_GATEWAY, f"The API server does not answer: {error}")

    @asynccontextmanager
    async def _sent(
        self, method: str, target: str, headers: dict[str, str], body: bytes | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request; once more with other credentials if these have expired."""
        assert self._session is not None  # noqa: S101 - it listens
        url = yarl.URL(self._access.server + target, encoded=True)
        for last in (False, True):
            async with self._session.request(
                method,
                url,
                headers={**headers, **self._access.headers, "Accept-Encoding": "identity"},
                data=body,
                allow_redirects=False,
                server_hostname=self._access.server_name or None,
            ) as answer:
                refused = answer.status == HTTPStatus.UNAUTHORIZED and _is_of_api_server(answer)
                if last or not refused or not await asyncio.to_thread(self._access.renew):
                    yield answer
                    return


def _is_of_api_server(answer: aiohttp.ClientResponse) -> bool:
    """Whether an answer is the API server's own, and not what it passed on."""
    return answer.content_type == "application/json"


async def _passed_on(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    passed = web.StreamResponse(status=answer.status, reason=answer.reason)
    for name, value in answer.headers.items():
        if name.lower() not in _KEPT_BACK:
            # The browser's own way here has no TLS, and is no network.
            text = _SECURE.sub("", value) if name.lower() == "set-cookie" else value
            passed.headers.add(name, text)
    await passed.prepare(request)
    async for chunk in answer.content.iter_any():
        await passed.write(chunk)
    await passed.write_eof()
    return passed


def _is_foreign(request: web.Request, host: str) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None and site not in _OWN_SITES:
        return True
    return origin is not None and urlsplit(origin).netloc != host


def _why(status: int, text: str) -> str:
    match status:
        case HTTPStatus.NOT_FOUND:
            return (
                "there is no such Service: install the chart with gateway.enabled=true, or say "
                "where it is with --namespace and --service"
            )
        case HTTPStatus.FORBIDDEN:
            return "that takes the right to get services/proxy, which you do not have there"
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return "no pod of the gateway is ready"
        case HTTPStatus.UNAUTHORIZED:
            return "the API server does not take these credentials"
        case _:
            return f"the API server answers {status}: {text[:300]}"


def _refused(status: HTTPStatus, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers={"Cache-Control": "no-store"})
