"""`spec.dependsOn`: what is waited for, and the order in which releases go."""

import pytest

from tests.builders.live_releases import condition, eventually, handled, is_true
from tests.builders.small_charts import HANGS, app_chart, settings_chart

pytestmark = pytest.mark.cluster

LONG = "1h"  # nothing here is found by looking again


@pytest.fixture(autouse=True)
def _published(repository):
    repository.add(settings_chart())
    repository.add(app_chart())


def create(releases, name, *dependencies, **spec):
    listed = [{"name": one} if isinstance(one, str) else one for one in dependencies]
    releases.create(name, interval=LONG, dependsOn=listed, **spec)


def object_(kind, name, api_version="v1", **more):
    return {"apiVersion": api_version, "kind": kind, "name": name} | more


def config_map(releases, name, **data):
    path = releases.core("configmaps", name)
    if releases.find(path) is None:
        body = {"metadata": {"name": name}, "data": data}
        return releases.api.request("POST", releases.core("configmaps"), body)
    return releases.api.request("PATCH", path, {"data": data})


def waits_for(releases, name, words):
    def told(one):
        ready = condition(one, "Ready")
        return ready["reason"] == "DependencyNotReady" and words in ready["message"]

    return releases.until(name, told)


def order_of_going(releases, *names):
    """Give the names in the order in which they went, the last first of those gone at one look."""
    gone = []

    def all_gone():
        listed = releases.api.request("GET", releases.path())["items"]
        left = {one["metadata"]["name"] for one in listed}
        gone.extend(name for name in reversed(names) if name not in left and name not in gone)
        return len(gone) == len(names)

    eventually(all_gone, f"only {gone} went", 60)
    return gone


def test_a_release_waits_for_another_and_goes_on_when_it_is_ready(releases):
    create(releases, "shop", "store")
    waits_for(releases, "shop", f"HelmRelease {releases.namespace}/store: it does not exist")
    create(releases, "store", chart="missing")
    waits_for(releases, "shop", "it is not ready (ChartUnavailable)")
    assert releases.stored("shop") == {}
    releases.edit("store", chart={"name": "settings"})
    releases.settled("shop", revision=1)


def test_a_dependency_whose_newest_spec_is_not_acted_on_is_not_ready(releases):
    create(releases, "store", chart="app", values={"replicas": 1})
    releases.settled("store", revision=1)
    releases.edit("store", values=HANGS)
    releases.until("store", lambda one: not is_true(one, "Ready"))
    create(releases, "shop", "store")
    waits_for(releases, "shop", "store: ")
    releases.edit("store", values={"podAnnotations": None})
    releases.settled("shop", revision=1)


def test_a_suspended_dependency_counts_by_its_ready(releases):
    create(releases, "store")
    releases.settled("store", revision=1)
    releases.edit("store", suspend=True)
    create(releases, "shop", "store")
    releases.settled("shop", revision=1)


def test_what_runs_is_left_alone_and_a_rollback_does_not_wait(releases):
    create(releases, "shop")
    releases.settled("shop", revision=1)
    releases.edit("shop", values={"text": "two"})
    releases.settled("shop", revision=2)
    releases.edit("shop", dependsOn=[{"name": "store"}], values={"text": "three"})
    waits_for(releases, "shop", "store: it does not exist")
    assert releases.data("shop")["text"] == "two"
    releases.edit("shop", revision=1)
    releases.settled("shop", revision=3)
    releases.edit("shop", revision=None, values={"text": "plain"})
    releases.until("shop", handled)


def test_a_cycle_is_named_until_it_is_broken(releases):
    namespace = releases.namespace
    create(releases, "one", "two")
    create(releases, "two", "three")
    create(releases, "three", "one")
    way = " → ".join(f"{namespace}/{name}" for name in ("one", "two", "three", "one"))
    assert way in releases.refused("one", "DependencyCycle")["message"]
    assert is_true(releases.get("one"), "Stalled")
    releases.refused("two", "DependencyCycle")
    releases.edit("three", dependsOn=None)
    for name in ("three", "two", "one"):
        releases.settled(name, revision=1)


def test_a_release_that_waits_for_itself_says_so(releases):
    create(releases, "one", "one")
    namespace = releases.namespace
    message = releases.refused("one", "DependencyCycle")["message"]
    assert message == f"it waits for itself: {namespace}/one → {namespace}/one"


