from dataclasses import replace

import pytest

from tests.builders.observations import a_header, a_release, an_observation
from tests.builders.releases import a_revision
from tests.builders.worlds import (
    AWAY,
    KEY,
    NAMESPACE,
    NOW,
    REFUSED,
    a_world,
    an_object,
    hook,
    owned,
)
from whipstaff.errors import ChartUnavailable, ClusterRefused, ReleaseConflict
from whipstaff.helmrelease.types import ActionOptions, CRDPolicy
from whipstaff.planning.decision import Action, Decision
from whipstaff.reconcile.ports import Identity, ObjectReference, ResolvedChart
from whipstaff.reconcile.prepare import Preparation, Unchanged
from whipstaff.release.generated import generated_in, with_generated
from whipstaff.release.marks import GENERATED, REVISION
from whipstaff.release.revision import HookPhase, ReleaseStatus

CHART = ResolvedChart("blog", "1.0.0", "sha256:00", "/charts/blog-1.0.0.tgz")
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.g.test"},
    "spec": {"group": "g.test", "names": {"kind": "Thing"}, "versions": [{"name": "v1"}]},
}
THING = an_object("Thing", "one", "g.test/v1")


def a_release_of(*objects, **spec):
    return a_release(values={"objects": list(objects)}, **spec)


def preparation(world, release, *headers, action=Action.INSTALL, **decision):
    seen = an_observation(*headers, release=release)
    return Preparation(world, seen, Decision(action, **decision))


def store(world, number, status, *objects, **facts):
    """Store a revision and return its header."""
    revision = a_revision(
        number,
        name="blog",
        namespace=NAMESPACE,
        status=ReleaseStatus(status),
        objects=objects,
        **{"hooks": ()} | facts,
    )
    world.store.put(KEY, revision)
    return a_header(number, status)


def changes(world):
    """Name the calls that could have changed something."""
    return world.cluster.verbs("apply", "delete", "ensure-namespace") + world.store.writes


async def test_a_new_revision_says_what_it_is_and_nothing_is_written():
    world = a_world()
    change = await preparation(world, a_release_of(an_object())).release(CHART)
    revision = change.revision
    assert (revision.number, revision.status) == (1, ReleaseStatus.PENDING_INSTALL)
    assert revision.description == "Initial install underway"
    assert revision.labels[REVISION] == "1"
    assert revision.objects == (an_object(),)
    assert revision.config == {"objects": [an_object()]}
    assert (revision.first_deployed, revision.last_deployed) == (NOW, NOW)
    assert not change.stored
    assert changes(world) == []


async def test_an_upgrade_keeps_the_moment_of_the_first_deployment():
    world = a_world()
    old = store(world, 1, "deployed", first_deployed="2020-01-01T00:00:00Z")
    prepared = preparation(world, a_release_of(an_object()), old, action=Action.UPGRADE)
    change = await prepared.release(CHART)
    assert change.revision.first_deployed == "2020-01-01T00:00:00Z"
    assert (change.revision.number, change.to_supersede) == (2, (1,))
    assert [each.number for each in change.earlier] == [1]


async def test_what_renders_to_what_runs_is_no_change():
    world = a_world()
    release = a_release_of(an_object())
    first = (await preparation(world, release).release(CHART)).revision
    world.store.put(KEY, replace(first, status=ReleaseStatus.DEPLOYED))
    (header,) = await world.store.history(KEY, None)
    prepared = preparation(world, release, header, action=Action.UPGRADE)
    assert await prepared.release(CHART) == Unchanged()


@pytest.mark.parametrize(
    ("policy", "changes"),
    [(CRDPolicy.SKIP, False), (CRDPolicy.CREATE, True), (CRDPolicy.CREATE_REPLACE, True)],
)
async def test_definitions_that_are_others_are_a_change_unless_they_are_skipped(policy, changes):
    world = a_world()
    world.renderer.crds = (DEFINITION,)
    release = a_release_of(an_object(), upgrade=ActionOptions(crds=policy))
    first = (await preparation(world, release).release(CHART)).revision
    world.store.put(KEY, replace(first, status=ReleaseStatus.DEPLOYED))
    (header,) = await world.store.history(KEY, None)
    prepared = preparation(world, release, header, action=Action.UPGRADE)
    assert await prepared.release(CHART) == Unchanged()
    world.renderer.crds = ({**DEFINITION, "described": "otherwise"},)
    assert (await prepared.release(CHART) != Unchanged()) is changes


