"""What is asked and answered, as OpenAPI tells of it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from whipstaff.gateway.listing import LARGEST_LIMIT, LIMIT, SEARCH_LIMIT, TOKEN_LIMIT, Sort
from whipstaff.gateway.summaries import Standing
from whipstaff.gateway.writing import DryRun

_SYNCED_BY = "the GitOps tool that brings the HelmRelease, which may undo an edit"
_NAMESPACE = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
_CLUSTER = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
_LAST_REVISION = 2**31 - 1
_CONTINUE_LIMIT = 4096  # of the API server's own tokens

Namespace = Annotated[str, Field(pattern=_NAMESPACE, max_length=63)]
Name = Annotated[str, Field(pattern=_NAME, max_length=253)]
Number = Annotated[int, Field(ge=1, le=_LAST_REVISION)]


Cluster = Annotated[
    str,
    Field(
        max_length=253,
        pattern=_CLUSTER,
        description="of /v1/clusters; without it, the gateway's own, and all for a list of all",
    ),
]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cluster: Cluster = ""


class Filters(_Asked):
    """What a list is to have."""

    search: str = Field(
        "", max_length=SEARCH_LIMIT, description="in name, namespace, chart, message"
    )
    standing: Standing | None = None
    chart: str = Field("", max_length=253, description="name of the chart that runs")
    label_selector: str = Field("", alias="labelSelector", max_length=500)
    sort: Sort = Sort.NAMESPACE
    limit: int = Field(LIMIT, ge=1, le=LARGEST_LIMIT)
    continue_: str = Field(
        "", alias="continue", max_length=TOKEN_LIMIT, description="token of the page before"
    )


class FiltersEverywhere(Filters):
    """What a list of all namespaces is to have."""

    namespace: Annotated[str, Field(max_length=63, pattern=r"^[-a-z0-9]*$")] = ""


class Changes(_Asked):
    """From where on changes are told."""

    after: str = Field(
        "",
        max_length=64,
        description="the position of a list or the id of an event; else a reset comes first",
    )


class NamespacedChanges(Changes):
    """Whose changes are told."""

    name: Name | Literal[""] = Field("", description="of one release; all if empty")


class Nothing(_Asked):
    """No parameters but the cluster."""


class Unasked(BaseModel):
    """No parameters."""

    model_config = ConfigDict(extra="forbid")


class Reveal(_Asked):
    """Whether secrets are asked for."""

    show_secrets: bool = Field(
        False,
        alias="showSecrets",
        description="data of Secrets that the caller may read, and secret values",
    )


class WhichValues(Reveal):
    """Which values of a revision are meant."""

    all: bool = Field(False, description="those of the chart, too, as its templates had them")


class Between(Reveal):
    """Which revisions are compared."""

    from_: Number = Field(alias="from")
    to: Number


class Objects(_Asked):
    """Which objects are meant, and how many of them."""

    label_selector: str = Field("", alias="labelSelector", max_length=500)
    limit: int = Field(LARGEST_LIMIT, ge=1, le=LARGEST_LIMIT)
    continue_: str = Field("", alias="continue", max_length=_CONTINUE_LIMIT)
    container: str = Field("", max_length=63, description="of a Pod whose log is asked for")


class Trial(_Asked):
    """How an object is to be applied, if it were."""

    dry_run: Literal["All"] = Field(alias="dryRun", description="nothing else is taken")
    field_manager: str = Field("helm", alias="fieldManager", min_length=1, max_length=128)
    field_validation: Literal["Strict", "Warn", "Ignore"] = Field("Strict", alias="fieldValidation")
    force: bool = Field(False, description="take fields over from other managers")


class Writing(_Asked):
    """How a change is made."""

    dry_run: DryRun = Field(
        DryRun.NONE,
        alias="dryRun",
        description="client: show the edit and make none; server: have the API server try it",
    )
    show_secrets: bool = Field(
        False, alias="showSecrets", description="secret values in the edit that is shown"
    )


class Deleting(Writing):
    """How a release is uninstalled."""

    keep_history: bool = Field(False, alias="keepHistory", description="keep stored revisions")
    disable_hooks: bool = Field(False, alias="disableHooks")
    disable_wait: bool = Field(
        False, alias="disableWait", description="do not wait until the objects are gone"
    )
    propagation: Literal["background", "foreground", "orphan"] | None = None
    uid: str = Field(
        "",
        max_length=64,
        description="of the HelmRelease that is meant, which an Idempotency-Key needs; 409 if it "
        "is another, or, with a key, what was answered before",
    )


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Empty(_Body):
    """Nothing more is to be said."""


class Install(_Body):
    """A release that is not there."""

    name: Name
    spec: dict[str, Any] = Field(description="spec of the HelmRelease")


class Upgrade(_Body):
    """What is to be otherwise."""

    spec: dict[str, Any] = Field(
        min_length=1, description="merge patch (RFC 7396) of the HelmRelease's spec"
    )
    reset_values: bool = Field(
        False, alias="resetValues", description="spec.values takes the place of those of before"
    )
    resource_version: str = Field(
        "", alias="resourceVersion", max_length=64, description="409 if it is another by now"
    )


class Pin(_Body):
    """A revision to stay on."""

    revision: Number | None = Field(None, description="the one that runs, if not given")


class Rollback(_Body):
    """A revision to go back to, and to stay on."""

    revision: Number | None = Field(None, description="the one before the newest, if not given")


class Approve(_Body):
    """A plan that waits."""

    digest: str = Field(min_length=1, max_length=128)


class Reconcile(_Body):
    """What a pass is to do more than others."""

    force: bool = Field(False, description="make a revision even if nothing changed")
    reset: bool = Field(False, description="forget how often the same failed")
    at: str = Field(
        "",
        max_length=64,
        description="any text that was not asked with before, which status.lastHandledReconcileAt "
        "repeats once it is done; the time, if not given",
    )


class Tried(RootModel[dict[str, Any]]):
    """An object, as far as it is to be applied."""


class RunTests(_Body):
    """Which tests are to run, and how."""

    filter: str = Field(
        "", max_length=4096, description="`name=TEST,!name=TEST`; all, if not given"
    )
    timeout: str = Field("", max_length=32, description="of each, as `90s`")
    at: str = Field(
        "",
        max_length=64,
        description="any text that was not asked with before, which status.lastHandledTestAt "
        "repeats once they ran; the time, if not given",
    )


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Cause(BaseModel):
    """What is wrong with a field of an object."""

    field: str
    message: str


class Problem(BaseModel):
    """Why a request was not answered (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    reason: str | None = None
    causes: list[Cause] | None = None


class Place(_Told):
    """Which release it is to Helm."""

    name: str
    namespace: str


class Chart(_Told):
    """The chart that runs, and which versions of it are wanted."""

    name: str
    version: str
    app_version: str = Field(alias="appVersion")
    wanted: str
    repository: str = Field(description="namespace and name of its HelmRepository, or a URL")


class Unready(_Told):
    """An object that is not ready, and why."""

    api_version: str = Field(alias="apiVersion")
    kind: str
    namespace: str
    name: str
    cause: str


class WaitingPlan(_Told):
    """A plan that waits for an approval."""

    digest: str
    action: str
    chart: str
    version: str
    summary: str


class Release(_Told):
    """One release."""

    namespace: str
    name: str
    uid: str
    created_at: str = Field(alias="createdAt")
    labels: dict[str, str]
    standing: Standing
    ready: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    changed_at: str = Field(alias="changedAt")
    release: Place
    chart: Chart
    revision: int = Field(description="that runs; 0 if none does")
    pinned: int | None
    suspended: bool
    drifted: bool = Field(description="others changed its objects, and that was not put right yet")
    unready: list[Unready]
    plan: WaitingPlan | None


class ListedRelease(Release):
    """One release of a list."""

    cluster: str


class Unreachable(_Told):
    """A cluster whose releases are not in the answer."""

    cluster: str
    reason: str


class ReleaseList(_Told):
    """One page of releases."""

    items: list[ListedRelease]
    total: int = Field(description="of all pages, as far as the caller may see them")
    continue_: str | None = Field(alias="continue", description="token of the next page")
    position: str = Field(description="what the stream of changes goes on after")
    unreachable: list[Unreachable] = Field(description="clusters that are missing from it")


class ClusterState(_Told):
    """A cluster, and whether it answers."""

    name: str
    own: bool = Field(description="whether the gateway runs in it")
    reachable: bool
    reason: str | None = Field(description="why it is not reachable")


class ClusterList(_Told):
    """The clusters that the gateway answers for."""

    items: list[ClusterState]


class ReleaseDetails(Release):
    """One release with its spec and status."""

    resource_version: str = Field(alias="resourceVersion")
    generation: int
    annotations: dict[str, str]
    synced_by: str | None = Field(alias="syncedBy", description=_SYNCED_BY)
    spec: dict[str, Any]
    status: dict[str, Any]


class History(_Told):
    """The stored revisions, newest first."""

    revision: int = Field(description="that runs; 0 if none does")
    items: list[dict[str, Any]]


class UnreadyList(_Told):
    """What is not ready."""

    items: list[Unready]


class Plan(BaseModel):
    """What would be done once it is approved of."""

    digest: str
    summary: str = ""
    text: str | None
    withheld: str | None = Field(description="why there is no text")


class Event(_Told):
    """Something that happened."""

    type: str | None
    reason: str | None
    message: str | None
    count: int
    first_seen: str = Field(alias="firstSeen")
    last_seen: str = Field(alias="lastSeen")


class EventList(_Told):
    """What happened, newest first."""

    items: list[Event]


class SecretName(_Told):
    """A Secret of a release."""

    namespace: str
    name: str


class Revision(_Told):
    """One stored revision."""

    name: str
    namespace: str
    revision: int
    status: str | None
    description: str
    first_deployed: str | None = Field(alias="firstDeployed")
    last_deployed: str | None = Field(alias="lastDeployed")
    deleted: str | None
    chart: dict[str, Any] = Field(description="Chart.yaml")
    hooks: list[dict[str, Any]]
    secrets: list[SecretName]


class Values(_Told):
    """The values that a revision was given."""

    values: dict[str, Any]


class ObjectName(_Told):
    """An object of a release."""

    api_version: str = Field(alias="apiVersion")
    kind: str
    namespace: str
    name: str


class Document(_Told):
    """A document of a manifest."""

    source: str
    objects: list[ObjectName]
    masked: bool
    text: str


class Manifest(_Told):
    """What a revision was rendered to."""

    documents: list[Document]


class Notes(_Told):
    """What the chart says to its user."""

    notes: str


class ObjectDifference(ObjectName):
    """An object that two revisions have otherwise."""

    effect: Literal["added", "changed", "removed"]
    diff: str = Field(description="unified")


class Difference(_Told):
    """In what two revisions differ."""

    objects: list[ObjectDifference]
    values: str = Field(description="unified diff; empty if they are equal")


class Edited(_Told):
    """What was done to a HelmRelease."""

    edit: str | None = Field(
        description="the edit as YAML, to put into Git; null if there was nothing to edit"
    )
    synced_by: str | None = Field(alias="syncedBy", description=_SYNCED_BY)
    warning: str | None = Field(description="why the edit may not stay")
    made: bool = Field(description="whether it was this request that did it")
    repeated: bool = Field(description="whether it had been done before, for the same key")
    release: Release | None = Field(description="as it is now; null if it is deleted")
