"""What a revision leaves behind: in which order it goes, what stays, and what it holds up."""

from dataclasses import replace

import pytest

from tests.builders.observations import a_release
from tests.builders.worlds import KEY, FakeIntent, a_world, an_object, complete_jobs
from whipstaff.helmrelease.types import (
    ActionOptions,
    Approval,
    GuardedKind,
    PruneLimit,
    PruneOptions,
)
from whipstaff.reconcile.loop import Ending, Pass

DATA = an_object("PersistentVolumeClaim", "data")
MANY = tuple(an_object(name=f"settings-{number}") for number in range(8))


def bound(body):
    complete_jobs(body)
    if body["kind"] == "PersistentVolumeClaim":
        body["status"] = {"phase": "Bound"}


@pytest.fixture
def world():
    world = a_world(settle=bound)
    world.charts.add("http://charts.test", "blog", "1.0.0")
    world.reporter.put("shop", "blog", "uid-1")
    world.store.now = world.clock.now_seconds
    return world


def wanting(*objects, timeout=300.0, revision=None, approval=Approval.AUTOMATIC, **prune):
    options = ActionOptions(timeout, prune=PruneOptions(**prune))
    first = replace(options, disable_wait=True)
    blocks = {"install": first, "upgrade": options, "rollback": options}
    objects = list(objects)
    return a_release(values={"objects": objects}, revision=revision, approval=approval, **blocks)


async def pass_over(world, release, status=None):
    work = Pass(world, FakeIntent(release), status)
    return (await work.run()).ending, work.status


def message(status):
    return next(c for c in status["conditions"] if c["type"] == "Ready")["message"]


def deleted(world):
    return [subject for _, subject in world.cluster.verbs("delete")]


async def test_what_is_no_more_goes_in_the_reverse_order_of_installs(world):
    objects = [
        an_object("ServiceAccount", "account"),
        an_object("Service", "web"),
        an_object("Deployment", "web", "apps/v1"),
    ]
    world.cluster._settle = None
    options = ActionOptions(disable_wait=True)
    release = a_release(values={"objects": objects}, install=options, upgrade=options)
    _, status = await pass_over(world, release)
    release = a_release(values={"objects": [an_object()]}, install=options, upgrade=options)
    await pass_over(world, release, status)
    assert deleted(world) == [
        "Deployment shop/web",
        "Service shop/web",
        "ServiceAccount shop/account",
    ]


@pytest.mark.parametrize(
    ("also", "goes"),
    [
        pytest.param((), [], id="guarded"),
        pytest.param((GuardedKind.NAMESPACE,), [], id="another kind is named"),
        pytest.param((GuardedKind.CLAIM,), ["PersistentVolumeClaim shop/data"], id="named"),
    ],
)
async def test_a_claim_goes_only_where_its_kind_is_named(world, also, goes):
    _, status = await pass_over(world, wanting(an_object(), DATA))
    ending, _ = await pass_over(world, wanting(an_object(), also=also), status)
    assert ending is Ending.IN_SYNC
    assert deleted(world) == goes
    events = world.reporter.shown["shop", "blog"].events
    told = [event.message for event in events if event.reason == "NotPruned"]
    assert len(told) == (0 if goes else 1)
    assert all("PersistentVolumeClaim shop/data" in text for text in told)


async def test_a_plan_tells_what_is_left(world):
    _, status = await pass_over(world, wanting(an_object(), DATA))
    other = wanting(an_object(data={"a": "b"}), approval=Approval.MANUAL)
    await pass_over(world, other, status)
    plan, _ = world.plans.kept["shop", "blog"]
    assert any("leave PersistentVolumeClaim shop/data" in line for line in plan.lines())
    assert not plan.destructive


@pytest.mark.parametrize(
    ("most", "ending"),
    [
        pytest.param(PruneLimit(3), Ending.REFUSED, id="too many"),
        pytest.param(PruneLimit(4), Ending.IN_SYNC, id="as many as may be"),
        pytest.param(PruneLimit(49, percent=True), Ending.REFUSED, id="too large a part"),
        pytest.param(PruneLimit(50, percent=True), Ending.IN_SYNC, id="as large a part as may be"),
    ],
)
async def test_what_would_delete_too_much_is_refused_before_anything_is_touched(
    world, most, ending
):
    _, status = await pass_over(world, wanting(*MANY))
    ended, status = await pass_over(world, wanting(*MANY[:4], most=most), status)
    assert ended is ending
    if ending is Ending.REFUSED:
        assert f"4 objects would be deleted, more than spec.upgrade.maxPrune allows ({most})" in (
            message(status)
        )
        assert "ConfigMap shop/settings-7" in message(status)
        assert deleted(world) == []
        assert world.store.statuses(KEY) == {1: "deployed"}


async def test_a_rollback_is_held_by_it_too(world):
    _, status = await pass_over(world, wanting(MANY[0]))
    _, status = await pass_over(world, wanting(*MANY), status)
    pinned = wanting(*MANY, revision=1, most=PruneLimit(2))
    ending, status = await pass_over(world, pinned, status)
    assert ending is Ending.REFUSED
    assert "7 objects would be deleted" in message(status)


def a_deployment(name, **ports):
    container = {"name": "web", "ports": [ports]} if ports else {"name": "web"}
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    spec = {"containers": [container], "volumes": [] if ports else [volume]}
    replicas = {"replicas": 1, "template": {"spec": spec}}
    return an_object("Deployment", name, "apps/v1", spec=replicas)


@pytest.mark.parametrize(
    ("ports", "modes", "named"),
    [
        pytest.param({}, ["ReadWriteOnce"], "has PersistentVolumeClaim shop/data too", id="claim"),
        pytest.param({}, ["ReadWriteMany"], "", id="claim for many nodes"),
        pytest.param(
            {"hostPort": 80}, ["ReadWriteOnce"], "has port 80/TCP of its node too", id="port"
        ),
        pytest.param({"containerPort": 80}, ["ReadWriteOnce"], "", id="nothing in common"),
    ],
)
async def test_a_time_out_names_the_old_object_that_is_in_the_way(world, ports, modes, named):
    claim = an_object("PersistentVolumeClaim", "data", spec={"accessModes": modes})
    _, status = await pass_over(world, wanting(claim, a_deployment("old", **ports)))
    renamed = wanting(claim, a_deployment("new", **ports), timeout=0.05)
    _, status = await pass_over(world, renamed, status)
    assert "Deployment shop/new" in message(status)
    if named:
        assert f"Deployment shop/old, which is deleted once these are ready, {named}" in (
            message(status)
        )
        assert "spec.upgrade.pruneBeforeWait" in message(status)
    else:
        assert "shop/old" not in message(status)


async def test_helms_order_deletes_before_it_waits(world):
    _, status = await pass_over(world, wanting(a_deployment("old")))
    await pass_over(world, wanting(a_deployment("new"), timeout=0.05, before_wait=True), status)
    assert deleted(world) == ["Deployment shop/old"]
    assert world.store.statuses(KEY)[2] == "failed"
