"""The program of `bench/helm_render`: Helm's own packages, asked over a pipe."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tools.controlplane.cluster import ROOT

SOURCE = ROOT / "bench" / "helm_render"
PROGRAMS = ROOT / ".whipstaff"


class HelmRefused(Exception):
    """Helm renders the chart no more; the text is its own."""


class HelmProgram:
    """Runs in a `with` block; orders are answered one after the other."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [str(built("."))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(10)

    def render(self, archive: Path, values: list[str], **order: object) -> dict[str, Any]:
        """Render once for each of the values; `load=True` times the reading of the archive too."""
        if not self._process.stdin or not self._process.stdout:
            raise RuntimeError("the program has no pipes")
        self._process.stdin.write(json.dumps({"archive": str(archive), "values": values} | order))
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        if answer["error"]:
            raise HelmRefused(answer["error"])
        return answer


def version() -> str:
    """Return the version of Helm that the program is made of."""
    lines = (SOURCE / "go.mod").read_text().splitlines()
    return next(line.split()[-1] for line in lines if "helm.sh/helm/v4 " in line)


def built(package: str) -> Path:
    """Return the program of a package of `SOURCE`; it is built if it is older than its source."""
    source = SOURCE / package
    program = PROGRAMS / ("helm_render" if package == "." else f"helm_{package}")
    newest = max(path.stat().st_mtime for path in source.iterdir() if path.is_file())
    if program.is_file() and program.stat().st_mtime >= newest:
        return program
    go = shutil.which("go") or "/usr/local/go/bin/go"
    stamp = f"-s -w -X helm.sh/helm/v4/internal/version.version={version()}"
    PROGRAMS.mkdir(exist_ok=True)
    subprocess.run(
        [
            *(go, "build", "-mod=readonly", "-trimpath", "-ldflags", stamp),
            *("-o", str(program), f"./{package}"),
        ],
        cwd=SOURCE,
        env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
        check=True,
    )
    return program
