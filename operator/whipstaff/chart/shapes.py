"""Read parsed YAML into the shape of a Go struct, converting and refusing as Helm does.

A number or a boolean becomes text where text is wanted, names of fields match whatever their case,
null leaves a field alone, and what does not fit is an error in the words of Go's encoding/json.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from whipstaff.golang.yaml import string_of


class Scalar(Enum):
    """A Go type without parts; the value is how Go spells it."""

    TEXT = "string"
    BOOL = "bool"
    ANY = "interface {}"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A Go slice."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class MapOf:
    """A Go map with string keys."""

    value: "Shape"


@dataclass(frozen=True, slots=True)
class Struct:
    """A Go struct: the JSON names of its fields and their shapes.

    `name` has its package; a struct without a name is spelled out.
    """

    name: str
    fields: Mapping[str, "Shape"]

    @property
    def short_name(self) -> str:
        return "" if self.name.startswith("struct {") else self.name.rpartition(".")[2]


Shape = Scalar | ListOf | MapOf | Struct


class ShapeError(ValueError):
    """A value that does not fit; the text is that of Go's encoding/json."""


def read(value: object, shape: Struct) -> dict[str, object]:
    """Return the fields of `shape` that `value` sets, by JSON name; a misfit raises ShapeError."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ShapeError(
            f"json: cannot unmarshal {_json_kind(value)} into Go value of type {shape.name}"
        )
    return _read_struct(value, shape, ())


def _read_struct(
    value: Mapping[str, object], shape: Struct, path: tuple[str, ...]
) -> dict[str, object]:
    by_folded_name = {name.casefold(): name for name in shape.fields}
    found: dict[str, object] = {}
    for key in sorted(value):
        name = key if key in shape.fields else by_folded_name.get(key.casefold())
        if name is None:
            continue
        part = value[key]
        wanted = shape.fields[name]
        if part is None:
            if not isinstance(wanted, Scalar):
                found[name] = None
            continue
        found[name] = _read_part(part, wanted, shape, (*path, name))
    return found


def _read_part(value: object, shape: Shape, owner: Struct, path: tuple[str, ...]) -> object:
    match shape, value:
        case Scalar.ANY, _:
            return value
        case Scalar.TEXT, _ if not isinstance(value, (dict, list)):
            return "" if value is None else string_of(value)
        case Scalar.BOOL, bool():
            return value
        case ListOf(item), list():
            return [_read_item(one, item, owner, path) for one in value]
        case MapOf(item), dict():
            return {key: _read_item(value[key], item, owner, path) for key in sorted(value)}
        case Struct(), dict():
            return _read_struct(value, shape, path)
        case _:
            raise ShapeError(
                f"json: cannot unmarshal {_json_kind(value)} into Go struct field "
                f"{owner.short_name}.{'.'.join(path)} of type {_go_type(shape)}"
            )


def _read_item(value: object, shape: Shape, owner: Struct, path: tuple[str, ...]) -> object:
    if value is None and shape is not Scalar.TEXT:
        return None
    return _read_part(value, shape, owner, path)


def _go_type(shape: Shape) -> str:
    match shape:
        case Scalar():
            return shape.value
        case ListOf(Struct() as item):
            return f"[]*{item.name}"
        case ListOf(item):
            return f"[]{_go_type(item)}"
        case MapOf(value):
            return f"map[string]{_go_type(value)}"
        case Struct():
            return shape.name


def _json_kind(value: object) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
