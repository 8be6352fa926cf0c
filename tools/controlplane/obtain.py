"""Get the programs, whichever way is open: found here, downloaded, or built."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tools.controlplane import downloads, gobuild, programs

Progress = Callable[[str], None]


def obtain(progress: Progress, environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Return the path of every program, having got those that were missing.

    `WHIPSTAFF_MIRROR` names a mirror to download from instead of the official pages; `off` skips
    downloads. Raises `ProgramsMissing` when no way is left.
    """
    found = programs.find(environment)
    if not programs.missing(found):
        return found
    folder = programs.cache_folder(environment)
    with _alone(folder):
        # Another process may have got them while this one waited.
        if lacking := programs.missing(programs.find(environment)):
            progress(f"getting {', '.join(lacking)}")
            _download(lacking, folder, environment.get("WHIPSTAFF_MIRROR", ""), progress)
        if lacking := programs.missing(programs.find(environment)):
            gobuild.build(lacking, folder, progress)
    return programs.find(environment)


def obtain_built(
    module: programs.Module, progress: Progress, environment: Mapping[str, str] = os.environ
) -> dict[str, Path]:
    """Return the paths of programs that tests need besides, built first if they are not there."""
    folder = programs.cache_folder(environment, module)
    if programs.missing(programs.find(environment, module), module):
        with _alone(folder):
            lacking = programs.missing(programs.find(environment, module), module)
            gobuild.build(lacking, folder, progress, module)
    return programs.find(environment, module)


def _download(lacking: list[str], folder: Path, mirror: str, progress: Progress) -> None:
    if mirror == "off":
        return
    releases = downloads.mirrored(mirror) if mirror else downloads.official()
    try:
        downloads.fetch((r for r in releases if r.program in lacking), folder, progress)
    except downloads.DownloadRefused as error:
        progress(f"no download: {error}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
