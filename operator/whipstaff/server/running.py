"""Run a chart server until it is told to stop; requests under way end first."""

import asyncio
import logging
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import uvicorn

from whipstaff.server.application import Parts, application
from whipstaff.server.options import Options
from whipstaff.server.repositories import Repositories
from whipstaff.server.shelf import Reader, Rules
from whipstaff.server.storage import open_storage
from whipstaff.server.uploads import Bounds, Incoming
from whipstaff.serving.listener import told_to_stop
from whipstaff.settings import Settings
from whipstaff.workers.pool import WorkerPool

log = logging.getLogger(__name__)


def run(options: Options, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told the server's URL once it listens."""
    with told_to_stop():
        asyncio.run(_run(options, ready))


async def _run(options: Options, ready: Callable[[str], None]) -> None:
    async with serving(options) as served:
        ready(url_of(options, served.sockets))
        async with asyncio.TaskGroup() as group:
            priming = group.create_task(served.repositories.prime())
            await served.server.serve(served.sockets)
            priming.cancel()


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
    listener = options.listener
    server = listener.server(app)
    place = listener.listen()
    try:
        yield Served(server, [place], repositories)
    finally:
        place.close()
        await repositories.close()


def url_of(options: Options, sockets: list[socket.socket]) -> str:
    """Return the URL of the first socket."""
    return options.listener.url(sockets[0]) + options.context_path.rstrip("/")


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
