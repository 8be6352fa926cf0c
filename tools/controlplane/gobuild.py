"""Programs built from Go modules: slow once, and wherever Go and its module proxy are, it works."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tools.controlplane import programs

PROGRESS_SECONDS = 5.0
Progress = Callable[[str], None]


def build(
    names: Iterable[str],
    into: Path,
    progress: Progress,
    module: programs.Module = programs.CONTROL_PLANE,
) -> None:
    """Build programs into a folder, one after the other so that memory stays low.

    Raises `ProgramsMissing` when Go is not installed or a build fails, with the end of its output.
    """
    go = _go()
    into.mkdir(parents=True, exist_ok=True)
    wanted = list(names)
    for number, name in enumerate(wanted, start=1):
        progress(f"building {name} from Go modules, {number} of {len(wanted)}")
        _build_one(go, name, into, progress, module)


def _build_one(go: str, name: str, into: Path, progress: Progress, module: programs.Module) -> None:
    part = into / f"{name}.part"
    command = [
        go, "build", "-v", "-p", "2", "-mod=readonly", "-trimpath", "-buildvcs=false",
        "-ldflags", _version_stamps(), "-o", str(part), module.packages[name],
    ]  # fmt: skip
    if nice := shutil.which("nice"):
        command = [nice, "-n", "5", *command]
    started = shown = time.monotonic()
    last_lines: list[str] = []
    compiled = 0
    with subprocess.Popen(
        command,
        cwd=module.folder,
        env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            last_lines = [*last_lines[-19:], line.rstrip()]
            compiled += 1
            if (now := time.monotonic()) - shown >= PROGRESS_SECONDS:
                shown = now
                progress(f"building {name}: {now - started:.0f} s, {compiled} packages so far")
    if process.returncode != 0:
        raise programs.ProgramsMissing(
            "\n".join([f"go build of {name} ended with code {process.returncode}:", *last_lines])
        )
    part.rename(into / name)
    progress(f"built {name} in {time.monotonic() - started:.0f} s")


def _version_stamps() -> str:
    """Give the linker flags that stamp the versions in.

    Unstamped, the API server calls itself v0.0.0 and every chart with a `kubeVersion` is refused.
    """
    wanted = programs.versions()
    major, minor, _ = wanted.kubernetes.removeprefix("v").split(".", 2)
    kubernetes = "k8s.io/component-base/version"
    stamps = {
        f"{kubernetes}.gitVersion": wanted.kubernetes,
        f"{kubernetes}.gitMajor": major,
        f"{kubernetes}.gitMinor": minor,
        f"{kubernetes}.gitTreeState": "clean",
        "helm.sh/helm/v4/internal/version.version": wanted.helm,
        "sigs.k8s.io/kwok/pkg/consts.Version": wanted.kwok,
    }
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])


def _go() -> str:
    for candidate in ("go", "/usr/local/go/bin/go", "/usr/lib/go/bin/go"):
        if found := shutil.which(candidate):
            return found
    raise programs.ProgramsMissing(
        "Go is not installed, so the control plane's programs can't be built; "
        "install Go 1.26 or newer, or set KUBEBUILDER_ASSETS or WHIPSTAFF_MIRROR"
    )
