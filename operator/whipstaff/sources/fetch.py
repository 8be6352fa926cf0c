"""Fetch over HTTP what strangers serve: bounded, in time, and never from where it must not come.

Addresses are judged after the name was resolved, at every redirect anew. Texts of errors hold URLs
without user, password and query.
"""

import asyncio
import ipaddress
import re
import socket
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from whipstaff.errors import ChartInvalid, ChartTooLarge, ChartUnavailable, InvalidSpec

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REDIRECTS_LIMIT = 5
_CONNECT_SECONDS = 10.0
_GZIP_WINDOW = 31
_SPELLED_OUT = re.compile(r"[\w:/?#\[\]@!$&'()*+,;=.~%-]+", re.ASCII)
# Services of clouds that hand out credentials and are not link-local.
_METADATA = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "168.63.129.16", "fd00:ec2::254"))
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ForbiddenAddressError(OSError):
    """A name or URL leads to an address that is not for charts."""


def parse_url(text: str, field: str) -> URL:
    """Read an http or https URL; InvalidSpec names the field."""
    try:
        url = URL(text)
    except ValueError as error:
        raise InvalidSpec(f"{field} is no URL", field) from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise InvalidSpec(f"{field} must be an http or https URL, not {displayed(url)}", field)
    return url


def as_written(text: str) -> URL:
    """Read a URL and do not respell it, for a signature may depend on that; or ValueError."""
    return URL(text, encoded=bool(_SPELLED_OUT.fullmatch(text)))


def displayed(url: URL) -> str:
    """Return a URL that may be shown: no user, no password, no query."""
    if not url.absolute:
        return url.path
    return str(url.with_user(None).with_query(None).with_fragment(None))


def refuse_address(address: Address, *, allow_loopback: bool) -> None:
    """Raise ForbiddenAddressError for what is no place for a chart repository."""
    mapped = getattr(address, "ipv4_mapped", None)
    actual = mapped or address
    if actual.is_loopback and allow_loopback:
        return
    if (
        actual.is_loopback
        or actual.is_link_local
        or actual.is_multicast
        or actual.is_unspecified
        or actual in _METADATA
    ):
        raise ForbiddenAddressError(f"{actual} is no address for chart repositories")


class _CheckingResolver(AbstractResolver):
    """Resolves names as usual and refuses the answers that it must."""

    def __init__(self, *, allow_loopback: bool) -> None:
        self._resolver = aiohttp.ThreadedResolver()
        self._allow_loopback = allow_loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for one in found:
            address = ipaddress.ip_address(one["host"].partition("%")[0])
            refuse_address(address, allow_loopback=self._allow_loopback)
        return found

    async def close(self) -> None:
        await self._resolver.close()


@dataclass(frozen=True, slots=True)
class Reply:
    """The head of an answer, its body still to be read with `chunks`."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class Fetcher:
    """One HTTP client for all repositories; made on first use, inside the event loop."""

    def __init__(self, *, timeout_seconds: float, allow_loopback: bool) -> None:
        self._timeout_seconds = timeout_seconds
        self._allow_loopback = allow_loopback
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def get(
        self, url: URL, *, bytes_limit: int, headers: Mapping[str, str]
    ) -> AsyncIterator[Reply]:
        """Ask for `url` and follow redirects; statuses other than 200 and 304 are errors.

        ChartUnavailable if there is no answer, ChartTooLarge if there is too much of it.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._follow(url, headers)
                try:
                    _check_status(response, url)
                    yield Reply(response.status, response.headers, _body(response, bytes_limit))
                finally:
                    response.close()
        except TimeoutError as error:
            raise _unavailable(url, f"no answer within {self._timeout_seconds:g} s") from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise _unavailable(url, "the certificate is not trusted") from error
        except (aiohttp.ClientError, OSError, zlib.error) as error:
            raise _unavailable(url, _why(error)) from error

    async def _follow(self, url: URL, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        current = url
        for _ in range(_REDIRECTS_LIMIT + 1):
            response = await self._ask(current, headers)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            response.close()
            current = _redirected(current, location)
        raise _unavailable(url, f"more than {_REDIRECTS_LIMIT} redirects")

    async def _ask(self, url: URL, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        if url.host and _is_address(url.host):
            # The connector resolves no literals, so that the resolver would not see this one.
            address = ipaddress.ip_address(url.host.partition("%")[0])
            refuse_address(address, allow_loopback=self._allow_loopback)
        return await self._client().get(url, headers=headers, allow_redirects=False)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = _CheckingResolver(allow_loopback=self._allow_loopback)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, limit_per_host=4),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
                auto_decompress=False,  # an archive with Content-Encoding: gzip is still an archive
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "whipstaff"},
            )
        return self._session


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _redirected(current: URL, location: str) -> URL:
    try:
        following = current.join(as_written(location))
    except ValueError as error:
        raise _unavailable(current, "redirects to something that is no URL") from error
    if following.scheme not in {"http", "https"}:
        raise _unavailable(current, f"redirects to {following.scheme}:")
    if following.origin() != current.origin():
        following = following.with_user(None)
    return following


def _check_status(response: aiohttp.ClientResponse, url: URL) -> None:
    if response.status not in {200, 304}:
        raise _unavailable(url, f"{response.status} {response.reason or ''}".strip())


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


def _why(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, ForbiddenAddressError):
            return str(error.os_error)
        case aiohttp.ClientConnectorDNSError():
            return "the name cannot be resolved"
        case ForbiddenAddressError():
            return str(error)
        case aiohttp.ClientConnectorError():
            return f"no connection: {error.os_error.strerror or 'refused'}"
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
