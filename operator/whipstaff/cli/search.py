"""`whipstaff search repo`: find charts in the repositories that helm knows."""

import posixpath
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import click

from whipstaff.cli import repository_index
from whipstaff.cli.given_values import os_text
from whipstaff.cli.helm_flags import HelmCommand
from whipstaff.cli.helm_home import HelmHome, Refused, home_of, home_options
from whipstaff.cli.helm_logs import log
from whipstaff.cli.late import Commands
from whipstaff.cli.printing import echo, output_option, printed, table, unsigned
from whipstaff.cli.repository_index import IndexEntry, IndexInvalid
from whipstaff.golang.semver import Constraint, SemverError, Version

_STABLE = ">0.0.0"
_ANY = ">0.0.0-0"
_APART = "\v"  # stands between what is searched, and in none of it


class _Found(NamedTuple):
    """A version of a chart that matches; a lower score is a better match."""

    score: int
    name: str
    entry: IndexEntry


@click.group("search", cls=Commands)
def search() -> None:
    """Find charts, as `helm search repo` does."""


@search.command("hub", cls=HelmCommand, hidden=True)
@click.argument("keywords", nargs=-1)
def hub(keywords: tuple[str, ...]) -> None:
    """Say that Artifact Hub is not searched."""
    del keywords
    raise Refused("search hub is not offered: add repositories and use search repo")


@search.command("repo", cls=HelmCommand)
@click.argument("keywords", nargs=-1, metavar="[KEYWORD]...")
@click.option("-r", "--regexp", is_flag=True, help="The keyword is a regular expression.")
@click.option("-l", "--versions", is_flag=True, help="Show all versions, one a line.")
@click.option("--devel", is_flag=True, help="Show pre-releases too, unless --version is given.")
@click.option("--version", default="", help="Show versions of this range alone.")
@click.option(
    "--max-col-width",
    default="50",
    callback=unsigned,
    metavar="NUMBER",
    help="How wide a column may be; 0 for any width.",
)
@click.option("--fail-on-no-result", is_flag=True, help="Fail if nothing is found.")
@output_option
@home_options
def repo(keywords: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Find charts in the repositories that were added, by name, description and keywords."""
    home = home_of(flags)
    wanted = flags["version"] or (_ANY if flags["devel"] else _STABLE)
    charts = list(_charts(home))
    score = _scoring(" ".join(keywords), regexp=flags["regexp"]) if keywords else _any
    found = [
        _Found(points, name, entry)
        for name, text, entry in charts
        if (points := score(text)) is not None
    ]
    found.sort(key=lambda one: (one.score, one.name))  # the newest version stays the first
    rows = [_row(one) for one in _in_range(found, wanted, every=flags["versions"])]
    if not rows and flags["fail_on_no_result"]:
        raise Refused("no results found")
    echo(printed(flags["output"], rows, lambda rows: _table(rows, flags["max_col_width"])))


def _charts(home: HelmHome) -> Iterator[tuple[str, str, IndexEntry]]:
    """Yield each version of each chart: its name, what is searched of it, and itself."""
    try:
        entries = home.known_repositories().entries
    except Refused as error:
        raise Refused(f"no repositories configured: {error.message}") from error
    if not entries:
        raise Refused("no repositories configured")
    for repository in entries:
        file = home.index_file(repository.name)
        try:
            index = repository_index.read(file.read_bytes(), str(file))
        except OSError as error:
            _warn(repository.name, os_text(str(file), error))
            continue
        except IndexInvalid as error:
            _warn(repository.name, f"error loading {file}: {error}")
            continue
        for chart, versions in index.charts.items():
            name = posixpath.normpath(f"{repository.name}/{chart}")
            # Of versions that are spelled alike the last one counts.
            for entry in {one.version: one for one in versions}.values():
                yield name, _searched(repository.name, entry), entry


def _warn(repository: str, why: str) -> None:
    log("WARN", "repo is corrupt or missing", repo=repository, error=why)


def _searched(repository: str, entry: IndexEntry) -> str:
    parts = (entry.name, f"{repository}/{entry.name}", entry.description, " ".join(entry.keywords))
    return _APART.join(parts)


def _any(_text: str) -> int:
    return 0


def _scoring(term: str, *, regexp: bool) -> Callable[[str], int | None]:
    """Return what says how well a text matches: which of its parts does, None if none."""
    if not regexp:
        lowered = term.lower()

        def literal(text: str) -> int | None:
            text = text.lower()
            place = text.find(lowered)
            return None if place < 0 else text.count(_APART, 0, place)

        return literal
    from whipstaff.golang.regexp import RegexpError, compile_pattern  # noqa: PLC0415 - few need it

    try:
        pattern = compile_pattern(term)
    except RegexpError as error:
        raise Refused(str(error)) from error

    def matching(text: str) -> int | None:
        data = text.encode("utf-8", "surrogateescape")
        spans = pattern.search(data, 0)
        return None if spans is None else data.count(b"\v", 0, spans[0][0])

    return matching


def _in_range(found: Sequence[_Found], wanted: str, *, every: bool) -> Iterator[_Found]:
    """Yield what is in the range: of each chart the first, or every one."""
    try:
        constraint = Constraint.parse(wanted)
    except SemverError as error:
        raise Refused(f"an invalid version/constraint format: {error}") from error
    seen: set[str] = set()
    for one in found:
        if (every or one.name not in seen) and _allows(constraint, one):
            seen.add(one.name)
            yield one


def _allows(constraint: Constraint, found: _Found) -> bool:
    return constraint.allows(Version.parse(found.entry.version))


def _row(found: _Found) -> dict[str, str]:
    return {
        "name": found.name,
        "version": found.entry.version,
        "app_version": found.entry.app_version,
        "description": found.entry.description,
    }


def _table(rows: Sequence[dict[str, str]], widest: int) -> str:
    if not rows:
        return "No results found\n"
    head = ["NAME", "CHART VERSION", "APP VERSION", "DESCRIPTION"]
    return table([head, *(list(row.values()) for row in rows)], widest)
