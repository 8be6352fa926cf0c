"""Every case of the corpus of real charts gives Helm's bytes, or Helm's refusal."""

import functools
import json
import os
import random
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from whipstaff.chart import archive, ignore, loader, rendering
from whipstaff.chart.capabilities import (
    DEFAULT_API_VERSIONS,
    APIVersions,
    Capabilities,
    KubeVersion,
)
from whipstaff.errors import OperatorError
from whipstaff.template.scope import RenderScope

pytestmark = pytest.mark.corpus

REPOSITORY = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("WHIPSTAFF_CORPUS", REPOSITORY / ".." / "shared" / "corpus"))
CASES_EXPECTED = 402

HINT = "Use --debug flag to render out invalid YAML"


def cases():
    manifest = CORPUS / "manifest.json"
    if not manifest.is_file():
        return [None]
    return json.loads(manifest.read_text())["cases"]


def name_of(case):
    return f"{case['id']}-{case['case']}" if case else "absent"


def corpus_or_skip(case):
    if case is not None:
        return
    message = f"{CASES_EXPECTED} cases not run: no corpus at {CORPUS} (set WHIPSTAFF_CORPUS)"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@functools.lru_cache(maxsize=4)
def chart_of(path):
    # Helm rendered the unpacked folder, so the chart's .helmignore applies.
    budget = archive.Budget()
    members = archive.members((CORPUS / path).read_bytes(), budget)
    return loader.assemble(
        ignore.without_ignored(members), lambda inner: archive.load(inner, budget)
    )


def a_scope():
    source = random.Random(7)
    return RenderScope(
        SimpleNamespace(
            now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            random=SimpleNamespace(randbytes=source.randbytes, randbelow=source.randrange),
            lookup=lambda *_: {},
        )
    )


def arguments(case):
    """The flags of `helm template` that some cases carry."""
    given = iter(case.get("helm_args", ()))
    release = {"name": "demo", "namespace": "prod"}
    kube_version, api_versions, skip_schema = "1.36.0", [], False
    for argument in given:
        name, _, value = argument.partition("=")
        if name == "--skip-schema-validation":
            skip_schema = True
        elif name in {"--api-versions", "-a"}:
            api_versions += (value or next(given)).split(",")
        elif name == "--kube-version":
            kube_version = value or next(given)
        elif name == "--is-upgrade":
            release["is_upgrade"] = True
        else:
            pytest.fail(f"unknown argument {argument}")
    capabilities = Capabilities(
        kube_version=KubeVersion.parse(kube_version),
        api_versions=APIVersions((*DEFAULT_API_VERSIONS, *api_versions)),
    )
    options = rendering.Options(skip_schema_validation=skip_schema)
    return rendering.ReleaseInfo(**release), capabilities, options


def render(case):
    chart = chart_of(case["archive"])
    values = loader.parse_values((CORPUS / case["values"]).read_bytes(), case["values"])
    release, capabilities, options = arguments(case)
    return rendering.render(chart, values, release, capabilities, a_scope(), options)


def stable_lines(text, volatile):
    return [line for number, line in enumerate(text.split("\n"), 1) if number not in volatile]


@pytest.mark.parametrize("case", cases(), ids=name_of)
def test_a_real_chart_renders_as_helm_renders_it(case):
    corpus_or_skip(case)
    if case["result"] == "error":
        check_refusal(case)
        return
    rendered = render(case)
    output = rendering.template_output(rendered)
    expected = (CORPUS / case["expected"]).read_bytes().decode("utf-8", "surrogateescape")
    volatile = set(case.get("volatile_lines", ()))
    assert stable_lines(output, volatile) == stable_lines(expected, volatile)
    if "notes" in case and not case.get("notes_nondeterministic"):
        notes = (CORPUS / case["notes"]).read_bytes().decode("utf-8", "surrogateescape")
        assert rendered.notes == notes


def check_refusal(case):
    expected = (CORPUS / case["expected"]).read_text()
    expected = expected.removeprefix("Error: ").replace(HINT, "").strip()
    with pytest.raises(OperatorError) as refused:
        render(case)
    assert expected in str(refused.value)
