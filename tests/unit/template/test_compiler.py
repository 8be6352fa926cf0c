import pytest

from tests.builders.language import render
from whipstaff.template.code import literal
from whipstaff.template.compiler import compile_body
from whipstaff.template.functions.catalogue import REGISTRY
from whipstaff.template.parser import parse


def compiled(source):
    return compile_body(parse("t", source, REGISTRY)["t"], REGISTRY, strict=False)


def test_the_same_tree_gives_the_same_source():
    source = "{{ range $k, $v := .a }}{{ if or $k .b }}{{ include $k $v }}{{ end }}{{ end }}"
    one, other = compiled(source), compiled(source)
    assert (one.source, one.lines) == (other.source, other.lines)


def test_every_line_knows_its_site():
    made = compiled("{{ .a.b }}\n{{ upper .c | quote }}")
    assert len(made.lines) == made.source.count("\n")
    assert all(-1 <= site < len(made.sites) for site in made.lines)


@pytest.mark.parametrize(
    "text",
    ["'); import os; ('", '"""', "\\", "\n", "\x00", "{0}", "\udcff", "__import__"],
    ids=repr,
)
def test_text_of_a_template_stays_text(text):
    assert render(text) == text
    assert render("{{ .Values.x }}", {"x": text}) == text


@pytest.mark.parametrize("name", ["__class__", "__init__", "get", "items", "inner", "keys"])
def test_no_python_attribute_is_within_reach(name):
    assert render(f"{{{{ .Values.{name} }}}}") == ""
    assert render(f"{{{{ (.Values.x).{name} }}}}", {"x": {}}) == ""


def test_only_constants_become_literals():
    assert literal("a'b") == repr("a'b")
    with pytest.raises(TypeError):
        literal(["a"])


@pytest.mark.parametrize("depth", [10, 60, 150, 400])
def test_nesting_deeper_than_pythons_own_limits_works(depth):
    opened = "".join(
        f"{{{{ if true }}}}{{{{ $x = add $x 1 }}}}{{{{ $y{i} := $x }}}}" for i in range(depth)
    )
    source = "{{ $x := 0 }}" + opened + "{{ $x }} {{ $y3 }}" + "{{ end }}" * depth
    assert render(source) == f"{depth} 4"


def test_break_and_continue_reach_through_deep_nesting():
    depth = 120
    source = (
        "{{ range $i, $e := list 0 1 2 3 }}"
        + "{{ if true }}" * depth
        + "{{ if eq $i 1 }}{{ continue }}{{ end }}{{ if eq $i 3 }}{{ break }}{{ end }}{{ $e }}"
        + "{{ end }}" * depth
        + ";{{ end }}"
    )
    assert render(source) == "0;2;"


def test_many_ranges_in_each_other_work():
    depth = 40
    source = "{{ range list 1 }}" * depth + "{{ . }}{{ $.Release.Name }}" + "{{ end }}" * depth
    assert render(source) == "1rel"
