"""Go values as Python objects: what text/template sees through reflection.

nil is None, string str, int int, float64 float, []byte bytes, []interface{} list and
map[string]interface{} dict. Everything else that Go tells apart is a subclass here.
Bytes that are no UTF-8 travel in str as lone surrogates (`surrogateescape`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        ItemsView,
        Iterable,
        Iterator,
        KeysView,
        Mapping,
        ValuesView,
    )


class GoType(Enum):
    """A parameter's or result's Go type; the value is how Go spells it."""

    ANY = "interface {}"
    VALUE = "reflect.Value"  # what text/template's own functions take: any value, even nil
    STRING = "string"
    BOOL = "bool"
    INT = "int"
    INT32 = "int32"
    INT64 = "int64"
    UINT32 = "uint32"
    FLOAT64 = "float64"
    DICT = "map[string]interface {}"
    STRING_MAP = "map[string]string"
    LIST = "[]interface {}"
    STRINGS = "[]string"
    BYTES = "[]uint8"
    TIME = "time.Time"
    LOCATION = "*time.Location"
    DURATION = "time.Duration"
    CERTIFICATE = "sprig.certificate"
    VERSION = "*semver.Version"
    WRITER = "io.Writer"


@dataclass(frozen=True, slots=True)
class GoSignature:
    """The parameters of a method, checked by the template engine before it calls.

    `refused` is what text/template says of a method that no template can call.
    """

    params: tuple[GoType, ...] = ()
    variadic: GoType | None = None
    refused: str = ""


class GoInt(int):
    """An integer of a sized Go kind; a plain `int` is Go's own `int`."""

    __slots__ = ()
    kind: ClassVar[str] = "int"
    go_type: ClassVar[str] = "int"
    bits: ClassVar[int] = 64
    signed: ClassVar[bool] = True

    @classmethod
    def wrap(cls, number: int) -> Self:
        """The value that Go's arithmetic leaves after overflow."""
        number &= (1 << cls.bits) - 1
        if cls.signed and number >> (cls.bits - 1):
            number -= 1 << cls.bits
        return cls(number)


class Int8(GoInt):
    """Go's int8."""

    __slots__ = ()
    kind = go_type = "int8"
    bits = 8


class Int16(GoInt):
    """Go's int16."""

    __slots__ = ()
    kind = go_type = "int16"
    bits = 16


class Int32(GoInt):
    """Go's int32, and so rune."""

    __slots__ = ()
    kind = go_type = "int32"
    bits = 32


class Int64(GoInt):
    """Go's int64."""

    __slots__ = ()
    kind = go_type = "int64"


class Uint(GoInt):
    """Go's uint."""

    __slots__ = ()
    kind = go_type = "uint"
    signed = False


class Uint8(GoInt):
    """Go's uint8, and so byte."""

    __slots__ = ()
    kind = go_type = "uint8"
    bits = 8
    signed = False


class Uint16(GoInt):
    """Go's uint16."""

    __slots__ = ()
    kind = go_type = "uint16"
    bits = 16
    signed = False


class Uint32(GoInt):
    """Go's uint32."""

    __slots__ = ()
    kind = go_type = "uint32"
    bits = 32
    signed = False


class Uint64(GoInt):
    """Go's uint64."""

    __slots__ = ()
    kind = go_type = "uint64"
    signed = False


class Float32(float):
    """Go's float32; the value is already rounded to it."""

    __slots__ = ()


class JSONNumber(str):
    """Go's json.Number: digits that are kept as text, of kind string."""

    __slots__ = ()


# What a missing key of a typed map reads as.
ZEROES: Mapping[str, object] = {
    "string": "",
    "bool": False,
    "int": 0,
    "int64": Int64(0),
    "float64": 0.0,
    "uint8": Uint8(0),
    "[]uint8": b"",
}


class TypedList(list[object]):
    """A slice whose elements have one static Go type, `elem`."""

    __slots__ = ("elem",)

    def __init__(self, items: Iterable[object] = (), elem: str = "string") -> None:
        super().__init__(items)
        self.elem = elem


class Strings(TypedList):
    """Go's []string."""

    __slots__ = ()

    def __init__(self, items: Iterable[object] = ()) -> None:
        super().__init__(items, "string")


class TypedMap(dict[str, object]):
    """A map[string]T with a static T, `elem`; a missing key reads as T's zero value."""

    __slots__ = ("elem",)

    def __init__(self, items: Mapping[str, object] | None = None, elem: str = "string") -> None:
        super().__init__(items or {})
        self.elem = elem

    def __missing__(self, key: str) -> object:
        return ZEROES.get(self.elem)

    def get(self, key: str, default: object = None) -> object:
        """The value of `key`, else the zero value: what a template reads."""
        return self[key]


class NamedMap(dict[str, object]):
    """A named Go type whose underlying type is map[string]interface{}."""

    __slots__ = ()
    go_type: ClassVar[str] = "map[string]interface {}"


