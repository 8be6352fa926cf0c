"""Whole passes against the world in memory; the real one is tried in tests/cluster."""

from dataclasses import replace

import pytest

from tests.builders.observations import a_release
from tests.builders.virtual_time import skip_waits
from tests.builders.worlds import KEY, NAMESPACE, FakeIntent, a_world, an_object
from whipstaff.errors import ClusterRefused, ReleaseConflict, StorageTooLarge
from whipstaff.planning.status import status_for
from whipstaff.reconcile import loop
from whipstaff.reconcile.loop import Ending, Pass
from whipstaff.reconcile.ports import ObjectReference
from whipstaff.release.marks import ATTEMPT

SETTINGS = ObjectReference("v1", "ConfigMap", NAMESPACE, "settings")
LIMITED = ClusterRefused('pods "web" is forbidden: maximum cpu is 1', 403, "Forbidden")
LATER = 3600  # seconds: every pause is over by then


async def pass_over(world, release, status=None):
    """Make one pass; return how it ended and the status that it wrote."""
    work = Pass(world, FakeIntent(release), status)
    return await work.run(), work.status


def condition(status, kind):
    return next((c for c in status["conditions"] if c["type"] == kind), {})


@pytest.fixture
def release():
    return a_release(values={"objects": [an_object()]})


@pytest.fixture
def failed(release):
    """A world in which the object is refused when it is applied for the first time."""
    world = a_world()
    world.charts.add("http://charts.test", "blog", "1.0.0")
    world.reporter.put(release.namespace, release.name, release.uid)
    world.store.now = world.clock.now_seconds
    world.cluster.refuse("apply", SETTINGS, LIMITED)
    return world


async def again(world, release, status, error=LIMITED):
    """Make another pass, much later, in which the dry run is refused."""
    world.clock.now_seconds += LATER
    world.store.now = world.clock.now_seconds
    world.cluster.refuse("dry-run", SETTINGS, error)
    return await pass_over(world, release, status)


async def test_attempts_that_are_refused_beforehand_are_attempts_at_the_failed_revision(
    failed, release
):
    outcome, status = await pass_over(failed, release)
    assert outcome.ending is Ending.WAITING
    outcome, status = await again(failed, release, status)
    assert outcome.ending is Ending.WAITING
    ready = condition(status, "Ready")
    assert ready["reason"] == "InstallFailed"
    assert "maximum cpu is 1" in ready["message"]
    assert "attempt 3 follows" in ready["message"]
    assert condition(status, "Stalled") == {}
    outcome, status = await again(failed, release, status)
    assert outcome.ending is Ending.STALLED
    assert condition(status, "Stalled")["reason"] == "RetriesExhausted"
    assert status["failures"] == 3
    assert failed.store.statuses(KEY) == {1: "failed"}


async def test_a_request_begins_to_count_anew(failed, release):
    _, status = await pass_over(failed, release)
    for _ in range(2):
        _, status = await again(failed, release, status)
    asking = a_release(values=release.spec.values, annotations={"whipstaff.dev/requestedAt": "now"})
    outcome, status = await again(failed, asking, status)
    assert outcome.ending is Ending.WAITING
    assert status["lastHandledReconcileAt"] == "now"
    (header,) = await failed.store.history(KEY, None)
    assert ATTEMPT not in header.labels


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ClusterRefused("away", 503), id="worth asking again"),
        pytest.param(ReleaseConflict("someone took it", "ConfigMap"), id="someone else's"),
    ],
)
async def test_what_says_nothing_of_the_revision_is_no_attempt(failed, release, error):
    _, status = await pass_over(failed, release)
    outcome, status = await again(failed, release, status, error)
    assert outcome.ending is Ending.REFUSED
    assert condition(status, "Ready")["message"] == error.text
    assert status["failures"] == 1


async def test_an_attempt_that_is_not_refused_makes_the_next_revision(failed, release):
    _, status = await pass_over(failed, release)
    _, status = await again(failed, release, status)
    failed.clock.now_seconds += LATER
    outcome, status = await pass_over(failed, release, status)
    assert outcome.ending is Ending.IN_SYNC
    assert condition(status, "Ready")["status"] == "True"
    assert failed.store.statuses(KEY) == {1: "failed", 2: "deployed"}


