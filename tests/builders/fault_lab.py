"""A control plane of one's own with the operator behind a proxy that does wrong on demand."""

from contextlib import contextmanager
from dataclasses import dataclass

from tests.builders.tended_operator import TendedOperator
from tests.fakes.fault_proxy import FaultProxy
from tools.controlplane import programs
from tools.controlplane.cluster import Cluster
from tools.running_operator import prepare

DEAD_API_SERVICE = """
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.dead.example.com}
spec:
  group: dead.example.com
  version: v1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {name: nobody, namespace: default}
"""


@dataclass(frozen=True)
class FaultLab:
    """The three of them; the operator is not started yet."""

    cluster: Cluster
    proxy: FaultProxy
    operator: TendedOperator


@contextmanager
def a_fault_lab(folder, **settings):
    """Give a lab in a folder of its own; `settings` are the operator's."""
    cluster = Cluster(folder / "cluster", programs.find())
    try:
        prepare(cluster.start(guarded=True))
        with FaultProxy(cluster) as proxy:
            operator = TendedOperator(cluster, server=proxy.url, **settings)
            yield FaultLab(cluster, proxy, operator)
            operator.stop()
    finally:
        cluster.stop(grace_seconds=0.0)
