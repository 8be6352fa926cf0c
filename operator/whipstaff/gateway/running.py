"""Run a gateway until it is told to stop."""

import asyncio
import logging
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import uvicorn
from yarl import URL

from whipstaff.gateway.access import Access
from whipstaff.gateway.api import Parts
from whipstaff.gateway.application import application
from whipstaff.gateway.cache import ReleaseCache
from whipstaff.gateway.callers import Callers, OnlyAsCallers
from whipstaff.gateway.changes import ChangeLog
from whipstaff.gateway.clusters import Beyond, Cluster, Clusters, StoredKubeconfigs
from whipstaff.gateway.limits import Rate
from whipstaff.gateway.offers import Offers
from whipstaff.gateway.oidc import OpenIDConnect
from whipstaff.gateway.options import Options
from whipstaff.gateway.pods import LivePods
from whipstaff.gateway.releases import Releases
from whipstaff.gateway.streams import Streams
from whipstaff.gateway.writing import Writer
from whipstaff.kube.client import Client
from whipstaff.kube.connection import Connection, InCluster, Kubeconfig
from whipstaff.kube.remote import EveryCluster, RemoteClusters, Rules
from whipstaff.reconcile.ports import Identity, Person
from whipstaff.serving.listener import TLS, Listener, told_to_stop
from whipstaff.settings import VERSION, Settings
from whipstaff.sources.addresses import AddressPolicy, ApiServer, JudgedAddresses
from whipstaff.sources.repository import HTTPRepositories
from whipstaff.workers.pool import WorkerPool

ATTEMPTS = 2  # of one request to the API server: somebody waits for the answer
PROBE_SECONDS = 2.0  # whether another cluster answers at all
LONGEST_PAUSE_SECONDS = 10.0  # before one that did not is asked again
# Of the own cluster's HelmRepositories, and of the others' as much, on a volume of one GiB.
INDEX_DOWNLOADS = 4  # at once: each may have 50 MiB on disk
INDEXES_BYTES = 256 << 20  # that are kept
OWN_CERTIFICATE_SECONDS = 5 * 365 * 86400.0
STOP_SECONDS = 0.1  # how often it is looked whether the server is to stop
RENEWAL_SECONDS = 30.0  # how often the files of the certificate are looked at

log = logging.getLogger(__name__)


