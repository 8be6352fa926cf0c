"""What was rendered before a restart is found again, by whoever knows what it was made from."""

import pytest

from tests.builders.charts import a_chart
from tests.unit.chart.test_incremental import Begun, a_map, a_scope, outcome
from whipstaff.chart import rendering
from whipstaff.chart.capabilities import Capabilities
from whipstaff.chart.incremental import Memory, Question
from whipstaff.chart.rendering import ReleaseInfo
from whipstaff.workers.compiled import CompiledCharts
from whipstaff.workers.snapshots import Snapshots

RELEASE = ReleaseInfo("web", "prod")
VALUES = {"a": "1", "c": "0", "secret": "open sesame"}


@pytest.fixture
def folder(tmp_path):
    return CompiledCharts(tmp_path / "compiled")


def files(tmp_path):
    return list((tmp_path / "compiled").iterdir())


def a_chart_of(**templates):
    return a_chart({f"templates/{name}.yaml": text for name, text in templates.items()})


def rendered(folder, chart, values, release=RELEASE, then=None, digest="sha256:1"):
    """Render as a new process does, and again with other values; return the result, what ran."""
    memory, ran = Memory(Snapshots(folder, digest)), Begun()
    for step in (values, then) if then else (values,):
        ran.clear()
        question, scope = Question(chart, release, Capabilities()), a_scope(ran)
        found = outcome(lambda v=step, q=question, s=scope: memory.render(q, v, s))
        anew = outcome(
            lambda v=step: rendering.render(chart, v, release, Capabilities(), a_scope())
        )
        assert found == anew
    memory.save()
    return ran


TWO = {
    "a": a_map("a", "{{ .Values.a | quote }}"),
    "b": a_map("b", "{{ .Values.secret | quote }}"),
}


def test_after_a_restart_nothing_runs_for_what_was_rendered_before(folder):
    chart = a_chart_of(**TWO)
    assert len(rendered(folder, chart, VALUES)) > 1
    assert rendered(folder, chart, VALUES) == []
    assert rendered(folder, chart, VALUES, then={**VALUES, "a": "2"}) == ["a"]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"values": {**VALUES, "a": "2"}}, id="values"),
        pytest.param({"release": ReleaseInfo("web", "prod", revision=2)}, id="release"),
        pytest.param({"digest": "sha256:2"}, id="chart"),
    ],
)
def test_of_anything_else_nothing_is_found(folder, changed):
    chart = a_chart_of(**TWO)
    rendered(folder, chart, VALUES)
    assert len(rendered(folder, chart, **{"values": VALUES, **changed})) > 1


def test_nobody_without_the_values_can_read_it(folder, tmp_path):
    rendered(folder, a_chart_of(**TWO), VALUES)
    (file,) = files(tmp_path)
    assert b"sesame" not in file.read_bytes()
    assert b"ConfigMap" not in file.read_bytes()


def test_what_is_generated_is_not_kept(folder):
    chart = a_chart_of(a=a_map("a", "x"), r=f"# {{{{ randAlphaNum 8 }}}}\n{a_map('r', 'x')}")
    memory = Memory(Snapshots(folder, "sha256:1"))
    question = Question(chart, RELEASE, Capabilities())
    memory.render(question, {}, a_scope())
    memory.save()
    ran = Begun()
    Memory(Snapshots(folder, "sha256:1")).render(question, {}, a_scope(ran))
    assert ran == ["r"]


def test_what_templates_set_is_set_again(folder):
    chart = a_chart_of(
        z='{{ $_ := set .Values "x" .Values.a }}{{ $_ := unset .Values "secret" }}',
        b=a_map("b", "{{ .Values.x }}{{ .Values.secret }}{{ .Values.c }}"),
    )
    rendered(folder, chart, VALUES)
    assert rendered(folder, chart, VALUES) == []
    assert rendered(folder, chart, VALUES, then={**VALUES, "c": "2"}) == ["b"]
    assert rendered(folder, chart, VALUES, then={**VALUES, "a": "2"}) == ["z", "b"]


def test_nothing_is_kept_where_what_is_generated_is_handed_on(folder):
    chart = a_chart_of(z='{{ $_ := set .Values "x" (randAlphaNum 8) }}', b="# {{ .Values.x }}\n")
    rendered(folder, chart, VALUES)
    assert rendered(folder, chart, VALUES) == ["z", "b"]


def test_what_was_read_is_known_after_a_restart(folder):
    chart = a_chart_of(**TWO)
    rendered(folder, chart, VALUES)
    question = Question(chart, RELEASE, Capabilities())
    found = Memory(Snapshots(folder, "sha256:1")).render(question, VALUES, a_scope())
    assert [key for key in sorted(VALUES) if found.reads.is_read((key,))] == ["a", "secret"]


def test_values_that_a_schema_allowed_are_not_judged_again(folder, monkeypatch):
    chart = a_chart({
        "templates/r.yaml": f"# {{{{ randAlphaNum 8 }}}}\n{a_map('r', 'x')}",
        "values.schema.json": '{"type": "object"}',
    })  # fmt: skip
    rendered(folder, chart, VALUES)
    monkeypatch.setattr("whipstaff.chart.schema.validate_again", None)
    question = Question(chart, RELEASE, Capabilities())
    assert Memory(Snapshots(folder, "sha256:1")).render(question, VALUES, a_scope()).documents


def test_a_file_that_was_exchanged_counts_as_none(folder, tmp_path):
    chart = a_chart_of(**TWO)
    rendered(folder, chart, VALUES)
    (first,) = files(tmp_path)
    rendered(folder, chart, {"a": "2"})
    (second,) = set(files(tmp_path)) - {first}
    first.write_bytes(second.read_bytes())
    assert len(rendered(folder, chart, VALUES)) > 1
