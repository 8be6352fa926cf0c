"""What Helm logs to standard error, in the form of Go's slog."""

import click

from whipstaff.golang.strconv import quote
from whipstaff.golang.values import go_bytes

_QUOTED = frozenset(' ="') | frozenset(map(chr, range(32)))


def log(level: str, message: str, /, **facts: str) -> None:
    """Print a line: level, message, facts."""
    fields = {"level": level, "msg": message} | facts
    line = " ".join(f"{name}={_value(text)}" for name, text in fields.items())
    click.echo(go_bytes(f"{line}\n"), nl=False, err=True)


def _value(text: str) -> str:
    plain = text.isprintable() and not _QUOTED.intersection(text)
    return text if text and plain else quote(text)
