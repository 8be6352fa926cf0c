"""Download over HTTP as helm does, in its words, with a bar on a terminal and nothing elsewhere.

Unlike helm a login stays at the origin that it belongs to, whatever redirects, and nothing leads
from https to http. Addresses are not judged: whoever runs a command may send it anywhere.
"""

import asyncio
import os
import ssl
import sys
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

import aiohttp
import click
from yarl import URL

from whipstaff.cli import given_files
from whipstaff.cli.debugging import timed
from whipstaff.cli.helm_home import Refused
from whipstaff.cli.proxied import proxy_for
from whipstaff.errors import ChartUnavailable, RepoAuthInvalid
from whipstaff.golang.strconv import quote
from whipstaff.sources.credentials import Credentials
from whipstaff.sources.fetch import Asker, as_written, redirected, same_origin

TIMEOUT_SECONDS = 120.0  # helm's, of one request with its answer

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REDIRECTS_LIMIT = 10
_BYTES_LIMIT = 1 << 29
_ANSWER_BYTES = 1 << 16  # what a server says of an upload
_GZIP_WINDOW = 31
_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})
_EXPIRED = 10
_OTHER_NAME = frozenset({62, 64})


class Bar:
    """How much has come, on a terminal; nothing is shown elsewhere."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: Any = None
        self._shown = sys.stderr.isatty()

    def expect(self, length: int | None) -> None:
        """Say how many bytes more will come, None if nobody knows."""
        if not self._shown:
            return
        if self._bar is None:
            self._bar = click.progressbar(
                length=length or 0, label=self._label, file=sys.stderr, show_pos=True
            )
        else:
            self._bar.length = (self._bar.length or 0) + (length or 0)

    def advance(self, count: int) -> None:
        """Say how many bytes have come."""
        if self._bar is not None:
            if self._bar.pos + count > (self._bar.length or 0):
                self._bar.length = self._bar.pos + count
            self._bar.update(count)

    def clear(self) -> None:
        """Take the bar away, for what is printed instead, and show the cursor again."""
        if self._bar is not None:
            click.echo("\r\033[K\033[?25h", nl=False, err=True)


def shown(url: str) -> str:
    """Return a URL that may be printed: its password is hidden, its query left out."""
    try:
        found = as_written(url)
    except ValueError:
        return "a URL that cannot be read" if "@" in url else url
    if not found.absolute:
        return url.partition("?")[0]
    if found.raw_password is None and not found.raw_query_string:
        return url
    text = str(found.with_user(None).with_query(None).with_fragment(None))
    if found.raw_password is None:
        user = f"{found.raw_user}@" if found.raw_user else ""
    else:
        user = f"{found.raw_user or ''}:***@"
    scheme, _, rest = text.partition("://")
    return f"{scheme}://{user}{rest}"


def certificates(ca_file: str, cert_file: str, key_file: str) -> Credentials:
    """Read the files of the flags; Refused in helm's words."""
    pair = bool(cert_file and key_file)
    return Credentials(
        ca=_pem(ca_file, "can't read CA file") if ca_file else "",
        certificate=_pem(cert_file, "unable to read cert file") if pair else "",
        key=_pem(key_file, "unable to read key file") if pair else "",
    )


def _pem(file: str, problem: str) -> str:
    try:
        data = given_files.read(file)
    except OSError as error:
        why = f"open {file}: {(error.strerror or '').lower()}"
        raise Refused(
            f"can't create TLS config for client: {problem}: {quote(file)}: {why}"
        ) from error
    return data.decode("utf-8", "replace")


