"""kopf's own test tool starts and stops the controller, in this process."""

import socket
from dataclasses import replace

import pytest
from kopf.testing import KopfRunner

from tests.builders.live_releases import LiveReleases, eventually
from tests.builders.small_charts import settings_chart
from tools.chartrepo import ChartRepository
from tools.controlplane import programs
from tools.controlplane.cluster import Cluster
from tools.running_operator import NAMESPACE, prepare
from whipstaff.controller.operator import handlers
from whipstaff.errors import ClusterRefused
from whipstaff.settings import Settings
from whipstaff.wiring import Target, assemble

ARGUMENTS = ["run", "--standalone", "--all-namespaces"]
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/whipstaff"
STOP_SECONDS = 30.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    own = Cluster(tmp_path_factory.mktemp("runner") / "cluster", programs.find())
    own.start(guarded=True)
    prepare(own)
    yield own
    own.stop(grace_seconds=0.0)


@pytest.fixture
def settings(tmp_path):
    return Settings(probe_port=0, identity="runner", cache_folder=tmp_path / "charts")


def runner(kubeconfig, settings, failed=None):
    """Give kopf's runner of one operator, which runs while its `with` block lasts."""
    registry = handlers(
        lambda meter: assemble(settings, Target(kubeconfig), meter), failed or (lambda _: None)
    )
    return KopfRunner(ARGUMENTS, registry=registry, timeout=STOP_SECONDS, reraise=False)


def holder(releases):
    lease = releases.find(LEASE)
    return lease and lease["spec"].get("holderIdentity")


def test_the_controller_starts_works_and_stops(cluster, settings):
    cluster.kubectl("create", "namespace", "ran")
    with ChartRepository() as served:
        served.add(settings_chart())
        releases = LiveReleases(cluster, "ran", served.url)
        with runner(cluster.kubeconfig, settings) as running:
            releases.create("blog")
            releases.settled("blog", revision=1)
            assert holder(releases) == "runner"
        assert running.exit_code == 0
        assert running.exception is None
        assert not holder(releases)
        # What began once goes on with another one.
        with runner(cluster.kubeconfig, settings):
            releases.edit("blog", values={"text": "b"})
            releases.settled("blog", revision=2)


def test_the_controller_stops_while_another_one_leads(cluster, settings):
    releases = LiveReleases(cluster, "default")
    with runner(cluster.kubeconfig, settings):
        eventually(lambda: holder(releases) == "runner", "nobody leads")
        other = replace(settings, identity="other")
        with runner(cluster.kubeconfig, other) as waiting:
            pass
        assert waiting.exit_code == 0
        assert holder(releases) == "runner"


def test_a_port_that_is_taken_ends_the_start(cluster):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(probe_host="127.0.0.1", probe_port=taken.getsockname()[1])
        failure = why_it_does_not_start(cluster.kubeconfig, settings)
    assert isinstance(failure, OSError)


def test_a_kubeconfig_that_cannot_be_used_ends_the_start(settings, tmp_path):
    nonsense = tmp_path / "kubeconfig"
    nonsense.write_text("nonsense", encoding="utf-8")
    assert isinstance(why_it_does_not_start(nonsense, settings), ClusterRefused)


def why_it_does_not_start(kubeconfig, settings):
    failures = []
    with runner(kubeconfig, settings, failures.append) as running:
        running.future.result(STOP_SECONDS)
    assert running.exit_code != 0
    (failure,) = failures
    return failure