def test_any_object_can_be_waited_for_by_an_expression(releases):
    ready = object_("ConfigMap", "gate", readyExpr="dep.data.open == self.metadata.name")
    create(releases, "shop", ready)
    waits_for(releases, "shop", f"ConfigMap {releases.namespace}/gate: it does not exist")
    config_map(releases, "gate", other="x")
    waits_for(releases, "shop", "readyExpr: Key not found in map")
    config_map(releases, "gate", open="no")
    waits_for(releases, "shop", "readyExpr is false")
    config_map(releases, "gate", open="shop")
    releases.settled("shop", revision=1)


def test_without_an_expression_an_object_is_ready_as_its_kind_is(releases):
    create(releases, "shop", object_("Deployment", "base", "apps/v1"))
    waits_for(releases, "shop", "base: it does not exist")
    create(releases, "base", chart="app", values={"replicas": 1} | HANGS)
    waits_for(releases, "shop", "base: 0 of 1 replica")
    releases.edit("base", values={"podAnnotations": None})
    releases.settled("shop", revision=1)


def test_a_kind_that_comes_later_is_waited_for(releases):
    create(releases, "shop", object_("Wheel", "w", "example.test/v1"))
    waits_for(releases, "shop", "Wheel")


def test_an_expression_looks_at_a_helmrelease(releases):
    create(releases, "store")
    create(releases, "shop", {"name": "store", "readyExpr": "dep.status.revision >= 2"})
    releases.settled("store", revision=1)
    waits_for(releases, "shop", "readyExpr is false")
    releases.edit("store", values={"text": "other"})
    releases.settled("shop", revision=1)


def test_a_wrong_expression_is_refused_with_its_column(releases):
    create(releases, "store")
    create(releases, "shop", {"name": "store", "readyExpr": "dep.status.revision >"})
    ready = releases.refused("shop", "ExpressionInvalid")
    assert ready["message"].startswith("spec.dependsOn[0].readyExpr: column 22: Syntax error")
    assert is_true(releases.get("shop"), "Stalled")


def test_an_endless_expression_comes_to_an_end(releases):
    config_map(releases, "gate", **{f"k{number}": "x" for number in range(40)})
    nested = "dep.data.all(a, dep.data.all(b, dep.data.all(c, a + b + c != '')))"
    create(releases, "shop", object_("ConfigMap", "gate", readyExpr=nested))
    waits_for(releases, "shop", "Iteration budget exceeded")


def test_a_tenant_learns_nothing_by_an_expression_that_it_may_not_read(releases):
    cluster, namespace = releases.control_plane, releases.namespace
    cluster.kubectl("create", "serviceaccount", "tenant", "-n", namespace)
    rights = ["--verb=*", "--resource=secrets", "-n", namespace]
    cluster.kubectl("create", "role", "tenant", *rights)
    bound = ["--role=tenant", f"--serviceaccount={namespace}:tenant", "-n", namespace]
    cluster.kubectl("create", "rolebinding", "tenant", *bound)
    config_map(releases, "gate", a="b")
    gate = object_("ConfigMap", "gate", readyExpr="dep.data.a == 'b'")
    create(releases, "shop", gate, serviceAccountName="tenant")
    assert 'cannot get resource "configmaps"' in releases.refused("shop", "Forbidden")["message"]


def test_what_is_deleted_together_goes_in_the_reverse_order(releases):
    names = ("base", "middle", "top")
    for name, *dependency in (("base",), ("middle", "base"), ("top", "middle")):
        create(releases, name, *dependency)
    for name in names:
        releases.settled(name, revision=1)
    releases.edit("top", suspend=True)
    releases.api.request("DELETE", releases.path())
    assert order_of_going(releases, *names) == ["top", "middle", "base"]
    assert releases.left_over() == []


def test_who_waits_for_each_other_goes_nevertheless(releases):
    create(releases, "one")
    create(releases, "two", "one")
    releases.settled("two", revision=1)
    releases.edit("one", dependsOn=[{"name": "two"}])
    releases.api.request("DELETE", releases.path())
    order_of_going(releases, "one", "two")


def test_a_dependency_that_is_deleted_alone_does_not_wait(releases):
    create(releases, "base")
    create(releases, "top", "base")
    releases.settled("top", revision=1)
    releases.delete("base")
    releases.gone("base")
    assert releases.settled("top", revision=1)
