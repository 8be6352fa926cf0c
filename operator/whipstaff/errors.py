"""What can go wrong, in the words of the conditions that report it.

OperatorError                            each carries facts, a stable `reason` and `retryable`
 |- InvalidSpec(field)                   the user must edit the HelmRelease; retrying is useless
 |   |- CrossNamespaceForbidden          a reference to a namespace that a setting forbids
 |   |- TargetNamespaceChanged           what runs cannot move between namespaces
 |   |- DependencyCycle                  it waits for itself, by way of others
 |   `- ExpressionInvalid                an expression that is no CEL, or gives no truth value
 |- ChartUnavailable(reference)          a repository did not answer; worth retrying
 |   |- ChartVersionNotFound             it has the chart, in no version of the range
 |   |- RepoNotFound                     no such HelmRepository
 |   |- RepoAccessDenied                 a HelmRepository that is not for this namespace
 |   |- RepoSuspended                    a HelmRepository that may not be asked
 |   |- RepoAuthInvalid                  a Secret that holds no login or no certificates
 |   |- RepoAuthFailed                   the repository does not take the login
 |   |- RepoForbiddenTarget              an address that is not for charts
 |   |- ChartUnsigned                    no signature where one is asked for; it may come yet
 |   |- VerificationKeyInvalid           a Secret that holds no key to verify with
 |   |- RepoTimeout                      the answer took too long
 |   |- SourceNotFound                   no such object of Flux, or no such kind here
 |   |- SourceAccessDenied               a source that the operator may not read
 |   |- SourceNotReady                   a source without an artifact of what it says now
 |   |- ArtifactUnavailable              the artifact of a source is not to be had, or another one
 |   |- ArchiveNotFound                  no such ConfigMap, Secret or key
 |   |- RepoIndexInvalid                 an index.yaml that is none
 |   `- RepoIndexTooLarge                an index.yaml without an end
 |- ChartInvalid(where)                  the chart itself is wrong
 |   |- ChartTooLarge                    a limit of the archive was passed; the text names it
 |   |- ChartTooDeep                     charts inside charts without an end
 |   |- ChartPathIllegal                 a member that would leave the chart's folder
 |   |- ChartPathNotFound                no chart where the source should have one
 |   |- ValuesFileNotFound               a values file that the chart does not have
 |   |- SchemaInvalid                    values.schema.json itself is wrong
 |   |- ChartIntegrity                   the digest is not the promised one
 |   |- ChartSignatureInvalid            signed, but by none of the keys
 |   |- LockOutOfSync                    Chart.lock is of other dependencies than Chart.yaml's
 |   |- EngineNotAllowed                 templates for Jinja2, where no setting allows them
 |   `- KubeVersionIncompatible          the chart does not want this cluster
 |- ValuesInvalid(where)                 values that are no table, or no YAML
 |   |- ValuesNotFound                   no such ConfigMap, Secret or key; it may come yet
 |   |- ValuesTooLarge                   more than a release can be made of
 |   `- ValuesSchemaViolation            values that the chart's schema refuses
 |- DependentsRemain                     what depends on it is to be uninstalled first
 |- DependencyNotReady(dependency)       what it depends on is not there, or not ready
 |- RenderFailed(chart, template, line)  a template failed; the text is Helm's
 |   |- RenderLimit                      too much output, too many steps, too deep
 |   `- RenderTimeout                    the worker ran out of time
 |- PostRenderFailed(where)              a patch or image that cannot be applied
 |- ManifestInvalid(where)               rendered text that is no Kubernetes object
 |- ReleaseConflict(holder)              someone else owns the release or an object of it
 |   |- HeldByFlux                       a HelmRelease of Flux looks after it; it may stop
 |   `- ReleaseNameTaken                 another HelmRelease has the release
 |- PruneLimitExceeded                   more objects would go than spec allows
 |- RevisionNotFound(revision)           no such stored revision
 |- RevisionNotUsable(revision)          a stored revision that cannot be run again
 |- StorageCorrupt(name)                 a stored release that cannot be read
 |- StorageTooLarge(size_bytes)          a release that does not fit into a Secret
 |- WorkerLost(text)                     a worker process died; worth one more try
 |- KubeConfigInvalid(name)              a Secret that holds no way to a cluster; it may yet
 |   `- KubeConfigForbidden              one that wants what is not allowed
 `- ClusterRefused(code, api_reason)     the API server said no; `retryable`: whether to ask again
     |- ImmutableField                   an object would have to be made anew, and may not be
     |- ServiceAccountNotFound           the account that a release acts as does not exist
     `- RemoteClusterUnreachable         another cluster does not answer

The text of an error may reach status, events and logs: it never holds a value of the user.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

# No answer at all, a timeout of the server's own, a conflict, too many requests.
_WORTH_ASKING_AGAIN = frozenset({0, 408, 409, 429})
_SERVER_ERROR = 500
# Forbidden by what is there, not by a rule: it may be gone the next time.
_PASSING = frozenset({"NamespaceTerminating", "QuotaExceeded"})


@dataclass(eq=False)
class OperatorError(Exception):
    """The root: a sentence for people, a `reason` for conditions, and whether to try again."""

    text: str

    def __post_init__(self) -> None:
        super().__init__(self.text)

    @property
    def reason(self) -> str:
        """The CamelCase word of conditions and events: the API server's own if it gave one."""
        match self:
            case ImmutableField():
                return type(self).__name__
            case ClusterRefused(api_reason=api_reason) if api_reason:
                return api_reason
            case _:
                return type(self).__name__

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later without anyone's edit."""
        match self:
            case ClusterRefused(api_reason=reason) if reason in _PASSING:
                return True
            case ClusterRefused(code=code):
                return code in _WORTH_ASKING_AGAIN or code >= _SERVER_ERROR
            case ChartUnavailable() | ValuesNotFound() | WorkerLost():
                return True
            case DependencyNotReady() | DependentsRemain() | HeldByFlux():
                return True
            case KubeConfigInvalid():
                return not isinstance(self, KubeConfigForbidden)
            case _:
                return False

    @property
    def interrupts(self) -> bool:
        """Whether an action that meets it goes on later, where it stood; else it has failed."""
        match self:
            case ClusterRefused(api_reason=reason):
                return self.retryable and reason not in _PASSING
            case _:
                return False


