"""How a gateway is set up, in one frozen object."""

from dataclasses import dataclass
from pathlib import Path

from whipstaff.errors import InvalidSpec
from whipstaff.gateway.cache import LOCAL
from whipstaff.gateway.oidc import IssuerOptions
from whipstaff.kube.release_store import SECRET
from whipstaff.serving.listener import TLS, is_local

READER = "whipstaff:gateway-reader"
CLUSTERS_READER = "whipstaff:gateway-clusters"


@dataclass(frozen=True, slots=True)
class Options:
    """What `whipstaff gateway` was told."""

    host: str = "127.0.0.1"
    port: int = 8443
    tls: TLS | None = None
    tls_names: tuple[str, ...] = ()  # of a certificate that the gateway makes for itself
    kubeconfig: Path | None = None  # None: the cluster that the process runs in
    context: str = ""
    namespaces: tuple[str, ...] = ()  # whose releases are listed; empty: all
    storage_driver: str = SECRET
    reader: str = READER  # the user as whom HelmReleases are watched
    cluster_name: str = LOCAL  # of the cluster that `kubeconfig` names
    clusters_namespace: str = ""  # whose labelled Secrets lead to other clusters; empty: to none
    clusters_reader: str = CLUSTERS_READER  # the user as whom these Secrets are watched
    allow_loopback_clusters: bool = False
    allow_insecure_clusters: bool = False  # no check of certificates, or http
    allow_private_repositories: bool = False  # of other clusters, in the gateway's own networks
    issuer: IssuerOptions | None = None
    requests_per_second: float = 50.0  # of one caller, in the long run
    burst: int = 200
    failures_per_second: float = 5.0  # of one address, of requests that nobody can be believed for
    failures_burst: int = 50
    connections: int = 512
    shutdown_seconds: int = 10
    workers: int = 2

    def __post_init__(self) -> None:
        """Refuse what would send tokens through a network in the clear."""
        if self.tls is None and not self.tls_names and not is_local(self.host):
            text = "--tls-cert and --tls-key, or --tls-name, are needed at an address of a network"
            raise InvalidSpec(text, "--tls-cert")
