"""How soon an edit ends what the last edit began.

Each revision that is begun and given up stays in the history, so fifty edits in a row must not make
fifty of them. An edit interrupts once there is quiet; after each interruption more of it is needed.
"""

import asyncio
from collections.abc import Callable

FIRST_SECONDS = 0.5
GROWTH = 4
GROWTHS_LIMIT = 3  # to 32 seconds
UNREST_LIMIT = 10  # times the quiet that is needed: then an edit interrupts without any


class Patience:
    """The patience with one HelmRelease; it is for one event loop."""

    def __init__(self) -> None:
        self._interruptions = 0
        self._restless_since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def quiet_seconds(self) -> float:
        """How long no edit may come before the next interruption."""
        return FIRST_SECONDS * float(GROWTH ** min(self._interruptions, GROWTHS_LIMIT))

    def edited(self, interrupt: Callable[[], None]) -> None:
        """Call `interrupt` once there was quiet, unless another pass begins before."""
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._restless_since = loop.time()
        else:
            self._timer.cancel()
        latest = self._restless_since + UNREST_LIMIT * self.quiet_seconds
        self._timer = loop.call_at(min(loop.time() + self.quiet_seconds, latest), interrupt)

    def pass_begins(self) -> None:
        """Forget the edits so far: the pass sees them."""
        self.forget()

    def forget(self) -> None:
        """Let no edit so far interrupt anything."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def pass_ended(self, *, interrupted: bool) -> None:
        """Take note of how it ended: one that was let finish starts the count anew."""
        self._interruptions = self._interruptions + 1 if interrupted else 0
