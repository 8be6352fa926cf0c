"""Who may read and who may write: credentials are compared in constant time, and never shown.

A credential is a name with a password, or a token. Each has scopes, and may be held to some
repositories.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from whipstaff.errors import InvalidSpec
from whipstaff.server.refusals import Refusal

PREFIX = "WHIPSTAFF_SERVE_"
_REALM = "whipstaff"
_CHALLENGE = {"WWW-Authenticate": f'Basic realm="{_REALM}", charset="UTF-8"'}


class Scope(StrEnum):
    """What a request does."""

    READ = "read"
    WRITE = "write"


EVERYTHING = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Credential:
    """Who has this secret may do what `scopes` say; an empty `user` makes it a bearer token."""

    user: str
    digest: bytes = field(repr=False)  # SHA-256 of the password or token
    scopes: frozenset[Scope] = EVERYTHING
    repositories: tuple[str, ...] = ()  # patterns of folders; none: all

    def covers(self, folder: str) -> bool:
        """Whether the credential is for this repository."""
        return not self.repositories or any(
            fnmatchcase(folder, pattern) for pattern in self.repositories
        )


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of a server."""

    credentials: tuple[Credential, ...] = ()
    anonymous: frozenset[Scope] = frozenset()

    def check(self, authorization: str | None, scope: Scope, folder: str) -> str:
        """Return who asks, empty for anyone; Refusal: 401 without a login, 403 with too weak a one.

        A login that is wrong is refused even where none is needed: whoever sends one means it.
        """
        if authorization is None:
            if scope in self.anonymous:
                return ""
            raise _unauthorized()
        held = [one for one in self._presented(authorization) if one is not None]
        if not held:
            raise _unauthorized()
        for one in held:
            if scope in one.scopes and one.covers(folder):
                return one.user or "token"
        if scope in self.anonymous:
            return held[0].user or "token"
        raise Refusal(HTTPStatus.FORBIDDEN, "forbidden")

    def may(self, authorization: str | None, scope: Scope, folder: str) -> bool:
        """Whether `check` lets the request pass."""
        try:
            self.check(authorization, scope, folder)
        except Refusal:
            return False
        return True

    def _presented(self, authorization: str) -> list[Credential | None]:
        """Compare with every credential: how long it takes says nothing."""
        user, secret = _login(authorization)
        digest = hashlib.sha256(secret).digest()
        return [
            one
            if hmac.compare_digest(one.digest, digest)
            & hmac.compare_digest(one.user.encode("utf-8"), user)
            else None
            for one in self.credentials
        ]


def _login(authorization: str) -> tuple[bytes, bytes]:
    """Return name and password, or no name and a token; Refusal for what is neither."""
    kind, _, rest = authorization.strip().partition(" ")
    match kind.lower():
        case "bearer":
            return b"", rest.strip().encode("utf-8", "replace")
        case "basic":
            try:
                user, colon, password = base64.b64decode(rest.strip(), validate=True).partition(
                    b":"
                )
            except (binascii.Error, ValueError) as error:
                raise _unauthorized() from error
            if colon and user:
                return user, password
        case _:
            pass
    raise _unauthorized()


def _unauthorized() -> Refusal:
    return Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", _CHALLENGE)


def from_environment(environment: Mapping[str, str]) -> list[Credential]:
    """Read the credentials of the environment: for one user, one token, one that only reads."""
    found = []
    user, password = environment.get(f"{PREFIX}USERNAME"), environment.get(f"{PREFIX}PASSWORD")
    if user and password:
        found.append(_credential(user, password))
    elif user or password:
        text = f"{PREFIX}USERNAME and {PREFIX}PASSWORD are set together or not at all"
        raise InvalidSpec(text, f"{PREFIX}USERNAME")
    if token := environment.get(f"{PREFIX}TOKEN"):
        found.append(_credential("", token))
    if token := environment.get(f"{PREFIX}READ_TOKEN"):
        found.append(_credential("", token, frozenset({Scope.READ})))
    return found


def from_file(file: Path) -> list[Credential]:
    """Read a file of credentials; InvalidSpec names file and item, and never the secret."""
    try:
        listed = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSpec(f"{file} cannot be read", str(file)) from error
    except yaml.YAMLError as error:
        # The error's own text repeats lines, and they hold secrets.
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise InvalidSpec(f"{file} is no YAML{line}", str(file)) from None
    if not isinstance(listed, list):
        raise InvalidSpec(f"{file} has to be a list of credentials", str(file))
    return [
        _read(item, f"{file}, item {number}", file.parent) for number, item in enumerate(listed, 1)
    ]


_FIELDS = {"user", "password", "passwordFile", "token", "tokenFile", "scopes", "repositories"}


def _read(item: Any, where: str, folder: Path) -> Credential:  # noqa: ANN401 - of a file
    if not isinstance(item, dict) or not item.keys() <= _FIELDS:
        raise InvalidSpec(f"{where}: the fields are {', '.join(sorted(_FIELDS))}", where)
    user = item.get("user", "")
    kind = "password" if user else "token"
    secret = _secret(item, kind, where, folder)
    if not isinstance(user, str) or not secret or ":" in user:
        raise InvalidSpec(f"{where}: needs user and password, or a token", where)
    try:
        scopes = frozenset(map(Scope, _texts(item, "scopes", where) or tuple(Scope)))
    except ValueError as error:
        raise InvalidSpec(f"{where}: scopes are {' and '.join(Scope)}", where) from error
    return _credential(user, secret, scopes, _texts(item, "repositories", where))


def _secret(item: Mapping[str, Any], kind: str, where: str, folder: Path) -> str:
    name = item.get(f"{kind}File")
    if name is None:
        secret = item.get(kind, "")
        if not isinstance(secret, str):
            raise InvalidSpec(f"{where}: {kind} is no text; put it into quotes", where)
        return secret
    try:
        return (folder / str(name)).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSpec(f"{where}: {kind}File {name} cannot be read", where) from error


def _texts(item: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    found = item.get(name, [])
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise InvalidSpec(f"{where}: {name} has to be a list", where)
    return tuple(map(str, found))


def _credential(
    user: str,
    secret: str,
    scopes: frozenset[Scope] = EVERYTHING,
    repositories: tuple[str, ...] = (),
) -> Credential:
    return Credential(user, hashlib.sha256(secret.encode("utf-8")).digest(), scopes, repositories)
