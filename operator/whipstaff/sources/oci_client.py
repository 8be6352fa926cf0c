"""Ask OCI registries: requests, redirects, and logging in where a registry wants to know who asks.

A login goes to the registry and to the token service that the registry names, and nowhere else: a
blob that lies on another host is fetched as a stranger.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from whipstaff.errors import ChartTooLarge, ChartUnavailable, RepoAuthFailed, RepoForbiddenTarget
from whipstaff.sources.addresses import AddressPolicy
from whipstaff.sources.credentials import ANONYMOUS, Credentials
from whipstaff.sources.fetch import Asker, answered, displayed, open_session, redirected
from whipstaff.sources.oci_challenges import Challenge, challenges

PULL = "pull"
PUSH = "pull,push"

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REDIRECTS_LIMIT = 5
_TOKEN_BYTES_LIMIT = 256 << 10
_SHORTEST_TOKEN_SECONDS = 60.0  # also what a token lasts that says nothing
_LONGEST_TOKEN_SECONDS = 3600.0
_TOKEN_MARGIN_SECONDS = 10.0
_CODES_SHOWN = 3
_CODE = re.compile(r"[A-Z][A-Z_]{1,40}")
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry, and who we are to it."""

    origin: URL
    asker: Asker = field(default_factory=Asker)


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a registry on behalf of a repository there."""

    method: str
    url: URL
    repository: str  # "team/blog": what a token is asked for
    bytes_limit: int  # of the answer's body
    actions: str = PULL
    headers: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = None
    received: Callable[[int], None] | None = None  # is told how many bytes came, piece by piece


class Answer(NamedTuple):
    """What a registry said."""

    status: int
    headers: Mapping[str, str]  # names in any case
    body: bytes
    challenges: tuple[Challenge, ...] = ()

    @property
    def codes(self) -> str:
        """The error codes of the body, such as MANIFEST_UNKNOWN; nothing else of it is shown."""
        try:
            errors = json.loads(self.body)["errors"]
            found = [str(one["code"]) for one in errors[:_CODES_SHOWN]]
        except (ValueError, TypeError, KeyError, RecursionError):
            return ""
        return ", ".join(code for code in found if _CODE.fullmatch(code))


class _Token(NamedTuple):
    header: str
    until: float  # on the monotonic clock


def _directly(url: URL) -> None:
    """Go through no proxy: it would connect to addresses that the policy never sees."""
    del url


class RegistryClient:
    """One HTTP client for all registries; made on first use, inside the event loop."""

    def __init__(
        self,
        policy: AddressPolicy,
        monotonic: Callable[[], float],
        proxy_for: Callable[[URL], URL | None] = _directly,
    ) -> None:
        """`proxy_for` names what leads to a URL; None: it is asked directly."""
        self._policy = policy
        self._monotonic = monotonic
        self._proxy_for = proxy_for
        self._session: aiohttp.ClientSession | None = None
        self._tokens: dict[tuple[Registry, str, str], _Token] = {}

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, registry: Registry, request: Request) -> Answer:
        """Send a request, log in if that is asked for, and return the answer, whatever its status.

        RepoAuthFailed for 401 and 403, ChartUnavailable and its kin if there is no answer,
        ChartTooLarge if there is too much of it.
        """
        async with answered(request.url, registry.asker.timeout_seconds):
            key = registry, request.repository, request.actions
            known = self._known(key)
            answer = await self._follow(registry, request, known)
            if answer.status == HTTPStatus.UNAUTHORIZED:
                token = await self._log_in(registry, request, answer.challenges)
                self._keep(key, token)
                answer = await self._follow(registry, request, token.header)
        if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            self._tokens.pop(key, None)
            raise RepoAuthFailed(_said(request.url, answer), displayed(request.url))
        return answer

    def _known(self, key: tuple[Registry, str, str]) -> str:
        token = self._tokens.get(key)
        if token is not None and token.until > self._monotonic():
            return token.header
        credentials = key[0].asker.credentials
        # A token that was given to us is meant to be shown; a password waits until it is asked for.
        return credentials.authorization if credentials.token else ""

    def _keep(self, key: tuple[Registry, str, str], token: _Token) -> None:
        now = self._monotonic()
        self._tokens = {name: old for name, old in self._tokens.items() if old.until > now}
        self._tokens[key] = token

    async def _follow(self, registry: Registry, request: Request, authorization: str) -> Answer:
        """Send a request and follow redirects of a read; the login stays at home."""
        current = request.url
        for _ in range(_REDIRECTS_LIMIT + 1):
            at_home = current.origin() == registry.origin
            asker = registry.asker if at_home else registry.asker.as_stranger()
            headers = dict(request.headers)
            if at_home and authorization:
                headers["Authorization"] = authorization
            answer = await self._send(request, current, asker, headers)
            location = answer.headers.get("Location")
            reads = request.method in {"GET", "HEAD"}
            if answer.status not in _REDIRECTS or not location or not reads:
                # Who is at another host may not ask for the login of this one.
                return answer if at_home else answer._replace(challenges=())
            current = redirected(current, location)
        where = displayed(request.url)
        raise ChartUnavailable(f"{where}: more than {_REDIRECTS_LIMIT} redirects", where)

    async def _send(
        self, request: Request, url: URL, asker: Asker, headers: Mapping[str, str]
    ) -> Answer:
        await self._policy.renew()
        self._policy.refuse_literal(url.host or "", url.port or 0)
        async with self._client().request(
            request.method,
            url,
            headers={"Accept-Encoding": "identity", **headers},
            data=request.data,
            allow_redirects=False,
            ssl=asker.tls,
            proxy=self._proxy_for(url),
        ) as response:
            body = await _body(response, request)
            asked = tuple(challenges(response.headers.getall("WWW-Authenticate", [])))
            return Answer(response.status, response.headers, body, asked)

    async def _log_in(
        self, registry: Registry, request: Request, asked: tuple[Challenge, ...]
    ) -> _Token:
        credentials = registry.asker.credentials
        for challenge in asked:
            if challenge.scheme == "bearer" and "realm" in challenge.parameters:
                return await self._token(registry, request, challenge.parameters)
            if challenge.scheme == "basic" and credentials.authorization and not credentials.token:
                return _Token(credentials.authorization, self._monotonic() + _LONGEST_TOKEN_SECONDS)
        why = "does not take the login" if credentials != ANONYMOUS else "wants a login"
        where = displayed(request.url)
        raise RepoAuthFailed(f"{where}: the registry {why}", where)

    async def _token(
        self, registry: Registry, request: Request, parameters: Mapping[str, str]
    ) -> _Token:
        """Ask the token service that the registry names."""
        realm = realm_of(registry, parameters["realm"])
        query = {
            "service": parameters.get("service", ""),
            "scope": parameters.get("scope")
            or f"repository:{request.repository}:{request.actions}",
        }
        credentials = registry.asker.credentials
        same_host = realm.origin() == registry.origin
        asker = registry.asker if same_host else registry.asker.as_stranger()
        exchange = _exchange(realm, query, credentials)
        headers = {**exchange.headers}
        if credentials.username and not credentials.identity_token:
            headers["Authorization"] = credentials.authorization
        answer = await self._send(exchange, exchange.url, asker, headers)
        if answer.status != HTTPStatus.OK:
            kind = RepoAuthFailed if answer.status in {400, 401, 403} else ChartUnavailable
            raise kind(_said(realm, answer), displayed(realm))
        return _read_token(answer.body, realm, self._monotonic())

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session(self._policy)
        return self._session


def refused(url: URL, answer: Answer) -> ChartUnavailable:
    """Return the error for an answer whose status is not the hoped-for one."""
    return ChartUnavailable(_said(url, answer), displayed(url))


async def _body(response: aiohttp.ClientResponse, request: Request) -> bytes:
    found, limit = bytearray(), request.bytes_limit
    async for chunk in response.content.iter_chunked(1 << 16):
        found += chunk
        if len(found) > limit:
            raise ChartTooLarge(f"{displayed(response.url)} is larger than {limit} bytes")
        if request.received:
            request.received(len(chunk))
    return bytes(found)


def realm_of(registry: Registry, text: str) -> URL:
    """Read where a challenge says that tokens are.

    RepoForbiddenTarget if a login that went through TLS would go there without.
    """
    where = displayed(registry.origin)
    try:
        realm = URL(text)
    except ValueError as error:
        raise ChartUnavailable(f"{where}: its token service is no URL", where) from error
    plain_is_fine = registry.origin.scheme == "http"
    if not realm.host or realm.scheme not in ({"http", "https"} if plain_is_fine else {"https"}):
        raise RepoForbiddenTarget(f"{where}: its token service is at {displayed(realm)}", where)
    return realm.with_user(None)


def _exchange(realm: URL, query: Mapping[str, str], credentials: Credentials) -> Request:
    """Return the request for a token: a refresh token goes into the body, a password does not."""
    if not credentials.identity_token:
        return Request("GET", realm.update_query(query), "", _TOKEN_BYTES_LIMIT)
    form = {
        "grant_type": "refresh_token",
        "client_id": "whipstaff",
        "refresh_token": credentials.identity_token,
        **query,
    }
    return Request(
        "POST",
        realm,
        "",
        _TOKEN_BYTES_LIMIT,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        data=URL.build(query=form).raw_query_string.encode(),
    )


def _read_token(body: bytes, realm: URL, now: float) -> _Token:
    where = displayed(realm)
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ChartUnavailable(f"{where}: the token service sent no JSON object", where)
    token = found.get("token") or found.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise ChartUnavailable(f"{where}: the token service sent no token", where)
    seconds = found.get("expires_in")
    lasts = seconds if isinstance(seconds, int) else _SHORTEST_TOKEN_SECONDS
    lasts = min(max(lasts, _SHORTEST_TOKEN_SECONDS), _LONGEST_TOKEN_SECONDS)
    return _Token(f"Bearer {token}", now + lasts - _TOKEN_MARGIN_SECONDS)


def _said(url: URL, answer: Answer) -> str:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = ""
    codes = f" ({answer.codes})" if answer.codes else ""
    return f"{displayed(url)}: {answer.status} {phrase}".rstrip() + codes