async def test_inputs_that_are_not_known_make_no_revision():
    world = a_world()
    seen = an_observation(release=a_release(), inputs=ChartUnavailable("repository away"))
    with pytest.raises(ChartUnavailable):
        await Preparation(world, seen, Decision(Action.INSTALL)).release(CHART)


@pytest.mark.parametrize("action", [Action.INSTALL, Action.UPGRADE])
async def test_the_options_of_the_action_say_whether_the_schema_is_asked(action):
    world = a_world()
    option = {str(action): ActionOptions(disable_schema_validation=True)}
    for release, skipped in ((a_release_of(**option), True), (a_release_of(), False)):
        await preparation(world, release, action=action).release(CHART)
        assert world.renderer.requests[-1].skip_schema_validation is skipped


# Checked against the cluster beforehand.


async def test_every_object_is_tried_before_the_first_is_written():
    world = a_world()
    objects = [an_object(name=name) for name in ("a", "b")]
    change = await preparation(world, a_release_of(*objects)).release(CHART)
    assert [subject for _, subject in world.cluster.verbs("dry-run")] == [
        "ConfigMap shop/a",
        "ConfigMap shop/b",
    ]
    assert len(change.revision.objects) == 2


async def test_a_refused_object_is_named_and_nothing_is_written():
    world = a_world()
    live = an_object("Deployment", "web", "apps/v1", spec={"selector": {"a": "b"}})
    world.cluster.put(owned(live), NAMESPACE)
    wanted = an_object("Deployment", "web", "apps/v1", spec={"selector": {"a": "c"}})
    with pytest.raises(ClusterRefused, match=r"Deployment.*selector.*immutable"):
        await preparation(world, a_release_of(an_object(), wanted)).release(CHART)
    assert changes(world) == []


@pytest.mark.parametrize(
    ("live", "text"),
    [
        pytest.param(an_object(), 'missing key "app.kubernetes.io/managed-by"', id="nobody's"),
        pytest.param(owned(an_object(), name="other"), 'current value is "other"', id="another's"),
    ],
)
async def test_an_object_of_someone_else_is_a_conflict(live, text):
    world = a_world()
    world.cluster.put(live, NAMESPACE)
    with pytest.raises(ReleaseConflict, match=text) as conflict:
        await preparation(world, a_release_of(an_object())).release(CHART)
    assert conflict.value.holder == "ConfigMap shop/settings"
    assert world.cluster.verbs("dry-run") == []


async def test_an_object_of_an_earlier_revision_is_no_conflict_whatever_marks_it_lost():
    world = a_world()
    world.cluster.put(an_object(), NAMESPACE)
    old = store(world, 1, "deployed", an_object())
    prepared = preparation(world, a_release_of(an_object()), old, action=Action.UPGRADE)
    assert (await prepared.release(CHART)).revision.number == 2


async def test_objects_of_a_kind_that_comes_along_are_not_tried():
    world = a_world()
    change = await preparation(world, a_release_of(THING, DEFINITION)).release(CHART)
    assert len(change.revision.objects) == 2
    tried = [subject for _, subject in world.cluster.verbs("dry-run")]
    assert tried == ["CustomResourceDefinition things.g.test"]


async def test_a_kind_that_nobody_brings_is_refused():
    world = a_world()
    with pytest.raises(ClusterRefused, match='no matches for kind "Thing"'):
        await preparation(world, a_release_of(THING)).release(CHART)


