"""One child process as the pool sees it: start it, give it a job, answer its questions, end it."""

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

import whipstaff
from whipstaff.errors import (
    OperatorError,
    RenderLimit,
    RenderTimeout,
    WorkerLost,
    from_record,
    to_record,
)
from whipstaff.workers import protocol
from whipstaff.workers.parts import Parts
from whipstaff.workers.protocol import FrameKind, JobKind, JsonObject, Limits

Answer = Callable[[str, str, str, str], Awaitable[JsonObject]]

# A child may wait long for a processor that many want; what it may use is measured in CPU time.
_WALL_FACTOR = 12
_STOP_SECONDS = 2.0
_DYING_SECONDS = 2.0
_QUESTION_WORDS = 4
_ENVIRONMENT = {
    # The parent's environment may hold credentials, and the child's code must be the parent's.
    "PYTHONPATH": str(Path(whipstaff.__file__).parents[1]),
    "PYTHONUTF8": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": "131072",  # give memory back after a large render
    "PATH": "/usr/bin:/bin",
}


class Worker:
    """A running child; one job at a time. After any exception but an OperatorError, kill it."""

    def __init__(self, process: Process, limits: Limits) -> None:
        self._process = process
        self._limits = limits
        self.worn = False  # the child asked to be replaced

    @classmethod
    async def start(cls, limits: Limits) -> Self:
        """Start a child; it is ready when its first job is."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # never take a module from the current folder
            "-m",
            "whipstaff.workers.child",
            limits.to_text(),
            stdin=PIPE,
            stdout=PIPE,
            stderr=None if sys.stderr else DEVNULL,
            env=_ENVIRONMENT,
        )
        return cls(process, limits)

    @property
    def alive(self) -> bool:
        """The process has not ended."""
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        return self._process.pid

    async def run(self, kind: JobKind, arguments: JsonObject, answer: Answer) -> JsonObject:
        """Do one job; the child's own errors are raised, and WorkerLost if it died over it."""
        try:
            await self._send({FrameKind.JOB: kind, "arguments": arguments})
            return await self._converse(kind, answer)
        except (asyncio.IncompleteReadError, ConnectionError, protocol.BrokenFrameError) as error:
            raise await self._post_mortem(kind) from error

    async def _converse(self, kind: JobKind, answer: Answer) -> JsonObject:
        patience_seconds = (self._limits.cpu_seconds + protocol.CPU_GRACE_SECONDS) * _WALL_FACTOR
        questions = 0
        parts = Parts()
        while True:
            before = asyncio.get_running_loop().time()
            message = await self._receive(kind, patience_seconds)
            patience_seconds -= asyncio.get_running_loop().time() - before
            if FrameKind.PART in message:
                parts.take(message)
                continue
            if FrameKind.QUESTION not in message:
                return parts.complete(self._outcome(message))
            questions += 1
            if questions > protocol.LOOKUPS_LIMIT:
                raise protocol.BrokenFrameError("too many questions")
            await self._answer(message[FrameKind.QUESTION], answer)

    async def _receive(self, kind: JobKind, patience_seconds: float) -> JsonObject:
        output = self._process.stdout
        assert output is not None  # noqa: S101 - it was asked for
        try:
            async with asyncio.timeout(patience_seconds):
                prefix = await output.readexactly(protocol.LENGTH_BYTES)
                body = await output.readexactly(protocol.body_length(prefix))
        except TimeoutError as error:
            await self.kill()
            raise RenderTimeout(f"{kind} did not end in time") from error
        return protocol.unpack(body)

    async def _answer(self, question: object, answer: Answer) -> None:
        if not isinstance(question, list) or len(question) != _QUESTION_WORDS:
            raise protocol.BrokenFrameError("a question of other words")
        api_version, kind, namespace, name = map(str, question)
        try:
            found = await answer(api_version, kind, namespace, name)
        except OperatorError as error:
            if error.retryable:
                # The template would fail over it, and the failure would look like the chart's.
                await self.kill()
                raise
            await self._send({FrameKind.REFUSAL: to_record(error)})
            return
        try:
            await self._send({FrameKind.ANSWER: found})
        except protocol.BrokenFrameError as error:
            too_large = RenderLimit(f"lookup found too much: {error}")
            await self._send({FrameKind.REFUSAL: to_record(too_large)})

    def _outcome(self, message: JsonObject) -> JsonObject:
        self.worn = bool(message.get("recycle"))
        if FrameKind.ERROR in message:
            raise from_record(message[FrameKind.ERROR])
        result = message.get(FrameKind.RESULT)
        if not isinstance(result, dict):
            raise protocol.BrokenFrameError("no result")
        return result

    async def _send(self, message: JsonObject) -> None:
        sink = self._process.stdin
        assert sink is not None  # noqa: S101 - it was asked for
        sink.write(protocol.pack(message))
        await sink.drain()

    async def _post_mortem(self, kind: JobKind) -> OperatorError:
        # Its pipe closes before it is gone; the exit code of its own making is the telling one.
        await self._wait(_DYING_SECONDS)
        if self._process.returncode == -signal.SIGXCPU:
            return RenderTimeout(
                f"{kind} takes more than {self._limits.cpu_seconds:g} s of CPU time"
            )
        return WorkerLost(f"a worker died over {kind} (exit {self._process.returncode})")

    async def stop(self) -> None:
        """Let the child end by itself, or else end it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._wait(_STOP_SECONDS)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """End the process now, and wait until it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