@dataclass(eq=False)
class InvalidSpec(OperatorError):
    """A field of the HelmRelease is wrong: `field` is its path, as in `spec.chart.version`."""

    field: str = ""


class CrossNamespaceForbidden(InvalidSpec):
    """A reference leads to another namespace, which a setting of the operator forbids."""


class TargetNamespaceChanged(InvalidSpec):
    """The objects of a release would have to move to another namespace, which none can."""


class DependencyCycle(InvalidSpec):
    """A HelmRelease depends on itself, directly or by way of others; the text has the whole way."""


class ExpressionInvalid(InvalidSpec):
    """An expression of the spec cannot be compiled; the text says at which column."""


@dataclass(eq=False)
class ChartUnavailable(OperatorError):
    """A source did not answer or had no such chart: `reference` names it, without credentials."""

    reference: str = ""


class ChartVersionNotFound(ChartUnavailable):
    """The repository has the chart, but no version in the range."""


class RepoNotFound(ChartUnavailable):
    """There is no such HelmRepository."""


class RepoAccessDenied(ChartUnavailable):
    """The HelmRepository does not allow the namespace that asks."""


class RepoSuspended(ChartUnavailable):
    """The HelmRepository is suspended, and nothing of it is known."""


class RepoAuthInvalid(ChartUnavailable):
    """A Secret that cannot be used: missing, incomplete, or with what no header may hold."""


class RepoAuthFailed(ChartUnavailable):
    """The repository answered 401 or 403."""


class RepoForbiddenTarget(ChartUnavailable):
    """A URL leads to an address or scheme that charts may not come from."""


class ChartUnsigned(ChartUnavailable):
    """The chart has no signature, or not yet: who pushes signs afterwards."""


class VerificationKeyInvalid(ChartUnavailable):
    """A Secret that holds no key to verify with."""


class RepoTimeout(ChartUnavailable):
    """The repository did not answer, or did not end its answer, in time."""


class SourceNotFound(ChartUnavailable):
    """There is no such object of Flux, or the cluster does not know its kind."""


class SourceAccessDenied(ChartUnavailable):
    """The operator may not read the source."""


class SourceNotReady(ChartUnavailable):
    """The source has no artifact, or none of what its spec says now."""


class ArtifactUnavailable(ChartUnavailable):
    """The artifact of a source cannot be fetched, or is not the one that the source names."""


class ArchiveNotFound(ChartUnavailable):
    """There is no such ConfigMap or Secret, or nothing under the key."""


class RepoIndexInvalid(ChartUnavailable):
    """What the repository sent is no index of charts."""


class RepoIndexTooLarge(ChartUnavailable):
    """The index is larger than a limit."""


@dataclass(eq=False)
class ChartInvalid(OperatorError):
    """The chart is wrong: `where` is a member path, a metadata field or empty."""

    where: str = ""


class ChartTooLarge(ChartInvalid):
    """The archive passes one of the limits of `chart.archive`."""


class ChartTooDeep(ChartInvalid):
    """Charts are nested deeper than any real chart."""


class ChartPathIllegal(ChartInvalid):
    """A member's path is absolute, climbs, or carries a drive letter."""


class ChartPathNotFound(ChartInvalid):
    """The source has no chart where one should be."""


class ValuesFileNotFound(ChartInvalid):
    """A values file that is asked for and not there."""


class SchemaInvalid(ChartInvalid):
    """A values.schema.json that is no JSON schema, or refers to something outside itself."""


class ChartIntegrity(ChartInvalid):
    """The archive's digest differs from the one that was promised."""


