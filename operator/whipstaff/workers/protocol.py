"""The words between the pool and a child: JSON objects, each behind its length, over two pipes.

The pool sends a job and awaits frames. The child sends any number of questions, each of which is
answered by one frame, and then one result or one error.
"""

import base64
import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from whipstaff.errors import RenderLimit, StorageTooLarge
from whipstaff.release import codec
from whipstaff.release.packed import PackedObjects, PackedText

JsonObject = dict[str, Any]

FRAME_BYTES_LIMIT = 32 << 20  # far beyond any release that fits into a Secret
TABLES_LIMIT = 200_000  # and lists, in one result
PACKED_FROM_BYTES = 1 << 20  # what is longer travels in parts, and packed
OBJECT_BYTES_LIMIT = 3 << 20  # the API server reads no larger request
CHART_BYTES_LIMIT = 4 << 20  # of a chart's record; beyond it goes without templates and files
_BATCH_BYTES = 256 << 10
LOOKUPS_LIMIT = 256  # questions that one render may ask

_LENGTH = struct.Struct(">I")
LENGTH_BYTES = _LENGTH.size


class JobKind(StrEnum):
    """What a child can do."""

    RENDER = "render"
    DECODE = "decode"
    INDEX = "index"  # read a repository's index
    ENCODE = "encode"  # a release whose manifest is long
    INSPECT = "inspect"  # read the metadata of an archive


class FrameKind(StrEnum):
    """The key that says what a frame is."""

    JOB = "job"
    QUESTION = "question"  # from the child: a `lookup`
    ANSWER = "answer"
    REFUSAL = "refusal"  # instead of an answer
    PART = "part"  # of the result, which follows
    RESULT = "result"
    ERROR = "error"


class BrokenFrameError(ValueError):
    """The other side does not keep to the protocol."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one child may use, and where."""

    memory_bytes: int = 512 << 20  # address space, code and stack included
    recycle_bytes: int = 192 << 20  # a child that holds more after a job asks to be replaced
    cpu_seconds: float = 10.0  # of one job
    output_bytes: int = 10 << 20  # rendered text of one job
    archive_bytes: int = 20 << 20  # one chart
    jinja2_charts: bool = False  # charts whose templates are for Jinja2 may be rendered
    compiled_folder: str = ""  # of charts ready to render; empty: none are kept

    def to_text(self) -> str:
        """Return the form that fits on a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read `to_text`."""
        return cls(**json.loads(text))


def pack(message: JsonObject) -> bytes:
    """Return the frame of a message; lone surrogates stay what they are."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    if len(body) > FRAME_BYTES_LIMIT:
        raise BrokenFrameError(f"a frame of {len(body)} bytes")
    return _LENGTH.pack(len(body)) + body


def pack_result(message: JsonObject) -> bytes:
    """Return the frame of a message that the pool can take: a table costs it twenty times its text.

    The quick count takes braces in texts for tables too; the exact one decides.
    """
    frame = pack(message)
    if frame.count(b"{") + frame.count(b"[") > TABLES_LIMIT and _tables(message) > TABLES_LIMIT:
        raise BrokenFrameError(f"more than {TABLES_LIMIT} tables and lists")
    return frame


def rendered_frames(result: JsonObject, *, recycle: bool) -> list[bytes]:
    """Return the frames of what a chart rendered to: what is long in parts, and then the rest.

    RenderLimit or StorageTooLarge for what can be neither applied nor stored.
    """
    rest = {**result, "chart": _chart(result.get("chart"))}
    frames: list[bytes] = []
    for key in ("objects", "crds"):
        texts = list(map(_object_text, result.get(key) or ()))
        if sum(map(len, texts)) > PACKED_FROM_BYTES:
            rest[key] = None
            frames += _batches(key, texts)
    if sum(len(_object_text(hook["body"])) for hook in result.get("hooks") or ()) > (
        OBJECT_BYTES_LIMIT
    ):
        raise RenderLimit(f"the chart's hooks take more than {OBJECT_BYTES_LIMIT} bytes")
    if len(result.get("manifest") or "") > PACKED_FROM_BYTES:
        frames.append(_part("manifest", 0, _stored(result["manifest"]).data))
        rest["manifest"] = None
    frames.append(pack_result({FrameKind.RESULT: rest, "recycle": recycle}))
    return frames


def _chart(record: JsonObject | None) -> JsonObject | None:
    """Leave out what would not be stored either."""
    if record and len(json.dumps(record)) > CHART_BYTES_LIMIT:
        slim: JsonObject = codec.slimmed({"chart": record})["chart"]
        return slim
    return record


def _object_text(body: JsonObject) -> str:
    text = json.dumps(body, separators=(",", ":"))
    if len(text) > OBJECT_BYTES_LIMIT:
        name = (body.get("metadata") or {}).get("name", "")
        raise RenderLimit(
            f"{body.get('kind')} {name} takes {len(text)} bytes, more than the "
            f"{OBJECT_BYTES_LIMIT} that an API server reads"
        )
    return text


def _batches(key: str, texts: list[str]) -> Iterator[bytes]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size > _BATCH_BYTES:
            yield _part(key, len(batch), PackedObjects.pack(batch))
            batch, size = [], 0
    if batch:
        yield _part(key, len(batch), PackedObjects.pack(batch))


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


def _part(key: str, count: int, data: bytes) -> bytes:
    text = base64.b64encode(data).decode("ascii")
    return pack({FrameKind.PART: key, "count": count, "data": text})


class Parts:
    """The parts of a result, as they arrive."""

    def __init__(self) -> None:
        self._found: dict[str, list[tuple[int, bytes]]] = {}

    def take(self, message: JsonObject) -> None:
        """Keep one part; BrokenFrameError if it is none."""
        key, count, data = message[FrameKind.PART], message.get("count"), message.get("data")
        if key not in ("objects", "crds", "manifest") or not isinstance(count, int):
            raise BrokenFrameError("a part of nothing known")
        self._found.setdefault(key, []).append((count, base64.b64decode(str(data))))

    def complete(self, result: JsonObject) -> JsonObject:
        """Return the result with its parts in their places."""
        for key, parts in self._found.items():
            packed = PackedText(parts[0][1]) if key == "manifest" else PackedObjects(parts)
            result[key] = packed
        return result


def _tables(message: JsonObject) -> int:
    found: list[dict[str, Any] | list[Any] | tuple[Any, ...]] = [message]
    for one in found:
        members = one.values() if isinstance(one, dict) else one
        found += [member for member in members if isinstance(member, (dict, list, tuple))]
    return len(found)


def body_length(prefix: bytes) -> int:
    """Return how many bytes follow the prefix."""
    (length,) = _LENGTH.unpack(prefix)
    if length > FRAME_BYTES_LIMIT:
        raise BrokenFrameError(f"a frame of {length} bytes")
    return int(length)


def unpack(body: bytes) -> JsonObject:
    """Return the message in a frame's body."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BrokenFrameError("a frame that is no JSON") from error
    if not isinstance(message, dict):
        raise BrokenFrameError("a frame that is no object")
    return message
