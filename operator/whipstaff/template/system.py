"""The effects of a render as the machine has them: its clock and its randomness."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class SystemRandom:
    """Randomness for passwords and keys that templates make."""

    def randbytes(self, n: int, /) -> bytes:
        return os.urandom(n)

    def randbelow(self, n: int, /) -> int:
        return secrets.randbelow(n)


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)  # noqa: TID251 - this is the clock that templates are given


@dataclass(frozen=True, slots=True)
class SystemEffects:
    """Effects with a `lookup` of the caller's."""

    lookup: Callable[[str, str, str, str], dict[str, object]]
    now: Callable[[], datetime] = utc_now
    random: SystemRandom = field(default_factory=SystemRandom)
