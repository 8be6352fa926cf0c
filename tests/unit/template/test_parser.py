import pytest

from whipstaff.template.parser import MAX_NESTING, ParseError, parse

FUNCTIONS = {"print", "f"}


def root(source):
    return parse("t", source, FUNCTIONS)["t"]


@pytest.mark.parametrize(
    "source",
    [
        "{{.a.b}}",
        "{{$.a}}",
        "{{print .a | print (f 1).x}}",
        "{{$x := 1}}",
        "{{if .a}}b{{else}}c{{end}}",
        "{{with $x := .a}}{{$x}}{{end}}",
        "{{range $i, $e := .a}}{{$i}}{{break}}{{continue}}{{end}}",
        '{{template "x" .a}}',
        "{{print nil true 'a' `raw` \"s\" 0x1F}}",
    ],
)
def test_a_tree_prints_as_it_was_written(source):
    assert str(root(source)) == source


def test_else_if_is_an_if_in_the_else():
    assert (
        str(root("{{if .a}}1{{else if .b}}2{{end}}"))
        == "{{if .a}}1{{else}}{{if .b}}2{{end}}{{end}}"
    )


def test_definitions_are_taken_out_of_the_text():
    trees = parse("t", 'a{{define "x"}}b{{end}}c{{block "y" .}}d{{end}}', FUNCTIONS)
    assert {name: str(tree) for name, tree in trees.items()} == {
        "x": "b",
        "y": "d",
        "t": 'ac{{template "y" .}}',
    }


def test_an_empty_definition_replaces_none():
    trees = parse("t", '{{define "x"}}b{{end}}{{define "x"}} {{/* c */}}{{end}}', FUNCTIONS)
    assert str(trees["x"]) == "b"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{if}}{{end}}", "template: t:1: missing value for if"),
        ("\n{{if .a}}", "template: t:2: unexpected EOF"),
        ("{{nosuch}}", 'template: t:1: function "nosuch" not defined'),
        ("{{$x}}", 'template: t:1: undefined variable "$x"'),
        ("{{end}}", "template: t:1: unexpected {{end}}"),
        ("{{break}}", "template: t:1: {{break}} outside {{range}}"),
        ("{{1 | 2}}", "template: t:1: non executable command in pipeline stage 2"),
        ("{{.a\n\n", "template: t:3: unclosed action started at t:1"),
        ('{{"a".b}}', 'template: t:1: unexpected . after term "\\"a\\""'),
        ("{{99999999999999999999}}", 'template: t:1: integer overflow: "99999999999999999999"'),
        (
            '{{define "x"}}a{{end}}{{define "x"}}b{{end}}',
            'template: t:1: template: multiple definition of template "x"',
        ),
    ],
)
def test_what_is_no_template_is_refused_in_gos_words(source, problem):
    with pytest.raises(ParseError) as refused:
        parse("t", source, FUNCTIONS)
    assert str(refused.value) == problem


def test_endless_nesting_is_refused():
    deep = MAX_NESTING + 1
    for source in ("{{if .a}}" * deep, "{{" + "(" * deep + "1" + ")" * deep + "}}"):
        with pytest.raises(ParseError, match="max expression depth exceeded"):
            parse("t", source, FUNCTIONS)
