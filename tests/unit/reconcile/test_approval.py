"""Changes that wait for somebody to approve of their plan."""

from dataclasses import replace

import pytest

from tests.builders.observations import a_release
from tests.builders.worlds import KEY, NAMESPACE, FakeIntent, a_world, an_object
from whipstaff.errors import ChartUnavailable, ClusterRefused
from whipstaff.helmrelease.types import Approval
from whipstaff.helmrelease.values_from import ValuesKind, ValuesReference
from whipstaff.reconcile.loop import Ending, Pass
from whipstaff.reconcile.ports import ObjectReference

SETTINGS = ObjectReference("v1", "ConfigMap", NAMESPACE, "settings")
EXTRA = ObjectReference("v1", "ConfigMap", NAMESPACE, "extra")


@pytest.fixture
def world():
    world = a_world()
    world.charts.add("http://charts.test", "blog", "1.0.0")
    world.reporter.put("shop", "blog", "uid-1")
    world.store.now = world.clock.now_seconds
    return world


def asking(*objects, approval=Approval.MANUAL, approved="", **more):
    values = {"objects": list(objects) or [an_object()]}
    return a_release(values=values, approval=approval, approved_plan=approved, **more)


async def pass_over(world, release, status=None):
    work = Pass(world, FakeIntent(release), status)
    return (await work.run()).ending, work.status


def condition(status, kind):
    return next((c for c in status["conditions"] if c["type"] == kind), {})


