"""A client for one command of a person: one connection, one request at a time.

`kube.client` serves the operator: thousands of requests at once, and half a second to import. Here
the standard library's client does, which costs a tenth of it; the words of refusals are the same.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from whipstaff.errors import ClusterRefused
from whipstaff.kube import scanner
from whipstaff.kube.access import Access
from whipstaff.kube.encoding import encoded
from whipstaff.kube.media_types import JSON
from whipstaff.kube.proxies import Proxy
from whipstaff.kube.refusals import refusal
from whipstaff.kube.unreachable import UNREACHABLE, unreachable
from whipstaff.release.revision import JsonObject

REQUEST_SECONDS = 60.0
ATTEMPTS = 5
LONGEST_PAUSE_SECONDS = 30.0
PAGE_ITEMS = 500

_ASTRAY = {"", ".", ".."}  # as names they make of an object's path that of another, or of many
_BAD_REQUEST = 400
_LINE_BYTES = 200  # of an answer that is no JSON, for whoever has to find out who gives it
_UNAUTHORIZED, _TOO_MANY, _UNAVAILABLE, _SUCCESSES = 401, 429, 503, range(200, 300)


class Exchange(NamedTuple):
    """A request that was answered; nothing in it is secret."""

    method: str
    url: str
    status: int
    answer_bytes: int
    seconds: float


Tell = Callable[[Exchange], None]


def _untold(exchange: Exchange) -> None:
    """Nobody asks."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `subject` is what an error calls the object."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    content_type: str = JSON
    accept: str = JSON
    subject: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)  # besides those of every request


