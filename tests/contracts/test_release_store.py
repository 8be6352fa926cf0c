"""What every ReleaseStore does: the fake always, the API server when there is one."""

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.builders.api_server import a_client
from tests.builders.clocks import FixedClock
from tests.builders.releases import a_revision
from tests.fakes.release_store import FakeReleaseStore, InProcessCodec
from whipstaff.errors import ReleaseConflict, RevisionNotFound, StorageCorrupt
from whipstaff.kube.release_store import ObjectReleaseStore
from whipstaff.reconcile.ports import OPERATOR
from whipstaff.release.revision import ReleaseKey, ReleaseStatus

OURS = {"whipstaff.dev/revision": "1", "whipstaff.dev/inputs": "v1-abc"}


@dataclass
class World:
    store: Any
    key: ReleaseKey
    corrupt: Any  # (number) -> None: spoil a payload as a person would

    async def create(self, number=1, **changes):
        revision = a_revision(number, **changes)
        await self.store.create(self.key, revision, OPERATOR)
        return revision

    async def read(self, number=1):
        return await self.store.read(self.key, number, OPERATOR)

    async def history(self):
        return await self.store.history(self.key, OPERATOR)


@pytest.fixture(
    params=[
        "fake",
        pytest.param("secret", marks=pytest.mark.cluster),
        pytest.param("configmap", marks=pytest.mark.cluster),
    ]
)
async def world(request):
    if request.param == "fake":
        fake = FakeReleaseStore()
        key = ReleaseKey("web", "shop")

        def spoil(number):
            fake.stored[key, number].corrupt = True

        yield World(fake, key, spoil)
        return
    control_plane = request.getfixturevalue("control_plane")
    key = ReleaseKey(request.getfixturevalue("namespace"), "shop")

    def corrupt(number):
        name = f"{request.param}/sh.helm.release.v1.shop.v{number}"
        change = json.dumps({"data": {"release": "Z2FyYmFnZQ=="}})
        place = ("-n", key.storage_namespace)
        control_plane.run("kubectl", "patch", *place, name, "--type=merge", "-p", change)

    async with a_client(control_plane) as client:
        clock = FixedClock()
        store = ObjectReleaseStore(client, InProcessCodec(), clock, driver=request.param)
        yield World(store, key, corrupt)


async def test_what_is_created_can_be_read(world):
    revision = await world.create(labels=OURS)
    assert await world.read() == revision


async def test_a_number_is_never_taken_twice(world):
    await world.create()
    with pytest.raises(ReleaseConflict):
        await world.create(config={"other": True})
    assert (await world.read()).config == a_revision().config


async def test_of_many_who_want_a_number_one_gets_it(world):
    wanted = [world.create(description=f"writer {i}") for i in range(8)]
    endings = await asyncio.gather(*wanted, return_exceptions=True)
    assert sum(not isinstance(ending, BaseException) for ending in endings) == 1
    assert sum(isinstance(ending, ReleaseConflict) for ending in endings) == 7


async def test_creating_what_is_stored_just_so_is_our_own_write_whose_reply_was_lost(world):
    revision = await world.create(labels=OURS)
    await world.store.create(world.key, revision, OPERATOR)
    assert await world.read() == revision


async def test_history_is_newest_first_and_read_from_labels(world):
    for number in (2, 10, 9):
        await world.create(number, labels=OURS, status=ReleaseStatus.SUPERSEDED)
    world.corrupt(9)
    found = await world.history()
    assert [header.number for header in found] == [10, 9, 2]
    assert {header.status for header in found} == {ReleaseStatus.SUPERSEDED}
    assert found[0].labels == OURS
    assert found[0].created_at > 0
    assert found[0].modified_at == 0


async def test_a_release_without_revisions_has_an_empty_history(world):
    assert await world.history() == ()


async def test_another_release_of_the_namespace_is_not_in_the_history(world):
    await world.create()
    other = replace(a_revision(), name="shop.v1.more")
    key = ReleaseKey(world.key.storage_namespace, "shop.v1.more")
    await world.store.create(key, other, OPERATOR)
    assert [header.number for header in await world.history()] == [1]


async def test_an_update_replaces_payload_and_labels_and_keeps_the_time_of_creation(world):
    revision = await world.create(status=ReleaseStatus.PENDING_INSTALL, labels=OURS)
    created = (await world.history())[0].created_at
    changed = replace(revision, status=ReleaseStatus.DEPLOYED, notes="New.", labels={"a": "b"})
    await world.store.update(world.key, changed, OPERATOR)
    assert await world.read() == changed
    header = (await world.history())[0]
    assert header.status is ReleaseStatus.DEPLOYED
    assert header.labels == {"a": "b"}
    assert header.created_at == created
    assert header.modified_at > 0


async def test_an_update_of_what_is_not_stored_is_refused(world):
    with pytest.raises(RevisionNotFound):
        await world.store.update(world.key, a_revision(4), OPERATOR)


async def test_reading_what_is_not_stored_is_refused(world):
    with pytest.raises(RevisionNotFound):
        await world.read(4)


async def test_a_corrupt_payload_is_named_and_still_in_the_history(world):
    await world.create()
    world.corrupt(1)
    with pytest.raises(StorageCorrupt) as refused:
        await world.read()
    assert refused.value.name == "sh.helm.release.v1.shop.v1"
    assert [header.number for header in await world.history()] == [1]


async def test_deleting_twice_is_no_error(world):
    await world.create()
    await world.store.delete(world.key, 1, OPERATOR)
    await world.store.delete(world.key, 1, OPERATOR)
    assert await world.history() == ()


async def test_a_foreign_revision_is_marked_failed_and_keeps_the_rest(world):
    revision = await world.create(status=ReleaseStatus.PENDING_UPGRADE, labels={"theirs": "x"})
    await world.store.mark_failed_unread(world.key, 1, "given up", OPERATOR)
    marked = await world.read()
    assert marked == replace(revision, status=ReleaseStatus.FAILED, description="given up")
    header = (await world.history())[0]
    assert header.status is ReleaseStatus.FAILED
    assert header.labels == {"theirs": "x"}


async def test_a_corrupt_revision_can_be_marked_failed(world):
    await world.create(status=ReleaseStatus.PENDING_UPGRADE)
    world.corrupt(1)
    await world.store.mark_failed_unread(world.key, 1, "given up", OPERATOR)
    assert (await world.history())[0].status is ReleaseStatus.FAILED
    with pytest.raises(StorageCorrupt):
        await world.read()


async def test_marking_what_is_not_stored_is_refused(world):
    with pytest.raises(RevisionNotFound):
        await world.store.mark_failed_unread(world.key, 4, "given up", OPERATOR)


async def test_marks_are_set_in_place_of_those_that_are_there_and_nothing_else_changes(world):
    revision = await world.create(labels={**OURS, "team": "shop"})
    (before,) = await world.history()
    await world.store.mark(world.key, 1, {"whipstaff.dev/revision": "1"}, OPERATOR)
    labels = {"whipstaff.dev/revision": "1", "team": "shop"}
    assert await world.read() == replace(revision, labels=labels)
    assert await world.history() == (replace(before, labels=labels),)


async def test_what_is_not_stored_cannot_be_marked(world):
    with pytest.raises(RevisionNotFound):
        await world.store.mark(world.key, 7, {"whipstaff.dev/revision": "7"}, OPERATOR)
