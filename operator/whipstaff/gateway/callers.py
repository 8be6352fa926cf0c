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
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Protocol

from whipstaff.errors import ClusterRefused
from whipstaff.gateway.problems import Problem, unauthorized
from whipstaff.kube.client import Request, Requester
from whipstaff.reconcile.ports import Identity, Person, RemoteCluster

KNOWN_SECONDS = 10.0  # how long the API server's word on a token is taken
KNOWN_LIMIT = 4096
NAME_LIMIT = 1024
GROUPS_LIMIT = 256
TOKEN_BYTES_LIMIT = 16 << 10
ELSEWHERE_SECONDS = 15.0  # one page of a read from another cluster

SELF_REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
# Halves of characters are left out of what is sent, and blanks at the ends of a header are no part
# of it: another name would arrive.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ANONYMOUS = "system:anonymous"
_RESERVED = "system:"  # prefix of users and groups that Kubernetes itself makes
_OURS = "whipstaff:"  # prefix of users that only we impersonate
_ACCOUNT = "system:serviceaccount:"
_UNAUTHORIZED = 401

log = logging.getLogger(__name__)

Certificate = Mapping[str, Any]  # as ssl.SSLSocket.getpeercert gives it


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request."""

    name: str  # for logs and limits: whoever has ten tokens is one caller
    key: str  # tells proofs apart; holds no secret
    identity: Identity
    person: Person = field(default_factory=Person)  # name and groups, without a token


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
        reserved: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`reserved`: users as whom the gateway itself reads; nobody else is one of them."""
        self._client = client
        self._issuer = issuer
        self._reserved = frozenset(reserved)
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, Person]] = OrderedDict()
        self._believed: OrderedDict[str, None] = OrderedDict()

    def believed(self, authorization: Sequence[str], certificate: Certificate | None) -> bool:
        """Whether this proof was good the last time: who has it does not guess."""
        return bool(certificate) or _digest(*authorization) in self._believed

    async def find(self, authorization: Sequence[str], certificate: Certificate | None) -> Caller:
        """Return the caller; Problem(401) if nobody can be believed."""
        proof = _digest(*authorization)
        self._believed.pop(proof, None)
        caller = await self._found(authorization, certificate)
        if caller.name in self._reserved:
            raise unauthorized(f"{caller.name} is the gateway's own")
        self._believed[proof] = None
        if len(self._believed) > KNOWN_LIMIT:
            self._believed.popitem(last=False)
        return caller

    async def _found(self, authorization: Sequence[str], certificate: Certificate | None) -> Caller:
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
        person = await self._owner(key, identity)
        return Caller(person.username, key, identity, person)

    async def _owner(self, key: str, identity: Identity) -> Person:
        """Return name and groups that the API server gives the owner of a token."""
        until, person = self._known.get(key, (0.0, Person()))
        if until > self._clock():
            self._known.move_to_end(key)
            return person
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
        groups = info.get("groups")
        person = Person(name, tuple(map(str, groups)) if isinstance(groups, list) else ())
        self._known[key] = (self._clock() + KNOWN_SECONDS, person)
        if len(self._known) > KNOWN_LIMIT:
            self._known.popitem(last=False)
        return person


def named(person: Person) -> Caller:
    """Return someone who is impersonated; Problem(401) for a name that nobody may have.

    Kubernetes' own users and groups are told by no issuer and no certificate: `system:masters` may
    do everything.
    """
    for one in (person.username, *person.groups):
        if not _is_readable(one):
            raise unauthorized("an empty or unreadable name of a user or group")
        if one.lower().startswith((_RESERVED, _OURS)):
            prefixes = f"{_RESERVED} or {_OURS}"
            raise unauthorized(f"users and groups that begin with {prefixes} are not taken")
    if len(person.groups) > GROUPS_LIMIT:
        raise unauthorized(f"more than {GROUPS_LIMIT} groups")
    key = _digest("name", person.username, *sorted(person.groups))
    return Caller(person.username, key, Identity(person=person), person)


def elsewhere(caller: Caller, remote: RemoteCluster, version: str) -> Caller:
    """Return a caller as another cluster is told of them: by name, never by their token.

    `version` tells contents of the Secret apart: what is known of the caller in the cluster that
    it led to before does not count. Problem(403) for who is somebody in one cluster alone.
    """
    person = _carried(caller.person)
    key = _digest("elsewhere", str(remote), version, person.username, *sorted(person.groups))
    return Caller(caller.name, key, Identity(person=person, remote=remote), person)


def _carried(person: Person) -> Person:
    """Return the name that means the same person in each cluster.

    What Kubernetes itself calls users and groups is true in one cluster: an account of the same
    namespace and name in another one is somebody else, and so are the members of system:masters.
    """
    name = person.username
    if name.startswith(_ACCOUNT):
        name = _OURS + name.removeprefix(_RESERVED)
    elif name.lower().startswith((_RESERVED, _OURS)):
        raise Problem(HTTPStatus.FORBIDDEN, f"{name} is nobody in other clusters")
    if not _is_readable(name):
        raise Problem(HTTPStatus.FORBIDDEN, "an unreadable name is nobody in other clusters")
    groups = [one for one in person.groups if _is_readable(one)]
    own = [one for one in groups if one.lower().startswith((_RESERVED, _OURS))]
    return Person(name, tuple(one for one in groups if one not in own)[:GROUPS_LIMIT])


def _is_readable(name: str) -> bool:
    """Whether a name arrives at the API server as it is written here."""
    whole = bool(name) and name == name.strip()
    return whole and len(name) <= NAME_LIMIT and not _CONTROLS.search(name)


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
    """A client that refuses to ask anything in the gateway's own name.

    A read from another cluster does not wait for long.
    """

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
    if request.identity.remote is None or request.method != "GET":
        return request
    seconds = min(request.timeout_seconds, ELSEWHERE_SECONDS)
    return replace(request, timeout_seconds=seconds, attempts=1)
