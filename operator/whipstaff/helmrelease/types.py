"""A HelmRelease as the rest of the package sees it: checked, every default resolved."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, NamedTuple, Self

from whipstaff.helmrelease.depends_on import Dependency
from whipstaff.helmrelease.drift_detection import DriftDetection
from whipstaff.helmrelease.health_checks import HealthCheck, WaitStrategy
from whipstaff.helmrelease.names import FORCE_AT, REQUESTED_AT, RESET_AT, TEST_AT
from whipstaff.helmrelease.post_rendering import PostRendering
from whipstaff.helmrelease.values_from import ValuesReference
from whipstaff.release.objects import ObjectReference
from whipstaff.release.revision import JsonObject, ReleaseKey, RevisionNumber

DEFAULT_SECONDS = 300.0  # of interval and timeout, as Helm's --timeout
LONGEST_DURATION_SECONDS = 24 * 3600.0
DEFAULT_RETRY_SECONDS = 300.0  # between attempts of RetryOnFailure
DEFAULT_MAX_HISTORY = 10


class CRDPolicy(StrEnum):
    """What an action does with the chart's `crds/` folder."""

    SKIP = "Skip"
    CREATE = "Create"  # those that are missing; existing ones stay as they are
    CREATE_REPLACE = "CreateReplace"


class DeletionPolicy(StrEnum):
    """What the deletion of a HelmRelease means for what runs."""

    DELETE = "Delete"  # uninstall
    ORPHAN = "Orphan"  # leave objects and stored revisions alone


class DeletionPropagation(StrEnum):
    """What becomes of the dependents of an object that an uninstall deletes."""

    BACKGROUND = "background"  # they follow it
    FOREGROUND = "foreground"  # they go before it
    ORPHAN = "orphan"  # they stay


class Approval(StrEnum):
    """What has to be approved of before it is done."""

    AUTOMATIC = "Automatic"  # nothing
    MANUAL = "Manual"  # every install and upgrade
    MANUAL_ON_DESTRUCTIVE = "ManualOnDestructive"  # those that delete or recreate an object


class RemediationStrategy(StrEnum):
    """What is done about a release that failed."""

    ROLLBACK = "rollback"  # to what ran before
    UNINSTALL = "uninstall"


class RetryStrategy(StrEnum):
    """What follows a failure at all."""

    REMEDIATE_ON_FAILURE = "RemediateOnFailure"
    RETRY_ON_FAILURE = "RetryOnFailure"  # for ever, never remediated


class VerificationProvider(StrEnum):
    """What signed a chart."""

    COSIGN = "cosign"  # a key of cosign's or a certificate, in an OCI registry
    PGP = "pgp"  # the .prov file of `helm package --sign`


class OIDCIdentity(NamedTuple):
    """Who may sign without a key: regular expressions that are found somewhere in the text."""

    issuer: str  # who says who it is
    subject: str


@dataclass(frozen=True, slots=True)
class Verification:
    """By whom a chart must be signed; Secrets are in the HelmRelease's namespace."""

    provider: VerificationProvider
    secret: str = ""  # with the public keys; empty: `identities` sign
    identities: tuple[OIDCIdentity, ...] = ()
    trusted_root_secret: str = ""  # with the trusted_root.json that knows who they are


class SourceKind(StrEnum):
    """Flux's kinds that hand out an artifact with charts in it."""

    GIT_REPOSITORY = "GitRepository"
    OCI_REPOSITORY = "OCIRepository"
    BUCKET = "Bucket"
    HELM_CHART = "HelmChart"


class StoredKind(StrEnum):
    """What a packaged chart may be stored in."""

    CONFIG_MAP = "ConfigMap"
    SECRET = "Secret"  # noqa: S105 - a kind