MISSPELT = "`replicaCuont` is never read; did you mean `replicaCount`?"


@pytest.fixture
def calm():
    """A world in which nothing goes wrong."""
    world = a_world()
    world.charts.add("http://charts.test", "blog", "1.0.0")
    world.store.now = world.clock.now_seconds
    return world


def told(world):
    """Give the texts of the events on unread values."""
    (shown,) = world.reporter.shown.values()
    return [event.message for event in shown.events if event.reason == "ValuesUnused"]


async def test_values_that_nothing_reads_are_told_once(calm, release):
    calm.reporter.put(release.namespace, release.name, release.uid)
    calm.renderer.unused = (MISSPELT,)
    _, status = await pass_over(calm, release)
    assert status["unusedValues"] == [MISSPELT]
    assert told(calm) == [MISSPELT]
    _, again = await pass_over(calm, release, status)
    assert again == status
    assert told(calm) == [MISSPELT]


async def test_they_are_told_where_nothing_else_comes_of_an_edit(calm, release):
    calm.reporter.put(release.namespace, release.name, release.uid)
    _, status = await pass_over(calm, release)
    assert "unusedValues" not in status
    calm.renderer.unused = (MISSPELT,)
    edited = a_release(generation=2, values={**release.spec.values, "replicaCuont": 3})
    _, status = await pass_over(calm, edited, status)
    assert status["unusedValues"] == [MISSPELT]
    assert status["revision"] == 1
    assert told(calm) == [MISSPELT]
    calm.renderer.unused = ()
    mended = a_release(generation=3, values=release.spec.values | {"replicaCount": 3})
    _, status = await pass_over(calm, mended, status)
    assert "unusedValues" not in status


def actions_logged(caplog):
    """The outcomes of the actions that were logged."""
    return [
        (record.action, record.outcome)
        for record in caplog.records
        if record.message == "action finished"
    ]


async def test_each_action_is_logged_once_however_it_ends(failed, release, caplog):
    caplog.set_level("INFO")
    _, status = await pass_over(failed, release)
    assert actions_logged(caplog) == [("install", "failed")]
    await again(failed, release, status)
    assert actions_logged(caplog)[1:] == [("install", "refused")]
    caplog.clear()
    going = replace(release, deletion_requested=True)
    await pass_over(failed, going)
    assert actions_logged(caplog) == [("uninstall", "succeeded")]


async def test_a_record_that_nears_the_limit_is_told_by_an_event(calm, release):
    calm.reporter.put(release.namespace, release.name, release.uid)
    calm.store.record_bytes = 800_000
    await pass_over(calm, release)
    (shown,) = calm.reporter.shown.values()
    (text,) = [event.message for event in shown.events if event.reason == "RecordLarge"]
    assert text == "revision 1 takes 800000 bytes as it is stored; 1048576 fit"


async def test_a_release_too_large_to_be_stored_is_refused_before_anything_is_done(calm, release):
    calm.reporter.put(release.namespace, release.name, release.uid)
    calm.store.refuse("measure", StorageTooLarge("too large", 2_000_000))
    outcome, status = await pass_over(calm, release)
    assert outcome.ending is Ending.REFUSED
    assert condition(status, "Ready")["reason"] == "StorageTooLarge"
    assert calm.store.writes == []
    assert SETTINGS not in calm.cluster.objects


async def test_a_pass_that_waits_makes_its_status_anew_only_when_something_moved(calm, monkeypatch):
    skip_waits(monkeypatch)
    made = []

    def noted(facts):
        made.append(facts.findings)
        return status_for(facts)

    monkeypatch.setattr(loop, "status_for", noted)
    waiting = a_release(values={"objects": [an_object("PersistentVolumeClaim", "data")]})
    calm.reporter.put(waiting.namespace, waiting.name, waiting.uid)
    await pass_over(calm, waiting)
    progress = [findings for findings in made if findings.progressing]
    assert any(findings.unready for findings in progress)
    assert len(progress) == len(set(progress))
