import pytest

from tests.builders.observations import a_header
from whipstaff.helmrelease.types import ActionOptions, CRDPolicy, UninstallOptions
from whipstaff.planning import steps
from whipstaff.planning.steps import Change, history_to_forget, steps_for, steps_to_uninstall
from whipstaff.release.revision import Hook, HookEvent, ReleaseStatus, Revision, RevisionNumber


def an_object(kind, name, **metadata):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **metadata}}


def a_hook(*events):
    return Hook("h", "Job", "t.yaml", "", an_object("Job", "h"), tuple(map(HookEvent, events)))


def a_revision(number, *objects, hooks=(), status="pending-upgrade"):
    return Revision(
        name="blog",
        namespace="shop",
        number=RevisionNumber(number),
        status=ReleaseStatus(status),
        chart={},
        config={},
        manifest="",
        objects=objects,
        hooks=hooks,
    )


def kinds(plan):
    return [type(step).__name__ for step in plan]


def test_the_plan_of_an_upgrade_follows_the_crash_order():
    change = Change(
        kind="upgrade",
        revision=a_revision(2, hooks=(a_hook("pre-upgrade"), a_hook("post-upgrade"))),
        options=ActionOptions(),
        earlier=(a_revision(1, an_object("Secret", "old")),),
        to_supersede=(RevisionNumber(1),),
        to_forget=(RevisionNumber(0),),
    )
    assert kinds(steps_for(change)) == [
        "Store",
        "RunHooks",
        "Apply",
        "AwaitReady",
        "RunHooks",
        "Prune",
        "MarkDeployed",
        "Supersede",
        "PruneHistory",
    ]


def test_a_resumed_revision_is_not_stored_again():
    change = Change("install", a_revision(1), ActionOptions(), stored=True)
    assert kinds(steps_for(change)) == ["Apply", "AwaitReady", "MarkDeployed"]


def test_options_leave_steps_out():
    options = ActionOptions(disable_hooks=True, disable_wait=True, crds=CRDPolicy.SKIP)
    revision = a_revision(1, hooks=(a_hook("pre-install"),))
    change = Change(
        "install", revision, options, crds=(an_object("CustomResourceDefinition", "c"),)
    )
    assert kinds(steps_for(change)) == ["Store", "Apply", "MarkDeployed"]


def test_kept_objects_are_not_pruned():
    kept = an_object("Secret", "keep", annotations={"helm.sh/resource-policy": "keep"})
    old = a_revision(1, kept, an_object("Secret", "old"))
    plan = steps_for(Change("upgrade", a_revision(2), ActionOptions(), earlier=(old,)))
    prune = next(step for step in plan if isinstance(step, steps.Prune))
    assert [body["metadata"]["name"] for body in prune.candidates] == ["old"]


def test_an_uninstallation_forgets_the_newest_revision_last():
    revision = a_revision(3, an_object("Secret", "s"), an_object("Service", "v"), status="deployed")
    plan = steps_to_uninstall(
        [revision], [RevisionNumber(n) for n in (3, 2, 1)], UninstallOptions(), hooks_can_run=True
    )
    assert kinds(plan) == ["MarkUninstalling", "Remove", "Purge"]
    assert [body["kind"] for body in plan[1].objects] == ["Service", "Secret"]
    assert plan[2].numbers == (1, 2, 3)


def test_nothing_is_recorded_or_awaited_in_a_namespace_that_is_going():
    revision = a_revision(1, hooks=(a_hook("pre-delete"),), status="deployed")
    plan = steps_to_uninstall(
        [revision], [RevisionNumber(1)], UninstallOptions(keep_history=True), hooks_can_run=False
    )
    assert kinds(plan) == ["Remove", "Purge"]
    assert not plan[0].wait


@pytest.mark.parametrize(
    ("stored", "keep", "spared", "forgotten"),
    [
        pytest.param([1, 2, 3], 0, set(), (), id="0 keeps all"),
        pytest.param([1, 2], 3, set(), (), id="there is room"),
        pytest.param([1, 2, 3], 3, set(), (1,), id="the oldest goes"),
        pytest.param([1, 2, 3, 4], 3, {1}, (2, 3), id="what runs is spared"),
        pytest.param([1, 2], 1, {1, 2}, (), id="all are spared"),
    ],
)
def test_history_is_pruned_from_its_oldest_end(stored, keep, spared, forgotten):
    headers = [a_header(number, "superseded") for number in stored]
    assert history_to_forget(headers, keep, frozenset(spared)) == forgotten


def test_failures_never_push_out_what_can_be_rolled_back_to():
    headers = [a_header(1, "superseded"), a_header(2), a_header(3, "failed"), a_header(4, "failed")]
    assert history_to_forget(headers, 3, frozenset({2})) == (3, 4)


def test_what_a_resumed_revision_could_not_bring_comes_before_its_lock():
    change = Change(
        "install",
        a_revision(1),
        ActionOptions(crds=CRDPolicy.CREATE),
        namespaces=("shop",),
        crds=(an_object("CustomResourceDefinition", "c"),),
    )
    assert kinds(steps_for(change))[:3] == ["CreateNamespaces", "InstallCRDs", "Store"]
