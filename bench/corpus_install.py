"""Install every chart of the corpus with the operator: `make corpus-install`.

One control plane, one operator, the charts one after another in the manifest's order: a HelmRelease
with the chart's default values is applied, its outcome awaited and compared with what
`helm install --wait` did (install-outcomes.json of the corpus), then it is deleted, and nothing may
be left that helm would have taken away. The last line is JSON; a run of all charts keeps it in
bench/results/corpus-install.json. The exit code is 1 where anything differs.
"""

import argparse
import http.client
import json
import os
import re
import ssl
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from bench.cluster import Api
from bench.leftovers import Leftovers
from bench.machine import machine
from bench.processes import cpu_seconds
from tools.chartrepo import ChartRepository
from tools.controlplane import obtain
from tools.controlplane.cluster import ROOT, Cluster
from tools.running_operator import RunningOperator, prepare

RESULT = ROOT / "bench" / "results" / "corpus-install.json"
CORPUS = Path(os.environ.get("WHIPSTAFF_CORPUS", ROOT.parent / "shared" / "corpus"))
NAMESPACE = "corpus"  # of the HelmReleases; each release has a namespace of its own
RELEASES = f"/apis/whipstaff.dev/v1/namespaces/{NAMESPACE}/helmreleases"
LIMIT_SECONDS = 90.0  # for one change of one HelmRelease
HELM_SECONDS = 208.0  # what helm needed for all charts of the corpus
TOLD_LIMIT = 2000  # characters: the operator cuts longer messages
READY, REFUSED = "ready", "refused"


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of the corpus and how helm's installation of it ended."""

    id: str
    name: str
    version: str
    archive: bytes
    values: dict[str, Any]
    skip_schema: bool  # helm was told so
    helm_says: str  # nothing for an installation that became ready

    @property
    def release(self) -> str:
        """The name of its HelmRelease."""
        return self.id.replace("__", "--").replace("_", "-")

    @property
    def namespace(self) -> str:
        """The namespace that it is installed in."""
        return f"c-{self.release}"


@dataclass(slots=True)
class Row:
    """What became of one chart."""

    chart: Chart
    outcome: str = ""
    message: str = ""
    install_seconds: float = 0.0
    uninstall_seconds: float = 0.0
    helm_seconds: float = 0.0  # for both, in the same run
    differences: list[str] = field(default_factory=list)


def load(corpus: Path, only: Sequence[str] = ()) -> list[Chart]:
    """Read the charts in the manifest's order."""
    manifest = json.loads((corpus / "manifest.json").read_text())
    given = {case["id"]: case for case in manifest["cases"] if case["case"] == "default"}
    outcomes = json.loads((corpus / "install-outcomes.json").read_text())["outcomes"]
    return [
        Chart(
            id=name,
            name=facts["chart"],
            version=facts["version"],
            archive=(corpus / facts["archive"]).read_bytes(),
            values=yaml.safe_load((corpus / name / "values-default.yaml").read_text()) or {},
            skip_schema="--skip-schema-validation" in given[name].get("helm_args", ()),
            helm_says=outcomes[name].get("helm_says", ""),
        )
        for name, facts in manifest["charts"].items()
        if not only or name in only
    ]


def causes(helm_says: str) -> list[str]:
    """Return what names the cause in a message of helm: a status has to say each of them."""
    kinds = re.findall(r'no matches for kind "[^"]+" in version "[^"]+"', helm_says)
    if kinds:
        return list(dict.fromkeys(kinds))
    refused = re.findall(r'(\S+ "[^"]+" is invalid): \[?([^\s:]+): ', helm_says)
    if refused:  # the values that the API server repeats stay out of status
        return [text for pair in refused for text in pair]
    return [helm_says.rpartition("typed patch object ")[2]]


def missing_causes(helm_says: str, message: str) -> list[str]:
    """Return the causes that a status does not name; one that is cut names the first ones."""
    said = " ".join(message.split())
    wanted = [" ".join(cause.split()) for cause in causes(helm_says)]
    missing = [cause for cause in wanted if cause not in said]
    cut = len(message) >= TOLD_LIMIT
    return missing if not cut or missing == wanted else []