class RepositoryKey(NamedTuple):
    """Which HelmRepository."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class ArchiveFrom:
    """A packaged chart that is stored in the cluster."""

    place: ObjectReference
    key: str


@dataclass(frozen=True, slots=True)
class ChartSpec:
    """Where the chart comes from: of repository, the references and archive_from there is one."""

    name: str  # empty: whatever chart there is; never with a repository
    repository: str  # http, https or oci URL, without a slash at its end
    version: str = "*"  # a version or a range
    repository_ref: RepositoryKey | None = None
    source_ref: ObjectReference | None = None  # an object of Flux
    path: str = ""  # in the source; empty: its root
    archive_from: ArchiveFrom | None = None
    digest: str = ""  # "sha256:…" that the chart must have; empty: any
    verify: Verification | None = None
    values_files: tuple[str, ...] = ()  # instead of the chart's values.yaml, later ones winning
    ignore_missing_values_files: bool = False


@dataclass(frozen=True, slots=True)
class Remediation:
    """What follows when an install, an upgrade or its tests failed, as Flux has it."""

    retries: int = 0  # after the first attempt; negative: without an end
    strategy: RemediationStrategy = RemediationStrategy.ROLLBACK
    remediate_last_failure: bool = False  # also when no retry is left
    ignore_test_failures: bool = False


class ImmutableFieldPolicy(StrEnum):
    """What is done about a change to a field that Kubernetes does not let change."""

    FAIL = "Fail"  # refuse it
    RECREATE = "Recreate"  # delete the object and what depends on it, then make it anew
    RECREATE_ORPHAN = "RecreateOrphan"  # the same, but what depends on it stays


class KindPolicy(NamedTuple):
    """The policy for one kind."""

    kind: str
    group: str | None  # None: of any group
    policy: ImmutableFieldPolicy


@dataclass(frozen=True, slots=True)
class ImmutableFields:
    """What is done about changes to immutable fields, kind by kind."""

    default: ImmutableFieldPolicy = ImmutableFieldPolicy.FAIL
    kinds: tuple[KindPolicy, ...] = ()

    def policy_for(self, reference: ObjectReference) -> ImmutableFieldPolicy:
        """Return the policy of the first item that names the kind, else the default.

        Of a guarded kind the default is always to refuse.
        """
        for item in self.kinds:
            if item.kind == reference.kind and item.group in (None, reference.group):
                return item.policy
        return ImmutableFieldPolicy.FAIL if is_guarded(reference) else self.default


class GuardedKind(StrEnum):
    """Kinds of which nothing is deleted by an upgrade unless the spec names them."""

    CLAIM = "PersistentVolumeClaim"
    DEFINITION = "CustomResourceDefinition"
    NAMESPACE = "Namespace"


class PruneLimit(NamedTuple):
    """How many objects an upgrade may delete."""

    number: int
    percent: bool = False  # of the objects that the release has

    def allows(self, count: int, objects: int) -> bool:
        """Whether so many of the release's objects may go."""
        return count * 100 <= self.number * objects if self.percent else count <= self.number

    def __str__(self) -> str:
        return f"{self.number}%" if self.percent else str(self.number)


@dataclass(frozen=True, slots=True)
class PruneOptions:
    """What becomes of objects that a new revision has no more."""

    before_wait: bool = False  # Helm's order, instead of once the new ones are ready
    also: tuple[GuardedKind, ...] = ()  # of these kinds too
    most: PruneLimit | None = None  # None: any number

    def spares(self, reference: ObjectReference) -> bool:
        """Whether an object stays because of its kind."""
        return is_guarded(reference) and GuardedKind(reference.kind) not in self.also


# With these goes what no new object brings back: data, other people's objects.
_GUARDED = frozenset(
    {
        ("", GuardedKind.CLAIM),
        ("", GuardedKind.NAMESPACE),
        ("apiextensions.k8s.io", GuardedKind.DEFINITION),
    }
)


def is_guarded(reference: ObjectReference) -> bool:
    """Whether an object is of a kind that is deleted only where the spec names the kind."""
    return (reference.group, reference.kind) in _GUARDED


@dataclass(frozen=True, slots=True)
class ActionOptions:
    """How an install, an upgrade or a rollback is done."""

    timeout_seconds: float = DEFAULT_SECONDS
    disable_hooks: bool = False
    disable_wait: bool = False
    disable_schema_validation: bool = False
    # Helm's: `install` creates what is missing, `upgrade` does not look at crds/.
    crds: CRDPolicy = CRDPolicy.SKIP
    disable_wait_for_jobs: bool = False
    lenient: bool = False  # send objects with fields that the API server does not know
    take_ownership: bool = False  # of objects that are there and nobody's, or another release's
    replace: bool = True  # a name whose history was kept
    preserve_values: bool = False  # of the revision that runs
    force: bool = False  # put each object in place of the live one
    cleanup_on_fail: bool = False
    remediation: Remediation | None = None  # None: tried again, never remediated
    retry_seconds: float | None = None  # for ever, this far apart, and never remediated
    # Of all actions alike: a rollback has to go back over what an upgrade recreated.
    immutable: ImmutableFields = field(default_factory=ImmutableFields)
    prune: PruneOptions = field(default_factory=PruneOptions)


@dataclass(frozen=True, slots=True)
class UninstallOptions:
    """How an uninstall is done, and whether deletion asks for one."""

    timeout_seconds: float = DEFAULT_SECONDS
    disable_hooks: bool = False
    disable_wait: bool = False
    keep_history: bool = False
    deletion_policy: DeletionPolicy = DeletionPolicy.DELETE
    propagation: DeletionPropagation = DeletionPropagation.BACKGROUND


@dataclass(frozen=True, slots=True)
class TestFilter:
    """Which test is run, or is not."""

    __test__ = False  # pytest takes it for tests

    name: str
    exclude: bool = False


