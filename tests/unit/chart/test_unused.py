"""Values that nothing reads are named; others never are."""

from types import SimpleNamespace

import pytest

from tests.builders.charts import a_chart
from whipstaff.chart import unused
from whipstaff.chart.capabilities import Capabilities
from whipstaff.chart.incremental import Memory, Question
from whipstaff.chart.rendering import ReleaseInfo
from whipstaff.template.scope import RenderScope

CHART = "apiVersion: v2\nname: demo\nversion: 1.0.0\n"
DEFAULTS = """\
replicaCount: 1
image: {repository: nginx, tag: "1"}
resources: {}
metrics: {enabled: false, serviceMonitor: {labels: {}, interval: 30s}}
"""
TEMPLATE = """\
# {{ .Values.replicaCount }} {{ include "image" .Values.image }} {{ toYaml .Values.resources }}
{{- if .Values.metrics.enabled }}
{{- with .Values.metrics.serviceMonitor }}{{ .interval }}{{ toYaml .labels }}{{ end }}
{{- end }}
"""
HELPERS = '{{ define "image" }}{{ .repository }}:{{ .tag }}{{ end }}'


def sentences(values, template=TEMPLATE, defaults=DEFAULTS, chart=CHART, **files):
    loaded = a_chart(
        {
            "Chart.yaml": chart,
            "values.yaml": defaults,
            "templates/a.yaml": template,
            "templates/_h.tpl": HELPERS,
            **files,
        }
    )
    question = Question(loaded, ReleaseInfo("web", "prod"), Capabilities())
    scope = RenderScope(SimpleNamespace(now=None, random=None, lookup=None))
    reads = Memory().render(question, values, scope).reads
    return unused.told(unused.unused(reads, values))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"replicaCuont": 3.0},
            "`replicaCuont` is never read; did you mean `replicaCount`?",
        ),
        ({"replicacount": 3.0}, "`replicacount` is never read; did you mean `replicaCount`?"),
        ({"image": {"tagg": "2"}}, "`image.tagg` is never read; did you mean `image.tag`?"),
        (
            {"reources": {"limits": {"cpu": "1", "memory": "1Gi"}}},
            "`reources` is never read; did you mean `resources`?",
        ),
        (
            {"metrics": {"enabld": True}},
            "`metrics.enabld` is never read; did you mean `metrics.enabled`?",
        ),
        ({"somethingElse": "x"}, "`somethingElse` is never read"),
        ({"a.b": 1.0}, "`a\\.b` is never read"),
        (
            {"new\nline`": 1.0},
            "`new\N{REPLACEMENT CHARACTER}line\N{REPLACEMENT CHARACTER}` is never read",
        ),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_what_is_misspelt_is_named_once(values, sentence):
    assert sentences(values) == [sentence]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"replicaCount": 2.0},
        {"image": {"tag": "2"}},
        {"resources": {"limits": {"cpu": "1"}}},
        {"metrics": {"serviceMonitor": {"interval": "10s", "labels": {"team": "blue"}}}},
        {"metrics": {"enabled": True, "serviceMonitor": {"labels": {"team": "blue"}}}},
    ],
    ids=["none", "a value", "in a table", "all of a table", "not taken", "taken"],
)
def test_what_is_read_or_mentioned_is_not_named(values):
    assert sentences(values) == []


WITH_CHARTS = """\
apiVersion: v2
name: demo
version: 1.0.0
dependencies:
- name: db
  version: 1.0.0
  condition: db.enabled
  import-values: [shared, {child: out, parent: in}]
- {name: db, version: 1.0.0, alias: spare, condition: spare.enabled}
"""
DB = {
    "charts/db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 1.0.0\n",
    "charts/db/values.yaml": "auth: {password: x}\nexports: {shared: {a: 1}}\nout: {}\n",
    "charts/db/templates/a.yaml": "# {{ .Values.auth.password }} {{ .Values.global.zone }}\n",
}


@pytest.mark.parametrize(
    "values",
    [
        {"db": {"auth": {"password": "y"}}},
        {"db": {"enabled": False, "auth": {"password": "y"}}},
        {"spare": {"enabled": False, "auth": {"password": "y"}}},
        {"global": {"zone": "a"}},
        {"tags": {"any": True}},
        {"db": {"exports": {"shared": {"b": 1.0}}, "out": {"c": 1.0}}},
    ],
    ids=["inside", "switched off", "alias", "global", "tags", "imported"],
)
def test_values_of_charts_inside_are_known(values):
    values.setdefault("global", {})
    assert sentences(values, chart=WITH_CHARTS, **DB) in ([], ["`global` is never read"])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"db": {"auth": {"pasword": "y"}}},
            "`db.auth.pasword` is never read; did you mean `db.auth.password`?",
        ),
        (
            {"spare": {"enabled": False, "auht": {"password": "y"}}},
            "`spare.auht` is never read; did you mean `spare.auth`?",
        ),
        ({"auth": {"password": "y"}}, "`auth` is never read"),
        ({"bd": {"enabled": True}}, "`bd` is never read; did you mean `db`?"),
    ],
    ids=["inside", "switched off", "of another chart", "a chart's name"],
)
def test_what_charts_inside_do_not_read_is_named(values, sentence):
    assert sentences(values, chart=WITH_CHARTS, **DB) == [sentence]


def test_values_that_texts_among_the_values_mention_are_not_named():
    template = "{{ if .Values.on }}{{ tpl .Values.text . }}{{ end }}"
    values = {"text": "{{ .Values.inner }}", "inner": "x"}
    assert sentences(values, template=template, defaults="on: false\n") == []


def test_only_so_many_are_told():
    values = {f"strange{number:03d}": 1.0 for number in range(50)}
    told = sentences(values)
    assert len(told) == unused.LIMIT + 1
    assert told[-1] == "30 more values are never read"


def test_what_is_made_to_take_long_does_not():
    values = {"{{" * 200_000: 1.0, "text": "{{" * 500_000, "k" * 100_000: 1.0}
    values |= {f"key{number}": {"x": 1.0} for number in range(3_000)}
    assert len(sentences(values)) == unused.LIMIT + 1


def test_of_a_chart_for_jinja2_nothing_is_said():
    chart = f"{CHART}annotations: {{whipstaff.dev/engine: jinja2}}\n"
    loaded = a_chart({"Chart.yaml": chart})
    reads = SimpleNamespace(chart=loaded)
    assert unused.unused(reads, {"x": 1.0}) == []
