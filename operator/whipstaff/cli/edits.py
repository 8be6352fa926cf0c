"""`whipstaff pin`, `unpin`, `suspend`, `resume`, `reconcile`, `approve` and `wait`."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from whipstaff.cli import completions
from whipstaff.cli.awaiting import ready, timeout_flag, wait_for, wait_until_ready
from whipstaff.cli.cluster_flags import cluster_flags, reached
from whipstaff.cli.edit_flags import edit_flags, made
from whipstaff.cli.helm_flags import Decorated, HelmCommand, at_least_one, exactly
from whipstaff.cli.helmreleases import helmreleases
from whipstaff.cli.rollback import chosen, whole_revision
from whipstaff.helmrelease import edits
from whipstaff.helmrelease.edits import Edit


def _names(command: str) -> Callable[[Decorated], Decorated]:
    usage = f"whipstaff {command} NAME... [flags]"
    return click.argument(
        "names",
        nargs=-1,
        metavar="NAME...",
        callback=at_least_one(usage),
        shell_complete=completions.helmreleases,
    )


def _waiting(command: Decorated) -> Decorated:
    """Add `--wait`, which these commands do not do by themselves."""
    wait = click.option("--wait", is_flag=True, help="Wait until the operator has done it.")
    return wait(timeout_flag(command))


def _edited(
    names: tuple[str, ...], edit: Edit, said: str, flags: dict[str, Any], requested: str = ""
) -> None:
    with reached(flags) as cluster:
        releases = helmreleases(cluster)
        for name in names:
            if made(releases, name, edit, flags) is None:
                continue
            click.echo(f"{releases.subject(name)} {said}")
            if flags.get("wait"):
                click.echo(ready(wait_for(releases, name, flags["timeout"], requested))[1])


@click.command("pin", cls=HelmCommand)
@click.argument(
    "arguments",
    nargs=-1,
    metavar="NAME [REVISION]",
    shell_complete=completions.release_and_revision,
    callback=at_least_one("whipstaff pin NAME [REVISION] [flags]"),
)
@_waiting
@edit_flags
def pin(arguments: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Stay on a stored revision, whatever chart and values say."""
    name, *rest = arguments
    given = whole_revision(rest[0]) if rest else 0
    with reached(flags) as cluster:
        releases = helmreleases(cluster)
        live = releases.get(name)
        running = int((live.get("status") or {}).get("revision") or 0)
        if not given and not running:
            raise click.ClickException(
                f"{releases.subject(name)}: no revision runs that could stay"
            )
        number = chosen(releases, live, given or running)
        if made(releases, name, edits.pin(number), flags) is None:
            return
        click.echo(
            f"{releases.subject(name)} is pinned to revision {number}: changes of chart and values "
            f"wait until `whipstaff unpin {name}`"
        )
        if flags["wait"]:
            click.echo(ready(wait_for(releases, name, flags["timeout"]))[1])


@click.command("unpin", cls=HelmCommand)
@_names("unpin")
@_waiting
@edit_flags
def unpin(names: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Follow chart and values again."""
    _edited(names, edits.unpin(), "follows its chart and values", flags)


@click.command("suspend", cls=HelmCommand)
@_names("suspend")
@edit_flags
def suspend(names: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Have the operator leave a release alone."""
    _edited(names, edits.suspend(), "is suspended: the operator begins nothing", flags)


@click.command("resume", cls=HelmCommand)
@_names("resume")
@_waiting
@edit_flags
def resume(names: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Have the operator look after a release again."""
    _edited(names, edits.resume(), "is looked after again", flags)


@click.command("reconcile", cls=HelmCommand)
@_names("reconcile")
@click.option("--force", is_flag=True, help="Make a revision even if nothing changed.")
@click.option("--reset", is_flag=True, help="Forget how often the same failed.")
@_waiting
@edit_flags
def reconcile(names: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Have the operator look at a release now."""
    moment = datetime.now(UTC).isoformat()  # noqa: TID251 - any text that is new
    edit = edits.reconcile(moment, force=flags.pop("force"), reset=flags.pop("reset"))
    _edited(names, edit, "is asked for a pass", flags, moment)


@click.command("approve", cls=HelmCommand)
@click.argument(
    "arguments",
    nargs=-1,
    metavar="NAME DIGEST",
    shell_complete=completions.helmreleases,
    callback=exactly(2, "whipstaff approve NAME DIGEST [flags]"),
)
@_waiting
@edit_flags
def approve(arguments: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Have the plan done that waits for an approval."""
    name, digest = arguments
    with reached(flags) as cluster:
        releases = helmreleases(cluster)
        plan = (releases.get(name).get("status") or {}).get("plan") or {}
        if not plan.get("digest"):
            raise click.ClickException(f"{releases.subject(name)}: no plan waits for an approval")
        if plan["digest"] != digest:
            raise click.ClickException(
                f"{releases.subject(name)}: the plan that waits is {plan['digest']}, not {digest}: "
                f"read it first, with `whipstaff plan {name} -n {releases.cluster.namespace}`"
            )
        if made(releases, name, edits.approve(digest), flags) is None:
            return
        click.echo(f"{releases.subject(name)}: {digest} is approved of")
        if flags["wait"]:
            click.echo(ready(wait_for(releases, name, flags["timeout"]))[1])


@click.command("wait", cls=HelmCommand)
@_names("wait")
@timeout_flag
@cluster_flags
def wait(names: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Wait until HelmReleases are ready."""
    with reached(flags) as cluster:
        releases = helmreleases(cluster)
        for name in names:
            message = ready(wait_until_ready(releases, name, flags["timeout"]))[1]
            click.echo(f"{releases.subject(name)}: {message}")
