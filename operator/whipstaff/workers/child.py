"""The main program of a worker: one job after another, each under limits, until its pipe closes.

Runs in the main thread, for only there can a signal end a render that takes too long.
"""

import contextlib
import io
import os
import re
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, assert_never

from whipstaff.errors import (
    ChartSignatureInvalid,
    ChartTooLarge,
    ChartUnavailable,
    ExpressionInvalid,
    KubeConfigInvalid,
    OperatorError,
    RenderLimit,
    RenderTimeout,
    StorageCorrupt,
    StorageTooLarge,
    ValuesTooLarge,
    from_record,
    to_record,
)
from whipstaff.workers import collector, jobs, parts, protocol
from whipstaff.workers.protocol import FrameKind, JobKind, JsonObject, Limits

# Helm allows a thousand nested includes, each of which takes a few Python frames of ours.
RECURSION_LIMIT = 24_000
# Python 3.11 takes up to 1.7 KB of stack a frame where C calls Python. The kernel grows the main
# thread's stack up to the limit of the moment, and leaves room for 128 MiB.
STACK_BYTES = 72 << 20
_CODE_BYTES = 40 << 20  # of the interpreter and its libraries, cryptography's being the largest
_LEAST_DATA_BYTES = 32 << 20
_RESERVE_BYTES = 8 << 20  # data that a job may not use: it is for the error that says so
_TEXT_CHARACTERS = 16 << 10  # of an error; a chain of a thousand includes has a hundred times that
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_REPEAT_SECONDS = 0.25  # the timer rings on, in case a template's error handling ate its exception


class _CPUSpent(BaseException):  # no Exception, or it would be taken for a template's
    """The job has used its CPU time."""


class Child:
    """Reads jobs and answers from one file, writes questions and results to another."""

    def __init__(self, source: io.BufferedReader, sink: io.BufferedWriter, limits: Limits) -> None:
        self._source = source
        self._sink = sink
        self._limits = limits
        self._questions = 0

    def serve(self) -> None:
        """Work until the pool closes its end."""
        workshop = jobs.Workshop(self._limits, self._lookup)
        while (message := self._receive()) is not None:
            kind = JobKind(message[FrameKind.JOB])
            self._questions = 0
            for frame in self._work(workshop, kind, message["arguments"]):
                self._write(frame)

    def _work(self, workshop: jobs.Workshop, kind: JobKind, arguments: JsonObject) -> list[bytes]:
        try:
            with _cpu_seconds(self._limits.cpu_seconds):
                result = workshop.run(kind, arguments)
                fat = _resident_bytes() > self._limits.recycle_bytes
                return parts.frames(result, recycle=fat)
        except (Exception, _CPUSpent) as error:  # noqa: BLE001 - nor may a fault of ours end a worker
            signal.setitimer(signal.ITIMER_PROF, 0)
            _use_reserve()
            failure = self._told(kind, workshop.template, error)
            # Whoever failed for want of time, depth or memory may have left something half done.
            exhausted = RenderLimit | RenderTimeout | MemoryError | RecursionError | _CPUSpent
            spent = isinstance(error, exhausted | SystemError)
        # The error held the frames of the job and all their data; now there is room for words.
        frame = protocol.pack({FrameKind.ERROR: to_record(failure), "recycle": spent})
        _keep_reserve()
        return [frame]

    def _told(self, kind: JobKind, template: str, error: BaseException) -> OperatorError:
        """Say what ended a job, in an error that holds nothing else."""
        job = f"{template}: {kind}" if template else kind.value
        match error:
            case OperatorError():
                return from_record({**to_record(error), "text": _for_people(error.text)})
            case _CPUSpent():
                seconds = self._limits.cpu_seconds
                text = f"{job} takes more than {seconds:g} s of CPU time"
                return RenderTimeout(text, template=template)
            # Python says SystemError where its own C code forgets to say that memory is spent.
            case MemoryError() | SystemError():
                mib = self._limits.memory_bytes >> 20
                return _excess(kind, f"{job} needs more than {mib} MiB of memory")
            case RecursionError():
                return _excess(kind, f"{job} goes too deep")
            case protocol.BrokenFrameError():
                return _excess(kind, f"{job} gives too much: {error}")
            case _:
                return _fault(kind, error)

    def _lookup(self, *question: str) -> JsonObject:
        self._questions += 1
        if self._questions > protocol.LOOKUPS_LIMIT:
            raise RenderLimit(f"more than {protocol.LOOKUPS_LIMIT} lookups in one render")
        self._write(protocol.pack({FrameKind.QUESTION: list(question)}))
        message = self._receive()
        if message is None:
            sys.exit(0)
        if FrameKind.REFUSAL in message:
            raise from_record(message[FrameKind.REFUSAL])
        answer: JsonObject = message[FrameKind.ANSWER]
        return answer

    def _receive(self) -> JsonObject | None:
        prefix = self._source.read(protocol.LENGTH_BYTES)
        if len(prefix) < protocol.LENGTH_BYTES:
            return None
        return protocol.unpack(self._source.read(protocol.body_length(prefix)))

    def _write(self, frame: bytes) -> None:
        self._sink.write(frame)
        self._sink.flush()


