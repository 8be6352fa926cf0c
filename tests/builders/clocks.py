"""Clocks for tests."""

from time import monotonic


class FixedClock:
    """Says what it is told; its monotonic time is the real one."""

    def __init__(self, now="2026-01-02T03:04:05.123456789Z"):
        self.text = now

    def now(self):
        return self.text

    def monotonic(self):
        return monotonic()
