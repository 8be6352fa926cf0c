"""`whipstaff status`: where a release stands, as `helm status` tells it."""

from contextlib import suppress
from typing import Any

import click

from whipstaff.cli import completions, release_text
from whipstaff.cli.awaiting import ready
from whipstaff.cli.cluster_flags import Cluster, cluster_flags, reached
from whipstaff.cli.helm_flags import HelmCommand, exactly
from whipstaff.cli.helmreleases import helmreleases
from whipstaff.cli.live_objects import LiveObjects
from whipstaff.cli.printing import as_yaml, color_option, echo, one_line, output_option, whole
from whipstaff.cli.stored_releases import NOT_FOUND, StoredReleases
from whipstaff.errors import ClusterRefused
from whipstaff.golang import json
from whipstaff.release.stored import StoredRelease


@click.command("status", cls=HelmCommand)
@click.argument(
    "names",
    nargs=-1,
    metavar="RELEASE_NAME",
    shell_complete=completions.stored,
    callback=exactly(1, "whipstaff status RELEASE_NAME [flags]"),
)
@click.option(
    "--revision",
    default="0",
    callback=whole,
    shell_complete=completions.revisions,
    help="A revision; the newest if 0.",
)
@output_option
@color_option
@cluster_flags
def status(names: tuple[str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Show where a release stands, as `helm status` does."""
    with reached(flags) as cluster:
        found = _found(cluster, names[0], flags["revision"])
        as_tables = flags["output"] == "table"
        objects = LiveObjects(cluster).of(found.manifest, as_tables=as_tables)
        unready = "" if flags["revision"] else _unready(cluster, names[0])
    match flags["output"]:
        case "json":
            echo(json.dump(release_text.record(found, objects)) + "\n")
        case "yaml":
            echo(as_yaml(release_text.record(found, objects)))
        case _:
            release_text.tell(found, objects)
    if unready:
        click.echo(f"HelmRelease {names[0]} is not ready: {unready}", err=True)


def _found(cluster: Cluster, name: str, number: int) -> StoredRelease:
    """Return a revision; where there is none, a HelmRelease of the name says why."""
    try:
        return StoredReleases(cluster).revision(name, number)
    except click.ClickException as error:
        if error.message != NOT_FOUND or number > 0:
            raise
        if unready := _unready(cluster, name):
            raise click.ClickException(f"{NOT_FOUND}: HelmRelease {name}: {unready}") from error
        raise


def _unready(cluster: Cluster, name: str) -> str:
    """Return why a HelmRelease is not ready; empty where it is, or there is none to be read."""
    with suppress(ClusterRefused):
        live = helmreleases(cluster).find(name)
        done, said = ready(live) if live else (True, "")
        return "" if done else one_line(said)
    return ""
