import random
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from tests.builders.charts import CHART_YAML, a_chart
from whipstaff.chart import rendering
from whipstaff.chart.capabilities import Capabilities
from whipstaff.errors import (
    ChartInvalid,
    KubeVersionIncompatible,
    ManifestInvalid,
    RenderFailed,
    ValuesSchemaViolation,
)
from whipstaff.template.scope import RenderScope

MAP = "kind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {data}\n"


def rendered(files, values=None, name="demo", **options):
    source = random.Random(1)
    scope = RenderScope(
        SimpleNamespace(
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
            random=SimpleNamespace(randbytes=source.randbytes, randbelow=source.randrange),
            lookup=lambda *_: {},
        )
    )
    return rendering.render(
        a_chart(files, name),
        values or {},
        rendering.ReleaseInfo("web", "prod"),
        Capabilities(),
        scope,
        rendering.Options(**options),
    )


def text_of(template, values=None, **files):
    found = rendered({"templates/t.yaml": template, **files}, values)
    return found.documents[0].text


def test_a_chart_becomes_manifest_hooks_notes_and_crds():
    found = rendered(
        {
            "values.yaml": "size: 2\n",
            "templates/map.yaml": "kind: ConfigMap\ndata: {size: {{ .Values.size }}}\n",
            "templates/job.yaml": "kind: Job\nmetadata: {annotations: {helm.sh/hook: test}}\n",
            "templates/NOTES.txt": "Thanks, {{ .Release.Name }}\n",
            "templates/_p.tpl": '{{ define "x" }}{{ end }}',
            "crds/a.yaml": "kind: CustomResourceDefinition\n",
        }
    )
    assert found.manifest == (
        "---\n# Source: demo/templates/map.yaml\nkind: ConfigMap\ndata: {size: 2}\n\n"
    )
    assert [hook.events for hook in found.hooks] == [("test",)]
    assert found.notes == "Thanks, web\n"
    assert [crd.path for crd in found.crds] == ["demo/crds/a.yaml"]
    assert rendering.template_output(found) == (
        "---\n# Source: demo/templates/map.yaml\nkind: ConfigMap\ndata: {size: 2}\n"
        "---\n# Source: demo/templates/job.yaml\n"
        "kind: Job\nmetadata: {annotations: {helm.sh/hook: test}}\n\n"
    )
    assert "Job" not in rendering.template_output(found, tests=False)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("a: {{ .Release.Name }}-{{ .Release.Namespace }}", "a: web-prod"),
        ("a: {{ .Release.Revision }} {{ .Release.IsInstall }}", "a: 1 true"),
        ("a: {{ .Release.Service }} {{ .Release.IsUpgrade }}", "a: Helm false"),
        ("a: {{ .Chart.Name }} {{ .Chart.Version }} {{ .Chart.IsRoot }}", "a: demo 1.0.0 true"),
        ("a: {{ .Template.Name }}", "a: demo/templates/t.yaml"),
        ("a: {{ .Template.BasePath }}", "a: demo/templates"),
        ("a: {{ .Capabilities.KubeVersion }}", "a: v1.36.0"),
        ("a: {{ .Capabilities.KubeVersion.GitVersion }}", "a: v1.36.0"),
        ("a: {{ .Capabilities.KubeVersion.Minor }}", "a: 36"),
        ("a: {{ .Capabilities.APIVersions.Has \"apps/v1\" }}", "a: true"),
        ("a: {{ .Capabilities.HelmVersion.Version }}", "a: v4.2.4"),
        ("a: {{ .Values.missing }}", "a: "),
        ("a: {{ .Files.Get \"f.txt\" }}", "a: content"),
        ("a: {{ range $n, $_ := .Files.Glob \"*.txt\" }}{{ $n }}{{ end }}", "a: f.txt"),
        ("a: {{ (.Files.Glob \"*.txt\").AsConfig }}", "a: f.txt: content"),
        ("a: {{ printf \"%T\" .Values }}", "a: common.Values"),
        ("a: {{ printf \"%T\" $ }} {{ $.AsMap.Release.Name }}", "a: common.Values web"),
        ("a: {{ ($.Table \"Chart\").Name }}", "a: demo"),
        ("a: {{ .Capabilities.APIVersions | join \",\" | trunc 5 }}", "a: v1,ad"),
        ("a: {{ .Capabilities.APIVersions | sortAlpha | last }}", "a: v1"),
        ("a: {{ .Chart.Annotations.none | quote }}", "a: \"\""),
    ],
)  # fmt: skip
def test_templates_see_helms_objects(template, expected):
    if template.endswith("AsConfig }}"):
        template = template.replace("a: ", "a: |\n  ")
        expected = expected.replace("a: ", "a: |\n  ", 1)
    assert text_of(template, **{"f.txt": "content"}) == expected


SUB = {
    "charts/sub/Chart.yaml": CHART_YAML.format(name="sub"),
    "charts/sub/values.yaml": "own: 1\n",
    "charts/sub/templates/s.yaml": "kind: Secret\nname: {{ .Values.own }}{{ .Values.global.g }}\n",
    "charts/sub/templates/NOTES.txt": "sub notes",
    "templates/NOTES.txt": "notes",
}


def test_a_chart_inside_sees_its_own_values_and_the_globals():
    found = rendered(SUB, {"global": {"g": "x"}, "sub": {"own": "y"}})
    assert found.documents[0].path == "demo/charts/sub/templates/s.yaml"
    assert found.documents[0].text == "kind: Secret\nname: yx\n"
    assert found.notes == "notes"
    assert rendered(SUB, subchart_notes=True).notes == "sub notes\nnotes"


