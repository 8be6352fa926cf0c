"""Values from the command line: files, then the `--set` family, each over what came before."""

import errno
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from whipstaff.chart import loader, strvals
from whipstaff.chart.model import JsonObject
from whipstaff.chart.values import merge_documents
from whipstaff.cli import completions, given_files
from whipstaff.cli.helm_flags import Decorated, listed
from whipstaff.errors import ValuesInvalid
from whipstaff.golang import json
from whipstaff.golang.values import go_text

_REMOTE = ("http:", "https:", "oci:")


class ValuesRefused(Exception):
    """Values that cannot be read; the words are Helm's."""


@dataclass(frozen=True, slots=True)
class GivenValues:
    """What the flags of `value_options` said, in the order of the command line."""

    files: tuple[str, ...] = ()
    assignments: tuple[str, ...] = ()
    strings: tuple[str, ...] = ()
    from_files: tuple[str, ...] = ()
    jsons: tuple[str, ...] = ()
    literals: tuple[str, ...] = ()

    def merged(self) -> JsonObject:
        """Read everything and lay it over each other, in Helm's order; or ValuesRefused."""
        values: JsonObject = {}
        for file in self.files:
            values = merge_documents([values, _read_values(file)])
        for text in self.jsons:
            values = _with_json(values, text)
        for text in self.assignments:
            _assign("--set", strvals.parse, text, values)
        for text in self.strings:
            _assign("--set-string", strvals.parse_string, text, values)
        for text in self.from_files:
            _assign("--set-file", _parse_file, text, values)
        for text in self.literals:
            _assign("--set-literal", strvals.parse_literal, text, values)
        return values


def value_options(command: Decorated) -> Decorated:
    """Add `-f` and the `--set` family to a command, which takes them with `given`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def given(flags: dict[str, Any]) -> GivenValues:
    """Take the flags of `value_options` out of a command's keyword arguments."""
    return GivenValues(
        files=flags.pop("values"),
        assignments=flags.pop("set"),
        strings=flags.pop("set_string"),
        from_files=flags.pop("set_file"),
        jsons=flags.pop("set_json"),
        literals=flags.pop("set_literal"),
    )


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "-f",
        "--values",
        multiple=True,
        callback=listed,
        metavar="FILES",
        shell_complete=completions.files,
        help="Values file, `-` for standard input; several, later ones winning.",
    ),
    click.option("--set", multiple=True, metavar="KEY=VALUE,...", help="Set values."),
    click.option(
        "--set-string", multiple=True, metavar="KEY=TEXT,...", help="Set values that stay text."
    ),
    click.option(
        "--set-file", multiple=True, metavar="KEY=FILE,...", help="Set values to files' content."
    ),
    click.option(
        "--set-json",
        multiple=True,
        metavar="KEY=JSON,...",
        help="Set values from JSON, or lay a whole JSON object over them.",
    ),
    click.option(
        "--set-literal",
        multiple=True,
        metavar="KEY=TEXT",
        help="Set one value to what follows, whatever it holds.",
    ),
)


def _assign(
    flag: str, parse: Callable[[str, JsonObject], None], text: str, values: JsonObject
) -> None:
    try:
        parse(text, values)
    except (strvals.StrvalsError, ValuesRefused) as error:
        raise ValuesRefused(f"failed parsing {flag} data: {error}") from error


def _with_json(values: JsonObject, text: str) -> JsonObject:
    if text.strip().startswith("{"):
        try:
            return merge_documents([values, json.load_map(text) or {}])
        except json.JSONError as error:
            raise ValuesRefused(f"failed parsing --set-json data JSON: {text}") from error
    try:
        strvals.parse_json(text, values)
    except strvals.StrvalsError as error:
        raise ValuesRefused(f"failed parsing --set-json data {text}") from error
    return values


def _parse_file(text: str, values: JsonObject) -> None:
    strvals.parse_file(text, values, lambda path: go_text(_read(path)))


def _read_values(path: str) -> JsonObject:
    try:
        return loader.parse_values(_read(path), path)
    except ValuesInvalid as error:
        problem = error.text.removeprefix(f"cannot load {path}: ")
        raise ValuesRefused(f"failed to parse {path}: {problem}") from error


def _read(path: str) -> bytes:
    if path.lower().startswith(_REMOTE):
        raise ValuesRefused(f"{path}: values are read from files, nothing is downloaded")
    try:
        if path.strip() == "-":
            return given_files.read_stream(sys.stdin.buffer, path)
        return given_files.read(path)
    except OSError as error:
        raise ValuesRefused(os_text(path, error)) from error


def os_text(path: str, error: OSError, verb: str = "open") -> str:
    """Word what the operating system refused to do to a file as Go does."""
    if isinstance(error, IsADirectoryError) or error.errno == errno.EFBIG:
        verb = "read"
    return f"{verb} {path}: {(error.strerror or '').lower()}"
