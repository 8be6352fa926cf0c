"""The operator as a process beside a control plane, with the token of its own ServiceAccount."""

import http
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tools.controlplane import processes
from tools.controlplane.cluster import ROOT, Cluster, free_ports
from tools.controlplane.processes import Process, StartFailed

CRDS = ROOT / "crds"
RBAC = Path(__file__).parent / "rbac.yaml"
NAMESPACE = "whipstaff-system"
ACCOUNT = "whipstaff"
READY_SECONDS = 30.0
POLL_SECONDS = 0.05


class RunningOperator:
    """`whipstaff run` against a control plane; start it, kill it, start it again."""

    def __init__(
        self,
        cluster: Cluster,
        name: str = "whipstaff",
        *flags: str,
        account: str = ACCOUNT,
        namespace: str = NAMESPACE,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.cluster = cluster
        self.name = name
        self.flags = flags
        self.account = account  # whose token it works with
        self.namespace = namespace  # the account's
        self.environment = dict(environment or {})  # settings besides the flags
        self.probe_port = free_ports(1)[0]

    @property
    def log(self) -> Path:
        return self.cluster.layout.log(self.name)

    @property
    def process(self) -> Process | None:
        """Give the running process; None when it has ended."""
        named = [process for process in self.cluster.processes if process.name == self.name]
        return named[-1] if named and processes.alive(named[-1]) else None

    def start(self) -> "RunningOperator":
        """Start it and return when it says that it is ready; `StartFailed` if it does not."""
        self.launch()
        self.await_ready()
        return self

    def launch(self) -> Process:
        """Start it without waiting; `prepare` must have been called for the control plane."""
        token = self.cluster.service_account_token(self.namespace, self.account)
        kubeconfig = self.cluster.kubeconfig_for(token, self.name)
        command = [
            *(sys.executable, "-m", "whipstaff", "run"),
            f"--kubeconfig={kubeconfig}",
            f"--probe-port={self.probe_port}",
            f"--cache-folder={self.cluster.folder / 'charts'}",
            *self.flags,
        ]
        environment = {"WHIPSTAFF_PROBE_HOST": "127.0.0.1", **self.environment}
        return self.cluster.attach(self.name, command, environment)

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self.cluster.end_process(self.name)

    def kill(self) -> None:
        """End it as `kill -9` does, its worker processes too."""
        self.cluster.end_process(self.name, grace_seconds=0.0)

    def await_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait for its readiness probe."""
        deadline = time.monotonic() + seconds
        while not self.answers("readyz"):
            if self.process is None:
                raise StartFailed(f"whipstaff ended; the end of its log:\n{self._log_tail()}")
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"whipstaff is not ready after {seconds:.0f} s; the end of its log:\n"
                    f"{self._log_tail()}"
                )
            time.sleep(POLL_SECONDS)

    def answers(self, probe: str) -> bool:
        """Say whether a probe, `livez` or `readyz`, answers well."""
        try:
            url = f"http://127.0.0.1:{self.probe_port}/{probe}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bool(answer.status == http.HTTPStatus.OK)
        except urllib.error.HTTPError as error:
            error.close()
            return False
        except OSError:
            return False

    def _log_tail(self) -> str:
        return processes.tail(self.log, 30)


def prepare(cluster: Cluster) -> None:
    """Give a control plane our CustomResourceDefinitions and the operator's ServiceAccount."""
    cluster.kubectl("apply", "--server-side", "-f", str(CRDS), "-f", str(RBAC))
    cluster.await_definitions("-f", str(CRDS))
