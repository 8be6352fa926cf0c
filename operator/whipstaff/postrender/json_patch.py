"""JSON patches (RFC 6902), as kustomize's library understands them."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from whipstaff.golang.deep_equal import deep_equal
from whipstaff.postrender.errors import InstructionError

COPIED_LIMIT = 100_000  # members of tables and lists in one patch

_WITH_VALUE = frozenset({"add", "replace", "test"})  # which is null where it is left out
_FROM = frozenset({"move", "copy"})
_KNOWN = _WITH_VALUE | _FROM | {"remove"}


def check(operations: object) -> list[dict[str, Any]]:
    """Return the operations of a patch if it is one."""
    if not isinstance(operations, list) or not operations:
        raise InstructionError("a JSON patch must be a list of operations")
    for number, one in enumerate(operations):
        if not isinstance(one, dict):
            raise InstructionError(f"operation {number} is no table")
        name = one.get("op")
        if name not in _KNOWN:
            raise InstructionError(
                f"operation {number}: op must be add, remove, replace, move, copy or test"
            )
        for key in ("path", "from") if name in _FROM else ("path",):
            if key not in one:
                raise InstructionError(f"operation {number} ({name}) has no {key}")
            if not isinstance(one[key], str):
                raise InstructionError(f"operation {number} ({name}): {key} must be a text")
    return operations


def apply(body: dict[str, Any], operations: Sequence[dict[str, Any]]) -> Any:  # noqa: ANN401 - any JSON
    """Return the object after all operations; InstructionError names the one that fails."""
    document: Any = deepcopy(body)
    copied = 0
    for number, one in enumerate(operations):
        try:
            if one["op"] == "copy":
                copied = _with_copy(copied, _find(document, one["from"]))
            document = _apply(document, one)
        except InstructionError as error:
            raise InstructionError(f"operation {number} ({one['op']}): {error}") from error
    return document


def _with_copy(copied: int, value: Any) -> int:  # noqa: ANN401
    """Count what is copied, which could double the object again and again."""
    total = copied + _members(value, COPIED_LIMIT)
    if total > COPIED_LIMIT:
        raise InstructionError(f"more than {COPIED_LIMIT} members are copied")
    return total


def _members(value: Any, limit: int) -> int:  # noqa: ANN401
    """Count a value with all that is in it, no further than a limit."""
    found = [value]
    for one in found:
        if len(found) > limit:
            break
        if isinstance(one, dict | list):
            found += one.values() if isinstance(one, dict) else one
    return len(found)


def _apply(document: Any, operation: dict[str, Any]) -> Any:  # noqa: ANN401
    path = operation["path"]
    match operation["op"]:
        case "add":
            return _add(document, path, deepcopy(operation.get("value")))
        case "remove":
            _remove(document, path)
        case "replace":
            return _replace(document, path, deepcopy(operation.get("value")))
        case "move":
            value = _find(document, operation["from"])
            _remove(document, operation["from"])
            return _add(document, path, value)
        case "copy":
            return _add(document, path, deepcopy(_find(document, operation["from"])))
        case _:
            _test(document, path, operation.get("value"))
    return document


def _test(document: Any, path: str, wanted: object) -> None:  # noqa: ANN401
    try:
        found = _find(document, path)
    except InstructionError:
        if wanted is None:  # what is not there is null, to kustomize's library
            return
        raise
    if not deep_equal(found, wanted):
        raise InstructionError(f"{path} has another value")


def _add(document: Any, path: str, value: Any) -> Any:  # noqa: ANN401
    if not path:
        return value
    parent, key = _parent(document, path)
    if isinstance(parent, list):
        index = len(parent) if key == "-" else _index(key, len(parent) + 1, path)
        parent.insert(index, value)
    else:
        parent[key] = value
    return document


def _replace(document: Any, path: str, value: Any) -> Any:  # noqa: ANN401
    if not path:
        return value
    parent, key = _parent(document, path)
    if isinstance(parent, list):
        parent[_index(key, len(parent), path)] = value
    else:
        parent[key] = value  # as in kustomize's library, even if there was none
    return document


def _remove(document: Any, path: str) -> None:  # noqa: ANN401
    if not path:
        raise InstructionError("the whole object cannot be removed")
    parent, key = _parent(document, path)
    if isinstance(parent, list):
        del parent[_index(key, len(parent), path)]
    elif key in parent:
        del parent[key]
    else:
        raise InstructionError(f"{path} does not exist")


def _find(document: Any, path: str) -> Any:  # noqa: ANN401
    if not path:
        return document
    parent, key = _parent(document, path)
    if isinstance(parent, list):
        return parent[_index(key, len(parent), path)]
    if key not in parent:
        raise InstructionError(f"{path} does not exist")
    return parent[key]


def _parent(document: Any, path: str) -> tuple[Any, str]:  # noqa: ANN401
    """Descend to the table or list that holds the last word of a path."""
    if not path.startswith("/"):
        raise InstructionError(f"{path} does not begin with a slash")
    *words, last = [word.replace("~1", "/").replace("~0", "~") for word in path[1:].split("/")]
    place = document
    for word in words:
        if isinstance(place, list):
            place = place[_index(word, len(place), path)]
        elif isinstance(place, dict) and word in place:
            place = place[word]
        else:
            raise InstructionError(f"{path} does not exist: there is no {word}")
    if not isinstance(place, dict | list):
        raise InstructionError(f"{path} does not exist")
    return place, last


def _index(word: str, length: int, path: str) -> int:
    try:
        index = int(word)
    except ValueError:
        raise InstructionError(f"{path}: {word} is no index of a list") from None
    # As in kustomize's library, -1 is the last element.
    if index < 0:
        index += length
    if not 0 <= index < length:
        raise InstructionError(f"{path}: the list has no element {word}")
    return index
