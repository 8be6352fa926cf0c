"""Taking turns: what is done for many at once must not keep the API server busy with itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PLACES = 2
REST = 4  # a place is free again after as many times as long as its turn took


class Turns:
    """A few places, each of which rests after a turn for a multiple of what the turn took.

    Where answers are quick the rest is nothing; where they are slow, most of the time is left to
    others.
    """

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(PLACES)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place and hold it while inside."""
        loop = asyncio.get_running_loop()
        await self._places.acquire()
        begun = loop.time()
        try:
            yield
        finally:
            loop.call_later((loop.time() - begun) * REST, self._places.release)
