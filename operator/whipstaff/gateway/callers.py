"""Who asks: by a token of the cluster, a token of an issuer of OpenID Connect, or a certificate.

A token of the cluster goes to the API server as it came. The others prove a name and groups here,
and the API server is told these by impersonation. Whoever proves neither a name nor anything else
is refused: a request without a name would act as the gateway itself.
"""

import hashlib
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from whipstaff.errors import ClusterRefused
from whipstaff.gateway.problems import unauthorized
from whipstaff.kube.client import Request, Requester
from whipstaff.reconcile.ports import Identity, Person

KNOWN_SECONDS = 10.0  # how long the API server's word on a token is taken
KNOWN_LIMIT = 4096
NAME_LIMIT = 1024
GROUPS_LIMIT = 256
TOKEN_BYTES_LIMIT = 16 << 10

SELF_REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ANONYMOUS = "system:anonymous"
_RESERVED = "system:"  # prefix of users and groups that Kubernetes itself makes
_UNAUTHORIZED = 401

log = logging.getLogger(__name__)

Certificate = Mapping[str, Any]  # as ssl.SSLSocket.getpeercert gives it


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request."""

    name: str  # for logs and limits: whoever has ten tokens is one caller
    key: str  # tells proofs apart; holds no secret
    identity: Identity


class Issuer(Protocol):
    """Who vouches for tokens that the API server does not know."""

    def issued(self, token: str) -> bool:
        """Whether a token says that it is theirs; that may be a lie."""
        ...

    async def person(self, token: str) -> Person:
        """Return whom a token proves; Problem(401) if it proves nobody."""
        ...


class Callers:
    """Finds out who asks."""

    def __init__(
        self,
        client: Requester,
        issuer: Issuer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._issuer = issuer
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def find(self, authorization: Sequence[str], certificate: Certificate | None) -> Caller:
        """Return the caller; Problem(401) if nobody can be believed."""
        if authorization:
            return await self._of_token(_token(authorization))
        if certificate:
            return named(_person_of(certificate))
        raise unauthorized("a bearer token is needed")

    async def _of_token(self, token: str) -> Caller:
        if self._issuer is not None and self._issuer.issued(token):
            return named(await self._issuer.person(token))
        identity = Identity(person=Person(token=token))
        key = _digest("token", token)
        return Caller(await self._name(key, identity), key, identity)

    async def _name(self, key: str, identity: Identity) -> str:
        """Return what the API server calls the owner of a token."""
        until, name = self._known.get(key, (0.0, ""))
        if until > self._clock():
            self._known.move_to_end(key)
            return name
        self._known.pop(key, None)
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        request = Request("POST", SELF_REVIEW, identity, body=body, repeatable=True)
        try:
            answer = await self._client.send(request)
        except ClusterRefused as error:
            if error.code == _UNAUTHORIZED:
                raise unauthorized("the API server does not know this token") from error
            raise
        info = (answer.get("status") or {}).get("userInfo") or {}
        name = str(info.get("username") or "")
        if name in ("", _ANONYMOUS):
            raise unauthorized("the API server does not know this token")
        self._known[key] = (self._clock() + KNOWN_SECONDS, name)
        if len(self._known) > KNOWN_LIMIT:
            self._known.popitem(last=False)
        return name


def named(person: Person) -> Caller:
    """Return someone who is impersonated; Problem(401) for a name that nobody may have.

    Kubernetes' own users and groups are told by no issuer and no certificate: `system:masters` may
    do everything.
    """
    for one in (person.username, *person.groups):
        if not one.strip() or len(one) > NAME_LIMIT or _CONTROLS.search(one):
            raise unauthorized("an empty or unreadable name of a user or group")
        if one.lower().startswith(_RESERVED):
            raise unauthorized(f"users and groups that begin with {_RESERVED} are not taken")
    if len(person.groups) > GROUPS_LIMIT:
        raise unauthorized(f"more than {GROUPS_LIMIT} groups")
    key = _digest("name", person.username, *sorted(person.groups))
    return Caller(person.username, key, Identity(person=person))


def _digest(*facts: str) -> str:
    return hashlib.sha256("\0".join(facts).encode("utf-8", "replace")).hexdigest()


def _token(authorization: Sequence[str]) -> str:
    if len(authorization) > 1:
        raise unauthorized("more than one Authorization header")
    scheme, _, token = authorization[0].strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        raise unauthorized("a bearer token is needed")
    if len(token) > TOKEN_BYTES_LIMIT:
        raise unauthorized("the token is too long")
    return token


def _person_of(certificate: Certificate) -> Person:
    """Return whom a certificate names, as the API server does: common name and organizations."""
    pairs = [pair for part in certificate.get("subject", ()) for pair in part]
    names = [value for key, value in pairs if key == "commonName"]
    groups = tuple(value for key, value in pairs if key == "organizationName")
    if len(names) != 1:
        raise unauthorized("the certificate has no common name")
    return Person(names[0], groups)


class OnlyAsCallers:
    """A client that refuses to ask anything in the gateway's own name."""

    def __init__(self, client: Requester) -> None:
        self._client = client

    async def send(self, request: Request) -> Any:  # noqa: ANN401 - as the client
        return await self._client.send(_checked(request))

    async def text(self, request: Request) -> str:
        return await self._client.text(_checked(request))

    async def list_all(self, request: Request) -> Any:  # noqa: ANN401 - as the client
        return await self._client.list_all(_checked(request))

    def watch(self, request: Request, resource_version: str) -> Any:  # noqa: ANN401 - as the client
        return self._client.watch(_checked(request), resource_version)


def _checked(request: Request) -> Request:
    person = request.identity.person
    if person is None or not (person.token or person.username):
        raise PermissionError(f"{request.method} {request.path} would act as the gateway itself")
    return request
