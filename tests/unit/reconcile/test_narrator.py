import asyncio

import pytest

from tests.builders.observations import a_release
from tests.builders.virtual_time import skip_waits
from tests.builders.worlds import REFUSED
from tests.fakes.reporter import FakeReporter
from whipstaff.reconcile import narrator
from whipstaff.reconcile.narrator import Narrator, news
from whipstaff.reconcile.ports import Event


@pytest.fixture(autouse=True)
async def _virtual_time(monkeypatch):
    skip_waits(monkeypatch)


EVENT = Event("Normal", "InstallSucceeded", "it runs")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(narrator, "FIRST_WORD_SECONDS", 0.02)
    monkeypatch.setattr(narrator, "NEXT_WORD_SECONDS", 0.01)


@pytest.fixture
def reporter():
    fake = FakeReporter()
    fake.put("shop", "blog", "uid-1")
    return fake


def shown(reporter):
    return reporter.shown["shop", "blog"]


async def test_what_is_written_already_is_not_written_again(reporter):
    told = Narrator(reporter, a_release(), {"a": 1})
    await told.write({"a": 1}, [EVENT])
    assert reporter.writes == 0
    assert shown(reporter).events == []


async def test_events_go_with_a_status_that_is_new(reporter):
    told = Narrator(reporter, a_release(), {})
    await told.write({"a": 1}, [EVENT])
    assert (shown(reporter).status, shown(reporter).events) == ({"a": 1}, [EVENT])
    assert told.written == {"a": 1}


async def test_a_pass_that_is_over_soon_writes_only_its_end(reporter):
    told = Narrator(reporter, a_release(), {})
    told.begin(lambda: {"progress": True})
    await told.write({"end": True})
    await asyncio.sleep(0.05)
    assert reporter.writes == 1
    assert shown(reporter).status == {"end": True}


async def test_a_pass_that_takes_long_tells_each_change_once(reporter):
    told = Narrator(reporter, a_release(), {})
    status = {"step": 1}
    told.begin(lambda: dict(status))
    await asyncio.sleep(0.08)
    assert (shown(reporter).status, reporter.writes) == ({"step": 1}, 1)
    status["step"] = 2
    await asyncio.sleep(0.05)
    assert (shown(reporter).status, reporter.writes) == ({"step": 2}, 2)
    await told.end()
    status["step"] = 3
    await asyncio.sleep(0.05)
    assert shown(reporter).status == {"step": 2}


async def test_progress_that_cannot_be_written_ends_no_pass(reporter, monkeypatch):
    async def refuse(*_):
        raise REFUSED

    told = Narrator(reporter, a_release(), {})
    monkeypatch.setattr(reporter, "write_status", refuse)
    told.begin(lambda: {"step": 1})
    await asyncio.sleep(0.05)
    monkeypatch.undo()
    monkeypatch.setattr(narrator, "NEXT_WORD_SECONDS", 0.01)
    await told.write({"end": True})
    assert shown(reporter).status == {"end": True}


def a_status(*conditions, **facts):
    told = [dict(zip(("type", "status", "reason", "message"), c, strict=True)) for c in conditions]
    return {"conditions": told, **facts}


READY = ("Ready", "True", "InstallSucceeded", "it runs")
FAILED = ("Ready", "False", "UpgradeFailed", "it failed")
UNDONE = ("Remediated", "True", "RollbackSucceeded", "the last one runs again")
TESTED = ("Tested", "False", "TestFailed", "a test failed")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(a_status(), a_status(READY), ["Normal InstallSucceeded"], id="the first"),
        pytest.param(a_status(READY), a_status(READY), [], id="nothing moved"),
        pytest.param(
            a_status(READY, revision=1),
            a_status(READY, revision=2),
            ["Normal InstallSucceeded"],
            id="another revision",
        ),
        pytest.param(
            a_status(READY),
            a_status(FAILED, TESTED, UNDONE),
            ["Warning UpgradeFailed", "Warning TestFailed", "Normal RollbackSucceeded"],
            id="failed and undone",
        ),
        pytest.param(a_status(FAILED, UNDONE), a_status(FAILED, UNDONE), [], id="told already"),
        pytest.param(
            a_status(FAILED, UNDONE), a_status(READY), ["Normal InstallSucceeded"], id="mended"
        ),
    ],
)
def test_events_tell_of_transitions(before, after, expected):
    assert [f"{event.type} {event.reason}" for event in news(before, after)] == expected
