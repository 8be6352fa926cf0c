import asyncio

import pytest

from tests.builders.virtual_time import skip_waits
from tests.builders.worlds import AWAY, NAMESPACE, REFUSED, a_world, an_object, stored_work
from whipstaff.errors import ClusterRefused
from whipstaff.planning.readiness import readiness
from whipstaff.planning.status import Unready
from whipstaff.reconcile import waiting
from whipstaff.reconcile.ports import ObjectReference
from whipstaff.reconcile.waiting import (
    NotReady,
    WaitTimeout,
    until_gone,
    until_ready,
    until_served,
    within,
)
from whipstaff.reconcile.world import Interrupted


@pytest.fixture(autouse=True)
async def _virtual_time(monkeypatch):
    skip_waits(monkeypatch)


BOUND, LOST = {"status": {"phase": "Bound"}}, {"status": {"phase": "Lost"}}
CRASHED = {"status": {"phase": "Failed", "message": "it crashed"}}


@pytest.fixture
def world():
    return a_world()


@pytest.fixture
def work(world):
    return stored_work(world)


def a_claim(world, name, **fields):
    return world.cluster.put(an_object("PersistentVolumeClaim", name, **fields), NAMESPACE)


def a_map(name="settings"):
    return ObjectReference("v1", "ConfigMap", NAMESPACE, name)


def a_definition(*versions):
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {
            "group": "g.test",
            "names": {"kind": "Thing"},
            "versions": [{"name": name, "served": True} for name in versions],
        },
    }


async def test_a_wait_gives_its_worker_back(work):
    async def nothing():
        assert work.intent.waits == 1

    await within(work, 1, nothing(), str)


async def test_a_change_of_what_is_wanted_ends_a_wait(work):
    waiting = asyncio.create_task(within(work, 30, asyncio.Event().wait(), str))
    await work.intent.began_to_wait.wait()
    work.intent.change()
    with pytest.raises(Interrupted):
        await asyncio.wait_for(waiting, 5)


async def test_what_goes_wrong_while_waiting_is_raised(work):
    async def refuse():
        raise REFUSED

    with pytest.raises(ClusterRefused, match="you may not"):
        await within(work, 1, refuse(), str)


async def test_nothing_to_wait_for_needs_no_wait(world, work):
    await until_ready(world, work, [], 1)
    await until_gone(world.cluster, work, [], 1)
    await until_served(world.cluster, work, [], 1)
    assert work.intent.waits == 0


async def test_objects_are_waited_for_until_all_are_ready(world, work):
    claims = [a_claim(world, "a", **BOUND), a_claim(world, "b")]
    waiting = asyncio.create_task(until_ready(world, work, claims, 5))
    await work.intent.began_to_wait.wait()
    await asyncio.sleep(0.01)
    assert [each.reference for each in work.story.unready] == [claims[1]]
    world.cluster.edit(claims[1], lambda body: body.update(BOUND))
    await waiting
    assert work.story.unready == ()


async def test_an_object_that_moves_leaves_the_others_as_they_were_judged(world, work, monkeypatch):
    judged = []
    bound = an_object("PersistentVolumeClaim", "a") | BOUND
    claims = [a_claim(world, "a", **BOUND), a_claim(world, "b")]

    async def follow(_references, _identity):
        yield {claims[0]: bound, claims[1]: an_object("PersistentVolumeClaim", "b")}
        yield {claims[0]: bound, claims[1]: an_object("PersistentVolumeClaim", "b") | BOUND}

    async def judge(_world, _release, reference, body, *, complete_jobs):
        judged.append(reference)
        return readiness(body, complete_jobs=complete_jobs)

    monkeypatch.setattr(world.cluster, "follow", follow)
    monkeypatch.setattr(waiting, "judge", judge)
    await until_ready(world, work, claims, 5)
    assert judged == [*claims, claims[1]]


async def test_an_object_that_is_not_there_is_waited_for(world, work):
    with pytest.raises(WaitTimeout, match=r"^timed out after 0.01s: ConfigMap shop/settings"):
        await until_ready(world, work, [a_map()], 0.01)
    assert work.story.unready == (Unready(a_map(), "it is not there yet"),)


async def test_a_failure_is_told_once_no_other_object_is_on_its_way(world, work):
    pod = world.cluster.put(an_object("Pod", "web", **CRASHED), NAMESPACE)
    claim = a_claim(world, "data")
    waiting = asyncio.create_task(until_ready(world, work, [pod, claim], 5))
    await work.intent.began_to_wait.wait()
    await asyncio.sleep(0.01)
    assert not waiting.done()
    world.cluster.edit(claim, lambda body: body.update(BOUND))
    with pytest.raises(NotReady, match=r"^Pod shop/web: it crashed$"):
        await waiting


async def test_a_late_wait_names_five_objects_and_counts_the_others(world, work):
    claims = [a_claim(world, f"claim-{number}", **LOST) for number in range(7)]
    with pytest.raises(WaitTimeout) as late:
        await until_ready(world, work, claims, 0.01)
    assert "claim-0: the volume of the claim is gone; " in str(late.value)
    assert str(late.value).count("shop/claim-") == 5
    assert str(late.value).endswith("; and 2 more")


async def test_objects_are_waited_for_until_all_are_gone(world, work):
    claims = [a_claim(world, "a"), a_claim(world, "b")]
    world.cluster.remove(claims[0])
    with pytest.raises(WaitTimeout, match=r"still there: PersistentVolumeClaim shop/b$"):
        await until_gone(world.cluster, work, claims, 0.01)
    world.cluster.remove(claims[1])
    await until_gone(world.cluster, work, claims, 1)


async def test_a_kind_is_waited_for_until_it_is_served_in_each_version(world, work):
    world.cluster.kinds["g.test/v1", "Thing"] = True
    definition = a_definition("v1", "v2")
    with pytest.raises(WaitTimeout, match=r"not served yet: Thing \(g.test/v2\)$"):
        await until_served(world.cluster, work, [definition], 0.01)
    world.cluster.kinds["g.test/v2", "Thing"] = True
    await until_served(world.cluster, work, [definition], 1)


async def test_what_is_served_already_takes_one_reading_of_all_kinds(world, work):
    world.cluster.kinds |= {("g.test/v1", "Thing"): True, ("g.test/v2", "Thing"): True}
    await until_served(world.cluster, work, [a_definition("v1", "v2")], 1)
    assert len(world.cluster.verbs("forget-kinds")) == 1


async def test_versions_that_are_not_served_are_not_waited_for(world, work):
    definition = a_definition("v1")
    definition["spec"]["versions"][0]["served"] = False
    await until_served(world.cluster, work, [definition], 0.01)


@pytest.mark.parametrize(("error", "ends"), [(AWAY, False), (REFUSED, True)])
async def test_only_a_refusal_for_good_ends_the_wait_for_a_kind(
    world, work, monkeypatch, error, ends
):
    async def refuse(*_):
        raise error

    monkeypatch.setattr(world.cluster, "refer", refuse)
    with pytest.raises(ClusterRefused if ends else WaitTimeout):
        await until_served(world.cluster, work, [a_definition("v1")], 0.01)
