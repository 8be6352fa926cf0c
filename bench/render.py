"""Measure rendering against Helm's own packages: `make bench-render`.

Every chart of the corpus, both sides in the same run and with the same work: read the archive where
that is measured, decide dependencies, coalesce and check values, render, split and sort.

rerender       one leaf changed that shows, the release known: as a worker renders a change
full_rerender  the same change with nothing kept of earlier renders but the chart
first          from the archive, nothing known of the chart
restart        what was rendered before known from the disk alone; Helm knows nothing then, and
               starts at the archive

The last line is JSON; it is kept in bench/results/render.json.
"""

import argparse
import gc
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise, repeat
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar

from bench import leaves
from bench.helm_program import HelmProgram, HelmRefused, version
from bench.machine import machine
from tools.controlplane.cluster import ROOT
from whipstaff.chart import dependencies, loader, rendering
from whipstaff.chart.capabilities import (
    DEFAULT_API_VERSIONS,
    APIVersions,
    Capabilities,
    KubeVersion,
)
from whipstaff.chart.incremental import Memory, Question
from whipstaff.chart.model import Chart
from whipstaff.chart.values import coalesce
from whipstaff.errors import OperatorError
from whipstaff.template.scope import RenderScope
from whipstaff.workers import collector
from whipstaff.workers.compiled import CompiledCharts
from whipstaff.workers.rendering import Charts
from whipstaff.workers.snapshots import Snapshots

RESULT = ROOT / "bench" / "results" / "render.json"
CORPUS = Path(os.environ.get("WHIPSTAFF_CORPUS", ROOT.parent / "shared" / "corpus"))
KUBE_VERSION = "1.36.0"
_SLOW_SECONDS = 1.0  # of one render; fewer runs are enough then
_KEY_SECONDS = 0.05  # of a render that no chart needs for what differs each time, but for keys
ARCHIVE_BYTES = 20 << 20
COLUMNS = ("rerender", "full_rerender", "first", "restart")


@dataclass(slots=True)
class Timing:
    """Seconds of the runs of one thing, Helm's and ours."""

    helm: list[float]
    ours: list[float]


@dataclass(slots=True)
class Row:
    """One chart; `rerender` and `full_rerender` have a timing for each of its cases."""

    chart: str
    makes_keys: bool = False
    timings: dict[str, list[Timing]] = field(default_factory=dict)

    def ratio(self, column: str) -> float:
        """Return Helm's time divided by ours, all cases together; 0 if nothing was measured.

        The best run counts: whatever else the machine does only ever makes a run slower. But how
        long a key takes is chance, so there it is the mean.
        """
        ours = self.seconds(column, "ours", self.of_runs)
        return self.seconds(column, "helm", self.of_runs) / ours if ours else 0.0

    @property
    def of_runs(self) -> Callable[[Iterable[float]], float]:
        return statistics.fmean if self.makes_keys else min

    def seconds(self, column: str, side: str, of_runs: Callable[[Iterable[float]], float]) -> float:
        """Return the sum over the cases of the minimum or the median of the runs."""
        return sum(of_runs(getattr(one, side)) for one in self.timings.get(column, ()))


