"""Rendering again gives what rendering anew gives; and it runs no template without need."""

import json
import random
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders.charts import CHART_YAML, a_chart
from whipstaff.chart import rendering
from whipstaff.chart.capabilities import Capabilities
from whipstaff.chart.incremental import Memory, Question
from whipstaff.chart.rendering import ReleaseInfo
from whipstaff.errors import OperatorError, RenderLimit
from whipstaff.template.scope import Limits, RenderScope

RELEASE = ReleaseInfo("web", "prod")


class Begun(list):
    """The paths of the templates that ran."""

    def __call__(self, path):
        if path:
            self.append(path.rpartition("/")[2].removesuffix(".yaml"))


def a_scope(ran=None, **limits):
    source = random.Random(1)
    return RenderScope(
        SimpleNamespace(
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
            random=SimpleNamespace(randbytes=source.randbytes, randbelow=source.randrange),
            lookup=lambda *_: {},
        ),
        begin=Begun() if ran is None else ran,
        limits=Limits(**limits),
    )


def a_map(name, data):
    return f"kind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{x: {data}}}\n"


def outcome(render):
    """All that a render gives, or its error."""
    try:
        found = render()
    except OperatorError as error:
        return type(error), str(error)
    return found.manifest, found.hooks, found.notes, found.warnings, found.documents


def again(chart, *steps):
    """Render one set of values after the other; return what the last one ran."""
    memory = Memory()
    ran = Begun()
    for step in steps:
        values, release = step if isinstance(step, tuple) else (step, RELEASE)
        ran = Begun()
        scope, question = a_scope(ran), Question(chart, release, Capabilities())
        found = outcome(lambda v=values, q=question, s=scope: memory.render(q, v, s))
        assert found == outcome(
            lambda v=values, r=release: rendering.render(chart, v, r, Capabilities(), a_scope())
        )
    return ran


def a_chart_of(values="{}", files=None, **templates):
    given = {f"templates/{name}.yaml": text for name, text in templates.items()}
    return a_chart({"values.yaml": values, **given, **(files or {})})


# -- what runs -------------------------------------------------------------------------------------

TWO = {
    "a": a_map("a", "{{ .Values.a | quote }}"),
    "b": a_map("b", "{{ .Values.t.b | quote }}"),
}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param({"a": "1"}, {"a": "1"}, [], id="nothing changed"),
        pytest.param({"a": "1"}, {"a": "2"}, ["a"], id="one leaf for another"),
        pytest.param({}, {"a": "2"}, ["a"], id="one leaf more"),
        pytest.param({"a": "2"}, {"a": None}, ["a"], id="a null"),
        pytest.param({"t": {"b": "1"}}, {"t": {"b": "2"}}, ["b"], id="a leaf in a table"),
        pytest.param({"t": {"b": "1"}}, {"t": {"b": ["1"]}}, ["b"], id="a list for a leaf"),
        pytest.param({"t": {"b": "1"}}, {"t": {"b": {"c": 1.0}}}, ["b"], id="a table for a leaf"),
        pytest.param({}, {"other": "1"}, [], id="what nobody reads"),
        pytest.param({"a": 0.0}, {"a": -0.0}, ["a"], id="the sign of a zero"),
        pytest.param({"a": True}, {"a": 1.0}, ["a"], id="equal in Python only"),
    ],
)
def test_only_what_read_the_change_runs(first, second, expected):
    assert again(a_chart_of("{a: x, t: {b: y, c: z}}", **TWO), first, second) == expected


