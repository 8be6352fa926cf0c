"""A port over TLS that anyone may reach and few may use.

Python holds some 300 KiB for each such connection, from before the first byte on: a thousand idle
ones would end the operator. So there are few at a time, and those that have not shown that they
belong here make room for others, then those that rest.
"""

import asyncio
import gc
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

CONNECTIONS_LIMIT = 128
PROOF_SECONDS = 10.0  # from a connection to what shows that it belongs here
GRACE_SECONDS = 1.0  # that everybody has before they make room for others
_POLL_SECONDS = 0.02


@dataclass(slots=True)
class _Guest:
    """A connection."""

    socket: socket.socket
    since: float  # when it came, or ended its last request
    proven: bool = False
    busy: bool = False

    @property
    def gone(self) -> bool:
        """Whether its transport has closed it."""
        return self.socket.fileno() < 0


class Door:
    """Lets connections in until `close`."""

    def __init__(
        self,
        protocol: Callable[[], asyncio.BaseProtocol],
        *,
        limit: int = CONNECTIONS_LIMIT,
        proof_seconds: float = PROOF_SECONDS,
    ) -> None:
        self._protocol = protocol
        self._limit = limit
        self._proof_seconds = proof_seconds
        self._inside: list[_Guest] = []
        self._shown_out = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: socket.socket | None = None

    def open(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Listen; OSError if that cannot be."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, port), family=family, backlog=128)
        self._listening.setblocking(False)
        self._start(self._accept(self._listening, tls))

    async def close(self) -> None:
        """Listen no more; who is inside may end what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._listening is not None:
            self._listening.close()

    @contextmanager
    def served(self, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """Take note that a connection belongs here, and is not to be ended while inside."""
        number = transport.get_extra_info("socket").fileno() if transport else -1
        guests = [one for one in self._inside if one.socket.fileno() == number >= 0]
        for guest in guests:
            guest.proven = guest.busy = True
        try:
            yield
        finally:
            for guest in guests:
                guest.busy, guest.since = False, asyncio.get_running_loop().time()

    async def _accept(self, listening: socket.socket, tls: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError:  # too many files are open, or the other side is gone already
                await asyncio.sleep(_POLL_SECONDS)
                continue
            while not self._has_room():  # noqa: ASYNC110 - a closed connection tells nobody
                await asyncio.sleep(_POLL_SECONDS)
            guest = _Guest(connection, loop.time())
            self._inside.append(guest)
            loop.call_later(self._proof_seconds, self._look_at, guest)
            self._start(self._admit(connection, tls))

    def _has_room(self) -> bool:
        """Say whether one more may come in; make room if it may not."""
        self._inside = [one for one in self._inside if not one.gone]
        if len(self._inside) < self._limit:
            return True
        waited = asyncio.get_running_loop().time() - GRACE_SECONDS
        resting = [one for one in self._inside if not one.busy and one.since <= waited]
        if resting:
            self._show_out(min(resting, key=lambda one: (one.proven, one.since)))
        return False

    def _look_at(self, guest: _Guest) -> None:
        if not guest.proven and not guest.gone:
            self._show_out(guest)

    def _show_out(self, guest: _Guest) -> None:
        with suppress(OSError):
            guest.socket.shutdown(socket.SHUT_RDWR)  # its transport closes it
        self._shown_out += 1
        if self._shown_out % self._limit == 0:
            # What TLS held refers to itself, and the collector does not know how large it is.
            asyncio.get_running_loop().call_later(GRACE_SECONDS, gc.collect)

    async def _admit(self, guest: socket.socket, tls: ssl.SSLContext | None) -> None:
        limits = {} if tls is None else {"ssl_handshake_timeout": self._proof_seconds}
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol, guest, ssl=tls, **limits
            )
        except OSError:  # no TLS, or not in time
            guest.close()

    def _start(self, running: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(running)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
