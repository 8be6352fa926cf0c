"""Connections that get on: one that sends no request in time, or reads no answer, is closed.

uvicorn waits for both as long as the client likes, but for the pause between two requests.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0
READ_SECONDS = 30.0  # for what is buffered, some dozen KiB

CERTIFICATE = "client_certificate"  # in the state of a request: what the client showed, if it did

_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})


class OneLength(h11.Connection):
    """Refuses a request that tells its length in two ways.

    A proxy that goes by the other one takes the end of its body for the next request, of anybody.
    """

    def next_event(self) -> Any:  # noqa: ANN401 - as in h11 itself
        event = super().next_event()
        if isinstance(event, h11.Request) and {name for name, _ in event.headers} >= _LENGTHS:
            raise h11.RemoteProtocolError("both Content-Length and Transfer-Encoding")
        return event


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with a limit of time for the head of each request, and for reading an answer.

    Where there are too many connections, the one that rests for longest makes room for another.
    """

    _timer: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None
    _since = 0.0  # when it came, or ended its last request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # as in uvicorn itself
        self.conn = OneLength(h11.SERVER)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and (shown := tls.getpeercert()):
            self.app_state = {**self.app_state, CERTIFICATE: shown}
        self._since = self.loop.time()
        self._make_room()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self._goes_on()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        loop = asyncio.get_running_loop()
        # Closing would wait until all is read.
        self._reading = self._reading or loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._goes_on()
        super().resume_writing()

    def _goes_on(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._await_head()
        else:
            self._stop()

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()

    def _make_room(self) -> None:
        """End what rests for longest if there are so many that uvicorn refuses all requests."""
        if self.limit_concurrency is None or len(self.connections) < self.limit_concurrency:
            return
        others = (one for one in self.connections if isinstance(one, PatientProtocol))
        resting = [one for one in others if one is not self and one.conn.their_state is h11.IDLE]
        if resting:
            min(resting, key=lambda one: one._since).transport.abort()  # noqa: SLF001 - of ours

    def _await_head(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._too_slow)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()
