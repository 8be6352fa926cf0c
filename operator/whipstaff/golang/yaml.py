"""YAML as Helm reads and writes it: sigs.k8s.io/yaml, which goes through JSON both ways."""

from collections.abc import Iterator
from typing import Final

from whipstaff.golang import yaml_lines, yaml_nodes
from whipstaff.golang.floats import format_g, format_json
from whipstaff.golang.json_reader import wrong_type
from whipstaff.golang.values import JSONNumber
from whipstaff.golang.yaml_pretty import dump_pretty
from whipstaff.golang.yaml_reader import (
    MAX_DEPTH,
    DialectError,
    EventReader,
    Resolver,
    Unusual,
    YAMLError,
)
from whipstaff.golang.yaml_scalars import INT64_MAX, INT64_MIN
from whipstaff.golang.yaml_writer import dump

__all__ = [
    "MAX_DEPTH",
    "YAMLError",
    "dump",
    "dump_pretty",
    "load",
    "load_all",
    "load_integers",
    "load_list",
    "load_map",
    "load_strict",
    "load_typed",
    "load_with_numbers",
    "load_yaml_1_2",
    "string_of",
]

_CONVERTING: Final = "error converting YAML to JSON: "
_POSITIONAL: Final = 1e21  # JSON spells larger numbers with an exponent
_DECODING: Final = "error unmarshaling JSON: while decoding JSON: "


def _kubernetes_number(number: int | float) -> int | float:
    """Read a number from its JSON text as Kubernetes does: int64 where it fits, else float64."""
    whole = isinstance(number, int) or (number.is_integer() and abs(number) < _POSITIONAL)
    if whole and INT64_MIN <= number <= INT64_MAX:
        return int(number)
    return float(number)


def _json_number(number: int | float) -> JSONNumber:
    return JSONNumber(number if isinstance(number, int) else format_json(number))


class _Resolver12(Resolver):
    """Leaves the words alone that YAML 1.2 no longer takes for true and false."""

    def __call__(self, text: str) -> object:
        return text if text.lower() in _BOOLEANS_OF_1_1 else super().__call__(text)


_BOOLEANS_OF_1_1: Final = frozenset({"y", "n", "yes", "no", "on", "off"})
_FLOATS = Resolver(float)
_JSON_NUMBERS = Resolver(_json_number)
_INTEGERS = Resolver(_kubernetes_number)
_INTEGERS_1_2 = _Resolver12(_kubernetes_number)
_TYPED = Resolver(lambda number: number)


def load(text: str) -> object:
    """Read the first document; numbers are float64, an empty text is None."""
    return _first(text, _FLOATS)


def load_with_numbers(text: str) -> object:
    """Read the first document; numbers keep their JSON text, as a decoder with UseNumber does."""
    return _first(text, _JSON_NUMBERS)


def load_integers(text: str) -> object:
    """Read the first document; whole numbers are int, as Kubernetes' own decoder makes them."""
    return _first(text, _INTEGERS)


def load_yaml_1_2(text: str) -> object:
    """Read the first document as `load_integers` does, but `yes`, `no`, `on` and such are texts."""
    return _first(text, _INTEGERS_1_2)


def load_typed(text: str) -> object:
    """Read the first document for a Go struct: numbers as YAML has them, for `string_of`."""
    return _first(text, _TYPED)


def load_strict(text: str) -> object:
    """Read the first document; a key that comes twice is an error."""
    return _first(text, _FLOATS, strict=True)


def load_all(text: str) -> list[object]:
    """Read every document; whole numbers are int, as Kubernetes' own decoder makes them."""
    try:
        return list(_documents(text, _INTEGERS, strict=False))
    except YAMLError as error:
        raise YAMLError(_CONVERTING + error.text, error.line) from error


def load_map(text: str) -> dict[str, object]:
    """Read the first document into a map; nothing gives an empty map."""
    value = load(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong_type(value, "map[string]interface {}")
    return value


def load_list(text: str) -> list[object]:
    """Read the first document into a list; nothing gives an empty list."""
    value = load(text)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong_type(value, "[]interface {}")
    return value


def string_of(value: object) -> object:
    """Spell a number or a truth value as a Go string field receives it; leave the rest alone."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format_g(value, bits=32)
    return str(value) if isinstance(value, int) else value


def _first(text: str, resolver: Resolver, *, strict: bool = False) -> object:
    if not strict:
        try:
            return yaml_lines.read(text, resolver)
        except (Unusual, YAMLError):
            pass
    try:
        return next(_documents(text, resolver, strict=strict), None)
    except YAMLError as error:
        raise YAMLError(_CONVERTING + error.text, error.line) from error


def _documents(text: str, resolver: Resolver, *, strict: bool) -> Iterator[object]:
    """Read documents the fast way; the one that needs it, and those after it, the exact way."""
    finished = 0
    text = text.removeprefix("\ufeff")
    try:
        for value in EventReader(text).values(resolver, strict=strict):
            yield value
            finished += 1
    except (Unusual, DialectError):
        yield from _exact_documents(text, resolver, strict=strict, first=finished)


def _exact_documents(
    text: str, resolver: Resolver, *, strict: bool, first: int
) -> Iterator[object]:
    try:
        for number, value in enumerate(yaml_nodes.documents(text, resolver, strict=strict)):
            if number >= first:
                yield value
    except RecursionError:
        raise YAMLError(f"yaml: exceeded max depth of {MAX_DEPTH}") from None


def _wrong_type(value: object, target: str) -> YAMLError:
    return YAMLError(_DECODING + wrong_type(value, target).text)
