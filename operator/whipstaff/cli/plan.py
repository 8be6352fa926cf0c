"""`whipstaff plan`: what a HelmRelease waits to do, as the operator planned it."""

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from whipstaff.cli.cluster_flags import Cluster, cluster_flags, reached
from whipstaff.cli.helmreleases import path_of
from whipstaff.errors import ClusterRefused
from whipstaff.release.revision import JsonObject

_NOT_FOUND = 404
_ANEW = "the annotation whipstaff.dev/requestedAt with a new value has it made anew"
_GONE = (
    "its plan was carried out or made void just now, or somebody deleted Secret {secret}; " + _ANEW
)
_ANOTHER = (
    "Secret {secret} holds another plan than status tells of: ask again, and if that stays so, "
    + _ANEW
)
_COLOURS: Mapping[str, str] = {
    "+": "green",
    "~": "yellow",
    "!": "magenta",
    "-": "red",
    "*": "cyan",
    ">": "blue",
}


@click.command()
@click.argument("name")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours: on a terminal only, always, or never.",
)
@cluster_flags
def plan(name: str, color: str, **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Print what a HelmRelease waits to do until it is approved of."""
    with reached(flags) as cluster:
        found, text = _read(cluster, name)
    wanted = None if color == "auto" else color == "always"
    for line in text.splitlines():
        click.echo(coloured(line), color=wanted)
    if found:
        approve = f'{{"spec":{{"approvedPlan":"{found["digest"]}"}}}}'
        click.echo("\nTo have it done:")
        click.echo(f"  kubectl patch helmrelease {name} --type=merge -p '{approve}'", color=wanted)


def kubeconfig_path(given: str) -> Path:
    """Return where kubectl would look, too."""
    environment = os.environ.get("KUBECONFIG", "")  # noqa: TID251 - kubectl's variable, not ours
    return Path(given or environment or Path.home() / ".kube" / "config")


def _read(cluster: Cluster, name: str) -> tuple[JsonObject, str]:
    """Return what status tells of the plan, empty if none waits, and what to print."""
    place = cluster.namespace
    subject = f"HelmRelease {place}/{name}"
    release = cluster.client.get(path_of(place, name), subject=subject)
    found: JsonObject = (release.get("status") or {}).get("plan") or {}
    if not found:
        return {}, f"{subject}: no plan waits for an approval"
    secret = str(found.get("secretName", ""))
    path = f"/api/v1/namespaces/{place}/secrets/{secret}"
    try:
        stored = cluster.client.get(path, subject=f"Secret {place}/{secret}")
    except ClusterRefused as error:
        if error.code != _NOT_FOUND:
            raise
        return {}, f"{subject}: {_GONE.format(secret=secret)}"
    text, digest = (_decoded(stored, key) for key in ("plan", "digest"))
    if digest != found.get("digest"):  # status and Secret are written one after the other
        return {}, f"{subject}: {_ANOTHER.format(secret=secret)}"
    return found, text


def _decoded(secret: JsonObject, key: str) -> str:
    try:
        data = base64.b64decode(str((secret.get("data") or {}).get(key, "")))
    except ValueError:
        return ""
    return data.decode("utf-8", "replace")


def coloured(line: str) -> str:
    """Give a line the colour of its sign, and take from it what would steer a terminal."""
    plain = "".join(character if character.isprintable() else "\ufffd" for character in line)
    colour = _COLOURS.get(plain[:1])
    return click.style(plain, fg=colour) if colour else plain
