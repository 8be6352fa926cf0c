"""What commands that edit HelmReleases have in common: dry runs, and how they are shown."""

from typing import Any

import click

from whipstaff.cli.cluster_flags import cluster_flags
from whipstaff.cli.helm_flags import Decorated, LooseOption
from whipstaff.cli.helmreleases import HelmReleases, tell_of_git
from whipstaff.cli.printing import as_yaml, echo
from whipstaff.golang.strconv import quote
from whipstaff.helmrelease.edits import Edit
from whipstaff.release.revision import JsonObject

_DRY_RUNS = {
    "none": "",
    "false": "",
    "client": "client",
    "true": "client",
    LooseOption.ALONE: "client",
    "server": "server",
}


def edit_flags(command: Decorated) -> Decorated:
    """Add the flags of all commands that edit."""
    dry_run = click.option(
        "--dry-run",
        cls=LooseOption,
        default="none",
        callback=_dry_run,
        metavar="HOW",
        help="client: print the edit and make none; server: have the API server try it.",
    )
    return dry_run(cluster_flags(command))


def _dry_run(_: click.Context, __: click.Parameter, text: str) -> str:
    if text in _DRY_RUNS:
        return _DRY_RUNS[text]
    raise click.ClickException(
        f'invalid dry-run value ({quote(text)}). Must be "none", "server", or "client"'
    )


def made(releases: HelmReleases, name: str, edit: Edit, flags: dict[str, Any]) -> JsonObject | None:
    """Make an edit, or say what it would be; None if it was a dry run."""
    if flags["dry_run"] == "client":
        echo(as_yaml(edit.shown(releases.cluster.namespace, name)))
        return None
    live = releases.edit(name, edit, dry_run=flags["dry_run"] == "server")
    tell_of_git(live)
    return None if flags["dry_run"] else live
