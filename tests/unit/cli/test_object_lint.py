"""`whipstaff lint` of files with HelmReleases: what the API server would say, and where."""

import io
import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from tests.builders.helm_commands import run
from whipstaff.cli.main import main

ROOT = Path(__file__).parents[3]
BLOG = """\
apiVersion: whipstaff.dev/v1
kind: HelmRelease
metadata:
  name: blog
  namespace: shop
spec:
  chart:
    name: blog
    repository: https://charts.example.com
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What is said of a text, without what is around it, and the exit code."""
    monkeypatch.chdir(tmp_path)

    def told(text, *flags):
        Path("x.yaml").write_text(text, encoding="utf-8")
        output, _, code = run("lint", "x.yaml", *flags)
        lines = [line for line in output.splitlines() if line.startswith("[")]
        return lines, code

    return told


def test_what_is_right_is_right(told):
    assert told(BLOG) == ([], 0)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("  intreval: 5m", "spec.intreval: unknown field; did you mean 'interval'?"),
        pytest.param("  createNameSpace: true", "'createNamespace'?", id="only the case differs"),
        pytest.param(
            "  version: 1.0.0",
            "spec.version: unknown field; did you mean 'spec.chart.version'?",
            id="it stands elsewhere",
        ),
        pytest.param("  frobnicate: 1", "spec.frobnicate: unknown field", id="like none"),
        pytest.param(
            "  upgrade: {crds: create}",
            "spec.upgrade.crds: must be Skip, Create or CreateReplace; did you mean 'Create'?",
        ),
        pytest.param(
            "  suspend: 'yes'", "spec.suspend: must be true or false, not a text", id="a text"
        ),
        pytest.param("  suspend: null", "spec.suspend: must be true or false, not null"),
        pytest.param("  maxHistory: 101", "spec.maxHistory: must be from 0 to 100"),
        pytest.param(
            "  dependsOn: [{nam: db}]",
            "spec.dependsOn[0].nam: unknown field; did you mean 'name'?",
            id="in a list",
        ),
        pytest.param("  interval: 1x", "spec.interval: must be a duration from 1s to 24h"),
        pytest.param("  interval: 300", "spec.interval: must be a text, not the number 300"),
        pytest.param("  values: []", "spec.values: must be an object, not a list"),
        pytest.param("  upgrade: {maxPrune: true}", "spec.upgrade.maxPrune: must be a number or"),
        pytest.param("  releaseName: Blog", "spec.releaseName: must be a release name"),
        pytest.param(
            "  chartRef: {kind: HelmChart, name: x}", "spec.chartRef: is Flux's", id="Flux's"
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_place(told, line, expected):
    lines, code = told(f"{BLOG}{line}\n")
    assert code == 1
    assert lines[0].startswith("[ERROR] x.yaml:10: HelmRelease shop/blog: ")
    assert expected in lines[0]


def test_all_of_it_is_named_at_once(told):
    lines, _ = told(f"{BLOG}  a1: 1\n  b1: 2\n  c1: 3\n")
    assert [line.split(":")[1] for line in lines] == ["10", "11", "12"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(BLOG.replace("metadata:\n  name: blog", "metadata:"), "metadata.name"),
        pytest.param(BLOG.replace("  namespace", "  label: {}\n  namespace"), "'labels'?"),
        pytest.param(BLOG.replace("HelmRelease", "HelmRelaese"), "did you mean 'HelmRelease'?"),
        pytest.param(BLOG.replace("dev/v1", "dev/v2"), "apiVersion: must be whipstaff.dev/v1"),
        pytest.param(BLOG.replace("spec:", "spce:"), "spce: unknown field; did you mean 'spec'?"),
        pytest.param(BLOG + "spec: {}\n", "spec: is there twice"),
        pytest.param(BLOG.replace("    name: blog\n", ""), "spec.chart.name: is missing"),
        pytest.param("kind: HelmRelease\n", "apiVersion: is missing"),
    ],
)
def test_a_wrong_object_is_named(told, text, expected):
    lines, code = told(text)
    assert code == 1
    assert expected in "".join(lines)


def test_a_mark_that_means_nothing_is_a_warning(told):
    text = BLOG.replace("  namespace", "  annotations: {whipstaff.dev/requestAt: x}\n  namespace")
    lines, code = told(text)
    assert lines[0].endswith("means nothing; did you mean 'whipstaff.dev/requestedAt'?")
    assert code == 0
    assert told(text, "--strict")[1] == 1


def test_each_document_of_a_file_is_judged_in_its_own_lines(told):
    text = f"{BLOG}---\n{{apiVersion: v1, kind: ConfigMap}}\n---\n{BLOG}  wiat: 1\n"
    lines, _ = told(text)
    assert [line.split(": ")[0] for line in lines] == ["[ERROR] x.yaml:22", "[WARNING] x.yaml:16"]
    assert "is in x.yaml:1 too" in lines[1]


def test_the_items_of_a_list_are_judged(told):
    item = yaml.safe_load(BLOG)
    item["spec"]["wiat"] = 1
    lines, code = told(json.dumps({"apiVersion": "v1", "kind": "List", "items": [item]}))
    assert "spec.wiat: unknown field" in lines[0]
    assert code == 1


def test_files_and_charts_are_counted_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text(BLOG, encoding="utf-8")
    _, error, code = run("lint", "x.yaml", "nowhere")
    assert (code, error) == (
        1,
        "Error: 1 chart(s) linted, 1 chart(s) failed; 1 file(s) linted, 0 file(s) failed\n",
    )


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
        ("argoproj.io/v1alpha1", "Application"),
        ("helm.cattle.io/v1", "HelmChart"),
    ],
)
def test_what_others_call_a_release_can_be_converted(told, api_version, kind):
    text = BLOG.replace("whipstaff.dev/v1", api_version).replace("HelmRelease", kind)
    lines, code = told(text)
    assert "`whipstaff convert`" in lines[0]
    assert code == 0


BOMB = "a0: &a0 [x, x, x]\n" + "".join(
    f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 9)
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: [", id="no end"),
        pytest.param("- 1", id="a list"),
        pytest.param("3", id="a number"),
        pytest.param("\0", id="no text"),
        pytest.param("[" * 9_000, id="without end"),
        pytest.param(BOMB, id="aliases in aliases"),
    ],
)
def test_what_holds_no_objects_is_refused(told, text):
    lines, code = told(text)
    assert (lines, code) == ([], 1)


def test_standard_input_is_a_file_too():
    told = CliRunner().invoke(main, ["lint", "-"], input=io.BytesIO(f"{BLOG}  x1: 1\n".encode()))
    assert "standard input:10" in told.stdout
    assert told.exit_code == 1


@pytest.mark.parametrize(
    "file", sorted((ROOT / "deploy" / "examples").rglob("*.yaml")), ids=lambda file: file.name
)
def test_the_examples_are_right(file):
    assert run("lint", str(file))[2] == 0


def test_what_steers_a_terminal_is_not_printed(told):
    lines, _ = told(BLOG + '  "\\e[31m": 1\n')
    assert "\x1b" not in "".join(lines)
