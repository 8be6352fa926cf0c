"""A release goes where its HelmRelease wants it, with its history and without an uninstallation."""

from dataclasses import replace

import pytest

from tests.builders.observations import a_release
from tests.builders.worlds import AWAY, KEY, NAMESPACE, FakeIntent, a_world, an_object
from whipstaff.helmrelease.placements import former_placement, placement_told
from whipstaff.helmrelease.types import Placement
from whipstaff.reconcile.loop import Ending, Pass
from whipstaff.reconcile.ports import ObjectReference
from whipstaff.release.manifests import owner_of
from whipstaff.release.revision import ReleaseKey

SETTINGS = ObjectReference("v1", "ConfigMap", NAMESPACE, "settings")
NAMED = ObjectReference("v1", "ConfigMap", NAMESPACE, "blog-extra")
ELSEWHERE = ReleaseKey(NAMESPACE, "web")


@pytest.fixture
def world():
    world = a_world(namespaces=(NAMESPACE, "records"))
    world.charts.add("http://charts.test", "blog", "1.0.0")
    world.reporter.put("shop", "blog", "uid-1")
    world.store.now = world.clock.now_seconds
    return world


def wanting(*objects, status=None, deleted=False, suspend=False, **place):
    release = a_release(values={"objects": list(objects) or [an_object()]}, suspend=suspend)
    finalizers = ("whipstaff.dev/release",) if deleted else ()
    spec = replace(release.spec, **place)
    return replace(
        release, spec=spec, status=status or {}, deletion_requested=deleted, finalizers=finalizers
    )


async def pass_over(world, release, status=None):
    work = Pass(world, FakeIntent(release), status)
    return (await work.run()).ending, work.status


def ready(status):
    return next(c for c in status["conditions"] if c["type"] == "Ready")


@pytest.fixture
async def status(world):
    """Two revisions of release blog are stored."""
    _, status = await pass_over(world, wanting())
    _, status = await pass_over(world, wanting(an_object(), an_object(name="blog-extra")), status)
    assert world.store.statuses(KEY) == {1: "superseded", 2: "deployed"}
    return status


async def test_another_name_moves_history_and_objects(world, status):
    uid = world.cluster.objects[SETTINGS]["metadata"]["uid"]
    renamed = wanting(an_object(), an_object(name="web-extra"), release_name="web")
    ending, status = await pass_over(world, renamed, status)
    assert ending is Ending.IN_SYNC
    assert world.store.statuses(KEY) == {}
    assert world.store.statuses(ELSEWHERE) == {1: "superseded", 2: "superseded", 3: "deployed"}
    live = world.cluster.objects[SETTINGS]
    assert (live["metadata"]["uid"], owner_of(live)) == (uid, ("web", NAMESPACE))
    assert NAMED not in world.cluster.objects
    assert status["release"]["name"] == "web"
    verbs = world.cluster.verbs("apply", "delete")
    created = verbs.index(("apply", "ConfigMap shop/web-extra"))
    assert created < verbs.index(("delete", "ConfigMap shop/blog-extra"))


async def test_another_storage_namespace_moves_history(world, status):
    moved = wanting(an_object(), an_object(name="blog-extra"), storage_namespace="records")
    ending, status = await pass_over(world, moved, status)
    assert ending is Ending.IN_SYNC
    assert world.store.statuses(KEY) == {}
    assert set(world.store.statuses(ReleaseKey("records", "blog"))) >= {1, 2}
    assert world.cluster.verbs("delete") == []
    assert status["release"]["storageNamespace"] == "records"


async def test_a_kill_anywhere_in_a_move_heals(world, status):
    renamed = wanting(an_object(), an_object(name="blog-extra"), release_name="web")
    for break_it in (
        lambda: world.store.refuse("create", AWAY),
        lambda: world.cluster.refuse("annotate", SETTINGS, AWAY),
        lambda: world.store.refuse("delete", AWAY),
    ):
        break_it()
        ending, status = await pass_over(world, renamed, status)
        assert ending is Ending.REFUSED
        assert status["release"]["name"] == "blog"
        assert status["revision"] == 2
    ending, status = await pass_over(world, renamed, status)
    assert ending is Ending.IN_SYNC
    assert world.store.statuses(KEY) == {}
    # It renders to what runs, so there is nothing to release.
    assert world.store.statuses(ELSEWHERE) == {1: "superseded", 2: "deployed"}


async def test_a_name_that_is_taken_moves_nothing(world, status):
    other = wanting(release_name="web")
    world.store.put(ELSEWHERE, replace(await world.store.read(KEY, 1, None), name="web"))
    ending, status = await pass_over(world, other, status)
    assert ending is Ending.REFUSED
    assert ready(status)["reason"] == "ReleaseConflict"
    assert "there is one already" in ready(status)["message"]
    assert world.store.statuses(KEY) == {1: "superseded", 2: "deployed"}
    assert status["revision"] == 2


async def test_another_target_namespace_is_refused_with_what_it_would_mean(world, status):
    ending, status = await pass_over(world, wanting(target_namespace="records"), status)
    assert ending is Ending.REFUSED
    assert ready(status)["reason"] == "TargetNamespaceChanged"
    assert "set it back to shop" in ready(status)["message"]
    assert any(c["type"] == "Stalled" for c in status["conditions"])
    assert world.store.statuses(KEY) == {1: "superseded", 2: "deployed"}
    assert world.cluster.verbs("delete") == []
    same = wanting(an_object(), an_object(name="blog-extra"))
    ending, _ = await pass_over(world, same, status)
    assert ending is Ending.IN_SYNC


async def test_what_was_never_installed_may_go_anywhere(world):
    _, status = await pass_over(world, wanting(suspend=True))
    place = {"target_namespace": "records", "storage_namespace": "records"}
    ending, _ = await pass_over(world, wanting(**place), status)
    assert ending is Ending.IN_SYNC


async def test_nothing_moves_while_it_is_suspended(world, status):
    ending, status = await pass_over(world, wanting(release_name="web", suspend=True), status)
    assert ending is Ending.SUSPENDED
    assert status["release"]["name"] == "blog"
    assert world.store.statuses(KEY) == {1: "superseded", 2: "deployed"}


async def test_what_is_deleted_instead_of_moved_leaves_nothing(world, status):
    world.cluster.kinds["whipstaff.dev/v1", "HelmRelease"] = True
    ending, _ = await pass_over(world, wanting(release_name="web", deleted=True), status)
    assert ending is Ending.DELETED
    assert world.store.statuses(KEY) == {}
    assert SETTINGS not in world.cluster.objects


@pytest.mark.parametrize(
    "told",
    [None, "x", {}, {"name": "blog"}, {"name": 1, "namespace": "a", "storageNamespace": "b"}],
)
def test_odd_words_of_status_tell_of_no_place(told):
    assert placement_told({"release": told}) is None


def test_a_place_is_former_only_if_spec_names_another():
    told = {"release": {"name": "old", "namespace": "shop", "storageNamespace": "shop"}}
    assert former_placement(wanting(status=told)) == Placement("old", "shop", "shop")
    assert former_placement(wanting(status=told, release_name="old")) is None
    assert former_placement(wanting()) is None
