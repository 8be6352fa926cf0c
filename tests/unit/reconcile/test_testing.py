"""Tests of a chart: which run, what the record keeps of them, and what they logged."""

import pytest

from tests.builders.virtual_time import skip_waits
from tests.builders.worlds import (
    AWAY,
    KEY,
    NAMESPACE,
    a_world,
    an_object,
    fail_jobs,
    hook,
    stored_work,
)
from whipstaff.errors import ClusterRefused
from whipstaff.helmrelease.types import TestFilter, TestOptions
from whipstaff.reconcile import testing
from whipstaff.reconcile.ports import ObjectReference
from whipstaff.reconcile.world import Interrupted
from whipstaff.release.marks import TESTS
from whipstaff.release.revision import HookPhase

OPTIONS = TestOptions(enable=True)
SECRET = an_object("Secret", "login") | {"stringData": {"password": "hunter2hunter2"}}


@pytest.fixture(autouse=True)
async def _virtual_time(monkeypatch):
    skip_waits(monkeypatch)


def deployed(world, *names, events=("test",), **facts):
    hooks = [hook(name, *events) for name in names]
    return stored_work(world, *hooks, status="deployed", description="Upgrade complete", **facts)


def kept(world):
    """What the store has of the revision: its description, its label, phases of its hooks."""
    revision = world.store.stored[KEY, 1].revision
    phases = {it.name: it.phase.value for it in revision.hooks}
    return revision.description, revision.labels.get(TESTS), phases


def jobs(world):
    return {ref.name for ref in world.cluster.objects if ref.kind == "Job"}


async def test_tests_that_pass_are_recorded():
    world = a_world()
    tested = await testing.test(world, deployed(world, "a", "b"), OPTIONS)
    assert not tested.failed
    assert kept(world) == ("Upgrade complete", "passed", {"a": "Succeeded", "b": "Succeeded"})


async def test_the_first_that_fails_ends_them_and_is_told():
    world = a_world(settle=fail_jobs("a"))
    tested = await testing.test(world, deployed(world, "a", "b"), OPTIONS)
    assert tested.failed
    description, label, phases = kept(world)
    assert description == f"Upgrade complete; tests failed: Job {NAMESPACE}/a failed: it broke"
    assert label == "failed"
    assert phases == {"a": "Failed", "b": ""}


async def test_a_revision_without_tests_is_noted_as_such():
    world = a_world()
    work = deployed(world, "a", events=("pre-install",))
    await testing.test(world, work, OPTIONS)
    assert kept(world) == ("Upgrade complete", "none", {"a": ""})


async def test_filters_leave_the_others_alone():
    world = a_world()
    options = TestOptions(enable=True, filters=(TestFilter("b", exclude=True),))
    await testing.test(world, deployed(world, "a", "b"), options)
    assert kept(world)[2] == {"a": "Succeeded", "b": ""}
    assert jobs(world) == {"a"}


async def test_what_may_succeed_later_is_no_failed_test():
    world = a_world()
    world.cluster.refuse("apply", ObjectReference("batch/v1", "Job", NAMESPACE, "a"), AWAY)
    with pytest.raises(ClusterRefused):
        await testing.test(world, deployed(world, "a"), OPTIONS)
    assert kept(world)[1] is None


async def test_an_interrupted_test_is_none():
    world = a_world()
    work = deployed(world, "a")
    work.intent.change()
    with pytest.raises(Interrupted):
        await testing.test(world, work, OPTIONS)
    assert kept(world)[1] is None


async def test_a_test_that_succeeded_before_a_kill_does_not_run_again():
    world = a_world()
    work = deployed(world, "a", "b")
    await testing.test(world, work, OPTIONS)
    ran = len(world.cluster.verbs("apply"))
    await testing.test(world, work, OPTIONS)
    assert len(world.cluster.verbs("apply")) == ran
    assert kept(world)[2]["a"] == HookPhase.SUCCEEDED


def a_pod(name, job, *containers):
    labels = {testing.JOB_NAME: job}
    spec = {"containers": [{"name": container} for container in containers]}
    return {"metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}, "spec": spec}


async def test_the_tail_of_a_log_is_told_without_secrets():
    world = a_world()
    world.evidence.all_pods = [a_pod("a-1", "a", "one", "two")]
    world.evidence.logs = {
        ("a-1", "one", False): "".join(f"{number}\n" for number in range(30)),
        ("a-1", "two", False): "hunter2hunter2 is \x1b[31mred\n",
    }
    tested = await testing.test(world, deployed(world, "a", objects=[SECRET]), OPTIONS)
    lines = tested.logs["a"].splitlines()
    assert lines[0] == "10"
    assert len(lines) == 21
    assert lines[-1] == "[masked] is  [31mred"


async def test_a_long_log_is_cut_at_its_beginning():
    world = a_world()
    world.evidence.all_pods = [a_pod("a-1", "a", "one")]
    world.evidence.logs = {("a-1", "one", False): "x" * 5000 + "end"}
    tested = await testing.test(world, deployed(world, "a"), OPTIONS)
    assert len(tested.logs["a"]) == testing.LOG_CHARACTERS
    assert tested.logs["a"].startswith("…")
    assert tested.logs["a"].endswith("end")


async def test_a_log_that_may_not_be_read_is_left_out():
    world = a_world()
    world.evidence.forbidden = True
    tested = await testing.test(world, deployed(world, "a"), OPTIONS)
    assert tested.logs == {"a": ""}
    assert not tested.failed
