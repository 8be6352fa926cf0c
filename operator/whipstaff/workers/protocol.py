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
# A regular expression or a key pair cannot be interrupted: then the kernel ends the process.
CPU_GRACE_SECONDS = 2
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
    EVALUATE = "evaluate"  # expressions in CEL
    VALUES = "values"  # lay those of ConfigMaps and Secrets over each other
    LIST = "list"  # read what an index says of archives
    SHOW = "show"  # read what people want to see of an archive
    VERIFY = "verify"  # the signature of a chart
    KUBECONFIG = "kubeconfig"  # read how to reach another cluster
    CERTIFICATE = "certificate"  # make one for a server of ours
    READ_RELEASE = "read-release"  # what people want to see of a stored one, masked
    COMPARE = "compare"  # two stored releases, masked
    COMPLETE = "complete"  # find a chart in its source, with its dependencies and values files


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