@pytest.mark.parametrize("policy", [CRDPolicy.CREATE, CRDPolicy.CREATE_REPLACE])
async def test_the_definitions_of_crds_come_along_if_the_policy_lets_them(policy):
    world = a_world()
    world.renderer.crds = (DEFINITION,)
    release = a_release_of(THING, install=ActionOptions(crds=policy))
    change = await preparation(world, release).release(CHART)
    assert change.crds == (DEFINITION,)


async def test_definitions_that_are_skipped_bring_no_kind():
    world = a_world()
    world.renderer.crds = (DEFINITION,)
    release = a_release_of(THING, install=ActionOptions(crds=CRDPolicy.SKIP))
    with pytest.raises(ClusterRefused, match='no matches for kind "Thing"'):
        await preparation(world, release).release(CHART)


async def test_objects_in_a_namespace_that_comes_along_are_not_tried():
    world = a_world()
    inside = an_object() | {"metadata": {"name": "a", "namespace": "new"}}
    await preparation(world, a_release_of(an_object("Namespace", "new"), inside)).release(CHART)
    assert [subject for _, subject in world.cluster.verbs("dry-run")] == ["Namespace new"]


# Namespaces.


async def test_a_missing_namespace_is_refused_unless_it_is_to_be_created():
    world = a_world(namespaces=())
    release = a_release_of(an_object())
    elsewhere = replace(release.spec, target_namespace="away", storage_namespace="away")
    release = replace(release, spec=elsewhere)
    with pytest.raises(ClusterRefused, match='namespace "away" does not exist') as refused:
        await preparation(world, release).release(CHART)
    assert refused.value.reason == "NamespaceNotFound"
    release = replace(release, spec=replace(elsewhere, create_namespace=True))
    change = await preparation(world, release).release(CHART)
    assert change.namespaces == ("away",)
    assert changes(world) == []


@pytest.mark.parametrize(("error", "goes_on"), [(REFUSED, True), (AWAY, False)])
async def test_who_may_not_see_namespaces_needs_not(error, goes_on):
    world = a_world(namespaces=(NAMESPACE, "away"))
    namespace = ObjectReference("v1", "Namespace", "", "away")
    world.cluster.refuse("read", namespace, error)
    release = a_release_of(an_object())
    elsewhere = replace(release.spec, target_namespace="away", storage_namespace="away")
    prepared = preparation(world, replace(release, spec=elsewhere))
    if goes_on:
        assert (await prepared.release(CHART)).namespaces == ()
    else:
        with pytest.raises(ClusterRefused):
            await prepared.release(CHART)


# Who asks.


async def test_every_call_is_the_tenants_own_lookups_too():
    world = a_world()
    release = a_release_of(an_object(), service_account_name="deployer")
    lookup = ["v1", "ConfigMap", NAMESPACE, "any"]
    values = release.spec.values | {"lookup": lookup}
    release = replace(release, spec=replace(release.spec, values=values))
    await preparation(world, release).release(CHART)
    tenant = Identity("deployer", release.namespace)
    assert {identity for _, _, identity in world.cluster.calls} == {tenant}
    assert "lookup" in {verb for verb, _, _ in world.cluster.calls}


# Rolling back and resuming.


async def test_a_rollback_copies_a_revision_and_its_hooks_run_anew():
    world = a_world()
    ran = hook("a", phase=HookPhase.SUCCEEDED, started_at=NOW, completed_at=NOW)
    source = store(world, 1, "superseded", an_object(), hooks=(ran,), apply_method="csa")
    newest = store(world, 2, "deployed", an_object(data={"a": "new"}))
    prepared = preparation(
        world, a_release(), source, newest, action=Action.ROLLBACK, source=source
    )
    change = await prepared.rollback()
    revision = change.revision
    assert (revision.number, revision.description) == (3, "Rollback to 1")
    assert revision.status is ReleaseStatus.PENDING_ROLLBACK
    assert revision.objects == (an_object(),)
    assert revision.apply_method == "ssa"
    assert [each.phase for each in revision.hooks] == [HookPhase.NEVER]
    assert (change.kind, change.to_supersede) == ("rollback", (2,))
    assert changes(world) == []


