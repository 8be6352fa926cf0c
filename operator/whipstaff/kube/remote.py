"""Other clusters: a client for each kubeconfig, made when it is first needed, closed at rest.

A kubeconfig is known by its content, so that a Secret that changes makes another client, and equal
ones share theirs. A cluster that does not answer is asked by one request at a time; all others
are refused at once, so that they hold nothing and nobody up.
"""

import asyncio
import hashlib
import logging
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Protocol

from aiohttp.abc import AbstractResolver

from whipstaff.errors import (
    ClusterRefused,
    KubeConfigForbidden,
    KubeConfigInvalid,
    RemoteClusterUnreachable,
)
from whipstaff.kube.client import Client, ListPage, Request, WatchEvent
from whipstaff.kube.tls import tls_of
from whipstaff.reconcile.ports import RemoteCluster
from whipstaff.release.revision import JsonObject

FRESH_SECONDS = 0.5  # how long a Secret is not read again: a pass has many requests
SURE_SECONDS = 30.0  # how long a cluster that answered is taken to answer
PROBE_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 5.0  # after a probe that nobody answered
LONGEST_PAUSE_SECONDS = 60.0
IDLE_SECONDS = 120.0
SWEEP_SECONDS = 30.0
ATTEMPTS = 2
ANSWER_BYTES_LIMIT = 64 << 20  # whoever wrote the kubeconfig chose who answers
_KEYS = ("value", "value.yaml")  # Flux's
_UNAUTHORIZED = 401

log = logging.getLogger(__name__)


class KubeconfigReader(Protocol):
    """Reads what someone stored; a worker process does."""

    async def read_kubeconfig(self, text: str, *, allow_insecure: bool) -> JsonObject:
        """Return its facts; KubeConfigInvalid or KubeConfigForbidden say what is wrong."""
        ...


class Secrets(Protocol):
    """Where the kubeconfigs are stored."""

    async def secret(self, namespace: str, name: str) -> JsonObject | None:
        """Return a Secret as it is stored, None if there is none."""
        ...


