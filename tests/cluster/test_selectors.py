"""Operators that share a cluster by labels, and one that keeps namespaces apart."""

import pytest

from tests.builders.live_releases import LiveReleases, eventually
from tests.builders.small_charts import settings_chart
from tools.chartrepo import ChartRepository
from tools.controlplane import programs
from tools.controlplane.cluster import Cluster
from tools.running_operator import RunningOperator, prepare

pytestmark = pytest.mark.cluster

NAMESPACE = "team"
SHARDS = ("one", "two")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    started = Cluster(tmp_path_factory.mktemp("shards") / "cluster", programs.find())
    started.start(guarded=True)
    prepare(started)
    started.kubectl("create", "namespace", NAMESPACE)
    yield started
    started.stop(grace_seconds=0.0)


@pytest.fixture(scope="module")
def charts():
    with ChartRepository() as served:
        served.add(settings_chart())
        yield served


@pytest.fixture(scope="module")
def shards(cluster):
    """Two operators in one namespace, each of which leads its shard."""
    running = {
        shard: RunningOperator(
            cluster,
            f"shard-{shard}",
            f"--watch-label-selector=example.com/shard={shard}",
            f"--identity={shard}",
            "--no-cross-namespace-refs",
        ).start()
        for shard in SHARDS
    }
    yield running
    for operator in running.values():
        operator.stop()


@pytest.fixture
def releases(cluster, charts, shards):
    return LiveReleases(cluster, NAMESPACE, charts.url)


def label(releases, name, shard):
    """Put a HelmRelease into another shard; None takes it out of all."""
    body = {"metadata": {"labels": {"example.com/shard": shard}}}
    return releases.api.request("PATCH", releases.path(name), body)


def create(releases, name, shard, **spec):
    releases.create(name, suspend=True, **spec)
    label(releases, name, shard)
    releases.edit(name, suspend=None)


def passes(operator, releases, name):
    """How many actions an operator did for a HelmRelease."""
    text = operator.log.read_text(encoding="utf-8")
    return text.count(f'"helmrelease": "{releases.namespace}/{name}"') + text.count(
        f'"helmrelease":"{releases.namespace}/{name}"'
    )


def test_each_operator_looks_after_its_shard(releases, shards):
    for shard in SHARDS:
        create(releases, f"in-{shard}", shard)
    for shard in SHARDS:
        releases.settled(f"in-{shard}", revision=1)
    assert passes(shards["one"], releases, "in-one")
    assert not passes(shards["two"], releases, "in-one")
    assert not passes(shards["one"], releases, "in-two")


def test_a_release_without_the_label_is_let_alone(releases):
    create(releases, "leaving", "one")
    releases.settled("leaving", revision=1)
    label(releases, "leaving", None)
    releases.edit("leaving", values={"text": "later"})
    create(releases, "marker", "one")
    releases.settled("marker", revision=1)
    assert releases.stored("leaving") == {1: "deployed"}
    assert releases.data("leaving")["text"] == "plain"
    label(releases, "leaving", "two")
    releases.settled("leaving", revision=2)


def test_what_another_operator_looks_after_can_be_waited_for(releases):
    create(releases, "front", "one", interval="1h", dependsOn=[{"name": "back"}])
    releases.refused("front", "DependencyNotReady")
    create(releases, "back", "two")
    releases.settled("front", revision=1)


def test_references_to_other_namespaces_are_refused_where_a_setting_says_so(releases):
    elsewhere = {"name": "x", "namespace": "default"}
    create(releases, "curious", "one", dependsOn=[elsewhere | {"readyExpr": "true"}])
    ready = releases.refused("curious", "CrossNamespaceForbidden")
    assert ready["message"].startswith("spec.dependsOn[0] refers to namespace default")
    releases.edit("curious", dependsOn=None)
    releases.settled("curious", revision=1)


def test_a_selector_that_is_none_keeps_the_operator_from_starting(cluster):
    done = cluster.run("kubectl", "get", "lease", "-A", "-o", "name", check=True)
    leases = [name for name in done.stdout.split() if "whipstaff" in name]
    assert len(leases) == len(SHARDS)
    odd = RunningOperator(cluster, "odd", "--watch-label-selector=a=b=c")
    odd.launch()
    eventually(lambda: odd.process is None, "the operator runs on")
    assert "is no requirement of a label selector" in odd.log.read_text(encoding="utf-8")
