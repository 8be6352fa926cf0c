"""sprig's functions on maps. `set`, `unset` and the merges change the map they are given.

Go walks maps in random order; where that would show (`keys`, `values`), the order here is that of
the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping

from whipstaff.golang import mergo
from whipstaff.golang.nil_values import NilMap, is_nil
from whipstaff.golang.values import (
    ChartValues,
    Strings,
    TypedList,
    TypedMap,
    sorted_keys,
    type_name,
)
from whipstaff.template.errors import FunctionError
from whipstaff.template.functions.registry import Function, GoType, function
from whipstaff.template.functions.semver import VersionValue
from whipstaff.template.functions.text import to_text

FAMILY: dict[str, Function] = {}

GoMap = dict[str, object]
Merge = Callable[[MutableMapping[str, object], Mapping[str, object]], None]

NIL_MAP = "assignment to entry in nil map"
_MAP_TYPE = "map[string]interface {}"


@function("dict", variadic=GoType.ANY)
def make_dict(*items: object) -> GoMap:
    """A map of keys and values in turn; a last key without a value gets ""."""
    keys = [key if type(key) is str else to_text(key) for key in items[::2]]
    values = list(items[1::2])
    if len(values) < len(keys):
        values.append("")
    return dict(zip(keys, values, strict=True))


@function("get", GoType.DICT, GoType.STRING)
def get(mapping: GoMap | None, key: str) -> object:
    """The value of `key`, "" if there is none."""
    return mapping[key] if mapping and key in mapping else ""


@function("set", GoType.DICT, GoType.STRING, GoType.ANY)
def put(mapping: GoMap | None, key: str, value: object) -> GoMap:
    """Set a key, and return the map itself."""
    if mapping is None or isinstance(mapping, NilMap):
        raise FunctionError(NIL_MAP)
    mapping[key] = value
    return mapping


@function("unset", GoType.DICT, GoType.STRING)
def unset(mapping: GoMap | None, key: str) -> GoMap | None:
    """Remove a key, and return the map itself."""
    if mapping:
        mapping.pop(key, None)
    return mapping


@function("hasKey", GoType.DICT, GoType.STRING)
def has_key(mapping: GoMap | None, key: str) -> bool:
    """Whether the map has the key, whatever its value."""
    return mapping is not None and key in mapping


@function("pluck", GoType.STRING, variadic=GoType.DICT)
def pluck(key: str, *mappings: GoMap | None) -> list[object]:
    """What each map that has the key holds under it."""
    return [mapping[key] for mapping in mappings if mapping and key in mapping]


@function("keys", variadic=GoType.DICT)
def keys(*mappings: GoMap | None) -> Strings:
    """The keys of all maps, one map after the other."""
    return Strings([key for mapping in mappings for key in sorted_keys(mapping or {})])


@function("values", GoType.DICT)
def values(mapping: GoMap | None) -> list[object]:
    """The values in the order of their keys."""
    return [mapping[key] for key in sorted_keys(mapping)] if mapping else []


@function("pick", GoType.DICT, variadic=GoType.STRING)
def pick(mapping: GoMap | None, *names: str) -> GoMap:
    """A map of these keys alone."""
    return {name: mapping[name] for name in names if name in mapping} if mapping else {}


@function("omit", GoType.DICT, variadic=GoType.STRING)
def omit(mapping: GoMap | None, *names: str) -> GoMap:
    """A map without these keys."""
    return {key: value for key, value in (mapping or {}).items() if key not in names}


@function("merge", GoType.DICT, variadic=GoType.DICT)
def merge(target: GoMap | None, *sources: GoMap | None) -> object:
    """`target` filled up from each source; "" where mergo refuses."""
    return _merged_or_blank(mergo.merge, target, sources)


@function("mergeOverwrite", GoType.DICT, variadic=GoType.DICT)
def merge_overwrite(target: GoMap | None, *sources: GoMap | None) -> object:
    """`target` overwritten by each source; "" where mergo refuses."""
    return _merged_or_blank(mergo.merge_overwrite, target, sources)


@function("mustMerge", GoType.DICT, variadic=GoType.DICT)
def must_merge(target: GoMap | None, *sources: GoMap | None) -> object:
    """`target` filled up from each source."""
    return _merged(mergo.merge, target, sources)


@function("mustMergeOverwrite", GoType.DICT, variadic=GoType.DICT)
def must_merge_overwrite(target: GoMap | None, *sources: GoMap | None) -> object:
    """`target` overwritten by each source."""
    return _merged(mergo.merge_overwrite, target, sources)


class Panic(FunctionError):
    """What `merge` does not swallow, unlike an error."""


def _merged_or_blank(how: Merge, target: GoMap | None, sources: tuple[GoMap | None, ...]) -> object:
    try:
        return _merged(how, target, sources)
    except Panic:
        raise
    except FunctionError:
        return ""


def _merged(how: Merge, target: GoMap | None, sources: tuple[GoMap | None, ...]) -> GoMap:
    # A nil map has no place to merge into, so mergo makes one.
    merged: GoMap = {} if target is None or (isinstance(target, NilMap) and sources) else target
    for source in sources:
        try:
            how(merged, source or {})
        except mergo.MergeError as error:
            raise FunctionError(str(error)) from error
        except mergo.MergePanic as panic:
            raise Panic(str(panic)) from panic
    return merged


@function("deepCopy", GoType.ANY)
def deep_copy(value: object) -> object:
    """The value with maps and lists of its own."""
    if value is None:
        raise FunctionError("reflect: call of reflect.Value.Type on zero Value")
    return _copy(value)


@function("mustDeepCopy", GoType.ANY)
def must_deep_copy(value: object) -> object:
    """The value with maps and lists of its own."""
    return deep_copy(value)


def _copy(value: object) -> object:  # noqa: PLR0911  one for each type
    match value:
        case _ if is_nil(value):
            return value
        case TypedMap():
            return TypedMap({key: _copy(member) for key, member in value.items()}, value.elem)
        case ChartValues():
            return ChartValues({key: _copy(member) for key, member in value.items()})
        case dict():
            return {key: _copy(member) for key, member in value.items()}
        case Strings():
            return Strings(value)
        case TypedList():
            return TypedList([_copy(member) for member in value], value.elem)
        case list():
            return [_copy(member) for member in value]
        case VersionValue():
            return value.blank()
        case _:
            return value  # texts, numbers and objects do not change


@function("dig", variadic=GoType.ANY)
def dig(*arguments: object) -> object:
    """Follow the keys into the map that comes last; what comes before it is the default."""
    if len(arguments) < 3:  # noqa: PLR2004  as Go has it
        raise FunctionError("dig needs at least three arguments")
    *path, fallback, start = arguments
    found: object = _asserted_map(start)
    names = [_asserted_string(name) for name in path]
    for name in names:
        mapping = _asserted_map(found)
        if name not in mapping:
            return fallback
        found = mapping[name]
    return found


def _asserted_map(value: object) -> Mapping[str, object]:
    if isinstance(value, dict) and type_name(value) == _MAP_TYPE:
        return value
    raise FunctionError(_assertion(value, _MAP_TYPE))


def _asserted_string(value: object) -> str:
    if type(value) is str:
        return value
    raise FunctionError(_assertion(value, "string"))


def _assertion(value: object, wanted: str) -> str:
    found = "nil" if value is None else type_name(value)
    return f"interface conversion: interface {{}} is {found}, not {wanted}"
