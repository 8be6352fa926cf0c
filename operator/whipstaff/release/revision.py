"""The words for one stored release: Helm's own, as `helm history` shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NewType

if TYPE_CHECKING:
    from whipstaff.release.packed import PackedText

JsonObject = dict[str, Any]
RevisionNumber = NewType("RevisionNumber", int)  # Helm's, from 1; never reused


class ReleaseStatus(StrEnum):
    """Helm's stored word for where a revision stands."""

    UNKNOWN = "unknown"
    DEPLOYED = "deployed"
    UNINSTALLED = "uninstalled"
    SUPERSEDED = "superseded"
    FAILED = "failed"
    UNINSTALLING = "uninstalling"
    PENDING_INSTALL = "pending-install"
    PENDING_UPGRADE = "pending-upgrade"
    PENDING_ROLLBACK = "pending-rollback"

    @property
    def pending(self) -> bool:
        """Someone is at work on this revision, or died over it."""
        return self in _PENDING

    @property
    def ran(self) -> bool:
        """The revision was deployed once, so that it can be run again."""
        return self in (ReleaseStatus.DEPLOYED, ReleaseStatus.SUPERSEDED)


_PENDING = frozenset(
    {
        ReleaseStatus.PENDING_INSTALL,
        ReleaseStatus.PENDING_UPGRADE,
        ReleaseStatus.PENDING_ROLLBACK,
    }
)


class HookEvent(StrEnum):
    """When a hook runs; Helm's words, `test-success` read as `test`."""

    PRE_INSTALL = "pre-install"
    POST_INSTALL = "post-install"
    PRE_UPGRADE = "pre-upgrade"
    POST_UPGRADE = "post-upgrade"
    PRE_ROLLBACK = "pre-rollback"
    POST_ROLLBACK = "post-rollback"
    PRE_DELETE = "pre-delete"
    POST_DELETE = "post-delete"
    TEST = "test"


class HookDeletePolicy(StrEnum):
    """When a hook's object is deleted; Helm's words."""

    BEFORE_HOOK_CREATION = "before-hook-creation"
    HOOK_SUCCEEDED = "hook-succeeded"
    HOOK_FAILED = "hook-failed"


class HookPhase(StrEnum):
    """How the last run of a hook ended, as the record keeps it; empty before the first run."""

    NEVER = ""
    UNKNOWN = "Unknown"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Hook:
    """One object that runs at an event of its release and does not belong to its manifest."""

    name: str
    kind: str
    path: str
    manifest: str
    body: JsonObject  # the manifest, parsed
    events: tuple[HookEvent, ...]
    weight: int = 0
    delete_policies: tuple[HookDeletePolicy, ...] = ()
    output_log_policies: tuple[str, ...] = ()
    started_at: str = ""  # RFC 3339; empty before the first run
    completed_at: str = ""
    phase: HookPhase = HookPhase.NEVER


@dataclass(frozen=True, slots=True)
class Revision:
    """One stored release, `sh.helm.release.v1.<name>.v<number>`, whole."""

    name: str
    namespace: str  # the target namespace; where it is stored is the store's business
    number: RevisionNumber
    status: ReleaseStatus
    chart: JsonObject  # as Helm stores it: metadata, lock, templates, values, schema, files
    config: JsonObject  # the user's values only
    manifest: "str | PackedText"
    objects: Sequence[JsonObject]  # the manifest, parsed, in install order
    hooks: tuple[Hook, ...] = ()
    description: str = ""
    notes: str = ""
    first_deployed: str = ""  # RFC 3339
    last_deployed: str = ""
    deleted: str = ""
    apply_method: str = "ssa"  # "csa" or empty: made by the helm CLI with --server-side=false
    labels: Mapping[str, str] = field(default_factory=dict)  # of the Secret, Helm's own apart


@dataclass(frozen=True, slots=True)
class RevisionHeader:
    """What the labels of a stored revision tell, read without decoding its payload."""

    number: RevisionNumber
    status: ReleaseStatus
    labels: Mapping[str, str]  # all labels of the Secret, Helm's own apart
    created_at: int = 0  # Unix seconds; 0 where the label is missing
    modified_at: int = 0


@dataclass(frozen=True, slots=True, order=True)
class ReleaseKey:
    """Where a release is stored and under which name: what the lock is for."""

    storage_namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.storage_namespace}/{self.name}"
