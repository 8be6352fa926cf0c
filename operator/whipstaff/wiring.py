"""The composition root: settings in, adapters out."""

import os
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from yarl import URL

from whipstaff.errors import OperatorError
from whipstaff.helmrelease.selectors import Selector, parse_selector
from whipstaff.kube.admission import ApiServerAdmission
from whipstaff.kube.client import Client
from whipstaff.kube.cluster import ApiServerCluster
from whipstaff.kube.connection import Connection, InCluster, Kubeconfig
from whipstaff.kube.evidence import ApiServerEvidence
from whipstaff.kube.lease import Lease, lease_name
from whipstaff.kube.lookout import ApiServerLookout
from whipstaff.kube.plan_store import SecretPlanStore
from whipstaff.kube.references import References
from whipstaff.kube.release_store import ObjectReleaseStore
from whipstaff.kube.remote import EveryCluster, RemoteClusters, Rules
from whipstaff.kube.reporter import HELM_RELEASE, HELM_REPOSITORY, ApiServerReporter
from whipstaff.kube.secrets import ApiServerSecrets
from whipstaff.kube.watching import Listener, Watching
from whipstaff.reconcile.ports import OPERATOR, Meter, Reporter
from whipstaff.reconcile.world import World
from whipstaff.settings import PREFIX, VERSION, Settings
from whipstaff.sources.addresses import AddressPolicy, ApiServer, JudgedAddresses
from whipstaff.sources.cache import ArchiveCache
from whipstaff.sources.charts import Charts
from whipstaff.sources.completion import Completion
from whipstaff.sources.flux import FluxSources
from whipstaff.sources.oci import OCICharts
from whipstaff.sources.places import ChartPlaces
from whipstaff.sources.repository import HTTPRepositories
from whipstaff.sources.stored import StoredArchives
from whipstaff.sources.verify import VerifiedCharts
from whipstaff.workers.pool import WorkerPool


class SystemClock:
    """The machine's own time."""

    def now(self) -> str:
        """Return UTC as Go prints it."""
        nanoseconds = time.time_ns()
        whole, rest = divmod(nanoseconds, 1_000_000_000)
        second = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        fraction = f".{rest:09d}".rstrip("0").rstrip(".")
        return f"{second}{fraction}Z"

    def seconds(self) -> int:
        """Return Unix time."""
        return int(time.time())

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster the operator works on."""

    kubeconfig: Path | None = None  # None: the cluster that the process runs in
    context: str = ""
    connection: Connection | None = None  # how to get there, where that is known already

    async def connect(self) -> Connection:
        """Find the API server and a way to speak to it."""
        if self.connection is not None:
            return self.connection
        if self.kubeconfig is None:
            return InCluster.from_environment(os.environ)
        return await Kubeconfig.open(self.kubeconfig, self.context)

    def client(self, connection: Connection, settings: Settings) -> Client:
        """Return who asks the API server."""
        return Client(
            connection,
            user_agent=f"whipstaff/{VERSION}",
            silence_seconds=settings.watch_silence_seconds,
        )


@dataclass(frozen=True, slots=True)
class Parts:
    """All adapters of one operator."""

    settings: Settings
    target: Target
    world: World
    connection: Connection
    client: Client
    remotes: RemoteClusters
    cluster: ApiServerCluster
    workers: WorkerPool
    charts: Charts  # of HelmRepositories
    places: ChartPlaces
    repository_reporter: Reporter
    references: References
    lookout: ApiServerLookout
    random: Callable[[], float]

    def helmreleases(self, listener: Listener) -> Watching:
        """Return the watch that tells the listener of HelmReleases."""
        return self._watching(HELM_RELEASE.plural, listener, self.selector.text)

    def helmrepositories(self, listener: Listener) -> Watching:
        """Return the watch that tells the listener of HelmRepositories."""
        return self._watching(HELM_REPOSITORY.plural, listener)

    def _watching(self, plural: str, listener: Listener, selector: str = "") -> Watching:
        namespaces = self.settings.watch_namespaces
        return Watching(self.client, plural, listener, namespaces, selector=selector)

    @property
    def selector(self) -> Selector:
        """Which HelmReleases are looked after here, and whose HelmRepositories get a status."""
        return watched(self.settings)

    def lease(self) -> Lease:
        """Return the Lease of the one writer."""
        settings = self.settings
        return Lease(
            self.client,
            self.world.clock,
            settings.lease_namespace,
            self.identity,
            name=lease_name(self.selector.text),
            duration_seconds=settings.lease_seconds,
            deadline_seconds=settings.lease_seconds * 2 / 3,
            retry_seconds=settings.lease_seconds * 2 / 15,
        )

    def admission_store(self) -> ApiServerAdmission:
        """Return where the certificate of the admission webhook lives."""
        settings = self.settings
        return ApiServerAdmission(
            self.client,
            settings.lease_namespace,
            settings.admission_secret,
            settings.admission_configuration,
        )

    @property
    def identity(self) -> str:
        """Who holds the Lease."""
        return self.settings.identity or _identity(in_cluster=self.target.kubeconfig is None)

    async def facts(self) -> dict[str, object]:
        """Return what the one line at the start says."""
        settings = self.settings
        try:
            cluster_version = (await self.cluster.capabilities(OPERATOR)).kube_version
        except OperatorError as error:
            cluster_version = f"unknown: {error.reason}"
        return {
            "version": VERSION,
            "cluster_version": cluster_version,
            "identity": self.identity,
            "storage_driver": settings.storage_driver,
            "history_limit": settings.history_limit,
            "concurrency": settings.concurrency,
            "probe_port": settings.probe_port,
            "namespaces": settings.watch_namespaces or "all",
        }

    def write_only_while(self, allowed: Callable[[], bool]) -> None:
        """Refuse the leader's writes, in every cluster, from when `allowed` says no."""
        self.client.write_only_while(allowed)
        self.remotes.write_only_while(allowed)

    async def close(self) -> None:
        """End workers and connections."""
        await self.references.close()
        await self.lookout.close()
        await self.cluster.close()
        await self.places.close()
        await self.workers.close()
        await self.remotes.close()
        await self.client.close()


