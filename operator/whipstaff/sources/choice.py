"""Choose the version of a chart that a range asks for, as Helm chooses it."""

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from whipstaff.errors import ChartVersionNotFound, InvalidSpec
from whipstaff.golang.semver import Constraint, SemverError, Version

ANY_VERSION = "*"
_NEWEST_SHOWN = 5


class Entry(NamedTuple):
    """One version of a chart in a repository's index."""

    version: str
    digest: str  # SHA-256 in hexadecimal, possibly behind `sha256:`; empty where the index has none
    urls: tuple[str, ...]


class Choice(NamedTuple):
    """What was chosen, and how many stable versions of the index are newer."""

    entry: Entry
    newer: int


def choose(name: str, wanted: str, entries: Sequence[Entry], repository: str) -> Choice:
    """Return the exact version if there is one, else the newest in the range.

    `entries` come newest first. Raises InvalidSpec for a range that cannot be read, and
    ChartVersionNotFound with the newest versions if none fits.
    """
    constraint = _constraint(wanted or ANY_VERSION)
    for entry in entries:
        if entry.version == wanted:
            return Choice(entry, _newer(entry, entries))
    for entry in entries:
        if constraint.allows(Version.parse(entry.version)):
            return Choice(entry, _newer(entry, entries))
    newest = ", ".join(entry.version for entry in entries[:_NEWEST_SHOWN])
    raise ChartVersionNotFound(
        f"no chart version found for {name} in range {wanted or ANY_VERSION!r}; "
        f"the newest in {repository} are {newest}",
        f"{repository}/{name}",
    )


def _newer(chosen: Entry, entries: Sequence[Entry]) -> int:
    """Count the stable versions before the chosen one: entries come newest first."""
    before = takewhile(lambda entry: entry is not chosen, entries)
    return sum(1 for entry in before if not Version.parse(entry.version).prerelease)


def _constraint(wanted: str) -> Constraint:
    try:
        return Constraint.parse(wanted)
    except SemverError as error:
        raise InvalidSpec(
            f"spec.chart.version: {wanted!r} is no version and no range of versions: {error}",
            "spec.chart.version",
        ) from error


def same_version(left: str, right: str) -> bool:
    """Whether two spellings are one version: a leading `v` and missing parts do not count."""
    try:
        return str(Version.parse(left)) == str(Version.parse(right))
    except SemverError:
        return left == right
