"""How often anyone may ask: a bucket of tokens for each, filled again as time goes by."""

import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from math import ceil

from whipstaff.gateway.problems import Problem

BUCKETS_LIMIT = 4096  # the least recently used goes, and is full again when it comes back


class Rate:
    """So many requests a second in the long run, and a burst of more."""

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, key: str) -> None:
        """Raise Problem(429) for who has used up what there was."""
        left, _ = self._level(key)
        if left < 1:
            seconds = ceil((1 - left) / self._per_second)
            again = {"Retry-After": str(seconds)}
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, f"ask again in {seconds} s", again)

    def take(self, key: str, cost: int = 1) -> None:
        """Count a request as so many; Problem(429) if nothing was left for it."""
        self.check(key)
        self.spend(key, cost)

    def spend(self, key: str, cost: int = 1) -> None:
        """Count a request as so many, though it be more than there was left."""
        left, now = self._level(key)
        self._buckets[key] = (left - cost, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > BUCKETS_LIMIT:
            self._buckets.popitem(last=False)

    def _level(self, key: str) -> tuple[float, float]:
        now = self._clock()
        left, then = self._buckets.get(key, (float(self._burst), now))
        return min(float(self._burst), left + (now - then) * self._per_second), now
