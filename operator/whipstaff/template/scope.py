"""What a render is given besides its data: effects and limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from whipstaff.template.generated import Generated
    from whipstaff.template.memory import Memory


class RandomSource(Protocol):
    """Where `randAlphaNum` and its kin get their randomness."""

    def randbytes(self, n: int, /) -> bytes:
        """`n` random bytes."""
        ...

    def randbelow(self, n: int, /) -> int:
        """A random number from 0 up to, not including, `n`."""
        ...


class Effects(Protocol):
    """The world outside: a clock, randomness, the cluster."""

    @property
    def now(self) -> Callable[[], datetime]:
        """The time, timezone-aware."""
        ...

    @property
    def random(self) -> RandomSource:
        """The source of randomness."""
        ...

    @property
    def lookup(self) -> Callable[[str, str, str, str], dict[str, object]]:
        """Read an object by apiVersion, kind, namespace and name; {} if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one render may take; beyond it there is a LimitExceeded."""

    steps: int = 20_000_000  # loop iterations and template calls
    output_bytes: int = 64 << 20  # of any one template or include, in characters
    depth: int = 3_000  # templates within templates; Helm stops include at 1,000 of one name
    seconds: float = 0.0  # wall time; 0 is no limit


def _nobody(_template: str) -> None:
    """Listen to what a render begins, when nobody wants to know."""


def _unheard(_level: str, _what: str, _message: str) -> None:
    """Listen to what a chart complains of, when nobody wants to know."""


@dataclass(frozen=True, slots=True)
class RenderScope:
    """The effects and limits of one render."""

    effects: Effects
    strict: bool = False  # a missing key is an error
    lint: bool = False  # `required` and `fail` do not fail
    # Told what they say then: Helm's level, its name for it, the chart's own words.
    complain: Callable[[str, str, str], None] = _unheard
    jinja2_charts: bool = False  # charts whose templates are for Jinja2 may be rendered
    limits: Limits = field(default_factory=Limits)
    # Told the path of each template before it is rendered, and "" at the end: when time or memory
    # run out, nothing else says where.
    begin: Callable[[str], None] = _nobody
    generated: Generated | None = None  # what is kept of what functions generate; None: nothing
    memory: Memory | None = None  # of what templates printed