def _excess(kind: JobKind, text: str) -> OperatorError:  # noqa: C901, PLR0911, PLR0912 - one for each job
    """Name what was too large by what the job reads."""
    match kind:
        case JobKind.RENDER:
            return RenderLimit(text)
        case JobKind.DECODE | JobKind.READ_RELEASE | JobKind.COMPARE:
            return StorageCorrupt(text)
        case JobKind.ENCODE:
            return StorageTooLarge(text)
        case JobKind.INDEX:
            return ChartUnavailable(text)
        case JobKind.INSPECT | JobKind.LIST | JobKind.SHOW | JobKind.COMPLETE:
            return ChartTooLarge(text)
        case JobKind.EVALUATE:
            return ExpressionInvalid(text)
        case JobKind.VALUES:
            return ValuesTooLarge(text)
        case JobKind.VERIFY:
            return ChartSignatureInvalid(text)
        case JobKind.KUBECONFIG:
            return KubeConfigInvalid(text)
        case JobKind.CERTIFICATE:
            return OperatorError(text)
        case _:
            assert_never(kind)


def _for_people(text: str) -> str:
    """Take what moves a terminal out of a text, and the middle out of a long one.

    The first words say where, the last ones why.
    """
    text = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
    if len(text) <= _TEXT_CHARACTERS:
        return text
    half = _TEXT_CHARACTERS // 2
    return f"{text[:half]} … {text[-half:]}"


def _fault(kind: JobKind, error: BaseException) -> OperatorError:
    """Say where, not what: the text of an unforeseen error may hold values."""
    *_, frame = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return OperatorError(f"{kind} met a fault of the operator: {type(error).__name__} at {place}")


@contextlib.contextmanager
def _cpu_seconds(seconds: float) -> Iterator[None]:
    """Raise _CPUSpent once the process used so much CPU time; waiting does not count."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    deadline = int(used.ru_utime + used.ru_stime + seconds) + protocol.CPU_GRACE_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (deadline, resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_PROF, seconds, _REPEAT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _ring(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _CPUSpent


def _resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * resource.getpagesize()


def _limit_process(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    stack = STACK_BYTES if hard == resource.RLIM_INFINITY else min(STACK_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, hard))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    # A stack that cannot grow ends the process without a word, so data must not take its room.
    data = max(limits.memory_bytes - stack - _CODE_BYTES, _LEAST_DATA_BYTES)
    resource.setrlimit(resource.RLIMIT_DATA, (data, data))
    _keep_reserve()
    sys.setrecursionlimit(RECURSION_LIMIT)
    signal.signal(signal.SIGPROF, _ring)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the pool, which then stops us


def _keep_reserve() -> None:
    _, data = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (data - _RESERVE_BYTES, data))


def _use_reserve() -> None:
    _, data = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (data, data))


def _take_pipes() -> tuple[io.BufferedReader, io.BufferedWriter]:
    """Move the pipes away from 0 and 1, so that nothing printed breaks the protocol."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return os.fdopen(source, "rb"), os.fdopen(sink, "wb")


def _report_crash(kind: type[BaseException], _error: BaseException, _trace: Any) -> None:  # noqa: ANN401
    """Print no more than the kind: the text may hold values."""
    sys.stderr.write(f"whipstaff worker: {kind.__name__}\n")


def main() -> None:
    """Serve until the pipe closes; the limits come as JSON in the first argument."""
    sys.excepthook = _report_crash
    limits = Limits.from_text(sys.argv[1])
    source, sink = _take_pipes()
    _limit_process(limits)
    collector.relax()
    Child(source, sink, limits).serve()


if __name__ == "__main__":
    main()
