from pathlib import Path

import pytest
import yaml

from tests.builders.language import a_scope, data_of, render, render_case
from whipstaff.template.engine import Engine
from whipstaff.template.errors import TemplateError
from whipstaff.template.functions.catalogue import REGISTRY

ORACLE = Path(__file__).parents[2] / "oracle" / "language"


def oracle_cases():
    for path in sorted(ORACLE.glob("*.yaml")):
        for number, case in enumerate(yaml.load(path.read_text(), yaml.CSafeLoader)):
            yield pytest.param(case, id=f"{path.stem}-{number}")


@pytest.mark.parametrize("case", list(oracle_cases()))
def test_a_template_gives_what_helm_gives(case):
    assert render_case(case) == {"out": case.get("out", {}), "error": case.get("error", "")}


SOURCES = {
    "chart/templates/_h.tpl": '{{ define "x" }}[{{ .Release.Name }}]{{ end }}',
    "chart/templates/a.yaml": 'a: {{ include "x" . }}\n',
    "chart/templates/b.yaml": "b: {{ .Values.missing.key }}\n",
}


def a_render(engine, name="a"):
    return engine.parse(SOURCES).render(f"chart/templates/{name}.yaml", data_of({}), a_scope())


def test_compiled_code_survives_a_restart():
    before = Engine(REGISTRY)
    templates = before.parse(SOURCES)
    expected = templates.render("chart/templates/a.yaml", data_of({}), a_scope())
    after = Engine(REGISTRY)
    assert after.load(templates.compiled())
    restored = after.parse(SOURCES).definitions["x"]
    assert restored.codes
    assert a_render(after) == expected


def test_an_error_in_restored_code_names_the_same_place():
    before = Engine(REGISTRY)
    with pytest.raises(TemplateError) as first:
        a_render(before, "b")
    after = Engine(REGISTRY)
    assert after.load(before.parse(SOURCES).compiled())
    with pytest.raises(TemplateError) as again:
        a_render(after, "b")
    assert str(again.value) == str(first.value)


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x00" * 20])
def test_foreign_code_is_not_taken(data):
    assert not Engine(REGISTRY).load(data)


def test_code_for_other_functions_is_not_taken():
    kept = Engine(REGISTRY).parse(SOURCES).compiled()
    fewer = {name: REGISTRY[name] for name in ("include", "print")}
    assert not Engine(fewer).load(kept)


def test_a_source_is_parsed_once():
    engine = Engine(REGISTRY)
    assert engine.parse(SOURCES).definitions["x"] is engine.parse(SOURCES).definitions["x"]


def test_the_last_definition_of_a_name_wins():
    sources = {
        "chart/a": '{{ define "x" }}1{{ end }}',
        "chart/b": '{{ define "x" }}2{{ end }}{{ include "x" . }}',
    }
    engine = Engine(REGISTRY)
    assert engine.parse(sources, ["chart/b", "chart/a"]).render("chart/b", {}, a_scope()) == "1"


def test_no_value_prints_as_nothing():
    assert render("[{{ .Values.x }}]") == "[]"
    assert render('[{{ printf "%v" .Values.x }}]') == "[<nil>]"
