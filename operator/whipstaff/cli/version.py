"""`whipstaff version`: which client, which operator, which cluster."""

import json
import platform
from dataclasses import dataclass
from typing import Any

import click

from whipstaff.cli.cluster_flags import Cluster, cluster_flags, reached
from whipstaff.cli.helm_flags import HelmCommand, exactly
from whipstaff.errors import ClusterRefused
from whipstaff.release.revision import JsonObject
from whipstaff.settings import VERSION

_OPERATORS = "app.kubernetes.io/name=whipstaff"
_VERSION_LABEL = "app.kubernetes.io/version"
_NO_OPERATOR = "no operator found"


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found in a cluster; `problem` says why nothing could be."""

    cluster: str = ""
    operators: tuple[JsonObject, ...] = ()
    problem: str = ""


@click.command("version", cls=HelmCommand)
@click.argument("arguments", nargs=-1, callback=exactly(0, "whipstaff version [flags]"))
@click.option("--client", is_flag=True, help="This client alone: no cluster is asked.")
@click.option("--short", is_flag=True, help="The number of the client's version, and no more.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@cluster_flags
def version(arguments: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Print the versions of client, operator and cluster."""
    del arguments
    facts: JsonObject = {"version": VERSION, "python": platform.python_version()}
    if flags["short"] or flags["client"]:
        click.echo(json.dumps(facts) if flags["output"] == "json" else VERSION)
        return
    found = _look(flags)
    if flags["output"] == "json":
        facts |= {"cluster": found.cluster, "operators": list(found.operators)}
        click.echo(json.dumps(facts))
    else:
        click.echo(f"client: {VERSION}")
        for one in found.operators:
            state = "ready" if one["ready"] else "not ready"
            click.echo(f"operator: {one['version']} ({one['namespace']}/{one['name']}, {state})")
        if found.cluster:
            click.echo(f"cluster: {found.cluster}")
    if found.problem:
        raise click.ClickException(found.problem)


def _look(flags: dict[str, Any]) -> _Found:
    """Ask the cluster; the client's own version is told whatever comes of it."""
    try:
        with reached(flags) as cluster:
            server = str(cluster.client.get("/version").get("gitVersion", ""))
            try:
                operators = tuple(_operator(one) for one in _deployments(cluster))
            except ClusterRefused as error:
                return _Found(server, problem=f"{_NO_OPERATOR}: {error.text}")
            return _Found(server, operators, "" if operators else _NO_OPERATOR)
    except click.ClickException as error:
        return _Found(problem=error.message)


def _deployments(cluster: Cluster) -> list[JsonObject]:
    return list(cluster.client.items("/apis/apps/v1/deployments", {"labelSelector": _OPERATORS}))


def _operator(deployment: JsonObject) -> JsonObject:
    metadata = deployment["metadata"]
    ready = (deployment.get("status") or {}).get("readyReplicas") or 0
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "version": metadata["labels"].get(_VERSION_LABEL, "unknown"),
        "ready": ready > 0,
    }