class RenderData(NamedMap):
    """What a template's dot is at first: Helm's common.Values, as fast as a dict."""

    __slots__ = ()
    go_type = "common.Values"


class ChartValues(NamedMap):
    """Helm's common.Values seen over a plain map, `inner`, which it shares and does not copy.

    Go has one map under two types: `.Values` of a subchart is also an entry of its parent's plain
    map, and a function whose parameter is a plain map gets it as one.
    """

    __slots__ = ("inner",)
    go_type = "common.Values"

    def __init__(self, inner: Mapping[str, object] | None = None, **entries: object) -> None:
        super().__init__()
        self.inner: dict[str, object]
        if isinstance(inner, ChartValues):
            self.inner = inner.inner
        elif isinstance(inner, dict):
            self.inner = inner
        else:
            self.inner = dict(inner or {})
        self.inner.update(entries)

    def __getitem__(self, key: str) -> object:
        return self.inner[key]

    def __setitem__(self, key: str, value: object) -> None:
        self.inner[key] = value.inner if type(value) is ChartValues else value

    def __delitem__(self, key: str) -> None:
        del self.inner[key]

    def __contains__(self, key: object) -> bool:
        return key in self.inner

    def __iter__(self) -> Iterator[str]:
        return iter(self.inner)

    def __len__(self) -> int:
        return len(self.inner)

    def __bool__(self) -> bool:
        return bool(self.inner)  # a traced map tells that from a look at its size

    def __eq__(self, other: object) -> bool:
        return self.inner == (other.inner if isinstance(other, ChartValues) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]  # as every dict

    def __repr__(self) -> str:
        return f"ChartValues({self.inner!r})"

    def get(self, key: str, default: object = None) -> object:
        return self.inner.get(key, default)

    def keys(self) -> KeysView[str]:  # type: ignore[override]  # those of another dict
        return self.inner.keys()

    def values(self) -> ValuesView[object]:  # type: ignore[override]  # those of another dict
        return self.inner.values()

    def items(self) -> ItemsView[str, object]:  # type: ignore[override]  # those of another dict
        return self.inner.items()

    def pop(self, key: str, default: object = None) -> object:
        return self.inner.pop(key, default)

    def update(self, other: Mapping[str, object]) -> None:  # type: ignore[override]  # one form
        self.inner.update(other)

    def setdefault(self, key: str, default: object = None) -> object:
        return self.inner.setdefault(key, default)

    def copy(self) -> dict[str, object]:
        return self.inner.copy()


class StructFields(dict[str, object]):
    """The fields of a Go struct, written in this order where a map's keys would be sorted."""

    __slots__ = ()


class GoObject:
    """A Go value with fields and methods, reached through explicit tables alone.

    `go_type` is what %T prints. `go_kind` is "ptr" or "struct"; of a named map or slice with
    methods it is "map" or "slice", and `underlying` gives the dict or list.
    """

    __slots__ = ()
    go_type: ClassVar[str] = "struct {}"
    go_kind: ClassVar[str] = "ptr"
    # Whether the String method is the pointer's: then an action prints through it, fmt does not.
    string_of_pointer: ClassVar[bool] = False

    def fields(self) -> Mapping[str, Callable[[], object]]:
        """Field name to getter, in the order of the Go struct."""
        return {}

    def printed_fields(self) -> Mapping[str, Callable[[], object]]:
        """The fields as fmt prints them, with those that templates cannot reach."""
        return self.fields()

    def methods(self) -> Mapping[str, tuple[Callable[..., object], GoSignature]]:
        """Method name to callable and signature."""
        return {}

    def underlying(self) -> dict[str, object] | list[object] | None:
        """The plain map or slice of a named map or slice type."""
        return None

    def go_string(self) -> str | None:
        """What the String method prints, if the Go type has one."""
        return None

    def go_text(self) -> str | None:
        """What the MarshalText method gives, if the Go type has one."""
        return None

    def __bool__(self) -> bool:
        inner = self.underlying()
        return True if inner is None else bool(inner)

    def __getitem__(self, name: str) -> object:
        """The field `name`, or what the method of that name returns without arguments.

        Compiled templates read objects as they read dicts; a KeyError sends them to the slow path,
        which words the error.
        """
        method = self.methods().get(name)
        if method is not None:
            if method[1].params or method[1].refused:
                raise KeyError(name)
            try:
                return method[0]()
            except Exception as error:
                raise KeyError(name) from error  # the slow path meets it again
        getter = self.fields().get(name)
        if getter is not None:
            return getter()
        inner = self.underlying()
        if isinstance(inner, dict):
            return inner[name]
        raise KeyError(name)


