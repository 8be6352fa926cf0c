"""What one lap has read: everything that a decision may depend on, and nothing else."""

from dataclasses import dataclass, field

from whipstaff.errors import OperatorError
from whipstaff.helmrelease.types import HelmRelease
from whipstaff.release.marks import Marks, MetRequest, is_ours, request_digest
from whipstaff.release.revision import ReleaseStatus, RevisionHeader, RevisionNumber


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a rendering would be made from now."""

    chart_name: str
    chart_version: str
    chart_digest: str  # "sha256:…" of the archive
    values_digest: str
    digest: str  # of all of them, as the label of a revision holds it
    whole_numbers: tuple[tuple[str | int, ...], ...] = ()  # where values hold such, to templates
    secrets: tuple[str, ...] = field(default=(), repr=False)  # what no error may repeat


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan as status tells of it."""

    digest: str
    inputs: str  # digest of what it was made from
    revision: int  # that it would make


@dataclass(frozen=True, slots=True)
class Remembered:
    """What status keeps between laps; all of it may be lost without harm."""

    settled_generation: int = 0  # the last one at which the release was in sync
    same_inputs: str = ""  # inputs that are known to render to `same_revision`
    same_revision: int = 0
    pinned_revision: int = 0  # the pin that was reached
    handled_request: str = ""  # the last `whipstaff.dev/requestedAt` that was acted on
    handled_force: str = ""  # the last `whipstaff.dev/forceAt`
    handled_reset: str = ""  # the last `whipstaff.dev/resetAt`
    handled_test: str = ""  # the last `whipstaff.dev/testAt`
    plan: Planned | None = None  # that waits for an approval


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
    def foreign(self) -> RevisionHeader | None:
        """The newest revision if it was made outside and not uninstalled."""
        newest = self.newest
        if newest is None or is_ours(newest) or newest.status is ReleaseStatus.UNINSTALLED:
            return None
        return newest

    @property
    def next_number(self) -> RevisionNumber:
        """The number that the next revision takes."""
        return RevisionNumber(self.headers[0].number + 1 if self.headers else 1)

    @property
    def asked(self) -> bool:
        """Someone asked for a pass with the annotation, and none has answered yet."""
        wanted = self.release.requested_at
        return bool(wanted) and wanted != self.remembered.handled_request

    @property
    def forced(self) -> bool:
        """Someone asked for a revision whatever runs or failed, and none was made for that yet."""
        wanted = self.release.force_at
        if not wanted or wanted == self.remembered.handled_force:
            return False
        # Status may be lost, and a second revision for one wish is one too many.
        return all(Marks.of(header).forced != self.force_digest for header in self.headers)

    @property
    def force_digest(self) -> str:
        """What a revision that is made by force is marked with."""
        return request_digest(self.release.force_at)

    @property
    def tests_asked(self) -> bool:
        """Someone asked for the chart's tests, and they have not run for that yet."""
        wanted = self.release.test_at
        return bool(wanted) and wanted != self.remembered.handled_test and not self.tests_ran

    @property
    def tests_ran(self) -> bool:
        """Whether tests ended that ran because someone asked for them last."""
        digest = request_digest(self.release.test_at)
        met = (MetRequest.of(header.labels) for header in self.headers)
        return any(one.digest == digest and one.ended for one in met)

    @property
    def planned(self) -> Planned | None:
        """The plan that is told of, if it is for these inputs as the next revision."""
        plan = self.remembered.plan
        if plan is None or isinstance(self.inputs, OperatorError):
            return None
        # A plan to adopt what runs makes no revision: it is for the one that was made outside.
        made = self.foreign.number if self.foreign else 0
        current = plan.revision in (self.next_number, made)
        return plan if current and plan.inputs == self.inputs.digest else None

    @property
    def approved(self) -> bool:
        """Whether that plan is the one which spec approves of."""
        plan = self.planned
        return plan is not None and plan.digest == self.release.spec.approved_plan

    @property
    def secrets(self) -> tuple[str, ...]:
        """What neither a log nor an error may repeat, as far as it is known."""
        return () if isinstance(self.inputs, OperatorError) else self.inputs.secrets

    @property
    def reset(self) -> bool:
        """Someone asked to forget failures, and that was not done yet."""
        wanted = self.release.reset_at
        return bool(wanted) and wanted != self.remembered.handled_reset
