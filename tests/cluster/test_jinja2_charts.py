"""A chart for Jinja2 lives as any chart does where a setting allows it, and nowhere else."""

from pathlib import Path

import pytest

from tests.builders.live_releases import LiveReleases, condition, is_true
from tools.running_operator import RunningOperator, prepare

pytestmark = pytest.mark.cluster

SAMPLE = Path(__file__).parents[2] / "charts" / "samples" / "jinja"


@pytest.fixture
def cluster(own_cluster):
    """A control plane on which no other operator is at work."""
    cluster = own_cluster()
    prepare(cluster)
    cluster.kubectl("create", "namespace", "web")
    return cluster


@pytest.fixture
def releases(cluster, repository):
    for version, app_version in (("1.0.0", "6.4"), ("1.1.0", "6.5")):
        repository.add(SAMPLE, version, app_version)
    return LiveReleases(cluster, "web", repository.url)


def pages(releases):
    return releases.data("shop-pages")


def test_it_installs_upgrades_and_rolls_back(cluster, releases):
    operator = RunningOperator(cluster, "allowing", "--jinja2-charts").start()
    releases.create("shop", "jinja", "1.0.0", values={"pages": {"index": "First"}})
    releases.settled("shop", revision=1)
    first = pages(releases)
    assert "First" in str(first)
    releases.edit("shop", chart={"version": "1.1.0"}, values={"pages": {"index": "Second"}})
    releases.settled("shop", revision=2)
    assert "Second" in str(pages(releases))
    releases.edit("shop", revision=1)
    releases.settled("shop", revision=3)
    assert pages(releases) == first
    assert releases.stored("shop") == {1: "superseded", 2: "superseded", 3: "deployed"}
    assert "Rollback to 1" in releases.helm("history", "shop")
    assert "First" in releases.helm("get", "manifest", "shop")
    releases.delete("shop")
    releases.gone("shop")
    operator.stop()
    assert releases.left_over() == []


def test_without_the_setting_it_is_refused_and_what_runs_goes_on(cluster, releases):
    operator = RunningOperator(cluster, "allowing", "--jinja2-charts").start()
    releases.create("shop", "jinja", "1.0.0", values={"pages": {"index": "First"}})
    releases.settled("shop", revision=1)
    releases.edit("shop", values={"pages": {"index": "Second"}})
    releases.settled("shop", revision=2)
    before = pages(releases)
    operator.stop()

    RunningOperator(cluster, "forbidding").start()
    releases.edit("shop", values={"pages": {"index": "Third"}})
    ready = releases.refused("shop", "EngineNotAllowed")
    assert "--jinja2-charts" in ready["message"]
    release = releases.get("shop")
    assert condition(release, "Stalled")["reason"] == "EngineNotAllowed"
    assert release["status"]["revision"] == 2
    assert pages(releases) == before
    assert releases.stored("shop") == {1: "superseded", 2: "deployed"}
    releases.create("new", "jinja", "1.0.0")
    releases.refused("new", "EngineNotAllowed")
    assert releases.stored("new") == {}

    # A stored revision is rendered already.
    releases.edit("shop", revision=1)
    assert is_true(releases.settled("shop", revision=3), "Ready")
    assert "First" in str(pages(releases))
