"""What one lap has read: everything that a decision may depend on, and nothing else."""

from dataclasses import dataclass, field

from whipstaff.errors import OperatorError
from whipstaff.helmrelease.types import HelmRelease
from whipstaff.release.revision import ReleaseStatus, RevisionHeader, RevisionNumber


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a rendering would be made from now."""

    chart_name: str
    chart_version: str
    chart_digest: str  # "sha256:…" of the archive
    values_digest: str
    digest: str  # of all of them, as the label of a revision holds it


@dataclass(frozen=True, slots=True)
class Remembered:
    """What status keeps between laps; all of it may be lost without harm."""

    settled_generation: int = 0  # the last one at which the release was in sync
    same_inputs: str = ""  # inputs that are known to render to `same_revision`
    same_revision: int = 0
    pinned_revision: int = 0  # the pin that was reached
    handled_request: str = ""  # the last `whipstaff.dev/requestedAt` that was acted on


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything read in one lap."""

    release: HelmRelease
    headers: tuple[RevisionHeader, ...]  # newest first
    inputs: Inputs | OperatorError  # the error that kept them from being known
    history_known: bool = True  # else `headers` says nothing, and status keeps what it says
    remembered: Remembered = field(default_factory=Remembered)
    now_seconds: int = 0  # Unix time

    @property
    def newest(self) -> RevisionHeader | None:
        """The revision with the highest number."""
        return self.headers[0] if self.headers else None

    @property
    def deployed(self) -> RevisionHeader | None:
        """The newest deployed revision: of several, helm takes the newest too."""
        return next((h for h in self.headers if h.status is ReleaseStatus.DEPLOYED), None)

    @property
    def next_number(self) -> RevisionNumber:
        """The number that the next revision takes."""
        return RevisionNumber(self.headers[0].number + 1 if self.headers else 1)

    @property
    def asked(self) -> bool:
        """Someone asked for a pass with the annotation, and none has answered yet."""
        wanted = self.release.requested_at
        return bool(wanted) and wanted != self.remembered.handled_request
