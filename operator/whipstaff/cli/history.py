"""`whipstaff history`: the revisions of a release, as `helm history` shows them."""

from typing import Any

import click

from whipstaff.cli import completions
from whipstaff.cli.cluster_flags import cluster_flags, reached
from whipstaff.cli.helm_flags import HelmCommand, exactly
from whipstaff.cli.moments import ANSIC, moment
from whipstaff.cli.printing import as_json, as_yaml, echo, output_option, table, whole
from whipstaff.cli.stored_releases import StoredReleases, is_name
from whipstaff.release.stored import StoredRelease

_HEAD = ("REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION", "DESCRIPTION")


@click.command("history", cls=HelmCommand)
@click.argument(
    "names",
    nargs=-1,
    metavar="RELEASE_NAME",
    shell_complete=completions.stored,
    callback=exactly(1, "whipstaff history RELEASE_NAME [flags]"),
)
@click.option("--max", default="256", callback=whole, help="Revisions at most, the newest ones.")
@output_option
@cluster_flags
def history(names: tuple[str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Show the revisions of a release, as `helm history` does."""
    if not is_name(names[0]):
        raise click.ClickException(f"release name is invalid: {names[0]}")
    with reached(flags) as cluster:
        found = StoredReleases(cluster).history(names[0])
    shown = found[-flags["max"] :] if flags["max"] > 0 else []
    match flags["output"]:
        case "json":
            echo(as_json([_entry(one) for one in shown]))
        case "yaml":
            echo(as_yaml([_entry(one) for one in shown]))
        case _:
            echo(table([_HEAD, *map(_row, shown)]))


def _entry(one: StoredRelease) -> dict[str, object]:
    return {
        "revision": one.number,
        **({"updated": one.last_deployed} if one.last_deployed else {}),
        "status": one.status,
        "chart": one.chart_name,
        "app_version": one.app_version,
        "description": one.description,
    }


def _row(one: StoredRelease) -> tuple[str, ...]:
    updated = moment(one.last_deployed).format(ANSIC)
    facts = (one.status, one.chart_name, one.app_version, one.description)
    return (str(one.number), updated, *facts)
