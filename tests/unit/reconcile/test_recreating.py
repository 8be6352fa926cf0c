"""Objects that cannot be changed are made anew where that is allowed, and only there."""

import pytest

from tests.builders.observations import a_release
from tests.builders.worlds import (
    KEY,
    NAMESPACE,
    FakeIntent,
    a_world,
    an_object,
    annotated,
    complete_jobs,
)
from whipstaff.errors import ClusterRefused
from whipstaff.helmrelease.types import (
    ActionOptions,
    Approval,
    ImmutableFieldPolicy,
    ImmutableFields,
    KindPolicy,
)
from whipstaff.reconcile.loop import Ending, Pass
from whipstaff.reconcile.ports import ObjectReference

JOB = ObjectReference("batch/v1", "Job", NAMESPACE, "migrate")
CLAIM = ObjectReference("v1", "PersistentVolumeClaim", NAMESPACE, "data")
RECREATE = ImmutableFields(ImmutableFieldPolicy.RECREATE)
ORPHAN = ImmutableFields(ImmutableFieldPolicy.RECREATE_ORPHAN)
FIXED = "field is immutable"
NO_POLICY = ImmutableFields()


@pytest.fixture
def world():
    world = a_world(settle=complete_jobs)
    world.charts.add("http://charts.test", "blog", "1.0.0")
    world.reporter.put("shop", "blog", "uid-1")
    world.store.now = world.clock.now_seconds
    return world


def a_job(image):
    return an_object("Job", "migrate", "batch/v1", spec={"template": {"image": image}})


def wanting(*objects, immutable=NO_POLICY, **more):
    options = ActionOptions(immutable=immutable)
    blocks = {"install": options, "upgrade": options, "rollback": options}
    return a_release(values={"objects": list(objects)}, **blocks, **more)


async def pass_over(world, release, status=None):
    work = Pass(world, FakeIntent(release), status)
    return (await work.run()).ending, work.status


def image_of(world):
    return world.cluster.objects[JOB]["spec"]["template"]["image"]


def ready(status):
    return next(c for c in status["conditions"] if c["type"] == "Ready")


async def test_a_change_is_refused_by_default_before_anything_is_touched(world):
    _, status = await pass_over(world, wanting(a_job("one")))
    ending, status = await pass_over(world, wanting(a_job("two")), status)
    assert ending is Ending.REFUSED
    assert ready(status)["reason"] == "ImmutableField"
    assert "Job shop/migrate: spec.template cannot be changed" in ready(status)["message"]
    assert "immutableFieldPolicy: Recreate" in ready(status)["message"]
    assert world.store.statuses(KEY) == {1: "deployed"}
    assert image_of(world) == "one"


@pytest.mark.parametrize(
    ("policies", "propagation"),
    [
        pytest.param(RECREATE, "Foreground", id="recreate"),
        pytest.param(ORPHAN, "Orphan", id="recreate and leave its dependents"),
        pytest.param(
            ImmutableFields(kinds=(KindPolicy("Job", "batch", ImmutableFieldPolicy.RECREATE),)),
            "Foreground",
            id="by kind",
        ),
    ],
)
async def test_what_may_be_recreated_is(world, policies, propagation):
    _, status = await pass_over(world, wanting(a_job("one")))
    before = world.cluster.objects[JOB]["metadata"]["uid"]
    ending, _ = await pass_over(world, wanting(a_job("two"), immutable=policies), status)
    assert ending is Ending.IN_SYNC
    assert image_of(world) == "two"
    assert world.cluster.objects[JOB]["metadata"]["uid"] != before
    assert world.cluster.propagations == [propagation]
    assert world.store.statuses(KEY) == {1: "superseded", 2: "deployed"}


async def test_a_policy_of_another_group_says_nothing(world):
    others = ImmutableFields(kinds=(KindPolicy("Job", "other", ImmutableFieldPolicy.RECREATE),))
    _, status = await pass_over(world, wanting(a_job("one")))
    ending, _ = await pass_over(world, wanting(a_job("two"), immutable=others), status)
    assert ending is Ending.REFUSED


async def test_a_rollback_goes_back_over_it(world):
    _, status = await pass_over(world, wanting(a_job("one")))
    _, status = await pass_over(world, wanting(a_job("two"), immutable=RECREATE), status)
    pinned = wanting(a_job("two"), immutable=RECREATE, revision=1)
    ending, _ = await pass_over(world, pinned, status)
    assert ending is Ending.IN_SYNC
    assert image_of(world) == "one"


