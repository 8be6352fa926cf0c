"""Values that someone set and that nothing reads: misspelt most of the time.

Said only where it is sure: neither did a template read the value in this render, nor does any
template mention it in a branch that was not taken. Texts hold the names of values, never values.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from whipstaff.chart import engines
from whipstaff.chart.mentions import Mentions, ValuePath, charts, templates_in
from whipstaff.chart.model import JsonObject
from whipstaff.chart.reads import Reads, conditions, leaves

LIMIT = 20  # that are told
_NAME_CHARACTERS = 120
_LOOKED_AT = 5_000  # of the values that someone set
_COMPARED_KEYS, _COMPARED_CHARACTERS = 500, 80
_LIKENESS = 0.6  # by difflib, from which on a key may have been meant


@dataclass(frozen=True, slots=True)
class Unused:
    """The path of a value that nothing reads, and the key that may have been meant."""

    path: ValuePath
    meant: str = ""

    def __str__(self) -> str:
        text = f"`{_shown(self.path)}` is never read"
        if not self.meant:
            return text
        return f"{text}; did you mean `{_shown((*self.path[:-1], self.meant))}`?"


def _shown(path: ValuePath) -> str:
    name = ".".join(key.replace(".", "\\.") for key in path)
    name = "".join(
        one if one.isprintable() and one != "`" else "\N{REPLACEMENT CHARACTER}" for one in name
    )
    if len(name) > _NAME_CHARACTERS:
        name = f"{name[: _NAME_CHARACTERS - 1]}\N{HORIZONTAL ELLIPSIS}"
    return name


def told(found: list[Unused]) -> list[str]:
    """Put what was found in words, the first of them if they are many."""
    texts = [str(one) for one in found[:LIMIT]]
    if len(found) > LIMIT:
        texts.append(f"{len(found) - LIMIT} more values are never read")
    return texts


def unused(reads: Reads, values: JsonObject) -> list[Unused]:
    """Return which of the user's values nothing reads, in their order; tables as a whole."""
    if engines.language_of(reads.chart.metadata) is engines.Language.JINJA2:
        return []  # which reads values in ways that are not traced
    decisive = frozenset(conditions(reads.chart))
    set_by_user = islice(leaves(values), _LOOKED_AT)
    suspects = [path for path in set_by_user if not _is_read(reads, decisive, path)]
    if not suspects:
        return []
    judge = _Judge(reads, values, decisive)
    found: dict[ValuePath, None] = {}
    for path in suspects:
        top = judge.first_unread(path)
        if top:
            found[top] = None
    unread = frozenset(found)
    return [
        Unused(path, judge.meant(path, unread) if number < LIMIT else "")
        for number, path in enumerate(found)
    ]


def _is_read(reads: Reads, decisive: frozenset[ValuePath], path: ValuePath) -> bool:
    """Whether it is known to be read; of a chart that is switched off nothing is known."""
    decides = path[:1] == ("tags",) or path in decisive
    return decides or (reads.is_read(path) and not reads.is_switched_off(path))


class _Judge:
    """What is known of the values of one render."""

    def __init__(self, reads: Reads, values: JsonObject, decisive: frozenset[ValuePath]) -> None:
        self._reads = reads
        self._mentions = Mentions(reads.chart)
        for text in templates_in(values):
            self._mentions.read(text)
        self._imported = tuple(_imports(reads))
        self._decisive = decisive

    def first_unread(self, path: ValuePath) -> ValuePath:
        """Return the outermost table around an unread value, or the value, that has no reader."""
        if any(path[: len(one)] == one for one in self._imported):
            return ()
        for length in range(1, len(path) + 1):
            part = path[:length]
            if any(one[:length] == part for one in self._decisive):
                continue  # what switches charts is in this table
            if not (
                _is_read(self._reads, self._decisive, part)
                or self._mentions.has_chart(part)
                or self._mentions.has(part)
            ):
                return () if self._may_be_read_whole(part[:-1]) else part
        return ()

    def _may_be_read_whole(self, table: ValuePath) -> bool:
        """Whether a branch that was not taken may print a table; one that is read by key is not."""
        if not table or self._reads.asked_keys(table):
            return False
        return self._mentions.has_all_of(table)

    def meant(self, path: ValuePath, unread: frozenset[ValuePath]) -> str:
        """Return the key of the same table that is most like the one that nothing reads."""
        table, key = path[:-1], path[-1]
        known = self._reads.known_keys(table) | self._mentions.keys(table)
        depth = len(table)
        known |= {one[depth] for one in self._decisive if one[:depth] == table and len(one) > depth}
        real = sorted(one for one in known if (*table, one) not in unread)
        fit = [one for one in real if len(one) <= _COMPARED_CHARACTERS][:_COMPARED_KEYS]
        return _nearest(key, fit) if len(key) <= _COMPARED_CHARACTERS else ""


def _nearest(key: str, keys: list[str]) -> str:
    """Return the key with the fewest slips of the keyboard between, empty if none is alike."""
    alike = [one for one in keys if _is_like(key, one)]
    return min(alike, key=lambda one: (_slips(key, one), abs(len(key) - len(one))), default="")


def _is_like(key: str, other: str) -> bool:
    likeness = difflib.SequenceMatcher(None, key.lower(), other.lower()).ratio()
    return likeness >= _LIKENESS or (len(key) > 1 and _slips(key, other) == 1)


def _slips(key: str, other: str) -> int:
    """Count letters that were left out, put in, exchanged or swapped; in another case is none."""
    a, b = key.lower(), other.lower()
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, one in enumerate(a, start=1):
        row = [i]
        for j, two in enumerate(b, start=1):
            fewest = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (one != two))
            if i > 1 and j > 1 and one == b[j - 2] and a[i - 2] == two:
                fewest = min(fewest, before[j - 2] + 1)
            row.append(fewest)
        before, last = last, row
    return last[-1]


def _imports(reads: Reads) -> Iterator[ValuePath]:
    """The paths from which a chart takes values of those inside it."""
    for place, chart in charts(reads.chart):
        for one in chart.metadata.dependencies or ():
            inner = (*place, one.alias or one.name)
            for each in one.import_values:
                if isinstance(each, dict):
                    yield (*inner, *str(each.get("child", "")).split("."))
                else:
                    yield (*inner, "exports", str(each))