async def test_nothing_is_done_before_the_plan_is_approved_of(world):
    ending, status = await pass_over(world, asking())
    assert ending is Ending.UNAPPROVED
    assert world.store.writes == []
    assert SETTINGS not in world.cluster.objects
    plan = status["plan"]
    assert (plan["action"], plan["revision"], plan["create"]) == ("install", 1, 1)
    assert condition(status, "ApprovalRequired")["status"] == "True"
    ready = condition(status, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ApprovalRequired")
    assert plan["digest"] in ready["message"]


async def test_a_plan_that_waits_is_not_made_again(world):
    _, status = await pass_over(world, asking())
    requests = len(world.renderer.requests)
    ending, again = await pass_over(world, asking(), status)
    assert ending is Ending.UNAPPROVED
    assert again == status
    assert len(world.renderer.requests) == requests


async def test_a_request_makes_it_again(world):
    _, status = await pass_over(world, asking())
    wish = asking(annotations={"whipstaff.dev/requestedAt": "now"})
    ending, status = await pass_over(world, wish, status)
    assert ending is Ending.UNAPPROVED
    assert len(world.renderer.requests) == 2
    assert status["lastHandledReconcileAt"] == "now"


async def test_what_is_approved_of_is_done_and_told_no_more(world):
    _, status = await pass_over(world, asking())
    approved = status["plan"]["digest"]
    ending, status = await pass_over(world, asking(approved=approved), status)
    assert ending is Ending.IN_SYNC
    assert world.store.statuses(KEY) == {1: "deployed"}
    assert "plan" not in status
    assert condition(status, "ApprovalRequired") == {}
    assert world.plans.kept == {}


async def test_the_very_objects_that_were_planned_are_applied(world):
    _, status = await pass_over(world, asking())
    (plan, revision) = world.plans.kept["shop", "blog"]
    other = tuple({**body, "data": {"generated": "first"}} for body in revision.objects)
    manifest = f"{revision.manifest}data: {{generated: first}}\n"
    kept = replace(revision, objects=other, manifest=manifest)
    world.plans.kept["shop", "blog"] = plan, kept
    _, status = await pass_over(world, asking(approved=plan.digest), status)
    # It is another revision than the digest is of, so it is asked for again; then it is applied.
    asked = status["plan"]["digest"]
    assert asked != plan.digest
    await pass_over(world, asking(approved=asked), status)
    assert world.cluster.objects[SETTINGS]["data"] == {"generated": "first"}


async def test_an_approval_is_void_once_the_inputs_moved_on(world):
    _, status = await pass_over(world, asking())
    approved = status["plan"]["digest"]
    other = asking(an_object(data={"a": "1"}), approved=approved)
    ending, status = await pass_over(world, other, status)
    assert ending is Ending.UNAPPROVED
    assert status["plan"]["digest"] != approved
    assert "is void" in condition(status, "Ready")["message"]
    assert world.store.writes == []


async def test_an_approval_is_void_once_the_cluster_moved_on(world):
    _, status = await pass_over(world, asking())
    approved = status["plan"]["digest"]
    mark = {"app.kubernetes.io/managed-by": "Helm"}
    owner = {
        "meta.helm.sh/release-name": "blog",
        "meta.helm.sh/release-namespace": "shop",
    }
    world.cluster.put(
        {**an_object(), "metadata": {"name": "settings", "labels": mark, "annotations": owner}},
        NAMESPACE,
    )
    ending, status = await pass_over(world, asking(approved=approved), status)
    assert ending in (Ending.UNAPPROVED, Ending.IN_SYNC)
    if ending is Ending.UNAPPROVED:
        assert status["plan"]["digest"] != approved


async def test_only_what_destroys_is_held_where_spec_says_so(world):
    destructive = Approval.MANUAL_ON_DESTRUCTIVE
    two = (an_object(), an_object(name="extra"))
    ending, status = await pass_over(world, asking(*two, approval=destructive))
    assert ending is Ending.IN_SYNC
    ending, status = await pass_over(world, asking(an_object(), approval=destructive), status)
    assert ending is Ending.UNAPPROVED
    assert status["plan"]["delete"] == 1
    assert EXTRA in world.cluster.objects
    approved = status["plan"]["digest"]
    release = asking(an_object(), approval=destructive, approved=approved)
    ending, status = await pass_over(world, release, status)
    assert ending is Ending.IN_SYNC
    assert EXTRA not in world.cluster.objects


async def test_a_pin_needs_no_approval(world):
    _, status = await pass_over(world, asking(approval=Approval.AUTOMATIC))
    two = asking(an_object(data={"a": "1"}), approval=Approval.AUTOMATIC)
    _, status = await pass_over(world, two, status)
    ending, status = await pass_over(world, asking(revision=1), status)
    assert ending is Ending.IN_SYNC
    assert world.store.statuses(KEY)[3] == "deployed"


async def test_what_was_approved_of_and_failed_is_tried_again_without_asking(world):
    _, status = await pass_over(world, asking())
    approved = status["plan"]["digest"]
    refused = ClusterRefused("maximum cpu is 1", 403, "Forbidden")
    world.cluster.refuse("apply", SETTINGS, refused)
    _, status = await pass_over(world, asking(approved=approved), status)
    assert world.store.statuses(KEY) == {1: "failed"}
    world.clock.now_seconds += 3600
    ending, status = await pass_over(world, asking(approved=approved), status)
    assert ending is Ending.IN_SYNC


async def test_what_was_approved_of_is_what_is_tried_again(world):
    def revealing(**more):
        values = {"objects": [], "showRevision": True}  # renders differently each time
        return a_release(values=values, approval=Approval.MANUAL, **more)

    _, status = await pass_over(world, revealing())
    release = revealing(approved_plan=status["plan"]["digest"])
    first = ObjectReference("v1", "ConfigMap", NAMESPACE, "r1")
    world.cluster.refuse("apply", first, ClusterRefused("maximum cpu is 1", 403, "Forbidden"))
    _, status = await pass_over(world, release, status)
    assert world.store.statuses(KEY) == {1: "failed"}
    world.clock.now_seconds += 3600
    ending, status = await pass_over(world, release, status)
    assert ending is Ending.IN_SYNC
    assert world.store.statuses(KEY)[2] == "deployed"
    assert first in world.cluster.objects


async def test_what_was_approved_of_once_is_not_done_a_second_time(world):
    _, status = await pass_over(world, asking(approval=Approval.AUTOMATIC))
    changed = an_object(data={"a": "1"})
    _, status = await pass_over(world, asking(changed), status)
    approved = status["plan"]["digest"]
    _, status = await pass_over(world, asking(changed, approved=approved), status)
    _, status = await pass_over(world, asking(changed, approved=approved, revision=1), status)
    assert world.store.statuses(KEY)[3] == "deployed"
    ending, status = await pass_over(world, asking(changed, approved=approved), status)
    assert ending is Ending.UNAPPROVED
    assert "is void" in condition(status, "Ready")["message"]


async def test_values_from_secrets_are_masked_wherever_they_stand(world):
    secret = an_object("Secret", "given", data={"password": "aHVudGVyMmh1bnRlcjI="})
    world.cluster.put(secret, NAMESPACE)
    _, status = await pass_over(world, asking(approval=Approval.AUTOMATIC))
    source = ValuesReference(ValuesKind.SECRET, "given", "password", target_path="password")
    release = asking(an_object(data={"a": "as hunter2hunter2"}), values_from=(source,))
    world.renderer.secrets = ("hunter2hunter2",)
    ending, _ = await pass_over(world, release, status)
    assert ending is Ending.UNAPPROVED
    (plan, _) = world.plans.kept["shop", "blog"]
    text = "\n".join(plan.lines())
    assert "data: (masked) (new)" in text
    assert "hunter2" not in text


async def test_what_secrets_held_before_is_masked_too(world):
    def both(word):
        secret = an_object("Secret", "login", stringData={"password": word})
        return secret, an_object(data={"a": f"as {word}"})

    _, status = await pass_over(world, asking(*both("hunter2hunter2"), approval=Approval.AUTOMATIC))
    await pass_over(world, asking(*both("other-secret")), status)
    (plan, _) = world.plans.kept["shop", "blog"]
    text = "\n".join(plan.lines())
    assert "data.a: (masked) -> (masked)" in text


async def test_a_plan_is_told_of_while_its_chart_cannot_be_had(world):
    _, status = await pass_over(world, asking())
    world.charts.refuse(ChartUnavailable("away"))
    _, after = await pass_over(world, asking(), status)
    assert after.get("plan") == status["plan"]
