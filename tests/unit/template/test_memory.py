"""What an included template printed is printed again, and only where that is the same."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from whipstaff.template.engine import Engine
from whipstaff.template.functions.catalogue import REGISTRY
from whipstaff.template.memory import Memory
from whipstaff.template.scope import RenderScope
from whipstaff.template.tracing import Tracer

PARTIALS = """
{{- define "reads" }}{{ .Values.a }}{{ end }}
{{- define "given" }}{{ .value | toJson }}{{ end }}
{{- define "changes" }}{{ $_ := set . "value" "changed" }}{{ .value }}{{ end }}
{{- define "chance" }}{{ randAlphaNum 5 }}{{ end }}
{{- define "outer" }}[{{ include "reads" . }}]{{ end }}
"""
DATA = {"Values": {"a": "A", "l": ["x"], "m": {"b": "B"}}}


def rendered(text, times=2):
    """Render one after the other; return the last text, what it read, and the memory."""
    tracer = Tracer()
    data = tracer.adopt(DATA)
    source = random.Random(1)
    effects = SimpleNamespace(
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        random=SimpleNamespace(randbytes=source.randbytes, randbelow=source.randrange),
        lookup=lambda *_: {},
    )
    memory = Memory(tracer)
    scope = replace(tracer.watch(RenderScope(effects)), memory=memory)
    templates = Engine(REGISTRY).parse({"a": text, "p": PARTIALS}, order=["p", "a"])
    found, reads = "", frozenset()
    for _ in range(times):
        tracer.begin()
        found = templates.render("a", data, scope)
        reads = tracer.end().reads
        tracer.undo()
    return found, reads, memory


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{ include "reads" . }}{{ include "reads" . }}', "AA"),
        ('{{ include "outer" . }}', "[A]"),
        ('{{ include "reads" . }}{{ $_ := set .Values "a" "N" }}{{ include "reads" . }}', "AN"),
        ('{{ include "given" (dict "value" 1) }}{{ include "given" (dict "value" "1") }}', '1"1"'),
        ('{{ include "given" (dict "value" true) }}{{ include "given" . }}', "truenull"),
        ('{{ include "given" (dict "value" .Values.l) }}', '["x"]'),
        ('{{ $d := dict "value" 1 }}{{ include "changes" $d }}{{ $d.value }}', "changedchanged"),
        (('{{ include "given" (dict "value" .Values.m) }}{{ $_ := set .Values.m "b" 2 }}'
         '{{ include "given" (dict "value" .Values.m) }}'), '{"b":"B"}{"b":2}'),
        (('{{ $t := `{{ define "reads" }}other{{ end }}{{ include "reads" . }}` }}'
         '{{ include "reads" . }}{{ tpl $t . }}{{ include "reads" . }}'), "AotherA"),
    ],
    ids=["the same", "nested", "written meanwhile", "other types", "a map and data", "lists",
         "an argument that is changed", "a map that is written", "another of that name"],
)  # fmt: skip
def test_a_text_is_what_it_would_be(text, expected):
    assert rendered(text)[0] == expected


def test_what_is_generated_is_generated_again():
    found, _, memory = rendered('{{ include "chance" . }} {{ include "chance" . }}')
    assert len(set(found.split())) == 2
    assert not memory._texts


def test_what_a_known_text_read_counts_as_read():
    first, second = (
        rendered('{{ include "outer" . }}', 1)[1],
        rendered('{{ include "outer" . }}')[1],
    )
    assert first == second


def test_what_reads_a_change_is_forgotten():
    _, reads, memory = rendered('{{ include "reads" . }}{{ include "given" (dict "value" 1) }}')
    assert len(memory._texts) == 2
    memory.forget(reads)
    assert [key[0] for key in memory._texts] == ["given"]


def test_the_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("whipstaff.template.memory._MOST_BYTES", 5_000)
    loop = '{{ range until 100 }}{{ include "given" (dict "value" .) }}{{ end }}'
    found, _, memory = rendered(loop)
    assert found == "".join(map(str, range(100)))
    assert 0 < memory.bytes_held() <= 5_000


def test_templates_that_are_nested_deeply_are_not_remembered():
    deep = (
        '{{ define "deep" }}{{ if . }}{{ include "deep" (sub . 1) }}{{ else }}end{{ end }}{{ end }}'
        '{{ include "deep" 300 }}'
    )
    found, _, memory = rendered(deep)
    assert found == "end"
    assert all(text.depth <= 200 for text in memory._texts.values())
