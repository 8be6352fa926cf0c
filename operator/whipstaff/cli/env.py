"""`whipstaff env`: where this client keeps its files and finds its cluster."""

import os

import click

from whipstaff.cli.helm_flags import HelmCommand, at_most
from whipstaff.cli.helm_home import HelmHome

# A token is not among them: what is printed here is pasted into reports.
_GIVEN = (
    *("HELM_DEBUG", "HELM_DRIVER", "HELM_KUBEAPISERVER", "HELM_KUBEASGROUPS", "HELM_KUBEASUSER"),
    *("HELM_KUBECAFILE", "HELM_KUBECONTEXT", "HELM_KUBEINSECURE_SKIP_TLS_VERIFY"),
    *("HELM_KUBETLS_SERVER_NAME", "HELM_NAMESPACE", "KUBECONFIG"),
    *("WHIPSTAFF_SERVER", "WHIPSTAFF_SERVER_CA_FILE", "WHIPSTAFF_CLUSTER"),
)


@click.command("env", cls=HelmCommand)
@click.argument("names", nargs=-1, metavar="[NAME]", callback=at_most(1, "whipstaff env [flags]"))
def env(names: tuple[str, ...]) -> None:
    """Print where files and cluster are, as `helm env` does."""
    environment = os.environ  # noqa: TID251 - it is what the command is about
    home = HelmHome.of(environment)
    facts = {
        "HELM_CONTENT_CACHE": str(home.content_cache),
        "HELM_DATA_HOME": str(home.data),
        "HELM_REGISTRY_CONFIG": str(home.registry_config),
        "HELM_REPOSITORY_CACHE": str(home.repository_cache),
        "HELM_REPOSITORY_CONFIG": str(home.repository_config),
        **{name: environment.get(name, "") for name in _GIVEN},
    }
    if names:
        click.echo(facts.get(names[0], ""))
        return
    for name in sorted(facts):
        click.echo(f'{name}="{facts[name]}"')
