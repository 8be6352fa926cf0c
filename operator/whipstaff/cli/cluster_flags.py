"""The flags that say which cluster and namespace, and the way there."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from whipstaff.cli.helm_flags import Decorated
from whipstaff.errors import OperatorError
from whipstaff.kube.access import open_access
from whipstaff.kube.direct import Direct
from whipstaff.settings import VERSION

_FLAGS: tuple[Callable[[Any], Any], ...] = (
    click.option("-n", "--namespace", default="", help="Namespace; that of the context if empty."),
    click.option("--kubeconfig", default="", help="Kubeconfig; $KUBECONFIG, then ~/.kube/config."),
    click.option(
        "--context",
        "--kube-context",
        "context",
        default="",
        help="Context of the kubeconfig; its current one if empty.",
    ),
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that answers, and the namespace that was asked for."""

    client: Direct
    namespace: str


def cluster_flags(command: Decorated) -> Decorated:
    """Add the flags; `reached` takes them."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


@contextmanager
def reached(flags: dict[str, Any]) -> Iterator[Cluster]:
    """Take the flags of `cluster_flags` out of `flags` and go there; refusals end the command."""
    environment = os.environ  # noqa: TID251 - a command reads it, as helm and kubectl do
    namespace = flags.pop("namespace") or environment.get("HELM_NAMESPACE", "")
    context = flags.pop("context") or environment.get("HELM_KUBECONTEXT", "")
    try:
        access = open_access(flags.pop("kubeconfig"), context, environment)
        client = Direct(access, f"whipstaff-cli/{VERSION}")
        try:
            yield Cluster(client, namespace or access.namespace)
        finally:
            client.close()
    except OperatorError as error:
        raise click.ClickException(error.text) from error
