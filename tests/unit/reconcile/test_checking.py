from dataclasses import replace

import pytest

from tests.builders.releases import a_revision
from tests.builders.worlds import (
    KEY,
    NAMESPACE,
    FakeIntent,
    a_world,
    an_object,
    hook,
)
from whipstaff.errors import ClusterRefused
from whipstaff.helmrelease.types import ActionOptions, CRDPolicy
from whipstaff.planning.steps import AskAgain, Change, steps_for
from whipstaff.reconcile.checking import Check
from whipstaff.reconcile.execute import execute
from whipstaff.reconcile.ports import OPERATOR, ObjectReference
from whipstaff.reconcile.world import Work
from whipstaff.release.revision import ReleaseStatus

RBAC = "rbac.authorization.k8s.io/v1"
AWAY = "away"  # a namespace that comes with the release
INVALID = ClusterRefused("spec.size: must be a number", 422, "Invalid")
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.g.test"},
    "spec": {
        "group": "g.test",
        "scope": "Namespaced",
        "names": {"kind": "Thing"},
        "versions": [{"name": "v1", "served": True}],
    },
    "status": {"conditions": [{"type": "Established", "status": "True"}]},
}
THING = an_object("Thing", "one", "g.test/v1")


def a_change(*objects, kind="install", hooks=(), namespace=NAMESPACE, **facts):
    status = ReleaseStatus.PENDING_INSTALL
    revision = a_revision(
        1, name="blog", namespace=namespace, status=status, objects=objects, hooks=tuple(hooks)
    )
    return Change(kind, revision, ActionOptions(crds=CRDPolicy.CREATE), **facts)


def in_a_new_namespace(*objects, hooks=()):
    return a_change(*objects, hooks=hooks, namespace=AWAY, namespaces=(AWAY,))


async def ask(world, change):
    return await Check(world.cluster, OPERATOR, change).ask()


async def carry_out(world, change):
    work = Work(FakeIntent(), KEY, OPERATOR, change.revision, change.kind)
    await execute(world, work, steps_for(change))


def tried(world):
    return [subject for _, subject in world.cluster.verbs("dry-run")]


# Twice, where something comes first.


async def test_what_goes_into_a_new_namespace_is_asked_about_once_it_is_there():
    world = a_world()
    change = await ask(
        world, in_a_new_namespace(an_object(), hooks=[hook("early", kind="ConfigMap")])
    )
    assert tried(world) == []
    await carry_out(world, change)
    calls = world.cluster.verbs("ensure-namespace", "dry-run", "apply")
    assert calls == [
        ("ensure-namespace", AWAY),
        ("dry-run", f"ConfigMap {AWAY}/settings"),
        ("dry-run", f"ConfigMap {AWAY}/early"),
        ("apply", f"ConfigMap {AWAY}/early"),
        ("apply", f"ConfigMap {AWAY}/settings"),
    ]


async def test_what_is_refused_in_a_new_namespace_makes_no_revision():
    world = a_world()
    world.cluster.refuse("dry-run", ObjectReference("v1", "ConfigMap", AWAY, "settings"), INVALID)
    change = await ask(world, in_a_new_namespace(an_object()))
    with pytest.raises(ClusterRefused, match="must be a number"):
        await carry_out(world, change)
    assert world.store.writes == []
    assert world.cluster.verbs("apply") == []


async def test_what_needs_crds_is_asked_about_once_they_are_served():
    world = a_world()
    thing = ObjectReference("g.test/v1", "Thing", NAMESPACE, "one")
    world.cluster.refuse("dry-run", thing, INVALID)
    change = await ask(world, a_change(an_object(), THING, crds=(DEFINITION,)))
    assert tried(world) == [f"ConfigMap {NAMESPACE}/settings"]
    with pytest.raises(ClusterRefused, match="must be a number"):
        await carry_out(world, change)
    assert tried(world)[1:] == [f"Thing {NAMESPACE}/one"]
    assert world.cluster.verbs("apply") == [("apply", "CustomResourceDefinition things.g.test")]
    assert world.store.writes == []


async def test_what_only_the_manifest_itself_brings_is_never_asked_about():
    world = a_world()
    inside = an_object() | {"metadata": {"name": "a", "namespace": "new"}}
    change = a_change(an_object("Namespace", "new"), inside, DEFINITION, THING)
    assert (await ask(world, change)).unasked == ()
    assert tried(world) == ["Namespace new", "CustomResourceDefinition things.g.test"]


