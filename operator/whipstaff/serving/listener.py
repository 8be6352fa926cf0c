"""A server at one address, with limits of time and number, until it is told to stop."""

import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import FrameType

import uvicorn

from whipstaff.errors import InvalidSpec
from whipstaff.serving.connections import PatientProtocol

_BACKLOG = 256
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class TLS:
    """Files in PEM."""

    certificate: Path
    key: Path
    client_ca: Path | None = None  # whose certificates clients show
    client_optional: bool = False  # a client may show none


@dataclass(frozen=True, slots=True)
class Listener:
    """Where and how a server listens."""

    host: str
    port: int
    tls: TLS | None = None
    connections: int = 512  # more are told to come again
    shutdown_seconds: int = 10  # for requests under way

    @property
    def is_local(self) -> bool:
        """Whether only this machine can ask."""
        return is_local(self.host)

    def server(self, app: object) -> uvicorn.Server:
        """Return a server of this ASGI application; InvalidSpec if the certificates are none."""
        tls = self.tls
        config = uvicorn.Config(
            app,  # type: ignore[arg-type]  # Starlette has types of its own for the same thing
            http=PatientProtocol,
            ws="none",
            lifespan="off",
            loop="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=self.connections,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=self.shutdown_seconds,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
            ssl_ca_certs=str(tls.client_ca) if tls and tls.client_ca else None,
            ssl_cert_reqs=_of_clients(tls),
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            raise InvalidSpec(f"the certificates cannot be used: {error}", "--tls-cert") from error
        return uvicorn.Server(config)

    def listen(self) -> socket.socket:
        """Return a socket that listens; InvalidSpec if the address is not to be had."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # asyncio sends small answers at once only where the protocol is named.
        place = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            place.bind((self.host, self.port))
            place.listen(_BACKLOG)
        except OSError as error:
            place.close()
            text = f"{self.host}:{self.port} cannot be listened at: {error.strerror or error}"
            raise InvalidSpec(text, "--address") from error
        place.setblocking(False)
        return place

    def url(self, place: socket.socket) -> str:
        """Return the URL of a socket that listens, without a path."""
        host, port = place.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self.tls else 'http'}://{host}:{port}"


def _of_clients(tls: TLS | None) -> ssl.VerifyMode:
    if tls is None or tls.client_ca is None:
        return ssl.CERT_NONE
    return ssl.CERT_OPTIONAL if tls.client_optional else ssl.CERT_REQUIRED


def is_local(host: str) -> bool:
    """Whether a host is this machine's loopback."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`; an empty host is every address. InvalidSpec else."""
    host, colon, port = text.rpartition(":")
    number = int(port) if port.isascii() and port.isdecimal() else -1
    if not colon or not 0 <= number <= _LAST_PORT:
        raise InvalidSpec(f"--address is {text!r}, not HOST:PORT", "--address")
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", number  # noqa: S104 - as asked


@contextmanager
def told_to_stop() -> Iterator[None]:
    """Let the process end by itself after SIGTERM or SIGINT.

    uvicorn stops on both, and then raises them again: by then they have had their effect.
    """
    before = {one: signal.signal(one, _nothing_more) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _nothing_more(_number: int, _frame: FrameType | None) -> None:
    """Leave it to the server."""
