"""Pauses between attempts."""

import asyncio


class Backoff:
    """Pauses that double, from the first one to the longest."""

    def __init__(self, first_seconds: float, longest_seconds: float) -> None:
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._next_seconds = first_seconds

    def reset(self) -> None:
        """Begin with the first pause again."""
        self._next_seconds = self._first_seconds

    def next_seconds(self) -> float:
        """Return the next pause; the one after it is longer."""
        seconds = self._next_seconds
        self._next_seconds = min(seconds * 2, self._longest_seconds)
        return seconds

    async def pause(self) -> None:
        """Wait for the next pause."""
        await asyncio.sleep(self.next_seconds())
