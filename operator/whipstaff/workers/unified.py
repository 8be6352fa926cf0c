"""Two YAML texts as a unified diff whose parts say where in the document they begin."""

import difflib
import re
from collections.abc import Iterator, Sequence

LINES_LIMIT = 20_000  # of both texts: comparing takes the square of them
BYTES_LIMIT = 4 << 20  # of a diff
PLACE_LIMIT = 200  # characters
ITEM_LIMIT = 40

_HEAD = re.compile(r"@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@\n")
_KEY = re.compile(r"([^#][^:]*):(?:\s|$)")
_ITEM = "- "


def unified(before: str, after: str) -> str:
    """Return a unified diff, empty if nothing differs; a note in place of one without an end."""
    if before == after:
        return ""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if len(old) + len(new) > LINES_LIMIT:
        return f"… {len(old)} and {len(new)} lines are too many to be compared\n"
    text = "".join(_placed(difflib.unified_diff(old, new, "before", "after"), old))
    return text if len(text) <= BYTES_LIMIT else text[:BYTES_LIMIT] + "…\n"


def _placed(lines: Iterator[str], old: Sequence[str]) -> Iterator[str]:
    """Add to the head of each part what it is in, where others name the function."""
    for line in lines:
        found = _HEAD.fullmatch(line)
        place = _place(old, int(found[1]) - 1) if found else ""
        yield f"{line[:-1]} {place}\n" if place else line


def _place(lines: Sequence[str], number: int) -> str:
    """Name the keys and items that a line stands below: `spec.containers[name: web].args`."""
    if not 0 <= number < len(lines):
        return ""
    found: list[str] = []
    depth, in_item = _depth(lines[number]), lines[number].lstrip().startswith(_ITEM)
    for line in reversed(lines[:number]):
        text = line.strip()
        is_item = text.startswith(_ITEM)
        # The items of a list may stand as deep as its key.
        above = depth + 1 if in_item and not is_item else depth
        if not text or _depth(line) >= above:
            continue
        depth, in_item = _depth(line), is_item
        if is_item:
            found.append(f"[{text.removeprefix(_ITEM)[:ITEM_LIMIT]}]")
        elif key := _KEY.match(text):
            found.append(f".{key[1]}")
        if not depth and not in_item:
            break
    return "".join(reversed(found)).removeprefix(".")[:PLACE_LIMIT]


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
