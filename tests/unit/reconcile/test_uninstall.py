"""When a deletion means nothing, also where the namespace may not be read."""

from dataclasses import replace

import pytest

from tests.builders.observations import a_release
from tests.builders.worlds import (
    NAMESPACE,
    REFUSED,
    FakeIntent,
    a_world,
    an_object,
    fail_jobs,
    hook,
    owned,
    stored_work,
)
from whipstaff.errors import ClusterRefused
from whipstaff.helmrelease.names import API_VERSION, KIND
from whipstaff.reconcile.hooks import HookFailed
from whipstaff.reconcile.ports import ObjectReference
from whipstaff.reconcile.uninstall import Uninstallation
from whipstaff.reconcile.world import Story
from whipstaff.release.marks import Marks, Rejected
from whipstaff.release.revision import RevisionNumber

PLACE = ObjectReference("v1", "Namespace", "", NAMESPACE)
SETTINGS = ObjectReference("v1", "ConfigMap", NAMESPACE, "settings")
LETTING_GO = "to leave what runs alone, set spec.uninstall.deletionPolicy: Orphan"
REJECTED = Rejected("some", 1, RevisionNumber(1))


@pytest.fixture
def world():
    """A world with a release of one object, and with our definition."""
    return installed()


def installed(*hooks, settle=None):
    made = a_world(settle=settle)
    made.cluster.kinds[API_VERSION, KIND] = True
    settings = owned(an_object())
    made.cluster.put(settings, NAMESPACE)
    labels = Marks(action="install").labels(RevisionNumber(1))
    stored_work(made, *hooks, objects=(settings,), status="deployed", labels=labels)
    return made


async def runs_after_deletion(world):
    await Uninstallation(world, FakeIntent(), a_release(), Story()).run({})
    return any(reference.kind == "ConfigMap" for reference in world.cluster.objects)


async def test_a_deletion_takes_the_release_out(world):
    assert not await runs_after_deletion(world)


async def test_a_deletion_while_the_definition_goes_touches_nothing(world):
    del world.cluster.kinds[API_VERSION, KIND]
    assert await runs_after_deletion(world)


async def test_a_namespace_that_may_not_be_read_is_taken_to_stay(world):
    world.cluster.refuse("read", PLACE, REFUSED)
    assert not await runs_after_deletion(world)


WEBHOOK = ClusterRefused('admission webhook "x" denied the request', 400, "BadRequest")


@pytest.mark.parametrize(
    ("deleted", "way"),
    [
        (True, "disableHooks: true, as `whipstaff uninstall blog -n shop --no-hooks` does"),
        (False, "to go on without hooks, set spec.uninstall.disableHooks: true"),
    ],
    ids=["a deletion", "a remediation"],
)
async def test_a_hook_that_fails_is_told_of_with_the_way_to_go_on_without_it(deleted, way):
    world = installed(hook("farewell", "pre-delete"), settle=fail_jobs("farewell"))
    release = replace(a_release(), deletion_requested=deleted)
    end = Uninstallation(world, FakeIntent(), release, Story())
    with pytest.raises(HookFailed, match="it broke") as failed:
        await (end.run({}) if deleted else end.remediate(REJECTED, {}))
    assert failed.value.text.endswith(way)


@pytest.mark.parametrize("error", [WEBHOOK, REFUSED], ids=lambda error: error.reason)
async def test_a_deletion_that_is_refused_can_be_let_go_of(world, error):
    world.cluster.refuse("delete", SETTINGS, error)
    release = replace(a_release(), deletion_requested=True)
    with pytest.raises(ClusterRefused) as refused:
        await Uninstallation(world, FakeIntent(), release, Story()).run({})
    assert refused.value.text.startswith(error.text)
    assert refused.value.text.endswith("; " + LETTING_GO)