async def test_a_kill_between_deletion_and_creation_heals(world):
    _, status = await pass_over(world, wanting(a_job("one")))
    release = wanting(a_job("two"), immutable=RECREATE)
    apply = world.cluster.apply
    applied = []

    async def dies_before_the_second(reference, body, identity, *, dry_run=False, strict=True):
        if reference == JOB and not dry_run:
            applied.append(reference)
            if len(applied) > 1:
                raise KeyboardInterrupt
        return await apply(reference, body, identity, dry_run=dry_run, strict=strict)

    world.cluster.apply = dies_before_the_second
    with pytest.raises(KeyboardInterrupt):
        await pass_over(world, release, status)
    assert JOB not in world.cluster.objects
    world.cluster.apply = apply
    ending, _ = await pass_over(world, release, status)
    assert ending is Ending.IN_SYNC
    assert image_of(world) == "two"
    assert world.store.statuses(KEY) == {1: "superseded", 2: "deployed"}


async def test_what_the_server_would_not_take_back_is_not_deleted(world):
    _, status = await pass_over(world, wanting(a_job("one")))
    refusal = ClusterRefused("a policy denies it", 403, "Forbidden")
    apply = world.cluster.apply

    async def denies_others(reference, body, identity, *, dry_run=False, strict=True):
        if reference.kind == "Job" and reference != JOB:
            raise refusal
        return await apply(reference, body, identity, dry_run=dry_run, strict=strict)

    world.cluster.apply = denies_others
    release = wanting(a_job("two"), immutable=RECREATE)
    ending, status = await pass_over(world, release, status)
    assert ending is Ending.REFUSED
    assert "Job shop/migrate cannot be recreated: a policy denies it" in ready(status)["message"]
    assert image_of(world) == "one"


async def test_what_the_old_object_takes_is_no_hindrance(world):
    _, status = await pass_over(world, wanting(a_job("one")))
    apply = world.cluster.apply

    async def is_full(reference, body, identity, *, dry_run=False, strict=True):
        if reference.kind == "Job" and reference != JOB:
            raise ClusterRefused("exceeded quota: jobs", 403, "Forbidden")
        return await apply(reference, body, identity, dry_run=dry_run, strict=strict)

    world.cluster.apply = is_full
    ending, _ = await pass_over(world, wanting(a_job("two"), immutable=RECREATE), status)
    assert ending is Ending.IN_SYNC


async def test_an_object_of_nobody_is_not_recreated(world):
    world.cluster.put(a_job("one"), NAMESPACE)
    options = ActionOptions(immutable=RECREATE, take_ownership=True)
    release = a_release(values={"objects": [a_job("two")]}, install=options)
    ending, status = await pass_over(world, release)
    assert ending is Ending.REFUSED
    assert "not this release's yet" in ready(status)["message"]
    assert image_of(world) == "one"


async def test_an_object_that_is_to_be_kept_is_not_recreated(world):
    kept = annotated(a_job("one"), resource_policy="keep")
    _, status = await pass_over(world, wanting(kept))
    ending, status = await pass_over(world, wanting(a_job("two"), immutable=RECREATE), status)
    assert ending is Ending.REFUSED
    assert "resource-policy" in ready(status)["message"]


@pytest.mark.parametrize(
    ("kinds", "ending"),
    [
        pytest.param((), Ending.REFUSED, id="not named"),
        pytest.param(
            (KindPolicy("PersistentVolumeClaim", None, ImmutableFieldPolicy.RECREATE),),
            Ending.IN_SYNC,
            id="named",
        ),
    ],
)
async def test_a_claim_is_recreated_only_where_its_kind_is_named(world, kinds, ending):
    def claim(size):
        return an_object("PersistentVolumeClaim", "data", spec={"size": size})

    def bound(body):
        body["status"] = {"phase": "Bound"}

    world.cluster._settle = bound
    _, status = await pass_over(world, wanting(claim(1)))
    refused = ClusterRefused("is invalid", 422, "Invalid", str(CLAIM), (("spec", FIXED),))
    for verb in ("dry-run", "apply"):
        world.cluster.refuse(verb, CLAIM, refused)
    policies = ImmutableFields(ImmutableFieldPolicy.RECREATE, kinds)
    ended, status = await pass_over(world, wanting(claim(2), immutable=policies), status)
    assert ended is ending
    if ending is Ending.REFUSED:
        assert "names its kind" in ready(status)["message"]


async def test_a_plan_tells_of_it_and_waits_for_an_approval(world):
    _, status = await pass_over(world, wanting(a_job("one")))
    wish = {"immutable": RECREATE, "approval": Approval.MANUAL_ON_DESTRUCTIVE}
    ending, status = await pass_over(world, wanting(a_job("two"), **wish), status)
    assert ending is Ending.UNAPPROVED
    assert status["plan"]["recreate"] == 1
    plan, _ = world.plans.kept["shop", "blog"]
    lines = "\n".join(plan.lines())
    assert "! recreate Job shop/migrate (batch/v1)" in lines
    assert 'spec.template.image: "one" -> "two"' in lines
    assert image_of(world) == "one"
    wish["approved_plan"] = status["plan"]["digest"]
    ending, _ = await pass_over(world, wanting(a_job("two"), **wish), status)
    assert ending is Ending.IN_SYNC
    assert image_of(world) == "two"
