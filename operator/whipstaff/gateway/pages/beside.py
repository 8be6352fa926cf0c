"""A unified diff as two columns, line beside line."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

ROWS_LIMIT = 4000  # of one object

_LABEL = re.compile(
    r"\s*[\"']?(helm\.sh/chart|app\.kubernetes\.io/version"
    r"|chart(?=: [\"']?[a-z][a-z0-9-]*-v?\d))[\"']?: "
)
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(?: (.*))?")


@dataclass(frozen=True, slots=True)
class Side:
    """A line of one text; number 0 where the text has none there."""

    number: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Two lines beside each other."""

    # "same", "changed", "added", "removed", "note" or "gap": of so many lines, and where it ends
    kind: str
    left: Side = Side()
    right: Side = Side()


def rows(unified: str) -> list[Row]:
    """Return the rows of a diff; what is no diff is a note, and so is that there are too many."""
    found: list[Row] = []
    for row in _rows(unified):
        if len(found) == ROWS_LIMIT:
            return [*found, Row("note", Side(0, "… the rest is too long to be shown"))]
        found.append(row)
    return found


def tally(found: Sequence[Row]) -> tuple[int, int]:
    """Return how many lines were added and removed."""
    kinds = Counter(row.kind for row in found)
    return kinds["added"] + kinds["changed"], kinds["removed"] + kinds["changed"]


def is_routine(found: Sequence[Row]) -> bool:
    """Whether nothing differs but labels that each version of a chart changes in all objects."""
    different = [row for row in found if row.kind not in ("same", "gap")]
    return all(
        row.kind == "changed" and _LABEL.match(row.left.text) and _LABEL.match(row.right.text)
        for row in different
    )


def _rows(unified: str) -> Iterator[Row]:
    lines = unified.split("\n")
    if lines[-1] == "":
        lines.pop()
    if unified.startswith("--- "):
        del lines[:2]
    left = right = 0
    removed: list[str] = []
    added: list[str] = []
    for line in [*lines, ""]:
        mark, text = line[:1], line[1:]
        if mark == "-":
            removed.append(text)
            continue
        if mark == "+":
            added.append(text)
            continue
        yield from _paired(removed, added, left, right)
        left, right = left + len(removed), right + len(added)
        removed, added = [], []
        if mark == " ":
            yield Row("same", Side(left, text), Side(right, text))
            left, right = left + 1, right + 1
        elif hunk := _HUNK.fullmatch(line):
            start = max(1, int(hunk[1]))
            if left_out := start - max(1, left):
                yield Row("gap", Side(left_out, hunk[3] or ""))
            left, right = start, max(1, int(hunk[2]))
        elif line:
            yield Row("note", Side(0, line))


def _paired(removed: list[str], added: list[str], left: int, right: int) -> Iterator[Row]:
    for number, (old, new) in enumerate(zip_longest(removed, added)):
        before = Side() if old is None else Side(left + number, old)
        after = Side() if new is None else Side(right + number, new)
        kind = "added" if old is None else "removed" if new is None else "changed"
        yield Row(kind, before, after)
