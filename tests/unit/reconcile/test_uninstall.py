"""When a deletion means nothing, also where the definition or the namespace may not be read."""

import pytest

from tests.builders.observations import a_release
from tests.builders.worlds import (
    NAMESPACE,
    REFUSED,
    FakeIntent,
    a_world,
    an_object,
    owned,
    stored_work,
)
from whipstaff.helmrelease.names import API_VERSION, CRD_NAME, KIND
from whipstaff.reconcile import uninstall
from whipstaff.reconcile.ports import ObjectReference
from whipstaff.reconcile.uninstall import Uninstallation
from whipstaff.reconcile.world import Story
from whipstaff.release.marks import Marks
from whipstaff.release.revision import RevisionNumber

DEFINITION = ObjectReference("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", CRD_NAME)
PLACE = ObjectReference("v1", "Namespace", "", NAMESPACE)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(uninstall, "SETTLE_SECONDS", 0.0)


@pytest.fixture
async def world():
    """A world with a release of one object, and without our definition."""
    made = a_world()
    settings = owned(an_object())
    made.cluster.put(settings, NAMESPACE)
    labels = Marks(action="install").labels(RevisionNumber(1))
    stored_work(made, objects=(settings,), status="deployed", labels=labels)
    return made


async def runs_after_deletion(world):
    await Uninstallation(world, FakeIntent(), a_release(), Story()).run()
    return any(reference.kind == "ConfigMap" for reference in world.cluster.objects)


async def test_a_deletion_while_the_definition_is_gone_touches_nothing(world):
    assert await runs_after_deletion(world)


async def test_a_definition_that_may_not_be_read_is_gone_when_its_kind_is_not_served(world):
    world.cluster.refuse("read", DEFINITION, REFUSED)
    assert await runs_after_deletion(world)


async def test_a_definition_that_may_not_be_read_is_there_when_its_kind_is_served(world):
    world.cluster.kinds[API_VERSION, KIND] = True
    world.cluster.refuse("read", DEFINITION, REFUSED)
    assert not await runs_after_deletion(world)
    asked = [verb for verb, _, _ in world.cluster.calls if verb == "takes-new"]
    assert len(asked) == 2  # another API server may know of its deletion a moment later


async def test_a_namespace_that_may_not_be_read_is_taken_to_stay(world):
    world.cluster.kinds[API_VERSION, KIND] = True
    world.cluster.refuse("read", DEFINITION, REFUSED)
    world.cluster.refuse("read", PLACE, REFUSED)
    assert not await runs_after_deletion(world)
