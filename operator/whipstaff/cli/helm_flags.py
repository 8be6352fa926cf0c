"""Commands that take Helm's flags: read as Helm's flag library reads them, refused in its words."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeVar

import click

from whipstaff.cli import colours
from whipstaff.golang.strconv import quote

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_SHORT = re.compile(r"-[a-zA-Z]=")
# What helm takes with every command, whether it has a use for it or not: switches, and the others.
_SWITCHES_OF_ALL = frozenset({"--debug", "--kube-insecure-skip-tls-verify"})
INTERRUPTED = 130  # the exit code of what Ctrl-C ended, as the shell has it
DEBUG = "whipstaff.debug"  # in the context of a command: whether it is asked to tell more
_COLOR = frozenset({"--color", "--colour"})
_FLAGS_OF_ALL = frozenset(
    {
        *("-n", "--namespace", "--kubeconfig", "--kube-context", *_COLOR),
        *("--repository-config", "--repository-cache", "--registry-config", "--content-cache"),
        *("--burst-limit", "--qps", "--kube-apiserver", "--kube-token", "--kube-as-user"),
        *("--kube-as-group", "--kube-ca-file", "--kube-tls-server-name"),
    }
)
_ABOUT_THE_CLUSTER = "--kube-"  # how those begin that a command that goes there may not pass over
_BARE_QUOTE = re.compile(r'(?:(?:[^",]*|"(?:[^"]|"")*"),)*[^",]+"')

Decorated = TypeVar("Decorated", bound=Callable[..., object])


class LooseOption(click.Option):
    """An option whose value may be left out: only `--flag=value` has one."""

    ALONE = "unset"  # the value of `--flag`


class HelmCommand(click.Command):
    """A click command with Helm's spelling of flags and its exit code 1 for a wrong one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, list(self._respelled(ctx, args)))
        except click.NoSuchOption as error:
            raise click.ClickException(_absent(ctx, error.option_name)) from error
        except click.BadOptionUsage as error:
            raise click.ClickException(_lacks_argument(error.option_name)) from error
        except click.UsageError as error:
            raise click.ClickException(error.message) from error

    def _respelled(self, ctx: click.Context, args: Sequence[str]) -> Iterator[str]:
        """Turn `--flag=true` into `--flag` and `-n=x` into `-nx`; what is an argument stays."""
        options = {
            name: option
            for option in self.params
            if isinstance(option, click.Option)
            for name in option.opts
        }
        remaining = iter(args)
        for arg in remaining:
            name, equals, value = arg.partition("=")
            option = options.get(name)
            if arg == "--":
                yield arg
                yield from remaining
            elif own_name(arg) not in options and _is_passed_over(arg, options):
                value_of_all(arg, remaining)
                _note_debug(ctx, arg)
            elif option is None:
                yield arg
            elif isinstance(option, LooseOption):
                yield f"{name}={value if equals else LooseOption.ALONE}"
            elif not equals:
                yield arg
                if not option.is_flag:
                    yield from _one(remaining)
            elif option.is_flag:
                if _truth(name, value):
                    yield name
            else:
                yield name + value if _SHORT.match(arg) else arg


def _is_passed_over(arg: str, options: Collection[str]) -> bool:
    goes_there = "--kubeconfig" in options
    return is_of_all(arg) and not (goes_there and arg.startswith(_ABOUT_THE_CLUSTER))


def _note_debug(ctx: click.Context, arg: str) -> None:
    name, equals, value = arg.partition("=")
    if name == "--debug":
        ctx.meta[DEBUG] = not equals or bool(truth(value))


def _absent(ctx: click.Context, name: str) -> str:
    """Say that there is no such flag, and what to do instead of one of helm's."""
    from whipstaff.cli.absent_flags import instead_of  # noqa: PLC0415 - hardly ever needed

    command = ctx.command_path.partition(" ")[2]
    instead = instead_of(command, name)
    if instead:
        return f"{unknown(name)}: {instead}"
    meant = _meant(ctx, name)
    return f"{unknown(name)}; did you mean {meant}?" if meant else unknown(name)


def _meant(ctx: click.Context, name: str) -> str:
    """Find the flag that may be meant by one that there is not; empty if none is near."""
    from whipstaff.helmrelease.strictness import nearest  # noqa: PLC0415 - hardly ever needed

    known = [
        option
        for one in ctx.command.params
        if isinstance(one, click.Option) and not one.hidden
        for option in one.opts
        if option.startswith("--")
    ]
    return nearest(name, known) if name.startswith("--") else ""


