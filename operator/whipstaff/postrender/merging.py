"""Strategic merge of a patch into an object, with the results of kustomize.

Tables merge key by key and a null takes a key away. Lists replace, but for those of Kubernetes' own
kinds that are known by a key of their elements: there elements with equal keys merge, in the order
of the patch, and what the patch does not name follows. `$patch: delete|replace|merge` in a table or
in a list's own element says what to do with it instead.

Beyond kustomize, the directives of kubectl work: `$setElementOrder/FIELD`,
`$deleteFromPrimitiveList/FIELD` and `$retainKeys`. Lists that the patch does not name are left
alone, even if they name an element twice.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from whipstaff.postrender.errors import InstructionError
from whipstaff.postrender.merge_keys import Shape

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_FROM = "$deleteFromPrimitiveList/"


class _Nothing(Enum):
    """Stands for a value that is not there, or that goes away."""

    NOTHING = "nothing"


NOTHING: Final = _Nothing.NOTHING

JsonObject = dict[str, Any]


def merge(live: JsonObject, patch: JsonObject, shape: Shape) -> JsonObject | None:
    """Return the object with the patch merged into it; None if the patch deletes it."""
    merged = _merge(deepcopy(live), deepcopy(patch), shape, None, "")
    return merged if isinstance(merged, dict) else None


def _merge(
    live: Any,  # noqa: ANN401 - any JSON, or NOTHING
    patch: Any,  # noqa: ANN401
    shape: Shape,
    keys: tuple[str, ...] | None,
    path: str,
) -> Any:  # noqa: ANN401
    """Merge two values; `keys` is by what elements are told apart if they are lists."""
    if patch is NOTHING:
        return live
    if patch is None:
        return NOTHING
    if live is NOTHING or live is None:
        live = _empty_of(patch)
    if isinstance(live, dict) != isinstance(patch, dict) or (
        isinstance(live, list) != isinstance(patch, list)
    ):
        raise InstructionError(f"{path or 'the object'} is {_named(live)}, not {_named(patch)}")
    if isinstance(patch, dict):
        return _merge_tables(live, patch, shape, path)
    if not isinstance(patch, list) or keys is None:
        return patch
    return _merge_lists(live, patch, shape, keys, path)


def _merge_tables(live: JsonObject, patch: JsonObject, shape: Shape, path: str) -> Any:  # noqa: ANN401
    match patch.pop(_DIRECTIVE, "merge"):
        case "delete":
            return NOTHING
        case "replace":
            live = {}
        case "merge":
            pass
        case _:
            raise InstructionError(f"{_at(path, _DIRECTIVE)} must be delete, replace or merge")
    finish = _Finish.taken_from(patch, path)
    for key, value in patch.items():
        field, keys = shape.field(key), shape.merge_keys(key)
        merged = _merge(live.get(key, NOTHING), value, field, keys, _at(path, key))
        if merged is NOTHING:
            live.pop(key, None)
        else:
            live[key] = merged
    return finish.applied(live, shape)


@dataclass(frozen=True, slots=True)
class _Finish:
    """kubectl's directives in a table of a patch, which act on what was merged."""

    orders: Mapping[str, list[Any]]
    deletions: Mapping[str, list[Any]]
    retained: list[Any] | None

    @classmethod
    def taken_from(cls, patch: JsonObject, path: str) -> "_Finish":
        """Take the directives out of a patch."""
        return cls(
            _directives(patch, _ORDER, path),
            _directives(patch, _DELETE_FROM, path),
            _directive(patch, _RETAIN, path),
        )

    def applied(self, live: JsonObject, shape: Shape) -> JsonObject:
        for key, gone in self.deletions.items():
            if isinstance(live.get(key), list):
                live[key] = [one for one in live[key] if one not in gone]
        for key, order in self.orders.items():
            if isinstance(live.get(key), list):
                live[key] = _ordered(live[key], order, shape.merge_keys(key) or ())
        if self.retained is None:
            return live
        return {key: value for key, value in live.items() if key in self.retained}


