"""The ports of a pass, together, and what one pass works on."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from whipstaff.helmrelease.types import HelmRelease
from whipstaff.planning.status import Unready
from whipstaff.reconcile.kinship import Kinship
from whipstaff.reconcile.ports import (
    ChartSource,
    Clock,
    Cluster,
    Evidence,
    Identity,
    Lookout,
    Meter,
    NoLookout,
    NoMeter,
    PlanStore,
    ReleaseStore,
    RemoteCluster,
    Renderer,
    Reporter,
)
from whipstaff.reconcile.turns import Turns
from whipstaff.release.revision import ReleaseKey, Revision

__all__ = [
    "Intent",
    "Interrupted",
    "Story",
    "Work",
    "World",
    "home_identity_of",
    "identity_of",
    "timed",
]


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside the loop."""

    cluster: Cluster
    store: ReleaseStore
    charts: ChartSource
    renderer: Renderer
    reporter: Reporter
    clock: Clock
    evidence: Evidence
    plans: PlanStore
    meter: Meter = field(default_factory=NoMeter)
    kinship: Kinship = field(default_factory=Kinship)
    lookout: Lookout = field(default_factory=NoLookout)
    inquiries: Turns = field(default_factory=Turns)  # of those that wait


class Interrupted(Exception):
    """Something else is wanted now: a newer spec, a deletion, a stop of the operator."""


class Intent(Protocol):
    """What is wanted of one release, and whether it still is."""

    @property
    def release(self) -> HelmRelease:
        """The HelmRelease as it was when the pass began."""
        ...

    @property
    def paused(self) -> bool:
        """Whether nothing new is to be begun: what is under way may end."""
        ...

    def check(self) -> None:
        """Raise Interrupted if something else is wanted now: called at step borders."""
        ...

    async def changed(self) -> None:
        """Return when `check` would raise."""
        ...

    def waiting(self) -> AbstractAsyncContextManager[None]:
        """Give the worker back while inside; come back when there is one again."""
        ...


@dataclass(frozen=True, slots=True)
class Settled:
    """An intent that nothing changes: for what is recorded come what may."""

    release: HelmRelease

    @property
    def paused(self) -> bool:
        """Never."""
        return False

    def check(self) -> None:
        """Nothing else is wanted."""

    async def changed(self) -> None:
        """Never return."""
        await asyncio.Event().wait()

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Keep the worker."""
        yield


@dataclass(slots=True)
class Story:
    """What a pass is doing right now, for status while it lasts."""

    sentence: str = ""
    unready: tuple[Unready, ...] = ()


@dataclass(slots=True)
class Work:
    """One revision that is being brought into the cluster or taken out of it."""

    intent: Intent
    key: ReleaseKey
    identity: Identity
    revision: Revision
    action: str  # that is under way, for the Meter
    story: Story = field(default_factory=Story)
    stored: bool = False  # the revision is in the store, so that a failure can be recorded
    known: dict[int, Revision] = field(default_factory=dict)  # read or written in this pass
    secrets: tuple[str, ...] = field(default=(), repr=False)  # that values are made of

    def keep(self, revision: Revision) -> None:
        """Remember the newest form of the revision that is worked on."""
        self.revision = revision
        self.known[revision.number] = revision


@contextmanager
def timed(world: World, action: str, phase: str) -> Iterator[None]:
    """Tell the Meter how long the inside took."""
    began = world.clock.monotonic()
    try:
        yield
    finally:
        world.meter.phase(action, phase, world.clock.monotonic() - began)


def identity_of(release: HelmRelease) -> Identity:
    """Return who acts for a release, and in which cluster."""
    account, reference = release.spec.service_account_name, release.spec.kube_config
    namespace = release.namespace
    remote = RemoteCluster(namespace, reference.secret, reference.key) if reference else None
    return Identity(account, namespace if account else "", remote)


def home_identity_of(release: HelmRelease) -> Identity:
    """Return who reads what a HelmRelease refers to beside itself, wherever its objects are."""
    return identity_of(release).at_home