@asynccontextmanager
async def open_downloads(
    timeout_seconds: float = TIMEOUT_SECONDS, bar: Bar | None = None
) -> AsyncIterator["Downloads"]:
    """Give what downloads, and close its connections."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver()),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,  # an archive with Content-Encoding: gzip is still an archive
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "whipstaff"},
    )
    try:
        yield Downloads(session, timeout_seconds, bar)
    finally:
        await session.close()


def _place(url: str) -> URL:
    try:
        return as_written(url)
    except ValueError as error:
        raise Refused(f"invalid chart URL format: {shown(url)}") from error


class Downloads:
    """One HTTP client of a command."""

    def __init__(
        self, session: aiohttp.ClientSession, timeout_seconds: float, bar: Bar | None
    ) -> None:
        self._session = session
        self._timeout_seconds = timeout_seconds
        self._bar = bar or Bar("")

    async def get(self, url: str, asker: Asker, accept: str = "*/*") -> bytes:
        """Return what is at `url`; Refused in helm's words if that cannot be had."""
        place = _place(url)
        async with self._in_helms_words("Get", url, place):
            return await self._get(place, asker, accept)

    async def post(self, url: str, asker: Asker, form: aiohttp.FormData) -> tuple[int, bytes]:
        """Send a form, and return the status of the answer and its body; no redirect is followed.

        Refused if there is no answer.
        """
        place = _place(url)
        async with self._in_helms_words("Post", url, place):
            known = asker.credentials.authorization
            response = await self._session.post(
                place.with_user(None),
                data=form,
                headers={"Authorization": known} if known else {},
                allow_redirects=False,
                ssl=asker.tls,
                proxy=proxy_for(place),
            )
            try:
                return response.status, await response.content.read(_ANSWER_BYTES)
            finally:
                response.close()

    @asynccontextmanager
    async def _in_helms_words(self, verb: str, url: str, place: URL) -> AsyncIterator[None]:
        """Limit the time of a request, and say as helm does what became of it."""
        asked = f"{verb} {quote(shown(url))}"
        try:
            async with asyncio.timeout(self._timeout_seconds or None):
                with timed("download", url=shown(url)):
                    yield
        except TimeoutError as error:
            raise Refused(
                f"{asked}: context deadline exceeded "
                "(Client.Timeout exceeded while awaiting headers)"
            ) from error
        except (aiohttp.ClientPayloadError, zlib.error) as error:
            raise Refused("unexpected EOF") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Refused(f"{asked}: {_why(error, place)}") from error
        except RepoAuthInvalid as error:
            raise Refused(
                "can't create TLS config for client: the certificates cannot be read"
            ) from error
        except ChartUnavailable as error:
            raise Refused(f"{asked}: {error.text}") from error

    async def _get(self, url: URL, asker: Asker, accept: str) -> bytes:
        response = await self._follow(url, asker, accept)
        try:
            if response.status != HTTPStatus.OK:
                raise Refused(f"failed to fetch {shown(str(url))} : {_status(response.status)}")
            return await self._body(response)
        finally:
            response.close()

    async def _follow(self, url: URL, asker: Asker, accept: str) -> aiohttp.ClientResponse:
        current = url.with_user(None)
        for _ in range(_REDIRECTS_LIMIT):
            if not same_origin(current, url):
                asker = asker.as_stranger()  # for good: whoever leads back here may be anyone
            response = await self._ask(current, asker, accept)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            response.close()
            current = redirected(current, location)
        raise Refused(
            f"Get {quote(shown(str(current)))}: stopped after {_REDIRECTS_LIMIT} redirects"
        )

    async def _ask(self, url: URL, asker: Asker, accept: str) -> aiohttp.ClientResponse:
        headers = {"Accept": accept, "Accept-Encoding": "gzip" if accept == "*/*" else "identity"}
        if known := asker.credentials.authorization:
            headers["Authorization"] = known
        return await self._session.get(
            url, headers=headers, allow_redirects=False, ssl=asker.tls, proxy=proxy_for(url)
        )

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        asked = "gzip" in response.request_info.headers.get("Accept-Encoding", "")
        sent = response.headers.get("Content-Encoding", "").lower() == "gzip"
        inflater = zlib.decompressobj(_GZIP_WINDOW) if asked and sent else None
        self._bar.expect(response.content_length)
        found = bytearray()
        async for chunk in response.content.iter_chunked(1 << 16):
            self._bar.advance(len(chunk))
            found += inflater.decompress(chunk, _BYTES_LIMIT + 1) if inflater else chunk
            if len(found) > _BYTES_LIMIT:
                where = shown(str(response.url))
                raise Refused(f"{where} is larger than {_BYTES_LIMIT >> 20} MiB")
        if inflater and not inflater.eof:
            raise aiohttp.ClientPayloadError("the body ends early")
        return bytes(found)


def _status(code: int) -> str:
    with suppress(ValueError):
        return f"{code} {HTTPStatus(code).phrase}"
    return str(code)


def _why(error: Exception, url: URL) -> str:
    """Word what went wrong as Go does, where that says enough."""
    host, port = url.host or "", url.port
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return _certificate_problem(error.certificate_error)
        case aiohttp.ClientConnectorDNSError():
            return f"dial tcp: lookup {host}: no such host"
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return _proxy_problem(error)
        case aiohttp.ClientConnectorSSLError():
            return "http: server gave HTTP response to HTTPS client"
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno  # the text may be asyncio's, which names the address
            why = os.strerror(number).lower() if number else "connection refused"
            shown_host = f"[{host}]" if ":" in host else host
            return f"dial tcp {shown_host}:{port}: connect: {why}"
        case aiohttp.ServerDisconnectedError():
            return "EOF"
        case ConnectionResetError():
            return "read: connection reset by peer"
        case _:
            return f"no answer that can be read ({type(error).__name__})"


def _proxy_problem(error: aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError) -> str:
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return "proxyconnect tcp: no connection to the proxy"
    return _status(error.status).partition(" ")[2] or "the proxy refuses"  # Go has the phrase alone


def _certificate_problem(error: Exception) -> str:
    failed = "tls: failed to verify certificate: x509: "
    code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    if code in _UNKNOWN_AUTHORITY:
        return f"{failed}certificate signed by unknown authority"
    if code == _EXPIRED:
        return f"{failed}certificate has expired or is not yet valid"
    if code in _OTHER_NAME:
        return f"{failed}certificate is not valid for this name"
    return f"{failed}the certificate is not trusted"
