"""Measure the operator on the embedded control plane: `make bench-cluster N=100`.

N HelmReleases of a chart with one Deployment and one Service: all installed, all upgraded, then
100 single edits and single rollbacks, then a resync of all. The helm CLI does a few of the same
in the same run. The last line is JSON; it is kept in bench/results, in a file for each N.
"""

import argparse
import http.client
import json
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.machine import machine
from bench.processes import Peak, cpu_seconds
from tools.chartrepo import ChartRepository
from tools.controlplane import audit, obtain
from tools.controlplane.cluster import ROOT, Cluster
from tools.running_operator import RunningOperator, prepare

RESULTS = ROOT / "bench" / "results"
NAMESPACE = "bench"
RELEASES = f"/apis/whipstaff.dev/v1/namespaces/{NAMESPACE}/helmreleases"
SINGLES = 100
HELM_RUNS = 5
LIMIT_SECONDS = 900.0
ASKED_A_SECOND = 400  # HelmReleases: asking must not cost more than what is measured
MERGE, JSON = "application/merge-patch+json", "application/json"


class Api:
    """One kept connection to the API server: asking must not cost more than what is measured."""

    def __init__(self, cluster: Cluster) -> None:
        host, _, port = cluster.api.server.removeprefix("https://").partition(":")
        trust = ssl.create_default_context(cafile=str(cluster.ca_certificate))
        self._connection = http.client.HTTPSConnection(host, int(port), context=trust)
        self._token = cluster.token

    def ask(self, method: str, path: str, body: object = None, kind: str = JSON) -> Any:  # noqa: ANN401
        """Return the answer's JSON; None for 404."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        payload = None if body is None else json.dumps(body)
        self._connection.request(method, path, payload, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status == http.HTTPStatus.NOT_FOUND:
            return None
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def until(done: Callable[[], bool], pause_seconds: float, what: str) -> float:
    """Poll until done; return the seconds that it took."""
    begun = time.monotonic()
    while not done():
        if time.monotonic() - begun > LIMIT_SECONDS:
            raise RuntimeError(f"{what}: not done after {LIMIT_SECONDS:.0f} s")
        time.sleep(pause_seconds)
    return time.monotonic() - begun


def a_release(name: str, url: str, message: str) -> dict[str, Any]:
    """Return a HelmRelease of the plain sample chart."""
    chart = {"name": "plain", "version": "*", "repository": url}
    return {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRelease",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"chart": chart, "values": {"message": message}},
    }


def all_ready(api: Api, expected: int) -> bool:
    """Say whether all releases are Ready at their newest generation."""
    items = api.ask("GET", RELEASES)["items"]
    return len(items) == expected and all(is_ready(item) for item in items)


def is_ready(item: dict[str, Any]) -> bool:
    """Say whether one release is Ready at its newest generation."""
    status = item.get("status", {})
    ready = [c for c in status.get("conditions", []) if c["type"] == "Ready"]
    current = status.get("observedGeneration") == item["metadata"]["generation"]
    return current and bool(ready) and ready[0]["status"] == "True"


def deployed(api: Api, name: str, revision: int) -> bool:
    """Say whether a revision is stored as deployed."""
    secret = f"/api/v1/namespaces/{NAMESPACE}/secrets/sh.helm.release.v1.{name}.v{revision}"
    found = api.ask("GET", secret)
    return found is not None and found["metadata"]["labels"]["status"] == "deployed"


def single(api: Api, name: str, spec: dict[str, Any], revision: int) -> float:
    """Edit one HelmRelease; return the seconds until its revision is deployed."""
    begun = time.monotonic()
    api.ask("PATCH", f"{RELEASES}/{name}", {"spec": spec}, MERGE)
    until(lambda: deployed(api, name, revision), 0.005, f"revision {revision} of {name}")
    return time.monotonic() - begun


def helm_seconds(cluster: Cluster, archive: Path) -> dict[str, float]:
    """Return the median seconds of helm's own install, upgrade and rollback, waits included."""
    seconds: dict[str, list[float]] = {"install": [], "upgrade": [], "rollback": []}

    def timed(verb: str, *arguments: str) -> None:
        begun = time.monotonic()
        cluster.helm(verb, *arguments, "--namespace", NAMESPACE, "--wait")
        seconds[verb].append(time.monotonic() - begun)

    for run in range(HELM_RUNS):
        name = f"helm-{run}"
        timed("install", name, str(archive))
        timed("upgrade", name, str(archive), "--set", "message=changed")
        timed("rollback", name, "1")
        cluster.helm("uninstall", name, "--namespace", NAMESPACE)
    return {verb: round(statistics.median(runs), 3) for verb, runs in seconds.items()}


