"""Values that others give as texts: files in a field, and assignments as `--set` has them."""

import re

from whipstaff.chart import loader, strvals
from whipstaff.chart.record import plain
from whipstaff.cli.conversion.originals import Original, Path
from whipstaff.errors import ValuesInvalid
from whipstaff.golang import yaml
from whipstaff.release.revision import JsonObject

_COMMA = re.compile(r"(?<!\\),")


def of_text(original: Original, *path: str | int) -> JsonObject:
    """Take a text that is a values file; Unconvertible, without its content, where it is none."""
    text = original.text(*path)
    try:
        values = plain(loader.parse_values(text.encode("utf-8", "surrogatepass"), ""))
    except ValuesInvalid as error:
        problem = error.text.partition("cannot load : ")[2].partition("\n")[0] or "is no YAML"
        raise original.unconvertible(path, f"holds no values: {_place(problem)}") from error
    assert isinstance(values, dict)  # noqa: S101 - says the type
    return values


def _place(problem: str) -> str:
    """Say where a values file is wrong, and nothing of what stands there."""
    found = re.search(r"line [0-9]+", problem)
    return f"they cannot be read ({found[0]})" if found else "they cannot be read"


def assign(
    values: JsonObject, original: Original, path: Path, text: tuple[str, str], *, typed: bool
) -> None:
    """Set one value by a name as `--set` has it; Unconvertible where it is no such name."""
    name, value = text
    if not (value.startswith("{") and value.endswith("}")):
        value = _COMMA.sub(r"\\,", value)
    try:
        (strvals.parse if typed else strvals.parse_string)(f"{name}={value}", values)
    except strvals.StrvalsError as error:
        raise original.unconvertible(path, "names no value as `--set` would") from error


def plain_values(values: JsonObject) -> JsonObject:
    """Return values as plain JSON."""
    found = plain(values)
    assert isinstance(found, dict)  # noqa: S101 - says the type
    return found


def as_text(values: JsonObject) -> str:
    """Return values as a values file."""
    return yaml.dump(plain(values))
