"""Charts for Jinja2 beside charts for Go's templates: what each sees, and who is refused."""

from pathlib import Path

import pytest

from tests.builders.charts import a_chart
from tests.builders.jinja_charts import ENGINE, HEAD, a_jinja_chart, rendered
from whipstaff.chart import folder, manifests, rendering
from whipstaff.chart.capabilities import Capabilities
from whipstaff.chart.incremental import Memory, Question
from whipstaff.chart.rendering import ReleaseInfo
from whipstaff.cli import offline
from whipstaff.errors import ChartInvalid, EngineNotAllowed, RenderFailed, ValuesSchemaViolation

SAMPLE = Path(__file__).parents[3] / "charts" / "samples" / "jinja"
GO = "{{ .Values.name }} of {{ .Chart.Name }}"
JINJA = "{{ Values.name }} of {{ Chart.Name }}"
IN_CHILD = "charts/child/Chart.yaml"


def whole(chart, values=None):
    scope = offline.scope(jinja2_charts=True)
    return rendering.render(chart, values or {}, ReleaseInfo("shop", "web"), Capabilities(), scope)


def test_a_jinja2_chart_is_refused_where_no_setting_allows_it():
    with pytest.raises(EngineNotAllowed, match=r"demo: .*--jinja2-charts"):
        rendered(a_jinja_chart({"templates/x.yaml": "a: 1"}), allowed=False)


def test_a_jinja2_chart_inside_a_go_chart_is_refused_too():
    child = {IN_CHILD: HEAD.format(name="child") + ENGINE, "charts/child/templates/c.yaml": "a: 1"}
    with pytest.raises(EngineNotAllowed):
        rendered(a_chart({"templates/x.yaml": "a: 1"} | child), allowed=False)


def test_an_engine_that_nobody_knows_is_refused_by_name():
    head = HEAD.format(name="demo") + "annotations: {whipstaff.dev/engine: mustache}\n"
    with pytest.raises(ChartInvalid, match="no template engine 'mustache'"):
        rendered(a_chart({"Chart.yaml": head, "templates/x.yaml": "a: 1"}))


def test_the_annotation_may_name_the_engine_of_helm():
    head = HEAD.format(name="demo") + "annotations: {whipstaff.dev/engine: gotpl}\n"
    chart = a_chart({"Chart.yaml": head, "templates/x.yaml": "{{ .Chart.Name }}"})
    assert rendered(chart) == {"demo/templates/x.yaml": "demo"}


@pytest.mark.parametrize(
    ("outer", "inner", "templates"),
    [
        pytest.param("", ENGINE, (GO, JINJA), id="Jinja2 in Go"),
        pytest.param(ENGINE, "", (JINJA, GO), id="Go in Jinja2"),
        pytest.param(ENGINE, ENGINE, (JINJA, JINJA), id="Jinja2 in Jinja2"),
    ],
)
def test_each_chart_is_rendered_by_its_own_engine(outer, inner, templates):
    chart = a_chart(
        {
            "Chart.yaml": HEAD.format(name="demo") + outer,
            "templates/x.yaml": templates[0],
            IN_CHILD: HEAD.format(name="child") + inner,
            "charts/child/templates/y.yaml": templates[1],
        }
    )
    values = {"name": "parent", "child": {"name": "son"}, "global": {}}
    assert rendered(chart, values) == {
        "demo/templates/x.yaml": "parent of demo",
        "demo/charts/child/templates/y.yaml": "son of child",
    }


def test_partials_are_not_rendered_and_can_be_imported():
    chart = a_jinja_chart(
        {
            "templates/_m.j2": "{% macro hi(x) %}hello {{ x }} from {{ Values.a }}{% endmacro %}",
            "templates/deep/x.yaml": '{% import "_m.j2" as m %}{{ m.hi("you") }}',
            "templates/y.yaml": '{% from "_m.j2" import hi %}{{ hi("me") }}',
        }
    )
    assert rendered(chart, {"a": 1}) == {
        "demo/templates/deep/x.yaml": "hello you from 1",
        "demo/templates/y.yaml": "hello me from 1",
    }


def test_blocks_of_a_parent_template_are_replaced():
    chart = a_jinja_chart(
        {
            "templates/_b.j2": "a{% block b %}base{% endblock %}c",
            "templates/x.yaml": '{% extends "_b.j2" %}{% block b %}({{ super() }}){% endblock %}',
        }
    )
    assert rendered(chart) == {"demo/templates/x.yaml": "a(base)c"}


