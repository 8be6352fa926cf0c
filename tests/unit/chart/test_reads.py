"""What counts as a value that something reads."""

from types import SimpleNamespace

import pytest

from tests.builders.charts import a_chart
from whipstaff.chart import reads
from whipstaff.chart.capabilities import Capabilities
from whipstaff.chart.incremental import Memory, Question
from whipstaff.chart.rendering import ReleaseInfo
from whipstaff.template.scope import RenderScope

DEPENDENCIES = """\
apiVersion: v2
name: demo
version: 1.0.0
dependencies:
- {name: sub, version: 1.0.0, condition: sub.enabled, tags: [extra]}
- {name: spare, version: 1.0.0, condition: spare.enabled}
"""


def a_subchart(name, template):
    return {
        f"charts/{name}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n",
        f"charts/{name}/templates/t.yaml": template,
    }


def reads_of(template, values, sub="", defaults="{}"):
    chart = a_chart(
        {
            "Chart.yaml": DEPENDENCIES,
            "values.yaml": defaults,
            "templates/t.yaml": f"# {template}\n",
            "templates/_p.tpl": '{{ define "p" }}{{ .a }}{{ end }}',
            **a_subchart("sub", f"# {sub}\n"),
            **a_subchart("spare", ""),
        }
    )
    question = Question(chart, ReleaseInfo("web", "prod"), Capabilities())
    scope = RenderScope(SimpleNamespace(now=None, random=None, lookup=None))
    return Memory().render(question, {"spare": {"enabled": False}, **values}, scope).reads


T = {"t": {"a": "1", "b": {"c": "2"}}}


@pytest.mark.parametrize(
    ("template", "read", "unread"),
    [
        pytest.param("{{ .Values.t.a }}", ["t.a"], ["t.b", "t.b.c"], id="a field"),
        pytest.param("{{ toYaml .Values.t }}", ["t.a", "t.b", "t.b.c"], [], id="all of a table"),
        pytest.param('{{ include "p" .Values.t }}', ["t.a"], ["t.b.c"], id="include"),
        pytest.param('{{ tpl "{{ .b.c }}" .Values.t }}', ["t.b.c"], [], id="tpl"),
        pytest.param("{{ with .Values.t }}{{ .b.c }}{{ end }}", ["t.b.c"], ["t.a"], id="with"),
        pytest.param("{{ if .Values.t }}{{ end }}", ["t"], ["t.a"], id="whether there is any"),
        pytest.param('{{ hasKey .Values.t "b" }}', ["t.b"], ["t.a", "t.b.c"], id="a key"),
        pytest.param("{{ keys .Values.t }}", ["t.a", "t.b"], ["t.b.c"], id="the keys"),
        pytest.param("{{ range .Values.t }}{{ end }}", ["t.a", "t.b"], ["t.b.c"], id="range"),
        pytest.param('{{ get (index .Values "t" "b") "c" }}', ["t.b.c"], ["t.a"], id="functions"),
        pytest.param("{{ deepCopy .Values | toJson }}", ["t.a", "t.b.c"], [], id="a copy"),
        pytest.param("{{ .Values.other }}", [], ["t", "t.a"], id="something else"),
    ],
)
def test_what_a_template_looks_at_is_read(template, read, unread):
    found = reads_of(template, T)
    assert [path for path in read if not found.is_read(tuple(path.split(".")))] == []
    assert [path for path in unread if found.is_read(tuple(path.split(".")))] == []


def test_what_switches_charts_is_read():
    found = reads_of("", {"sub": {"enabled": True}, "tags": {"extra": True}})
    assert found.is_read(("sub", "enabled"))
    assert found.is_read(("tags", "extra"))


def test_of_a_chart_that_is_switched_off_nothing_is_known():
    assert reads_of("", {"spare": {"enabled": False, "x": 1.0}}).is_read(("spare", "x"))


@pytest.mark.parametrize("field", ["x", "t.y"])
def test_a_global_is_read_where_a_chart_inside_reads_it(field):
    found = reads_of(
        "", {"global": {"x": "1", "t": {"y": "1", "z": "1"}}}, f"{{{{ .Values.global.{field} }}}}"
    )
    assert found.is_read(("global", *field.split(".")))
    assert not found.is_read(("global", "t", "z"))


def test_a_value_of_a_chart_inside_is_read_by_either():
    assert reads_of("", {"sub": {"x": "1"}}, "{{ .Values.x }}").is_read(("sub", "x"))
    assert reads_of("{{ .Values.sub.x }}", {"sub": {"x": "1"}}).is_read(("sub", "x"))
    assert not reads_of("", {"sub": {"x": "1"}}).is_read(("sub", "x"))


def test_the_keys_of_a_table_are_those_it_has_and_those_asked_for():
    found = reads_of("{{ .Values.t.asked }}", T, defaults="{t: {d: 1}}")
    assert found.known_keys(("t",)) == {"a", "b", "d", "asked"}
    assert found.known_keys(("t", "a")) == frozenset()


def test_leaves_are_what_is_no_table():
    values = {"a": 1.0, "t": {"b": [{"c": 1.0}], "e": {}}}
    assert list(reads.leaves(values)) == [("a",), ("t", "b"), ("t", "e")]
