"""`whipstaff manifests`: what an installation needs, from the package itself."""

import click

from whipstaff.cli.carried import Choice, carried
from whipstaff.cli.printing import as_yaml, echo


@click.command("manifests")
@click.option("--only-crds", is_flag=True, help="Print the CustomResourceDefinitions alone.")
def manifests(*, only_crds: bool) -> None:
    """Print the manifests that install this version."""
    found = carried(Choice())
    for body in found.definitions if only_crds else found.all():
        echo(f"---\n{as_yaml(body)}")
