"""Remember what named templates printed, for as long as nothing that they read differs.

An `include` prints the same again if its template only read, looked at nothing outside, and nothing
that it read was written meanwhile: neither by templates of this render nor by the change that leads
from one render to the next. What is handed to it by value belongs to what is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from whipstaff.golang.values import ChartValues
from whipstaff.template.tracing import SCALARS, Place, TracedMap, Tracer

if TYPE_CHECKING:
    from collections.abc import Callable

    from whipstaff.template.execution import Run

_MOST_BYTES: Final = 16 << 20
_MOST_READS: Final = 1_000  # of one template before an include, or of an include
_DEEPEST: Final = 200  # a limit of depth is met where it is met without a memory
_MOST_CHARACTERS: Final = 16 << 10  # of one text, or of one string handed over
_MOST_PARTS: Final = 12  # of a list or map handed over
_MOST_NESTED: Final = 3
_SOME_FAILURES: Final = 3  # after so many in a row nobody tries to remember a template
_TEXT_BYTES: Final = 500  # of one text without its characters
_READ_BYTES: Final = 80  # what a set takes for one read; the reads themselves are kept anyway


class _Text(NamedTuple):
    text: str
    reads: frozenset[Place]
    steps: int
    depth: int  # of templates in the template
    bytes: int


class _Unknown(Exception):
    """What is handed over is nothing that could be told from another."""


class Memory:
    """The texts that templates printed which were included, in the data of one tracer."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._texts: dict[tuple[object, ...], _Text] = {}
        self._failures: dict[str, int] = {}
        self._bytes = 0
        self._deepest = 0  # include of all, since the one at work began

    def bytes_held(self) -> int:
        """Estimate the memory that is kept."""
        return self._bytes

    def forget(self, dirty: frozenset[Place]) -> None:
        """Forget the texts of templates that read any of these."""
        if dirty:
            self._texts = {
                key: one for key, one in self._texts.items() if dirty.isdisjoint(one.reads)
            }
            self._bytes = sum(one.bytes for one in self._texts.values())

    def include(
        self, run: Run, name: str, data: object, execute: Callable[[Run, str, object], str]
    ) -> str:
        """What the template prints, executed only if that is not known."""
        depth = run.depth
        self._deepest = max(self._deepest, depth)
        tracer = self._tracer
        failures = self._failures.get(name, 0)
        if (
            failures >= _SOME_FAILURES
            or run.is_inside_tpl
            or depth > _DEEPEST
            or tracer.read_count > _MOST_READS
        ):
            return execute(run, name, data)
        try:
            key = name, _told(data, 0)
        except _Unknown:
            return execute(run, name, data)
        known = self._texts.get(key)
        if known is not None and known.reads.isdisjoint(tracer.touched):
            run.charge(known.steps)
            self._deepest = max(self._deepest, depth + known.depth)
            tracer.read_again(known.reads)
            return known.text
        steps, deepest = run.steps, self._deepest
        self._deepest = depth
        aside = tracer.set_aside()
        text = execute(run, name, data)
        reads = tracer.join(aside)
        inside = self._deepest - depth
        self._deepest = max(self._deepest, deepest)
        if (
            reads is not None
            and inside <= _DEEPEST
            and self._is_function_of(reads, text, data, key[1])
        ):
            held = len(text) + len(reads) * _READ_BYTES + len(repr(key)) + _TEXT_BYTES
            self._keep(key, _Text(text, reads, steps - run.steps, inside, held))
            self._failures.pop(name, None)
        else:
            self._failures[name] = failures + 1
        return text

    def _keep(self, key: tuple[object, ...], text: _Text) -> None:
        if self._bytes + text.bytes > _MOST_BYTES:
            self._texts.clear()
            self._bytes = 0
        self._texts[key] = text
        self._bytes += text.bytes

    def _is_function_of(
        self, reads: frozenset[Place], text: str, data: object, told: object
    ) -> bool:
        if len(text) > _MOST_CHARACTERS or len(reads) > _MOST_READS:
            return False
        if not reads.isdisjoint(self._tracer.touched):
            return False
        try:
            return isinstance(data, TracedMap) or _told(data, 0) == told  # was it changed?
        except _Unknown:
            return False


def _told(value: object, nested: int) -> object:
    """What tells a value from all others; what is inside a traced map is read from it later."""
    if isinstance(value, TracedMap):
        return TracedMap, value.number
    kind = type(value)
    if kind is str and len(value) > _MOST_CHARACTERS:  # type: ignore[arg-type]  # see above
        raise _Unknown
    if kind is float:
        return kind, value.hex()  # type: ignore[attr-defined]  # see above; a zero has a sign
    if kind in SCALARS:
        return kind, value
    if kind is ChartValues:
        return ChartValues, _told(value.inner, nested)  # type: ignore[attr-defined]  # see above
    if nested == _MOST_NESTED:
        raise _Unknown
    if kind is dict and len(value) <= _MOST_PARTS:  # type: ignore[arg-type]  # see above
        return dict, *(
            (key, _told(inner, nested + 1))
            for key, inner in value.items()  # type: ignore[attr-defined]  # see above
        )
    if kind is list and len(value) <= _MOST_PARTS:  # type: ignore[arg-type]  # see above
        return list, *(_told(inner, nested + 1) for inner in value)  # type: ignore[attr-defined]
    raise _Unknown
