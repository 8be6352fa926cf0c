"""Results as they travel: what is long goes ahead in parts of its own, and packed.

A chart or a stored release decides how large a result is, and in the pool a table takes twenty
times its text. Objects and the manifest stay packed there. All else is unpacked as it arrives, and
therefore bounded.
"""

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from whipstaff.errors import RenderLimit, StorageTooLarge
from whipstaff.release import codec
from whipstaff.release.packed import PackedObjects, PackedText
from whipstaff.workers.protocol import BrokenFrameError, FrameKind, JsonObject, pack

OBJECT_BYTES_LIMIT = 3 << 20  # the API server reads no larger request
OBJECT_TABLES_LIMIT = 30_000  # and lists, in one object; large definitions have some thousands
PACKED_FROM_BYTES = 1 << 20  # objects and manifests that are longer stay packed
PART_WEIGHT_LIMIT = 4 << 20  # of what is unpacked as it arrives
RESULT_WEIGHT_LIMIT = 8 << 20  # of all such parts of one result
_TABLE_BYTES = 200  # that a table or list takes in memory beyond its text
_BATCH_WEIGHT = 512 << 10
_PIECE_CHARACTERS = 256 << 10
_APART_FROM_BYTES = 64 << 10  # what is shorter travels with the rest

_LEVEL = 6
_OBJECTS = ("objects", "crds")


class _Form(StrEnum):
    """What a part is in the pool."""

    TEXT = "text"
    OBJECTS = "objects"
    JSON = "json"  # unpacked; its count is of what is still to come


def frames(result: JsonObject, *, recycle: bool) -> list[bytes]:
    """Return the frames of a result: its parts, and then the rest.

    BrokenFrameError, RenderLimit or StorageTooLarge for what nobody could hold, apply or store.
    """
    rest = dict(result)
    found: list[bytes] = []
    for key in _OBJECTS:
        found += _objects(key, rest)
    if len(rest.get("manifest") or "") > PACKED_FROM_BYTES:
        found.append(_part("manifest", _Form.TEXT, _stored(rest.pop("manifest")).data))
    if "chart" in rest:
        rest["chart"] = _chart(rest["chart"])
    found += _unpacked_there(rest)
    return [*found, pack({FrameKind.RESULT: rest, "recycle": recycle})]


def _objects(key: str, rest: JsonObject) -> Iterator[bytes]:
    """Take objects out of the rest if they are many or large."""
    texts = [_object_text(body) for body in rest.get(key) or ()]
    weights = [_quick_weight(text) for text in texts]
    if sum(weights) <= PACKED_FROM_BYTES:
        return
    del rest[key]
    batch: list[str] = []
    size = 0
    for text, weight in zip(texts, weights, strict=True):
        batch.append(text)
        size += weight
        if size > _BATCH_WEIGHT:
            yield _part(key, _Form.OBJECTS, PackedObjects.pack(batch), len(batch))
            batch, size = [], 0
    if batch:
        yield _part(key, _Form.OBJECTS, PackedObjects.pack(batch), len(batch))


def _object_text(body: JsonObject) -> str:
    text = _json(body)
    if len(text) > OBJECT_BYTES_LIMIT:
        raise RenderLimit(
            f"{_named(body)} takes {len(text)} bytes, more than the {OBJECT_BYTES_LIMIT} that "
            "an API server reads"
        )
    if text.count("{") + text.count("[") > OBJECT_TABLES_LIMIT:
        count = _tables(body)
        if count > OBJECT_TABLES_LIMIT:
            raise RenderLimit(f"{_named(body)} has more than {OBJECT_TABLES_LIMIT} tables")
    return text


def _named(body: JsonObject) -> str:
    return f"{body.get('kind')} {(body.get('metadata') or {}).get('name', '')}"


def _stored(manifest: str) -> PackedText:
    packed = PackedText.of(manifest)
    size = len(packed.data)
    if size > codec.PAYLOAD_BYTES_LIMIT:
        raise StorageTooLarge(
            f"the manifest takes {size} bytes, packed, more than the {codec.PAYLOAD_BYTES_LIMIT} "
            "that fit into a Secret",
            size,
        )
    return packed


