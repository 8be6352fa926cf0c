"""Measure the chart server with 1,000 charts of ten versions each: `make bench-charts`.

The server is a process of its own, asked over HTTP by this one. `cold` is the first index of a
folder that nobody looked at before, `warm` a later one, `after_upload` one that an upload went
before. Uploads are new versions of charts that are there, one after another and four at a time.

The last line is JSON; it is kept in bench/results/chart_server.json.
"""

import argparse
import asyncio
import gzip
import io
import json
import os
import re
import sys
import tarfile
import tempfile
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from bench.machine import load, machine
from tools.controlplane.cluster import ROOT

RESULT = ROOT / "bench" / "results" / "chart_server.json"
CHARTS = 1_000
VERSIONS = 10
UPLOADS = 400
ASKED = 100
AT_A_TIME = 4
TARGETS = {"index_warm_ms": 50, "upload_p99_ms": 200}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--charts", type=int, default=CHARTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "charts"
        folder.mkdir()
        for chart in range(given.charts):
            for version in range(VERSIONS):
                file = folder / f"chart-{chart}-1.{version}.0.tgz"
                file.write_bytes(_packed(f"chart-{chart}", f"1.{version}.0"))
        result = asyncio.run(_measured(folder, given.charts))
    result |= {
        "charts": given.charts,
        "versions": given.charts * VERSIONS,
        "targets": TARGETS,
        "on": machine(load=load()),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))


def _packed(name: str, version: str) -> bytes:
    """Make a chart as small charts are: 6 KiB of templates, a README, values."""
    files = {
        "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: 1.0.0\n"
        "description: A chart that is measured\nkeywords: [one, two]\n"
        "maintainers: [{name: someone, email: someone@example.com}]\n",
        "values.yaml": "replicas: 1\nimage: {repository: nginx, tag: latest}\n",
        "README.md": f"# {name}\n\n" + "What it does. " * 100,
        "templates/deployment.yaml": "# a template\nkind: Deployment\n" * 200,
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, text in files.items():
            data = text.encode()
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue())


async def _measured(folder: Path, charts: int) -> dict[str, Any]:
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "whipstaff", "serve", "--repo-path", str(folder)),
        *("--address", "127.0.0.1:0", "--log-level", "warning"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        found = re.search(r"http://\S+", (await server.stdout.readline()).decode())
        assert found is not None
        timeout = aiohttp.ClientTimeout(total=600)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            return await _asked(session, found.group(), charts, server.pid)
    finally:
        server.terminate()
        await server.wait()


async def _asked(session: aiohttp.ClientSession, url: str, charts: int, pid: int) -> dict[str, Any]:
    async def index() -> int:
        async with session.get(f"{url}/index.yaml") as answer:
            return len(await answer.read())

    async def upload(number: int, version: str) -> None:
        name = f"chart-{number % charts}"
        async with session.post(f"{url}/api/charts", data=_packed(name, version)) as answer:
            assert answer.status == HTTPStatus.CREATED, await answer.text()

    async def upload_and_index(number: int) -> float:
        await upload(number, "3.0.0")
        return await _timed(index)

    cold = await _timed(index)
    size = await index()
    warm = [await _timed(index) for _ in range(ASKED)]
    one_by_one = [
        await _timed(lambda number=number: upload(number, "2.0.0")) for number in range(UPLOADS)
    ]
    turns = asyncio.Semaphore(AT_A_TIME)

    async def in_turn(number: int) -> float:
        async with turns:
            return await _timed(lambda: upload(number, "2.1.0"))

    together = await asyncio.gather(*(in_turn(number) for number in range(UPLOADS)))
    after = [await upload_and_index(number) for number in range(ASKED)]
    return {
        "index_bytes": size,
        "index_cold_seconds": round(cold, 2),
        "index_warm_ms": _spread(warm),
        "index_after_upload_ms": _spread(after),
        "upload_ms": _spread(one_by_one),
        "upload_four_at_a_time_ms": _spread(together),
        "resident_mib": _resident_mib(pid),
    }


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def _spread(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    at = {"median": 0.5, "p99": 0.99}
    found = {name: ordered[int(part * (len(ordered) - 1))] for name, part in at.items()}
    return {name: round(value * 1e3, 1) for name, value in {**found, "worst": ordered[-1]}.items()}


def _resident_mib(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


if __name__ == "__main__":
    main()
