"""Nil slices: empty lists to templates, `null` in JSON and YAML, unequal to empty slices."""

from typing import ClassVar, Literal

from whipstaff.golang.values import GoObject, Strings


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


def is_nil_slice(value: object) -> bool:
    """Whether this is one of them."""
    return isinstance(value, NilList | NilStrings)
