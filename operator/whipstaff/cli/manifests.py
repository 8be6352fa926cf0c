"""`whipstaff manifests`: what an installation needs, from the package itself."""

from pathlib import Path

import click

PACKED = Path(__file__).parents[1] / "manifests"  # in a wheel
SOURCE = Path(__file__).parents[3] / "deploy"  # in a checkout


@click.command("manifests")
@click.option("--only-crds", is_flag=True, help="Print the CustomResourceDefinitions alone.")
def manifests(*, only_crds: bool) -> None:
    """Print the manifests that install this version."""
    folder = PACKED if PACKED.is_dir() else SOURCE
    files = sorted((folder / "crds").glob("*.yaml"))
    if not only_crds:
        files = [folder / "namespace.yaml", *files, folder / "operator.yaml"]
    for file in files:
        click.echo(f"---\n{file.read_text(encoding='utf-8')}", nl=False)
