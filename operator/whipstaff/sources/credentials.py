"""What a repository wants to know before it answers, read from Secrets; RepoAuthInvalid else.

Texts of errors name Secret and key and never hold what is in them.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from yarl import URL

from whipstaff.errors import RepoAuthInvalid

DOCKER_CONFIG = ".dockerconfigjson"
PEM_BYTES_LIMIT = 64 << 10  # a bundle of 30 certificates; crafted ones cost time to read
LOGIN_BYTES_LIMIT = 64 << 10

_FIRST_PRINTABLE = 32
_DELETE = 127
# Docker Hub has three names, and its logins are stored under the oldest.
_DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to a repository, and whom we trust there; empty texts where nothing is said."""

    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)  # a bearer token, sent as it is
    identity_token: str = field(default="", repr=False)  # a registry's refresh token
    ca: str = field(default="", repr=False)  # PEM; empty: the system's authorities
    certificate: str = field(default="", repr=False)  # PEM, of the client
    key: str = field(default="", repr=False)  # PEM, of the client

    @property
    def authorization(self) -> str:
        """The value of the header Authorization; empty for nobody."""
        if self.token:
            return f"Bearer {self.token}"
        if self.username or self.password:
            pair = f"{self.username}:{self.password}".encode()
            return f"Basic {base64.b64encode(pair).decode('ascii')}"
        return ""

    def trusting(self, certificates: "Credentials") -> "Credentials":
        """Return the same login with another's certificates."""
        return replace(
            self,
            ca=certificates.ca or self.ca,
            certificate=certificates.certificate or self.certificate,
            key=certificates.key or self.key,
        )


ANONYMOUS = Credentials()


@dataclass(frozen=True, slots=True)
class SecretData:
    """The decoded data of a Secret, and how to call it."""

    place: str  # "Secret team-a/login"
    data: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, secret: Mapping[str, Any], place: str) -> "SecretData":
        """Decode a Secret as the API server sends it."""
        data = secret.get("data")
        found = {}
        for name, text in (data if isinstance(data, dict) else {}).items():
            try:
                found[name] = base64.b64decode(str(text), validate=True)
            except binascii.Error as error:
                raise RepoAuthInvalid(f"{place}: {name} cannot be decoded", place) from error
        return cls(place, found)

    def refuse(self, why: str) -> RepoAuthInvalid:
        """Return the error that says what is wrong with the Secret."""
        return RepoAuthInvalid(f"{self.place}: {why}", self.place)

    def text(self, name: str, bytes_limit: int) -> str:
        """Return a text, empty where there is none."""
        data = self.data.get(name, b"")
        if len(data) > bytes_limit:
            raise self.refuse(f"{name} is larger than {bytes_limit >> 10} KiB")
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise self.refuse(f"{name} is no UTF-8 text") from error

    def word(self, name: str) -> str:
        """Return a text that goes into a header: one without line breaks and the like."""
        text = self.text(name, LOGIN_BYTES_LIMIT)
        if not _fits_header(text):
            why = "holds a line break or another control character"
            if _fits_header(text.rstrip("\r\n")):
                why = "ends in a line break, which does not belong to it"
            raise self.refuse(f"{name} {why}")
        return text


def login_of(secret: SecretData, url: URL) -> Credentials:
    """Read a login: username and password, bearerToken, or the entry of `url` in .dockerconfigjson.

    RepoAuthInvalid if there is none of them, or only a part.
    """
    if DOCKER_CONFIG in secret.data:
        return _docker_login(secret, url)
    username, password = secret.word("username"), secret.word("password")
    token = secret.word("bearerToken")
    if token and (username or password):
        raise secret.refuse("has a bearerToken and a username or password: one of them is wrong")
    if token:
        return Credentials(token=token)
    if not username and not password:
        raise secret.refuse(f"has no username and password, no bearerToken and no {DOCKER_CONFIG}")
    if not username or not password:
        missing, present = ("username", "password") if password else ("password", "username")
        raise secret.refuse(f"has a {present} and no {missing}")
    if ":" in username:
        raise secret.refuse("username holds a colon, which would end it")
    return Credentials(username=username, password=password)


def certificates_of(secret: SecretData) -> Credentials:
    """Read ca.crt, tls.crt and tls.key; RepoAuthInvalid if there is none, or half a pair."""
    ca, certificate, key = (
        secret.text(name, PEM_BYTES_LIMIT) for name in ("ca.crt", "tls.crt", "tls.key")
    )
    if not (ca or certificate or key):
        raise secret.refuse("has no ca.crt, tls.crt or tls.key")
    if bool(certificate) != bool(key):
        missing = "tls.key" if certificate else "tls.crt"
        raise secret.refuse(f"has no {missing}, which belongs to the other one")
    return Credentials(ca=ca, certificate=certificate, key=key)


def _docker_login(secret: SecretData, url: URL) -> Credentials:
    """Return the login of the entry that fits `url` best; nobody's if none does."""
    text = secret.text(DOCKER_CONFIG, 1 << 20)
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise secret.refuse(f"{DOCKER_CONFIG} is no JSON") from error
    entries = config.get("auths") if isinstance(config, dict) else None
    if not isinstance(entries, dict):
        raise secret.refuse(f"{DOCKER_CONFIG} has no auths")
    fitting = [
        (len(path), entry)
        for name, entry in entries.items()
        if isinstance(entry, dict)
        for host, path in [_docker_place(name)]
        if _same_host(host, url) and f"{url.path}/".startswith(f"{path}/")
    ]
    if not fitting:
        raise secret.refuse(f"{DOCKER_CONFIG} has no entry for {_authority(url)}")
    _, best = max(fitting, key=lambda pair: pair[0])
    return _docker_entry(secret, best)


def _docker_place(name: str) -> tuple[str, str]:
    """Split the name of an entry into host and path: `https://host/v1/` is the whole host."""
    rest = name.partition("://")[2] or name
    host, _, path = rest.rstrip("/").partition("/")
    return host.lower(), f"/{path}" if path and path not in {"v1", "v2"} else ""


def _same_host(host: str, url: URL) -> bool:
    if host in _DOCKER_HUB:
        return url.host in _DOCKER_HUB
    return host == _authority(url)


def _authority(url: URL) -> str:
    host = f"[{url.host}]" if ":" in (url.host or "") else url.host or ""
    return f"{host}:{url.explicit_port}" if url.explicit_port is not None else host


def _docker_entry(secret: SecretData, entry: Mapping[str, Any]) -> Credentials:
    found = {
        name: str(entry.get(name) or "")
        for name in ("username", "password", "identitytoken", "registrytoken")
    }
    packed = entry.get("auth")
    if isinstance(packed, str) and packed and not found["username"]:
        try:
            pair = base64.b64decode(packed, validate=True).decode()
        except ValueError as error:
            raise secret.refuse(f"{DOCKER_CONFIG}: an auth cannot be decoded") from error
        found["username"], colon, found["password"] = pair.partition(":")
        if not colon:
            raise secret.refuse(f"{DOCKER_CONFIG}: an auth has no password")
    if not all(map(_fits_header, found.values())):
        raise secret.refuse(f"{DOCKER_CONFIG} holds a control character in a login")
    return Credentials(
        username=found["username"],
        password=found["password"],
        token=found["registrytoken"],
        identity_token=found["identitytoken"],
    )


def _fits_header(text: str) -> bool:
    return all(ord(letter) >= _FIRST_PRINTABLE and ord(letter) != _DELETE for letter in text)
