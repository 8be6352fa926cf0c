"""What a worker left of a repository's index, and how to find one chart in it.

The file's first line is a summary. Its second says where each chart's line stands, so that a
look-up reads two lines, however many charts there are. `workers.index` writes it.
"""

import json
from pathlib import Path
from typing import NamedTuple

from whipstaff.errors import RepoIndexTooLarge
from whipstaff.sources.choice import Entry

NAMES_LIMIT = 10_000  # that are read at once: an index has room for hundreds of thousands


class Summary(NamedTuple):
    """What is in an index: how many charts and versions, and entries that nobody can use."""

    charts: int
    versions: int
    skipped: int

    @property
    def sentence(self) -> str:
        """For people."""
        text = f"{_counted(self.charts, 'chart')} in {_counted(self.versions, 'version')}"
        if not self.skipped:
            return text
        return f"{text}; {_counted(self.skipped, 'entry', 'entries')} of the index cannot be used"


def summary(file: Path) -> Summary:
    """Read the summary of an index."""
    with file.open("rb") as lines:
        return Summary(*json.loads(lines.readline()))


def entries_of(file: Path, name: str) -> tuple[Entry, ...]:
    """Read the versions of one chart, newest first; none if there is no such chart."""
    with file.open("rb") as lines:
        lines.readline()
        place = json.loads(lines.readline()).get(name)
        if place is None:
            return ()
        lines.seek(place, 1)
        listed = json.loads(lines.readline())
    return tuple(Entry(version, digest, tuple(urls)) for version, digest, urls in listed)


def names_of(file: Path) -> tuple[str, ...]:
    """Read which charts there are; RepoIndexTooLarge for more than anybody looks through."""
    if (count := summary(file).charts) > NAMES_LIMIT:
        raise RepoIndexTooLarge(f"its {count} charts are more than are shown: {NAMES_LIMIT}")
    with file.open("rb") as lines:
        lines.readline()
        return tuple(sorted(json.loads(lines.readline())))


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
