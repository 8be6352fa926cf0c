"""What others made becomes the release's: releases as they are or upgraded, and objects."""

from dataclasses import replace

import pytest

from tests.builders.observations import a_release
from tests.builders.releases import a_revision
from tests.builders.worlds import (
    KEY,
    NAMESPACE,
    REFUSED,
    FakeIntent,
    a_world,
    an_object,
    annotated,
    hook,
    owned,
)
from whipstaff.errors import HeldByFlux, ReleaseConflict
from whipstaff.helmrelease.types import Approval
from whipstaff.reconcile.adopting import as_rendered, conflict, refuse_what_flux_tends
from whipstaff.reconcile.loop import Ending, Pass
from whipstaff.reconcile.ports import OPERATOR, Identity, ObjectReference, RemoteCluster
from whipstaff.release.marks import Marks, is_ours
from whipstaff.release.revision import ReleaseStatus

FLUX = ("helm.toolkit.fluxcd.io/v2", "HelmRelease")
TENDED = ObjectReference(*FLUX, "flux", "blog")
LABELS = {"helm.toolkit.fluxcd.io/name": "blog", "helm.toolkit.fluxcd.io/namespace": "flux"}


def marked(body):
    return body | {"metadata": body["metadata"] | {"labels": LABELS}}


@pytest.fixture
def world():
    world = a_world()
    world.charts.add("http://charts.test", "blog", "1.0.0")
    world.reporter.put("shop", "blog", "uid-1")
    world.store.now = world.clock.now_seconds
    return world


@pytest.fixture
def flux(world):
    """Flux is installed, and its HelmRelease at work."""
    world.cluster.kinds[FLUX] = True
    body = {"apiVersion": FLUX[0], "kind": FLUX[1], "metadata": {"name": "blog"}, "spec": {}}
    world.cluster.put(body, "flux")
    return world


def wanting(*objects, **more):
    return a_release(values={"objects": list(objects) or [an_object()]}, **more)


async def pass_over(world, release, status=None):
    work = Pass(world, FakeIntent(release), status)
    return (await work.run()).ending, work.status


def ready(status):
    return next(c for c in status["conditions"] if c["type"] == "Ready")


async def leave_outside(world, *objects, number=1, labels=None):
    """Leave a release that renders to these objects, as if none of it were ours."""
    await pass_over(world, wanting(*objects))
    (stored,) = world.store.stored.values()
    del world.store.stored[KEY, 1]
    outside = replace(stored.revision, number=number, labels=labels or {})
    world.store.put(KEY, outside)
    world.store.writes.clear()
    world.cluster.calls.clear()
    return outside


@pytest.mark.parametrize(("number", "action"), [(1, "install"), (4, "upgrade")])
async def test_what_renders_to_what_runs_is_marked_and_nothing_else(world, number, action):
    # The labels are what the CLI copied from a revision of ours.
    copied = {"whipstaff.dev/revision": "9", "whipstaff.dev/made-from": "2", "team": "shop"}
    outside = await leave_outside(world, number=number, labels=copied)
    ending, status = await pass_over(world, wanting())
    assert ending is Ending.IN_SYNC
    assert world.store.writes == [("mark", KEY, number, "deployed")]
    assert world.cluster.verbs("apply", "delete", "dry-run") == []
    stored = world.store.stored[KEY, number].revision
    assert stored == replace(outside, labels=stored.labels)
    assert is_ours(stored)
    assert stored.labels["team"] == "shop"
    marks = Marks.of(stored)
    assert (marks.action, marks.trigger, marks.made_from) == (action, "outside", None)
    assert ready(status)["status"] == "True"
    again = await pass_over(world, wanting(), status)
    assert again == (Ending.IN_SYNC, status)


async def test_a_mark_that_could_not_be_set_is_set_by_the_next_pass(world):
    await leave_outside(world)
    world.store.refuse("mark", REFUSED)
    ending, status = await pass_over(world, wanting())
    assert ending is Ending.REFUSED
    ending, _ = await pass_over(world, wanting(), status)
    assert ending is Ending.IN_SYNC
    assert is_ours(world.store.stored[KEY, 1].revision)


async def test_what_renders_to_something_else_is_an_upgrade(world):
    await leave_outside(world)
    ending, status = await pass_over(world, wanting(an_object(data={"a": "1"})))
    assert ending is Ending.IN_SYNC
    assert world.store.statuses(KEY) == {1: "superseded", 2: "deployed"}
    assert [entry["trigger"] for entry in status["history"]] == ["outside", "outside"]


async def test_an_adoption_waits_for_its_approval_and_makes_no_revision(world):
    await leave_outside(world)
    ending, status = await pass_over(world, wanting(approval=Approval.MANUAL))
    assert ending is Ending.UNAPPROVED
    assert world.store.writes == []
    plan = status["plan"]
    assert (plan["action"], plan["revision"], plan["takeOver"]) == ("adopt", 1, 1)
    requests = len(world.renderer.requests)
    assert (await pass_over(world, wanting(approval=Approval.MANUAL), status))[1] == status
    assert len(world.renderer.requests) == requests
    approved = wanting(approval=Approval.MANUAL, approved_plan=plan["digest"])
    ending, status = await pass_over(world, approved, status)
    assert ending is Ending.IN_SYNC
    assert world.store.writes == [("mark", KEY, 1, "deployed")]
    assert "plan" not in status