def test_it_is_asked_again_before_the_revision_is_stored():
    change = replace(in_a_new_namespace(), crds=(DEFINITION,), unasked=(THING,))
    kinds = [type(step).__name__ for step in steps_for(change)]
    assert kinds[:4] == ["CreateNamespaces", "InstallCRDs", "AskAgain", "Store"]
    assert AskAgain((THING,)) in steps_for(change)


# Kinds that nobody serves.


async def test_an_unknown_kind_is_refused_in_helms_words():
    with pytest.raises(ClusterRefused) as refused:
        await ask(a_world(), a_change(an_object(), THING))
    assert refused.value.reason == "NoMatchForKind"
    assert refused.value.text == (
        "unable to build kubernetes objects from release manifest: "
        'resource mapping not found for name: "one" namespace: "" from "": '
        'no matches for kind "Thing" in version "g.test/v1"\nensure CRDs are installed first'
    )


async def test_all_unknown_kinds_are_named_each_object_once():
    placed = {"metadata": {"name": "two", "namespace": "elsewhere"}}
    with pytest.raises(ClusterRefused) as refused:
        await ask(a_world(), a_change(THING, THING | placed, THING, kind="upgrade"))
    text = refused.value.text
    assert text.startswith("unable to build kubernetes objects from new release manifest: [")
    assert text.endswith("first]")
    assert text.count("ensure CRDs are installed first") == 2
    assert 'name: "two" namespace: "elsewhere"' in text


# Objects that the server would not take.


async def test_all_that_is_refused_is_said_at_once_in_the_order_of_the_manifest():
    world = a_world()
    for name in "ac":
        error = ClusterRefused(f"{name} is wrong", 422, "Invalid")
        world.cluster.refuse("dry-run", ObjectReference("v1", "ConfigMap", NAMESPACE, name), error)
    with pytest.raises(ClusterRefused) as refused:
        await ask(world, a_change(*(an_object(name=name) for name in "abc")))
    assert refused.value.text == "a is wrong; c is wrong"
    assert refused.value.reason == "Invalid"


async def test_while_the_server_is_away_nothing_counts_as_refused():
    world = a_world()
    away = ClusterRefused("the API server is away", 503)
    for name, error in (("a", INVALID), ("b", away)):
        world.cluster.refuse("dry-run", ObjectReference("v1", "ConfigMap", NAMESPACE, name), error)
    with pytest.raises(ClusterRefused) as refused:
        await ask(world, a_change(*(an_object(name=name) for name in "ab")))
    assert refused.value.retryable


# What admission looks up.

MISSING = {
    "an account": ("ServiceAccount", "v1", 'error looking up: serviceaccount "own" not found'),
    "a class": ("RuntimeClass", "node.k8s.io/v1", 'pod rejected: RuntimeClass "own" not found'),
    "a priority": (
        "PriorityClass",
        "scheduling.k8s.io/v1",
        "no PriorityClass with name own was found",
    ),
    "a role": ("Role", RBAC, f'rolebindings.{RBAC.partition("/")[0]} "own" not found'),
}


@pytest.mark.parametrize("brought", [True, False], ids=["brought along", "not there"])
@pytest.mark.parametrize(("kind", "version", "text"), MISSING.values(), ids=MISSING)
async def test_an_object_may_need_another_of_its_release(kind, version, text, brought):
    world = a_world()
    world.cluster.kinds |= {(version, kind): True}
    other = an_object(kind, "own" if brought else "other", version)
    pod = ObjectReference("v1", "Pod", NAMESPACE, "web")
    world.cluster.refuse("dry-run", pod, ClusterRefused(text, 403, "Forbidden"))
    change = a_change(other, an_object("Pod", "web"))
    if brought:
        await ask(world, change)
    else:
        with pytest.raises(ClusterRefused, match="own"):
            await ask(world, change)


async def test_a_namespace_is_none_of_those_whatever_it_is_called():
    world = a_world()
    gone = ClusterRefused('namespaces "own" not found', 404, "NotFound")
    world.cluster.refuse("dry-run", ObjectReference("v1", "Pod", NAMESPACE, "web"), gone)
    change = a_change(an_object("ServiceAccount", "own"), an_object("Pod", "web"))
    with pytest.raises(ClusterRefused, match="namespaces"):
        await ask(world, change)


async def test_the_account_of_a_new_namespace_comes_in_its_own_time():
    world = a_world()
    late = ClusterRefused('serviceaccount "default" not found', 403, "Forbidden")
    world.cluster.refuse("dry-run", ObjectReference("v1", "ConfigMap", AWAY, "settings"), late)
    await carry_out(world, await ask(world, in_a_new_namespace(an_object())))
    assert world.store.statuses(KEY) == {1: "deployed"}
