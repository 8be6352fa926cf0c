"""Run a chart server until it is told to stop; requests under way end first."""

import asyncio
import logging
import signal
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import uvicorn

from whipstaff.errors import InvalidSpec
from whipstaff.server.application import Parts, application
from whipstaff.server.connections import PatientProtocol
from whipstaff.server.options import Options
from whipstaff.server.repositories import Repositories
from whipstaff.server.shelf import Reader, Rules
from whipstaff.server.storage import open_storage
from whipstaff.server.uploads import Bounds, Incoming
from whipstaff.settings import Settings
from whipstaff.workers.pool import WorkerPool

log = logging.getLogger(__name__)

_BACKLOG = 256


def run(options: Options, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told the server's URL once it listens."""
    # uvicorn stops on both, and then raises them again: by then they have had their effect.
    before = {one: signal.signal(one, _nothing_more) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        asyncio.run(_run(options, ready))
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


async def _run(options: Options, ready: Callable[[str], None]) -> None:
    async with serving(options) as served:
        ready(url_of(options, served.sockets))
        async with asyncio.TaskGroup() as group:
            priming = group.create_task(served.repositories.prime())
            await served.server.serve(served.sockets)
            priming.cancel()


def _nothing_more(_number: int, _frame: FrameType | None) -> None:
    """Let the process end by itself."""


class Served(NamedTuple):
    """A server that listens and does not answer yet."""

    server: uvicorn.Server
    sockets: list[socket.socket]
    repositories: Repositories


@asynccontextmanager
async def serving(options: Options) -> AsyncIterator[Served]:
    """Give a server; all it uses ends with the context."""
    with tempfile.TemporaryDirectory(prefix="whipstaff-serve-") as cache:
        pool = WorkerPool(
            Settings(
                worker_count=options.workers,
                chart_bytes_limit=options.chart_bytes,
                cache_folder=Path(cache),
            )
        )
        try:
            async with listening(options, pool) as found:
                yield found
        finally:
            await pool.close()


@asynccontextmanager
async def listening(options: Options, reader: Reader) -> AsyncIterator[Served]:
    """Give a server with this reader of archives."""
    storage = open_storage(options.storage)
    repositories = Repositories(storage, reader, _rules(options), time.monotonic, options.depth)
    bounds = Bounds(options.chart_bytes, options.upload_seconds, options.silence_seconds)
    app = application(
        Parts(
            repositories,
            options.access,
            Incoming(bounds, options.uploads),
            options.context_path.rstrip("/"),
            options.hosts,
        )
    )
    config = _configured(app, options)
    place = _listen(options)
    try:
        yield Served(uvicorn.Server(config), [place], repositories)
    finally:
        place.close()
        await repositories.close()


def url_of(options: Options, sockets: list[socket.socket]) -> str:
    """Return the URL of the first socket."""
    host, port = sockets[0].getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if options.tls else 'http'}://{host}:{port}{options.context_path.rstrip('/')}"


def _rules(options: Options) -> Rules:
    url = options.url.rstrip("/")
    return Rules(
        chart_bytes=options.chart_bytes,
        quota_bytes=options.quota_bytes,
        quota_files=options.quota_files,
        overwrite=options.overwrite,
        forbid_force=options.forbid_force,
        refresh_seconds=options.refresh_seconds,
        chart_url=url,
        context_path=options.context_path.rstrip("/"),
    )


def _configured(app: object, options: Options) -> uvicorn.Config:
    tls = options.tls
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]  # an ASGI application, whose types Starlette has its own for
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=options.connections,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=options.shutdown_seconds,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
        ssl_ca_certs=str(tls.client_ca) if tls and tls.client_ca else None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if tls and tls.client_ca else ssl.CERT_NONE,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise InvalidSpec(f"the certificates cannot be used: {error}", "--tls-cert") from error
    return config


def _listen(options: Options) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # asyncio sends small answers at once only where the protocol is named.
    place = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind((options.host, options.port))
        place.listen(_BACKLOG)
    except OSError as error:
        place.close()
        text = f"{options.host}:{options.port} cannot be listened at: {error.strerror or error}"
        raise InvalidSpec(text, "--address") from error
    place.setblocking(False)
    return place
