"""The flags that say which cluster and namespace, and the way there, through a gateway or not."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from whipstaff.cli import completions
from whipstaff.cli.debugging import ignore, is_debugged, told_of
from whipstaff.cli.helm_flags import Decorated, truth
from whipstaff.errors import OperatorError
from whipstaff.golang.strconv import quote
from whipstaff.kube.access import Access, Overrides, open_access
from whipstaff.kube.direct import Direct
from whipstaff.settings import VERSION

# What stays one part of a path; whether there is such a namespace, the API server says.
_SEGMENT = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_.]*")

_SERVER_FLAGS = (
    ("--server", "URL", "URL of a gateway to go through; $WHIPSTAFF_SERVER if not given."),
    ("--server-token", "TOKEN", "Who asks the gateway; the token of the kubeconfig if empty."),
    ("--server-ca-file", "FILE", "Authorities that vouch for the gateway, in PEM."),
    ("--cluster", "NAME", "Which cluster of the gateway; its own if empty."),
)
_SERVER_VARIABLES = {
    "server": "WHIPSTAFF_SERVER",
    "server_token": "WHIPSTAFF_SERVER_TOKEN",
    "server_ca_file": "WHIPSTAFF_SERVER_CA_FILE",
    "cluster": "WHIPSTAFF_CLUSTER",
}

_NAMESPACE = click.option(
    "-n",
    "--namespace",
    default="",
    shell_complete=completions.namespaces,
    help="Namespace; that of the context if empty.",
)
_WAY: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--kubeconfig",
        default="",
        shell_complete=completions.files,
        help="Kubeconfig; $KUBECONFIG, then ~/.kube/config.",
    ),
    click.option(
        "--context",
        "--kube-context",
        "context",
        default="",
        shell_complete=completions.contexts,
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
    return _NAMESPACE(way_flags(server_flags(command)))


def api_server_flags(command: Decorated) -> Decorated:
    """Add the flags of a command that goes through no gateway; `reached_directly` takes them."""
    return _NAMESPACE(way_flags(server_flags(command, hidden=True)))


def way_flags(command: Decorated) -> Decorated:
    """Add the flags that lead to an API server; `way_of` takes them."""
    return _flagged(command, _WAY)


def server_flags(command: Decorated, *, hidden: bool = False) -> Decorated:
    """Add the flags that say which gateway."""
    options = [
        click.option(name, default="", metavar=metavar, help=text, hidden=hidden)
        for name, metavar, text in _SERVER_FLAGS
    ]
    return _flagged(command, options)


def _flagged(command: Decorated, flags: Sequence[Callable[[Any], Any]]) -> Decorated:
    for flag in reversed(flags):
        command = flag(command)
    return command


def _refuse_gateway(flags: dict[str, Any]) -> None:
    if not given_gateway(flags)["server"]:
        return
    context = click.get_current_context(silent=True)
    command = context.command_path if context else "this command"
    raise click.ClickException(
        f"`{command}` goes through no gateway: leave --server and $WHIPSTAFF_SERVER out, and name "
        "the cluster with --context"
    )


def given_gateway(flags: dict[str, Any]) -> dict[str, str]:
    """Take the flags of `server_flags` out of `flags`, or else their variables.

    `server` is empty where commands go to the API server; a cluster of no gateway is refused.
    """
    environment = os.environ  # noqa: TID251 - as `reached` reads it
    found = {
        name: str(flags.pop(name) or environment.get(variable, ""))
        for name, variable in _SERVER_VARIABLES.items()
    }
    if found["cluster"] and not found["server"]:
        raise click.ClickException(
            "--cluster, or $WHIPSTAFF_CLUSTER, names a cluster of a gateway, and neither "
            "--server nor $WHIPSTAFF_SERVER names a gateway"
        )
    return found


def way_of(flags: dict[str, Any]) -> Access:
    """Take the flags of `way_flags` out of `flags`; ClusterRefused says why they lead nowhere."""
    environment = os.environ  # noqa: TID251 - a command reads it, as helm and kubectl do
    kubeconfig, context, overrides = _way_named(flags, environment)
    return open_access(kubeconfig, context, environment, overrides)


def way_through(gateway: Mapping[str, str], flags: dict[str, Any]) -> Access:
    """Take the flags of `way_flags` out of `flags`, for the way to a gateway."""
    from whipstaff.cli.gateway_client import gateway_access  # noqa: PLC0415 - few go through one

    environment = os.environ  # noqa: TID251 - as above
    kubeconfig, context, overrides = _way_named(flags, environment)
    return gateway_access(gateway, kubeconfig, context, environment, overrides)


def namespace_of(flags: dict[str, Any]) -> str:
    """Take the namespace out of `flags`, empty for that of the context; or a ClickException."""
    environment = os.environ  # noqa: TID251 - as above
    namespace = str(flags.pop("namespace") or environment.get("HELM_NAMESPACE", ""))
    if namespace and not _SEGMENT.fullmatch(namespace):
        raise click.ClickException(f"invalid namespace {quote(namespace)}")
    return namespace


def _way_named(flags: dict[str, Any], environment: Mapping[str, str]) -> tuple[str, str, Overrides]:
    """Take kubeconfig, context, and what stands for parts of it."""
    overrides = _overrides(flags, environment)
    context = flags.pop("context") or environment.get("HELM_KUBECONTEXT", "")
    return flags.pop("kubeconfig"), context, overrides


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
def reached_directly(flags: dict[str, Any]) -> Iterator[Cluster]:
    """Go where `reached` goes, through no gateway."""
    _refuse_gateway(flags)
    with reached({**flags, **dict.fromkeys(_SERVER_VARIABLES, "")}) as cluster:
        yield cluster


@contextmanager
def reached(flags: dict[str, Any]) -> Iterator[Cluster]:
    """Take the flags of `cluster_flags` out of `flags` and go there; refusals end the command."""
    gateway = given_gateway(flags)
    namespace = namespace_of(flags)
    try:
        client, at_home = _way(flags, gateway)
        try:
            yield Cluster(client, namespace or at_home)
        finally:
            client.close()
    except OperatorError as error:
        raise click.ClickException(error.text) from error


def _way(flags: dict[str, Any], gateway: Mapping[str, str]) -> tuple[Direct, str]:
    """Return who asks, and the namespace of the context."""
    agent, tell = f"whipstaff-cli/{VERSION}", told_of if is_debugged() else ignore
    if not gateway["server"]:
        access = way_of(flags)
        return Direct(access, agent, tell), access.namespace
    # Few commands go through a gateway.
    from whipstaff.cli.gateway_client import GatewayClient  # noqa: PLC0415

    access = way_through(gateway, flags)
    return GatewayClient(access, agent, tell, gateway["cluster"]), access.namespace
