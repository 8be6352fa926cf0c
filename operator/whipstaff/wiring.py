"""The composition root: settings in, adapters out."""

import os
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from whipstaff.errors import OperatorError
from whipstaff.kube.client import Client
from whipstaff.kube.cluster import ApiServerCluster
from whipstaff.kube.connection import Connection, InCluster, Kubeconfig
from whipstaff.kube.helmreleases import HelmReleases, Listener
from whipstaff.kube.lease import Lease
from whipstaff.kube.release_store import ObjectReleaseStore
from whipstaff.kube.reporter import ApiServerReporter
from whipstaff.reconcile.ports import OPERATOR, Meter
from whipstaff.reconcile.world import World
from whipstaff.settings import VERSION, Settings
from whipstaff.sources.repository import HTTPRepositories
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

    async def connect(self) -> Connection:
        """Find the API server and a way to speak to it."""
        if self.kubeconfig is None:
            return InCluster.from_environment(os.environ)
        return await Kubeconfig.open(self.kubeconfig, self.context)


@dataclass(frozen=True, slots=True)
class Parts:
    """All adapters of one operator."""

    settings: Settings
    target: Target
    world: World
    connection: Connection
    client: Client
    cluster: ApiServerCluster
    workers: WorkerPool
    repositories: HTTPRepositories
    random: Callable[[], float]

    def helmreleases(self, listener: Listener) -> HelmReleases:
        """Return the watch that tells the listener of HelmReleases."""
        return HelmReleases(self.client, listener, self.settings.watch_namespaces)

    def lease(self) -> Lease:
        """Return the Lease of the one writer."""
        settings = self.settings
        return Lease(
            self.client,
            self.world.clock,
            settings.lease_namespace,
            self.identity,
            duration_seconds=settings.lease_seconds,
            deadline_seconds=settings.lease_seconds * 2 / 3,
            retry_seconds=settings.lease_seconds * 2 / 15,
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

    async def close(self) -> None:
        """End workers and connections."""
        await self.cluster.close()
        await self.repositories.close()
        await self.workers.close()
        await self.client.close()


async def assemble(settings: Settings, target: Target, meter: Meter) -> Parts:
    """Make the adapters; nothing is read from the cluster yet."""
    clock = SystemClock()
    connection = await target.connect()
    client = Client(
        connection,
        user_agent=f"whipstaff/{VERSION}",
        silence_seconds=settings.watch_silence_seconds,
    )
    cluster = ApiServerCluster(client, everywhere=not settings.watch_namespaces)
    workers = WorkerPool(settings)
    repositories = HTTPRepositories(settings, workers, clock.monotonic)
    world = World(
        cluster=cluster,
        store=ObjectReleaseStore(
            client, workers, clock, driver=settings.storage_driver, meter=meter
        ),
        charts=repositories,
        renderer=workers,
        reporter=ApiServerReporter(client, clock),
        clock=clock,
        meter=meter,
    )
    return Parts(
        settings=settings,
        target=target,
        world=world,
        connection=connection,
        client=client,
        cluster=cluster,
        workers=workers,
        repositories=repositories,
        random=random.SystemRandom().random,
    )


def _identity(*, in_cluster: bool) -> str:
    """Return a name for the Lease: a restarted container keeps it, a second process does not."""
    host = socket.gethostname()
    return host if in_cluster else f"{host}-{os.getpid()}"
