"""`whipstaff verify`: whether a packaged chart was signed, as `helm verify` tells it."""

from pathlib import Path

import click

from whipstaff.cli.helm_flags import HelmCommand, exactly
from whipstaff.cli.verification import default_keyring, verify_chart


@click.command("verify", cls=HelmCommand)
@click.argument(
    "paths", nargs=-1, metavar="PATH", callback=exactly(1, "whipstaff verify PATH [flags]")
)
@click.option(
    "--keyring", default=default_keyring, metavar="FILE", help="File of public keys to verify with."
)
def verify(paths: tuple[str], keyring: str) -> None:
    """Check who signed a packaged chart, as `helm verify` does."""
    chart = Path(paths[0])
    found = verify_chart(chart, chart.with_name(f"{chart.name}.prov"), keyring)
    click.echo(found.sentences, nl=False)
