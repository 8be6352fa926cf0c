"""Fetch over HTTP what strangers serve: bounded, in time, and never from where it must not come.

Addresses are judged after the name was resolved, at every redirect anew. A login is for the origin
of a URL: scheme, host and port. Texts of errors hold URLs
without user, password and query.
"""

import asyncio
import os
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import aiohttp
from yarl import URL

from whipstaff.errors import (
    ChartInvalid,
    ChartTooLarge,
    ChartUnavailable,
    RepoAuthFailed,
    RepoForbiddenTarget,
    RepoTimeout,
)
from whipstaff.sources.addresses import AddressPolicy, CheckingResolver, ForbiddenAddressError
from whipstaff.sources.credentials import ANONYMOUS, Credentials
from whipstaff.sources.tls import Trust, context

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REDIRECTS_LIMIT = 5
_CONNECT_SECONDS = 10.0
_GZIP_WINDOW = 31
_SPELLED_OUT = re.compile(r"[\w:/?#\[\]@!$&'()*+,;=.~%-]+", re.ASCII)


def as_written(text: str) -> URL:
    """Read a URL and do not respell it, for a signature may depend on that; or ValueError."""
    return URL(text, encoded=bool(_SPELLED_OUT.fullmatch(text)))


def same_origin(left: URL, right: URL) -> bool:
    """Whether scheme, host and port are the same, said or not."""
    return (left.scheme, left.host, left.port) == (right.scheme, right.host, right.port)


def displayed(url: URL) -> str:
    """Return a URL that may be shown: no user, no password, no query."""
    if not url.absolute:
        return url.path
    return str(url.with_user(None).with_query(None).with_fragment(None))


@dataclass(frozen=True, slots=True)
class Reply:
    """The head of an answer, its body still to be read with `chunks`."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the login goes to the origin of the first URL and nowhere that it redirects to."""

    credentials: Credentials = field(default=ANONYMOUS, repr=False)
    insecure: bool = False  # that origin's certificates are not checked
    timeout_seconds: float = 30.0

    def as_stranger(self) -> "Asker":
        """Return who asks elsewhere: with the same authorities, and nothing that proves who."""
        return Asker(Credentials(ca=self.credentials.ca), timeout_seconds=self.timeout_seconds)

    @property
    def tls(self) -> ssl.SSLContext:
        known = self.credentials
        return context(Trust(known.ca, known.certificate, known.key, self.insecure))


class Fetcher:
    """One HTTP client for all repositories; made on first use, inside the event loop."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def get(
        self, url: URL, asker: Asker, *, bytes_limit: int, headers: Mapping[str, str]
    ) -> AsyncIterator[Reply]:
        """Ask for `url` and follow redirects; statuses other than 200 and 304 are errors.

        ChartUnavailable and its kin if there is no answer, ChartTooLarge if there is too much.
        """
        async with answered(url, asker.timeout_seconds):
            response = await self._follow(url, asker, headers)
            try:
                _check_status(response, url)
                yield Reply(response.status, response.headers, _body(response, bytes_limit))
            finally:
                response.close()

    async def _follow(
        self, url: URL, asker: Asker, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        current = url
        for _ in range(_REDIRECTS_LIMIT + 1):
            if not same_origin(current, url):
                asker = asker.as_stranger()  # for good: whoever leads back here may be anyone
            response = await self._ask(current, asker, headers)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            response.close()
            current = redirected(current, location)
        raise _unavailable(url, f"more than {_REDIRECTS_LIMIT} redirects")

    async def _ask(
        self, url: URL, asker: Asker, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        await self._policy.renew()
        # The connector resolves no literals, so that the resolver would not see this one.
        self._policy.refuse_literal(url.host or "", url.port or 0)
        known = asker.credentials.authorization
        sent = {**headers, "Authorization": known} if known else headers
        return await self._client().get(url, headers=sent, allow_redirects=False, ssl=asker.tls)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session(self._policy)
        return self._session


def open_session(policy: AddressPolicy) -> aiohttp.ClientSession:
    """Return a client that connects to allowed addresses alone, and keeps nothing of a server."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=CheckingResolver(policy), limit_per_host=4),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        auto_decompress=False,  # an archive with Content-Encoding: gzip is still an archive
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "whipstaff"},
    )