class Addresses(Protocol):
    """Judges where an API server may be."""

    async def refusal(self, host: str, port: int) -> str:
        """Resolve a host and return why it may not be asked, empty if it may; or OSError."""
        ...

    def resolver(self) -> AbstractResolver:
        """Return what resolves names, and refuses what `refusal` would."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """What kubeconfigs may say."""

    addresses: Addresses
    allow_insecure: bool = False
    user_agent: str = "whipstaff"
    silence_seconds: float = 75.0
    probe_seconds: float = PROBE_SECONDS
    longest_pause_seconds: float = LONGEST_PAUSE_SECONDS


class _Connection:
    """What one kubeconfig says."""

    def __init__(self, facts: Mapping[str, Any], rules: Rules) -> None:
        self.server: str = facts["server"]
        self.server_name: str = facts["server_name"]
        self.tls = tls_of(facts)
        self.impersonation: Sequence[tuple[str, str]] = ()
        self.proxy = ""
        self.refused = False  # the server does not take these credentials any more
        self._token: str = facts["token"]
        self._rules = rules

    def resolver(self) -> AbstractResolver | None:
        return self._rules.addresses.resolver()

    async def authorization(self) -> str:
        return f"Bearer {self._token}" if self._token else ""

    async def renew(self) -> None:
        self.refused = True


@dataclass(slots=True)
class _Site:
    """One cluster as one kubeconfig shows it."""

    client: Client
    connection: _Connection
    users: int = 0
    used_at: float = 0.0
    answered_at: float = float("-inf")
    ask_again_at: float = 0.0
    pause_seconds: float = FIRST_PAUSE_SECONDS
    failure: str = ""
    probing: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class _Reading:
    """What a Secret held, when it was read last."""

    digest: str = ""
    read_at: float = float("-inf")
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class RemoteClusters:
    """The clients of other clusters, by what leads there."""

    def __init__(self, secrets: Secrets, reader: KubeconfigReader, rules: Rules) -> None:
        self._secrets = secrets
        self._reader = reader
        self._rules = rules
        self._may_write: Callable[[], bool] = lambda: True
        self._readings: dict[RemoteCluster, _Reading] = {}
        self._sites: dict[str, _Site] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def open_count(self) -> int:
        """How many clients there are now."""
        return len(self._sites)

    def write_only_while(self, allowed: Callable[[], bool]) -> None:
        """Refuse the leader's writes as `Client.write_only_while` does, in every cluster."""
        self._may_write = allowed

    def forget(self, remote: RemoteCluster) -> None:
        """Have the Secret read again before the next request, however fresh it is."""
        self._readings.pop(remote, None)

    async def close(self) -> None:
        """End all connections."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        sites, self._sites = list(self._sites.values()), {}
        await asyncio.gather(*(site.client.close() for site in sites), *self._closing)

    @asynccontextmanager
    async def client(self, remote: RemoteCluster) -> AsyncIterator[Client]:
        """Lend the client of a cluster that answers; ClusterRefused and its kin if it cannot be."""
        site = await self._site(remote)
        site.users += 1
        try:
            await self._probe(site, remote)
            yield site.client
            site.answered_at = monotonic()
        except ClusterRefused as refused:
            if refused.code or refused.api_reason:
                site.answered_at = monotonic()
                raise
            raise self._unanswered(site, remote, refused) from refused
        finally:
            site.users -= 1
            site.used_at = monotonic()

    async def _site(self, remote: RemoteCluster) -> _Site:
        known = self._readings.setdefault(remote, _Reading())
        async with known.reading:
            site = self._sites.get(known.digest)
            fresh = monotonic() - known.read_at < FRESH_SECONDS
            if site is not None and fresh and not site.connection.refused:
                return site
            text = await self._text(remote, site)
            digest = hashlib.sha256(text.encode()).hexdigest() if text else known.digest
            site = self._sites.get(digest)
            if site is not None and site.connection.refused:
                site.connection.refused = False  # the same again: it may be taken once more
                site.answered_at = float("-inf")
            known.digest, known.read_at = digest, monotonic()
            return site or await self._open(remote, digest, text)

    async def _text(self, remote: RemoteCluster, site: _Site | None) -> str:
        """Return the kubeconfig; empty if it cannot be read now, but was."""
        where = f"Secret {remote.namespace}/{remote.secret}"
        try:
            secret = await self._secrets.secret(remote.namespace, remote.secret)
        except ClusterRefused as refused:
            if site is not None and refused.retryable:
                return ""
            raise
        if secret is None:
            raise KubeConfigInvalid(f"{where}, which spec.kubeConfig names, does not exist", where)
        data = secret.get("data")
        held = data if isinstance(data, dict) else {}
        keys = (remote.key,) if remote.key else _KEYS
        value = next((held[key] for key in keys if key in held), None)
        if not isinstance(value, str):
            named = " or ".join(keys)
            raise KubeConfigInvalid(f"{where} has no key {named} with a kubeconfig", where)
        try:
            return b64decode(value, validate=True).decode("utf-8")
        except ValueError as error:
            raise KubeConfigInvalid(f"{where}: the kubeconfig is no text", where) from error

    async def _open(self, remote: RemoteCluster, digest: str, text: str) -> _Site:
        where = f"Secret {remote.namespace}/{remote.secret}"
        try:
            facts = await self._reader.read_kubeconfig(
                text, allow_insecure=self._rules.allow_insecure
            )
        except (KubeConfigInvalid, KubeConfigForbidden) as wrong:
            raise type(wrong)(f"{where}: {wrong.text}", where) from wrong
        await self._judge(remote, facts)
        try:
            connection = _Connection(facts, self._rules)
        except (ssl.SSLError, ValueError) as error:
            raise KubeConfigInvalid(f"{where}: its certificates cannot be used", where) from error
        if digest in self._sites:  # someone else's Secret says the same, and was quicker
            return self._sites[digest]
        client = Client(
            connection,
            user_agent=self._rules.user_agent,
            silence_seconds=self._rules.silence_seconds,
            attempts_limit=ATTEMPTS,
            answer_bytes_limit=ANSWER_BYTES_LIMIT,
        )
        client.write_only_while(self._leads)
        site = self._sites[digest] = _Site(client, connection, used_at=monotonic())
        log.info("remote cluster opened", extra={"secret": f"{remote.namespace}/{remote.secret}"})
        self._sweep_later()
        return site

    def _leads(self) -> bool:
        return self._may_write()

    async def _judge(self, remote: RemoteCluster, facts: Mapping[str, Any]) -> None:
        where = f"Secret {remote.namespace}/{remote.secret}"
        try:
            async with asyncio.timeout(self._rules.probe_seconds):
                why = await self._rules.addresses.refusal(facts["host"], facts["port"])
        except (OSError, TimeoutError) as error:
            raise RemoteClusterUnreachable(
                f"{remote} cannot be reached: its server's name does not resolve"
            ) from error
        if why:
            raise KubeConfigForbidden(f"{where}: the kubeconfig cannot be used: {why}", where)

    async def _probe(self, site: _Site, remote: RemoteCluster) -> None:
        """Make sure that the cluster answers, unless it did a moment ago."""
        if monotonic() - site.answered_at < SURE_SECONDS:
            return
        if monotonic() < site.ask_again_at or (site.failure and site.probing.locked()):
            raise RemoteClusterUnreachable(f"{remote} does not answer: {site.failure}")
        async with site.probing:
            if monotonic() - site.answered_at < SURE_SECONDS:
                return
            if monotonic() < site.ask_again_at:
                raise RemoteClusterUnreachable(f"{remote} does not answer: {site.failure}")
            await self._ask(site, remote)

    async def _ask(self, site: _Site, remote: RemoteCluster) -> None:
        seconds = self._rules.probe_seconds
        request = Request("GET", "/version", attempts=1, timeout_seconds=seconds)
        try:
            await site.client.send(request)
        except ClusterRefused as refused:
            if refused.code == _UNAUTHORIZED:
                where = f"Secret {remote.namespace}/{remote.secret}"
                raise KubeConfigInvalid(
                    f"{where}: the cluster does not take the kubeconfig's credentials", where
                ) from refused
            if not refused.code:
                raise
        site.answered_at = monotonic()
        site.failure, site.pause_seconds = "", FIRST_PAUSE_SECONDS

    def _unanswered(
        self, site: _Site, remote: RemoteCluster, refused: ClusterRefused
    ) -> RemoteClusterUnreachable:
        if isinstance(refused, RemoteClusterUnreachable):
            return refused
        if monotonic() >= site.ask_again_at:
            log.info("remote cluster away", extra={"secret": f"{remote.namespace}/{remote.secret}"})
            site.ask_again_at = monotonic() + site.pause_seconds
            site.pause_seconds = min(site.pause_seconds * 2, self._rules.longest_pause_seconds)
        site.answered_at = float("-inf")
        site.failure = refused.text
        return RemoteClusterUnreachable(f"{remote} does not answer: {refused.text}")

    def _sweep_later(self) -> None:
        if self._sweeping is None:
            loop = asyncio.get_running_loop()
            self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close what nobody used for a while, and forget its Secrets."""
        self._sweeping = None
        long_ago = monotonic() - IDLE_SECONDS
        for digest, site in list(self._sites.items()):
            if not site.users and site.used_at < long_ago:
                del self._sites[digest]
                task = asyncio.ensure_future(site.client.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
        for remote, known in list(self._readings.items()):
            if known.digest not in self._sites and not known.reading.locked():
                del self._readings[remote]
        if self._sites:
            self._sweep_later()


class EveryCluster:
    """A client that sends each request to the cluster in which its identity acts."""

    def __init__(self, home: Client, remotes: RemoteClusters) -> None:
        self._home = home
        self._remotes = remotes

    async def send(self, request: Request) -> JsonObject:
        """Return the answer; ClusterRefused and its kin for every other ending."""
        remote = request.identity.remote
        if remote is None:
            return await self._home.send(request)
        async with self._remotes.client(remote) as client:
            return await client.send(_there(request))

    async def text(self, request: Request) -> str:
        """Return an answer that is no JSON."""
        remote = request.identity.remote
        if remote is None:
            return await self._home.text(request)
        async with self._remotes.client(remote) as client:
            return await client.text(_there(request))

    async def list_all(self, request: Request) -> ListPage:
        """Return all pages of a GET on a collection."""
        remote = request.identity.remote
        if remote is None:
            return await self._home.list_all(request)
        async with self._remotes.client(remote) as client:
            return await client.list_all(_there(request))

    async def watch(self, request: Request, resource_version: str) -> AsyncIterator[WatchEvent]:
        """Yield changes after a resource version."""
        remote = request.identity.remote
        if remote is None:
            async for event in self._home.watch(request, resource_version):
                yield event
            return
        broken: ClusterRefused | None = None
        async with self._remotes.client(remote) as client:
            try:
                async for event in client.watch(_there(request), resource_version):
                    yield event
            except ClusterRefused as refused:
                broken = refused  # a watch may break where the cluster is as well as ever
        if broken is not None:
            raise broken


def _there(request: Request) -> Request:
    """Return a request as it is sent there: a token of somebody was given for another cluster."""
    identity = request.identity
    if identity.person is not None and identity.person.token:
        raise PermissionError(f"a token would go to {identity.remote}, for which it is not")
    return replace(request, identity=replace(identity, remote=None))
