"""A thin client of the API server: requests, lists and watches, as whom the caller says.

It repeats what is safe to repeat, turns every refusal into ClusterRefused, and survives answers
that cannot be decoded.
"""

import asyncio
import json
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from secrets import SystemRandom
from types import SimpleNamespace, TracebackType
from typing import NoReturn, Protocol, Self
from urllib.parse import quote

import aiohttp
import yarl

from whipstaff.errors import ClusterRefused
from whipstaff.kube import scanner
from whipstaff.kube.connection import Connection
from whipstaff.kube.encoding import encoded
from whipstaff.kube.media_types import JSON
from whipstaff.kube.refusals import refusal
from whipstaff.kube.scanner import Poison, Unreadable
from whipstaff.kube.unreachable import unreachable
from whipstaff.reconcile.backoff import Backoff
from whipstaff.reconcile.ports import OPERATOR, Identity
from whipstaff.release.revision import JsonObject

CONNECTIONS = 32
REQUEST_SECONDS = 60.0  # above the 34 s of the API server's own limit for webhooks
CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 60.0
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
RETRY_AFTER_LIMIT_SECONDS = 30.0
PAGE_ITEMS = 500
WATCH_SILENCE_SECONDS = 75.0  # the API server sends a bookmark each minute
WATCH_SECONDS = 300
LINE_BYTES_LIMIT = 8 << 20
READ_BYTES = 64 << 10

_RANDOM = SystemRandom()
_IDEMPOTENT = frozenset({"GET", "PUT", "DELETE", "PATCH"})
_UNAUTHORIZED, _CONFLICT, _GONE, _TOO_MANY = 401, 409, 410, 429
_ANSWER_LOST = frozenset({500, 502, 503, 504})
_OK = 200

# asyncio fills 256 KiB with zeros for each TLS connection, to read a record of 16 KiB into.
SSLProtocol.max_size = READ_BYTES


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `subject` is what an error calls the object."""

    method: str
    path: str
    identity: Identity = OPERATOR
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    content_type: str = JSON
    accept: str = JSON
    subject: str = ""
    # A POST that may be sent again: the caller understands AlreadyExists as a reply that was lost.
    repeatable: bool = False
    timeout_seconds: float = REQUEST_SECONDS
    attempts: int = ATTEMPTS
    needs_lead: bool = True  # a write for the leader only; false for the Lease itself


@dataclass(frozen=True, slots=True)
class ListPage:
    """All items of a list; `poison` are those that cannot be decoded."""

    resource_version: str
    items: tuple[JsonObject, ...]
    poison: tuple[Poison, ...] = ()


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One line of a watch: ADDED, MODIFIED, DELETED or BOOKMARK.

    `poison` stands for an object that cannot be decoded; `object` is empty then.
    """

    type: str
    object: JsonObject
    poison: Poison | None = None


class WatchFailed(ClusterRefused):
    """The watch ended with an error, or with a line that names no object: list again."""


class WatchGone(WatchFailed):
    """The resource version is too old to watch from: list again."""


class Requester(Protocol):
    """What adapters need of a client: `Client`, or one that finds the cluster of each request."""

    async def send(self, request: Request) -> JsonObject:
        """Return the answer; ClusterRefused for every other ending."""
        ...

    async def text(self, request: Request) -> str:
        """Return an answer that is no JSON."""
        ...

    async def list_all(self, request: Request) -> ListPage:
        """Return all pages of a GET on a collection."""
        ...

    def watch(self, request: Request, resource_version: str) -> AsyncIterator[WatchEvent]:
        """Yield changes after a resource version."""
        ...


class _Again(Exception):
    """The request may be sent again, not before `pause_seconds`; else `refusal` is how it ended."""

    def __init__(self, refused: ClusterRefused, pause_seconds: float = 0.0) -> None:
        super().__init__(refused.text)
        self.refusal = refused
        self.pause_seconds = pause_seconds


