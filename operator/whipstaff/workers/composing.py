"""Lay values of ConfigMaps and Secrets over each other, as Flux does, under a worker's limits.

No error repeats a value: where the content of a Secret is wrong, the line is all that is told.
"""

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from whipstaff.chart import strvals
from whipstaff.chart.values import merge_documents
from whipstaff.errors import ValuesInvalid
from whipstaff.golang import yaml
from whipstaff.release.revision import JsonObject

DEPTH_LIMIT = 64  # as of spec.values
SECRET_CHARACTERS = 4  # shorter ones are parts of too many words
NODES_LIMIT = 1_000_000  # tables, lists and single values

# What the scanner says in fixed words; other errors repeat what stands there.
_HARMLESS = re.compile(
    "(did not|could not) find expected .*"
    "|found (a tab|character that|unexpected|unknown escape) .*"
    "|(mapping values|block sequence entries|control characters) are not allowed.*"
)
_INT64 = 1 << 63
_QUOTES = ("'", '"')
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """The content of one key."""

    where: str  # "Secret web/login, key password"
    content: str = field(repr=False)  # in base64 if it is secret, as the API server gives it
    secret: bool = False
    target_path: str = ""
    literal: bool = False

    def text(self) -> str:
        """Return the content as text; ValuesInvalid if it is none."""
        if not self.secret:
            return self.content
        try:
            return base64.b64decode(self.content, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            raise self.refuse("no UTF-8 text") from None

    def refuse(self, problem: str) -> ValuesInvalid:
        """Say what the content is."""
        return ValuesInvalid(f"{self.where}: {problem}", self.where)


def compose(inline: JsonObject, layers: Sequence[JsonObject]) -> JsonObject:
    """Return the final `values`, and the paths of those that are whole numbers to templates.

    `secrets` are the texts that come from Secrets, for who has to keep them out of errors.

    Values files come in their order, the inline values over them, and over everything the single
    values with a path, in theirs.
    """
    given = [Layer(**layer) for layer in layers]
    files = [(layer, _file(layer)) for layer in given if not layer.target_path]
    values = merge_documents([*(file for _, file in files), inline])
    _check(values)
    values = {key: _with_floats(value) for key, value in values.items()}
    for layer in given:
        if layer.target_path:
            _assign(layer, values)
    _check(values)
    # strvals makes int64; all else is float64, as everywhere in values.
    whole = [list(path) for path, value in _leaves(values) if type(value) is int]
    told = {text for layer, file in files if layer.secret for text in _texts(file)}
    told |= {layer.text().strip() for layer in given if layer.secret and layer.target_path}
    secrets = sorted(text for text in told if len(text) >= SECRET_CHARACTERS)
    return {"values": _as_stored(values), "whole_numbers": whole, "secrets": secrets}


def _file(layer: Layer) -> JsonObject:
    try:
        return yaml.load_map(layer.text())
    except yaml.YAMLError as error:
        line = f"line {error.line}: " if error.line else ""
        found = _HARMLESS.search(error.text)
        raise layer.refuse(line + (found[0] if found else "no table of values in YAML")) from None


def _with_floats(value: object) -> object:
    """Copy a value as Helm reads it from YAML: every number is float64, no two parts are one."""
    match value:
        case dict():
            return {key: _with_floats(inner) for key, inner in value.items()}
        case list():
            return [_with_floats(inner) for inner in value]
        case int() if not isinstance(value, bool):
            return float(value)
        case _:
            return value


def _assign(layer: Layer, values: JsonObject) -> None:
    text = layer.text()
    quoted = any(text.startswith(quote) and text.endswith(quote) for quote in _QUOTES)
    try:
        if layer.literal:
            strvals.parse_string(f"{layer.target_path}={_escaped(text)}", values)
        elif quoted:
            strvals.parse_string(f"{layer.target_path}={text.strip(''.join(_QUOTES))}", values)
        else:
            strvals.parse(f"{layer.target_path}={text}", values)
    except strvals.StrvalsError:
        raise layer.refuse(_problem(layer, values)) from None


def _escaped(text: str) -> str:
    return "".join(f"\\{one}" if one in "\\,[]{}" else one for one in text)


def _problem(layer: Layer, values: JsonObject) -> str:
    """Say whether the path or the value is at fault, without the value."""
    try:
        strvals.parse_string(f"{layer.target_path}=x", merge_documents([values]))
    except strvals.StrvalsError as error:
        return f"targetPath {layer.target_path}: {error}"
    return (
        f"it cannot be set at {layer.target_path}, where commas, brackets and braces have a "
        "meaning: with `literal: true` it is taken as it is"
    )


def _check(values: JsonObject) -> None:
    """Refuse what is too deep or too much, before anything walks through it."""
    level: list[object] = [values]
    met = 0
    for _ in range(DEPTH_LIMIT):
        tables: list[object] = []
        for parent in level:
            children = _children(parent)
            met += len(children)
            if met > NODES_LIMIT:
                raise ValuesInvalid(f"there are more than {NODES_LIMIT:,} values")
            tables += [child for child in children if isinstance(child, dict | list)]
        level = tables
        if not level:
            return
    raise ValuesInvalid(f"the values are nested deeper than {DEPTH_LIMIT} levels")


def _children(value: object) -> Collection[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _leaves(inner, (*path, key))
        case list():
            for index, inner in enumerate(value):
                yield from _leaves(inner, (*path, index))
        case _:
            yield path, value


def _texts(values: JsonObject) -> Iterator[str]:
    return (value.strip() for _, value in _leaves(values) if isinstance(value, str))


def _as_stored(value: object) -> object:
    """Write numbers as Go's JSON does: a whole number has no fraction."""
    match value:
        case dict():
            return {key: _as_stored(inner) for key, inner in value.items()}
        case list():
            return [_as_stored(inner) for inner in value]
        case float() if value.is_integer() and abs(value) < _INT64:
            return int(value)
        case _:
            return value
