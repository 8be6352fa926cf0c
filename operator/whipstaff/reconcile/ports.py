"""What the loop needs of the world.

`kube`, `sources` and `workers` provide it; tests use fakes that pass the same contract suites.

Every call that touches the cluster for a release takes the Identity that acts: a release with a
ServiceAccount never reads or writes as the operator.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from whipstaff.helmrelease.types import ArchiveFrom, Head, RepositoryKey, Verification
from whipstaff.planning.changes import ReleasePlan
from whipstaff.release.objects import ObjectReference as ObjectReference  # noqa: PLC0414 - part of the ports
from whipstaff.release.packed import PackedText
from whipstaff.release.revision import (
    Hook,
    JsonObject,
    ReleaseKey,
    Revision,
    RevisionHeader,
    RevisionNumber,
)


@dataclass(frozen=True, slots=True)
class RemoteCluster:
    """Another cluster: the Secret whose kubeconfig leads there."""

    namespace: str
    secret: str
    key: str = ""  # empty: `value`, and `value.yaml` if there is none

    def __str__(self) -> str:
        return f"the cluster of Secret {self.namespace}/{self.secret}"


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who asks by way of a server of ours: with a token of their own, or by name."""

    username: str = ""
    groups: tuple[str, ...] = ()
    token: str = field(default="", repr=False)  # sent on as it came, in place of a name


@dataclass(frozen=True, slots=True)
class Identity:
    """Who acts and where: the operator itself, or the ServiceAccount that a release names.

    In another cluster, who acts is whom its kubeconfig names, or the ServiceAccount of that name
    and namespace there.
    """

    service_account: str = ""  # empty: the connection's own identity
    namespace: str = ""
    remote: RemoteCluster | None = None  # None: the cluster of the HelmReleases
    person: Person | None = None  # in place of a ServiceAccount

    @property
    def unimpersonated(self) -> "Identity":
        """The connection's own identity in the same cluster."""
        return Identity(remote=self.remote)

    @property
    def at_home(self) -> "Identity":
        """The same account in the cluster of the HelmReleases."""
        return Identity(self.service_account, self.namespace)

    @property
    def username(self) -> str:
        """The user to impersonate, empty for the connection's own identity."""
        if self.person is not None:
            return self.person.username
        if not self.service_account:
            return ""
        return f"system:serviceaccount:{self.namespace}:{self.service_account}"


OPERATOR = Identity()


@dataclass(frozen=True, slots=True)
class ClusterCapabilities:
    """What charts read as .Capabilities: `group/version` and `group/version/Kind`."""

    kube_version: str  # "v1.36.3"
    api_versions: tuple[str, ...]


class Cluster(Protocol):
    """Objects of charts and hooks. Refusals are ClusterRefused; its text holds no object data."""

    async def capabilities(self, identity: Identity) -> ClusterCapabilities:
        """Read version and discovery, cached for a minute; a dead APIService is left out."""
        ...

    async def refer(self, body: JsonObject, namespace: str, identity: Identity) -> ObjectReference:
        """Name an object; `namespace` is for namespaced kinds that carry none.

        An unknown kind raises ClusterRefused(404, "NoMatchForKind").
        """
        ...

    async def read(
        self, reference: ObjectReference, identity: Identity, *, owners: bool = False
    ) -> JsonObject | None:
        """Return the live object, None if there is none (an unknown kind has no objects).

        `owners`: with managedFields, which is left out otherwise.
        """
        ...

    async def apply(
        self,
        reference: ObjectReference,
        body: JsonObject,
        identity: Identity,
        *,
        dry_run: bool = False,
        strict: bool = True,
        owners: bool = False,
    ) -> JsonObject:
        """Server-side apply as manager `helm`, forced; return the object as the server has it.

        `strict`: refuse fields that the server does not know, which are dropped otherwise.
        `owners`: with managedFields, which is left out otherwise.

        Objects that the helm CLI made have their other entries of managedFields folded into ours
        first, so that fields which the chart no longer sets go away.
        """
        ...

    async def replace(
        self, reference: ObjectReference, body: JsonObject, identity: Identity
    ) -> None:
        """Put the object in place of a live one, with nothing of that left; no live one, no call.

        It is applied afterwards.
        """
        ...

    async def annotate(
        self, reference: ObjectReference, annotations: Mapping[str, str], identity: Identity
    ) -> None:
        """Write annotations onto a live object as manager `helm`; one that is gone is no error."""
        ...

    async def delete(
        self,
        reference: ObjectReference,
        identity: Identity,
        *,
        propagation: str = "Background",
    ) -> None:
        """Delete; an object that is gone already is no error."""
        ...

    def follow(
        self, references: Collection[ObjectReference], identity: Identity
    ) -> AsyncIterator[Mapping[ObjectReference, JsonObject | None]]:
        """Yield the current objects at once, then each change; None for what does not exist."""
        ...

    async def ensure_namespace(self, name: str, identity: Identity) -> None:
        """Create it as `helm install --create-namespace` does; one that exists is fine."""
        ...

    async def lookup(
        self, api_version: str, kind: str, namespace: str, name: str, identity: Identity
    ) -> JsonObject:
        """Answer a template's `lookup`: an object, a list for an empty name, {} if not found."""
        ...

    async def definition_is_going(self, name: str, api_version: str, kind: str) -> bool:
        """Whether the CRD of this name, which defines a kind, is being deleted or is gone.

        The operator asks; where it may not read CRDs, what is served tells.
        """
        ...

    def forget_kinds(self) -> None:
        """Drop what is known of kinds, after CRDs were created or deleted."""
        ...