class Case:
    """A chart with one set of values."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.name = f"{entry['id']}-{entry['case']}"
        self.archive = CORPUS / entry["archive"]
        self.text = (CORPUS / entry["values"]).read_text()
        self.deterministic = not entry["nondeterministic"]
        arguments: list[str] = entry.get("helm_args", [])
        self.order: dict[str, object] = {
            "kube_version": KUBE_VERSION,
            "api_versions": [],
            "is_upgrade": "--is-upgrade" in arguments,
            "skip_schema": "--skip-schema-validation" in arguments,
        }
        for flag, value in pairwise([*arguments, ""]):
            if flag in {"-a", "--api-versions"}:
                self.order["api_versions"] = value.split(",")
            elif flag == "--kube-version":
                self.order["kube_version"] = value

    def question(self, chart: Chart) -> Question:
        """Return what is asked of ours."""
        api_versions = (*DEFAULT_API_VERSIONS, *self.order["api_versions"])  # type: ignore[misc]  # a list
        return Question(
            chart,
            rendering.ReleaseInfo("demo", "prod", is_upgrade=bool(self.order["is_upgrade"])),
            Capabilities(
                KubeVersion.parse(str(self.order["kube_version"])), APIVersions(api_versions)
            ),
            rendering.Options(skip_schema_validation=bool(self.order["skip_schema"])),
        )

    def from_archive(
        self,
        charts: Charts,
        values: dict[str, Any],
        digest: str = "",
        kept: CompiledCharts | None = None,
    ) -> rendering.Rendered:
        """Load and render with ours."""
        memory = Memory(Snapshots(kept, digest) if kept else None)
        return _render(memory, self.question(charts.load(str(self.archive), digest)), values)

    def changed_values(self, question: Question, runs: int) -> list[str] | None:
        """Return values for so many runs, each with the same leaf changed once more."""
        given = loader.parse_values(self.text.encode(), "values.yaml")
        placed = dependencies.process(question.chart, given, _silent)
        known = coalesce(placed, given, _silent)
        memory = Memory()
        rendered = _render(memory, question, given)
        before, reads = rendered.manifest, rendered.reads

        def shows(path: leaves.Path, leaf: object) -> bool:
            if reads is None or not reads.is_read(path):
                return False
            if not self.deterministic:
                return True  # what is generated differs anyway
            try:
                after = _render(memory, question, leaves.with_leaf(given, path, leaf))
            except OperatorError:
                return False
            return after.manifest != before

        path = leaves.find(known, shows, self.name)
        if path is None:
            return None
        leaf = leaves.at(known, path)
        return [
            json.dumps(leaves.with_leaf(given, path, leaves.changed(leaf, run)))
            for run in range(runs)
        ]


_SOURCE = Random(7)
_EFFECTS = SimpleNamespace(
    now=lambda: datetime(2026, 1, 2, tzinfo=UTC),
    random=SimpleNamespace(randbytes=_SOURCE.randbytes, randbelow=_SOURCE.randrange),
    lookup=lambda *_: {},
)


def _render(memory: Memory, question: Question, values: dict[str, Any]) -> rendering.Rendered:
    rendered = memory.render(question, values, RenderScope(_EFFECTS))
    rendered.manifest  # noqa: B018 - Helm's side writes it as well
    return rendered


# -- what is measured ------------------------------------------------------------------------------


class Bench:
    """One run over the corpus."""

    def __init__(self, helm: HelmProgram, folder: Path, runs: int) -> None:
        self.helm = helm
        self.runs = runs
        self.kept = CompiledCharts(folder / "compiled")
        self.different: list[str] = []
        self.skipped: list[str] = []

    def measure(self, chart: str, cases: Sequence[Case]) -> Row:
        """Measure one chart."""
        row = Row(chart)
        runs = self.runs
        gc.collect()
        gc.freeze()  # what other charts left is no business of this one
        first = self._first(cases[0], runs)
        row.makes_keys = not cases[0].deterministic and min(first.helm) > _KEY_SECONDS
        if min(first.ours) > _SLOW_SECONDS:
            runs = min(runs, 3)
        row.timings["first"] = [first]
        row.timings["restart"] = [Timing(first.helm, self._after_restarts(cases[0], runs))]
        charts = Charts(ARCHIVE_BYTES, self.kept)
        for case in cases:
            digest = self._keep(case, charts)  # as a worker does after each render
            loaded = charts.load(str(case.archive), digest)
            for column, timing in self._again(case, loaded, runs).items():
                row.timings.setdefault(column, []).append(timing)
        return row

    def _again(self, case: Case, chart: Chart, runs: int) -> dict[str, Timing]:
        question = case.question(chart)
        texts = case.changed_values(question, runs + 1)
        if texts is None:
            self.skipped.append(f"{case.name}: no leaf that shows")
            return {}
        try:
            helm = self.helm.render(case.archive, texts, **case.order)
        except HelmRefused as error:
            self.skipped.append(f"{case.name}: {error}")
            return {}
        seconds = helm["seconds"][1:]  # the first run warms both
        found = {}
        for column, memories in {
            "rerender": repeat(Memory()),
            "full_rerender": iter(Memory, None),
        }.items():
            ours, manifest = _rendered_again(memories, question, texts)
            if case.deterministic and manifest != helm["manifest"]:
                self.different.append(f"{case.name}: {column}")
            found[column] = Timing(seconds, ours[1:])
        return found

    def _first(self, case: Case, runs: int) -> Timing:
        texts = [case.text] * runs
        helm = self.helm.render(case.archive, texts, load=True, **case.order)["seconds"]
        ours = []
        gc.collect()
        for text in texts:
            values = loader.parse_values(text.encode(), "values.yaml")
            _forget()
            charts = Charts(ARCHIVE_BYTES)
            ours.append(_timed(partial(case.from_archive, charts, values))[0])
        return Timing(helm, ours)

    def _after_restarts(self, case: Case, runs: int) -> list[float]:
        digest = self._keep(case, Charts(ARCHIVE_BYTES, self.kept))
        values = loader.parse_values(case.text.encode(), "values.yaml")
        seconds = []
        gc.collect()
        for _ in range(runs):
            _forget()
            self.kept.find("")  # a process asks once which version it is
            charts = Charts(ARCHIVE_BYTES, self.kept)
            begin = partial(case.from_archive, charts, values, digest, self.kept)
            seconds.append(_timed(begin)[0])
        return seconds

    def _keep(self, case: Case, charts: Charts) -> str:
        digest = f"sha256:{hashlib.sha256(case.archive.read_bytes()).hexdigest()}"
        chart = charts.load(str(case.archive), digest)
        values = loader.parse_values(case.text.encode(), "values.yaml")
        memory = Memory(Snapshots(self.kept, digest))
        charts.keep(digest, _render(memory, case.question(chart), values).chart)
        memory.save()
        return digest


def _rendered_again(
    memories: Iterator[Memory], question: Question, texts: Sequence[str]
) -> tuple[list[float], str]:
    """Return the seconds of each render, and the last one's manifest."""
    ours, manifest = [], ""
    gc.collect()
    for memory, text in zip(memories, texts, strict=False):
        values = loader.parse_values(text.encode(), "values.yaml")
        seconds, rendered = _timed(partial(_render, memory, question, values))
        ours.append(seconds)
        manifest = rendered.manifest
    return ours, manifest


