"""Control planes for tests: one for all tests of a worker, and others for what breaks them."""

import itertools
import os

import pytest

from tests.builders.live_releases import LiveReleases
from tools.chartrepo import ChartRepository
from tools.controlplane import programs
from tools.controlplane.cluster import Cluster
from tools.running_operator import RunningOperator, prepare

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory):
    """The control plane that tests share; each takes a `namespace` of its own."""
    cluster = Cluster(tmp_path_factory.mktemp("shared") / "cluster", programs.find())
    yield cluster.start(guarded=True)
    cluster.stop(grace_seconds=0.0)


@pytest.fixture
def own_cluster(tmp_path):
    """Start control planes that a test may break; each call starts another one."""
    started = []

    def start():
        folder = tmp_path / f"cluster-{len(started)}"
        cluster = Cluster(folder, programs.find())
        started.append(cluster)
        return cluster.start(guarded=True)

    yield start
    for cluster in started:
        cluster.stop(grace_seconds=0.0)


@pytest.fixture(scope="session")
def operator(control_plane):
    """The operator, at work on the shared control plane."""
    prepare(control_plane)
    running = RunningOperator(control_plane).start()
    yield running
    running.stop()


@pytest.fixture
def repository():
    """A chart repository of the test's own, empty."""
    with ChartRepository() as served:
        yield served


@pytest.fixture
def namespace(control_plane):
    """A new namespace of the shared control plane, deleted after the test without waiting."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"test-{worker}-{next(NUMBERS)}"
    control_plane.kubectl("create", "namespace", name)
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@pytest.fixture
def releases(operator, namespace, repository):
    """HelmReleases in a new namespace, their charts from a repository of the test's own."""
    return LiveReleases(operator.cluster, namespace, repository.url)