async def test_a_revision_is_resumed_as_it_was_stored_and_not_checked_again():
    world = a_world()
    store(world, 1, "pending-upgrade", an_object())
    header = a_header(1, "pending-upgrade", action="upgrade")
    prepared = preparation(world, a_release(), header, action=Action.RESUME, source=header)
    change = await prepared.resume()
    assert (change.kind, change.stored, change.revision.number) == ("upgrade", True, 1)
    assert world.cluster.verbs("dry-run") == []
    assert world.renderer.requests == []


async def test_what_failed_since_the_last_good_revision_is_known_for_pruning():
    world = a_world()
    headers = [
        store(world, 1, "superseded"),
        store(world, 2, "deployed"),
        store(world, 3, "failed"),
        store(world, 4, "failed"),
    ]
    prepared = preparation(world, a_release_of(an_object()), *headers, action=Action.UPGRADE)
    change = await prepared.release(CHART)
    assert [each.number for each in change.earlier] == [4, 3, 2]


# What templates generated is taken from the newest revision.


KEPT = with_generated({"metadata": {"name": "blog"}}, {"uuidv4-0.1": "kept"})
OLDER = with_generated({"metadata": {"name": "blog"}}, {"uuidv4-0.1": "older"})


def a_kept(world, number, status, chart, **marks):
    """Store a revision that keeps something; give its header."""
    store(world, number, status, chart=chart)
    return a_header(number, status, **marks)


async def asked_for(world, *headers):
    """Give what the renderer is told of what was kept."""
    release = a_release_of(an_object(), stable_generated=True)
    await preparation(world, release, *headers, action=Action.UPGRADE).release(CHART)
    (request,) = world.renderer.requests
    assert request.stable_generated
    return request.generated


async def test_what_a_failed_revision_generated_counts():
    world = a_world()
    old = a_kept(world, 1, "deployed", OLDER, generated=True)
    newest = a_kept(world, 2, "failed", KEPT, generated=True)
    assert await asked_for(world, old, newest) == generated_in(KEPT)


async def test_a_revision_of_ours_that_keeps_nothing_ends_the_search():
    world = a_world()
    old = a_kept(world, 1, "superseded", KEPT, generated=True)
    newest = store(world, 2, "deployed")
    assert await asked_for(world, old, newest) == ""


async def test_an_upgrade_outside_hides_nothing():
    world = a_world()
    old = a_kept(world, 1, "superseded", KEPT, generated=True)
    outside = a_kept(world, 2, "deployed", {}, ours=False, generated=True)
    assert await asked_for(world, old, outside) == generated_in(KEPT)


async def test_a_rollback_outside_brings_its_own():
    world = a_world()
    old = a_kept(world, 1, "superseded", KEPT, generated=True)
    outside = a_kept(world, 2, "deployed", OLDER, ours=False)
    assert await asked_for(world, old, outside) == generated_in(OLDER)


async def test_nothing_is_looked_for_unless_it_is_asked_for():
    world = a_world()
    old = a_kept(world, 1, "deployed", KEPT, generated=True)
    await preparation(world, a_release_of(an_object()), old, action=Action.UPGRADE).release(CHART)
    (request,) = world.renderer.requests
    assert (request.stable_generated, request.generated) == (False, "")


async def test_a_rollback_keeps_what_its_source_kept():
    world = a_world()
    source = a_kept(world, 1, "superseded", KEPT, generated=True)
    newest = a_kept(world, 2, "deployed", OLDER, generated=True)
    prepared = preparation(
        world, a_release(revision=1), source, newest, action=Action.ROLLBACK, source=source
    )
    revision = (await prepared.rollback()).revision
    assert generated_in(revision.chart) == generated_in(KEPT)
    assert revision.labels[GENERATED] == "true"


async def test_a_revision_says_that_it_keeps_something():
    world = a_world()
    world.renderer.chart = KEPT
    change = await preparation(world, a_release_of(an_object())).release(CHART)
    assert change.revision.labels[GENERATED] == "true"
