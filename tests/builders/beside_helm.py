"""The helm binary and our command on the same files: what they print, and what they leave."""

import os
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from click.testing import CliRunner

from tests.builders.helm_commands import lay_out
from tools.controlplane import programs
from whipstaff.cli.main import main

PATIENCE_SECONDS = 120.0
_OURS = [sys.executable, "-c", "from whipstaff.cli.main import main; main(prog_name='whipstaff')"]


class Said(NamedTuple):
    """How a command ended; the folder is FOLDER in it."""

    stdout: str
    stderr: str
    code: int


class Side:
    """One of the two commands with a folder and a home of its own."""

    def __init__(self, folder: Path, command) -> None:
        self.folder = folder
        self.command = command
        self.home = folder.parent / f"home-of-{folder.name}"
        self.home.mkdir(parents=True)
        folder.mkdir()

    def run(self, *arguments, data=b"") -> Said:
        """Run in the folder; `helm` in messages is what our command is called."""
        done = subprocess.run(
            [*self.command, *map(str, arguments)],
            cwd=self.folder,
            env=self._environment(),
            input=data,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return Said(self._told(done.stdout), self._told(done.stderr), done.returncode)

    def _environment(self) -> dict[str, str]:
        kinds = ("CACHE", "CONFIG", "DATA")
        return {
            "PATH": os.environ.get("PATH", ""),
            **{f"HELM_{kind}_HOME": str(self.home / kind) for kind in kinds},
            "HOME": str(self.home),
            "TZ": "UTC",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }

    def _told(self, output: bytes) -> str:
        text = output.decode("utf-8", "surrogateescape")
        for path, name in ((self.folder, "FOLDER"), (self.home, "HOME")):
            text = text.replace(str(path), name)
        return text

    def tree(self, *names) -> dict[str, bytes]:
        """The files below these paths; folders end with a slash, archives are unpacked."""
        found = {}
        for name in names or (".",):
            for path in sorted((self.folder / name).rglob("*")):
                place = str(path.relative_to(self.folder))
                found.update(_content(place, path))
        return found


def _content(place: str, path: Path) -> dict[str, bytes]:
    if path.is_symlink():
        return {f"{place}@": str(path.readlink()).encode()}
    if path.is_fifo():
        return {f"{place}|": b""}
    if path.is_dir():
        return {f"{place}/": b""}
    if path.suffix == ".tgz" and tarfile.is_tarfile(path):
        return {f"{place}!{name}": data for name, data in members(path).items()}
    return {place: path.read_bytes()}


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar if one.isreg()}


class OwnSide(Side):
    """Our command, in this process where it can be: that is much faster.

    Environment and folder are the process's own: what is piped into and what runs beside another
    gets a process of its own.
    """

    def run(self, *arguments, data=b"") -> Said:
        if data or threading.current_thread() is not threading.main_thread():
            return super().run(*arguments, data=data)
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            with patch.dict(os.environ, self._environment(), clear=True):
                done = CliRunner().invoke(main, [*map(str, arguments)])
        finally:
            os.chdir(before)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Said(self._told(done.stdout_bytes), self._told(done.stderr_bytes), done.exit_code)


class Beside:
    """Both commands, each on its own copy of the same files."""

    def __init__(self, folder: Path) -> None:
        self.helm = Side(folder / "helm", [programs.find()["helm"]])
        self.ours = OwnSide(folder / "ours", _OURS)

    def lay_out(self, files) -> None:
        """Write files (path to text or bytes) for both."""
        for side in (self.helm, self.ours):
            lay_out({k: v for k, v in files.items() if isinstance(v, str)}, side.folder)
            for name, data in files.items():
                if isinstance(data, bytes):
                    path = side.folder / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)

    def run(self, *arguments, data=b"") -> tuple[Said, Said]:
        """Run both; return ours and helm's in our names."""
        helms = self.helm.run(*arguments, data=data)
        renamed = (text.replace('"helm ', '"whipstaff ') for text in helms[:2])
        usage = (text.replace("Usage:  helm ", "Usage:  whipstaff ") for text in renamed)
        return self.ours.run(*arguments, data=data), Said(*usage, helms.code)

    def same(self, *arguments, data=b"") -> Said:
        """Run both, and see to it that they say and leave the same; return what they say."""
        ours, helms = self.run(*arguments, data=data)
        assert ours == helms
        assert self.ours.tree() == self.helm.tree()
        return ours
