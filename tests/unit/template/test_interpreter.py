"""What is interpreted prints and fails as what is compiled does."""

from types import SimpleNamespace

import pytest

from whipstaff.template import definitions
from whipstaff.template.engine import Engine
from whipstaff.template.errors import TemplateError
from whipstaff.template.functions.catalogue import REGISTRY
from whipstaff.template.scope import RenderScope

DATA = {
    "Values": {
        "a": {"b": {"c": "deep"}},
        "list": ["x", "y", None],
        "none": None,
        "n": 2.0,
        "s": "t",
    },
}
TEXTS = [
    "{{ .Values.a.b.c }} {{ .Values.missing }} {{ .Values.n }} {{ $.Values.s }}",
    "{{ .Values.missing.b }}",
    "{{ .Values.s.b }}",
    "{{ range $i, $v := .Values.list }}{{ $i }}{{ if not $v }}{{ break }}{{ end }}{{ end }}",
    "{{ range $k, $v := .Values }}{{ $k }} {{ end }}",
    "{{ range .Values.none }}x{{ else }}nothing{{ end }}",
    "{{ range 3 }}{{ . }}{{ if eq . 1 }}{{ continue }}{{ end }},{{ end }}",
    "{{ range .Values.s }}{{ end }}",
    "{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 3 }}{{ end }}{{ $x }}",
    "{{ with .Values.a }}{{ .b.c }}{{ $.Values.s }}{{ else }}none{{ end }}",
    "{{ with .Values.none }}x{{ else with .Values.s }}{{ . }}{{ end }}",
    '{{ define "d" }}[{{ . }}]{{ end }}{{ template "d" .Values.s }}{{ include "d" 1 | upper }}',
    '{{ define "d" }}{{ .x.y }}{{ end }}{{ include "d" .Values }}',
    '{{ define "d" }}{{ .a.y }}{{ end }}{{ template "d" }}',
    '{{ template "missing" .Values.missing.x }}',
    "{{ and .Values.s .Values.none .Values.missing.x }}{{ or .Values.none .Values.s }}",
    "{{ .Values.s | and .Values.n }}",
    "{{ .Values.none | trunc 5 }}",
    "{{ trunc .Values.none .Values.s }}",
    "{{ trunc 5 .Values.n }}",
    "{{ trunc 1.5 .Values.s }}",
    "{{ (index .Values.list 0) }}{{ (.Values.a).b.c }}{{ (dict).x }}",
    "{{ index .Values.list 9 }}",
    "{{ (dict).x.y }}",
    "{{ len .Values.none }}",
    "{{ .Values.none | len }}",
    "{{ nil }}",
    "{{ .Values.s 1 }}",
    '{{ "x" | printf "%s-%d" .Values.s }}',
    "{{ eq .Values.s }}{{ upper }}",
    '{{ tpl "{{ .a.b.c }}{{ .none.x }}" .Values }}',
    '{{ required "give it" .Values.none }}',
    "{{ .Values.list | first | upper | quote }}{{ .Values.list }}",
    "line\n  {{- range .Values.list }}\n  {{ .x }}{{ end }}",
]


def printed(text, monkeypatch, *, calls):
    monkeypatch.setattr(definitions, "CALLS_BEFORE_COMPILING", calls)
    scope = RenderScope(SimpleNamespace(now=None, random=None, lookup=lambda *_: {}))
    templates = Engine(REGISTRY).parse({"c/templates/t.yaml": text})
    try:
        return templates.render("c/templates/t.yaml", DATA, scope)
    except TemplateError as error:
        return str(error), error.line, error.column


@pytest.mark.parametrize("text", TEXTS)
def test_interpreting_and_compiling_agree(text, monkeypatch):
    compiled = printed(text, monkeypatch, calls=0)
    assert printed(text, monkeypatch, calls=100) == compiled


def test_what_is_called_often_is_compiled():
    scope = RenderScope(SimpleNamespace(now=None, random=None, lookup=lambda *_: {}))
    text = '{{ define "d" }}{{ . }}{{ end }}{{ range 200 }}{{ template "d" . }}{{ end }}'
    templates = Engine(REGISTRY).parse({"t": text})
    templates.render("t", {}, scope)
    assert templates.definitions["d"].codes
    assert not templates.definitions["t"].codes


def test_what_was_interpreted_is_compiled_to_be_kept():
    scope = RenderScope(SimpleNamespace(now=None, random=None, lookup=lambda *_: {}))
    templates = Engine(REGISTRY).parse({"t": '{{ define "unused" }}x{{ end }}{{ .a }}'})
    templates.render("t", {}, scope)
    templates.compiled()
    assert templates.definitions["t"].codes
    assert not templates.definitions["unused"].codes
