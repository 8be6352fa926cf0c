"""Charts from an OCI registry, with helm pushing to it."""


import pytest

from tests.builders.live_releases import LiveReleases
from tests.builders.oci_registry import HelmClient, OCIRegistry
from tests.builders.small_charts import settings_chart

pytestmark = pytest.mark.registry


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with OCIRegistry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def helm(tmp_path):
    return HelmClient(tmp_path / "helm")


@pytest.fixture
def url(registry, namespace):
    return registry.url(namespace)


@pytest.fixture
def releases(operator, namespace, url):
    return LiveReleases(operator.cluster, namespace, url)


def test_a_chart_is_installed_and_upgraded_when_a_newer_tag_is_in_range(releases, helm, url):
    helm.push(settings_chart("1.0.0"), url)
    releases.create("shop", version="^1.0", interval="1s")
    releases.settled("shop", 1)
    helm.push(settings_chart("2.0.0"), url)
    helm.push(settings_chart("1.1.0+build.3"), url)
    upgraded = releases.settled("shop", 2)
    assert upgraded["status"]["chartVersion"] == "1.1.0+build.3"
    assert "settings-1.1.0+build.3" in releases.helm("ls")


def test_a_chart_that_no_registry_has_is_named(releases, registry):
    releases.create("shop", chart="absent")
    message = releases.refused("shop", "ChartUnavailable")["message"]
    assert "has no chart named 'absent'" in message