def run(options: Options, environment: Mapping[str, str], ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told the gateway's URL once it listens."""
    with told_to_stop():
        asyncio.run(_run(options, environment, ready))


async def _run(
    options: Options, environment: Mapping[str, str], ready: Callable[[str], None]
) -> None:
    if options.kubeconfig is None:
        connection: Connection = InCluster.from_environment(environment)
    else:
        connection = await Kubeconfig.open(options.kubeconfig, options.context)
    async with serving(options, connection) as served:
        ready(served.url)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(served.clusters.run())
            renewing = group.create_task(_renew(served))
            ending = group.create_task(end_streams(served))
            await served.server.serve([served.socket])
            watching.cancel()
            renewing.cancel()
            ending.cancel()


class Served(NamedTuple):
    """A gateway that listens, and neither watches nor answers yet."""

    server: uvicorn.Server
    socket: socket.socket
    url: str
    clusters: Clusters
    streams: Streams
    tls: TLS | None


@asynccontextmanager
async def serving(options: Options, connection: Connection) -> AsyncIterator[Served]:
    """Give a gateway to this API server; all it uses ends with the context."""
    with tempfile.TemporaryDirectory(prefix="whipstaff-gateway-") as folder:
        settings = _settings(options, Path(folder))
        pool = WorkerPool(settings)
        indexes = OneIndexAtATime(pool)
        at_home = _repositories(settings, connection, indexes)
        elsewhere = _repositories(_beyond(settings, options), connection, indexes)
        agent = f"whipstaff-gateway/{VERSION}"
        client = Client(connection, user_agent=agent, attempts_limit=ATTEMPTS)
        stored = StoredKubeconfigs()
        remotes = RemoteClusters(stored, pool, _rules(options, agent))
        try:
            tls = options.tls or await _own_certificate(options, pool, Path(folder))
            beyond = Beyond(
                remotes, stored, options.clusters_namespace, Person(options.clusters_reader)
            )
            asking = OnlyAsCallers(EveryCluster(client, remotes))
            parts = _parts(options, asking, pool, Offers(asking, at_home, elsewhere), beyond)
            listener = Listener(
                options.host, options.port, tls, options.connections, options.shutdown_seconds
            )
            server = listener.server(application(parts))
            place = listener.listen()
            try:
                url = listener.url(place)
                yield Served(server, place, url, parts.clusters, parts.streams, options.tls)
            finally:
                place.close()
        finally:
            await at_home.close()
            await elsewhere.close()
            await remotes.close()
            await client.close()
            await pool.close()


def _settings(options: Options, folder: Path) -> Settings:
    return Settings(
        worker_count=options.workers,
        cache_folder=folder,
        # What listens in the gateway's own pod is no repository; on a desk it may be one.
        allow_loopback_repositories=options.kubeconfig is not None,
    )


class OneIndexAtATime:
    """Reads indexes one after the other: the other workers are for who looks at a release."""

    def __init__(self, pool: WorkerPool) -> None:
        """All but indexes is the pool's own business."""
        self._turn = asyncio.Lock()
        self._pool = pool
        self.inspect = pool.inspect

    async def compact_index(
        self, source: Path, target: Path, url: str, before: Path | None
    ) -> tuple[frozenset[str] | None, tuple[str, ...]]:
        async with self._turn:
            return await self._pool.compact_index(source, target, url, before)


def _beyond(settings: Settings, options: Options) -> Settings:
    """Return the settings for HelmRepositories of other clusters.

    Who may create one there has no business in the networks that the gateway alone is in.
    """
    return replace(
        settings,
        cache_folder=settings.cache_folder / "elsewhere",
        allow_private_repositories=options.allow_private_repositories,
    )


def _repositories(
    settings: Settings, connection: Connection, indexes: OneIndexAtATime
) -> HTTPRepositories:
    server = URL(connection.server)
    api_server = ApiServer(server.host or "", server.port or 0, time.monotonic)
    return HTTPRepositories(
        settings,
        indexes,
        time.monotonic,
        api_server,
        downloads=INDEX_DOWNLOADS,
        kept_bytes=INDEXES_BYTES,
    )


def _rules(options: Options, agent: str) -> Rules:
    """Return what kubeconfigs may say: as those of HelmReleases, but somebody waits."""
    policy = AddressPolicy(allow_loopback=options.allow_loopback_clusters, purpose="other clusters")
    return Rules(
        JudgedAddresses(policy),
        allow_insecure=options.allow_insecure_clusters,
        user_agent=agent,
        probe_seconds=PROBE_SECONDS,
        longest_pause_seconds=LONGEST_PAUSE_SECONDS,
    )


def _parts(
    options: Options,
    client: OnlyAsCallers,
    pool: WorkerPool,
    offers: Offers,
    beyond: Beyond,
) -> Parts:
    access = Access(client)
    reader = Person(options.reader)
    issuer = OpenIDConnect(options.issuer) if options.issuer else None
    changes = ChangeLog()
    cache = ReleaseCache(
        client, Identity(person=reader), changes, options.namespaces, cluster=options.cluster_name
    )
    home = Cluster(options.cluster_name, cache, namespace="".join(options.namespaces[:1]))
    clusters = Clusters(client, reader, home, beyond)
    return Parts(
        callers=Callers(client, issuer, (options.reader, options.clusters_reader)),
        access=access,
        clusters=clusters,
        releases=Releases(client, access, pool, options.storage_driver),
        pods=LivePods(client),
        offers=offers,
        writer=Writer(client),
        streams=Streams(changes, access, clusters),
        rate=Rate(options.requests_per_second, options.burst),
        failures=Rate(options.failures_per_second, options.failures_burst),
    )


async def _own_certificate(options: Options, pool: WorkerPool, folder: Path) -> TLS | None:
    """Make a certificate that nobody else knows: what is sent is encrypted at least."""
    if not options.tls_names:
        return None
    now = int(time.time())  # noqa: TID251 - what a certificate is about
    made = await pool.make_certificate(options.tls_names, now, OWN_CERTIFICATE_SECONDS)
    tls = TLS(folder / "tls.crt", folder / "tls.key")
    tls.certificate.write_text(made.certificate + made.authority, encoding="ascii")
    tls.key.touch(0o600)
    tls.key.write_text(made.key, encoding="ascii")
    return tls


async def end_streams(served: Served) -> None:
    """End the streams of a server that is told to stop: it waits for whatever is under way."""
    while not served.server.should_exit:  # noqa: ASYNC110 - uvicorn itself looks as often
        await asyncio.sleep(STOP_SECONDS)
    served.streams.close()


async def _renew(served: Served) -> None:
    """Show another certificate when its files are others: nobody restarts a gateway for that."""
    tls, context = served.tls, served.server.config.ssl
    if tls is None or context is None:
        return
    known = _age(tls)
    while True:
        await asyncio.sleep(RENEWAL_SECONDS)
        now = _age(tls)
        if now == known:
            continue
        try:
            context.load_cert_chain(tls.certificate, tls.key)
            known = now
            log.info("another certificate is shown")
        except (OSError, ssl.SSLError) as error:
            log.warning("a new certificate cannot be used", extra={"problem": str(error)})


def _age(tls: TLS) -> tuple[float, float]:
    try:
        return tls.certificate.stat().st_mtime, tls.key.stat().st_mtime
    except OSError:
        return 0.0, 0.0  # between two files of a Secret that is being exchanged
