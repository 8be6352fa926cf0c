"""`whipstaff list`: the releases of a namespace or of all, as `helm list` shows them."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import click

from whipstaff.cli import colours
from whipstaff.cli.cluster_flags import cluster_flags, reached
from whipstaff.cli.helm_flags import HelmCommand, exactly
from whipstaff.cli.printing import (
    as_json,
    as_yaml,
    color_option,
    echo,
    harmless,
    output_option,
    table,
    whole,
    write,
)
from whipstaff.cli.stored_releases import StoredReleases
from whipstaff.release.revision import ReleaseStatus
from whipstaff.release.stored import StoredRelease

_HEAD = ("NAME", "NAMESPACE", "REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION")
_STATES = {
    "deployed": (ReleaseStatus.DEPLOYED,),
    "failed": (ReleaseStatus.FAILED,),
    "pending": tuple(status for status in ReleaseStatus if status.pending),
    "superseded": (ReleaseStatus.SUPERSEDED,),
    "uninstalled": (ReleaseStatus.UNINSTALLED,),
    "uninstalling": (ReleaseStatus.UNINSTALLING,),
}
_UTC = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:(\.\d*?)0*)?Z")


def _switch(name: str, what: str) -> Callable[[Any], Any]:
    return click.option(*name.split("/"), is_flag=True, help=what)


@click.command("list", cls=HelmCommand)
@click.argument("arguments", nargs=-1, callback=exactly(0, "whipstaff list [flags]"))
@_switch("-A/--all-namespaces", "Releases of all namespaces.")
@_switch("-q/--short", "Names alone.")
@_switch("--no-headers", "Print no line above the table.")
@click.option("--time-format", default="", metavar="LAYOUT", help="A layout of Go for times.")
@_switch("-d/--date", "Sort by the time of release.")
@_switch("-r/--reverse", "Sort the other way round.")
@_switch("--deployed", "Show deployed releases.")
@_switch("--failed", "Show failed releases.")
@_switch("--pending", "Show releases that somebody is at work on.")
@_switch("--superseded", "Show revisions that others followed.")
@_switch("--uninstalled", "Show releases that were uninstalled with their history kept.")
@_switch("--uninstalling", "Show releases that are being uninstalled.")
@click.option("-m", "--max", default="256", callback=whole, help="Releases at most; 0 for all.")
@click.option("--offset", default="0", callback=whole, help="Releases to pass over.")
@click.option("-f", "--filter", default="", metavar="REGEXP", help="Names that match.")
@click.option("-l", "--selector", default="", metavar="SELECTOR", help="Labels of the releases.")
@output_option
@color_option
@cluster_flags
def listing(arguments: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """List releases, as `helm list` does."""
    del arguments
    states = frozenset(
        status for flag, named in _STATES.items() if flags[flag] for status in named
    ) or frozenset(ReleaseStatus) - {ReleaseStatus.UNKNOWN}
    with reached(flags) as cluster:
        releases = StoredReleases(cluster)
        everywhere = flags["all_namespaces"]
        # What is newest is never superseded, so that asking for those alone means older ones.
        if states == {ReleaseStatus.SUPERSEDED}:
            stored = releases.superseded(all_namespaces=everywhere)
        else:
            stored = releases.newest(all_namespaces=everywhere)
    wanted = [one for one in stored if one.status in states]
    found = _sorted(_selected(wanted, flags["filter"], flags["selector"]), flags)
    last = flags["offset"] + flags["max"] if flags["max"] > 0 else None
    _show(found[flags["offset"] : last], flags)


def _selected(
    found: Sequence[StoredRelease], pattern: str, selector: str
) -> Sequence[StoredRelease]:
    if pattern:
        from whipstaff.golang.regexp import RegexpError, compile_pattern  # noqa: PLC0415

        try:
            wanted = compile_pattern(pattern)
        except RegexpError as error:
            raise click.ClickException(str(error)) from error
        found = [one for one in found if wanted.matches(one.name)]
    if selector:
        from whipstaff.postrender.errors import InstructionError  # noqa: PLC0415
        from whipstaff.postrender.label_selectors import LabelSelector  # noqa: PLC0415

        try:
            labels = LabelSelector.parse(selector)
        except InstructionError as error:
            raise click.ClickException(str(error)) from error
        found = [one for one in found if labels.matches(one.labels)]
    return found


def _sorted(found: Sequence[StoredRelease], flags: dict[str, Any]) -> Sequence[StoredRelease]:
    """Sort as helm does, whose `--date` alone has the oldest first."""
    if not flags["date"]:
        key: Callable[[StoredRelease], Any] = _name
    else:
        from whipstaff.cli.moments import moment  # noqa: PLC0415

        def key(one: StoredRelease) -> tuple[int, str, str]:
            return moment(one.last_deployed).seconds, one.name, one.namespace

    return sorted(found, key=key, reverse=flags["reverse"])


def _name(one: StoredRelease) -> tuple[str, str, int]:
    return one.name, one.namespace, one.number


def _show(found: Sequence[StoredRelease], flags: dict[str, Any]) -> None:
    rows = [_row(one, flags["time_format"]) for one in found]
    shown = [row["name"] for row in rows] if flags["short"] else rows
    match flags["output"]:
        case "json":
            echo(as_json(shown))
        case "yaml":
            echo(as_yaml(shown))
        case _ if flags["short"]:
            echo("".join(f"{row['name']}\n" for row in rows))
        case _:
            head = () if flags["no_headers"] else (tuple(map(colours.header, _HEAD)),)
            write(table([*head, *map(_cells, rows)]))


def _row(one: StoredRelease, layout: str) -> dict[str, str]:
    return {
        "name": one.name,
        "namespace": one.namespace,
        "revision": str(one.number),
        "updated": _updated(one.last_deployed, layout),
        "status": one.status,
        "chart": one.chart_name,
        "app_version": one.app_version,
    }


def _cells(row: dict[str, str]) -> tuple[str, ...]:
    """Return a row as it is printed."""
    paint = {"namespace": colours.namespace, "status": colours.status}
    return tuple(paint.get(name, str)(harmless(text)) for name, text in row.items())


def _updated(text: str, layout: str) -> str:
    if not text:
        return "-"
    in_utc = _UTC.fullmatch(text)
    if in_utc and not layout:  # nearly always, and without all that layouts need
        fraction = (in_utc[3] or "").rstrip(".")
        return f"{in_utc[1]} {in_utc[2]}{fraction} +0000 UTC"
    from whipstaff.cli.moments import moment  # noqa: PLC0415

    found = moment(text)
    if layout:
        return found.format(layout)
    # An offset without a name is printed twice.
    return found.format("2006-01-02 15:04:05.999999999 -0700 MST")