async def assemble(settings: Settings, target: Target, meter: Meter) -> Parts:
    """Make the adapters; nothing is read from the cluster yet."""
    watched(settings)
    clock = SystemClock()
    connection = await target.connect()
    client = target.client(connection, settings)
    workers = WorkerPool(settings)
    secrets = ApiServerSecrets(client)
    remotes = RemoteClusters(secrets, workers, _rules_for_clusters(settings))
    clients = EveryCluster(client, remotes)
    everywhere = not settings.watch_namespaces
    cluster = ApiServerCluster(clients, everywhere=everywhere)
    lookout = ApiServerLookout(client, cluster.discoveries, everywhere=everywhere)
    server = URL(connection.server)
    api_server = ApiServer(server.host or "", server.port or 0, clock.monotonic)
    http = HTTPRepositories(settings, workers, clock.monotonic, api_server)
    oci = OCICharts(settings, workers, clock.monotonic, api_server)
    indexed = VerifiedCharts(http, secrets, workers)
    charts = Charts(
        {"http": indexed, "https": indexed, "oci": VerifiedCharts(oci, secrets, workers)},
        secrets,
        timeout_seconds=settings.http_timeout_seconds,
    )
    cache = ArchiveCache(settings.cache_folder, settings.cache_bytes_limit)
    places = ChartPlaces(
        charts,
        FluxSources(settings, cluster, cache, api_server),
        StoredArchives(cluster, cache),
        Completion(workers, cache, settings.cache_folder),
    )
    world = World(
        cluster=cluster,
        store=ObjectReleaseStore(
            clients, workers, clock, driver=settings.storage_driver, meter=meter
        ),
        charts=places,
        renderer=workers,
        reporter=ApiServerReporter(client, clock),
        clock=clock,
        evidence=ApiServerEvidence(clients),
        plans=SecretPlanStore(client, workers),
        meter=meter,
        lookout=lookout,
    )
    return Parts(
        settings=settings,
        target=target,
        world=world,
        connection=connection,
        client=client,
        remotes=remotes,
        cluster=cluster,
        workers=workers,
        charts=charts,
        places=places,
        repository_reporter=ApiServerReporter(client, clock, HELM_REPOSITORY),
        references=References(client, everywhere=everywhere),
        lookout=lookout,
        random=random.SystemRandom().random,
    )


def _rules_for_clusters(settings: Settings) -> Rules:
    """Return what kubeconfigs may say: private networks are where clusters are."""
    policy = AddressPolicy(
        allow_loopback=settings.allow_loopback_clusters, purpose="other clusters"
    )
    return Rules(
        JudgedAddresses(policy),
        allow_insecure=settings.allow_insecure_clusters,
        user_agent=f"whipstaff/{VERSION}",
        silence_seconds=settings.watch_silence_seconds,
    )


def watched(settings: Settings) -> Selector:
    """Return whose labels are wanted; InvalidSpec names the setting if it cannot be read."""
    return parse_selector(settings.watch_label_selector, f"{PREFIX}WATCH_LABEL_SELECTOR")


def _identity(*, in_cluster: bool) -> str:
    """Return a name for the Lease: a restarted container keeps it, a second process does not."""
    host = socket.gethostname()
    return host if in_cluster else f"{host}-{os.getpid()}"
