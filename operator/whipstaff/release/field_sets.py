"""Sets of fields as managedFields holds them (fieldsV1): unions, and the part of an object in one.

A member is `f:name`, an item of a list `k:{"name":"x"}` by its keys, `v:"x"` by its value or `i:0`
by its place; `.` says that the parent itself is in the set. An empty table is a whole value.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from whipstaff.release.revision import JsonObject

ITSELF = "."
# What items of a list are told apart by: kept in every part, so that equal items keep their names.
_NAMES = frozenset(
    {"name", "key", "containerPort", "port", "mountPath", "ip", "type", "topologyKey"}
)
_DEPTH_LIMIT = 100

Fields = Mapping[str, Any]


def union(left: Fields, right: Fields) -> JsonObject:
    """Merge two field sets; a path that either has is in the result."""
    merged: JsonObject = {}
    work: list[tuple[JsonObject, Fields, Fields]] = [(merged, left, right)]
    while work:
        target, one, other = work.pop()
        for key in {**one, **other}:
            in_one, in_other = one.get(key), other.get(key)
            if not in_one and not in_other:
                target[key] = {}
                continue
            child: JsonObject = {}
            # A path without children is owned itself, which has to be said once it has some.
            if in_one == {} or in_other == {}:
                child[ITSELF] = {}
            target[key] = child
            work.append((child, in_one or {}, in_other or {}))
    return merged


def part(value: Any, fields: Fields, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON
    """Return what of a value is in a set; items of lists keep what they are called by."""
    if not fields or depth > _DEPTH_LIMIT:
        return value
    if isinstance(value, dict):
        named = ((key[2:], inner) for key, inner in fields.items() if key.startswith("f:"))
        return {key: part(value[key], inner, depth + 1) for key, inner in named if key in value}
    if isinstance(value, list):
        chosen = tuple(_items(fields))
        return [
            _item(item, inner, depth)
            for at, item in enumerate(value)
            for selector, inner in chosen
            if _selects(selector, item, at)
        ]
    return value


def overlaid(value: Any, other: Any, fields: Fields, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON
    """Return a value with the values of another at the members of a set that both have."""
    if not fields:
        # An empty table or list of ours does not make what others put into it ours.
        return value if value in ({}, []) else other
    if depth > _DEPTH_LIMIT:
        return value
    if isinstance(value, dict) and isinstance(other, dict):
        return {
            key: _overlaid_member(key, inner, other, fields, depth) for key, inner in value.items()
        }
    if isinstance(value, list) and isinstance(other, list):
        chosen = [(selector, inner) for selector, inner in _items(fields) if selector[0] == "k"]
        return [_overlaid_item(item, other, chosen, depth) for item in value]
    return value


def holds(fields: Fields, path: Iterable[str]) -> bool:
    """Whether a member is in a set, by its names from the root."""
    for name in path:
        inner = fields.get(f"f:{name}")
        if inner is None:
            return False
        if not inner:
            return True
        fields = inner
    return True


def names_in(fields: Fields) -> Iterator[str]:
    """Yield the names of all members in a set, at whatever depth."""
    work = [fields]
    while work:
        for key, inner in work.pop().items():
            if key.startswith("f:"):
                yield key[2:]
            work.append(inner or {})


def _overlaid_member(
    key: str,
    value: Any,  # noqa: ANN401 - any JSON
    other: JsonObject,
    fields: Fields,
    depth: int,
) -> Any:  # noqa: ANN401 - any JSON
    inner = fields.get(f"f:{key}")
    if inner is None or key not in other:
        return value
    return overlaid(value, other[key], inner, depth + 1)


_Selector = tuple[str, Any]


def _overlaid_item(
    item: Any,  # noqa: ANN401 - any JSON
    others: Sequence[Any],
    chosen: Sequence[tuple[_Selector, Fields]],
    depth: int,
) -> Any:  # noqa: ANN401 - any JSON
    for selector, inner in chosen:
        alike = [each for each in others if _selects(selector, each, 0)]
        if len(alike) == 1 and inner and _selects(selector, item, 0):
            return overlaid(item, alike[0], inner, depth + 1)
    return item


def _items(fields: Fields) -> Iterator[tuple[_Selector, Fields]]:
    for key, inner in fields.items():
        sort, _, text = key.partition(":")
        if sort in ("k", "v", "i"):
            try:
                yield (sort, json.loads(text)), inner
            except ValueError:
                continue  # nobody's item


def _selects(selector: _Selector, item: Any, place: int) -> bool:  # noqa: ANN401 - any JSON
    match selector:
        case "k", dict() as keys:
            return isinstance(item, dict) and all(item.get(key) == keys[key] for key in keys)
        case "i", at:
            return bool(at == place)
        case "v", value:
            return bool(item == value)
        case _:
            return False


def _item(item: Any, fields: Fields, depth: int) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(item, dict) or not fields:
        return item
    names = {key: item[key] for key in _NAMES if isinstance(item.get(key), str | int)}
    return {**names, **part(item, fields, depth + 1)}
