"""`whipstaff diff`: what a HelmRelease would change now, or how two of its revisions differ."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from whipstaff.cli import completions
from whipstaff.cli.cluster_flags import (
    cluster_flags,
    given_gateway,
    namespace_of,
    way_of,
    way_through,
)
from whipstaff.cli.helm_flags import HelmCommand
from whipstaff.cli.helmreleases import path_of
from whipstaff.cli.plan import coloured
from whipstaff.cli.printing import color_option, write
from whipstaff.errors import OperatorError
from whipstaff.helmrelease.parsing import parse
from whipstaff.helmrelease.types import HelmRelease
from whipstaff.kube.chosen import Chosen
from whipstaff.kube.client import Request
from whipstaff.planning.changes import object_lines
from whipstaff.reconcile.foresight import compare, foresee, running
from whipstaff.reconcile.ports import NoMeter
from whipstaff.reconcile.world import World
from whipstaff.release.revision import Revision, RevisionNumber
from whipstaff.settings import Settings
from whipstaff.wiring import Parts, Target, assemble

_PAIR = 2
_CHANGES = 2  # exit code


@click.command(cls=HelmCommand)
@click.argument("name", shell_complete=completions.helmreleases)
@click.option(
    "--revision",
    "revisions",
    type=click.IntRange(1),
    multiple=True,
    shell_complete=completions.revisions,
    help="Compare this stored revision with the one that runs, or with a second --revision.",
)
@color_option
@click.option("--exit-code", is_flag=True, help="End with 2 where something differs.")
@cluster_flags
def diff(
    *,
    name: str,
    revisions: tuple[int, ...],
    exit_code: bool,
    **flags: Any,  # noqa: ANN401 - click's own types
) -> None:
    """Print what a HelmRelease would change, or how revisions differ."""
    if len(revisions) > _PAIR:
        raise click.ClickException("--revision can be given twice at most")
    namespace = namespace_of(flags)
    try:
        target, at_home = _target(flags)
        differs, lines = asyncio.run(_ask(target, namespace or at_home, name, revisions))
    except (OperatorError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for line in lines:
        write(f"{coloured(line)}\n")
    if differs and exit_code:
        raise SystemExit(_CHANGES)


def _target(flags: dict[str, Any]) -> tuple[Target, str]:
    """Return the cluster, and the namespace of the context."""
    gateway = given_gateway(flags)
    if not gateway["server"]:
        way = way_of(flags)
        return Target(connection=Chosen(way)), way.namespace
    from whipstaff.cli.gateway_objects import GatewayTarget  # noqa: PLC0415 - few go through one

    access = way_through(gateway, flags)
    return GatewayTarget(access=access, cluster=gateway["cluster"]), access.namespace


async def _ask(
    target: Target, namespace: str, name: str, revisions: tuple[int, ...]
) -> tuple[bool, list[str]]:
    """Return whether anything differs, and what to print."""
    settings = replace(
        Settings.from_environment(os.environ),  # noqa: TID251 - as `whipstaff run` reads them
        cache_folder=Path.home() / ".cache" / "whipstaff" / "charts",
        allow_loopback_clusters=True,
        worker_count=1,
    )
    parts = await assemble(settings, target, NoMeter())
    try:
        release = await _read(parts, namespace, name)
        if revisions:
            return await _between(parts.world, release, revisions)
        return await _ahead(parts.world, release)
    finally:
        await parts.close()


async def _read(parts: Parts, namespace: str, name: str) -> HelmRelease:
    """Read a HelmRelease as one that acts as whoever asks: they may not act as its account."""
    path, subject = path_of(namespace, name), f"HelmRelease {namespace}/{name}"
    body = await parts.client.send(Request("GET", path, subject=subject))
    release = parse(body, history_limit=parts.settings.history_limit)
    return replace(release, spec=replace(release.spec, service_account_name=""))


async def _ahead(world: World, release: HelmRelease) -> tuple[bool, list[str]]:
    foreseen = await foresee(world, release)
    lines = [f"  {note}" for note in foreseen.notes]
    if foreseen.plan is None:
        return False, [*lines, "  what runs is what is wanted"]
    return True, [*lines, *foreseen.plan.lines()]


async def _between(
    world: World, release: HelmRelease, revisions: tuple[int, ...]
) -> tuple[bool, list[str]]:
    second = revisions[1] if len(revisions) == _PAIR else running(release)
    old, new, changes = await compare(
        world, release, RevisionNumber(revisions[0]), RevisionNumber(second)
    )
    lines = [f"  {_head(old)} -> {_head(new)}"]
    lines += object_lines(changes) if changes else ["  their objects are the same"]
    return bool(changes), lines


def _head(revision: Revision) -> str:
    metadata = revision.chart.get("metadata") or {}
    return f"revision {revision.number} ({metadata.get('name')} {metadata.get('version')})"