class Direct:
    """Speaks to one API server, from one thread."""

    def __init__(self, access: Access, user_agent: str, tell: Tell = _untold) -> None:
        """Speak as `access` says; `tell` is called with each exchange that ended."""
        self._access = access
        self._tell = tell
        self._user_agent = user_agent
        self._base = urlsplit(access.server)
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()

    def get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        accept: str = JSON,
        subject: str = "",
    ) -> JsonObject:
        """Read an object, or a list that is not paged."""
        return self.send(Call("GET", path, query or {}, accept=accept, subject=subject))

    def text(self, path: str, query: Mapping[str, str] | None = None, *, subject: str = "") -> str:
        """Read what is no JSON, as a log."""
        call = Call("GET", path, query or {}, accept="*/*", subject=subject)
        return self._sent(call).decode("utf-8", "replace")

    def items(
        self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON
    ) -> Iterator[JsonObject]:
        """Read the items of a list, page by page; what cannot be decoded is left out."""
        asked = {"limit": str(PAGE_ITEMS), **(query or {})}
        while True:
            page = self.get(path, asked, accept=accept)
            yield from (item for item in page.get("items") or () if isinstance(item, dict))
            rest = (page.get("metadata") or {}).get("continue")
            if not rest:
                return
            asked = {**asked, "continue": str(rest)}

    def send(self, call: Call) -> JsonObject:
        """Return the answer; ClusterRefused for every other ending."""
        return self._decoded(call, self._sent(call))

    def _sent(self, call: Call) -> bytes:
        if _ASTRAY.intersection(call.path.split("/")[1:]):
            subject = call.subject or call.path
            raise ClusterRefused(f"{subject}: a name in it is empty", _BAD_REQUEST)
        status, answer, pause = self._exchange(call)
        if status == _UNAUTHORIZED and self._access.renew():
            status, answer, pause = self._exchange(call)
        for _ in range(ATTEMPTS - 1):
            if status != _TOO_MANY and not (status == _UNAVAILABLE and pause):
                break
            time.sleep(min(pause, LONGEST_PAUSE_SECONDS))
            status, answer, pause = self._exchange(call)
        if status not in _SUCCESSES:
            raise self._refusal(call, status, answer)
        return answer

    def _refusal(self, call: Call, status: int, answer: bytes) -> ClusterRefused:
        """Return what an answer says that is no success."""
        if status == _UNAUTHORIZED:
            asks = "the server has asked for the client to provide credentials"
            return ClusterRefused(f"{UNREACHABLE}: {asks}", status)
        try:
            facts: object = scanner.decode(answer)
        except scanner.Unreadable:
            told = answer[:_LINE_BYTES].decode("ascii", "replace").strip()
            # Who is asked for HTTPS and for HTTP the wrong way round says so.
            is_text = status == _BAD_REQUEST and not told.startswith("<")
            facts = {"message": f"the API server answered {status}: {told}"} if is_text else None
        return refusal(status, facts, call.subject)

    def _decoded(self, call: Call, answer: bytes) -> JsonObject:
        try:
            found = scanner.decode(answer) if answer else {}
        except scanner.Unreadable as error:
            raise ClusterRefused(f"{call.subject or call.path}: the answer is {error}") from error
        return found if isinstance(found, dict) else {}

    def _exchange(self, call: Call) -> tuple[int, bytes, float]:
        """Send once, and once more if an idle connection turns out to be closed."""
        body = None if call.body is None else encoded(call.body)
        kept = self._connection is not None
        try:
            return self._answer(call, body)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            self._connection = None
            # Nothing was answered on a connection that others had used before: it was closed.
            if kept and isinstance(error, http.client.RemoteDisconnected | ConnectionResetError):
                return self._exchange(call)
            proxy = str(self._access.proxy or "")
            raise ClusterRefused(unreachable(self._access.server, proxy, error)) from error

    def _answer(self, call: Call, body: bytes | None) -> tuple[int, bytes, float]:
        connection = self._open()
        headers = [
            ("Accept", call.accept),
            ("User-Agent", self._user_agent),
            *([("Content-Type", call.content_type)] if body is not None else ()),
            *([("Content-Length", str(len(body)))] if body is not None else ()),
            *call.headers.items(),
            *self._access.headers.items(),
            *(("Impersonate-Group", group) for group in self._access.groups),
        ]
        pairs = "&".join(f"{key}={quote(text, safe='')}" for key, text in call.query.items())
        url = f"{self._base.path}{call.path}" + (f"?{pairs}" if pairs else "")
        began = time.monotonic()
        proxy = self._access.proxy
        if proxy is not None and self._base.scheme == "http" and proxy.scheme == "http":
            headers += [("Proxy-Authorization", login)] if (login := proxy.authorization) else []
            connection.putrequest(call.method, f"http://{self._base.netloc}{url}")
        else:
            connection.putrequest(call.method, url)
        for name, text in headers:
            connection.putheader(name, text)
        connection.endheaders(body)
        response = connection.getresponse()
        answer = response.read()
        seconds = time.monotonic() - began
        place = f"{self._base.scheme}://{self._base.netloc.rpartition('@')[2]}{url}"
        self._tell(Exchange(call.method, place, response.status, len(answer), seconds))
        pause = response.headers.get("Retry-After", "")
        return response.status, answer, float(pause) if pause.isdecimal() else 0.0

    def _open(self) -> http.client.HTTPConnection:
        if self._connection is None:
            host, port = self._base.hostname or "", self._base.port
            proxy = self._access.proxy
            if self._base.scheme == "https":
                assert isinstance(self._access.tls, ssl.SSLContext)  # noqa: S101 - so it is made
                named = self._access.server_name or host
                self._connection = _Encrypted(host, port, proxy, self._access.tls, named)
            elif proxy is not None and proxy.scheme == "http":  # which is asked for the URL
                self._connection = _Line(proxy.host, proxy.port, None)
            else:
                self._connection = _Line(host, port, proxy)
        return self._connection


class _Line(http.client.HTTPConnection):
    """A connection to a server, through a proxy or not."""

    def __init__(self, host: str, port: int | None, proxy: Proxy | None) -> None:
        super().__init__(host, port, timeout=REQUEST_SECONDS)
        self._proxy = proxy

    def connect(self) -> None:
        if self._proxy is not None:
            self.sock = self._proxy.connect(self.host, self.port, REQUEST_SECONDS)
        else:
            self.sock = socket.create_connection((self.host, self.port), REQUEST_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Encrypted(_Line):
    """A connection to a server whose certificate may name another host than its URL."""

    default_port = http.client.HTTPS_PORT

    def __init__(
        self, host: str, port: int | None, proxy: Proxy | None, tls: ssl.SSLContext, named: str
    ) -> None:
        super().__init__(host, port, proxy)
        self._tls = tls
        self._named = named

    def connect(self) -> None:
        super().connect()
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._named)
