"""The way to releases through a gateway: requests that it takes, and answers as an API server's.

Reading asks for the same paths as without a gateway, so that whatever is printed is the same. What
is written is asked for by the gateway's own routes, once for each key.
"""

import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit
from uuid import uuid4

import click

from whipstaff.errors import ClusterRefused
from whipstaff.kube import scanner
from whipstaff.kube.access import Access, Overrides, open_access
from whipstaff.kube.direct import ATTEMPTS, Call, Direct, Tell
from whipstaff.kube.proxies import proxy_for
from whipstaff.kube.refusals import refusal
from whipstaff.kube.unreachable import UNREACHABLE
from whipstaff.release.revision import JsonObject

FIRST_PAUSE_SECONDS = 0.25  # and twice as long each time

_BEARER = "Bearer "
OBJECTS = "/v1/objects"
_UNAUTHORIZED, _SERVER_ERRORS, _NOT_IMPLEMENTED = 401, 500, 501
# Whoever is asked in its place may know nothing of the effect: the key finds out.
_PERHAPS_DONE = (0, 502, 503, 504)
_NO_ROUTE = "not found"  # what a gateway says of a path that is none


@dataclass(frozen=True, slots=True)
class Wish:
    """One request that changes something, by a route of the gateway."""

    method: str
    path: str
    body: JsonObject | None = None
    query: Mapping[str, str] | None = None
    subject: str = ""


class GatewayClient(Direct):
    """Speaks to one gateway, about one of its clusters."""

    def __init__(self, access: Access, user_agent: str, tell: Tell, cluster: str = "") -> None:
        """`cluster`: its name; empty for the gateway's own."""
        super().__init__(access, user_agent, tell)
        self._server = access.server
        self._about = {"cluster": cluster} if cluster else {}

    def wish(self, wish: Wish) -> JsonObject:
        """Have something done once, though the connection breaks, and return what is told of it."""
        key = {"Idempotency-Key": uuid4().hex}
        query = {**(wish.query or {}), **self._about}
        call = Call(wish.method, wish.path, query, wish.body, subject=wish.subject, headers=key)
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._decoded(call, super()._sent(call))
            except ClusterRefused as error:
                if error.code not in _PERHAPS_DONE or attempt == ATTEMPTS:
                    raise
            time.sleep(pause)
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    def _sent(self, call: Call) -> bytes:
        if call.method != "GET":
            raise ClusterRefused(
                f"{call.subject or call.path}: a gateway writes HelmReleases alone"
            )
        query = {**call.query, **self._about}
        return super()._sent(replace(call, path=f"{OBJECTS}{call.path}", query=query))

    def _refusal(self, call: Call, status: int, answer: bytes) -> ClusterRefused:
        """Say what the gateway says: what the API server said to it, in most cases."""
        told: object = None
        with suppress(scanner.Unreadable):
            told = scanner.decode(answer)
        return gateway_refusal(self._server, status, told, call.subject)


def gateway_refusal(server: str, status: int, told: object, subject: str) -> ClusterRefused:
    """Return what a gateway's answer says, which is a problem, in an API server's terms."""
    facts = told if isinstance(told, dict) else {}
    detail, reason = facts.get("detail"), facts.get("reason") or ""
    if not isinstance(detail, str) and status >= _SERVER_ERRORS:  # what stands before it
        return ClusterRefused(f"{UNREACHABLE}: {server} answers {status}", status)
    if not isinstance(detail, str) or (detail == _NO_ROUTE and not reason):
        text = f"{server} is no gateway, or one of an earlier version: it answers {status}"
        return ClusterRefused(text, _NOT_IMPLEMENTED)
    if status == _UNAUTHORIZED:
        return ClusterRefused(f"{UNREACHABLE}: {server}: {detail}", status)
    details = {"causes": facts.get("causes") or []}
    return refusal(status, {"message": detail, "reason": reason, "details": details}, subject)


def gateway_access(
    gateway: Mapping[str, str],
    kubeconfig: str,
    context: str,
    environment: Mapping[str, str],
    overrides: Overrides,
) -> Access:
    """Return the way to a gateway, as whom and to which namespace; ClickException if there is none.

    Of a kubeconfig, the token and the namespace count; its certificate and key are its own
    cluster's, and go nowhere else.
    """
    url = _url(gateway["server"])
    if overrides.user or overrides.groups:
        raise click.ClickException(
            "a gateway knows by the token alone who asks: leave --kube-as-user and --kube-as-group "
            "out"
        )
    token = gateway["server_token"]
    try:
        known = open_access(
            kubeconfig, context, environment, replace(overrides, token=token or overrides.token)
        )
    except ClusterRefused:
        if kubeconfig or context or not token:
            raise
        known = Access("", "default", tls=False)
    authorization = f"{_BEARER}{token}" if token else known.headers.get("Authorization", "")
    if not authorization.startswith(_BEARER) or not authorization.removeprefix(_BEARER).strip():
        raise click.ClickException(
            "the gateway has to know who asks, and the kubeconfig's user has no token: give one "
            "with --server-token or $WHIPSTAFF_SERVER_TOKEN, as `kubectl create token NAME` makes"
        )
    if not (authorization.isascii() and authorization.isprintable()):
        raise click.ClickException("the token for the gateway has letters that no token has")
    return Access(
        server=url.geturl().rstrip("/"),
        namespace=known.namespace,
        tls=_tls(gateway["server_ca_file"]) if url.scheme == "https" else False,
        headers={"Authorization": authorization},
        proxy=_proxy(url, environment),
        source=("", "") if token else known.source,
    )


def _url(text: str) -> SplitResult:
    """Read the URL of a gateway: with TLS, or of this machine."""
    try:
        url = urlsplit(text)
        host, _ = url.hostname or "", url.port
    except ValueError as error:
        raise click.ClickException(f"--server is no URL: {error}") from error
    if url.scheme not in ("http", "https") or not host or url.query or url.fragment:
        raise click.ClickException("--server has to be a URL such as https://gateway.example.com")
    if url.username is not None or url.password is not None:
        raise click.ClickException("--server: a URL is no place for a login; use --server-token")
    if url.scheme == "http" and not _is_loopback(host):
        raise click.ClickException(
            f"--server: no token is sent to {host} without TLS, where others can read it; use https"
        )
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _tls(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", "") or "it holds no certificate"
        raise click.ClickException(f"--server-ca-file {ca_file}: {why.lower()}") from error


def _proxy(url: SplitResult, environment: Mapping[str, str]) -> Any:  # noqa: ANN401 - a Proxy or None
    if url.scheme == "http":  # of this machine, and in the clear
        return None
    try:
        return proxy_for(url.geturl(), environment)
    except ValueError as error:
        raise click.ClickException(f"the gateway cannot be reached: {error}") from error