class Duration(Int64, GoObject):
    """Go's time.Duration, in nanoseconds."""

    __slots__ = ()
    go_type = "time.Duration"

    def methods(self) -> Mapping[str, tuple[Callable[..., object], GoSignature]]:
        count = int(self)
        nothing, span = GoSignature(), GoSignature((GoType.DURATION,))
        return {
            "String": (self.go_string, nothing),
            "Nanoseconds": (lambda: Int64(count), nothing),
            "Microseconds": (lambda: Int64(_quotient(count, 1_000)), nothing),
            "Milliseconds": (lambda: Int64(_quotient(count, 1_000_000)), nothing),
            "Seconds": (lambda: _in_units(count, 1_000_000_000), nothing),
            "Minutes": (lambda: _in_units(count, 60_000_000_000), nothing),
            "Hours": (lambda: _in_units(count, 3_600_000_000_000), nothing),
            "Abs": (lambda: Duration(min(abs(count), (1 << 63) - 1)), nothing),
            "Truncate": (lambda unit: Duration(_truncated(count, unit)), span),
            "Round": (lambda unit: Duration(_rounded(count, unit)), span),
        }

    def go_string(self) -> str:
        """Go's own form: `1h2m3.5s`, `1.5ms`, `0s`."""
        count = abs(int(self))
        sign = "-" if self < 0 else ""
        if count == 0:
            return "0s"
        for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
            if count < size * 1_000:
                return sign + _decimal(count, size) + unit
        minutes, rest = divmod(count, 60 * 1_000_000_000)
        text = _decimal(rest, 1_000_000_000) + "s"
        if minutes:
            hours, minutes = divmod(minutes, 60)
            text = f"{minutes}m{text}"
            if hours:
                text = f"{hours}h{text}"
        return sign + text


def _decimal(count: int, size: int) -> str:
    whole, rest = divmod(count, size)
    fraction = f"{rest:0{len(str(size)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)


def _quotient(count: int, size: int) -> int:
    return abs(count) // size * (-1 if count < 0 else 1)


def _in_units(count: int, size: int) -> float:
    whole = _quotient(count, size)
    return float(whole) + float(count - whole * size) / size


def _truncated(count: int, unit: int) -> int:
    return count if unit <= 0 else _quotient(count, unit) * unit


def _rounded(count: int, unit: int) -> int:
    """Half of a unit goes away from zero; what leaves 64 bits stays at their end."""
    if unit <= 0:
        return count
    past = abs(count) % unit
    size = abs(count) - past + (unit if past * 2 >= unit else 0)
    return min(size, (1 << 63) - 1) if count >= 0 else max(-size, -(1 << 63))


KINDS: Mapping[type, str] = {
    bool: "bool",
    int: "int",
    float: "float64",
    Float32: "float32",
    complex: "complex128",
    str: "string",
    JSONNumber: "string",
    bytes: "slice",
    list: "slice",
    dict: "map",
}


def kind_of(value: object) -> str:
    """The name of Go's reflect.Kind: "map", "slice", "float64", …; "invalid" for nil."""
    if value is None:
        return "invalid"
    known = KINDS.get(type(value))
    if known is not None:
        return known
    match value:
        case GoInt():
            return value.kind
        case GoObject():
            return value.go_kind
        case dict():
            return "map"
        case list():
            return "slice"
        case str():
            return "string"
        case _:
            raise TypeError(f"{type(value).__name__} is no Go value")


TYPE_NAMES: Mapping[type, str] = {
    bool: "bool",
    int: "int",
    float: "float64",
    Float32: "float32",
    complex: "complex128",
    str: "string",
    JSONNumber: "json.Number",
    bytes: "[]uint8",
    list: "[]interface {}",
    dict: "map[string]interface {}",
}


def type_name(value: object) -> str:
    """What %T prints; "<nil>" for nil."""
    if value is None:
        return "<nil>"
    known = TYPE_NAMES.get(type(value))
    if known is not None:
        return known
    match value:
        case GoInt() | GoObject() | NamedMap():
            return value.go_type
        case TypedList():
            return f"[]{value.elem}"
        case TypedMap():
            return f"map[string]{value.elem}"
        case dict():
            return "map[string]interface {}"
        case list():
            return "[]interface {}"
        case str():
            return "string"
        case _:
            raise TypeError(f"{type(value).__name__} is no Go value")


def truth(value: object) -> bool:
    """What `if` makes of a value; Python's own truth agrees for every Go value."""
    return bool(value)


def go_bytes(text: str) -> bytes:
    """The bytes of a Go string."""
    return text.encode("utf-8", "surrogateescape")


def go_text(data: bytes) -> str:
    """The Go string of these bytes."""
    return data.decode("utf-8", "surrogateescape")


def sorted_keys(mapping: Mapping[str, object]) -> list[str]:
    """The keys in Go's order, by bytes."""
    keys = sorted(mapping)
    for key in keys:
        if not key.isascii():
            # Lone surrogates stand for bytes, which sort elsewhere than their code points.
            return sorted(keys, key=go_bytes)
    return keys
