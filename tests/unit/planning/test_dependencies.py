"""What a dependency lacks, in a few words, and the way by which a HelmRelease waits for itself."""

import pytest

from tests.builders.helmreleases import a_body
from whipstaff.helmrelease.depends_on import Dependency
from whipstaff.planning.dependencies import cycle_of, why_not_ready
from whipstaff.release.objects import ObjectReference

STORE = Dependency(ObjectReference("whipstaff.dev/v1", "HelmRelease", "web", "store"))
DEPLOYMENT = Dependency(ObjectReference("apps/v1", "Deployment", "web", "store"))


def a_store(ready="True", observed=1, generation=1, reason="InstallSucceeded", **spec):
    condition = {"type": "Ready", "status": ready, "reason": reason}
    status = {"observedGeneration": observed, "conditions": [condition]}
    return a_body("store", metadata={"generation": generation}, status=status, **spec)


@pytest.mark.parametrize(
    ("live", "lacks"),
    [
        pytest.param(None, "it does not exist", id="nothing"),
        pytest.param(a_store(), "", id="ready"),
        pytest.param(a_body("store"), "its newest spec has not been acted on yet", id="new"),
        pytest.param(
            a_store(generation=2), "its newest spec has not been acted on yet", id="edited"
        ),
        pytest.param(a_store(generation=2, suspend=True), "", id="suspended, and Ready"),
        pytest.param(
            a_store("False", reason="Suspended", suspend=True),
            "it is not ready (Suspended)",
            id="suspended, and not Ready",
        ),
        pytest.param(
            a_store("False", reason="UpgradeFailed"), "it is not ready (UpgradeFailed)", id="failed"
        ),
        pytest.param(
            a_body("store", status={"observedGeneration": 1, "conditions": ["odd"]}),
            "it is not ready (nothing is known of it yet)",
            id="an odd status",
        ),
        pytest.param(
            a_body("store", metadata={"deletionTimestamp": "2026-01-03T00:00:00Z"}),
            "it is being deleted",
            id="being deleted",
        ),
    ],
)
def test_a_helmrelease_is_ready_when_its_newest_spec_is(live, lacks):
    assert why_not_ready(STORE, live) == lacks


def test_other_kinds_are_ready_as_for_a_wait():
    assert why_not_ready(DEPLOYMENT, None) == "it does not exist"
    live = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {}}
    assert why_not_ready(DEPLOYMENT, live) == "its controller has not seen it yet"
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}
    assert why_not_ready(DEPLOYMENT, config_map) == ""


def keys(names):
    return tuple(("web", name) for name in names.split())


@pytest.mark.parametrize(
    ("edges", "way"),
    [
        pytest.param({}, "", id="nothing"),
        pytest.param({"a": "b c", "b": "c"}, "", id="no cycle"),
        pytest.param({"a": "a"}, "a a", id="itself"),
        pytest.param({"a": "b", "b": "a"}, "a b a", id="two"),
        pytest.param({"a": "b", "b": "c", "c": "a"}, "a b c a", id="three"),
        pytest.param({"a": "b", "b": "c", "c": "b"}, "", id="beside a cycle"),
        pytest.param({"a": "d b", "b": "a", "d": "e", "e": "a"}, "a b a", id="the shortest"),
    ],
)
def test_the_whole_way_of_a_cycle_is_found(edges, way):
    named = {("web", name): keys(others) for name, others in edges.items()}
    assert cycle_of(("web", "a"), lambda key: named.get(key, ())) == keys(way)