@asynccontextmanager
async def answered(url: URL, limit_seconds: float) -> AsyncIterator[None]:
    """Bound what is asked of `url` in time, and say in our words what went wrong."""
    try:
        async with asyncio.timeout(limit_seconds):
            yield
    except TimeoutError as error:
        text = f"{displayed(url)}: no answer within {limit_seconds:g} s"
        raise RepoTimeout(text, displayed(url)) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise _unavailable(url, "the certificate is not trusted") from error
    except (aiohttp.ClientError, OSError, zlib.error) as error:
        raise _failure(url, error) from error


def redirected(current: URL, location: str) -> URL:
    """Return where a redirect leads; RepoForbiddenTarget for what is less safe than before."""
    try:
        following = current.join(as_written(location))
    except ValueError as error:
        raise _unavailable(current, "redirects to something that is no URL") from error
    if following.scheme not in {"http", "https"} or not following.host:
        where = displayed(current)
        raise RepoForbiddenTarget(f"{where}: redirects to {following.scheme}:", where)
    if current.scheme == "https" and following.scheme == "http":
        where = displayed(current)
        raise RepoForbiddenTarget(f"{where}: redirects from https to http", where)
    return following.with_user(None)  # whoever redirects does not say who we are


def _check_status(response: aiohttp.ClientResponse, url: URL) -> None:
    if response.status in {200, 304}:
        return
    text = f"{displayed(url)}: {response.status} {_reason_phrase(response.status)}".strip()
    kind = RepoAuthFailed if response.status in {401, 403} else ChartUnavailable
    raise kind(text, displayed(url))


def _reason_phrase(code: int) -> str:
    """Return our own words for a status: a server's own could hold anything."""
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""


async def _body(response: aiohttp.ClientResponse, bytes_limit: int) -> AsyncIterator[bytes]:
    """Yield the body, inflated if it was sent compressed for us, and no more of it than allowed."""
    inflater = _inflater(response)
    total = 0
    async for chunk in response.content.iter_chunked(1 << 16):
        piece = inflater.decompress(chunk, bytes_limit + 1) if inflater else chunk
        total += len(piece)
        if total > bytes_limit:
            raise ChartTooLarge(f"{displayed(response.url)} is larger than {bytes_limit} bytes")
        yield piece
    if inflater and not inflater.eof:
        raise aiohttp.ClientPayloadError("the body ends early")


def _inflater(response: aiohttp.ClientResponse) -> Any:  # noqa: ANN401 - zlib names no type
    asked = "gzip" in response.request_info.headers.get("Accept-Encoding", "")
    sent = response.headers.get("Content-Encoding", "").lower() == "gzip"
    return zlib.decompressobj(_GZIP_WINDOW) if asked and sent else None


def _unavailable(url: URL, why: str) -> ChartUnavailable:
    return ChartUnavailable(f"{displayed(url)}: {why}", displayed(url))


def _failure(url: URL, error: Exception) -> ChartUnavailable:
    forbidden = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(forbidden, ForbiddenAddressError):
        return RepoForbiddenTarget(f"{displayed(url)}: {forbidden}", displayed(url))
    return _unavailable(url, _why(error))


def _why(error: Exception) -> str:
    match error:
        case aiohttp.ClientProxyConnectionError():
            return "no connection to the proxy"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy refuses: {error.status} {_reason_phrase(error.status)}".rstrip()
        case aiohttp.ClientConnectorDNSError():
            return "the name cannot be resolved"
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno  # the text may be asyncio's, which names the address
            return f"no connection: {os.strerror(number) if number else 'refused'}"
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError() | zlib.error():
            return "the answer broke off"
        case _:
            return f"no answer that can be read ({type(error).__name__})"


def refuse_unless_gzip(data: bytes, url: URL) -> None:
    """Raise ChartInvalid for an archive that is none, and say what it looks like."""
    if data.startswith(b"\x1f\x8b\x08"):
        return
    text = data[:512].lstrip().lower()
    kind = "text/html" if text.startswith((b"<!doctype", b"<html", b"<head", b"<body")) else "data"
    kind = kind if data else "empty"
    raise ChartInvalid(f"{displayed(url)} is not a gzip archive ({kind})")
