"""What lint finds: how bad, where, and a sentence."""

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad a finding is; the names are Helm's."""

    INFO = 1  # of no consequence
    WARNING = 2  # against convention, and likely to work
    ERROR = 3  # unlikely to work


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that lint says; `path` is a file, a folder of the chart or empty."""

    severity: Severity
    path: str
    text: str

    def __str__(self) -> str:
        return f"[{self.severity.name}] {self.path}: {self.text}"
