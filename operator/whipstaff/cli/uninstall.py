"""`whipstaff uninstall`: HelmReleases are deleted, and their releases uninstalled with them."""

from typing import Any

import click

from whipstaff.cli import completions
from whipstaff.cli.awaiting import timeout_flag, wait_until_gone
from whipstaff.cli.cluster_flags import cluster_flags, reached
from whipstaff.cli.helm_flags import HelmCommand, at_least_one
from whipstaff.cli.helmreleases import HelmReleases, helmreleases
from whipstaff.cli.interrupts import written_whole
from whipstaff.cli.release_flags import HOOK_ONLY, flags_of

_CASCADES = ("background", "foreground", "orphan")


@click.command("uninstall", cls=HelmCommand)
@click.argument(
    "names",
    nargs=-1,
    metavar="RELEASE_NAME...",
    shell_complete=completions.helmreleases,
    callback=at_least_one("whipstaff uninstall RELEASE_NAME [...] [flags]"),
)
@click.option("--keep-history", is_flag=True, help="Keep the stored revisions.")
@click.option("--no-hooks", is_flag=True, help="Run no hooks.")
@click.option("--ignore-not-found", is_flag=True, help="What is not there is no failure.")
@click.option("--cascade", default="background", help="background, foreground or orphan.")
@click.option("--dry-run", is_flag=True, help="Have the API server try it.")
@flags_of("wait")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is done.")
@timeout_flag
@cluster_flags
def uninstall(names: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Uninstall releases, as `helm uninstall` does."""
    if flags["cascade"] not in _CASCADES:
        raise click.ClickException(
            f"invalid cascade value ({flags['cascade']}). "
            'Must be "background", "foreground", or "orphan"'
        )
    with reached(flags) as cluster:
        releases = helmreleases(cluster)
        for name in names:
            _uninstall(releases, name, flags)


def _uninstall(releases: HelmReleases, name: str, flags: dict[str, Any]) -> None:
    live = releases.find(name)
    if live is None:
        if flags["ignore_not_found"]:
            return
        raise click.ClickException(
            f"uninstall: Release not loaded: {name}: {releases.missing(name).message}"
        )
    how = {
        **({"keepHistory": True} if flags["keep_history"] else {}),
        **({"disableHooks": True} if flags["no_hooks"] else {}),
        **({"deletionPropagation": flags["cascade"]} if flags["cascade"] != "background" else {}),
        **({"disableWait": True} if flags["wait"] == HOOK_ONLY else {}),
    }
    with written_whole(releases, name):
        releases.uninstall(name, how, live, dry_run=flags["dry_run"])
    if not flags["no_wait"] and not flags["dry_run"]:
        wait_until_gone(releases, name, flags["timeout"])
    click.echo(f'release "{name}" uninstalled')