class Watch:
    """All HelmReleases as they change: one connection, so that asking costs nothing."""

    def __init__(self, cluster: Cluster) -> None:
        host, _, port = cluster.api.server.removeprefix("https://").partition(":")
        trust = ssl.create_default_context(cafile=str(cluster.ca_certificate))
        self._connection = http.client.HTTPSConnection(
            host, int(port), context=trust, timeout=LIMIT_SECONDS
        )
        self._headers = {"Authorization": f"Bearer {cluster.token}"}
        self._answer = self._open()
        while self._answer.status != http.HTTPStatus.OK:  # the store of a new kind begins: 429
            self._answer.read()
            time.sleep(0.1)
            self._answer = self._open()

    def close(self) -> None:
        """End the connection."""
        self._answer.close()
        self._connection.close()

    def _open(self) -> http.client.HTTPResponse:
        path = f"{RELEASES}?watch=true&timeoutSeconds=7200"
        self._connection.request("GET", path, headers=self._headers)
        return self._connection.getresponse()

    def events(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what happens to a HelmRelease; RuntimeError when that takes too long."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < deadline:
            try:
                line = self._answer.readline()
            except TimeoutError:
                break
            if not line:
                raise RuntimeError("the API server ended the watch")
            event = json.loads(line)
            if event["object"]["metadata"]["name"] == name:
                yield event["type"], event["object"]
        raise RuntimeError(f"{name}: nothing came of it in {LIMIT_SECONDS:.0f} s")


class Run:
    """One run over charts."""

    def __init__(
        self, cluster: Cluster, sources: Mapping[str, str], *, with_helm: bool = False
    ) -> None:
        """`sources`: the repository of each chart."""
        self._with_helm = with_helm
        cluster.kubectl("create", "namespace", NAMESPACE)
        self._cluster = cluster
        self._api = Api(cluster)
        self._sources = sources
        self._watch = Watch(cluster)
        self._leftovers = Leftovers(cluster)
        self.rows: list[Row] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()
        self._watch.close()

    def all(self, charts: Sequence[Chart]) -> None:
        """Install and uninstall one chart after another, and say at the end what was left."""
        for position, chart in enumerate(charts):
            row = Row(chart)
            self.rows.append(row)
            # Who comes second finds the definitions of crds/ there: that is shared fairly.
            if self._with_helm and position % 2:
                self._helm(row)
            try:
                self._one(row)
            except RuntimeError as error:
                row.differences.append(str(error))
                self._api.close()  # the API server gives idle connections up
                self._api = Api(self._cluster)
            if self._with_helm and not position % 2:
                self._helm(row)
            print(_line(row), flush=True)
        for name, left in self._leftovers.at_last().items():
            row = next(row for row in self.rows if row.chart.id == name)
            row.differences += [f"left behind: {key}" for key in left]
            print(_line(row), flush=True)

    def _one(self, row: Row) -> None:
        chart = row.chart
        before = self._leftovers.begin()
        begun = time.monotonic()
        self._api.ask("POST", RELEASES, self._release(chart))
        self._await_outcome(row)
        row.install_seconds = time.monotonic() - begun
        self._compare(row)
        kept = self._leftovers.kept_by_helm(chart.archive, chart.namespace)
        begun = time.monotonic()
        self._api.ask("DELETE", f"{RELEASES}/{chart.release}")
        for kind, _ in self._watch.events(chart.release):
            if kind == "DELETED":
                break
        row.uninstall_seconds = time.monotonic() - begun
        self._leftovers.end(chart.id, before, kept)

    def _helm(self, row: Row) -> None:
        """Do the same with the helm command, in a namespace of its own."""
        chart, place = row.chart, ("--namespace", f"h-{row.chart.release}")
        source = (chart.name, "--version", chart.version, "--repo", self._sources[chart.id])
        options = ("--create-namespace", "--wait", "--timeout", "60s")
        skip = ("--skip-schema-validation",) if chart.skip_schema else ()
        begun = time.monotonic()
        install = ("install", "demo", *source, *place, *options, *skip)
        self._cluster.run("helm", *install, check=False)
        self._cluster.run("helm", "uninstall", "demo", *place, "--ignore-not-found")
        row.helm_seconds = time.monotonic() - begun

    def _release(self, chart: Chart) -> dict[str, Any]:
        source = {
            "name": chart.name,
            "version": chart.version,
            "repository": self._sources[chart.id],
        }
        spec = {
            "chart": source,
            "releaseName": "demo",
            "targetNamespace": chart.namespace,
            "createNamespace": True,
            "timeout": "60s",
            "install": {"disableSchemaValidation": chart.skip_schema},
            "uninstall": {"disableWait": True},  # helm does not wait either
            "values": chart.values,
        }
        return {
            "apiVersion": "whipstaff.dev/v1",
            "kind": "HelmRelease",
            "metadata": {"name": chart.release, "namespace": NAMESPACE},
            "spec": spec,
        }

    def _await_outcome(self, row: Row) -> None:
        for _, release in self._watch.events(row.chart.release):
            conditions = {c["type"]: c for c in release.get("status", {}).get("conditions", [])}
            ready = conditions.get("Ready", {})
            if ready.get("status") == "True":
                row.outcome, row.message = READY, ready["message"]
                return
            if conditions.get("Stalled", {}).get("status") == "True":
                row.outcome, row.message = REFUSED, conditions["Stalled"]["message"]
                return

    def _compare(self, row: Row) -> None:
        says = row.chart.helm_says
        expected = REFUSED if says else READY
        if row.outcome != expected:
            row.differences.append(f"{expected} with helm, here {row.outcome}: {row.message}")
        elif says and (missing := missing_causes(says, row.message)):
            row.differences.append(f"not named: {missing}; said: {row.message}")


def _line(row: Row) -> str:
    name = f"{row.chart.id} {row.chart.version}"
    seconds = f"{row.install_seconds:7.2f} {row.uninstall_seconds:7.2f}"
    seconds += f" {row.helm_seconds:7.2f}" if row.helm_seconds else ""
    helm = REFUSED if row.chart.helm_says else READY
    differences = "".join(f"\n    {text}" for text in row.differences)
    return f"{name:60} {helm:8} {row.outcome:8} {seconds}{differences}"


def serve(charts: Sequence[Chart], repositories: Sequence[ChartRepository]) -> dict[str, str]:
    """Put each chart into a repository; return the URL of each chart's."""
    for chart in charts:
        repositories[0].add(chart.archive)
    return {chart.id: repositories[0].url for chart in charts}


def phase_seconds(operator: RunningOperator) -> dict[str, float]:
    """Return how long each phase of all installations took, as the operator's metrics say."""
    with urllib.request.urlopen(f"http://127.0.0.1:{operator.probe_port}/metrics") as answer:
        text = answer.read().decode()
    sums = re.findall(r'_phase_seconds_sum\{action="install",phase="(\w+)"\} (\S+)', text)
    return {phase: round(float(seconds), 1) for phase, seconds in sums}


def summary(rows: Sequence[Row], wall: float, cpu: float) -> dict[str, Any]:
    """Return the figures of a run."""
    helm = sum(row.helm_seconds for row in rows)
    return {
        "charts": len(rows),
        "ready": sum(1 for row in rows if row.outcome == READY),
        "refused": sum(1 for row in rows if row.outcome == REFUSED),
        "differences": {row.chart.id: row.differences for row in rows if row.differences},
        "wall_seconds": round(wall - helm, 1),
        "helm_seconds_in_this_run": round(helm, 1),
        "operator_cpu_seconds": round(cpu, 1),
        "helm_wall_seconds": HELM_SECONDS,
        "charts_seconds": {
            row.chart.id: [round(row.install_seconds, 2), round(row.uninstall_seconds, 2)]
            for row in rows
        },
    }


def run(charts: Sequence[Chart], folder: Path, *, with_helm: bool) -> dict[str, Any]:
    """Start a control plane and the operator, run the charts through, and return the figures."""
    programs = obtain.obtain(lambda text: print(text, file=sys.stderr))
    with ChartRepository() as repository:
        sources = serve(charts, [repository])
        cluster = Cluster(folder / "cluster", programs).start(guarded=True)
        try:
            prepare(cluster)
            operator = RunningOperator(cluster).start()
            process = operator.process
            assert process is not None
            cpu, begun = cpu_seconds(process.pid), time.monotonic()
            with Run(cluster, sources, with_helm=with_helm) as work:
                work.all(charts)
            wall, cpu = time.monotonic() - begun, cpu_seconds(process.pid) - cpu
            phases = phase_seconds(operator)
            on = machine(
                load_average=round(os.getloadavg()[1], 1),  # of the last five minutes
                helm=cluster.helm("version", "--short").strip(),
                kubernetes=cluster.api.request("GET", "/version")["gitVersion"],
            )
        finally:
            cluster.stop(grace_seconds=0.0)
    return {**summary(work.rows, wall, cpu), "phase_seconds": phases, "on": on}


def main() -> None:
    """Run once, print, and keep the result of a whole run."""
    parser = argparse.ArgumentParser(prog="python -m bench.corpus_install", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="these charts alone")
    parser.add_argument("--with-helm", action="store_true", help="time helm in the same run")
    given = parser.parse_args()
    only = given.only
    with tempfile.TemporaryDirectory() as folder:
        result = run(load(CORPUS, only), Path(folder), with_helm=given.with_helm)
    if not only:
        RESULT.write_text(json.dumps(result, indent=2) + "\n")
    shown = {key: value for key, value in result.items() if key != "charts_seconds"}
    print(json.dumps(shown))
    sys.exit(1 if result["differences"] else 0)


if __name__ == "__main__":
    main()
