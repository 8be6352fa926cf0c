"""`whipstaff env`: where this client keeps its files and finds its cluster."""

import os
from collections.abc import Mapping

import click

from whipstaff.cli.helm_flags import HelmCommand, at_most
from whipstaff.cli.helm_home import HelmHome, folder
from whipstaff.errors import ClusterRefused
from whipstaff.kube.access import namespace_of
from whipstaff.settings import Settings

# What holds where nothing is said, as helm tells it.
_DEFAULTS = {
    "HELM_DEBUG": "false",
    "HELM_KUBEINSECURE_SKIP_TLS_VERIFY": "false",
    "HELM_MAX_HISTORY": str(Settings().history_limit),
}
# A token is not among them: what is printed here is pasted into reports.
_GIVEN = (
    *("HELM_DEBUG", "HELM_DRIVER", "HELM_KUBEAPISERVER", "HELM_KUBEASGROUPS", "HELM_KUBEASUSER"),
    *("HELM_KUBECAFILE", "HELM_KUBECONTEXT", "HELM_KUBEINSECURE_SKIP_TLS_VERIFY"),
    *("HELM_KUBETLS_SERVER_NAME", "HELM_MAX_HISTORY", "KUBECONFIG"),
    *("WHIPSTAFF_SERVER", "WHIPSTAFF_SERVER_CA_FILE", "WHIPSTAFF_CLUSTER"),
)


@click.command("env", cls=HelmCommand)
@click.argument("names", nargs=-1, metavar="[NAME]", callback=at_most(1, "whipstaff env [flags]"))
def env(names: tuple[str, ...]) -> None:
    """Print where files and cluster are, as `helm env` does."""
    environment = os.environ  # noqa: TID251 - it is what the command is about
    home = HelmHome.of(environment)
    facts = {
        "HELM_CACHE_HOME": str(folder("CACHE", environment)),
        "HELM_CONFIG_HOME": str(folder("CONFIG", environment)),
        "HELM_CONTENT_CACHE": str(home.content_cache),
        "HELM_DATA_HOME": str(home.data),
        "HELM_REGISTRY_CONFIG": str(home.registry_config),
        "HELM_REPOSITORY_CACHE": str(home.repository_cache),
        "HELM_REPOSITORY_CONFIG": str(home.repository_config),
        "HELM_NAMESPACE": environment.get("HELM_NAMESPACE") or _namespace(environment),
        **{name: environment.get(name) or _DEFAULTS.get(name, "") for name in _GIVEN},
    }
    if names:
        click.echo(facts.get(names[0], ""))
        return
    for name in sorted(facts):
        click.echo(f'{name}="{facts[name]}"')


def _namespace(environment: Mapping[str, str]) -> str:
    """Return the namespace of the kubeconfig's context, as far as it can be read."""
    try:
        return namespace_of(environment.get("HELM_KUBECONTEXT", ""), environment)
    except ClusterRefused:
        return "default"
