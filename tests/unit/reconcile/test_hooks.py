import asyncio
from dataclasses import replace

import pytest

from tests.builders.virtual_time import skip_waits
from tests.builders.worlds import (
    AWAY,
    KEY,
    NAMESPACE,
    REFUSED,
    a_world,
    fail_jobs,
    hook,
    stored_work,
)
from whipstaff.errors import ClusterRefused
from whipstaff.reconcile.hooks import HookFailed, in_run_order, run_hooks
from whipstaff.reconcile.ports import ObjectReference
from whipstaff.reconcile.waiting import WaitTimeout
from whipstaff.reconcile.world import Interrupted
from whipstaff.release.marks import EVENT
from whipstaff.release.revision import HookEvent, HookPhase


@pytest.fixture(autouse=True)
async def _virtual_time(monkeypatch):
    skip_waits(monkeypatch)


BEFORE, SUCCEEDED, FAILED = "before-hook-creation", "hook-succeeded", "hook-failed"
PRE, POST = HookEvent.PRE_INSTALL, HookEvent.POST_INSTALL


def a_job(name):
    return ObjectReference("batch/v1", "Job", NAMESPACE, name)


def phases(work):
    return {each.name: each.phase.value for each in work.revision.hooks}


def written(world):
    """Name what was applied and deleted, in order."""
    return [
        f"{verb} {subject.rpartition('/')[2]}"
        for verb, subject in world.cluster.verbs("apply", "delete")
    ]


async def stored_phase(world, name):
    revision = await world.store.read(KEY, 1, None)
    return next(each.phase for each in revision.hooks if each.name == name)


# Which run, in which order.


def test_hooks_run_by_weight_then_by_name():
    hooks = [hook("b"), hook("z", weight=-1), hook("a", weight=10), hook("c", weight=9), hook("a0")]
    names = [each.name for each in in_run_order(hooks, PRE)]
    assert names == ["z", "a0", "b", "c", "a"]


def test_hooks_of_one_weight_and_name_run_in_the_install_order_of_their_kinds():
    hooks = [hook("a", kind="Pod"), hook("a", kind="ServiceAccount"), hook("a", kind="ConfigMap")]
    kinds = [each.kind for each in in_run_order(hooks, PRE)]
    assert kinds == ["ServiceAccount", "ConfigMap", "Pod"]


def test_only_the_hooks_of_the_event_run():
    hooks = [hook("a"), hook("b", "post-install"), hook("c", "pre-install", "post-install")]
    assert [each.name for each in in_run_order(hooks, POST)] == ["b", "c"]


async def test_hooks_run_one_after_another():
    world = a_world()
    work = stored_work(world, hook("b"), hook("a"))
    await run_hooks(world, work, PRE, 1)
    assert written(world) == ["apply a", "apply b"]
    assert phases(work) == {"a": "Succeeded", "b": "Succeeded"}
    assert await stored_phase(world, "b") is HookPhase.SUCCEEDED


async def test_a_hook_is_applied_as_it_is_without_marks_of_ownership():
    world = a_world()
    await run_hooks(world, stored_work(world, hook("a")), PRE, 1)
    metadata = world.cluster.objects[a_job("a")]["metadata"]
    assert not metadata.keys() & {"labels", "annotations"}


async def test_waiting_for_a_hook_holds_no_worker():
    world = a_world()
    work = stored_work(world, hook("a"))
    await run_hooks(world, work, PRE, 1)
    assert work.intent.waits == 1


# Delete policies.


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        pytest.param((), ["delete a", "apply a"], id="none"),
        pytest.param((BEFORE,), ["delete a", "apply a"], id="before-hook-creation"),
        pytest.param((SUCCEEDED,), ["apply a", "delete a"], id="hook-succeeded"),
        pytest.param((FAILED,), ["apply a"], id="hook-failed"),
        pytest.param((BEFORE, SUCCEEDED), ["delete a", "apply a", "delete a"], id="both"),
    ],
)
async def test_a_policy_says_when_a_hook_that_succeeds_is_deleted(policies, expected):
    world = a_world()
    one = hook("a", policies=policies)
    world.cluster.put(one.body, NAMESPACE)
    await run_hooks(world, stored_work(world, one), PRE, 1)
    assert written(world) == expected


