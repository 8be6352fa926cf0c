"""Fields that the API server does not know, taken out of what is sent by the names it gives.

Server-side apply refuses them whatever `fieldValidation` says, so leaving them out is up to us.
"""

import copy
import re
from collections.abc import Iterator

from whipstaff.release.revision import JsonObject

_UNDECLARED = re.compile(r"(\S+): field not declared in schema")
# A path as structured-merge-diff prints it: .field, [3], [name="web",port=80].
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[((?:[^\"\]]|\"[^\"]*\")+)\]")
_KEY = re.compile(r'([^,=]+)=("[^"]*"|[^,]*)')


def without_undeclared(body: JsonObject, refusal: str) -> JsonObject | None:
    """Copy an object without the fields that a refusal names; None if it has none of them."""
    pruned = copy.deepcopy(body)
    found = [_remove(pruned, list(_steps(path))) for path in _UNDECLARED.findall(refusal)]
    return pruned if any(found) else None


def _steps(path: str) -> Iterator[str | int | dict[str, str]]:
    for step in _STEP.finditer(path):
        field, index, keys = step.groups()
        if field is not None:
            yield field
        elif index is not None:
            yield int(index)
        else:
            yield {name: value.strip('"') for name, value in _KEY.findall(keys)}


def _remove(node: object, path: list[str | int | dict[str, str]]) -> bool:
    """Take what a path leads to out of an object; False if it leads nowhere."""
    for step in path[:-1]:
        node = _inside(node, step)
    last = path[-1] if path else None
    if isinstance(node, dict) and isinstance(last, str) and last in node:
        del node[last]
        return True
    return False


def _inside(node: object, step: str | int | dict[str, str]) -> object:
    match step:
        case str() if isinstance(node, dict):
            return node.get(step)
        case int() if isinstance(node, list) and step < len(node):
            return node[step]
        case dict() if isinstance(node, list):
            return next((item for item in node if _has(item, step)), None)
        case _:
            return None


def _has(item: object, keys: dict[str, str]) -> bool:
    if not isinstance(item, dict):
        return False
    # A key that is not written down has its default, which only the API server knows.
    return all(str(item[name]) == value for name, value in keys.items() if name in item)