def test_the_partials_of_a_library_for_jinja2_can_be_imported_and_nothing_else_of_it():
    library = {
        "charts/common/Chart.yaml": HEAD.format(name="common") + ENGINE + "type: library\n",
        "charts/common/templates/_n.j2": "{% macro n() %}{{ Release.Name }}!{% endmacro %}",
        "charts/common/templates/x.yaml": "a: 1",
    }
    good = '{% import "common/_n.j2" as names %}{{ names.n() }}'
    chart = a_jinja_chart({"templates/x.yaml": good} | library)
    assert rendered(chart) == {"demo/templates/x.yaml": "shop!"}
    bad = '{% include "common/x.yaml" %}'
    with pytest.raises(
        RenderFailed, match=r"demo/templates/x\.yaml:1: .*no template 'common/x.yaml'"
    ):
        rendered(a_jinja_chart({"templates/x.yaml": bad} | library))


@pytest.mark.parametrize(
    "name", ["values.yaml", "../Chart.yaml", "/etc/passwd", "child/c.yaml", "_go.tpl", "x.yaml/.."]
)
def test_nothing_but_the_charts_own_templates_can_be_included(name):
    child = {
        IN_CHILD: HEAD.format(name="child") + ENGINE,
        "charts/child/templates/c.yaml": "a: 1",
        "charts/lib/Chart.yaml": HEAD.format(name="lib") + "type: library\n",
        "charts/lib/templates/_go.tpl": "{{/* for Go */}}",
    }
    chart = a_jinja_chart({"templates/x.yaml": f'{{% include "{name}" %}}'} | child)
    with pytest.raises(RenderFailed, match="the chart has no template"):
        rendered(chart)


def test_an_include_of_what_is_not_there_can_be_forgiven():
    chart = a_jinja_chart({"templates/x.yaml": 'a{% include "no" ignore missing %}b'})
    assert rendered(chart) == {"demo/templates/x.yaml": "ab"}


def test_hooks_notes_and_the_order_of_kinds_are_those_of_every_chart():
    chart = a_jinja_chart(
        {
            "templates/a.yaml": "kind: Deployment\napiVersion: a/v1\nmetadata: {name: {{ 'a' }}}",
            "templates/b.yaml": "kind: Secret\napiVersion: v1\nmetadata: {name: {{ 'b' }}}",
            "templates/h.yaml": (
                "kind: Job\napiVersion: batch/v1\nmetadata:\n  name: {{ 'h' }}\n"
                "  annotations: {helm.sh/hook: pre-install}"
            ),
            "templates/NOTES.txt": "hello {{ Release.Name }}",
        }
    )
    found = whole(chart)
    assert [one.kind for one in found.documents] == ["Secret", "Deployment"]
    assert [one.events for one in found.hooks] == [("pre-install",)]
    assert found.notes == "hello shop"
    assert manifests.manifest(found.documents).startswith("---\n# Source: demo/templates/b.yaml\n")


def test_the_schema_judges_the_values_as_always():
    schema = '{"properties": {"a": {"type": "integer"}}}'
    chart = a_jinja_chart({"values.schema.json": schema, "templates/x.yaml": "{{ Values.a }}"})
    with pytest.raises(ValuesSchemaViolation):
        whole(chart, {"a": "b"})


def test_what_a_jinja2_template_reads_is_known_when_values_change():
    chart = a_jinja_chart(
        {
            "templates/x.yaml": "kind: A{{ Values.a }}\napiVersion: v1\nmetadata: {name: x}",
            "templates/y.yaml": "kind: B{{ Values.b.c }}\napiVersion: v1\nmetadata: {name: y}",
            "templates/z.yaml": "# {{ toYaml(Values) | sha256sum }}\nkind: Z\napiVersion: v1",
        }
    )
    memory = Memory()
    question = Question(chart, ReleaseInfo("shop", "web"), Capabilities())
    for values in ({"a": 1.0, "b": {"c": 2.0}}, {"a": 1.0, "b": {"c": 3.0}}, {"a": 5.0, "b": {}}):
        values.setdefault("b", {}).setdefault("c", 9.0)
        scope = offline.scope(jinja2_charts=True)
        again = memory.render(question, values, scope)
        assert again.documents == whole(chart, values).documents


def test_a_go_template_cannot_be_changed_from_jinja2():
    chart = a_jinja_chart(
        {
            "templates/z.yaml": "{% set v = set(Values, 'a', 2) %}{{ v.a }}",
            "templates/a.yaml": "{{ Values.a }}",
        }
    )
    assert rendered(chart, {"a": 1.0})["demo/templates/a.yaml"] == "1"


def test_the_sample_chart_renders():
    found = whole(folder.load(SAMPLE))
    kinds = [(one.kind, one.name) for one in found.documents]
    assert kinds == [("ConfigMap", "shop-pages"), ("Service", "shop"), ("Deployment", "shop")]
    deployment = found.documents[-1].body["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    assert deployment["replicas"] == 1
    assert {"name": "RETRIES", "value": "3"} in container["env"]
    assert [one.name for one in found.hooks] == ["shop-test"]
    assert found.notes.startswith("Hello from Jinja2: about, index.\n")
