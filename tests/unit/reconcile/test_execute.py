import asyncio
from dataclasses import replace

import pytest

from tests.builders.releases import a_revision
from tests.builders.virtual_time import skip_waits
from tests.builders.worlds import (
    AWAY,
    KEY,
    NAMESPACE,
    NOW,
    REFUSED,
    a_world,
    an_object,
    annotated,
    owned,
    stored_work,
)
from whipstaff.errors import ClusterRefused, ReleaseConflict
from whipstaff.helmrelease.types import DeletionPropagation
from whipstaff.planning import steps
from whipstaff.reconcile.execute import execute, for_each, gave_up, placed
from whipstaff.reconcile.hooks import HookFailed
from whipstaff.reconcile.ports import NoMeter, ObjectReference
from whipstaff.reconcile.world import Interrupted
from whipstaff.release.revision import ReleaseStatus


@pytest.fixture(autouse=True)
async def _virtual_time(monkeypatch):
    skip_waits(monkeypatch)


CLUSTER_ROLE = an_object("ClusterRole", "reader", "rbac.authorization.k8s.io/v1")
CRD_KIND, CRD_VERSION = "CustomResourceDefinition", "apiextensions.k8s.io/v1"
ESTABLISHED = {"conditions": [{"type": "Established", "status": "True"}]}


def reference(kind="ConfigMap", name="settings", api_version="v1", namespace=NAMESPACE):
    return ObjectReference(api_version, kind, namespace, name)


def a_definition():
    spec = {
        "group": "g.test",
        "scope": "Namespaced",
        "names": {"kind": "Thing"},
        "versions": [{"name": "v1", "served": True}],
    }
    return an_object(CRD_KIND, "things.g.test", CRD_VERSION, spec=spec)


def establish(body):
    if body["kind"] == CRD_KIND:
        body["status"] = ESTABLISHED


def stored(world, number, status, *objects):
    revision = a_revision(
        number, name="blog", namespace=NAMESPACE, status=ReleaseStatus(status), objects=objects
    )
    world.store.put(KEY, revision)
    return revision


async def carry_out(world, work, *plan):
    await execute(world, work, plan)


# Applying.


