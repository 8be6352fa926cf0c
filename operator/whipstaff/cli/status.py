"""`whipstaff status`: where a release stands, as `helm status` tells it."""

from contextlib import suppress
from typing import Any

import click

from whipstaff.cli import release_text
from whipstaff.cli.awaiting import ready
from whipstaff.cli.cluster_flags import Cluster, cluster_flags, reached
from whipstaff.cli.helm_flags import HelmCommand, exactly
from whipstaff.cli.helmreleases import helmreleases
from whipstaff.cli.live_objects import LiveObjects
from whipstaff.cli.printing import as_yaml, echo, output_option, whole
from whipstaff.cli.stored_releases import NOT_FOUND, StoredReleases
from whipstaff.errors import ClusterRefused
from whipstaff.golang import json
from whipstaff.release.stored import StoredRelease


@click.command("status", cls=HelmCommand)
@click.argument(
    "names",
    nargs=-1,
    metavar="RELEASE_NAME",
    callback=exactly(1, "whipstaff status RELEASE_NAME [flags]"),
)
@click.option("--revision", default="0", callback=whole, help="A revision; the newest if 0.")
@output_option
@cluster_flags
def status(names: tuple[str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Show where a release stands, as `helm status` does."""
    with reached(flags) as cluster:
        found = _found(cluster, names[0], flags["revision"])
        as_tables = flags["output"] == "table"
        objects = LiveObjects(cluster).of(found.manifest, as_tables=as_tables)
    match flags["output"]:
        case "json":
            echo(json.dump(release_text.record(found, objects)) + "\n")
        case "yaml":
            echo(as_yaml(release_text.record(found, objects)))
        case _:
            echo(release_text.text_of(found, objects))


def _found(cluster: Cluster, name: str, number: int) -> StoredRelease:
    """Return a revision; where there is none, a HelmRelease of the name says why."""
    try:
        return StoredReleases(cluster).revision(name, number)
    except click.ClickException as error:
        if error.message != NOT_FOUND or number > 0:
            raise
        with suppress(ClusterRefused):
            live = helmreleases(cluster).find(name)
            said = ready(live)[1] if live else ""
            if said:
                raise click.ClickException(f"{NOT_FOUND}: HelmRelease {name}: {said}") from error
        raise
