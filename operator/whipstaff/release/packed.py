"""Long texts and many objects of a release, held compressed.

A chart decides how large they are, and a table takes twenty times the memory of its text. So the
objects are unpacked a few at a time, when someone goes through them.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from whipstaff.release.revision import JsonObject

_LEVEL = 6


class PackedText:
    """A text; `str` unpacks it."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    @classmethod
    def of(cls, text: str) -> "PackedText":
        return cls(zlib.compress(text.encode("utf-8", "surrogatepass"), _LEVEL))

    def __str__(self) -> str:
        return zlib.decompress(self.data).decode("utf-8", "surrogatepass")


class PackedObjects(Sequence[JsonObject]):
    """JSON objects, each made anew when it is asked for."""

    __slots__ = ("_batches", "_counts")

    def __init__(self, batches: Iterable[tuple[int, bytes]]) -> None:
        """`batches` are how many objects there are in each, and what `pack` made of them."""
        packed = tuple(batches)
        self._counts = tuple(count for count, _ in packed)
        self._batches = tuple(data for _, data in packed)

    @staticmethod
    def pack(texts: Sequence[str]) -> bytes:
        """Return the batch of these objects, each as JSON."""
        return zlib.compress(f"[{','.join(texts)}]".encode("ascii"), _LEVEL)

    def __len__(self) -> int:
        return sum(self._counts)

    def __iter__(self) -> Iterator[JsonObject]:
        for batch in self._batches:
            yield from _unpacked(batch)

    @overload
    def __getitem__(self, index: int) -> JsonObject: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[JsonObject]: ...
    def __getitem__(self, index: int | slice) -> JsonObject | Sequence[JsonObject]:
        if isinstance(index, slice):
            return tuple(self)[index]
        place = range(len(self))[index]
        for count, batch in zip(self._counts, self._batches, strict=True):
            if place < count:
                return _unpacked(batch)[place]
            place -= count
        raise IndexError(index)


def _unpacked(batch: bytes) -> list[JsonObject]:
    found: list[JsonObject] = json.loads(zlib.decompress(batch))
    return found
