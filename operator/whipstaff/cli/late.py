"""Commands whose modules are imported when they are used, and groups of them."""

import importlib
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import click

from whipstaff.cli.helm_flags import INTERRUPTED, is_of_all, unknown, value_of_all
from whipstaff.golang.strconv import quote

_HELP = "help"  # `helm help COMMAND` shows what `helm COMMAND --help` shows


class Late(click.Command):
    """A subcommand whose module is imported when it is used: help needs none of what it needs.

    It may be a group of commands.
    """

    def __init__(self, name: str, help: str, module: str = "") -> None:  # noqa: A002 - click's own
        """Name a command; `module` if it has another name, `module:command` if it holds several."""
        super().__init__(name, help=help)
        self._module = module or name

    def command(self) -> click.Command:
        """Import and return the command itself: what its module calls as the module is called."""
        name, _, inner = self._module.partition(":")
        command = getattr(importlib.import_module(f"whipstaff.cli.{name}"), inner or name)
        assert isinstance(command, click.Command)  # noqa: S101 - says the type
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401 - click's own
        return self.command().make_context(*args, **kwargs)


class Commands(click.Group):
    """A group that goes by helm's other names for its commands too."""

    def __init__(self, *args: Any, aliases: Mapping[str, str] = {}, **kwargs: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **kwargs)
        self._aliases = aliases

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, self._aliases.get(cmd_name, cmd_name))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ahead, behind = _of_all(args)
        if not behind and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit()
        if behind[:1] == [_HELP] and _HELP not in self.commands:
            behind = [*behind[1:], "--help"]
        try:
            return super().parse_args(ctx, [*behind[:1], *ahead, *behind[1:]])
        except click.NoSuchOption as error:
            raise click.ClickException(unknown(error.option_name)) from error

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's own
        """Run the command; what the machine refuses to it ends in a sentence.

        A pipe that nobody reads from any more ends it as well: click does that without a word.
        """
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            why = (error.strerror or str(error)).lower()
            click.echo(f"Error: {where}{why}", err=True)
            _give_up_output()
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own
        """Run the command; Ctrl-C ends it as the shell has it, where nothing else is said."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; one that there is not ends with code 1, as in helm."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.ClickException(self._unknown(ctx.command_path, args[0])) from error

    def _unknown(self, path: str, name: str) -> str:
        """Say in Helm's words that there is no such command, and which one may be meant."""
        from whipstaff.helmrelease.strictness import nearest  # noqa: PLC0415 - hardly ever needed

        meant = nearest(name, [*self.commands, *self._aliases])
        hint = f"\n\nDid you mean this?\n\t{meant}\n" if meant else ""
        return (
            f"unknown command {quote(name)} for {quote(path)}{hint}\nRun '{path} --help' for usage."
        )


def _give_up_output() -> None:
    """Let go of what could not be written: the interpreter would try again as it ends."""
    with suppress(OSError, ValueError):  # standard output may be no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _of_all(args: list[str]) -> tuple[list[str], list[str]]:
    """Part flags that helm takes with every command, here before its name, from the rest."""
    ahead: list[str] = []
    remaining = iter(args)
    for arg in remaining:
        if not is_of_all(arg):
            return ahead, [arg, *remaining]
        ahead += [arg, *value_of_all(arg, remaining)]
    return ahead, []
