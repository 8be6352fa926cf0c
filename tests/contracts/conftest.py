"""The API server that contracts are checked against, and what writes to it as somebody else."""

import itertools
import os

import pytest

from tools.controlplane import programs
from tools.controlplane.cluster import ROOT, Cluster

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("contracts") / "cluster", programs.find())
    cluster.start(guarded=True)
    cluster.run("kubectl", "apply", "-f", str(ROOT / "crds"))
    cluster.await_definitions("crd", "--all")
    yield cluster
    cluster.stop(grace_seconds=0.0)


@pytest.fixture
def namespace(control_plane):
    """A new namespace, deleted after the test without waiting."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"contract-{worker}-{next(NUMBERS)}"
    control_plane.run("kubectl", "create", "namespace", name)
    yield name
    control_plane.run("kubectl", "delete", "namespace", name, "--wait=false")