@pytest.mark.parametrize(
    "reader",
    [
        pytest.param("{{ toJson .Values.t }}", id="toJson"),
        pytest.param("{{ range $k, $v := .Values.t }}{{ $k }}{{ $v }}{{ end }}", id="range"),
        pytest.param('{{ include "p" .Values.t }}', id="include"),
        pytest.param('{{ tpl "{{ .b }}" .Values.t }}', id="tpl"),
        pytest.param("{{ with .Values.t }}{{ .b }}{{ end }}", id="with"),
        pytest.param("{{ (merge (dict) .Values.t).b }}", id="merge"),
        pytest.param("{{ (deepCopy .Values.t).b }}", id="deepCopy"),
        pytest.param('{{ get .Values.t "b" }}', id="get"),
        pytest.param('{{ index .Values "t" "b" }}', id="index"),
        pytest.param('{{ dig "b" "" .Values.t }}', id="dig"),
        pytest.param('{{ (pick .Values.t "b").b }}', id="pick"),
        pytest.param('{{ (omit .Values.t "c").b }}', id="omit"),
        pytest.param("{{ values .Values.t | join `` }}", id="values"),
        pytest.param('{{ (pluck "b" .Values.t) | first }}', id="pluck"),
        pytest.param("{{ eq (toString .Values.t) `x` }}{{ .Values.t }}", id="print"),
        pytest.param("{{ .Values.AsMap.t.b }}", id="AsMap"),
        pytest.param('{{ .Values.PathValue "t.b" }}', id="PathValue"),
        pytest.param("{{ $ | toJson | sha256sum }}", id="everything"),
    ],
)
def test_every_way_to_read_is_seen(reader):
    partial = '{{ define "p" }}{{ .b }}{{ end }}'
    chart = a_chart_of(
        "{t: {b: y, c: z}}", {"templates/_p.tpl": partial}, r=a_map("r", f"'{reader}'")
    )
    assert again(chart, {"t": {"b": "1"}}, {"t": {"b": "2"}}) == ["r"]


def test_keys_and_emptiness_are_read_apart_from_values():
    chart = a_chart_of(
        "{t: {b: y}}",
        keys=a_map("k", '{{ keys .Values.t | join "," | quote }}'),
        some=a_map("s", "{{ if .Values.t }}some{{ end }}"),
        has=a_map("h", '{{ hasKey .Values.t "c" }}'),
    )
    assert again(chart, {"t": {"b": "1"}}, {"t": {"b": "2"}}) == []
    assert set(again(chart, {}, {"t": {"c": "2"}})) == {"keys", "has", "some"}


@pytest.mark.parametrize("function", ["randAlphaNum 5", "now", "uuidv4", 'bcrypt "x"'])
def test_what_looks_outside_runs_always(function):
    chart = a_chart_of(r=f"# {{{{ {function} }}}}\n", lookup=a_map("a", "{{ .Values.a }}"))
    memory = Memory()
    for _ in range(2):
        ran = Begun()
        memory.render(Question(chart, RELEASE, Capabilities()), {"a": "1"}, a_scope(ran))
    assert ran == ["r"]


def test_the_revision_concerns_only_who_reads_it():
    chart = a_chart_of(
        a=a_map("a", "{{ .Release.Revision }}"),
        b=a_map("b", "{{ .Release.Name }}"),
        c=a_map("c", "{{ .Release.IsUpgrade }}"),
    )
    second = ReleaseInfo("web", "prod", revision=2)
    upgrade = ReleaseInfo("web", "prod", revision=2, is_upgrade=True)
    assert again(chart, {}, ({}, second)) == ["a"]
    assert again(chart, ({}, second), ({}, upgrade)) == ["c"]


def test_globals_reach_the_charts_inside():
    chart = a_chart_of(
        "{global: {x: 1}, sub: {y: 1}}",
        {
            "charts/sub/Chart.yaml": CHART_YAML.format(name="sub"),
            "charts/sub/values.yaml": "{global: {x: 3}, y: 2}",
            "charts/sub/templates/s.yaml": a_map("s", "{{ .Values.global.x }}"),
            "charts/sub/templates/y.yaml": a_map("y", "{{ .Values.y }}"),
        },
        a=a_map("a", "{{ .Values.sub.y }}"),
    )
    one, two = {"global": {"x": 5.0}}, {"global": {"x": 6.0}}
    assert again(chart, one, two) == ["s"]
    assert again(chart, {}, one) == ["s"]
    assert again(chart, {}, {"sub": {"y": 7.0}}) == ["y", "a"]


# -- shared data -----------------------------------------------------------------------------------


def test_a_change_of_shared_data_reaches_those_that_follow():
    chart = a_chart_of(
        z='{{ $_ := set .Values "x" .Values.a }}',
        b=a_map("b", "{{ .Values.x }}"),
        a=a_map("a", "{{ .Values.other }}"),
    )
    assert again(chart, {"a": "1"}, {"a": "2"}) == ["z", "b"]


