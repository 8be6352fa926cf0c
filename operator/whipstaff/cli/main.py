"""The command and its subcommands."""

import os
from dataclasses import replace
from pathlib import Path

import click

from whipstaff.cli.late import Commands, Late

_ALIASES = {
    "fetch": "pull",
    "dep": "dependency",
    "dependencies": "dependency",
    "inspect": "show",
    "ls": "list",
    "hist": "history",
    "un": "uninstall",
    "del": "uninstall",
    "delete": "uninstall",
}


@click.group(
    cls=Commands, aliases=_ALIASES, context_settings={"help_option_names": ["-h", "--help"]}
)
def main() -> None:
    """Run Helm charts on Kubernetes from HelmRelease objects."""


main.add_command(Late("list", "List releases, as `helm list` does.", "listing"))
main.add_command(Late("history", "Show the revisions of a release, as `helm history` does."))
main.add_command(Late("status", "Show where a release stands, as `helm status` does."))
main.add_command(Late("get", "Print what is stored of a release, as `helm get` does."))
main.add_command(
    Late(
        "install",
        "Install a chart as a HelmRelease, as `helm install` installs it.",
        "releasing:install",
    )
)
main.add_command(
    Late(
        "upgrade",
        "Change chart and values of a HelmRelease, as `helm upgrade` changes a release's.",
        "releasing:upgrade",
    )
)
main.add_command(Late("rollback", "Go back to a stored revision, as `helm rollback` does."))
main.add_command(
    Late("test", "Run the tests of a release, as `helm test` does.", "release_tests:test")
)
main.add_command(Late("uninstall", "Uninstall releases, as `helm uninstall` does."))
main.add_command(
    Late("pin", "Stay on a stored revision, whatever chart and values say.", "edits:pin")
)
main.add_command(Late("unpin", "Follow chart and values again.", "edits:unpin"))
main.add_command(Late("suspend", "Have the operator leave a release alone.", "edits:suspend"))
main.add_command(Late("resume", "Have the operator look after a release again.", "edits:resume"))
main.add_command(Late("reconcile", "Have the operator look at a release now.", "edits:reconcile"))
main.add_command(Late("approve", "Have the plan done that waits for an approval.", "edits:approve"))
main.add_command(Late("wait", "Wait until HelmReleases are ready.", "edits:wait"))
main.add_command(Late("template", "Render a chart as `helm template` does, without a cluster."))
main.add_command(Late("gateway", "Answer for releases over HTTP, with each caller's own rights."))
main.add_command(Late("dashboard", "Open the gateway's page, through the API server."))
main.add_command(Late("lint", "Examine charts as `helm lint` does, and files of HelmReleases."))
main.add_command(Late("convert", "Turn what Flux, Argo CD, k3s and helm run into HelmReleases."))
main.add_command(Late("create", "Write a new chart to begin with, as `helm create` does."))
main.add_command(
    Late("dependency", "List the charts that a chart declares, and put them into charts/.")
)
main.add_command(Late("package", "Pack a chart's folder into an archive, as `helm package` does."))
main.add_command(Late("diff", "Print what a HelmRelease would change, or how revisions differ."))
main.add_command(Late("plan", "Print what a HelmRelease waits to do until it is approved of."))
main.add_command(Late("pull", "Download charts, as `helm pull` does."))
main.add_command(Late("registry", "Log in to registries and out, as `helm registry` does."))
main.add_command(Late("repo", "Know chart repositories, as `helm repo` does."))
main.add_command(Late("search", "Find charts, as `helm search repo` does."))
main.add_command(Late("push", "Put a packaged chart into an OCI registry, as `helm push` does."))
main.add_command(Late("serve", "Serve packaged charts over HTTP, as `helm serve` did."))
main.add_command(Late("show", "Show what a chart says of itself, as `helm show` does."))
main.add_command(Late("verify", "Check who signed a packaged chart, as `helm verify` does."))
main.add_command(Late("version", "Print the versions of client, operator and cluster."))
main.add_command(Late("env", "Print where files and cluster are, as `helm env` does."))
main.add_command(
    Late("completion", "Print a script with which a shell completes commands and flags.")
)
main.add_command(Late("init", "Install the operator, or upgrade it."))
main.add_command(Late("reset", "Remove the operator, and nothing that it installed."))
main.add_command(Late("manifests", "Print the manifests that install this version."))


@main.command()
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Cluster to work on from outside; without it the operator's own ServiceAccount is used.",
)
@click.option("--context", default="", help="Context of the kubeconfig; its current one if empty.")
@click.option(
    "--namespace",
    "watch_namespaces",
    multiple=True,
    help="Watch HelmReleases in this namespace only; may be given more than once.",
)
@click.option(
    "--watch-label-selector",
    metavar="SELECTOR",
    help="Watch HelmReleases with these labels only, as in `kubectl get -l`.",
)
@click.option(
    "--no-cross-namespace-refs",
    is_flag=True,
    default=None,
    help="Refuse HelmReleases that refer to objects of other namespaces.",
)
@click.option(
    "--default-service-account",
    metavar="NAME",
    help="As whom releases act that name no serviceAccountName; an account of their namespace.",
)
@click.option(
    "--storage-driver",
    type=click.Choice(["secret", "configmap"]),
    help="What a revision is stored in.",
)
@click.option("--concurrency", type=click.IntRange(1), help="Passes at a time; waits hold none.")
@click.option("--probe-port", type=int, help="Port of /livez and /readyz; 0 for none.")
@click.option("--lease-namespace", help="Where the Lease of the one writer lives.")
@click.option("--identity", help="Who holds the Lease; the same one takes it up at once.")
@click.option("--cache-folder", type=click.Path(path_type=Path), help="Where charts are kept.")
@click.option(
    "--jinja2-charts",
    is_flag=True,
    default=None,
    help="Render charts whose Chart.yaml asks for Jinja2.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
)
def run(
    kubeconfig: Path | None,
    context: str,
    watch_namespaces: tuple[str, ...],
    log_level: str,
    **flags: object,
) -> None:
    """Run the operator until it is told to stop."""
    from whipstaff.controller.logs import log_as_json  # noqa: PLC0415
    from whipstaff.errors import OperatorError  # noqa: PLC0415
    from whipstaff.settings import Settings  # noqa: PLC0415

    log_as_json(log_level)
    try:
        settings = Settings.from_environment(os.environ)  # noqa: TID251 - read once, here
        given = {name: value for name, value in flags.items() if value is not None}
        if watch_namespaces:
            given["watch_namespaces"] = watch_namespaces
        if kubeconfig is not None and settings.cache_folder == Settings().cache_folder:
            given.setdefault("cache_folder", Path.home() / ".cache" / "whipstaff" / "charts")
        settings = replace(settings, **given)  # type: ignore[arg-type]  # click checked the types
        _run(settings, kubeconfig, context)
    except (OperatorError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _run(settings: object, kubeconfig: Path | None, context: str) -> None:
    from whipstaff.controller.operator import run as run_operator  # noqa: PLC0415
    from whipstaff.settings import Settings  # noqa: PLC0415
    from whipstaff.wiring import Target, assemble  # noqa: PLC0415

    assert isinstance(settings, Settings)  # noqa: S101 - the type is imported late
    target = Target(kubeconfig, context)
    run_operator(lambda meter: assemble(settings, target, meter))
