"""Where a repository is and how it is asked; and who can ask it, by the scheme of its URL."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from yarl import URL

from whipstaff.helmrelease.types import VerificationProvider
from whipstaff.helmrepository.status import Fetched
from whipstaff.reconcile.ports import ChartReference, ResolvedChart
from whipstaff.sources.credentials import ANONYMOUS, Credentials
from whipstaff.workers.evidence import CosignSignature


class PlaceKey(NamedTuple):
    """What two places share that may share what was fetched from them."""

    scope: str
    url: URL


@dataclass(frozen=True, slots=True)
class Place:
    """A repository, and who we are to it."""

    url: URL  # without user and password
    credentials: Credentials = field(default=ANONYMOUS, repr=False)
    pass_credentials: bool = False  # to other hosts, too
    insecure: bool = False  # certificates are not checked; oci: plain HTTP
    timeout_seconds: float = 30.0  # of one request, its body included
    # Whose logins it is asked with; empty for nobody's. What was fetched with a login is for its
    # owner alone: others could name a digest and be handed a chart that they may not read.
    scope: str = ""

    # Whether its index may be asked for: else what is known of it must do.
    ask: bool = field(default=True, compare=False)

    @property
    def key(self) -> PlaceKey:
        return PlaceKey(self.scope, self.url)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was published beside a chart to prove who made it."""

    provenance: bytes | None = None
    signatures: tuple[CosignSignature, ...] = ()
    bundles: tuple[bytes, ...] = ()  # of Sigstore: what cosign 3 writes


class PlacedCharts(Protocol):
    """Charts from repositories of some schemes; failures are ChartUnavailable, ChartInvalid, …."""

    async def resolve(
        self, place: Place, reference: ChartReference, *, max_age_seconds: float
    ) -> ResolvedChart:
        """Choose a version and have its archive in the cache; `place` is what `reference` names."""
        ...

    async def evidence(
        self,
        place: Place,
        reference: ChartReference,
        chart: ResolvedChart,
        provider: VerificationProvider,
    ) -> Evidence:
        """Fetch what was published beside a chart; empty if there is nothing."""
        ...

    async def refresh(self, place: Place) -> Fetched:
        """Ask the repository now, and say what there is."""
        ...

    def known(self, place: Place) -> bool:
        """Whether `resolve` can choose without asking the repository for its index."""
        ...

    async def close(self) -> None:
        """Stop what is under way and close all connections."""
        ...