class Client:
    """Speaks to one API server; to be used and closed in one event loop."""

    def __init__(
        self,
        connection: Connection,
        *,
        user_agent: str = "whipstaff",
        jitter: Callable[[], float] = _RANDOM.random,
        silence_seconds: float = WATCH_SILENCE_SECONDS,
        attempts_limit: int = ATTEMPTS,
        answer_bytes_limit: int = 0,
    ) -> None:
        """Take the way there.

        `attempts_limit`: how often a request is sent at most, whatever it allows itself.
        `answer_bytes_limit`: what one answer may take, where a server is not trusted; 0: anything.
        """
        self._attempts_limit = attempts_limit
        self._answer_bytes_limit = answer_bytes_limit
        self._connection = connection
        self._user_agent = user_agent
        self._jitter = jitter
        self._silence_seconds = silence_seconds
        self._may_write: Callable[[], bool] = lambda: True
        self._calls: aiohttp.ClientSession | None = None
        self._watches: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all connections."""
        for session in (self._calls, self._watches):
            if session is not None:
                await session.close()

    def write_only_while(self, allowed: Callable[[], bool]) -> None:
        """Refuse the leader's writes from the moment on that `allowed` says no, repeats too.

        A process that was paused for longer than its Lease learns so before it writes.
        """
        self._may_write = allowed

    async def send(self, request: Request) -> JsonObject:
        """Return the answer; ClusterRefused for every other ending."""
        text = await self._text(request)
        try:
            answer = scanner.decode(text) if text else {}
        except Unreadable as error:
            raise ClusterRefused(
                f"{request.subject or request.path}: the answer is {error}",
                code=_OK,
                api_reason="Unreadable",
                object_reference=request.subject,
            ) from error
        return answer if isinstance(answer, dict) else {}

    async def text(self, request: Request) -> str:
        """Return an answer that is no JSON; ClusterRefused for every other ending."""
        return await self._text(request)

    async def list_all(self, request: Request) -> ListPage:
        """Return all pages of a GET on a collection; an item that cannot be decoded is poison."""
        items: list[JsonObject] = []
        poison: list[Poison] = []
        query = {"limit": str(PAGE_ITEMS), **request.query}
        while True:
            text = await self._text(replace(request, query=query))
            try:
                metadata, page = _split(text)
            except Unreadable as error:
                raise ClusterRefused(
                    f"{request.path}: the list is {error}", code=_OK, api_reason="Unreadable"
                ) from error
            for item in page:
                if isinstance(item, Poison):
                    poison.append(item)
                else:
                    items.append(item)
            if not metadata.get("continue"):
                version = str(metadata.get("resourceVersion", ""))
                return ListPage(version, tuple(items), tuple(poison))
            query = {**query, "continue": str(metadata["continue"])}

    async def watch(self, request: Request, resource_version: str) -> AsyncIterator[WatchEvent]:
        """Yield changes after a resource version, until the server ends the watch in order.

        The first event is an empty bookmark, which says that the server answered.

        WatchGone and WatchFailed ask for a new list. ClusterRefused(0) says that the connection
        broke or stayed silent: watch on from the last resource version that was seen.
        """
        query = {
            **request.query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(WATCH_SECONDS + int(WATCH_SECONDS * self._jitter() / 2)),
        }
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=self._silence_seconds
        )
        try:
            async with self._session(watch=True).request(
                "GET",
                self._url(request.path, query),
                headers=await self._headers(request),
                timeout=timeout,
                allow_redirects=False,
                server_hostname=self._connection.server_name or None,
                proxy=self._connection.proxy or None,
            ) as response:
                if response.status != _OK:
                    await self._raise_refusal(response, request)
                yield WatchEvent("BOOKMARK", {})
                async for line in _lines(response.content):
                    yield _event(line)
        except _Again as error:
            raise error.refusal from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._no_answer(request, error) from error

    async def _text(self, request: Request) -> str:
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        attempts = min(request.attempts, self._attempts_limit)
        for attempt in range(1, attempts + 1):
            self._check_lead(request)  # each time: the pause before a repeat may have been long
            try:
                return await self._exchange(request)
            except _Again as error:
                if attempt == attempts:
                    if attempts > 1:  # whoever is refused may ask for the same next
                        await asyncio.sleep(error.pause_seconds)
                    raise error.refusal from error
                pause = backoff.next_seconds() * (0.5 + self._jitter())
                await asyncio.sleep(max(error.pause_seconds, pause))
        raise AssertionError("a request has at least one attempt")

    def _check_lead(self, request: Request) -> None:
        if request.method != "GET" and request.needs_lead and not self._may_write():
            raise ClusterRefused("the Lease is not held any more", api_reason="LeaseLost")

    async def _exchange(self, request: Request) -> str:
        """Send once; _Again if it may be sent again, ClusterRefused if not."""
        body = None if request.body is None else encoded(request.body)
        try:
            async with self._session().request(
                request.method,
                self._url(request.path, request.query),
                headers=await self._headers(request),
                data=body,
                timeout=aiohttp.ClientTimeout(
                    total=request.timeout_seconds, sock_connect=CONNECT_SECONDS
                ),
                allow_redirects=False,
                server_hostname=self._connection.server_name or None,
                proxy=self._connection.proxy or None,
                trace_request_ctx=request,
            ) as response:
                if _OK <= response.status < 300:  # noqa: PLR2004 - the successes of HTTP
                    return await self._content(response)
                await self._raise_refusal(response, request)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _Again(self._no_answer(request, error)) from error  # nothing was sent
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            refused = self._no_answer(request, error)
            if _repeatable(request):
                raise _Again(refused) from error
            raise refused from error

    async def _raise_refusal(self, response: aiohttp.ClientResponse, request: Request) -> NoReturn:
        text = await self._content(response)
        try:
            status = scanner.decode(text)
        except Unreadable:
            status = None
        refused = self._refusal(request, response.status, status)
        person = request.identity.person
        if response.status == _UNAUTHORIZED and not (person and person.token):
            await self._connection.renew()
            raise _Again(refused)
        if response.status == _GONE:
            raise WatchGone(refused.text, code=_GONE, api_reason=refused.api_reason)
        retry_after = response.headers.get("Retry-After", "")
        pause = min(float(retry_after), RETRY_AFTER_LIMIT_SECONDS) if retry_after.isdigit() else 0.0
        # With Retry-After the server says that it did nothing.
        undone = response.status == _TOO_MANY or bool(retry_after) or _lost_a_race(refused, request)
        if undone or (refused.code in _ANSWER_LOST and _repeatable(request)):
            raise _Again(refused, pause)
        raise refused

    async def _content(self, response: aiohttp.ClientResponse) -> str:
        """Return the text of an answer; ClusterRefused if it is longer than it may be."""
        limit = self._answer_bytes_limit
        if not limit:
            return await response.text("utf-8", errors="replace")
        content = bytearray()
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) > limit:
                text = f"the API server's answer is larger than {limit >> 20} MiB"
                raise ClusterRefused(text, code=_OK, api_reason="Unreadable")
        return content.decode("utf-8", errors="replace")

    def _no_answer(self, request: Request, error: Exception) -> ClusterRefused:
        if isinstance(error, aiohttp.ClientConnectorError):
            error = error.os_error
        elif isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
            error = ValueError("its answer cannot be read as HTTP")
        proxy = self._connection.proxy
        shown = str(yarl.URL(proxy).with_user(None)) if proxy else ""
        text = unreachable(self._connection.server, shown, error)
        return ClusterRefused(text, object_reference=request.subject)

    def _refusal(self, request: Request, status: int, answer: object) -> ClusterRefused:
        """Return what an answer says that is no success."""
        return refusal(status, answer, request.subject)

    async def _headers(self, request: Request) -> list[tuple[str, str]]:
        headers = [
            ("Accept", request.accept),
            ("Accept-Encoding", "identity"),  # compressing costs both sides more than it saves
            ("User-Agent", self._user_agent),
        ]
        person = request.identity.person
        if person is not None and person.token:
            authorization = f"Bearer {person.token}"
        else:
            # The groups of a ServiceAccount are the API server's to add: naming them as well would
            # take the right to impersonate groups.
            if request.identity.username:
                headers.append(("Impersonate-User", request.identity.username))
            else:
                headers += self._connection.impersonation
            if person is not None:
                headers += [("Impersonate-Group", group) for group in person.groups]
            authorization = await self._connection.authorization()
        if authorization:
            headers.append(("Authorization", authorization))
        if request.body is not None:
            headers.append(("Content-Type", request.content_type))
        return headers

    def _url(self, path: str, query: Mapping[str, str]) -> yarl.URL:
        pairs = "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
        url = f"{self._connection.server}{path}" + (f"?{pairs}" if pairs else "")
        return yarl.URL(url, encoded=True)

    def _session(self, *, watch: bool = False) -> aiohttp.ClientSession:
        """Return the session of calls, or that of watches, which would use up the first's pool."""
        session = self._watches if watch else self._calls
        if session is None:
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=self._connection.resolver(),
                    ssl=self._connection.tls,
                    limit=0,
                    limit_per_host=0 if watch else CONNECTIONS,
                    keepalive_timeout=KEEPALIVE_SECONDS,
                ),
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[] if watch else [self._last_checks()],
                # Nobody was asked to compress; a little that becomes much is no honest answer.
                auto_decompress=not self._answer_bytes_limit,
            )
            if watch:
                self._watches = session
            else:
                self._calls = session
        return session

    def _last_checks(self) -> aiohttp.TraceConfig:
        """Check the lead once more when the connection is there: the wait for it may be long."""

        async def check(_session: object, context: SimpleNamespace, _facts: object) -> None:
            self._check_lead(context.trace_request_ctx)

        checks = aiohttp.TraceConfig()
        checks.on_connection_reuseconn.append(check)
        checks.on_connection_create_end.append(check)
        return checks


