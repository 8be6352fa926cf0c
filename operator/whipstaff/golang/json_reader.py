"""Read JSON as Go's encoding/json does: numbers are float64, refusals in Go's words."""

import json
import math
import re
from typing import Final, NoReturn

from whipstaff.golang.json_syntax import syntax_error
from whipstaff.golang.json_values import JSONError

_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE: Final = "\\ud"


class PartialJSONError(JSONError):
    """A refusal of some of the values; `value` is the rest, with nil in their places."""

    def __init__(self, text: str, value: object) -> None:
        super().__init__(text)
        self.value = value


def load(text: str) -> object:
    """Read a text that is one JSON value; raise `JSONError` otherwise."""
    value, too_large = _read(text)
    if too_large:
        raise PartialJSONError(_too_large(too_large[0]), value)
    return value


def load_map(text: str) -> dict[str, object] | None:
    """Read a text into a map; a JSON null gives None, Go's nil map."""
    value, too_large = _read(text)
    if isinstance(value, dict):
        if too_large:
            raise PartialJSONError(_too_large(too_large[0]), value)
        return value
    if value is None and not too_large:
        return None
    raise wrong_type(value, "map[string]interface {}")


def load_list(text: str) -> list[object] | None:
    """Read a text into a list; a JSON null gives None, Go's nil slice."""
    value, too_large = _read(text)
    if isinstance(value, list):
        if too_large:
            raise PartialJSONError(_too_large(too_large[0]), value)
        return value
    if value is None and not too_large:
        return None
    raise wrong_type(value, "[]interface {}")


def wrong_type(value: object, target: str) -> JSONError:
    """Name the refusal to put a value into a Go variable of another type."""
    match value:
        case dict():
            kind = "object"
        case list():
            kind = "array"
        case bool():
            kind = "bool"
        case str():
            kind = "string"
        case _:
            kind = "number"
    return JSONError(f"json: cannot unmarshal {kind} into Go value of type {target}")


def _read(text: str) -> tuple[object, list[str]]:
    """Give the value and the numbers in it that float64 cannot hold, which are None in it."""
    too_large: list[str] = []

    def number(digits: str) -> float | None:
        value = float(digits)
        if math.isfinite(value):
            return value
        too_large.append(digits)
        return None

    decoder = json.JSONDecoder(parse_float=number, parse_int=number, parse_constant=_refuse)
    try:
        value = decoder.decode(text)
    except RecursionError:
        raise JSONError("exceeded max depth") from None
    except ValueError as error:
        raise JSONError(syntax_error(text)) from error
    if _SURROGATE_ESCAPE in text.lower() or (not text.isascii() and _SURROGATE.search(text)):
        value = _repaired(value)
    return value, too_large


def _too_large(digits: str) -> str:
    return f"json: cannot unmarshal number {digits} into Go value of type float64"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _repaired(value: object) -> object:
    """Put replacement characters where strings hold what is no Unicode."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_SURROGATE.sub("\ufffd", key): _repaired(held) for key, held in value.items()}
    return [_repaired(item) for item in value] if isinstance(value, list) else value
