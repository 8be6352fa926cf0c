"""What clients send, in files: as much as may be sent, and in the time it may take.

Nothing that is sent is held in memory, and the files are gone when the request is.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from whipstaff.server.refusals import Refusal, bad

_COPY_BYTES = 1 << 20
_FORM_BYTES = 64 << 10  # of a form around its files
_MOST_FILES = 4
_MOST_FIELDS = 8
_FORM = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one upload may take."""

    file_bytes: int
    seconds: float  # all of it
    silence_seconds: float  # between two pieces


class Incoming:
    """Receives uploads; some at a time, the others wait."""

    def __init__(self, bounds: Bounds, at_a_time: int) -> None:
        self._bounds = bounds
        self._turns = asyncio.Semaphore(at_a_time)

    @asynccontextmanager
    async def files(self, request: Request) -> AsyncIterator[Mapping[str, Path]]:
        """Give the files of a form by the names of their fields; any other body is `body`."""
        is_form = request.headers.get("content-type", "").lower().startswith(_FORM)
        limit = self._bounds.file_bytes
        limit = 2 * limit + _FORM_BYTES if is_form else limit
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            # It says so itself: none of it need arrive.
            raise _beyond(self._bounds.file_bytes)
        async with self._turns:
            with TemporaryDirectory(prefix="whipstaff-serve-") as folder:
                bounded = Request(request.scope, _Bounded(request.receive, limit, self._bounds))
                receive = self._form if is_form else self._body
                yield await self._in_time(receive(bounded, Path(folder)))

    async def _in_time(self, work: Awaitable[Mapping[str, Path]]) -> Mapping[str, Path]:
        try:
            async with asyncio.timeout(self._bounds.seconds):
                return await work
        except TimeoutError as error:
            raise _too_slow() from error
        except ClientDisconnect as error:
            raise bad("the connection ended before the upload") from error

    async def _body(self, request: Request, folder: Path) -> dict[str, Path]:
        target = folder / "body"
        with target.open("wb") as file:
            async for piece in request.stream():
                if piece:
                    await asyncio.to_thread(file.write, piece)
        return {"body": target}

    async def _form(self, request: Request, folder: Path) -> dict[str, Path]:
        found: dict[str, Path] = {}
        try:
            form = request.form(max_files=_MOST_FILES, max_fields=_MOST_FIELDS)
            async with form as parts:
                for number, (field, part) in enumerate(parts.multi_items()):
                    if isinstance(part, UploadFile) and field not in found:
                        found[field] = folder / str(number)
                        await asyncio.to_thread(self._copy, part.file, found[field])
        except (MultiPartException, HTTPException) as error:
            raise bad("the form cannot be read") from error
        return found

    def _copy(self, source: BinaryIO, target: Path) -> None:
        source.seek(0)
        size = 0
        with target.open("wb") as file:
            while piece := source.read(_COPY_BYTES):
                size += len(piece)
                if size > self._bounds.file_bytes:
                    raise _beyond(self._bounds.file_bytes)
                file.write(piece)


class _Bounded:
    """Receives a body up to its limit; a client that says nothing for too long is refused."""

    def __init__(self, receive: Receive, limit: int, bounds: Bounds) -> None:
        self._receive = receive
        self._left = limit
        self._bounds = bounds

    async def __call__(self) -> Message:
        try:
            async with asyncio.timeout(self._bounds.silence_seconds):
                message = await self._receive()
        except TimeoutError as error:
            raise _too_slow() from error
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _beyond(self._bounds.file_bytes)
        return message


def _beyond(limit: int) -> Refusal:
    # The rest is not read, so the connection is of no more use.
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return Refusal(status, f"charts may have {limit} bytes at the most", {"Connection": "close"})


def _too_slow() -> Refusal:
    return Refusal(HTTPStatus.REQUEST_TIMEOUT, "the upload takes too long", {"Connection": "close"})
