"""What a gateway is made of."""

import asyncio
from pathlib import Path

from whipstaff.gateway.running import OneIndexAtATime


class Pool:
    """Counts the indexes that are read at the same time."""

    def __init__(self):
        self.now = self.most = self.read = 0

    async def inspect(self, path):
        return path, "1.0.0"

    async def compact_index(self, *_facts):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        self.read += 1
        return None, ()


async def test_indexes_leave_workers_for_who_looks_at_a_release():
    pool = Pool()
    reader = OneIndexAtATime(pool)
    place = Path("index.yaml")
    await asyncio.gather(*(reader.compact_index(place, place, "", None) for _ in range(5)))
    assert (pool.most, pool.read) == (1, 5)
    assert await reader.inspect(place) == (place, "1.0.0")
