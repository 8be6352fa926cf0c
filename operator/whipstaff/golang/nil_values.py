"""Nil slices and maps: empty to templates, `null` in JSON and YAML, unequal to empty ones."""

from typing import ClassVar, Literal

from whipstaff.golang.values import GoObject, Strings, TypedMap


class NilList(list[object], GoObject):  # type: ignore[misc]  # list's own __getitem__ is the one to use
    """A nil []interface{}, such as `rest` of an empty list."""

    __slots__ = ()
    go_type: ClassVar[str] = "[]interface {}"
    go_kind: ClassVar[str] = "slice"

    def __bool__(self) -> Literal[False]:
        return False

    def underlying(self) -> list[object]:
        return []

    def go_json(self) -> None:
        """encoding/json writes null."""


class NilStrings(Strings, GoObject):  # type: ignore[misc]  # as above
    """A nil []string, such as `regexFindAll` without a match."""

    __slots__ = ()
    go_type: ClassVar[str] = "[]string"
    go_kind: ClassVar[str] = "slice"

    def __bool__(self) -> Literal[False]:
        return False

    def underlying(self) -> list[object]:
        return []

    def go_json(self) -> None:
        """encoding/json writes null."""


class NilMap(dict[str, object], GoObject):
    """A nil map[string]interface{}, what a function gets that is given nil for a map."""

    __slots__ = ()
    go_type: ClassVar[str] = "map[string]interface {}"
    go_kind: ClassVar[str] = "map"

    def __bool__(self) -> Literal[False]:
        return False

    def underlying(self) -> dict[str, object]:
        return {}

    def go_json(self) -> None:
        """encoding/json writes null."""


class NilTypedMap(TypedMap, GoObject):
    """A nil map[string]string, such as the annotations of a chart without any."""

    __slots__ = ()
    go_type: ClassVar[str] = "map[string]string"
    go_kind: ClassVar[str] = "map"

    def __bool__(self) -> Literal[False]:
        return False

    def underlying(self) -> dict[str, object]:
        return self

    def go_json(self) -> None:
        """encoding/json writes null."""


def is_nil_slice(value: object) -> bool:
    """Whether this is one of them."""
    return isinstance(value, NilList | NilStrings)


def is_nil(value: object) -> bool:
    """Whether this is a nil slice or a nil map."""
    return isinstance(value, NilList | NilStrings | NilMap | NilTypedMap)
