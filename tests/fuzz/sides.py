"""The two that are compared: Helm's own packages over a pipe, and our engine."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

from bench.helm_program import built
from tests.fuzz.case import Outcome, in_order
from whipstaff.chart import loader, rendering, strvals
from whipstaff.chart.capabilities import (
    DEFAULT_API_VERSIONS,
    APIVersions,
    Capabilities,
    KubeVersion,
)
from whipstaff.chart.model import File
from whipstaff.chart.values import merge_documents
from whipstaff.errors import OperatorError
from whipstaff.golang.values import go_bytes
from whipstaff.template import definitions
from whipstaff.template.scope import Limits, RenderScope


class Helm:
    """The program of `bench/helm_render/charts`; runs in a `with` block."""

    def __enter__(self):
        self._start()
        return self

    def __exit__(self, *_error):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def _start(self):
        self._process = subprocess.Popen(
            [str(built("charts"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def render(self, case):
        """Return Helm's outcome, or None if it took too long."""
        self._process.stdin.write(json.dumps(case.order()))
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if line:
            return Outcome.of(json.loads(line))
        self._process.wait(10)
        self._start()
        return None


def ours(case):
    """The outcome of templates executed as they are parsed, and that of compiled ones."""
    before = definitions.CALLS_BEFORE_COMPILING, sys.getrecursionlimit()
    interpreted = _outcome(case)
    definitions.CALLS_BEFORE_COMPILING = -1
    try:
        return interpreted, _outcome(case)
    finally:
        definitions.CALLS_BEFORE_COMPILING = before[0]
        sys.setrecursionlimit(before[1])  # Hypothesis minds


def _outcome(case):
    try:
        return _render(case)
    except OperatorError as error:
        return Outcome(error=in_order(error.text))
    except Exception as error:  # noqa: BLE001 - a fault is a difference, to be made small like any
        return Outcome(error=f"{type(error).__name__}: {error}")


def _render(case):
    values = {}
    try:
        for text in case.values:
            given = loader.parse_values(go_bytes(text), "values")
            values = merge_documents([values, given])
    except OperatorError as error:
        problem = error.text.removeprefix("cannot load values: ")
        return Outcome(error=f"failed to parse values: {problem}")
    for text in case.set:
        try:
            strvals.parse(text, values)
        except strvals.StrvalsError as error:
            return Outcome(error=f"failed parsing --set data: {error}")
    files = [File(name, go_bytes(text)) for name, text in case.files.items()]
    chart = loader.assemble(files, _no_archives)
    rendered = rendering.render(
        chart,
        values,
        rendering.ReleaseInfo("demo", "prod", is_upgrade=case.is_upgrade),
        Capabilities(
            KubeVersion.parse(case.kube_version),
            APIVersions((*DEFAULT_API_VERSIONS, *case.api_versions)),
        ),
        RenderScope(_EFFECTS, limits=Limits(seconds=20)),
    )
    return Outcome(rendering.template_output(rendered), rendered.notes)


def _no_archives(_data):
    raise NotImplementedError("cases have no archives in their charts/")


_EFFECTS = SimpleNamespace(
    now=lambda: datetime(2026, 1, 2, tzinfo=UTC),
    random=SimpleNamespace(randbytes=bytes, randbelow=lambda _limit: 0),
    lookup=lambda *_question: {},
)
