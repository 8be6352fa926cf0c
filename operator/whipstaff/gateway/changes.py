"""What changed: one log for all who wait for it, and a place in it for each of them.

A release stands in the log once, where it changed last. So nobody needs a buffer of their own:
whoever reads slowly gets the newest of what was missed.
"""

import asyncio
import json
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi.sse import format_sse_event

KEPT = 10_000  # releases; who waits for one that changed longer ago reads the list anew


@dataclass(frozen=True, slots=True)
class Change:
    """A release that is another, or gone."""

    number: int
    cluster: str
    namespace: str
    name: str
    frame: bytes  # as it is sent


class ChangeLog:
    """The last change of each release, the newest last."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._epoch = secrets.token_hex(6)  # another process has seen other changes
        self._newest = 0
        self._lost = 0  # number of the newest change that was dropped
        self._changes: OrderedDict[tuple[str, str, str], Change] = OrderedDict()
        self._moved = asyncio.Event()
        self.closed = False

    @property
    def newest(self) -> int:
        """The number of the last change."""
        return self._newest

    def position(self, number: int | None = None) -> str:
        """Return what stands for a place in the log, that of now if none is given."""
        return f"{self._epoch}-{self._newest if number is None else number}"

    def number_at(self, position: str) -> int | None:
        """Return the number of a position; None if what came behind it is not known."""
        epoch, _, text = position.rpartition("-")
        plain = text.isascii() and text.isdecimal() and len(text) < len(str(1 << 63))
        if epoch != self._epoch or not plain:
            return None
        number = int(text)
        return number if self._lost <= number <= self._newest else None

    def changed(self, cluster: str, namespace: str, name: str, text: bytes) -> None:
        """Take a release as it is now, as JSON on one line."""
        self._add((cluster, namespace, name), "changed", text.decode())

    def gone(self, cluster: str, namespace: str, name: str, uid: str) -> None:
        """Take notice that a release is no more."""
        facts = {"cluster": cluster, "namespace": namespace, "name": name, "uid": uid}
        self._add((cluster, namespace, name), "gone", json.dumps(facts))

    def reset(self) -> None:
        """Have everybody read the list: a whole cluster came or went."""
        self._newest += 1
        self._lost = self._newest
        self._changes.clear()
        self._wake()

    def after(self, number: int) -> Sequence[Change] | None:
        """Return what changed since, oldest first; None if not all of it is known."""
        if number < self._lost:
            return None
        found = []
        for change in reversed(self._changes.values()):
            if change.number <= number:
                break
            found.append(change)
        return found[::-1]

    async def wait(self, number: int, seconds: float) -> None:
        """Wait until something changed since, or the log is closed, or the time is over."""
        if self._newest > number or self.closed:
            return
        moved = self._moved
        try:
            async with asyncio.timeout(seconds):
                await moved.wait()
        except TimeoutError:
            return

    def close(self) -> None:
        """Have everybody end who waits."""
        self.closed = True
        self._wake()

    def _add(self, key: tuple[str, str, str], event: str, text: str) -> None:
        self._newest += 1
        frame = format_sse_event(event=event, data_str=text, id=self.position())
        self._changes[key] = Change(self._newest, *key, frame)
        self._changes.move_to_end(key)
        if len(self._changes) > self._kept:
            _, dropped = self._changes.popitem(last=False)
            self._lost = dropped.number
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