class Evidence(Protocol):
    """What is known about objects besides the objects; refusals are ClusterRefused."""

    async def pods(self, namespace: str, selector: str, identity: Identity) -> Sequence[JsonObject]:
        """Return Pods by label selector, 50 at most."""
        ...

    async def events(
        self, namespace: str, kind: str, uid: str, identity: Identity
    ) -> Sequence[JsonObject]:
        """Return core/v1 Events about an object: those that warn, of a claim all.

        In a namespace where listing them takes long they may be ten seconds old.
        """
        ...

    async def log_tail(
        self,
        namespace: str,
        pod: str,
        container: str,
        identity: Identity,
        *,
        lines: int = 1,
        previous: bool = False,
    ) -> str:
        """Return the last lines that a container logged, 16 KiB at most.

        `previous`: of the run before the one that goes on or is to come.
        """
        ...


class ReleaseStore(Protocol):
    """Stored revisions of one release, as Secrets or ConfigMaps that the helm CLI reads."""

    async def history(self, key: ReleaseKey, identity: Identity) -> tuple[RevisionHeader, ...]:
        """List what is stored, newest first, from labels and names alone."""
        ...

    async def read(self, key: ReleaseKey, number: RevisionNumber, identity: Identity) -> Revision:
        """Decode one; RevisionNotFound if it is not stored, StorageCorrupt if it cannot be read."""
        ...

    async def measure(self, key: ReleaseKey, revision: Revision) -> int:
        """Return how many bytes a pending revision will take; StorageTooLarge if too many.

        Room for what is recorded of it later is counted in. Nothing is asked of the cluster.
        """
        ...

    async def create(self, key: ReleaseKey, revision: Revision, identity: Identity) -> None:
        """Take the number: ReleaseConflict if it is taken (this is the lock)."""
        ...

    async def update(self, key: ReleaseKey, revision: Revision, identity: Identity) -> None:
        """Replace a stored revision, payload and labels."""
        ...

    async def mark(
        self, key: ReleaseKey, number: RevisionNumber, marks: Mapping[str, str], identity: Identity
    ) -> None:
        """Set our labels of a stored revision in place of all that it has; no more is written."""
        ...

    async def delete(self, key: ReleaseKey, number: RevisionNumber, identity: Identity) -> None:
        """Remove one; one that is gone already is no error."""
        ...

    async def mark_failed_unread(
        self, key: ReleaseKey, number: RevisionNumber, description: str, identity: Identity
    ) -> None:
        """Set status failed on a foreign revision, keeping the rest of its payload."""
        ...


@dataclass(frozen=True, slots=True)
class ChartReference:
    """Which chart a HelmRelease asks for, and from which one of the places."""

    name: str  # empty: whatever the source holds
    version: str  # a version or a range; "*" for the newest
    repository: str = ""  # a URL without a slash at its end
    repository_ref: RepositoryKey | None = None  # a HelmRepository
    namespace: str = ""  # of the HelmRelease that asks: not every HelmRepository is for everyone
    digest: str = ""  # "sha256:…" that the archive, or its manifest in a registry, must have
    verify: Verification | None = None  # by whom it must be signed
    source_ref: ObjectReference | None = None  # an object of Flux
    path: str = ""  # of the chart in that source
    archive_from: ArchiveFrom | None = None  # a ConfigMap or Secret
    identity: Identity = OPERATOR  # who reads that
    values_files: tuple[str, ...] = ()  # instead of the chart's values.yaml
    ignore_missing_values_files: bool = False


@dataclass(frozen=True, slots=True)
class ResolvedChart:
    """A chart archive in the cache."""

    name: str
    version: str
    digest: str  # "sha256:…" of the archive
    path: str  # of the archive in the content-addressed cache
    newer: int = 0  # stable versions in the repository that are newer than this one
    manifest_digest: str = ""  # "sha256:…" of its manifest, if it comes from an OCI registry
    scope: str = field(default="", repr=False)  # whose logins it was fetched with; empty: nobody's


