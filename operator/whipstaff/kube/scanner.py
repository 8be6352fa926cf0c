"""Reads the outline of JSON without recursion, for text that the JSON module gives up on.

One object nested a thousand deep makes a whole LIST unreadable. So a page that cannot be decoded
is cut into its items here, each is decoded alone, and a bad one costs only itself. What nests too
deep to be decoded is decoded without its depths: its owner can be told, and it can be deleted.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from whipstaff.release.revision import JsonObject

SHALLOW = 100  # levels; more than any limit of ours lets pass
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_SCALAR = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,\]}]+')
_FILLER = re.compile(r"[\s,:]*")


class Unreadable(ValueError):
    """The text is no JSON."""


@dataclass(frozen=True, slots=True)
class Poison:
    """An object that cannot be decoded, and what of its metadata could be read."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    text: str  # what is wrong with it; no data


def decode(text: str | bytes) -> object:
    """Decode JSON; Unreadable whatever is wrong with it.

    Where it nests too deep for Python, whatever is more than `SHALLOW` levels deep reads as null.
    """
    try:
        return _loads(text)
    except RecursionError:
        return _loads(_cut(text if isinstance(text, str) else text.decode("utf-8", "replace")))


def _loads(text: str | bytes) -> object:
    try:
        decoded: object = json.loads(text)
    except ValueError as error:
        raise Unreadable("no JSON") from error
    return decoded


def _cut(text: str) -> str:
    """Put null for everything that stands deeper than `SHALLOW`."""
    parts: list[str] = []
    depth = start = 0
    for token in _TOKEN.finditer(text):
        match token.group()[0]:
            case "{" | "[":
                depth += 1
                if depth == SHALLOW + 1:
                    parts += text[start : token.start()], "null"
            case "}" | "]":
                if depth == SHALLOW + 1:
                    start = token.end()
                depth -= 1
            case _:
                pass
    if depth > SHALLOW:
        raise Unreadable("no JSON")
    return "".join((*parts, text[start:]))


def decode_list(text: str) -> tuple[JsonObject, list[JsonObject | Poison]]:
    """Return the metadata of a list and its items; Unreadable if not even its outline can be read.

    `text` is a list as the API server answers it: an object with `metadata` and `items`.
    """
    outline = dict(_members(text, 0))
    if "items" not in outline:
        raise Unreadable("a list without items")
    start, _ = outline["items"]
    metadata = _object_at(text, outline.get("metadata"))
    return metadata, [_item(text, *span) for span in _elements(text, start)]


def quarantine_event(text: str, reason: str) -> tuple[str, Poison] | None:
    """Return type and object of a watch event that cannot be decoded, None if it names none."""
    try:
        outline = dict(_members(text, 0))
        found = _poison(text, outline["object"][0], reason)
        start, end = outline["type"]
    except (Unreadable, KeyError):
        return None
    return (text[start + 1 : end - 1], found) if found else None


def _item(text: str, start: int, end: int) -> JsonObject | Poison:
    try:
        item = decode(text[start:end])
    except Unreadable as error:
        return _poison(text, start, str(error)) or Poison("", "", "", "", str(error))
    if not isinstance(item, dict):
        return Poison("", "", "", "", "no object")
    return item


def _poison(text: str, start: int, reason: str) -> Poison | None:
    metadata = dict(_members(text, start)).get("metadata")
    if metadata is None:
        return None
    facts = {
        key: text[value_start + 1 : value_end - 1]
        for key, (value_start, value_end) in _members(text, metadata[0])
        if text[value_start] == '"'
    }
    if not facts.get("name"):
        return None
    return Poison(
        facts.get("namespace", ""),
        facts["name"],
        facts.get("uid", ""),
        facts.get("resourceVersion", ""),
        reason,
    )


def _object_at(text: str, span: tuple[int, int] | None) -> JsonObject:
    found = decode(text[span[0] : span[1]]) if span else {}
    return found if isinstance(found, dict) else {}


def _members(text: str, start: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each key of the object that starts at `start`, and where its value stands."""
    place = _open(text, start, "{")
    while text[place : place + 1] != "}":
        key = _SCALAR.match(text, place)
        if key is None or text[place] != '"':
            raise Unreadable("no JSON")
        value_start = _skip_filler(text, key.end())
        value_end = _value_end(text, value_start)
        yield text[place + 1 : key.end() - 1], (value_start, value_end)
        place = _skip_filler(text, value_end)


def _elements(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Yield where each element of the array that starts at `start` stands."""
    if text.startswith("null", start):
        return
    place = _open(text, start, "[")
    while text[place : place + 1] != "]":
        end = _value_end(text, place)
        yield place, end
        place = _skip_filler(text, end)


def _open(text: str, start: int, bracket: str) -> int:
    place = _skip_filler(text, start)
    if text[place : place + 1] != bracket:
        raise Unreadable("no JSON")
    return _skip_filler(text, place + 1)


def _skip_filler(text: str, start: int) -> int:
    found = _FILLER.match(text, start)
    return found.end() if found else start


def _value_end(text: str, start: int) -> int:
    if text[start : start + 1] not in ("{", "["):
        scalar = _SCALAR.match(text, start)
        if scalar is None:
            raise Unreadable("no JSON")
        return scalar.end()
    depth = 0
    for token in _TOKEN.finditer(text, start):
        match token.group()[0]:
            case "{" | "[":
                depth += 1
            case "}" | "]":
                depth -= 1
                if depth == 0:
                    return token.end()
            case _:
                pass
    raise Unreadable("no JSON")
