"""`whipstaff gateway`: releases as JSON for programs, each request with its caller's rights."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from whipstaff.errors import OperatorError

if TYPE_CHECKING:
    from whipstaff.gateway.oidc import IssuerOptions
    from whipstaff.gateway.options import Options
    from whipstaff.serving.listener import TLS

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("gateway")
@click.option(
    "--address", default="127.0.0.1:8443", show_default=True, help="HOST:PORT to listen at."
)
@click.option(
    "--kubeconfig",
    type=_FILE,
    help="Cluster to ask from outside; without it, the one that the process runs in.",
)
@click.option("--context", default="", help="Context of the kubeconfig; its current one if empty.")
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    help="List the releases of this namespace only; may be given more than once.",
)
@click.option(
    "--storage-driver",
    type=click.Choice(["secret", "configmap"]),
    default="secret",
    show_default=True,
    help="What a revision is stored in.",
)
@click.option(
    "--reader",
    default="whipstaff:gateway-reader",
    show_default=True,
    metavar="USER",
    help="User to watch HelmReleases as, by impersonation.",
)
@click.option(
    "--clusters-namespace",
    default="",
    metavar="NAMESPACE",
    help="Namespace whose Secrets with the label whipstaff.dev/cluster lead to other clusters.",
)
@click.option(
    "--clusters-reader",
    default="whipstaff:gateway-clusters",
    show_default=True,
    metavar="USER",
    help="User to watch these Secrets as, by impersonation.",
)
@click.option(
    "--cluster-name", default="local", show_default=True, help="What the own cluster is called."
)
@click.option(
    "--allow-loopback-clusters",
    is_flag=True,
    help="Let kubeconfigs in Secrets name this machine itself.",
)
@click.option(
    "--allow-insecure-clusters",
    is_flag=True,
    help="Let kubeconfigs in Secrets leave certificates unchecked, or name http.",
)
@click.option(
    "--allow-private-repositories",
    is_flag=True,
    help="Read HelmRepositories of other clusters in private networks, too.",
)
@click.option("--tls-cert", type=_FILE, help="Certificate of the gateway, in PEM.")
@click.option("--tls-key", type=_FILE, help="Its key.")
@click.option(
    "--tls-name",
    "tls_names",
    multiple=True,
    metavar="NAME",
    help="Host name or address of a certificate that the gateway makes for itself.",
)
@click.option("--tls-client-ca", type=_FILE, help="Whose certificates say who a client is.")
@click.option("--oidc-issuer-url", default="", metavar="URL", help="Whose tokens are taken, too.")
@click.option("--oidc-client-id", default="", help="For whom these tokens have to be.")
@click.option("--oidc-username-claim", default="sub", show_default=True)
@click.option(
    "--oidc-username-prefix",
    help="Before each user's name; the issuer's URL and # without it, - for none.",
)
@click.option("--oidc-groups-claim", default="", help="Without it, users have no groups.")
@click.option("--oidc-groups-prefix", default="", help="Before the name of each group.")
@click.option("--oidc-ca-file", type=_FILE, help="Who vouches for the issuer's own certificate.")
@click.option(
    "--requests-per-second",
    type=click.FloatRange(min=0.1),
    default=50.0,
    show_default=True,
    help="Of one caller, in the long run.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
)
def gateway(
    address: str,
    log_level: str,
    **flags: Any,  # noqa: ANN401 - click checked the types
) -> None:
    """Answer for releases over HTTP, with each caller's own rights."""
    from whipstaff.controller.logs import log_as_json  # noqa: PLC0415 - help needs none of it
    from whipstaff.gateway.running import run  # noqa: PLC0415

    log_as_json(log_level)
    environment = os.environ  # noqa: TID251 - read once, here
    try:
        run(
            _options(address, flags),
            environment,
            lambda url: click.echo(f"Answering for releases at {url}"),
        )
    except (OperatorError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _options(address: str, flags: dict[str, Any]) -> "Options":
    from whipstaff.gateway.options import Options  # noqa: PLC0415
    from whipstaff.serving.listener import split_address  # noqa: PLC0415

    host, port = split_address(address)
    return Options(
        host=host,
        port=port,
        tls=_tls(flags),
        tls_names=flags["tls_names"],
        kubeconfig=flags["kubeconfig"],
        context=flags["context"],
        namespaces=flags["namespaces"],
        storage_driver=flags["storage_driver"],
        reader=flags["reader"],
        cluster_name=flags["cluster_name"],
        clusters_namespace=flags["clusters_namespace"],
        clusters_reader=flags["clusters_reader"],
        allow_loopback_clusters=flags["allow_loopback_clusters"],
        allow_insecure_clusters=flags["allow_insecure_clusters"],
        allow_private_repositories=flags["allow_private_repositories"],
        issuer=_issuer(flags),
        requests_per_second=flags["requests_per_second"],
    )


def _tls(flags: dict[str, Any]) -> "TLS | None":
    from whipstaff.serving.listener import TLS  # noqa: PLC0415

    certificate, key, client_ca = flags["tls_cert"], flags["tls_key"], flags["tls_client_ca"]
    if certificate and key:
        return TLS(certificate, key, client_ca, client_optional=True)
    if certificate or key:
        raise click.UsageError("--tls-cert and --tls-key are given together")
    if client_ca:
        raise click.UsageError("--tls-client-ca needs --tls-cert and --tls-key")
    return None


def _issuer(flags: dict[str, Any]) -> "IssuerOptions | None":
    from whipstaff.gateway.oidc import IssuerOptions  # noqa: PLC0415

    if not flags["oidc_issuer_url"]:
        return None
    return IssuerOptions(
        url=flags["oidc_issuer_url"],
        audience=flags["oidc_client_id"],
        username_claim=flags["oidc_username_claim"],
        username_prefix=flags["oidc_username_prefix"],
        groups_claim=flags["oidc_groups_claim"],
        groups_prefix=flags["oidc_groups_prefix"],
        ca_file=flags["oidc_ca_file"],
    )
