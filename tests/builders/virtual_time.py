"""Time that passes at once when nothing else is to do."""

import asyncio


def skip_waits(monkeypatch):
    """Make the running event loop skip what it would sleep: for timers and tasks, not for threads.

    Call it from an async fixture, which shares its loop with the test.
    """
    loop = asyncio.get_running_loop()
    select, time = loop._selector.select, loop.time
    slept_seconds = 0.0

    def select_without_sleep(timeout=None):
        nonlocal slept_seconds
        ready = select(0 if timeout else timeout)
        if not ready and timeout:
            slept_seconds += timeout
        return ready

    monkeypatch.setattr(loop._selector, "select", select_without_sleep)
    monkeypatch.setattr(loop, "time", lambda: time() + slept_seconds)
