"""`whipstaff plan`: what a HelmRelease waits to do, as the operator planned it."""

import base64
from collections.abc import Mapping
from typing import Any

import click

from whipstaff.cli import colours, completions
from whipstaff.cli.cluster_flags import cluster_flags, reached
from whipstaff.cli.helm_flags import HelmCommand
from whipstaff.cli.helmreleases import HelmReleases
from whipstaff.cli.printing import color_option, write
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


@click.command(cls=HelmCommand)
@click.argument("name", shell_complete=completions.helmreleases)
@color_option
@cluster_flags
def plan(name: str, **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Print what a HelmRelease waits to do until it is approved of."""
    with reached(flags) as cluster:
        digest, text = _read(HelmReleases(cluster), name)
    for line in text.splitlines():
        write(f"{coloured(line)}\n")
    if digest:
        click.echo("\nTo have it done:")
        click.echo(f"  whipstaff approve {name} {digest} -n {cluster.namespace}")


def _read(releases: HelmReleases, name: str) -> tuple[str, str]:
    """Return the digest of the plan, empty if none waits, and what to print."""
    found: JsonObject = (releases.get(name).get("status") or {}).get("plan") or {}
    subject, namespace = releases.subject(name), releases.cluster.namespace
    if not found:
        return "", f"{subject}: no plan waits for an approval"
    secret = str(found.get("secretName", ""))
    path = f"/api/v1/namespaces/{namespace}/secrets/{secret}"
    try:
        stored = releases.cluster.client.get(path, subject=f"Secret {namespace}/{secret}")
    except ClusterRefused as error:
        if error.code != _NOT_FOUND:
            raise
        return "", f"{subject}: {_GONE.format(secret=secret)}"
    text, digest = (_decoded(stored, key) for key in ("plan", "digest"))
    if digest != found.get("digest"):  # status and Secret are written one after the other
        return "", f"{subject}: {_ANOTHER.format(secret=secret)}"
    return digest, text


def _decoded(secret: JsonObject, key: str) -> str:
    try:
        data = base64.b64decode(str((secret.get("data") or {}).get(key, "")))
    except ValueError:
        return ""
    return data.decode("utf-8", "replace")


def coloured(line: str) -> str:
    """Give a line the colour of its sign, and take from it what would steer a terminal."""
    plain = "".join(character if character.isprintable() else "\ufffd" for character in line)
    return colours.painted(plain, _COLOURS.get(plain[:1], ""))
