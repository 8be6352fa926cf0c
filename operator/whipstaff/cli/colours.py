"""When output is coloured, and how: as helm has it."""

import os
import sys
from typing import IO, Any

import click

from whipstaff.golang.strconv import quote

MODES = ("never", "auto", "always")

_MODE = "whipstaff.color"  # in the context of a command: what its flag says
_OF_STATUSES = {
    "deployed": "green",
    "failed": "red",
    "unknown": "red",
    "uninstalling": "yellow",
    "pending-install": "yellow",
    "pending-upgrade": "yellow",
    "pending-rollback": "yellow",
}


class WrongMode(click.ClickException):
    """A mode that there is not: helm logs it, which it does with no other wrong flag."""

    def __init__(self, mode: str) -> None:
        super().__init__(f"invalid color mode {quote(mode)}: must be one of: {', '.join(MODES)}")

    def show(self, file: IO[Any] | None = None) -> None:
        from whipstaff.cli.helm_logs import log  # noqa: PLC0415 - hardly ever needed

        del file
        log("WARN", "command failed", error=self.message)


def known(mode: str) -> str:
    """Return a mode; WrongMode if there is none of that name."""
    if mode not in MODES:
        raise WrongMode(mode)
    return mode


def remember(ctx: click.Context, _: click.Parameter, mode: str | None) -> None:
    """Note what the flag of a command says."""
    if mode is not None and not ctx.resilient_parsing:
        ctx.meta[_MODE] = known(mode)


def are_wanted() -> bool:
    """Whether to colour: by the flag, else $HELM_COLOR; never where $NO_COLOR is set."""
    environment = os.environ  # noqa: TID251 - as helm reads it
    context = click.get_current_context(silent=True)
    flag = context.meta.get(_MODE) if context else None
    mode = flag or environment.get("HELM_COLOR", "").lower()
    if environment.get("NO_COLOR") or mode == "never":
        return False
    return mode == "always" or (sys.stdout.isatty() and environment.get("TERM") != "dumb")


def painted(text: str, colour: str) -> str:
    """Return a text in a colour, if colours are wanted; an empty one is none."""
    return click.style(text, fg=colour) if colour and are_wanted() else text


def status(text: str) -> str:
    """Return the status of a release in its colour."""
    return painted(text, _OF_STATUSES.get(text, ""))


def namespace(text: str) -> str:
    """Return a namespace in its colour."""
    return painted(text, "cyan")


def header(text: str) -> str:
    """Return what is above a column; helm ends bold type by its own code."""
    return f"\x1b[1m{text}\x1b[22m" if are_wanted() else text