class Bench:
    """One run."""

    def __init__(self, cluster: Cluster, repository: ChartRepository, count: int) -> None:
        self.cluster = cluster
        self.url = repository.url
        self.count = count
        self.api = Api(cluster)
        self.names = [f"plain-{number:04d}" for number in range(count)]
        self.result: dict[str, Any] = {"releases": count}

    def run(self, operator: RunningOperator) -> dict[str, Any]:
        """Measure everything with a running operator."""
        process = operator.process
        if process is None:
            raise RuntimeError("the operator does not run")
        pid = process.pid
        with Peak(pid) as peak:
            self._bulk("install", pid, lambda name: ("POST", RELEASES, self._new(name), JSON))
            self._bulk(
                "upgrade",
                pid,
                lambda name: ("PATCH", f"{RELEASES}/{name}", {"spec": _values("second")}, MERGE),
            )
            self._singles()
            self._resync(operator)
        self.result["peak_rss_mib"] = round(peak.mib, 1)
        return self.result

    def _new(self, name: str) -> dict[str, Any]:
        return a_release(name, self.url, "first")

    def _bulk(self, what: str, pid: int, call: Callable[[str], tuple[str, str, Any, str]]) -> None:
        cpu, offset = cpu_seconds(pid), self._offset()
        begun = time.monotonic()
        for name in self.names:
            self.api.ask(*call(name))
        pause_seconds = max(0.25, self.count / ASKED_A_SECOND)
        until(lambda: all_ready(self.api, self.count), pause_seconds, what)
        self.result[f"{what}_seconds"] = round(time.monotonic() - begun, 2)
        self.result[f"{what}_cpu_seconds"] = round(cpu_seconds(pid) - cpu, 2)
        if what == "install":
            writes = self._writes(offset)
            self.result["writes_per_release"] = round(writes / self.count, 2)

    def _singles(self) -> None:
        chosen = [self.names[run % self.count] for run in range(SINGLES)]
        revisions = dict.fromkeys(chosen, 2)
        edits, rollbacks = [], []
        for run, name in enumerate(chosen):
            revisions[name] += 1
            edits.append(single(self.api, name, _values(f"edit {run}"), revisions[name]))
        for name in dict.fromkeys(chosen):
            revisions[name] += 1
            rollbacks.append(single(self.api, name, {"revision": 1}, revisions[name]))
        for what, seconds in (("edit", edits), ("rollback", rollbacks)):
            self.result[f"{what}_p50_seconds"] = round(statistics.median(seconds), 3)
            self.result[f"{what}_min_seconds"] = round(min(seconds), 3)
            worst = statistics.quantiles(seconds, n=100, method="inclusive")[-1]
            self.result[f"{what}_p99_seconds"] = round(worst, 3)

    def _resync(self, operator: RunningOperator) -> None:
        """Start the operator again: it looks at every release, and has nothing to write."""
        until(lambda: all_ready(self.api, self.count), 0.25, "all settled")
        time.sleep(5)  # events and last words of status
        operator.stop()
        offset = self._offset()
        operator.start()
        time.sleep(5 + self.count / 20)
        self.result["noop_writes"] = self._writes(offset)
        process = operator.process
        if process is not None:  # its start and a pass over every release
            self.result["resync_cpu_seconds"] = round(cpu_seconds(process.pid), 2)

    def _offset(self) -> int:
        return self.cluster.audit_log.stat().st_size

    def _writes(self, offset: int) -> int:
        made = audit.writes(self.cluster.audit_log, offset, user_agent="whipstaff")
        return sum(1 for request in made if request.resource != "leases")


def _values(message: str) -> dict[str, Any]:
    return {"values": {"message": message}}


def _ratios(result: dict[str, Any], helm: dict[str, float]) -> dict[str, float]:
    """Return helm's time divided by ours for one release."""
    return {
        "edit_ratio": round(helm["upgrade"] / result["edit_p50_seconds"], 2),
        "rollback_ratio": round(helm["rollback"] / result["rollback_p50_seconds"], 2),
        "install_all_ratio": round(
            helm["install"] * result["releases"] / result["install_seconds"], 2
        ),
    }


def _machine(cluster: Cluster) -> dict[str, Any]:
    return machine(
        helm=cluster.helm("version", "--short").strip(),
        kubernetes=cluster.api.request("GET", "/version")["gitVersion"],
    )


def main() -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description=__doc__)
    parser.add_argument("--releases", type=int, default=100)
    count = parser.parse_args().releases
    with tempfile.TemporaryDirectory() as folder, ChartRepository() as repository:
        archive = repository.add(ROOT / "charts" / "samples" / "plain")
        chart = Path(folder) / archive
        chart.write_bytes(repository.archives[archive])
        programs = obtain.obtain(lambda text: print(text, file=sys.stderr))
        cluster = Cluster(Path(folder) / "cluster", programs).start(guarded=True)
        try:
            cluster.kubectl("create", "namespace", NAMESPACE)
            prepare(cluster)
            helm = helm_seconds(cluster, chart)
            print(f"helm: {helm}", flush=True)
            result = Bench(cluster, repository, count).run(RunningOperator(cluster).start())
            machine = _machine(cluster)
        finally:
            cluster.stop(grace_seconds=0.0)
    result |= {"helm_seconds": helm, **_ratios(result, helm), "on": machine}
    (RESULTS / f"cluster-{count}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