def test_the_values_of_a_chart_inside_have_two_types():
    files = {
        "charts/kid/Chart.yaml": CHART_YAML.format(name="kid"),
        "charts/kid/values.yaml": "size: 2\n",
        "charts/kid/templates/t.yaml": 'a: {{ printf "%T" .Values }} {{ .Values.AsMap.size }}',
        "templates/t.yaml": (
            'a: {{ printf "%T" .Values.kid }} {{ .Subcharts.kid.Values.AsMap.size }}'
        ),
    }
    texts = {one.path: one.text for one in rendered(files).documents}
    assert texts == {
        "demo/charts/kid/templates/t.yaml": "a: common.Values 2",
        "demo/templates/t.yaml": "a: map[string]interface {} 2",
    }


def test_what_a_chart_inside_sets_its_parent_sees():
    found = rendered(
        {
            **SUB,
            "charts/sub/templates/s.yaml": "{{ $_ := set .Values \"own\" \"changed\" }}",
            "templates/a.yaml": "kind: A\na: {{ .Values.sub.own }} {{ .Subcharts.sub.Values.own }}",
        }
    )  # fmt: skip
    assert found.documents[0].text == "kind: A\na: changed changed"


def test_a_parent_sees_what_is_set_in_an_empty_table_too():
    found = rendered(
        {
            "charts/sub/Chart.yaml": CHART_YAML.format(name="sub"),
            "charts/sub/templates/s.yaml": '{{ $_ := unset .Values "global" }}',
            "charts/sub/templates/r.yaml": '{{ $_ := set .Values "new" "seen" }}',
            "templates/a.yaml": "a: {{ .Values.sub.new }}",
        }
    )
    assert found.documents[0].text == "a: seen"


def test_a_parent_may_dig_in_the_values_of_a_chart_inside():
    template = 'a: {{ dig "own" 0 .Values.sub }} {{ dig "no" "none" .Values.sub }}'
    assert rendered({**SUB, "templates/a.yaml": template}).documents[1].text == "a: 1 none"


def test_a_parents_definition_wins():
    found = rendered(
        {
            **SUB,
            "charts/sub/templates/_d.tpl": '{{ define "who" }}sub{{ end }}',
            "templates/_d.tpl": '{{ define "who" }}parent{{ end }}',
            "charts/sub/templates/s.yaml": 'who: {{ include "who" . }}',
        }
    )
    assert found.documents[0].text == "who: parent"


def test_of_a_library_chart_only_the_partials_count():
    found = rendered(
        {
            "charts/lib/Chart.yaml": CHART_YAML.format(name="lib") + "type: library\n",
            "charts/lib/templates/_d.tpl": '{{ define "lib" }}a: 1{{ end }}',
            "charts/lib/templates/x.yaml": '{{ fail "rendered" }}',
            "templates/a.yaml": '{{ include "lib" . }}',
        }
    )
    assert [one.text for one in found.documents] == ["a: 1"]


@pytest.mark.parametrize(
    ("files", "error", "text"),
    [
        pytest.param(
            {"Chart.yaml": CHART_YAML.format(name="demo") + "type: library\n"},
            ChartInvalid,
            "library charts are not installable",
            id="a library",
        ),
        pytest.param(
            {"Chart.yaml": CHART_YAML.format(name="demo") + 'kubeVersion: "<1.20.0"\n'},
            KubeVersionIncompatible,
            "chart requires kubeVersion: <1.20.0 which is incompatible with Kubernetes v1.36.0",
            id="another cluster",
        ),
        pytest.param(
            {"templates/a.yaml": "a: {{ .Values.a.b }}"},
            RenderFailed,
            'demo/templates/a.yaml:1:13\n  executing "demo/templates/a.yaml" at <.Values.a.b>:\n'
            "    nil pointer evaluating interface {}.b",
            id="a nil pointer",
        ),
        pytest.param(
            {"templates/a.yaml": "a\n{{ foo }}"},
            RenderFailed,
            'parse error at (demo/templates/a.yaml:2): function "foo" not defined',
            id="an unknown function",
        ),
        pytest.param(
            {"templates/a.yaml": '{{ required "say: which" .Values.x }}'},
            RenderFailed,
            "execution error at (demo/templates/a.yaml:1:3): say: which",
            id="a required value",
        ),
        pytest.param(
            {"templates/a.yaml": "a: b: c"},
            ManifestInvalid,
            "YAML parse error on demo/templates/a.yaml: error converting YAML to JSON: yaml: "
            "mapping values are not allowed in this context",
            id="no YAML",
        ),
        pytest.param(
            {"values.schema.json": '{"required": ["a"]}'},
            ValuesSchemaViolation,
            "values don't meet the specifications of the schema(s) in the following chart(s):\n"
            "demo:\n- at '': missing property 'a'\n",
            id="values that the schema refuses",
        ),
    ],
)
def test_what_helm_refuses_is_refused_in_its_words(files, error, text):
    with pytest.raises(error) as refused:
        rendered(files)
    assert str(refused.value) == text


def test_a_render_failure_names_template_and_line():
    with pytest.raises(RenderFailed) as refused:
        rendered({"templates/a.yaml": '\n\n{{ fail "no" }}'})
    assert (refused.value.chart, refused.value.template, refused.value.line) == (
        "demo",
        "demo/templates/a.yaml",
        3,
    )


def test_the_schema_can_be_skipped():
    files = {"values.schema.json": '{"required": ["a"]}', "templates/a.yaml": "a: 1"}
    assert rendered(files, skip_schema_validation=True).documents