async def test_succeeded_hooks_are_deleted_last_one_first_after_all_have_run():
    world = a_world()
    hooks = [hook(name, policies=[SUCCEEDED]) for name in "abc"]
    await run_hooks(world, stored_work(world, *hooks), PRE, 1)
    assert written(world) == ["apply a", "apply b", "apply c", "delete c", "delete b", "delete a"]


async def test_no_policy_deletes_a_definition():
    world = a_world()
    one = hook("a", kind="CustomResourceDefinition", policies=[BEFORE, SUCCEEDED, FAILED])
    spec = {"group": "g.test", "names": {"kind": "A"}}
    body = one.body | {"apiVersion": "apiextensions.k8s.io/v1", "spec": spec}
    world.cluster.put(body)
    await run_hooks(world, stored_work(world, replace(one, body=body)), PRE, 1)
    assert written(world) == ["apply CustomResourceDefinition a"]


# Failures.


async def test_a_failed_hook_is_named_with_its_cause_and_ends_the_event():
    world = a_world(settle=fail_jobs("b"))
    work = stored_work(world, *(hook(name, policies=[BEFORE]) for name in "abc"))
    with pytest.raises(HookFailed, match=r"^Job shop/b failed: it broke$"):
        await run_hooks(world, work, PRE, 1)
    assert written(world) == ["apply a", "apply b"]
    assert phases(work) == {"a": "Succeeded", "b": "Failed", "c": ""}
    assert await stored_phase(world, "b") is HookPhase.FAILED


async def test_after_a_failure_policies_apply_to_the_failed_and_to_those_before_it():
    world = a_world(settle=fail_jobs("c"))
    hooks = [hook("a", policies=[SUCCEEDED]), hook("b", policies=[FAILED])]
    hooks += [hook("c", policies=[FAILED, SUCCEEDED]), hook("d", policies=[SUCCEEDED])]
    with pytest.raises(HookFailed):
        await run_hooks(world, stored_work(world, *hooks), PRE, 1)
    assert written(world)[3:] == ["delete c", "delete a"]


async def test_what_cannot_be_cleaned_up_does_not_hide_why_the_hook_failed():
    world = a_world(settle=fail_jobs("a"))
    world.cluster.refuse("delete", a_job("a"), REFUSED)
    with pytest.raises(HookFailed, match="it broke"):
        await run_hooks(world, stored_work(world, hook("a", policies=[FAILED])), PRE, 1)


async def test_a_hook_that_is_refused_fails():
    world = a_world()
    world.cluster.refuse("apply", a_job("a"), REFUSED)
    work = stored_work(world, hook("a"))
    with pytest.raises(ClusterRefused, match="you may not"):
        await run_hooks(world, work, PRE, 1)
    assert phases(work) == {"a": "Failed"}


async def test_a_hook_that_takes_too_long_fails_and_the_text_says_how_it_stands():
    world = a_world(settle=lambda body: None)
    work = stored_work(world, hook("a"))
    with pytest.raises(WaitTimeout, match=r"^timed out after 0.05s: Job shop/a: the Job has not"):
        await run_hooks(world, work, PRE, 0.05)
    assert phases(work) == {"a": "Failed"}


async def test_a_hook_that_disappears_fails_at_once():
    world = a_world(settle=lambda body: None)
    work = stored_work(world, hook("a"))
    running = asyncio.create_task(run_hooks(world, work, PRE, 30))
    await work.intent.began_to_wait.wait()
    await asyncio.sleep(0.01)
    world.cluster.remove(a_job("a"))
    with pytest.raises(HookFailed, match="Job shop/a is gone, and nobody saw how it ended"):
        await asyncio.wait_for(running, 5)


async def test_a_newer_spec_ends_the_wait_for_a_hook_without_calling_it_failed():
    world = a_world(settle=lambda body: None)
    work = stored_work(world, hook("a"))
    running = asyncio.create_task(run_hooks(world, work, PRE, 30))
    await work.intent.began_to_wait.wait()
    work.intent.change()
    with pytest.raises(Interrupted):
        await asyncio.wait_for(running, 5)
    assert phases(work) == {"a": "Running"}


# Kills and resumption.


def resumed(world, work):
    """Work as after a restart: with what was stored, and nothing else."""
    stored = world.store.stored[KEY, 1].revision
    return replace(work, revision=stored, known={})


