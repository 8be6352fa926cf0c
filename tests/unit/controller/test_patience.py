"""Edits in a row interrupt once, not each time."""

import asyncio

import pytest

from tests.builders.virtual_time import skip_waits
from whipstaff.controller import patience as module
from whipstaff.controller.patience import Patience


@pytest.fixture(autouse=True)
async def _virtual_time(monkeypatch):
    skip_waits(monkeypatch)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(module, "FIRST_SECONDS", 0.02)


async def test_one_edit_interrupts_after_a_moment():
    calls = []
    Patience().edited(lambda: calls.append(1))
    assert not calls
    await asyncio.sleep(0.06)
    assert calls == [1]


async def test_edits_in_a_row_interrupt_once_when_they_end():
    calls, patience = [], Patience()
    for _ in range(10):
        patience.edited(lambda: calls.append(1))
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.06)
    assert calls == [1]


async def test_edits_without_end_interrupt_all_the_same():
    calls, patience = [], Patience()
    loop = asyncio.get_running_loop()
    started = loop.time()
    while not calls:
        patience.edited(lambda: calls.append(1))
        await asyncio.sleep(0.004)
        assert loop.time() - started < 2
    assert loop.time() - started >= 0.2


async def test_a_pass_that_begins_sees_the_edits_so_far():
    calls, patience = [], Patience()
    patience.edited(lambda: calls.append(1))
    patience.pass_begins()
    await asyncio.sleep(0.06)
    assert not calls


async def test_each_interruption_asks_for_more_quiet_up_to_a_limit():
    patience, seen = Patience(), []
    for _ in range(6):
        seen.append(patience.quiet_seconds)
        patience.pass_ended(interrupted=True)
    assert seen == pytest.approx([0.02, 0.08, 0.32, 1.28, 1.28, 1.28])


async def test_a_pass_that_was_let_finish_starts_the_count_anew():
    patience = Patience()
    patience.pass_ended(interrupted=True)
    patience.pass_ended(interrupted=False)
    assert patience.quiet_seconds == pytest.approx(0.02)
