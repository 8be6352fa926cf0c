import pytest

from tests.builders.language import ENGINE, a_scope, data_of, render
from whipstaff.template.errors import LimitExceeded, TemplateError
from whipstaff.template.scope import Limits


def refusal(template, values=None, **changes):
    with pytest.raises(TemplateError) as refused:
        render(template, values, **changes)
    return str(refused.value)


def test_an_endless_include_ends_in_helms_words():
    text = refusal('{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}')
    assert "rendering template has a nested reference name: x: unable to execute template" in text


def test_two_templates_that_include_each_other_end_too():
    source = (
        '{{ define "x" }}{{ include "y" . }}{{ end }}{{ define "y" }}{{ include "x" . }}{{ end }}'
    )
    assert "nested reference name" in refusal(source + '{{ include "x" . }}')


def test_an_endless_template_action_ends_in_gos_words():
    source = '{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}'
    assert "exceeded maximum template depth (100000)" in refusal(source)


def test_an_endless_tpl_ends():
    source = "{{ tpl .Values.t . }}"
    with pytest.raises(LimitExceeded):
        render(source, {"t": source})


@pytest.mark.parametrize(
    ("template", "limits", "expected"),
    [
        pytest.param("{{ range 1000 }}x{{ end }}", Limits(steps=500), "500 steps", id="steps"),
        pytest.param(
            "{{ range 100 }}{{ range 100 }}{{ end }}{{ end }}",
            Limits(steps=5000),
            "5000 steps",
            id="nested",
        ),
        pytest.param(
            "{{ range 100 }}0123456789{{ end }}",
            Limits(output_bytes=100),
            "100 characters",
            id="output",
        ),
        pytest.param(
            "{{ range 1000 }}{{ range 1000 }}{{ len (print . . .) }}{{ end }}{{ end }}",
            Limits(seconds=0.001),
            "seconds",
            id="time",
        ),
    ],
)
def test_a_limit_is_named_when_it_is_met(template, limits, expected):
    with pytest.raises(LimitExceeded, match=expected):
        render(template, limits=limits)


def test_the_next_render_after_a_limit_works():
    with pytest.raises(LimitExceeded):
        render("{{ range 100000 }}{{ end }}", limits=Limits(steps=10))
    assert render("{{ .Release.Name }}") == "rel"


def test_a_template_of_a_tpl_text_is_known_to_it_alone():
    source = (
        '{{ tpl "{{ define \\"q\\" }}Q{{ end }}{{ include \\"q\\" . }}" . }}{{ include "q" . }}'
    )
    assert 'no template "q" associated' in refusal(source)


def test_values_set_by_one_template_are_seen_by_the_next():
    templates = ENGINE.parse(
        {
            "chart/templates/a.yaml": '{{ $_ := set .Values "k" "v" }}',
            "chart/templates/b.yaml": "{{ .Values.k }}",
        }
    )
    data = data_of({})
    templates.render("chart/templates/a.yaml", data, a_scope())
    assert templates.render("chart/templates/b.yaml", data, a_scope()) == "v"


def test_an_error_names_its_place():
    with pytest.raises(TemplateError) as refused:
        render("é\né {{ .Values.a.b }}")
    assert (refused.value.template, refused.value.line, refused.value.column) == (
        "chart/templates/t.yaml",
        2,
        13,
    )


def test_strict_mode_refuses_missing_keys():
    assert 'map has no entry for key "x"' in refusal("{{ .Values.x }}", strict=True)
    assert render("{{ .Values.x }}") == ""