async def test_objects_are_applied_with_namespace_and_marks_of_ownership():
    world = a_world()
    work = stored_work(world, objects=[an_object(data={"a": "b"})])
    await carry_out(world, work, steps.Apply())
    live = world.cluster.objects[reference()]
    assert live["data"] == {"a": "b"}
    assert live["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "Helm"}
    assert live["metadata"]["annotations"] == {
        "meta.helm.sh/release-name": "blog",
        "meta.helm.sh/release-namespace": NAMESPACE,
    }


async def test_one_kind_is_applied_before_the_next_one_begins():
    world = a_world()
    kinds = ("ServiceAccount", "ConfigMap", "ConfigMap", "Service")
    objects = [an_object(kind, f"{kind.lower()}-{n}") for n, kind in enumerate(kinds)]
    await carry_out(world, stored_work(world, objects=objects), steps.Apply())
    applied = [subject.split()[0] for _, subject in world.cluster.verbs("apply")]
    assert applied == list(kinds)


async def test_a_kind_that_fails_keeps_the_next_one_from_being_applied():
    world = a_world()
    objects = [an_object(name="a"), an_object(name="b"), an_object("Service")]
    world.cluster.refuse("apply", reference(name="a"), REFUSED)
    with pytest.raises(ClusterRefused):
        await carry_out(world, stored_work(world, objects=objects), steps.Apply())
    assert [subject for _, subject in world.cluster.verbs("apply")] == [
        "ConfigMap shop/a",
        "ConfigMap shop/b",
    ]


async def test_objects_of_a_kind_that_the_release_brings_follow_its_definition():
    world = a_world(settle=establish)
    thing = an_object("Thing", "one", "g.test/v1")
    await carry_out(world, stored_work(world, objects=[a_definition(), thing]), steps.Apply())
    assert reference("Thing", "one", "g.test/v1") in world.cluster.objects


def test_a_namespace_is_written_into_what_has_one_and_out_of_what_has_none():
    body = an_object() | {"metadata": {"name": "a", "namespace": "wrong"}}
    assert placed(body, reference(name="a"))["metadata"]["namespace"] == NAMESPACE
    assert "namespace" not in placed(body, reference(name="a", namespace=""))["metadata"]
    assert body["metadata"]["namespace"] == "wrong"


# crds/.


@pytest.mark.parametrize(
    ("replace", "expected"), [(False, "before"), (True, "now")], ids=["Create", "CreateReplace"]
)
async def test_a_definition_that_is_there_is_replaced_only_where_that_is_asked(replace, expected):
    world = a_world(settle=establish)
    world.cluster.put(a_definition() | {"described": "before", "status": ESTABLISHED})
    world.cluster.kinds["g.test/v1", "Thing"] = True
    crd = a_definition() | {"described": "now"}
    await carry_out(world, stored_work(world), steps.InstallCRDs((crd,), replace))
    (live,) = (body for body in world.cluster.objects.values() if body["kind"] == CRD_KIND)
    assert live["described"] == expected


async def test_a_definition_of_crds_carries_no_marks_and_is_served_by_the_end():
    world = a_world(settle=establish)
    await carry_out(world, stored_work(world), steps.InstallCRDs((a_definition(),), replace=False))
    (live,) = (body for body in world.cluster.objects.values() if body["kind"] == CRD_KIND)
    assert not live["metadata"].keys() & {"labels", "annotations"}
    assert ("g.test/v1", "Thing") in world.cluster.kinds


# Pruning and removing.


async def test_what_is_dropped_and_still_owned_is_deleted():
    world = a_world()
    gone, kept = an_object(name="gone"), an_object(name="kept")
    for body in (gone, kept):
        world.cluster.put(owned(body), NAMESPACE)
    await carry_out(world, stored_work(world, objects=[kept]), steps.Prune((gone, kept)))
    assert world.cluster.verbs("delete") == [("delete", "ConfigMap shop/gone")]


@pytest.mark.parametrize(
    "live",
    [
        pytest.param(an_object(), id="owned by nobody"),
        pytest.param(owned(an_object(), name="other"), id="owned by another release"),
        pytest.param(owned(an_object(), namespace="other"), id="owned by one elsewhere"),
        pytest.param(owned(annotated(an_object(), resource_policy="keep")), id="to be kept"),
        pytest.param(owned(annotated(an_object(), resource_policy=" KEEP ")), id="kept, loudly"),
    ],
)
async def test_nothing_is_deleted_that_is_not_ours_to_delete(live):
    world = a_world()
    world.cluster.put(live, NAMESPACE)
    work = stored_work(world)
    body = an_object()
    await carry_out(world, work, steps.Prune((body,)), steps.Remove((body,), 1, wait=True))
    assert world.cluster.verbs("delete") == []


async def test_an_object_that_moved_to_another_version_of_its_api_is_not_pruned():
    world = a_world()
    world.cluster.kinds["apps/v1beta1", "Deployment"] = True
    new = an_object("Deployment", "web", "apps/v1")
    world.cluster.put(owned(new), NAMESPACE)
    old = an_object("Deployment", "web", "apps/v1beta1")
    await carry_out(world, stored_work(world, objects=[new]), steps.Prune((old,)))
    assert world.cluster.verbs("delete") == []


async def test_an_object_whose_kind_is_gone_is_gone_too():
    world = a_world()
    lost = an_object("Lost", "one", "gone.test/v1")
    work = stored_work(world)
    await carry_out(world, work, steps.Prune((lost,)), steps.Remove((lost,), 1, wait=True))
    assert world.cluster.verbs("delete") == []


async def test_objects_are_removed_kind_by_kind_and_waited_for():
    world = a_world()
    objects = [an_object("Service", "a"), an_object(name="b"), an_object(name="c")]
    for body in objects:
        world.cluster.put(owned(body), NAMESPACE)
    work = stored_work(world)
    await carry_out(world, work, steps.Remove(tuple(objects), 1, wait=True))
    assert [subject for _, subject in world.cluster.verbs("delete")] == [
        "Service shop/a",
        "ConfigMap shop/b",
        "ConfigMap shop/c",
    ]
    assert work.intent.waits == 1


async def test_a_removal_that_does_not_wait_leaves_finalizers_to_others():
    world = a_world()
    held = owned(an_object())
    held["metadata"]["finalizers"] = ["someone.test/busy"]
    world.cluster.put(held, NAMESPACE)
    work = stored_work(world)
    await carry_out(world, work, steps.Remove((an_object(),), 1, wait=False))
    assert "deletionTimestamp" in world.cluster.objects[reference()]["metadata"]
    assert work.intent.waits == 0


# The record.


async def test_storing_takes_the_number_or_fails():
    world = a_world()
    work = stored_work(world)
    del world.store.stored[KEY, 1]
    work.stored = False
    await carry_out(world, work, steps.Store())
    assert work.stored
    stored(world, 1, "pending-install", an_object(name="of-another"))
    work.stored = False
    with pytest.raises(ReleaseConflict):
        await carry_out(world, work, steps.Store())
    assert not work.stored


async def test_a_deployed_revision_says_so_and_its_predecessors_are_superseded():
    world = a_world()
    for number in (1, 2):
        stored(world, number, "deployed")
    work = stored_work(world, number=3)
    await carry_out(world, work, steps.MarkDeployed("Upgrade complete"), steps.Supersede((1, 2)))
    assert world.store.statuses(KEY) == {1: "superseded", 2: "superseded", 3: "deployed"}
    assert work.revision.description == "Upgrade complete"


async def test_a_failure_is_recorded_beside_what_else_the_revision_says():
    world = a_world()
    work = stored_work(world, objects=[an_object()])
    await carry_out(world, work, steps.MarkFailed(1, "it broke"))
    revision = world.store.stored[KEY, 1].revision
    assert (revision.status, revision.description) == (ReleaseStatus.FAILED, "it broke")
    assert revision.objects == work.revision.objects


async def test_revisions_are_forgotten_in_the_order_of_the_plan():
    world = a_world()
    for number in (1, 2):
        stored(world, number, "superseded")
    work = stored_work(world, number=3)
    await carry_out(world, work, steps.PruneHistory((2,)), steps.Purge((1, 3)))
    deleted = [number for verb, _, number, _ in world.store.writes if verb == "delete"]
    assert deleted == [2, 1, 3]


async def test_an_uninstallation_that_goes_on_keeps_the_moment_it_began():
    world = a_world()
    work = stored_work(world, status="deployed")
    await carry_out(world, work, steps.MarkUninstalling())
    assert (work.revision.status, work.revision.deleted) == (ReleaseStatus.UNINSTALLING, NOW)
    writes = len(world.store.writes)
    await carry_out(world, work, steps.MarkUninstalling())
    assert len(world.store.writes) == writes


async def test_a_kept_history_ends_with_uninstalled():
    world = a_world()
    stored(world, 1, "failed")
    work = stored_work(world, number=2, status="uninstalling")
    await carry_out(world, work, steps.MarkUninstalled())
    assert world.store.statuses(KEY) == {1: "failed", 2: "uninstalled"}
    assert work.revision.description == "Uninstallation complete"


async def test_missing_namespaces_are_created():
    world = a_world()
    await carry_out(world, stored_work(world), steps.CreateNamespaces(("one", "two")))
    names = {ref.name for ref in world.cluster.objects if ref.kind == "Namespace"}
    assert names == {"shop", "one", "two"}


# Interruptions and failures.


async def test_nothing_begins_once_something_else_is_wanted():
    world = a_world()
    work = stored_work(world, objects=[an_object()])
    work.intent.change()
    with pytest.raises(Interrupted):
        await carry_out(world, work, steps.Apply())
    assert world.cluster.verbs("apply") == []


@pytest.mark.parametrize("error", [AWAY, REFUSED])
async def test_a_failed_call_is_raised_once_those_beside_it_have_ended(error):
    ended = []

    async def call(item):
        if item == 0:
            raise error
        await asyncio.sleep(0.01)
        ended.append(item)

    with pytest.raises(ClusterRefused):
        await for_each(range(4), call)
    assert sorted(ended) == [1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("install", 'Release "blog" failed: it broke'),
        ("upgrade", 'Upgrade "blog" failed: it broke'),
        ("rollback", 'Rollback "blog" failed: it broke'),
    ],
)
def test_a_failure_is_told_in_helms_words(kind, text):
    assert gave_up(kind, "blog", HookFailed("it broke")) == text


