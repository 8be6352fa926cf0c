"""A HelmRepository as the rest of the package sees it: checked, every default resolved."""

from dataclasses import dataclass

from whipstaff.helmrelease.types import DEFAULT_SECONDS, Head, RepositoryKey

DEFAULT_TIMEOUT_SECONDS = 30.0
EVERY_NAMESPACE = "*"


@dataclass(frozen=True, slots=True)
class RepositorySpec:
    """Where a repository is, who we are to it, and who may use it."""

    url: str  # http, https or oci, without a slash at its end
    interval_seconds: float = DEFAULT_SECONDS
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    secret: str = ""  # with a login; empty: none is needed
    certificate_secret: str = ""  # with ca.crt, tls.crt and tls.key
    pass_credentials: bool = False  # to other hosts that the index names, too
    insecure: bool = False  # certificates are not checked; oci: plain HTTP
    suspend: bool = False
    allowed_namespaces: tuple[str, ...] = ()  # besides its own; "*" for all


@dataclass(frozen=True, slots=True)
class HelmRepository(Head):
    """One custom resource, spec included."""

    spec: RepositorySpec

    @property
    def key(self) -> RepositoryKey:
        return RepositoryKey(self.namespace, self.name)

    def allows(self, namespace: str) -> bool:
        """Whether HelmReleases of a namespace may take charts from here."""
        allowed = self.spec.allowed_namespaces
        return namespace == self.namespace or namespace in allowed or EVERY_NAMESPACE in allowed
