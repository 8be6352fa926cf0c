"""Measure how long people wait for the command line, beside helm: `make bench-cli`.

100 releases of helm's own starter chart, three revisions each, lie in one namespace of the embedded
control plane. Both commands are started anew each time, as a shell starts them, in turns, and print
the same. Each number has the least and the median of the runs, in seconds, and the least CPU time,
which tells of the command on a machine that others use as well.

The last line is JSON; it is kept in bench/results/cli.json.
"""

import argparse
import base64
import copy
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.machine import machine
from tools.controlplane import obtain
from tools.controlplane.cluster import ROOT, Cluster
from whipstaff.release import codec
from whipstaff.settings import VERSION

RESULT = ROOT / "bench" / "results" / "cli.json"
RUNS = 15
RELEASES, REVISIONS = 100, 3
NAMESPACE = "bench-cli"
STORED = f"/api/v1/namespaces/{NAMESPACE}/secrets"
OURS = "from whipstaff.cli.main import main; main(prog_name='whipstaff')"
LINES = {
    "help": ("--help",),
    "version": ("version", "--client"),
    f"list_{RELEASES}": ("list", "-n", NAMESPACE),
    "history": ("history", "release-007", "-n", NAMESPACE),
    "get_values": ("get", "values", "release-007", "-n", NAMESPACE),
}
DIFFERENT = frozenset({"help", "version"})  # what they print
LIMITS = {"help": 0.25, f"list_{RELEASES}": 0.5}  # seconds, which are promised


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        programs = obtain.obtain(lambda text: print(text, file=sys.stderr))
        cluster = Cluster(Path(name) / "cluster", programs).start(guarded=True)
        try:
            cluster.kubectl("create", "namespace", NAMESPACE)
            _fill(cluster, Path(name))
            helm = cluster.helm("version", "--short").strip()
            theirs = str(programs["helm"])
            result = {line: _measured(cluster, theirs, line, given.runs) for line in LINES}
        finally:
            cluster.stop(grace_seconds=0.0)
    late = [line for line, limit in LIMITS.items() if result[line]["ours"]["median"] > limit]
    result |= {
        "releases": RELEASES,
        "revisions": REVISIONS,
        "runs": given.runs,
        "on": machine(system=platform.platform(), whipstaff=VERSION, helm=helm),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))
    if late:
        sys.exit(f"slower than promised: {', '.join(late)}")


def _fill(cluster: Cluster, folder: Path) -> None:
    """Store the revisions of all releases, made of one that helm installed."""
    cluster.run("helm", "create", str(folder / "starter"))
    place = ("-n", NAMESPACE)
    cluster.helm("install", "release-000", str(folder / "starter"), *place)
    first = cluster.api.request("GET", f"{STORED}/{_key(0, 1)}")
    record = codec.decode(base64.b64decode(first["data"]["release"]).decode("ascii"), _key(0, 1))
    for release in range(RELEASES):
        for revision in range(1, REVISIONS + 1):
            if (release, revision) != (0, 1):
                body = _holder(first, record, release, revision)
                cluster.api.request("POST", STORED, body)
    body = _holder(first, record, 0, 1) | {"metadata": first["metadata"]}
    body["metadata"]["labels"]["status"] = _status(1)
    cluster.api.request("PUT", f"{STORED}/{_key(0, 1)}", body)


def _holder(
    first: dict[str, Any], record: dict[str, Any], release: int, revision: int
) -> dict[str, Any]:
    name = f"release-{release:03}"
    record = copy.deepcopy(record)
    record["name"], record["version"] = name, revision
    record["info"]["status"] = _status(revision)
    labels = {**first["metadata"]["labels"], "name": name, "version": str(revision)}
    payload = base64.b64encode(codec.encode(record).encode("ascii")).decode("ascii")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": first["type"],
        "metadata": {
            "name": _key(release, revision),
            "labels": {**labels, "status": _status(revision)},
        },
        "data": {"release": payload},
    }


def _key(release: int, revision: int) -> str:
    return f"sh.helm.release.v1.release-{release:03}.v{revision}"


def _status(revision: int) -> str:
    return "deployed" if revision == REVISIONS else "superseded"


def _measured(cluster: Cluster, helm: str, line: str, runs: int) -> dict[str, Any]:
    """Run both commands in turns; what they print must be the same where it can be."""
    arguments = LINES[line]
    theirs = [word for word in arguments if word != "--client"]
    commands = {"ours": [sys.executable, "-c", OURS, *arguments], "helms": [helm, *theirs]}
    environment = {**os.environ, **cluster.environment()}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    cpu: dict[str, list[float]] = {name: [] for name in commands}
    said = set()
    for run in range(runs + 1):
        for name, command in commands.items():
            before, started = _cpu_seconds(), time.perf_counter()
            done = subprocess.run(command, env=environment, capture_output=True, check=True)
            if run:  # the first one reads files that the others find in memory
                seconds[name].append(time.perf_counter() - started)
                cpu[name].append(_cpu_seconds() - before)
            said.add(done.stdout)
    if len(said) != 1 and line not in DIFFERENT:
        raise RuntimeError(f"the two commands do not print the same of {line}")
    return {
        name: {
            "min": round(min(each), 3),
            "median": round(statistics.median(each), 3),
            "cpu": round(min(cpu[name]), 3),
        }
        for name, each in seconds.items()
    }


def _cpu_seconds() -> float:
    """Return what all processes took that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