def _chart(record: Any) -> Any:  # noqa: ANN401 - a stored release may hold anything here
    """Leave out of a large chart what nothing reads back, and what would not be stored either."""
    if not isinstance(record, dict) or _quick_weight(_json(record)) <= PART_WEIGHT_LIMIT:
        return record
    return codec.slimmed({"chart": record})["chart"]


def _unpacked_there(rest: JsonObject) -> Iterator[bytes]:
    """Take what is long out of the rest, the longest first: unpacking it takes the most."""
    texts = sorted(((key, _json(value)) for key, value in rest.items()), key=_length, reverse=True)
    total = 0
    for key, text in texts:
        weight = _weight(rest[key], text)
        total += weight
        if weight > PART_WEIGHT_LIMIT or total > RESULT_WEIGHT_LIMIT:
            raise BrokenFrameError(f"its {key.replace('_', ' ')} would take {weight} bytes")
        if len(text) > _APART_FROM_BYTES:
            del rest[key]
            yield from _pieces(key, text)


def _pieces(key: str, text: str) -> Iterator[bytes]:
    """Cut a long text, lest the pool hold it in all the forms that it goes through."""
    for start in range(0, len(text), _PIECE_CHARACTERS):
        piece = zlib.compress(text[start : start + _PIECE_CHARACTERS].encode("ascii"), _LEVEL)
        yield _part(key, _Form.JSON, piece, max(len(text) - start - _PIECE_CHARACTERS, 0))


def _length(pair: tuple[str, str]) -> int:
    return len(pair[1])


def _json(value: Any) -> str:  # noqa: ANN401 - any JSON
    return json.dumps(value, separators=(",", ":"))


def _quick_weight(text: str) -> int:
    """Return about what JSON takes once it is read; braces in texts count as tables here."""
    return len(text) + _TABLE_BYTES * (text.count("{") + text.count("["))


def _weight(value: Any, text: str) -> int:  # noqa: ANN401 - any JSON
    quick = _quick_weight(text)
    return quick if quick <= PACKED_FROM_BYTES else len(text) + _TABLE_BYTES * _tables(value)


def _tables(value: Any) -> int:  # noqa: ANN401 - any JSON
    found: list[Any] = [value] if isinstance(value, dict | list | tuple) else []
    for one in found:
        members = one.values() if isinstance(one, dict) else one
        found += [member for member in members if isinstance(member, dict | list | tuple)]
    return len(found)


def _part(key: str, form: _Form, data: bytes, count: int = 0) -> bytes:
    text = base64.b64encode(data).decode("ascii")
    return pack({FrameKind.PART: key, "form": form, "count": count, "data": text})


class Parts:
    """The parts of a result, as they arrive."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}
        self._batches: dict[str, list[tuple[int, bytes]]] = {}
        self._pieces: list[str] = []

    def take(self, message: Mapping[str, Any]) -> None:
        """Keep one part; BrokenFrameError if it is none."""
        key = message[FrameKind.PART]
        try:
            form, data = _Form(message["form"]), base64.b64decode(message["data"])
            match form:
                case _Form.TEXT:
                    self._found[key] = PackedText(data)
                case _Form.OBJECTS:
                    self._batches.setdefault(key, []).append((int(message["count"]), data))
                case _Form.JSON:
                    self._pieces.append(zlib.decompress(data).decode("ascii"))
                    if not message["count"]:
                        text = "".join(self._pieces)
                        self._pieces.clear()
                        self._found[key] = json.loads(text)
        except (KeyError, TypeError, ValueError, zlib.error, RecursionError) as error:
            raise BrokenFrameError("a part of nothing known") from error

    def complete(self, result: JsonObject) -> JsonObject:
        """Return the result with its parts in their places."""
        objects: dict[str, Sequence[JsonObject]] = {
            key: PackedObjects(batches) for key, batches in self._batches.items()
        }
        return {**result, **self._found, **objects}