def own_name(arg: str) -> str:
    """Give the name of a flag: what is before `=`, or the one letter of `-nvalue`."""
    return arg.partition("=")[0] if arg.startswith("--") else arg[:2]


def is_of_all(arg: str) -> bool:
    """Say whether it is a flag that helm takes with every command."""
    name = own_name(arg)
    return name in _SWITCHES_OF_ALL or name in _FLAGS_OF_ALL


def value_of_all(arg: str, remaining: Iterator[str]) -> list[str]:
    """Take what follows such a flag and belongs to it; a value that is not there is refused."""
    name = own_name(arg)
    _, equals, value = arg.partition("=")
    if name in _SWITCHES_OF_ALL and equals:
        _truth(name, value)
    if name in _SWITCHES_OF_ALL:
        return []
    found = [] if name != arg else list(_one(remaining))
    if name == arg and not found:
        raise click.ClickException(_lacks_argument(name))
    if name in _COLOR:
        colours.known(found[0] if found else value)
    return found


def _one(remaining: Iterator[str]) -> Iterator[str]:
    for arg in remaining:
        yield arg
        return


def truth(text: str) -> bool | None:
    """Read a switch as Go does; None if it is neither true nor false."""
    if text in _TRUE:
        return True
    return False if text in _FALSE else None


def _truth(name: str, value: str) -> bool:
    found = truth(value)
    if found is not None:
        return found
    raise click.ClickException(
        f'invalid argument {quote(value)} for "{name}" flag: '
        f"strconv.ParseBool: parsing {quote(value)}: invalid syntax"
    )


def unknown(name: str) -> str:
    """Say in Helm's words that there is no such flag."""
    if name.startswith("--"):
        return f"unknown flag: {name}"
    return f"unknown shorthand flag: '{name[1:2]}' in {name}"


def _lacks_argument(name: str) -> str:
    if name.startswith("--"):
        return f"flag needs an argument: {name}"
    return f"flag needs an argument: '{name[1:2]}' in {name}"


def listed(_: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Read the values of a flag that may be given often, each a line of comma-separated values."""
    return tuple(value for text in texts for value in _comma_separated(text, option))


def _comma_separated(text: str, option: click.Parameter) -> list[str]:
    if '"' not in text:
        return text.split(",") if text else []
    import csv  # noqa: PLC0415 - quotes are rare

    bare = _BARE_QUOTE.match(text)
    if bare is None:
        return next(csv.reader([text]))
    name = ", ".join(sorted(option.opts, key=len))
    raise click.ClickException(
        f'invalid argument {quote(text)} for "{name}" flag: '
        f'parse error on line 1, column {bare.end()}: bare " in non-quoted-field'
    )


def at_least_one(usage: str) -> Callable[[click.Context, Any, tuple[str, ...]], tuple[str, ...]]:
    """Make a callback that refuses a command without arguments as Helm does."""

    def check(ctx: click.Context, _: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
        if not given and not ctx.resilient_parsing:
            raise click.ClickException(
                f'"{_path_in(usage)}" requires at least 1 argument\n\nUsage:  {usage}'
            )
        return given

    return check


def exactly(
    count: int, usage: str
) -> Callable[[click.Context, Any, tuple[str, ...]], tuple[str, ...]]:
    """Make a callback that refuses any other number of arguments as Helm does."""
    wanted = f"requires {count} argument{'' if count == 1 else 's'}"
    wanted = wanted if count else "accepts no arguments"

    def check(ctx: click.Context, _: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
        if len(given) != count and not ctx.resilient_parsing:
            raise click.ClickException(f'"{_path_in(usage)}" {wanted}\n\nUsage:  {usage}')
        return given

    return check


def at_most(
    count: int, usage: str
) -> Callable[[click.Context, Any, tuple[str, ...]], tuple[str, ...]]:
    """Make a callback that refuses more arguments as Helm does."""

    def check(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
        if len(given) > count:
            raise click.ClickException(
                f'"{_path_in(usage)}" accepts at most {count} '
                f"argument{'' if count == 1 else 's'}\n\nUsage:  {usage}"
            )
        return given

    return check


def _path_in(usage: str) -> str:
    """The words of a command in its usage: what comes before arguments and flags."""
    found = re.match(r"[a-z]+(?: [a-z]+(?![a-z|]))*", usage)
    return found[0] if found else usage
