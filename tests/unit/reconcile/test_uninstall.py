"""When a deletion means nothing, also where the namespace may not be read."""

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
from whipstaff.helmrelease.names import API_VERSION, KIND
from whipstaff.reconcile.ports import ObjectReference
from whipstaff.reconcile.uninstall import Uninstallation
from whipstaff.reconcile.world import Story
from whipstaff.release.marks import Marks
from whipstaff.release.revision import RevisionNumber

PLACE = ObjectReference("v1", "Namespace", "", NAMESPACE)


@pytest.fixture
def world():
    """A world with a release of one object, and with our definition."""
    made = a_world()
    made.cluster.kinds[API_VERSION, KIND] = True
    settings = owned(an_object())
    made.cluster.put(settings, NAMESPACE)
    labels = Marks(action="install").labels(RevisionNumber(1))
    stored_work(made, objects=(settings,), status="deployed", labels=labels)
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