# Measuring.


class Stopwatch(NoMeter):
    def __init__(self):
        self.phases = []

    def phase(self, action, phase, seconds):
        self.phases.append((action, phase, seconds))


async def test_each_step_is_timed_as_a_phase_even_if_it_fails():
    world = replace(a_world(), meter=Stopwatch())
    work = stored_work(world, objects=[an_object()])
    world.cluster.refuse("apply", reference(), REFUSED)
    with pytest.raises(ClusterRefused):
        await carry_out(world, work, steps.CreateNamespaces((NAMESPACE,)), steps.Apply())
    assert world.meter.phases == [("upgrade", "namespaces", 0.0), ("upgrade", "apply", 0.0)]


# Options of the action.


def living(body, release="blog"):
    """An object as it lives in the cluster, of a release."""
    owner = owned(body, release)
    return owner | {"metadata": {**owner["metadata"], "namespace": NAMESPACE}}


async def test_force_puts_each_object_in_place_of_the_live_one_first():
    world = a_world()
    world.cluster.put(living(an_object(data={"theirs": "yes"})))
    work = stored_work(world, objects=[an_object(data={"ours": "yes"})])
    await carry_out(world, work, steps.Apply(force=True))
    assert [verb for verb, _ in world.cluster.verbs("replace", "apply")] == ["replace", "apply"]
    assert world.cluster.objects[reference()]["data"] == {"ours": "yes"}


