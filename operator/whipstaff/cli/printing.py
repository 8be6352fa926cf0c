"""Tables, JSON and YAML as helm prints them."""

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from whipstaff.cli import colours, completions
from whipstaff.cli.helm_flags import Decorated

FORMATS = ("table", "json", "yaml")

_ELLIPSIS = "..."
_ESCAPED = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}
_PAINT = re.compile("\x1b\\[[0-9;]*m")
_INVISIBLE = frozenset({"Mn", "Me", "Cf", "Cc"})
# Controls but for ends of lines and tabs, and what turns the direction of writing.
_STEERING = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]|\r(?!\n)"
)

Row = TypeVar("Row", bound=Mapping[str, str])


def output_option(command: Decorated) -> Decorated:
    """Add helm's `-o`."""
    return click.option(
        "-o",
        "--output",
        default="table",
        callback=_known_format,
        metavar="FORMAT",
        shell_complete=completions.formats,
        help="table, json or yaml.",
    )(command)


def _known_format(_: click.Context, __: click.Parameter, value: str) -> str:
    if value in FORMATS:
        return value
    shown = json.dumps(value, ensure_ascii=False)
    raise click.ClickException(
        f'invalid argument {shown} for "-o, --output" flag: invalid format type'
    )


def color_option(command: Decorated) -> Decorated:
    """Add helm's `--color`, which `colours` reads."""
    return click.option(
        "--color",
        "--colour",
        callback=colours.remember,
        expose_value=False,
        metavar="MODE",
        shell_complete=completions.color_modes,
        help="Colours: auto, on a terminal only, always or never.",
    )(command)


def table(rows: Sequence[Sequence[str]], widest: int = 0) -> str:
    """Return rows as columns as wide as they need be, `widest` at most; 0 for any width."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    if widest:
        widths = [min(width, widest) for width in widths]
    lines = [
        "\t".join(_fitted(cell, width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _fitted(text: str, width: int) -> str:
    """Fill or cut a cell; helm's own way of counting what is cut."""
    taken = _width(text)
    if not width or taken == width:
        return text
    if taken < width:
        return text + " " * (width - taken)
    kept, sofar = "", 0
    for letter in text:
        kept += letter
        wide = _width(letter)
        if sofar + wide >= width - len(_ELLIPSIS):
            break
        sofar += wide
    return kept + _ELLIPSIS


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes; colours take none."""
    if text.isascii() and text.isprintable():
        return len(text)
    text = _PAINT.sub("", text)
    return sum(_columns(letter) for letter in text)


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in _INVISIBLE:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1


def as_json(value: object) -> str:
    """Return JSON on one line as Go writes it, names in the order that they have."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_ESCAPED) + "\n"


def as_yaml(value: object) -> str:
    """Return YAML as helm writes it."""
    from whipstaff.golang import yaml  # noqa: PLC0415 - tables need none of it

    try:
        return yaml.dump(value)
    except yaml.YAMLError as error:  # it holds what helm itself refuses to write
        text = f"unable to write YAML output: {error.text}"
        raise click.ClickException(text) from error


def printed(output: str, rows: Sequence[Row], as_table: Callable[[Sequence[Row]], str]) -> str:
    """Return rows in the format that was asked for."""
    if output == "json":
        return as_json(list(rows))
    if output == "yaml":
        return as_yaml(list(rows))
    return as_table(rows)


def echo(text: str) -> None:
    """Print a text; on a terminal nothing that steers it."""
    write(harmless(text))


def harmless(text: str) -> str:
    """Return a text; one for a terminal without what steers it."""
    return _STEERING.sub("\ufffd", text) if sys.stdout.isatty() else text


def write(text: str) -> None:
    """Print a text that is harmless and may be coloured, also one that holds what is no UTF-8."""
    click.echo(text.encode("utf-8", "surrogateescape"), nl=False)


def one_line(text: str) -> str:
    """Return a text without what would begin a line, or steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def unsigned(ctx: click.Context, option: click.Parameter, value: Any) -> int:  # noqa: ANN401 - click's own
    """Read a number that is not negative; refused in the words of Go."""
    del ctx
    text = str(value)
    if text.isascii() and text.isdecimal():
        return int(text)
    shown = json.dumps(text, ensure_ascii=False)
    raise click.ClickException(
        f'invalid argument {shown} for "{option.opts[-1]}" flag: '
        f"strconv.ParseUint: parsing {shown}: invalid syntax"
    )


def whole(ctx: click.Context, option: click.Parameter, value: Any) -> int:  # noqa: ANN401 - click's own
    """Read a whole number; refused in the words of Go."""
    del ctx
    text = str(value)
    if re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII):
        return int(text)
    shown = json.dumps(text, ensure_ascii=False)
    raise click.ClickException(
        f'invalid argument {shown} for "{", ".join(sorted(option.opts, key=len))}" flag: '
        f"strconv.ParseInt: parsing {shown}: invalid syntax"
    )
