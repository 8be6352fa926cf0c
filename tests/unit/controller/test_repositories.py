"""HelmRepositories are asked every interval, and whoever takes charts from them is told."""

import asyncio

import pytest

from tests.builders.stub_api_server import until
from whipstaff.controller.repositories import Repositories
from whipstaff.errors import ChartUnavailable
from whipstaff.helmrelease.selectors import parse_selector
from whipstaff.helmrelease.types import RepositoryKey
from whipstaff.helmrepository.status import Change, Fetched

KEY = RepositoryKey("team", "charts")


class Source:
    def __init__(self):
        self.answers = [Fetched(1, "sha256:a", sentence="1 chart in 1 version")]
        self.asked = 0
        self.known = {}

    def know(self, key, repository):
        self.known[key] = repository

    def forget(self, key):
        del self.known[key]

    async def refresh(self, repository):
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Reports:
    def __init__(self):
        self.statuses = []
        self.events = []

    async def write_status(self, namespace, name, uid, status):
        self.statuses.append(status)

    async def emit(self, namespace, name, uid, events):
        self.events += [event.reason for event in events]


class Clock:
    def now(self):
        return "2026-01-02T03:04:05Z"


class World:
    def __init__(self):
        self.source, self.reports, self.moved = Source(), Reports(), []
        self.charts = []  # that were named each time
        self.repositories = Repositories(self.source, self.reports, Clock(), lambda: 0.5, self.tell)

    def tell(self, key, charts):
        self.moved.append(key)
        self.charts.append(charts)

    def write(self, uid="u", generation=1, asks="", labels=None, **spec):
        annotations = {"whipstaff.dev/requestedAt": asks} if asks else {}
        self.repositories.changed(
            {
                "metadata": {
                    "namespace": "team",
                    "name": "charts",
                    "uid": uid,
                    "generation": generation,
                    "annotations": annotations,
                    "labels": labels or {},
                },
                "spec": {"url": "https://a.example", "interval": "1h", **spec},
            }
        )


@pytest.fixture
async def world():
    found = World()
    yield found
    await found.repositories.close()


async def test_nothing_is_asked_before_the_operator_leads(world):
    world.write()
    await asyncio.sleep(0.01)
    assert world.source.asked == 0
    world.repositories.open()
    await until(lambda: world.reports.statuses)
    assert world.reports.statuses[-1]["charts"] == 1
    assert world.reports.events == ["IndexFetched"]


async def test_another_shard_s_repository_is_asked_and_its_status_left_alone(world):
    selector = parse_selector("shard=one", "setting")
    world.repositories = Repositories(
        world.source, world.reports, Clock(), lambda: 0.5, world.tell, selector=selector
    )
    world.repositories.open()
    world.write()
    await until(lambda: world.source.asked == 1)
    world.write(labels={"shard": "one"}, asks="now")
    await until(lambda: world.reports.statuses)
    assert world.source.asked == 2
    assert len(world.reports.statuses) == 1


async def test_an_event_that_changes_nothing_asks_nobody(world):
    world.repositories.open()
    world.write()
    await until(lambda: world.reports.statuses)
    world.write()
    await asyncio.sleep(0.01)
    assert world.source.asked == 1


async def test_a_request_asks_and_another_index_is_told(world):
    world.repositories.open()
    world.write()
    await until(lambda: world.reports.statuses)
    told = len(world.moved)
    world.source.answers = [Fetched(2, "sha256:b")]
    world.write(asks="now")
    await until(lambda: len(world.moved) > told)
    await until(lambda: world.reports.statuses[-1].get("lastHandledReconcileAt") == "now")
    assert set(world.moved) == {KEY}


async def test_who_takes_a_chart_that_changed_is_woken(world):
    world.repositories.open()
    world.write()
    await until(lambda: world.reports.statuses)
    changes = (Change("sha256:a", frozenset({"blog"})), Change("sha256:b", frozenset({"wiki"})))
    world.source.answers = [Fetched(2, "sha256:c", changes=changes)]
    world.write(asks="now")
    await until(lambda: len(world.moved) == 3)
    assert world.charts == [None, None, {"blog", "wiki"}]
    world.source.answers = [Fetched(2, "sha256:f", changes=(Change("sha256:e", frozenset()),))]
    world.write(asks="again")
    await until(lambda: len(world.moved) == 4)
    assert world.charts[-1] is None


async def test_a_version_that_is_another_archive_now_is_told_once(world):
    world.repositories.open()
    world.write()
    await until(lambda: world.reports.statuses)
    changes = (Change("sha256:a", frozenset({"blog"}), ("blog 1.0.0",)),)
    world.source.answers = [Fetched(2, "sha256:b", changes=changes)]
    for word in ("now", "again"):
        world.write(asks=word)
        await until(lambda: world.reports.statuses[-1].get("lastHandledReconcileAt") == word)  # noqa: B023
    await until(lambda: "ChartDigestChanged" in world.reports.events)
    assert world.reports.events == ["IndexFetched", "ChartDigestChanged"]


async def test_the_same_index_wakes_nobody(world):
    world.repositories.open()
    world.write()
    await until(lambda: world.reports.statuses)
    told = len(world.moved)
    world.write(asks="now")
    await until(lambda: world.source.asked == 2)
    await until(lambda: world.reports.statuses[-1].get("lastHandledReconcileAt") == "now")
    assert len(world.moved) == told


async def test_a_repository_that_comes_back_wakes_who_waits_for_it(world):
    world.source.answers = [ChartUnavailable("no answer", "r"), Fetched(1, "sha256:a")]
    world.repositories.open()
    world.write(interval="1s")
    await until(lambda: world.reports.events == ["ChartUnavailable", "IndexFetched"])
    assert len(world.moved) == 2


async def test_a_suspended_one_is_left_alone(world):
    world.repositories.open()
    world.write(suspend=True)
    await until(lambda: world.reports.statuses)
    assert world.source.asked == 0
    world.write(generation=2)
    await until(lambda: world.source.asked == 1)


async def test_a_spec_that_means_nothing_is_reported_and_asked_for_nothing(world):
    world.repositories.open()
    world.write(interval="1d")
    await until(lambda: world.reports.events == ["InvalidSpec"])
    assert world.source.asked == 0


async def test_one_that_is_gone_is_forgotten_and_told(world):
    world.repositories.open()
    world.write()
    await until(lambda: world.reports.statuses)
    told = len(world.moved)
    world.repositories.gone("team", "charts", "another")
    assert KEY in world.source.known
    world.repositories.gone("team", "charts", "u")
    assert KEY not in world.source.known
    assert len(world.moved) == told + 1


async def test_one_made_anew_starts_anew(world):
    world.repositories.open()
    world.write()
    await until(lambda: world.reports.statuses)
    world.write(uid="second")
    await until(lambda: world.reports.events == ["IndexFetched"] * 2)