Result = TypeVar("Result")


def _timed(do: Callable[[], Result]) -> tuple[float, Result]:
    # The collector runs when it does, as Go's: to ask for it here would empty the processor's
    # caches before each run of ours alone.
    begun = time.perf_counter()
    result = do()
    return time.perf_counter() - begun, result


def _forget() -> None:
    """Empty every cache of ours, as a new process would have them."""
    for name, module in list(sys.modules.items()):
        if name.startswith("whipstaff."):
            for member in vars(module).values():
                if hasattr(member, "cache_clear"):
                    member.cache_clear()


def _silent(_warning: str) -> None:
    pass


# -- what is printed and kept --------------------------------------------------------------------


def _table(rows: Sequence[Row]) -> Iterator[str]:
    """Lines of milliseconds, the minimum of the runs and their median, and of ratios."""
    heads = "".join(f"{name + ': helm min/med, ours min/med, ratio':>52}" for name in COLUMNS)
    yield f"{'chart':44}{heads}"
    for row in sorted(rows, key=lambda row: row.ratio("rerender")):
        yield f"{row.chart:44}" + "".join(_cell(row, column) for column in COLUMNS)


def _cell(row: Row, column: str) -> str:
    if column not in row.timings:
        return f"{'-':>52}"
    times = [
        1e3 * row.seconds(column, side, of_runs)
        for side in ("helm", "ours")
        for of_runs in (min, statistics.median)
    ]
    return "".join(f"{one:11.2f}" for one in times) + f"{row.ratio(column):8.2f}"


def _summary(rows: Sequence[Row]) -> dict[str, float]:
    found: dict[str, float] = {}
    for column in COLUMNS:
        ratios = [row.ratio(column) for row in rows if column in row.timings]
        found[f"{column}_ratio_median"] = round(statistics.median(ratios), 2)
        found[f"{column}_ratio_min"] = round(min(ratios), 2)
        found[f"{column}_slower_than_helm"] = sum(ratio < 1 for ratio in ratios)
    return found


def _kept_row(row: Row) -> dict[str, object]:
    """Return a row for the file: milliseconds [helm, ours] that count, and their ratio."""
    return {
        column: {
            "ms": [
                round(1e3 * row.seconds(column, side, row.of_runs), 2) for side in ("helm", "ours")
            ],
            "ratio": round(row.ratio(column), 2),
        }
        for column in row.timings
    }


def _charts(wanted: str, *, all_cases: bool) -> dict[str, list[Case]]:
    entries = json.loads((CORPUS / "manifest.json").read_text())["cases"]
    found: dict[str, list[Case]] = {}
    for entry in entries:
        cases = found.setdefault(entry["id"], []) if wanted in entry["id"] else []
        if entry["result"] == "ok" and (all_cases or not cases):
            cases.append(Case(entry))
    return {chart: cases for chart, cases in found.items() if cases}


def main() -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.render", description="measure rendering")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="charts whose name holds this; nothing is kept")
    parser.add_argument("--all-cases", action="store_true", help="more than a chart's first case")
    given = parser.parse_args()
    charts = _charts(given.only, all_cases=given.all_cases)
    collector.relax()  # as a worker does
    rows = []
    with HelmProgram() as helm, tempfile.TemporaryDirectory() as folder:
        bench = Bench(helm, Path(folder), given.runs)
        bench.measure("", next(iter(charts.values()))[:1])  # imports, and the other side's heap
        for number, (chart, cases) in enumerate(charts.items(), 1):
            print(f"{number}/{len(charts)} {chart}", file=sys.stderr, flush=True)
            try:
                rows.append(bench.measure(chart, cases))
            except OperatorError as error:
                bench.skipped.append(f"{chart}: {error}")
    print("\n".join(_table(rows)))
    for name, what in {"skipped": bench.skipped, "different": bench.different}.items():
        print(f"{name}: {len(what)}", *what, sep="\n  ")
    result = _summary(rows) | {
        "charts": len(rows),
        "cases": sum(len(cases) for cases in charts.values()),
        "different": len(bench.different),
        "runs": given.runs,
        "on": machine(helm=version()),
    }
    if not given.only and not given.all_cases:
        table = {row.chart: _kept_row(row) for row in rows}
        RESULT.write_text(json.dumps(result | {"charts_table": table}, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
