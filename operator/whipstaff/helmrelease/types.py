"""A HelmRelease as the rest of the package sees it: checked, every default resolved."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, NamedTuple, Self

from whipstaff.helmrelease.names import REQUESTED_AT
from whipstaff.release.revision import JsonObject, ReleaseKey, RevisionNumber

DEFAULT_SECONDS = 300.0  # of interval and timeout, as Helm's --timeout
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


class VerificationProvider(StrEnum):
    """What signed a chart."""

    COSIGN = "cosign"  # a key of cosign's, in an OCI registry
    PGP = "pgp"  # the .prov file of `helm package --sign`


@dataclass(frozen=True, slots=True)
class Verification:
    """By whom a chart must be signed."""

    provider: VerificationProvider
    secret: str  # with the public keys, in the HelmRelease's namespace


class RepositoryKey(NamedTuple):
    """Which HelmRepository."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class ChartSpec:
    """Where the chart comes from."""

    name: str
    repository: str  # http or https URL, without a slash at its end; empty with a repository_ref
    version: str = "*"  # a version or a range
    repository_ref: RepositoryKey | None = None
    digest: str = ""  # "sha256:…" that the chart must have; empty: any
    verify: Verification | None = None


@dataclass(frozen=True, slots=True)
class ActionOptions:
    """How an install or an upgrade (a rollback too) is done."""

    timeout_seconds: float = DEFAULT_SECONDS
    disable_hooks: bool = False
    disable_wait: bool = False
    disable_schema_validation: bool = False
    # Helm's: `install` creates what is missing, `upgrade` does not look at crds/.
    crds: CRDPolicy = CRDPolicy.SKIP


@dataclass(frozen=True, slots=True)
class UninstallOptions:
    """How an uninstall is done, and whether deletion asks for one."""

    timeout_seconds: float = DEFAULT_SECONDS
    disable_hooks: bool = False
    disable_wait: bool = False
    keep_history: bool = False
    deletion_policy: DeletionPolicy = DeletionPolicy.DELETE


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
    revision: RevisionNumber | None = None
    create_namespace: bool = False
    interval_seconds: float = DEFAULT_SECONDS
    timeout_seconds: float = DEFAULT_SECONDS
    suspend: bool = False
    max_history: int = DEFAULT_MAX_HISTORY  # 0 keeps all
    service_account_name: str = ""  # empty: the operator's own identity
    stable_generated: bool = False  # templates' passwords, keys and times are kept
    install: ActionOptions = field(default_factory=lambda: ActionOptions(crds=CRDPolicy.CREATE))
    upgrade: ActionOptions = field(default_factory=ActionOptions)
    uninstall: UninstallOptions = field(default_factory=UninstallOptions)

    @property
    def placement(self) -> Placement:
        return Placement(self.release_name, self.target_namespace, self.storage_namespace)


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

    @property
    def requested_at(self) -> str:
        """The token of the last wish for a pass now; empty if there was none."""
        return self.annotations.get(REQUESTED_AT, "")

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
