"""The command line of each program of a control plane, and the files they read at the start."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.controlplane.credentials import Credentials

STAGES = Path(__file__).parent / "stages.yaml"
SERVICE_RANGE = "10.96.0.0/16"
COMPONENTS = (
    "system:apiserver",
    "system:kube-controller-manager",
    "system:kube-scheduler",
    "system:kwok",
)

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # One line a request, written when it is answered: the order of lines is the order of effects.
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["*"]},
        {"level": "None", "users": list(COMPONENTS), "verbs": ["get", "list", "watch"]},
        {
            "level": "None",
            "userGroups": ["system:serviceaccounts:kube-system"],
            "verbs": ["get", "list", "watch"],
        },
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a control plane listens, all on 127.0.0.1."""

    etcd: int
    etcd_peers: int
    api_server: int

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.api_server}"


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one control plane, all under one folder."""

    folder: Path

    def log(self, program: str) -> Path:
        return self.folder / "logs" / f"{program}.log"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"

    @property
    def record(self) -> Path:
        return self.folder / "cluster.json"

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def kubeconfig_of(self, program: str) -> Path:
        return self.secrets / f"{program}.kubeconfig"


def commands(
    programs: Mapping[str, Path], layout: Layout, ports: Ports, credentials: Credentials
) -> dict[str, list[str]]:
    """Give each program's command line, in the order of starting."""
    flags = {
        "etcd": _etcd(layout, ports),
        "kube-apiserver": _api_server(layout, ports, credentials),
        "kube-controller-manager": _controller_manager(layout, credentials),
        "kube-scheduler": [
            f"--kubeconfig={layout.kubeconfig_of('kube-scheduler')}",
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=500",
            "--kube-api-burst=500",
        ],
        "kwok": [
            f"--kubeconfig={layout.kubeconfig_of('kwok')}",
            f"--config={STAGES}",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            "--node-lease-duration-seconds=0",
        ],
    }
    return {name: [str(programs[name]), *given] for name, given in flags.items()}


def write_audit_policy(layout: Layout) -> None:
    """Write the audit policy; JSON is YAML enough for the API server."""
    _audit_policy(layout).write_text(json.dumps(AUDIT_POLICY), encoding="utf-8")


def _audit_policy(layout: Layout) -> Path:
    return layout.folder / "audit-policy.yaml"


def _etcd(layout: Layout, ports: Ports) -> list[str]:
    clients, peers = (f"http://127.0.0.1:{port}" for port in (ports.etcd, ports.etcd_peers))
    return [
        f"--data-dir={layout.folder / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _api_server(layout: Layout, ports: Ports, credentials: Credentials) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{ports.etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        # A loopback address may not be an endpoint, so nothing should try to publish it.
        "--endpoint-reconciler-type=none",
        f"--secure-port={ports.api_server}",
        f"--tls-cert-file={credentials.server_certificate}",
        f"--tls-private-key-file={credentials.server_key}",
        f"--client-ca-file={credentials.ca_certificate}",
        f"--token-auth-file={credentials.token_file}",
        "--authorization-mode=Node,RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={credentials.service_account_key}",
        f"--service-account-signing-key-file={credentials.service_account_key}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--allow-privileged=true",
        # No kubelet reports, so no controller would ever take the not-ready taint off again.
        "--disable-admission-plugins=TaintNodesByCondition",
        "--max-requests-inflight=1000",
        "--max-mutating-requests-inflight=500",
        f"--audit-policy-file={_audit_policy(layout)}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-maxsize=4096",
        "--profiling=false",
    ]


def _controller_manager(layout: Layout, credentials: Credentials) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig_of('kube-controller-manager')}",
        f"--service-account-private-key-file={credentials.service_account_key}",
        f"--root-ca-file={credentials.ca_certificate}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--secure-port=0",
        # An API server that was away for two minutes is no reason to evict every pod.
        "--controllers=*,-node-lifecycle-controller",
        "--kube-api-qps=500",
        "--kube-api-burst=500",
    ]