class ChartSignatureInvalid(ChartInvalid):
    """The chart is signed by none of the keys that are asked for, or the signature is broken."""


class LockOutOfSync(ChartInvalid):
    """The chart's lock was written for other dependencies than the chart declares."""


class EngineNotAllowed(ChartInvalid):
    """The chart's templates are for Jinja2, and no setting allows that."""


class KubeVersionIncompatible(ChartInvalid):
    """The chart's kubeVersion excludes this cluster."""


@dataclass(eq=False)
class ValuesInvalid(OperatorError):
    """Values that cannot be used: `where` names their source, never their content."""

    where: str = ""


class ValuesNotFound(ValuesInvalid):
    """`spec.valuesFrom` names an object that is not there, or a key that it does not have."""


class ValuesTooLarge(ValuesInvalid):
    """Values that no release could be made of."""


class ValuesSchemaViolation(ValuesInvalid):
    """Values that a values.schema.json refuses; the text has JSON pointers and no values."""


class DependentsRemain(OperatorError):
    """A deletion waits until what depends on the release is uninstalled."""


@dataclass(eq=False)
class DependencyNotReady(OperatorError):
    """A dependency is not there, or not ready: `dependency` names it."""

    dependency: str = ""


@dataclass(eq=False)
class RenderFailed(OperatorError):
    """A template failed: `line` counts from 1, 0 where Helm names none; the text is Helm's own."""

    chart: str = ""
    template: str = ""
    line: int = 0


class RenderLimit(RenderFailed):
    """A template asked for more output, steps or depth than a render may have."""


class RenderTimeout(RenderFailed):
    """A render took longer than it may."""


@dataclass(eq=False)
class PostRenderFailed(OperatorError):
    """An instruction of spec.postRenderers that cannot be followed: `where` is its field."""

    where: str = ""


@dataclass(eq=False)
class ManifestInvalid(OperatorError):
    """Rendered text that is no Kubernetes object: `where` is its template path."""

    where: str = ""


@dataclass(eq=False)
class ReleaseConflict(OperatorError):
    """Something belongs to someone else: `holder` says to whom."""

    holder: str = ""


class HeldByFlux(ReleaseConflict):
    """HelmReleases of Flux look after what is to be taken over: `holder` is one of them."""


class ReleaseNameTaken(ReleaseConflict):
    """Two HelmReleases want one release: `holder` is the one that has it."""


class PruneLimitExceeded(OperatorError):
    """More objects would be deleted than `spec.upgrade.maxPrune` allows; the text names them."""


@dataclass(eq=False)
class RevisionNotFound(OperatorError):
    """The wanted revision is not stored (any more)."""

    revision: int = 0


class RevisionNotUsable(RevisionNotFound):
    """The wanted revision is stored, but never ran or was uninstalled."""


@dataclass(eq=False)
class StorageCorrupt(OperatorError):
    """A stored release cannot be decoded: `name` is its Secret or ConfigMap."""

    name: str = ""


@dataclass(eq=False)
class StorageTooLarge(OperatorError):
    """A release is too large to be stored: `size_bytes` is what it would take."""

    size_bytes: int = 0


class WorkerLost(OperatorError):
    """A worker process died or broke its protocol."""


@dataclass(eq=False)
class ClusterRefused(OperatorError):
    """The API server answered `code` with its own `api_reason`; 0 means that it did not answer."""

    code: int = 0
    api_reason: str = ""
    object_reference: str = ""
    causes: tuple[tuple[str, str], ...] = ()  # fields of an invalid object, what is wrong with each


class ImmutableField(ClusterRefused):
    """A change to a field that Kubernetes does not let change, of an object that must stay."""


class ServiceAccountNotFound(ClusterRefused):
    """A ServiceAccount was refused something because it does not exist."""


class RemoteClusterUnreachable(ClusterRefused):
    """Another cluster than the HelmRelease's does not answer."""


@dataclass(eq=False)
class KubeConfigInvalid(OperatorError):
    """A kubeconfig that cannot be used: `name` is its Secret; no text holds any of it."""

    name: str = ""


class KubeConfigForbidden(KubeConfigInvalid):
    """A kubeconfig that names a program, a file, a proxy, or a server that may not be asked."""


def to_record(error: OperatorError) -> dict[str, Any]:
    """Return the JSON form in which an error crosses a process boundary."""
    return {"error": type(error).__name__, **asdict(error)}


def from_record(record: Mapping[str, Any]) -> OperatorError:
    """Rebuild an error from `to_record`; an unknown kind becomes a plain OperatorError."""
    facts = {name: value for name, value in record.items() if name != "error"}
    kinds = {kind.__name__: kind for kind in _family(OperatorError)}
    kind = kinds.get(record.get("error", ""))
    return kind(**facts) if kind else OperatorError(str(record.get("text", "")))


def _family(kind: type[OperatorError]) -> Iterator[type[OperatorError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)
