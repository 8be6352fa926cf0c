import pytest

from tests.builders.language import ENGINE, FixedEffects, data_of, render
from whipstaff.template.errors import TemplateError
from whipstaff.template.scope import RenderScope


def test_required_fails_with_its_warning_alone():
    with pytest.raises(TemplateError) as refused:
        render('{{ required "give me x" .Values.x }}')
    assert str(refused.value) == "execution error at (chart/templates/t.yaml:1:3): give me x"


@pytest.mark.parametrize("value", [0, False, "a", []], ids=repr)
def test_required_takes_what_is_neither_nil_nor_empty_text(value):
    assert render('{{ required "w" .Values.x | toJson }}', {"x": value}) != ""


def test_fail_fails():
    with pytest.raises(TemplateError, match=r"execution error at .*: oops"):
        render('{{ fail "oops" }}')


def test_linting_fails_neither():
    assert render('[{{ required "w" .Values.x }}{{ fail "x" }}]', lint=True) == "[]"


def test_lookup_asks_the_effects():
    effects = FixedEffects(objects={("v1", "Pod", "ns", "p"): {"metadata": {"name": "p"}}})
    templates = ENGINE.parse({"t": '{{ (lookup "v1" "Pod" "ns" "p").metadata.name }}'})
    assert templates.render("t", data_of({}), RenderScope(effects)) == "p"
    assert render('{{ lookup "v1" "Pod" "ns" "x" }}') == "map[]"


def test_no_host_name_is_looked_up():
    assert render('[{{ getHostByName "localhost" }}]') == "[]"


def test_include_gives_text_to_pipe_on():
    assert render('{{ define "x" }}a\nb{{ end }}{{ include "x" . | indent 2 }}') == "  a\n  b"


def test_tpl_reads_text_as_a_template():
    assert (
        render("{{ tpl .Values.t . }}", {"t": "{{ .Release.Name }}-{{ .Values.nope }}"}) == "rel-"
    )