async def test_cleaning_up_deletes_what_the_revision_brought_and_nothing_else():
    world = a_world()
    names = ("before", "found", "brought", "foreign")
    objects = [an_object(name=name) for name in names]
    for body in objects[:3]:
        world.cluster.put(living(body))
    world.cluster.put(living(objects[3], "other"))
    work = stored_work(world, objects=objects)
    found = frozenset({reference(name="found")})
    await carry_out(world, work, steps.CleanUp((objects[0],), found))
    assert world.cluster.verbs("delete") == [("delete", f"ConfigMap {NAMESPACE}/brought")]


@pytest.mark.parametrize("kind", ["background", "foreground", "orphan"])
async def test_an_uninstall_says_what_becomes_of_dependents(kind):
    world = a_world()
    body = an_object()
    world.cluster.put(living(body))
    work = stored_work(world, objects=[body])
    step = steps.Remove((body,), 5, False, DeletionPropagation(kind))
    await carry_out(world, work, step)
    assert world.cluster.propagations == [kind.capitalize()]


async def test_what_cannot_be_replaced_is_applied_all_the_same():
    world = a_world()
    world.cluster.put(living(an_object(data={"theirs": "yes"})))
    bound = ClusterRefused("spec is immutable after creation", 422, "Invalid")
    world.cluster.refuse("replace", reference(), bound)
    work = stored_work(world, objects=[an_object(data={"ours": "yes"})])
    await carry_out(world, work, steps.Apply(force=True))
    assert world.cluster.objects[reference()]["data"] == {"theirs": "yes", "ours": "yes"}


async def test_what_nobody_may_replace_ends_the_action():
    world = a_world()
    world.cluster.refuse("replace", reference(), REFUSED)
    work = stored_work(world, objects=[an_object()])
    with pytest.raises(ClusterRefused):
        await carry_out(world, work, steps.Apply(force=True))
