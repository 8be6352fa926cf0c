"""Command line: `python -m tools.controlplane up|down|status|build|env|pause|resume|restart`."""

import argparse
import shlex
import sys
import time
from pathlib import Path

from tools.controlplane import obtain, programs
from tools.controlplane.cluster import STATES, Cluster, existing, remove
from tools.controlplane.processes import StartFailed


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 1 says that it failed, with the reason on standard error."""
    parser = argparse.ArgumentParser(prog="python -m tools.controlplane", description=__doc__)
    parser.add_argument("--name", default="cluster", help="which control plane (default: cluster)")
    parser.add_argument("--states", type=Path, default=STATES, help="where state folders are kept")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, help_text) in COMMANDS.items():
        commands.add_parser(name, help=help_text)
    commands.add_parser("guard").add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    try:
        if given.command == "guard":
            return guard(given.folder)
        return COMMANDS[given.command][0](given.states / given.name)
    except (StartFailed, programs.ProgramsMissing) as error:
        progress(str(error))
        return 1


def progress(text: str) -> None:
    """Say on standard error how far things are."""
    print(text, file=sys.stderr, flush=True)


def up(folder: Path) -> int:
    """Start a control plane, unless it runs; a half-dead one is replaced."""
    cluster = existing(folder)
    if cluster and not cluster.ended():
        progress(f"already running at {cluster.server}")
        return 0
    remove(folder)
    found = obtain.obtain(progress)
    started = time.monotonic()
    cluster = Cluster(folder, found).start()
    progress(f"control plane ready at {cluster.server} after {time.monotonic() - started:.1f} s")
    progress(f"export KUBECONFIG={cluster.kubeconfig}")
    return 0


def down(folder: Path) -> int:
    """End a control plane and remove its files; when there is none, that is fine too."""
    remove(folder)
    return 0


def status(folder: Path) -> int:
    """Say what runs; 1 when something does not that should."""
    cluster = existing(folder)
    if cluster is None:
        print("not running")
        return 1
    for process in cluster.processes:
        if process.name in cluster.running():
            print(f"{process.name}\trunning\t{cluster.layout.log(process.name)}")
    for name in cluster.ended():
        print(f"{name}\tended\t{cluster.layout.log(name)}")
    print(f"server\t{cluster.server}")
    return 1 if cluster.ended() else 0


def env(folder: Path) -> int:
    """Print shell lines that make `kubectl` and `helm` use the control plane."""
    cluster = existing(folder)
    if cluster is None:
        progress("not running")
        return 1
    for name, value in cluster.environment().items():
        print(f"export {name}={shlex.quote(value)}")
    folders = ":".join(sorted({str(path.parent) for path in cluster.programs.values()}))
    print(f"export PATH={shlex.quote(folders)}:$PATH")
    return 0


def build(_folder: Path) -> int:
    """Get the programs without starting anything."""
    found = obtain.obtain(progress)
    for module, tests in ((programs.REGISTRY, "OCI registries"), (programs.JUDGES, "GitOps tools")):
        try:
            found |= obtain.obtain_built(module, progress)
        except programs.ProgramsMissing as error:
            progress(f"tests of {tests} cannot run here: {error}")
    for name, path in found.items():
        print(f"{name}\t{path}")
    return 0


def pause(folder: Path) -> int:
    """End the API server alone."""
    Cluster.load(folder).pause_api_server()
    return 0


def resume(folder: Path) -> int:
    """Start the API server again on its port."""
    Cluster.load(folder).resume_api_server()
    return 0


def restart(folder: Path) -> int:
    """Restart the API server."""
    Cluster.load(folder).restart_api_server()
    return 0


def guard(folder: Path) -> int:
    """Wait until whoever started this is gone, then remove the control plane in that folder."""
    sys.stdin.buffer.read()
    remove(folder, grace_seconds=0.0)
    return 0


COMMANDS = {
    "up": (up, "start a control plane"),
    "down": (down, "end it and remove its files"),
    "status": (status, "say what runs"),
    "env": (env, "print shell lines to use it"),
    "build": (build, "get the programs: found, downloaded or built"),
    "pause": (pause, "take its API server away"),
    "resume": (resume, "bring its API server back"),
    "restart": (restart, "restart its API server"),
}

if __name__ == "__main__":
    sys.exit(main())
