"""TOML as Helm reads and writes it: BurntSushi's library, on maps, lists and scalars."""

import tomllib
from typing import cast

from whipstaff.golang.toml_writer import TOMLError, dump
from whipstaff.golang.values import Int64, TypedList

__all__ = ["TOMLError", "dump", "load"]


def load(text: str) -> dict[str, object]:
    """Read a document; integers are int64, lists of tables keep their Go type."""
    try:
        return cast("dict[str, object]", _in_go(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise TOMLError(f"toml: {error}") from error


def _in_go(value: object) -> object:
    if isinstance(value, dict):
        return {key: _in_go(held) for key, held in value.items()}
    if isinstance(value, list):
        items = [_in_go(item) for item in value]
        return items
    if isinstance(value, int) and not isinstance(value, bool):
        return Int64(value)
    return value
