"""Start programs, know them again, and end them for certain."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.02


class StartFailed(Exception):
    """A program ended, or never became ready; the text names it and shows the end of its log."""


@dataclass(frozen=True, slots=True)
class Process:
    """A started program. Its number may be another's by now; with the start time it is not."""

    name: str
    pid: int
    started_ticks: int  # clock ticks after boot, from /proc


def spawn(
    name: str, command: list[str], log: Path, environment: Mapping[str, str] | None = None
) -> tuple[Process, subprocess.Popen[bytes]]:
    """Start a program in a process group of its own, with its output appended to a log."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            start_new_session=True,
        )
    return Process(name, child.pid, _started_ticks(child.pid) or 0), child


def alive(process: Process) -> bool:
    """Say whether that very program still runs; one that has ended but was not reaped does not."""
    return _started_ticks(process.pid) == process.started_ticks


def end(
    processes: Iterable[Process],
    children: Iterable[subprocess.Popen[bytes]] = (),
    grace_seconds: float = 2.0,
) -> None:
    """End programs and whatever they started: asked first, then made to, and waited for.

    `children` are those among them that this process started and so must reap.
    """
    left = given = list(processes)
    mine = [child for child in children if child.pid in {process.pid for process in given}]
    # An API server whose etcd is gone waits a minute for its watchers: hence the short grace.
    for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 10.0)):
        if number is signal.SIGTERM and not grace_seconds:
            continue
        left = [process for process in left if alive(process)]
        for process in left:
            _signal_group(process, number)
        _wait_for(left, seconds)
    for child in mine:
        child.wait()


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, or a word on why there are none."""
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _wait_for(processes: list[Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(alive(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _signal_group(process: Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _started_ticks(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The program's name stands in brackets and may hold anything, brackets and blanks too.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
