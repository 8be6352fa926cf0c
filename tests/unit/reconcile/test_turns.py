"""Turns are few, and leave most of the time to others."""

import asyncio

import pytest

from tests.builders.virtual_time import skip_waits
from whipstaff.reconcile.turns import PLACES, REST, Turns


@pytest.fixture(autouse=True)
async def _no_waits(monkeypatch):
    skip_waits(monkeypatch)


async def test_a_place_rests_after_each_turn():
    turns, begun = Turns(), []
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def look():
        async with turns.turn():
            begun.append(loop.time() - start)
            await asyncio.sleep(1.0)

    await asyncio.gather(*(look() for _ in range(PLACES * 2)))
    at_once, later = begun[:PLACES], begun[PLACES:]
    assert max(at_once) < 1.0
    assert min(later) >= 1.0 + REST


async def test_who_gives_up_takes_no_place():
    turns = Turns()

    async def look():
        async with turns.turn():
            await asyncio.sleep(1.0)

    looking = [asyncio.ensure_future(look()) for _ in range(PLACES * 3)]
    await asyncio.sleep(0.1)
    for each in looking:
        each.cancel()
    await asyncio.gather(*looking, return_exceptions=True)
    await asyncio.wait_for(asyncio.gather(*(look() for _ in range(PLACES))), 5.0)