def test_a_template_whose_writes_stay_the_same_is_not_run_for_them():
    chart = a_chart_of(
        z='{{ $_ := set .Values "x" "fixed" }}',
        b=a_map("b", "{{ .Values.x }}{{ .Values.a }}"),
        a=a_map("a", "{{ .Values.x }}"),
    )
    assert again(chart, {"a": "1"}, {"a": "2"}) == ["b"]


def test_what_was_set_is_gone_before_the_next_render():
    chart = a_chart_of(
        "{t: {x: plain}}",
        z='{{ if .Values.on }}{{ $_ := set .Values.t "x" "set" }}{{ end }}',
        a=a_map("a", "{{ .Values.t.x }}"),
    )
    assert again(chart, {"on": True}, {"on": False}) == ["z", "a"]


def test_maps_that_templates_store_may_change_unseen():
    chart = a_chart_of(
        z='{{ $_ := set .Values "m" (dict "n" 1) }}',
        y='{{ $_ := set .Values.m "n" .Values.a }}',
        b=a_map("b", "{{ .Values.m.n }}"),
        a=a_map("a", "{{ .Values.other }}"),
    )
    assert again(chart, {"a": "1"}, {"a": "2"}) == ["z", "y", "b"]


SCHEMA = """{
  "properties": {
    "a": {"type": "string", "maxLength": 2},
    "t": {"properties": {"b": {"type": "integer"}, "c": {"$ref": "#/properties/a"}}},
    "sub": {"additionalProperties": {"type": "string"}, "maxProperties": 2}
  },
  "if": {"properties": {"a": {"const": "no"}}, "required": ["a"]},
  "then": {"required": ["z"]}
}"""


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(({"a": "x"}, {"a": "xyz"}, {"a": "y"}), id="a leaf"),
        pytest.param(({"a": "x"}, {"a": 1.0}, {"a": "y"}), id="another type"),
        pytest.param(({"a": "x"}, {"a": "no"}, {"a": "y"}), id="a condition"),
        pytest.param(({"t": {"b": 1.0}}, {"t": {"b": 1.5}}, {"t": {"b": 2.0}}), id="in a table"),
        pytest.param(({"t": {"c": "x"}}, {"t": {"c": "xyz"}}, {}), id="through a reference"),
        pytest.param(({"sub": {"d": "x"}}, {"sub": {"d": 1.0}}, {}), id="in a chart inside"),
        pytest.param(({"sub": {"d": "x"}}, {"sub": {"d": "x", "e": ""}}), id="one key more"),
        pytest.param(({"sub": {"s": "x"}}, {"sub": {"s": "y"}}), id="another chart's schema"),
    ],
)
def test_schemas_judge_every_change(steps):
    inner = '{"properties": {"s": {"enum": ["x"]}}}'
    files = {
        "values.schema.json": SCHEMA,
        "charts/sub/Chart.yaml": CHART_YAML.format(name="sub"),
        "charts/sub/values.schema.json": inner,
    }
    again(a_chart_of("{a: d}", files, **TWO), *steps)


def test_a_failed_render_leaves_nothing_behind():
    chart = a_chart_of(a=a_map("a", '{{ required "needed" .Values.a }}'), b=a_map("b", "1"))
    assert again(chart, {"a": "1"}, {}, {"a": "2"}) == ["b", "a"]


def test_steps_are_counted_over_all_templates_run_or_not():
    loop = "{{ range until 10 }}{{ end }}"
    chart = a_chart_of(a=loop + "# {{ .Values.n }}", b=loop, c=loop)
    question = Question(chart, RELEASE, Capabilities())
    memory = Memory()
    memory.render(question, {"n": "1"}, a_scope(steps=33))
    memory.render(question, {"n": "2"}, a_scope(steps=33))
    with pytest.raises(RenderLimit, match="more than 32 steps"):
        memory.render(question, {"n": "3"}, a_scope(steps=32))
    with pytest.raises(RenderLimit, match="more than 32 steps"):
        rendering.render(chart, {}, RELEASE, Capabilities(), a_scope(steps=32))


# -- any chart, any change -------------------------------------------------------------------------

# Values keep their shapes, so that most renders go well and what they hand on counts.

