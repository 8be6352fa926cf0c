"""Measure how a repository's index of 26 MB is read, beside Helm: `make bench-index`.

Ours is what a HelmRelease waits for: a worker process is asked, reads and sorts all of it and
writes what is left to disk. Helm's is LoadIndexFile. The runs of both sides alternate. `main` is
the process that asks: by how much it grew while it fetched, asked and looked charts up.
`search` is what people wait for: `whipstaff search repo WORD` and `helm search repo WORD`, start of
the process and all.

The last line is JSON; it is kept in bench/results/index.json.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from yarl import URL

from bench import made_index
from bench.helm_program import built, version
from bench.machine import machine
from tools.controlplane import programs
from tools.controlplane.cluster import ROOT
from whipstaff.settings import Settings
from whipstaff.sources.entries import entries_of
from whipstaff.sources.place import Place
from whipstaff.sources.repository import HTTPRepositories
from whipstaff.workers.pool import WorkerPool

RESULT = ROOT / "bench" / "results" / "index.json"
RUNS = 7


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = made_index.text()
        (folder / "index.yaml").write_text(text, encoding="utf-8")
        size = len(text)
        del text
        result = asyncio.run(_measured(folder, given.runs))
    result |= {
        "megabytes": round(size / 1e6, 1),
        "versions": made_index.CHARTS * made_index.VERSIONS,
        "runs": given.runs,
        "on": machine(helm=version()),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))


async def _measured(folder: Path, runs: int) -> dict[str, Any]:
    program = built("index")
    settings = Settings(cache_folder=folder / "cache", worker_count=1)
    pool = WorkerPool(settings)
    ours, helms, lookups = [], [], []
    index, entries = folder / "index.yaml", folder / "entries"
    try:
        await pool.compact_index(index, entries, "warm")  # starts the worker
        for _ in range(runs):
            helms.append(await asyncio.to_thread(_helm, program, index))
            started = time.perf_counter()
            await pool.compact_index(index, entries, "index.yaml")
            ours.append(time.perf_counter() - started)
        for chart in range(made_index.CHARTS):
            started = time.perf_counter()
            entries_of(entries, f"chart-{chart:03}")
            lookups.append(time.perf_counter() - started)
        grown = await _grown(folder, settings, pool)
        search = await asyncio.to_thread(_search, folder, runs)
    finally:
        await pool.close()
    return {
        "ours_seconds": round(statistics.median(ours), 3),
        "helm_seconds": round(statistics.median(helms), 3),
        "times_faster": round(statistics.median(helms) / statistics.median(ours), 1),
        "lookup_milliseconds": round(statistics.median(lookups) * 1000, 2),
        "main_grew_mib": round(grown / (1 << 20), 1),
        "search": search,
    }


def _search(folder: Path, runs: int) -> dict[str, float]:
    """Measure how long both clients take to search the index, in seconds."""
    home = folder / "home"
    (home / "cache").mkdir(parents=True)
    (home / "cache" / "big-index.yaml").symlink_to(folder / "index.yaml")
    known = "repositories:\n- name: big\n  url: http://127.0.0.1:1\n"
    (home / "repositories.yaml").write_text(known, encoding="utf-8")
    files = {"config": home / "repositories.yaml", "cache": home / "cache"}
    place = [f"--repository-{name}={path}" for name, path in files.items()]
    programs_of = {
        "ours_seconds": Path(sys.executable).with_name("whipstaff"),
        "helm_seconds": programs.find()["helm"],
    }
    found: dict[str, list[float]] = {name: [] for name in programs_of}
    said = set()
    for _ in range(runs):
        for name, program in programs_of.items():
            started = time.perf_counter()
            done = subprocess.run(
                [program, "search", "repo", "chart-001", *place], capture_output=True, check=True
            )
            found[name].append(time.perf_counter() - started)
            said.add(done.stdout)
    if len(said) != 1:
        raise RuntimeError("the two clients do not find the same")
    return {name: round(statistics.median(times), 3) for name, times in found.items()}


def _helm(program: Path, index: Path) -> float:
    done = subprocess.run(
        [str(program), str(index), "1"], capture_output=True, check=True, text=True
    )
    (seconds,) = json.loads(done.stdout)
    return float(seconds)


async def _grown(folder: Path, settings: Settings, pool: WorkerPool) -> int:
    """Return by how many bytes the peak of this process rose while it fetched the index."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    source = HTTPRepositories(settings, pool, time.monotonic)
    try:
        _forget_peak()
        before = _peak_bytes()
        await source.refresh(Place(URL(f"http://127.0.0.1:{server.server_address[1]}")))
        return _peak_bytes() - before
    finally:
        await source.close()
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) << 10


if __name__ == "__main__":
    main()
