"""Tokens of an issuer of OpenID Connect: checked here, with the issuer's published keys."""

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import jwt

from whipstaff.errors import InvalidSpec
from whipstaff.gateway.problems import Problem, unauthorized
from whipstaff.reconcile.ports import Person

# What is signed with a shared secret, or with nothing, is no proof of an issuer.
ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)
LEEWAY_SECONDS = 30
KEYS_SECONDS = 3600.0
ASK_AGAIN_SECONDS = 30.0  # a key that is not known is looked for no more often
ANSWER_BYTES_LIMIT = 1 << 20
ANSWER_SECONDS = 10.0

_OK = 200
_EMAIL = "email"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IssuerOptions:
    """Whose tokens are taken, and what in them is whose name; the words are the API server's."""

    url: str
    audience: str
    username_claim: str = "sub"
    username_prefix: str | None = None  # None: the issuer's URL and #, but for email; "-": none
    groups_claim: str = ""  # empty: no groups
    groups_prefix: str = ""
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse an issuer that could be anybody."""
        if urlsplit(self.url).scheme != "https" or not urlsplit(self.url).hostname:
            raise InvalidSpec("--oidc-issuer-url has to be an https URL", "--oidc-issuer-url")
        if not self.audience:
            raise InvalidSpec("--oidc-client-id is needed with an issuer", "--oidc-client-id")

    @property
    def prefix(self) -> str:
        """What stands before each user's name."""
        if self.username_prefix is None:
            return "" if self.username_claim == _EMAIL else f"{self.url}#"
        return "" if self.username_prefix == "-" else self.username_prefix


class OpenIDConnect:
    """One issuer; its keys are fetched when they are needed, and kept for an hour."""

    def __init__(self, options: IssuerOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._clock = clock
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched = -KEYS_SECONDS
        self._tried = -KEYS_SECONDS
        self._fetching = asyncio.Lock()

    def issued(self, token: str) -> bool:
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            return False
        return bool(claims.get("iss") == self._options.url)

    async def person(self, token: str) -> Person:
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(str(header.get("kid", "")))
            claims = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._options.audience,
                issuer=self._options.url,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise unauthorized(f"the token is not taken: {error}") from error
        return self._person(claims)

    def _person(self, claims: Mapping[str, Any]) -> Person:
        options = self._options
        name = claims.get(options.username_claim)
        if not isinstance(name, str) or not name.strip():
            raise unauthorized(f"the token's claim {options.username_claim} is empty")
        if options.username_claim == _EMAIL and claims.get("email_verified", True) is not True:
            raise unauthorized("the token's email is not verified")
        listed = claims.get(options.groups_claim, []) if options.groups_claim else []
        groups = [listed] if isinstance(listed, str) else listed
        if not isinstance(groups, list) or not all(
            isinstance(one, str) and one.strip() for one in groups
        ):
            raise unauthorized(f"the token's claim {options.groups_claim} is no list of names")
        return Person(options.prefix + name, tuple(options.groups_prefix + one for one in groups))

    async def _key(self, kid: str) -> jwt.PyJWK:
        if self._clock() - self._fetched > KEYS_SECONDS or kid not in self._keys:
            await self._fetch(kid)
        if key := self._keys.get(kid):
            return key
        raise unauthorized("the token is signed with a key that its issuer does not publish")

    async def _fetch(self, kid: str) -> None:
        async with self._fetching:
            fresh = self._clock() - self._fetched <= KEYS_SECONDS
            if fresh and kid in self._keys:
                return
            if self._clock() - self._tried < ASK_AGAIN_SECONDS:
                self._check_known()
                return
            self._tried = self._clock()
            try:
                self._keys = await self._published()
                self._fetched = self._clock()
            except (
                aiohttp.ClientError,
                TimeoutError,
                OSError,
                ValueError,
                RecursionError,
                jwt.PyJWTError,
            ) as error:
                log.warning("the issuer's keys cannot be read", extra={"problem": str(error)})
                self._check_known()

    def _check_known(self) -> None:
        """Raise Problem(503) while no key is known: that says nothing of a token."""
        if not self._keys:
            again = {"Retry-After": str(int(ASK_AGAIN_SECONDS))}
            text = "the issuer of the token does not answer"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, text, again)

    async def _published(self) -> Mapping[str, jwt.PyJWK]:
        url = self._options.url.rstrip("/")
        context = ssl.create_default_context(cafile=self._options.ca_file)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        ) as session:
            found = await _json(session, f"{url}/.well-known/openid-configuration")
            if found.get("issuer") != self._options.url:
                raise ValueError(f"{url} describes another issuer")
            place = str(found.get("jwks_uri", ""))
            if urlsplit(place).scheme != "https":
                raise ValueError(f"{url} publishes its keys without TLS")
            published = jwt.PyJWKSet.from_dict(await _json(session, place))
        return {str(key.key_id or ""): key for key in published.keys}


async def _json(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with session.get(url, allow_redirects=False) as answer:
        if answer.status != _OK:
            raise ValueError(f"{url} answered {answer.status}")
        body = await answer.content.read(ANSWER_BYTES_LIMIT)
        while len(body) < ANSWER_BYTES_LIMIT and (more := await answer.content.read(1 << 16)):
            body += more
        if len(body) >= ANSWER_BYTES_LIMIT:
            raise ValueError(f"{url} does not end")
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError(f"{url} is no JSON object")  # noqa: TRY004 - as the others
    return found
