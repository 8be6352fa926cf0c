"""The methods that Helm's common.Values has besides its keys: `.Values.AsMap` and the like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from whipstaff.golang import yaml
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import ChartValues, GoSignature, GoType, NamedMap
from whipstaff.template.errors import FunctionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _as_map(values: NamedMap) -> dict[str, object]:
    return values.inner if isinstance(values, ChartValues) else dict(values)


def _table(values: NamedMap, path: str) -> ChartValues:
    found: Mapping[str, object] = values
    for name in path.split("."):
        inner = found.get(name)
        if not isinstance(inner, dict):
            raise FunctionError(f"{quote(name)} is not a table")
        found = inner
    return ChartValues(found)


def _path_value(values: NamedMap, path: str) -> object:
    if not path:
        raise FunctionError("YAML path cannot be empty")
    above, _, name = path.rpartition(".")
    missing = FunctionError(f"{quote(name)} is not a value")
    try:
        table = _table(values, above) if "." in path else values
    except FunctionError:
        raise missing from None
    if name not in table or isinstance(table[name], dict):
        raise missing
    return table[name]


def _yaml(values: NamedMap) -> str:
    try:
        return yaml.dump(_as_map(values))
    except yaml.YAMLError as error:
        raise FunctionError(error.text) from error


def _encode(_: NamedMap, __: object) -> None:
    # No template has a writer, only nil.
    raise FunctionError("runtime error: invalid memory address or nil pointer dereference")


METHODS: Final[Mapping[str, tuple[Callable[..., object], GoSignature]]] = {
    "AsMap": (_as_map, GoSignature()),
    "Encode": (_encode, GoSignature((GoType.WRITER,))),
    "PathValue": (_path_value, GoSignature((GoType.STRING,))),
    "Table": (_table, GoSignature((GoType.STRING,))),
    "YAML": (_yaml, GoSignature()),
}
