"""Many events make one pass, which sees the newest state; nobody waits for anybody."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager

import pytest

from tests.builders.helmreleases import a_body
from tests.builders.virtual_time import skip_waits
from tests.builders.worlds import a_world
from whipstaff.controller import patience, queue
from whipstaff.controller.logs import JsonLines
from whipstaff.controller.queue import Queue
from whipstaff.helmrelease.names import FINALIZER
from whipstaff.helmrelease.types import RepositoryKey
from whipstaff.reconcile.loop import Ending, Outcome
from whipstaff.reconcile.world import Interrupted


@pytest.fixture(autouse=True)
async def _virtual_time(monkeypatch):
    skip_waits(monkeypatch)


PATIENCE_SECONDS = 5.0


class Passes:
    """Stands in for Pass: notes who comes, and lets a test say how it goes on."""

    def __init__(self):
        self.begun = []  # (name, word) of each pass, in order
        self.running = 0
        self.most_running = 0
        self.waits = set()  # names whose passes wait without a worker until something changes
        self.holds = asyncio.Event()  # passes keep their worker until it is set
        self.holds.set()
        self.outcomes = {}  # name -> Outcome or exception
        self.refused = []
        self.interrupted = []
        self.paused = {}  # name -> whether nothing new should be begun when the last pass ended
        self.limits = {}  # name -> how many revisions it keeps
        self.told = {}  # name -> status as a pass leaves it

    def __call__(self, _world, intent, written):
        return _Pass(self, intent, written)


class _Pass:
    def __init__(self, passes, intent, written):
        self._passes = passes
        self._intent = intent
        self.status = passes.told.get(intent.release.name, written or {})

    async def refuse(self, refusal):
        release = self._intent.release
        self._passes.refused.append((release.name, type(refusal).__name__))
        return Outcome(Ending.REFUSED)

    async def run(self):
        passes, release = self._passes, self._intent.release
        passes.begun.append((release.name, release.spec.values.get("word")))
        passes.limits[release.name] = release.spec.max_history
        passes.running += 1
        passes.most_running = max(passes.most_running, passes.running)
        passes.paused[release.name] = False
        try:
            await passes.holds.wait()
        finally:
            passes.running -= 1
            passes.paused[release.name] = self._intent.paused
        if release.name in passes.waits and not release.deletion_requested:
            async with self._intent.waiting():
                await self._intent.changed()
        try:
            self._intent.check()
        except Interrupted:
            passes.interrupted.append(release.name)
            return Outcome(Ending.INTERRUPTED, 0.0)
        outcome = passes.outcomes.get(release.name, Outcome(Ending.IN_SYNC))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def passes(monkeypatch):
    passes = Passes()
    monkeypatch.setattr(queue, "Pass", passes)
    monkeypatch.setattr(patience, "FIRST_SECONDS", 0.02)
    return passes


@asynccontextmanager
async def a_queue(concurrency=2):
    made = Queue(a_world(), concurrency, lambda: 0.5)
    yield made
    await made.close()


def a_release(name="mine", word="one", generation=1, deleted=False, uid=None, **spec):
    metadata = {"generation": generation, "uid": uid or f"uid-{name}", "finalizers": [FINALIZER]}
    if deleted:
        metadata["deletionTimestamp"] = "2026-01-03T00:00:00Z"
    return a_body(name, metadata=metadata, values={"word": word}, **spec)


async def until(holds):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - what holds has no event to await
            await asyncio.sleep(0.005)


async def test_nothing_begins_before_the_queue_is_opened(passes):
    async with a_queue() as made:
        made.changed(a_release())
        await asyncio.sleep(0.02)
        assert passes.begun == []
        made.open()
        await until(lambda: passes.begun == [("mine", "one")])


async def test_an_event_without_a_new_wish_makes_no_pass(passes):
    async with a_queue() as made:
        made.open()
        made.changed(a_release())
        await until(lambda: len(passes.begun) == 1)
        made.changed(a_release() | {"status": {"revision": 1}})
        await asyncio.sleep(0.05)
        assert len(passes.begun) == 1


def a_release_of(repository, name="mine", **reference):
    return a_release(
        name, chart={"name": "blog", "repositoryRef": {"name": repository, **reference}}
    )


async def test_what_was_true_a_while_ago_makes_no_pass(passes):
    async with a_queue() as made:
        made.changed(a_release(word="two", generation=2))
        made.open()
        await until(lambda: made.depth == 0)
        made.changed(a_release(word="one", generation=1))
        assert made.depth == 0
        made.changed(a_release(word="three", generation=3))
        made.changed(a_release(word="other", generation=1, uid="another object"))
        await until(lambda: made.depth == 0)
    assert passes.begun == [("mine", "two"), ("mine", "other")]


async def test_who_takes_charts_from_a_repository_is_looked_at_when_it_moves(passes):
    async with a_queue() as made:
        made.open()
        made.changed(a_release_of("charts", "mine"))
        made.changed(a_release_of("charts", "guest", namespace="elsewhere"))
        made.changed(a_release_of("others", "other"))
        made.changed(a_release("inline"))
        await until(lambda: len(passes.begun) == 4 and passes.running == 0)
        made.repository_moved(RepositoryKey("web", "charts"))
        await until(lambda: len(passes.begun) == 5)
        await asyncio.sleep(0.05)
        assert [name for name, _ in passes.begun[4:]] == ["mine"]


async def test_a_repository_wakes_those_whose_chart_moved(passes):
    async with a_queue() as made:
        made.open()
        made.changed(a_release_of("charts"))
        await until(lambda: len(passes.begun) == 1 and passes.running == 0)
        key = RepositoryKey("web", "charts")
        made.repository_moved(key, frozenset({"another"}))
        made.repository_moved(key, frozenset({a_release_of("charts")["spec"]["chart"]["name"]}))
        await until(lambda: len(passes.begun) == 2 and passes.running == 0)
        await asyncio.sleep(0.05)
        assert len(passes.begun) == 2


async def test_a_repository_that_moves_ends_no_wait(passes):
    async with a_queue() as made:
        made.open()
        passes.waits.add("mine")
        made.changed(a_release_of("charts"))
        await until(lambda: made.waiting == 1)
        made.repository_moved(RepositoryKey("web", "charts"))
        await asyncio.sleep(0.05)
        assert (made.waiting, len(passes.begun)) == (1, 1)


async def test_many_edits_during_a_pass_make_one_more_which_sees_the_last(passes):
    async with a_queue() as made:
        made.open()
        passes.holds.clear()
        made.changed(a_release())
        await until(lambda: passes.running == 1)
        for number in range(2, 50):
            made.changed(a_release(word=str(number), generation=number))
        passes.holds.set()
        await until(lambda: len(passes.begun) == 2)
        await asyncio.sleep(0.05)
        assert passes.begun == [("mine", "one"), ("mine", "49")]


async def test_an_edit_ends_a_wait(passes):
    async with a_queue() as made:
        made.open()
        passes.waits.add("mine")
        made.changed(a_release())
        await until(lambda: len(passes.begun) == 1)
        made.changed(a_release(word="two", generation=2))
        await until(lambda: passes.begun == [("mine", "one"), ("mine", "two")])


async def test_a_deletion_needs_no_quiet(passes, monkeypatch):
    monkeypatch.setattr(patience, "FIRST_SECONDS", 3600)
    async with a_queue() as made:
        made.open()
        passes.waits.add("mine")
        made.changed(a_release())
        await until(lambda: len(passes.begun) == 1)
        made.changed(a_release(deleted=True))
        await until(lambda: len(passes.begun) == 2)


async def test_suspension_lets_what_is_under_way_end(passes, monkeypatch):
    monkeypatch.setattr(patience, "FIRST_SECONDS", 0.01)
    async with a_queue() as made:
        made.open()
        passes.holds.clear()
        made.changed(a_release())
        await until(lambda: len(passes.begun) == 1)
        made.changed(a_release(generation=2))  # its interruption is forgotten
        made.changed(a_release(generation=3, suspend=True))
        await asyncio.sleep(0.1)
        assert passes.paused == {"mine": False}
        passes.holds.set()
        await until(lambda: len(passes.begun) == 2)
        assert passes.paused == {"mine": True}
        assert passes.interrupted == []


async def test_as_many_passes_run_at_once_as_there_are_workers(passes):
    async with a_queue(concurrency=3) as made:
        made.open()
        passes.holds.clear()
        for number in range(10):
            made.changed(a_release(f"mine-{number}"))
        await until(lambda: passes.running == 3)
        passes.holds.set()
        await until(lambda: len(passes.begun) == 10)
        assert passes.most_running == 3


async def test_a_pass_that_waits_holds_no_worker(passes):
    async with a_queue(concurrency=1) as made:
        made.open()
        passes.waits.update(f"waits-{number}" for number in range(20))
        for number in range(20):
            made.changed(a_release(f"waits-{number}"))
        made.changed(a_release("quick"))
        await until(lambda: ("quick", "one") in passes.begun)


async def test_what_is_logged_during_a_pass_names_the_helmrelease(passes, caplog):
    caplog.handler.setFormatter(JsonLines())
    passes.outcomes["broken"] = ZeroDivisionError("a fault of ours")
    async with a_queue() as made:
        made.open()
        made.changed(a_release("broken"))
        await until(lambda: "pass crashed" in caplog.text)
    (line,) = caplog.text.splitlines()
    assert json.loads(line)["helmrelease"] == "web/broken"


async def test_a_pass_that_crashes_harms_no_other_and_its_release_is_not_lost(passes, caplog):
    async with a_queue() as made:
        made.open()
        passes.outcomes["broken"] = ZeroDivisionError("a fault of ours")
        made.changed(a_release("broken"))
        made.changed(a_release("sound"))
        await until(lambda: len(passes.begun) == 2)
        await until(lambda: "pass crashed" in caplog.text)
        passes.outcomes.clear()
        made.changed(a_release("broken", word="two", generation=2))
        await until(lambda: ("broken", "two") in passes.begun)


async def test_a_refusal_is_tried_again_later_and_later(passes, monkeypatch):
    monkeypatch.setattr(queue, "backoff_seconds", lambda refusals: 0.01 * refusals)
    async with a_queue() as made:
        made.open()
        passes.outcomes["mine"] = Outcome(Ending.REFUSED)
        made.changed(a_release())
        await until(lambda: len(passes.begun) == 4)


async def test_a_release_that_is_gone_gets_no_pass_any_more(passes):
    async with a_queue() as made:
        made.open()
        passes.outcomes["mine"] = Outcome(Ending.WAITING, 0.03)
        made.changed(a_release())
        await until(lambda: len(passes.begun) == 1)
        made.gone("web", "mine", "uid-mine")
        await asyncio.sleep(0.1)
        assert len(passes.begun) == 1
        assert made.depth == 0


async def test_what_a_release_watches_is_forgotten_after_its_last_pass(passes, monkeypatch):
    forgotten = []
    async with a_queue() as made:
        lookout = made._world.lookout
        monkeypatch.setattr(lookout, "forget", lambda key: forgotten.append((key, passes.running)))
        made.open()
        passes.holds.clear()
        made.changed(a_release())
        await until(lambda: passes.running == 1)
        made.gone("web", "mine", "uid-mine")
        passes.holds.set()
        await until(lambda: forgotten)
        assert forgotten == [(("web", "mine"), 0)]


async def test_that_an_older_object_of_the_name_is_gone_is_no_matter(passes):
    async with a_queue() as made:
        made.open()
        made.changed(a_release(uid="new"))
        await until(lambda: len(passes.begun) == 1)
        made.gone("web", "mine", "old")
        made.changed(a_release(uid="new", word="two", generation=2))
        await until(lambda: len(passes.begun) == 2)


async def test_what_cannot_be_read_is_said_and_what_runs_is_left_alone(passes, caplog):
    async with a_queue() as made:
        made.open()
        made.changed(a_release())
        await until(lambda: len(passes.begun) == 1)
        with caplog.at_level(logging.ERROR):
            made.poison("web", "mine", "nested too deeply to be read")
        assert "HelmRelease cannot be read" in caplog.text
        await asyncio.sleep(0.03)
        assert len(passes.begun) == 1
        made.changed(a_release(word="healed", generation=3))
        await until(lambda: passes.begun[-1] == ("mine", "healed"))


async def test_of_two_for_one_release_the_second_is_refused_until_the_first_is_gone(passes):
    async with a_queue() as made:
        made.open()
        first = a_release("first", releaseName="shared")
        second = a_release("second", releaseName="shared")
        second["metadata"]["creationTimestamp"] = "2026-02-02T00:00:00Z"
        made.changed(first)
        made.changed(second)
        await until(lambda: passes.refused == [("second", "ReleaseNameTaken")])
        made.gone("web", "first", "uid-first")
        await until(lambda: ("second", "one") in passes.begun)


async def test_the_end_of_the_operator_ends_waits(passes):
    async with a_queue() as made:
        made.open()
        passes.waits.add("mine")
        made.changed(a_release())
        await until(lambda: len(passes.begun) == 1)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await made.close()
        assert made.depth == 0


async def test_the_end_of_the_operator_cuts_off_what_takes_too_long(passes, monkeypatch):
    monkeypatch.setattr(queue, "STOP_SECONDS", 0.05)
    async with a_queue() as made:
        made.open()
        passes.holds.clear()
        made.changed(a_release())
        await until(lambda: passes.running == 1)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await made.close()
        assert passes.running == 0


async def test_what_is_known_is_told_until_it_is_gone(passes):
    passes.waits.add("mine")
    async with a_queue() as made:
        made.open()
        made.changed(a_release(suspend=True))
        await until(lambda: made.waiting == 1)
        assert [(it.name, it.suspended, str(it.release)) for it in made.known()] == [
            ("mine", True, "web/mine")
        ]
        made.gone("web", "mine", "uid-mine")
        assert list(made.known()) == []
        await until(lambda: made.waiting == 0)


async def test_a_status_that_comes_back_as_it_was_written_is_kept_once(passes):
    passes.told["mine"] = {"lastAttemptedRevision": 1}
    async with a_queue() as made:
        made.open()
        made.changed(a_release())
        await until(lambda: made.depth == 0)
        come_back = a_release() | {"status": {"lastAttemptedRevision": 1}}
        made.changed(come_back)
        assert next(made.known()).status is come_back["status"]
        made.changed(a_release() | {"status": {"lastAttemptedRevision": 0}})
        assert next(made.known()).status == {"lastAttemptedRevision": 1}


async def test_a_release_without_a_limit_of_its_own_keeps_what_the_operator_says(passes):
    made = Queue(a_world(), 2, lambda: 0.5, history_limit=3)
    made.open()
    made.changed(a_release("silent"))
    made.changed(a_release("outspoken", maxHistory=7))
    await until(lambda: len(passes.limits) == 2)
    assert passes.limits == {"silent": 3, "outspoken": 7}
    await made.close()


class FakeReferences:
    """Notes who refers to what."""

    def __init__(self):
        self.known = {}

    def tell(self, wake):
        self.wake = wake

    def refer(self, user, references):
        self.known[user] = {str(reference.name) for reference in references}


def a_release_with(secret, **changes):
    return a_release(valuesFrom=[{"kind": "Secret", "name": secret}], **changes)


@asynccontextmanager
async def a_queue_with_references():
    references = FakeReferences()
    made = Queue(a_world(), 2, lambda: 0.5, references=references)
    yield made, references
    await made.close()


async def test_what_a_release_refers_to_is_known_until_it_is_gone(passes):
    async with a_queue_with_references() as (made, references):
        key = ("web", "mine")
        made.changed(a_release_with("login"))
        assert references.known[key] == {"login"}
        made.changed(a_release_with("other", generation=2))
        assert references.known[key] == {"other"}
        made.gone("web", "mine", "uid-mine")
        assert references.known[key] == set()


async def test_a_release_is_looked_at_when_what_it_refers_to_changes(passes):
    async with a_queue_with_references() as (made, references):
        made.open()
        made.changed(a_release_with("login"))
        await until(lambda: len(passes.begun) == 1)
        references.wake(("web", "mine"))
        references.wake(("web", "nobody"))
        await until(lambda: len(passes.begun) == 2)


async def test_changed_values_interrupt_an_upgrade_as_an_edit_does(passes):
    passes.waits.add("mine")
    async with a_queue_with_references() as (made, references):
        made.open()
        made.changed(a_release_with("login"))
        await until(lambda: made.waiting == 1)
        references.wake(("web", "mine"))
        await until(lambda: len(passes.begun) == 2)
