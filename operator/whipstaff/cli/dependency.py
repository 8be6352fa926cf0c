"""`whipstaff dependency`: the charts that a chart declares, listed and put into charts/."""

import os
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from whipstaff.chart import globs
from whipstaff.chart.lock import constraint
from whipstaff.chart.model import Chart, Dependency
from whipstaff.cli import chart_files
from whipstaff.cli.chart_files import ChartNotFound
from whipstaff.cli.given_values import os_text
from whipstaff.cli.helm_flags import HelmCommand, at_most
from whipstaff.cli.helm_home import Refused, home_of, home_options
from whipstaff.cli.late import Commands
from whipstaff.cli.printing import echo, table, unsigned
from whipstaff.cli.registry_login import Access, registry_options
from whipstaff.cli.verification import default_keyring
from whipstaff.errors import ChartInvalid, OperatorError
from whipstaff.golang.semver import SemverError, Version
from whipstaff.golang.strconv import quote

Decorator = Callable[[Any], Any]

_WIDEST = 80
_HEAD = ["NAME", "VERSION", "REPOSITORY", "STATUS"]


@click.group("dependency", cls=Commands, aliases={"ls": "list", "up": "update"})
def dependency() -> None:
    """List the charts that a chart declares, and put them into charts/."""


def _folder(command: str) -> Decorator:
    usage = f"whipstaff dependency {command} CHART [flags]"
    return click.argument("charts", nargs=-1, metavar="[CHART]", callback=at_most(1, usage))


def _path(charts: tuple[str, ...]) -> str:
    return os.path.normpath(charts[0] or ".") if charts else "."


def _flags(command: Any) -> Any:  # noqa: ANN401 - a decorator
    for flag in (
        home_options,
        registry_options,
        click.option("--skip-refresh", is_flag=True, help="Fetch no indexes of repositories."),
        click.option(
            "--keyring",
            default=default_keyring,
            metavar="FILE",
            help="File of public keys; GnuPG's if not given.",
        ),
        click.option("--verify", is_flag=True, help="Check the signatures of charts."),
    ):
        command = flag(command)
    return command


@dependency.command("list", cls=HelmCommand)
@_folder("list")
@click.option(
    "--max-col-width",
    default=_WIDEST,
    callback=unsigned,
    type=click.UNPROCESSED,
    help="Widest column of the table.",
)
def list_(charts: tuple[str, ...], max_col_width: int) -> None:
    """List the charts that a chart declares, and whether they are there."""
    path = _path(charts)
    chart = _loaded(path)
    declared = chart.metadata.dependencies
    if declared is None:
        click.echo(f"WARNING: no dependencies at {os.path.join(path, 'charts')}")  # noqa: PTH118
        return
    rows = [[one.name, one.version, one.repository, _status(path, one, chart)] for one in declared]
    echo(table([_HEAD, *rows], max_col_width) + "\n")
    names = {one.name for one in declared}
    for place in _carried(path):
        try:
            known = chart_files.load(place).name in names
        except (ChartNotFound, OperatorError):
            click.echo(f"WARNING: {quote(str(place))} is not a chart.")
            continue
        if not known:
            click.echo(f"WARNING: {quote(str(place))} is not in Chart.yaml.")


@dependency.command("update", cls=HelmCommand)
@_folder("update")
@_flags
def update(charts: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Put the newest fitting charts into charts/, and write the lock."""
    from whipstaff.cli.dependency_files import Manager, Verify  # noqa: PLC0415 - asyncio, aiohttp

    verify = Verify.ALWAYS if flags["verify"] else Verify.NEVER
    Manager(*_given(charts, flags), **_how(flags), verify=verify).update()


@dependency.command("build", cls=HelmCommand)
@_folder("build")
@_flags
def build(charts: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Put the charts of the lock into charts/; without a lock, the newest fitting ones."""
    from whipstaff.cli.dependency_files import Manager, Verify  # noqa: PLC0415 - asyncio, aiohttp

    verify = Verify.IF_SIGNED if flags["verify"] else Verify.NEVER
    Manager(*_given(charts, flags), **_how(flags), verify=verify).build()


def _given(charts: tuple[str, ...], flags: dict[str, Any]) -> tuple[Any, ...]:
    from whipstaff.cli.chart_options import ChartOptions  # noqa: PLC0415 - `list` needs none of it

    home = home_of(flags)
    registry = {one.name: flags[one.name] for one in fields(Access)}
    return _path(charts), home, ChartOptions(keyring=flags["keyring"], **registry), click.echo


def _how(flags: dict[str, Any]) -> dict[str, Any]:
    return {"skip_refresh": flags["skip_refresh"]}


def _loaded(path: str) -> Chart:
    try:
        os.stat(path)  # noqa: PTH116 - the error names the path as it was given
        return chart_files.load_any(Path(path))
    except OSError as error:
        raise Refused(os_text(path, error, verb="stat")) from error
    except ChartNotFound as error:
        raise Refused(str(error)) from error
    except OperatorError as error:
        raise Refused(error.text) from error


def _carried(path: str) -> Iterator[Path]:
    """The folders and archives in charts/."""
    folder = Path(path) / "charts"
    if folder.is_dir():
        for place in sorted(folder.iterdir()):
            if place.is_dir() or place.suffix == ".tgz":
                yield place


def _status(path: str, one: Dependency, chart: Chart) -> str:
    """How a declared chart is there: as an archive, which is looked at first, or unpacked."""
    try:
        archives = _archives(path, one.name)
    except globs.BadPattern:
        return "bad pattern"
    if len(archives) > 1:
        archives = [each for each in archives if _has_version(each, one.name)]
        if len(archives) > 1:
            return "too many matches"
    if archives:
        return _status_of_archive(archives[0], one)
    found = next((each for each in chart.subcharts[::-1] if each.name == one.name), None)
    if found is None:
        return "missing"
    return _misfit(found, one) or "unpacked"


def _archives(path: str, name: str) -> list[Path]:
    pattern = globs.path_pattern(f"{name}-*.tgz")
    folder = Path(path) / "charts"
    if not folder.is_dir():
        return []
    return [each for each in sorted(folder.iterdir()) if pattern.fullmatch(each.name)]


def _has_version(archive: Path, name: str) -> bool:
    try:
        Version.parse_strict(archive.name.removesuffix(".tgz").removeprefix(f"{name}-"))
    except SemverError:
        return False
    return True


def _status_of_archive(archive: Path, one: Dependency) -> str:
    try:
        found = chart_files.load(archive)
    except (ChartNotFound, OperatorError):
        return "corrupt"
    if found.name != one.name:
        return "misnamed"
    return _misfit(found, one) or "ok"


def _misfit(found: Chart, one: Dependency) -> str:
    """What is wrong with the version of a chart that is there; empty if nothing is."""
    version = found.metadata.version
    if version == one.version:
        return ""
    try:
        fits = constraint(one).allows(Version.parse(version))
    except (ChartInvalid, SemverError):
        return "invalid version"
    return "" if fits else "wrong version"