class ChartSource(Protocol):
    """Where charts come from; failures are ChartUnavailable, ChartInvalid and their kin."""

    async def resolve(self, reference: ChartReference, *, max_age_seconds: float) -> ResolvedChart:
        """Choose a version and have its archive in the cache.

        `max_age_seconds`: how old the repository's index may be; infinite where something else
        keeps it fresh. Concurrent calls for one repository share one fetch.
        """
        ...


Lookup = Callable[[str, str, str, str], Awaitable[JsonObject]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an expression said: false with a `problem` where it could not be told."""

    value: bool
    problem: str = ""


ValuePath = tuple[str | int, ...]  # keys and indexes


@dataclass(frozen=True, slots=True)
class ValuesLayer:
    """What one key of a ConfigMap or Secret adds to the values."""

    where: str  # which key of what, for errors
    content: str = field(repr=False)  # a Secret's in base64
    secret: bool = False
    target_path: str = ""  # of a single value; empty: the content is a values file
    literal: bool = False


@dataclass(frozen=True, slots=True)
class ComposedValues:
    """Values, and which of them are whole numbers to templates: all others are float64."""

    values: JsonObject
    whole_numbers: tuple[ValuePath, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)  # texts that come from Secrets


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """Everything that a rendering depends on."""

    chart: ResolvedChart
    values: JsonObject
    release_name: str
    namespace: str
    capabilities: ClusterCapabilities
    revision: RevisionNumber
    is_upgrade: bool = False  # else install
    # What runs now: rendered first, under its own number; see Rendering.same_as_current.
    current_revision: RevisionNumber | None = None
    current_is_upgrade: bool = False
    current_manifest_digest: str = ""
    current_crds_digest: str = ""  # empty: definitions do not count
    namespace_in_manifest: bool = False  # write metadata.namespace into the stored manifest
    # What templates generate is kept in `Rendering.chart`; `generated` is what was kept before, as
    # `release.generated` gives it.
    stable_generated: bool = False
    generated: str = field(default="", repr=False)
    skip_schema_validation: bool = False
    post_rendering: JsonObject | None = None  # see `helmrelease.types.PostRendering.order`
    whole_numbers: tuple[ValuePath, ...] = ()  # of ComposedValues


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a chart and its values give; `same_as_current` leaves all but `unused` of it empty."""

    manifest: str | PackedText = ""  # packed where it is long, as the objects are
    objects: Sequence[JsonObject] = ()
    hooks: tuple[Hook, ...] = ()
    notes: str = ""
    crds: Sequence[JsonObject] = ()  # of crds/, parsed, parents first
    crds_digest: str = ""  # of their files, fit for a label; empty if there are none
    chart: JsonObject = field(default_factory=dict)  # the record that Helm stores
    manifest_digest: str = ""  # of manifest and hooks; 63 characters at most, fit for a label
    same_as_current: bool = False
    warnings: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()  # sentences on values that nothing reads; names, no values


class Renderer(Protocol):
    """Renders in a worker process, under its limits."""

    async def render(self, request: RenderRequest, lookup: Lookup) -> Rendering:
        """Render; failures are RenderFailed, ChartInvalid, ValuesInvalid, ManifestInvalid."""
        ...

    async def evaluate(
        self, expressions: Sequence[str], names: Sequence[str], variables: Mapping[str, object]
    ) -> tuple[Judgement, ...]:
        """Ask each CEL expression, which may use `names`, of the same variables.

        ExpressionInvalid for the first one that cannot be compiled.
        """
        ...

    async def compose_values(
        self, inline: JsonObject, layers: Sequence[ValuesLayer]
    ) -> ComposedValues:
        """Lay values over each other as Flux does; ValuesInvalid, whose text holds no value."""
        ...


class Codec(Protocol):
    """Encodes and decodes the payload of a release Secret (hostile: done in a worker process)."""

    async def decode(self, data: str, name: str) -> Revision:
        """Decode the value of the key `release`; StorageCorrupt(name) if it cannot be read.

        The returned revision has no labels.
        """
        ...

    async def encode(self, revision: Revision) -> str:
        """Return the value of the key `release`; StorageTooLarge if it would not fit."""
        ...


class PlanStore(Protocol):
    """The plan of each HelmRelease that waits for an approval, and the revision it is about."""

    async def write(
        self, head: Head, plan: ReleasePlan, revision: Revision, identity: Identity
    ) -> str:
        """Keep a plan in place of any other; return the name of the Secret that people read."""
        ...

    async def read(self, head: Head, identity: Identity) -> Revision | None:
        """Return the revision of the plan, without labels; None if none is kept."""
        ...

    async def delete(self, head: Head, identity: Identity) -> None:
        """Forget the plan; one that is gone already is no error."""
        ...


class Clock(Protocol):
    """The time; a fake in tests."""

    def now(self) -> str:
        """Return UTC as RFC 3339 with nanoseconds as Go prints it, ending in Z."""
        ...

    def seconds(self) -> int:
        """Return Unix time."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...


HelmReleaseName = tuple[str, str]  # namespace and name


class Lookout(Protocol):
    """Wakes HelmReleases when the objects of their releases are changed by somebody else."""

    async def heed(
        self,
        user: HelmReleaseName,
        references: Collection[ObjectReference],
        identity: Identity,
        token: str,
    ) -> Collection[ObjectReference] | None:
        """Take note of changes to these objects from now on, and to no others; wake nobody yet.

        Return those that changed since they were settled under the token: they have to be looked
        at. None: all of them have to.
        """
        ...

    def settle(
        self,
        user: HelmReleaseName,
        token: str,
        seen: Mapping[ObjectReference, JsonObject | None],
        drifted: Collection[ObjectReference] = (),
    ) -> None:
        """Wake the user when an object becomes another than was seen.

        `token` names what they were compared with. `seen` has objects with managedFields; nothing
        is kept of them. What counts is what the release owns; of those that are `drifted`, any
        change.
        """
        ...

    def unmoved(self, user: HelmReleaseName, token: str) -> bool:
        """Whether every object is watched, and none has changed since it was settled so."""
        ...

    def hold(self, user: HelmReleaseName) -> None:
        """Wake the user no more while a pass is under way, which changes objects itself."""
        ...

    def release(self, user: HelmReleaseName) -> None:
        """Wake it again, and at once if objects changed and nothing was settled since."""
        ...

    def forget(self, user: HelmReleaseName) -> None:
        """Take note of nothing any more."""
        ...


class NoLookout:
    """Sees nothing: everything has to be looked at again each time."""

    async def heed(
        self,
        user: HelmReleaseName,
        references: Collection[ObjectReference],
        identity: Identity,
        token: str,
    ) -> Collection[ObjectReference] | None: ...

    def settle(
        self,
        user: HelmReleaseName,
        token: str,
        seen: Mapping[ObjectReference, JsonObject | None],
        drifted: Collection[ObjectReference] = (),
    ) -> None: ...

    def unmoved(self, user: HelmReleaseName, token: str) -> bool:
        return False

    def hold(self, user: HelmReleaseName) -> None: ...

    def release(self, user: HelmReleaseName) -> None: ...

    def forget(self, user: HelmReleaseName) -> None: ...


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event on the HelmRelease."""

    type: str  # Normal or Warning
    reason: str
    message: str


class Reporter(Protocol):
    """Writes what people read: status, finalizers and events of a HelmRelease."""

    async def add_finalizer(self, namespace: str, name: str, uid: str) -> bool:
        """Make deletion wait for us; False if it cannot: deletion began, or it is another one."""
        ...

    async def remove_finalizer(self, namespace: str, name: str, uid: str) -> None:
        """Let deletion finish; an object that is gone is no error."""
        ...

    async def write_status(self, namespace: str, name: str, uid: str, status: JsonObject) -> None:
        """Replace status; skipped if the object is gone or was made anew (another uid)."""
        ...

    async def emit(self, namespace: str, name: str, uid: str, events: Sequence[Event]) -> None:
        """Post events; failures are logged, never raised."""
        ...


class Meter(Protocol):
    """Counts and times what happens; no call can fail."""

    def phase(self, action: str, phase: str, seconds: float) -> None:
        """Note how long a phase of an action took, whether it succeeded or not."""
        ...

    def action(self, action: str, outcome: str) -> None:
        """Count an action that ended."""
        ...

    def chart_lag(self, namespace: str, name: str, versions: int) -> None:
        """Note how many newer stable versions of its chart there are than a HelmRelease uses."""
        ...

    def drift(self, outcome: str, objects: int) -> None:
        """Count objects that somebody changed and that were put right, or could not be."""
        ...

    def record(self, key: ReleaseKey, size_bytes: int) -> None:
        """Note how large the record of a release's newest revision is."""
        ...


class NoMeter:
    """Measures nothing."""

    def phase(self, action: str, phase: str, seconds: float) -> None: ...

    def action(self, action: str, outcome: str) -> None: ...

    def chart_lag(self, namespace: str, name: str, versions: int) -> None: ...

    def drift(self, outcome: str, objects: int) -> None: ...

    def record(self, key: ReleaseKey, size_bytes: int) -> None: ...
