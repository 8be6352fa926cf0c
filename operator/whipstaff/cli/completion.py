"""`whipstaff completion`: what a shell needs to complete commands and flags."""

import click
from click.shell_completion import get_completion_class

from whipstaff.cli.helm_flags import HelmCommand, exactly

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion", cls=HelmCommand)
@click.argument(
    "shells",
    nargs=-1,
    metavar="bash|zsh|fish",
    callback=exactly(1, "whipstaff completion bash|zsh|fish [flags]"),
)
@click.pass_context
def completion(ctx: click.Context, shells: tuple[str]) -> None:
    """Print a script with which a shell completes commands and flags."""
    found = get_completion_class(shells[0]) if shells[0] in _SHELLS else None
    if found is None:
        raise click.ClickException(f"{shells[0]} is none of {', '.join(_SHELLS)}")
    root = ctx.find_root()
    click.echo(found(root.command, {}, "whipstaff", "_WHIPSTAFF_COMPLETE").source())