@dataclass(frozen=True, slots=True)
class TestOptions:
    """Whether and how the chart's tests run after an install or upgrade."""

    __test__ = False  # pytest takes it for tests

    enable: bool = False
    timeout_seconds: float = DEFAULT_SECONDS
    ignore_failures: bool = False
    filters: tuple[TestFilter, ...] = ()

    def chooses(self, name: str) -> bool:
        """Whether a test of this name runs: what is excluded never, then the included ones."""
        if any(one.exclude and one.name == name for one in self.filters):
            return False
        included = [one.name for one in self.filters if not one.exclude]
        return not included or name in included


@dataclass(frozen=True, slots=True)
class KubeConfigRef:
    """The Secret that holds the way to another cluster, in the HelmRelease's namespace."""

    secret: str
    key: str = ""  # empty: `value`, and `value.yaml` if there is none


@dataclass(frozen=True, slots=True)
class Placement:
    """Which release it is: its name, where its objects live, where its revisions are stored."""

    release_name: str
    target_namespace: str
    storage_namespace: str

    @property
    def key(self) -> ReleaseKey:
        return ReleaseKey(self.storage_namespace, self.release_name)


@dataclass(frozen=True, slots=True)
class Spec:
    """What is wanted."""

    chart: ChartSpec
    release_name: str
    target_namespace: str
    storage_namespace: str
    values: JsonObject = field(default_factory=dict)
    values_from: tuple[ValuesReference, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    revision: RevisionNumber | None = None
    approval: Approval = Approval.AUTOMATIC
    approved_plan: str = ""  # digest of the plan that may be carried out
    create_namespace: bool = False
    interval_seconds: float = DEFAULT_SECONDS
    timeout_seconds: float = DEFAULT_SECONDS
    suspend: bool = False
    max_history: int = DEFAULT_MAX_HISTORY  # 0 keeps all
    service_account_name: str = ""  # empty: the operator's own identity
    kube_config: KubeConfigRef | None = None  # None: the HelmRelease's own cluster
    post_rendering: PostRendering | None = None  # None: what is rendered is applied as it is
    health_checks: tuple[HealthCheck, ...] = ()  # of kinds that are ready in their own way
    wait_strategy: WaitStrategy = WaitStrategy.POLLER
    drift_detection: DriftDetection = field(default_factory=DriftDetection)
    stable_generated: bool = False  # templates' passwords, keys and times are kept
    install: ActionOptions = field(default_factory=lambda: ActionOptions(crds=CRDPolicy.CREATE))
    upgrade: ActionOptions = field(default_factory=ActionOptions)
    rollback: ActionOptions = field(default_factory=ActionOptions)
    test: TestOptions = field(default_factory=TestOptions)
    uninstall: UninstallOptions = field(default_factory=UninstallOptions)

    @property
    def placement(self) -> Placement:
        return Placement(self.release_name, self.target_namespace, self.storage_namespace)

    def placed(self, placement: Placement) -> "Spec":
        """Return the same spec for a release in another place."""
        return replace(
            self,
            release_name=placement.release_name,
            target_namespace=placement.target_namespace,
            storage_namespace=placement.storage_namespace,
        )


@dataclass(frozen=True, slots=True)
class Head:
    """What can be read of any stored HelmRelease, however wrong its spec is."""

    namespace: str
    name: str
    uid: str
    generation: int
    created_at: str  # RFC 3339
    deletion_requested: bool
    finalizers: tuple[str, ...]
    annotations: Mapping[str, str]
    status: JsonObject

    @property
    def facts(self) -> dict[str, Any]:
        """The fields by name, of which a kind with a spec is made."""
        return {each.name: getattr(self, each.name) for each in fields(Head)}

    def older_than(self, other: "Head") -> bool:
        """Whether this is an earlier state of the same object; an edit of the spec tells."""
        return self.uid == other.uid and self.generation < other.generation

    @property
    def requested_at(self) -> str:
        """The token of the last wish for a pass now; empty if there was none."""
        return self.annotations.get(REQUESTED_AT, "")

    @property
    def force_at(self) -> str:
        """The token of the last wish for a revision now; as in Flux only beside `requested_at`."""
        return self._beside_request(FORCE_AT)

    @property
    def reset_at(self) -> str:
        """The token of the last wish to forget failures; as in Flux only beside `requested_at`."""
        return self._beside_request(RESET_AT)

    @property
    def test_at(self) -> str:
        """The token of the last wish for the chart's tests; it asks for nothing else."""
        return self.annotations.get(TEST_AT, "")

    def _beside_request(self, annotation: str) -> str:
        token = self.annotations.get(annotation, "")
        return token if token == self.requested_at else ""

    def with_status(self, status: JsonObject) -> Self:
        """Return the same with another status."""
        return replace(self, status=status)


@dataclass(frozen=True, slots=True)
class HelmRelease(Head):
    """One custom resource, spec included."""

    spec: Spec

    @property
    def release_key(self) -> ReleaseKey:
        return self.spec.placement.key
