"""The words between the pool and a child: JSON objects, each behind its length, over two pipes.

The pool sends a job and awaits frames. The child sends any number of questions, each of which is
answered by one frame, and then one result or one error.
"""

import json
import struct
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

JsonObject = dict[str, Any]

FRAME_BYTES_LIMIT = 32 << 20  # far beyond any release that fits into a Secret
TABLES_LIMIT = 200_000  # and lists, in one result
LOOKUPS_LIMIT = 256  # questions that one render may ask

_LENGTH = struct.Struct(">I")
LENGTH_BYTES = _LENGTH.size


class JobKind(StrEnum):
    """What a child can do."""

    RENDER = "render"
    DECODE = "decode"
    INDEX = "index"  # read a repository's index
    INSPECT = "inspect"  # read the metadata of an archive


class FrameKind(StrEnum):
    """The key that says what a frame is."""

    JOB = "job"
    QUESTION = "question"  # from the child: a `lookup`
    ANSWER = "answer"
    REFUSAL = "refusal"  # instead of an answer
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