async def test_a_hook_that_succeeded_does_not_run_again_after_a_kill():
    world = a_world()
    work = stored_work(world, hook("a", policies=[SUCCEEDED]), hook("b"))
    world.cluster.refuse("apply", a_job("b"), AWAY)
    with pytest.raises(ClusterRefused):
        await run_hooks(world, work, PRE, 1)
    await run_hooks(world, resumed(world, work), PRE, 1)
    assert written(world) == ["apply a", "apply b", "apply b", "delete a"]


async def test_the_end_of_a_hook_is_recorded_before_its_policy_deletes_it():
    world = a_world()
    work = stored_work(world, hook("a", policies=[SUCCEEDED]))
    world.cluster.refuse("delete", a_job("a"), AWAY)
    with pytest.raises(ClusterRefused):
        await run_hooks(world, work, PRE, 1)
    assert await stored_phase(world, "a") is HookPhase.SUCCEEDED
    await run_hooks(world, resumed(world, work), PRE, 1)
    assert written(world) == ["apply a", "delete a", "delete a"]


async def test_a_hook_that_runs_is_waited_for_after_a_kill_and_not_started_anew():
    world = a_world(settle=lambda body: None)
    work = stored_work(world, hook("a", policies=[BEFORE]))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(run_hooks(world, work, PRE, 30), 0.05)
    assert await stored_phase(world, "a") is HookPhase.RUNNING
    complete = {"conditions": [{"type": "Complete", "status": "True"}]}
    world.cluster.edit(a_job("a"), lambda body: body.update(status=complete))
    await run_hooks(world, resumed(world, work), PRE, 1)
    assert written(world) == ["apply a"]


async def test_a_hook_that_was_to_be_started_at_the_kill_is_started():
    world = a_world()
    work = stored_work(world, hook("a"))
    world.cluster.refuse("apply", a_job("a"), AWAY)
    with pytest.raises(ClusterRefused):
        await run_hooks(world, work, PRE, 1)
    assert await stored_phase(world, "a") is HookPhase.RUNNING
    await run_hooks(world, resumed(world, work), PRE, 1)
    assert a_job("a") in world.cluster.objects


async def test_a_hook_of_two_events_runs_at_both():
    world = a_world()
    work = stored_work(world, hook("a"), hook("b", PRE, POST), hook("c", PRE, POST))
    await run_hooks(world, work, PRE, 1)
    await run_hooks(world, work, POST, 1)
    applied = [text for text in written(world) if text.startswith("apply")]
    assert applied == ["apply a", "apply b", "apply c", "apply b", "apply c"]
    assert work.revision.labels[EVENT] == "post-install"


async def test_a_kill_after_the_first_event_runs_none_of_its_hooks_again():
    world = a_world()
    work = stored_work(world, hook("a", PRE, POST), hook("b", POST))
    await run_hooks(world, work, PRE, 1)
    world.cluster.refuse("apply", a_job("a"), AWAY)
    with pytest.raises(ClusterRefused):
        await run_hooks(world, work, POST, 1)
    again = resumed(world, work)
    before = len(written(world))
    await run_hooks(world, again, PRE, 1)
    assert written(world)[before:] == []
    await run_hooks(world, again, POST, 1)
    assert [text for text in written(world)[before:] if "apply" in text] == ["apply a", "apply b"]


async def test_hooks_before_deletion_run_though_the_same_ones_ran_at_the_installation():
    world = a_world()
    work = stored_work(world, hook("a", POST, "pre-delete"), hook("b", POST, "pre-delete"))
    await run_hooks(world, work, POST, 1)
    before = len(written(world))
    await run_hooks(world, work, HookEvent.PRE_DELETE, 1)
    applied = [text for text in written(world)[before:] if text.startswith("apply")]
    assert applied == ["apply a", "apply b"]


async def test_a_failed_hook_of_a_deletion_is_run_again_by_the_next_pass():
    world = a_world(settle=fail_jobs("b"))
    work = stored_work(world, hook("a", "pre-delete"), hook("b", "pre-delete"))
    with pytest.raises(HookFailed):
        await run_hooks(world, work, HookEvent.PRE_DELETE, 1)
    before = len(written(world))
    with pytest.raises(HookFailed):
        await run_hooks(world, resumed(world, work), HookEvent.PRE_DELETE, 1)
    assert written(world)[before:] == ["delete b", "apply b"]
