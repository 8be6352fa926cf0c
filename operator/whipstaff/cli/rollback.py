"""`whipstaff rollback`: a HelmRelease goes back to a stored revision, and stays there."""

from typing import Any

import click

from whipstaff.cli import completions
from whipstaff.cli.awaiting import timeout_flag, wait_for
from whipstaff.cli.cluster_flags import reached
from whipstaff.cli.edit_flags import edit_flags, made
from whipstaff.cli.helm_flags import HelmCommand, at_least_one
from whipstaff.cli.helmreleases import HelmReleases, helmreleases
from whipstaff.cli.release_flags import blocks, check, flags_of
from whipstaff.errors import RevisionNotFound
from whipstaff.golang.strconv import quote
from whipstaff.helmrelease import edits
from whipstaff.helmrelease.edits import Edit, ours
from whipstaff.release.revision import JsonObject


@click.command("rollback", cls=HelmCommand)
@click.argument(
    "arguments",
    nargs=-1,
    metavar="RELEASE [REVISION]",
    shell_complete=completions.release_and_revision,
    callback=at_least_one("whipstaff rollback <RELEASE> [REVISION] [flags]"),
)
@flags_of(
    *("no-hooks", "force-replace", "force", "force-conflicts", "server-side"),
    *("cleanup-on-fail", "history-max", "wait", "wait-for-jobs"),
)
@click.option("--no-wait", is_flag=True, help="Do not wait until it is done.")
@timeout_flag
@edit_flags
def rollback(arguments: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Go back to a stored revision, as `helm rollback` does."""
    check(flags)
    name, *rest = arguments
    number = whole_revision(rest[0]) if rest else 0
    with reached(flags) as cluster:
        releases = helmreleases(cluster)
        live = releases.get(name)
        number = chosen(releases, live, number)
        more = blocks(("rollback",), flags, live.get("spec") or {}, ours(live))
        edit = edits.pin(number)
        if more:  # blocks are what they are as a whole
            edit = Edit(spec={**more, **edit.spec}, whole=True)
        if made(releases, name, edit, flags) is None:
            return
        if not flags["no_wait"]:
            wait_for(releases, name, flags["timeout"])
            click.echo("Rollback was a success! Happy Helming!")
    click.echo(
        f"{name} stays on revision {number} until `whipstaff unpin {name}`, or until "
        "spec.revision goes",
        err=True,
    )


def whole_revision(text: str) -> int:
    """Read a revision's number as helm does."""
    try:
        return int(text)
    except ValueError as error:
        raise click.ClickException(
            "could not convert revision to a number: strconv.Atoi: "
            f"parsing {quote(text)}: invalid syntax"
        ) from error


def chosen(releases: HelmReleases, live: JsonObject, number: int) -> int:
    """Return the revision to go back to, the one before the newest for 0; it must be stored."""
    try:
        return edits.revision_to(live, number, releases.stored_numbers(live))
    except RevisionNotFound as error:
        raise click.ClickException(error.text) from error