async def test_a_plan_to_adopt_is_void_once_another_revision_was_made(world):
    outside = await leave_outside(world)
    _, status = await pass_over(world, wanting(approval=Approval.MANUAL))
    digest = status["plan"]["digest"]
    world.store.put(KEY, replace(outside, number=2))
    approved = wanting(approval=Approval.MANUAL, approved_plan=digest)
    ending, status = await pass_over(world, approved, status)
    assert ending is Ending.UNAPPROVED
    assert status["plan"]["digest"] != digest


@pytest.mark.parametrize("revision", [None, 1], ids=["upgrade", "rollback"])
async def test_a_release_that_flux_is_at_work_on_is_left_alone(flux, revision):
    await leave_outside(flux, marked(an_object()))
    if revision:
        other = a_revision(2, name="blog", namespace=NAMESPACE, objects=[marked(an_object())])
        flux.store.put(KEY, replace(other, status=ReleaseStatus.DEPLOYED, labels={}))
    release = wanting()
    release = replace(release, spec=replace(release.spec, revision=revision))
    ending, status = await pass_over(flux, release)
    assert ending is Ending.REFUSED
    assert ready(status)["reason"] == "HeldByFlux"
    assert "HelmRelease flux/blog of Flux is at work" in ready(status)["message"]
    assert flux.store.writes == []
    assert flux.cluster.verbs("apply", "delete", "dry-run") == []

    flux.cluster.edit(TENDED, lambda body: body["spec"].update(suspend=True))
    ending, _ = await pass_over(flux, release, status)
    assert ending is Ending.IN_SYNC


async def test_what_flux_left_is_taken_over(flux):
    flux.cluster.remove(TENDED)
    await leave_outside(flux, marked(an_object()))
    ending, _ = await pass_over(flux, wanting())
    assert ending is Ending.IN_SYNC


async def test_without_the_right_to_look_nothing_marked_is_taken_over(flux):
    flux.cluster.refuse("read", TENDED, REFUSED)
    with pytest.raises(HeldByFlux, match=r"flux/blog.*cannot be told: you may not") as refused:
        await refuse_what_flux_tends(flux.cluster, OPERATOR, [marked(an_object())])
    assert refused.value.retryable


async def test_where_the_kind_of_flux_is_unknown_nothing_holds(world):
    await refuse_what_flux_tends(world.cluster, OPERATOR, [marked(an_object())])


async def test_an_older_flux_is_known_too(world):
    old = ("helm.toolkit.fluxcd.io/v2beta1", "HelmRelease")
    world.cluster.kinds[old] = True
    world.cluster.put(
        {"apiVersion": old[0], "kind": old[1], "metadata": {"name": "blog"}, "spec": None}, "flux"
    )
    with pytest.raises(HeldByFlux):
        await refuse_what_flux_tends(world.cluster, OPERATOR, [marked(an_object())])


async def test_objects_of_another_cluster_may_be_flux_s_here_or_there(flux):
    there = Identity(remote=RemoteCluster("shop", "other"))
    flux.cluster.edit(TENDED, lambda body: body["spec"].update(suspend=True))
    flux.cluster.calls.clear()
    await refuse_what_flux_tends(flux.cluster, there, [marked(an_object())])
    asked = [identity for _, subject, identity in flux.cluster.calls if subject == TENDED]
    assert asked == [OPERATOR, there]


async def test_all_objects_of_others_are_named_at_once(world):
    world.cluster.put(an_object(), NAMESPACE)
    world.cluster.put(owned(an_object(name="extra"), "other"), NAMESPACE)
    ending, status = await pass_over(world, wanting(an_object(), an_object(name="extra")))
    assert ending is Ending.REFUSED
    assert ready(status)["reason"] == "ReleaseConflict"
    assert ready(status)["message"] == (
        "2 objects exist and are not this release's: ConfigMap shop/extra (of release shop/other),"
        " ConfigMap shop/settings (of no release); to take over what is there, set"
        " spec.install.disableTakeOwnership to false"
    )
    assert world.store.writes == []


def test_one_object_of_others_is_told_in_helms_words():
    found = conflict("upgrade", ["ConfigMap shop/a (of no release)"], "Helm says no", "it")
    assert isinstance(found, ReleaseConflict)
    assert found.text.startswith("Helm says no; to take over")
    assert "spec.upgrade.disableTakeOwnership" in found.text


def test_as_many_objects_of_others_are_named_as_status_has_room_for():
    names = [f"ConfigMap shop/{number:03} (of no release)" for number in range(100)]
    text = conflict("install", names, "", "it").text
    assert "and 60 more; to take over" in text
    assert len(text) < 2048


async def test_what_is_taken_over_is_told_by_an_event(world):
    world.cluster.put(an_object(), NAMESPACE)
    release = wanting()
    install = replace(release.spec.install, take_ownership=True)
    release = replace(release, spec=replace(release.spec, install=install))
    ending, _ = await pass_over(world, release)
    assert ending is Ending.IN_SYNC
    events = world.reporter.shown["shop", "blog"].events
    told = [event for event in events if event.reason == "TakenOver"]
    assert [event.message for event in told] == [
        "takes over ConfigMap shop/settings (of no release)"
    ]


def test_a_policy_that_the_cli_recorded_of_its_own_is_no_part_of_a_hook():
    recorded = hook("early", policies=["before-hook-creation"])
    assert as_rendered(recorded).delete_policies == ()
    said = annotated(recorded.body, hook_delete_policy="before-hook-creation")
    assert as_rendered(replace(recorded, body=said)).delete_policies == recorded.delete_policies