def _merge_lists(
    live: list[Any], patch: list[Any], shape: Shape, keys: tuple[str, ...], path: str
) -> Any:  # noqa: ANN401
    directive = _of_list(patch)
    if directive == "delete":
        return NOTHING
    if directive:
        patch = [one for one in patch if not (isinstance(one, dict) and _DIRECTIVE in one)]
    if directive == "replace":
        live = []
    if not keys:
        return list(dict.fromkeys((*patch, *live)))
    return _merge_elements(live, patch, shape, keys, path)


def _merge_elements(
    live: list[Any], patch: list[Any], shape: Shape, keys: tuple[str, ...], path: str
) -> list[Any]:
    known = list(live)
    first: list[Any] = []  # of the patch, in its order
    for index, element in enumerate(patch):
        place = f"{path}[{index}]"
        if not isinstance(element, dict):
            raise InstructionError(f"{place} is {_named(element)}, not a table")
        at = _find(known, element, keys)
        old = NOTHING if at is None else known[at]
        merged = _merge(old, element, shape, None, place)
        if at is not None and (merged is NOTHING or not merged or len(keys) == 1):
            del known[at]
        elif at is not None:
            known[at] = merged  # with several keys kustomize leaves an element where it was
            continue
        if merged is not NOTHING and merged:
            _put(first, merged, keys)
    return first + known


def _put(elements: list[Any], element: JsonObject, keys: tuple[str, ...]) -> None:
    """Append an element of a patch, in the place of one that the patch named before."""
    at = _find(elements, element, keys)
    if at is None:
        elements.append(element)
    else:
        elements[at] = element


def _find(elements: list[Any], element: JsonObject, keys: tuple[str, ...]) -> int | None:
    found = (i for i, one in enumerate(elements) if _same(one, element, keys))
    return next(found, None)


def _same(live: object, element: Mapping[str, Any], keys: tuple[str, ...]) -> bool:
    """Whether two elements are one: by all keys that both have, the first among them."""
    if not isinstance(live, dict):
        return False
    if _text(live.get(keys[0])) != _text(element.get(keys[0])):
        return False
    pairs = [(_text(live.get(key)), _text(element.get(key))) for key in keys[1:]]
    return all(mine == theirs or not mine or not theirs for mine, theirs in pairs)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _ordered(elements: list[Any], order: Sequence[Any], keys: tuple[str, ...]) -> list[Any]:
    """Put elements into an order; those that it does not name follow."""

    def rank(element: object) -> int:
        for index, wanted in enumerate(order):
            if element == wanted:
                return index
            if keys and isinstance(wanted, dict) and _same(element, wanted, keys):
                return index
        return len(order)

    return sorted(elements, key=rank)


def _of_list(patch: list[Any]) -> str:
    """Return what an element says that holds nothing but a directive for the whole list."""
    found = next((one for one in patch if isinstance(one, dict) and set(one) == {_DIRECTIVE}), None)
    word = str(found[_DIRECTIVE]) if found else ""
    if word not in ("", "delete", "replace", "merge"):
        raise InstructionError(f"{_DIRECTIVE} of a list must be delete, replace or merge")
    return word


def _directives(patch: JsonObject, prefix: str, path: str) -> dict[str, list[Any]]:
    """Take the directives for lists out of a patch, by the list's field."""
    found = [key for key in patch if key.startswith(prefix)]
    return {key.removeprefix(prefix): _directive(patch, key, path) or [] for key in found}


def _directive(patch: JsonObject, key: str, path: str) -> list[Any] | None:
    value = patch.pop(key, None)
    if value is not None and not isinstance(value, list):
        raise InstructionError(f"{_at(path, key)} must be a list")
    return value


def _empty_of(value: object) -> Any:  # noqa: ANN401
    match value:
        case dict():
            return {}
        case list():
            return []
        case _:
            return None


def _named(value: object) -> str:
    match value:
        case dict():
            return "a table"
        case list():
            return "a list"
        case _:
            return "a plain value"


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
