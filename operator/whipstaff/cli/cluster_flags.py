"""The flags that say which cluster and namespace, and the way there."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from whipstaff.cli.debugging import ignore, is_debugged, told_of
from whipstaff.cli.helm_flags import Decorated, truth
from whipstaff.errors import OperatorError
from whipstaff.golang.strconv import quote
from whipstaff.kube.access import Overrides, open_access
from whipstaff.kube.direct import Direct
from whipstaff.settings import VERSION

# What stays one part of a path; whether there is such a namespace, the API server says.
_SEGMENT = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_.]*")

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
    *(
        click.option(f"--kube-{name}", default="", hidden=True)
        for name in ("apiserver", "token", "as-user", "ca-file", "tls-server-name")
    ),
    click.option("--kube-as-group", multiple=True, hidden=True),
    click.option("--kube-insecure-skip-tls-verify", is_flag=True, hidden=True),
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


def _overrides(flags: dict[str, Any], environment: Mapping[str, str]) -> Overrides:
    """Take the flags that stand for parts of a kubeconfig, or else helm's variables."""
    groups = tuple(environment.get("HELM_KUBEASGROUPS", "").replace(",", " ").split())
    unchecked = environment.get("HELM_KUBEINSECURE_SKIP_TLS_VERIFY", "")

    def text(flag: str, variable: str) -> str:
        return str(flags.pop(flag) or environment.get(variable, ""))

    return Overrides(
        server=text("kube_apiserver", "HELM_KUBEAPISERVER").rstrip("/"),
        token=text("kube_token", "HELM_KUBETOKEN"),
        user=text("kube_as_user", "HELM_KUBEASUSER"),
        groups=flags.pop("kube_as_group") or groups,
        ca_file=text("kube_ca_file", "HELM_KUBECAFILE"),
        server_name=text("kube_tls_server_name", "HELM_KUBETLS_SERVER_NAME"),
        insecure=flags.pop("kube_insecure_skip_tls_verify") or bool(truth(unchecked)),
    )


@contextmanager
def reached(flags: dict[str, Any]) -> Iterator[Cluster]:
    """Take the flags of `cluster_flags` out of `flags` and go there; refusals end the command."""
    environment = os.environ  # noqa: TID251 - a command reads it, as helm and kubectl do
    overrides = _overrides(flags, environment)
    namespace = flags.pop("namespace") or environment.get("HELM_NAMESPACE", "")
    context = flags.pop("context") or environment.get("HELM_KUBECONTEXT", "")
    if namespace and not _SEGMENT.fullmatch(namespace):
        raise click.ClickException(f"invalid namespace {quote(namespace)}")
    try:
        access = open_access(flags.pop("kubeconfig"), context, environment, overrides)
        client = Direct(access, f"whipstaff-cli/{VERSION}", told_of if is_debugged() else ignore)
        try:
            yield Cluster(client, namespace or access.namespace)
        finally:
            client.close()
    except OperatorError as error:
        raise click.ClickException(error.text) from error
