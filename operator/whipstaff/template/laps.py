"""Where a loop is: for what is kept of a render, by the place of the call that made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from whipstaff.golang.values import sorted_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


class Lap(list[T]):
    """What a loop goes through; `where` is the key of the element that it is at, while `on`.

    An element of a list is known by itself, or by its `name`, so that it stays the same when others
    come before it; only where it has neither it is known by its number.
    """

    __slots__ = ("_keys", "on", "where")

    def __init__(self, items: Sequence[T], value: object) -> None:
        super().__init__(items)
        self.on = False
        self.where: object = None
        keys = sorted_keys(value) if isinstance(value, dict) else None
        self._keys: list[object] = list(keys) if keys else _keys(value, len(self))

    def __iter__(self) -> Iterator[T]:
        self.on = True
        try:
            for key, item in zip(self._keys, super().__iter__(), strict=True):
                self.where = key
                yield item
        finally:
            self.on = False


class Counting(Sequence[object]):
    """What a loop over a number goes through: numbers of the same type, made one by one."""

    __slots__ = ("_count", "_kind")

    def __init__(self, end: int) -> None:
        self._kind = type(end)
        self._count = max(end, 0)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - slices are nobody's business here
        if index < self._count:
            return self._kind(index)
        raise IndexError(index)


def _keys(value: object, count: int) -> list[object]:
    if not isinstance(value, list):
        return list(range(count))
    return [_key(item, number) for number, item in enumerate(value)]


def _key(item: object, number: int) -> object:
    if isinstance(item, str | int | float):
        return item
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else number