KEYS = st.sampled_from(["a", "b", "c"])
MAPS = st.sampled_from([".Values.m", ".Values.n", ".Values.global.m"])
SCALARS = st.sampled_from(
    [
        ".Values.s",
        ".Values.t",
        ".Values.global.s",
        ".Values.m.a",
        ".Values.n.b",
        ".Release.Revision",
    ]
)
TOLD = st.one_of(SCALARS, MAPS, st.sampled_from([".Values.l", ".Values.made", ".Values"]))
ARGUMENTS = st.one_of(
    st.sampled_from([".", "$", ".Values", ".Values.l"]),
    MAPS,
    SCALARS,
    TOLD.map(lambda told: f'(dict "value" {told} "context" $)'),
    TOLD.map(lambda told: f'(dict "value" (dict "inner" {told}) "context" .)'),
    TOLD.map(lambda told: f"(list $ {told})"),
)
PARTIALS = st.sampled_from(
    ["show", "names", "deep", "context", "setter", "changer", "own", "chance", "revision"]
)
PARTIAL_TEXTS = """
{{- define "show" }}{{ toJson . | trunc 200 }}{{ end }}
{{- define "names" }}{{ if kindIs "map" . }}{{ keys . | sortAlpha }}{{ end }}{{ end }}
{{- define "deep" }}{{ include "names" . }}{{ include "context" . }}{{ end }}
{{- define "context" }}{{ with (kindIs "map" . | ternary . dict) }}
{{- with .context }}{{ .Values.s }}{{ .Values.m | toJson }}{{ end }}
{{- .value | toJson }}{{ end }}{{ end }}
{{- define "setter" }}{{ if and (kindIs "map" .) (hasKey . "context") }}
{{- $_ := set .context.Values.m "a" "by setter" }}{{ end }}{{ end }}
{{- define "changer" }}{{ if kindIs "map" . }}
{{- $_ := set . "c" "changed" }}{{ .c }}{{ end }}{{ end }}
{{- define "own" }}{{ if and (kindIs "map" .) (hasKey . "Template") }}
{{- .Template.Name }}{{ end }}{{ end }}
{{- define "chance" }}{{ randAlphaNum 4 }}{{ end }}
{{- define "revision" }}{{ if and (kindIs "map" .) (hasKey . "Release") }}
{{- .Release.Revision }}{{ .Values.s }}{{ end }}{{ end }}
"""
READING = st.one_of(
    SCALARS.map(lambda one: f"{{{{ {one} | quote }}}}"),
    TOLD.map(lambda one: f"{{{{ toJson {one} }}}}"),
    SCALARS.map(lambda one: f"{{{{ with {one} }}}}{{{{ . }}}}{{{{ else }}}}none{{{{ end }}}}"),
    MAPS.map(lambda one: f"{{{{ range $k, $v := {one} }}}}{{{{ $k }}}}{{{{ $v }}}}{{{{ end }}}}"),
    MAPS.map(lambda one: f"{{{{ keys {one} | sortAlpha }}}}{{{{ len {one} }}}}"),
    st.tuples(MAPS, KEYS).map(lambda one: f'{{{{ hasKey {one[0]} "{one[1]}" }}}}'),
    st.tuples(MAPS, MAPS).map(lambda one: f"{{{{ merge (dict) {one[0]} {one[1]} | toJson }}}}"),
    MAPS.map(lambda one: f"{{{{ if {one} }}}}some{{{{ end }}}}{{{{ deepCopy {one} | toJson }}}}"),
    st.just("{{ range .Values.l }}{{ .a }}{{ $.Values.s }}{{ end }}"),
    st.just("{{ .Values.sub | toJson }}{{ with .Subcharts.sub }}{{ .Values.m | toJson }}{{ end }}"),
    st.just("{{ .x }}{{ .Template.Name }}{{ .Values.made | toJson }}"),
)
INCLUDING = st.tuples(PARTIALS, ARGUMENTS).map(lambda one: f'{{{{ include "{one[0]}" {one[1]} }}}}')
IN_TPL = st.one_of(
    SCALARS.map(lambda one: f"{{{{ tpl `{{{{ {one} }}}}` . }}}}"),
    st.just("{{ tpl .Values.templated . }}"),
    INCLUDING.map(lambda one: f"{{{{ tpl `{one}` $ }}}}"),
    INCLUDING.map(lambda one: f'{{{{ tpl `{{{{ define "show" }}}}other{{{{ end }}}}{one}` $ }}}}'),
)
WRITING = st.one_of(
    st.tuples(MAPS, KEYS, SCALARS).map(
        lambda one: f'{{{{ $_ := set {one[0]} "{one[1]}" {one[2]} }}}}'
    ),
    st.tuples(MAPS, KEYS).map(lambda one: f'{{{{ $_ := unset {one[0]} "{one[1]}" }}}}'),
    st.tuples(MAPS, MAPS).map(lambda one: f"{{{{ $_ := mergeOverwrite {one[0]} {one[1]} }}}}"),
    SCALARS.map(lambda one: f'{{{{ $_ := set .Values "s" (printf "%v+" {one}) }}}}'),
    TOLD.map(lambda one: f'{{{{ $_ := set $ "x" (toJson {one}) }}}}'),
    SCALARS.map(lambda one: f'{{{{ $_ := set .Values "made" (dict "a" {one}) }}}}'),
    MAPS.map(lambda one: f'{{{{ $_ := set .Values "made" {one} }}}}'),
    SCALARS.map(
        lambda one: f'{{{{ with .Values.made }}}}{{{{ $_ := set . "b" {one} }}}}{{{{ end }}}}'
    ),
    st.just('{{ range .Values.l }}{{ $_ := set . "a" "set" }}{{ end }}'),
    st.tuples(PARTIALS, MAPS).map(
        lambda one: (
            f'{{{{ $d := dict "value" {one[1]} "context" $ }}}}{{{{ include "{one[0]}" $d }}}}'
            f'{{{{ $_ := set $d "value" "other" }}}}{{{{ include "{one[0]}" $d }}}}'
            "{{ keys $d | sortAlpha }}"
        )
    ),
)
TEMPLATES = st.lists(
    st.one_of(READING, INCLUDING, INCLUDING, IN_TPL, WRITING), min_size=1, max_size=4
).map(lambda parts: "".join(f"# {part}\n" for part in parts))
LEAVES = st.sampled_from(["x", "y", "", True, 1.0])
TABLES = st.dictionaries(KEYS, st.one_of(LEAVES, st.none()), max_size=3)
LISTS = st.lists(st.fixed_dictionaries({"a": LEAVES}), max_size=2)
OWN = {
    "s": LEAVES,
    "t": LEAVES,
    "m": TABLES,
    "n": TABLES,
    "l": LISTS,
    "templated": st.sampled_from(["{{ .Values.t }}", '{{ include "show" .Values.m }}', "x"]),
}
SHARED = st.fixed_dictionaries({}, optional={"s": LEAVES, "m": TABLES})
VALUES = st.fixed_dictionaries(
    {},
    optional={**OWN, "global": SHARED, "sub": st.fixed_dictionaries({}, optional={**OWN})},
)
DEFAULTS = st.fixed_dictionaries(
    {**OWN, "global": st.fixed_dictionaries({"s": LEAVES, "m": TABLES})}
)


# The engine allows deeper recursion than Hypothesis expects to find.
@pytest.mark.filterwarnings("ignore:The recursion limit")
@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(
    templates=st.lists(TEMPLATES, min_size=1, max_size=4),
    inner=st.lists(TEMPLATES, min_size=1, max_size=2),
    defaults=DEFAULTS,
    inner_defaults=DEFAULTS,
    steps=st.lists(VALUES, min_size=2, max_size=5),
    revisions=st.lists(st.integers(1, 2), min_size=5, max_size=5),
)
def test_rendering_again_equals_rendering_anew(
    templates, inner, defaults, inner_defaults, steps, revisions
):
    files = {
        "values.yaml": json.dumps(defaults),
        "templates/_partial.tpl": PARTIAL_TEXTS,
        "charts/sub/Chart.yaml": CHART_YAML.format(name="sub"),
        "charts/sub/values.yaml": json.dumps(inner_defaults),
    }
    files |= {f"templates/t{number}.yaml": text for number, text in enumerate(templates)}
    files |= {f"charts/sub/templates/s{number}.yaml": text for number, text in enumerate(inner)}
    releases = [ReleaseInfo("web", "prod", revision=number) for number in revisions]
    again(a_chart(files), *zip(steps, releases, strict=False))