def _repeatable(request: Request) -> bool:
    return request.repeatable or request.method in _IDEMPOTENT


def _lost_a_race(refused: ClusterRefused, request: Request) -> bool:
    """Whether a write met another one inside of the API server, as for a quota, and did nothing.

    Where it named the version that it is about, the caller has to look at the newer one.
    """
    if refused.code != _CONFLICT or refused.api_reason != "Conflict":
        return False
    body = request.body
    if isinstance(body, list):  # a JSON patch
        return all(each.get("path") != "/metadata/resourceVersion" for each in body)
    metadata = body.get("metadata") if isinstance(body, Mapping) else None
    named = metadata if isinstance(metadata, Mapping) else {}
    return "resourceVersion" not in named and "uid" not in named


def _split(text: str) -> tuple[JsonObject, list[JsonObject | Poison]]:
    try:
        whole = json.loads(text)
    except (RecursionError, ValueError):
        return scanner.decode_list(text)
    if not isinstance(whole, dict):
        raise Unreadable("no list")
    return whole.get("metadata") or {}, whole.get("items") or []


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield whole lines; half a line at the end of a stream that was cut is dropped."""
    parts: list[bytes] = []
    size = 0
    async for chunk in stream.iter_any():
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            full = b"".join((*parts, line))
            parts, size = [], 0
            if full.strip():
                yield full
        parts.append(rest)
        size += len(rest)
        if size > LINE_BYTES_LIMIT:
            raise WatchFailed("a line of the watch is too long")


def _event(line: bytes) -> WatchEvent:
    try:
        event = scanner.decode(line)
    except Unreadable as error:
        found = scanner.quarantine_event(line.decode("utf-8", errors="replace"), str(error))
        if found is None:
            raise WatchFailed("a line of the watch cannot be read") from error
        return WatchEvent(found[0], {}, found[1])
    kind = event.get("type") if isinstance(event, dict) else None
    body = event.get("object") if isinstance(event, dict) else None
    if not isinstance(kind, str) or not isinstance(body, dict):
        raise WatchFailed("a line of the watch is no event")
    if kind == "ERROR":
        code = body.get("code")
        refused = refusal(code if isinstance(code, int) else 0, body, "")
        failure = WatchGone if refused.code == _GONE else WatchFailed
        raise failure(refused.text, code=refused.code, api_reason=refused.api_reason)
    return WatchEvent(kind, body)
