"""The quick parser reads what the parser reads, to the same trees, and refuses with its words."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whipstaff.template import nodes, parser, quick_actions
from whipstaff.template.functions.catalogue import REGISTRY
from whipstaff.template.parser import ActionParser, ParseError, parse
from whipstaff.template.quick_parser import QuickParser

ACTIONS = [
    " . ",
    ".a",
    ".a.b.c",
    "$",
    "$.a.b",
    '"text"',
    r'"es\"caped"',
    "`raw`",
    "'c'",
    "12",
    "0x1F",
    "1.5",
    "1i",
    "true",
    "nil",
    "quote .a",
    ".a | quote",
    ".a|quote",
    '.a | default "x" | quote',
    'include "n" (dict "a" .b "c" $)',
    "(.a).b",
    "(index .a 0).b.c",
    "((.a))",
    "((((.a))).b)",
    "(((((.a)))))",
    'eq (len (list .a "(")) 1 | not',
    ". | quote",
    ".a | (quote .b)",
    ".a | true",
    "true | not",
    "and (not .a) (eq .b 1)",
    "$x := .a",
    "$x = .a",
    "$x",
    "$x.a | quote",
    "if .a",
    "if $y := .a",
    "if(eq .a .b)",
    "else",
    "else if .b",
    "else with .b",
    "with .a",
    "range .a",
    "range $i, $v := .a",
    "range $v := .a",
    "range $i, $v = .a",
    "end",
    "break",
    "continue",
    'template "n"',
    'template "n" .a',
    'block "b" .',
    'define "d"',
    "/* comment */",
    "- .a -",
    "- end -",
    " - ",
    ".a.",
    ".a .b",
    ".a )",
    "( .a",
    ".a | 1",
    "missing .a",
    '"open',
    "",
]
TEXTS = ["", " ", "text", "\n  ", "a: {}\n", "}}", "é"]


@pytest.fixture(autouse=True, scope="module")
def _frames():
    """Leave the recursion limit alone, which Hypothesis sets itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parser, "allow_frames", lambda _: None)
        yield


def shown(node, base=0):
    """A tree as plain data, its positions counted from the start of the source."""
    if not isinstance(node, nodes.Node):
        return [shown(one, base) for one in node] if isinstance(node, list) else node
    if isinstance(node, nodes.Action | nodes.Branch | nodes.Template):
        base = node.base
    placed = not isinstance(node, nodes.Body | nodes.Break | nodes.Continue)
    at = node.position + (0 if isinstance(node, nodes.Text) else base)
    fields = [field.name for field in dataclasses.fields(node)]
    return [
        "Pipe" if isinstance(node, nodes.Pipe) else type(node).__name__,
        at if placed else None,
        *(
            shown(getattr(node, name), base)
            for name in fields
            if name not in {"position", "base", "evaluate"}
        ),
    ]


def outcome(read):
    try:
        return {name: shown(tree) for name, tree in read().items()}
    except ParseError as error:
        return str(error)


def written(parts):
    return "".join(text + "{{" + action + "}}" for text, action in parts)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(ACTIONS)), max_size=7))
def test_both_parsers_agree_on_any_sequence_of_actions(parts):
    source = written(parts)
    quick = outcome(lambda: QuickParser(REGISTRY).parse("t", source))
    assert quick == outcome(lambda: parse("t", source, REGISTRY))


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(ACTIONS),
    st.integers(0, 40),
    st.integers(0, 3),
    st.sampled_from(
        ["", " ", "|", "(", ")", ".", '"', "$", ":=", "=", ",", "-", "a", "1", "\n", "é"]
    ),
)
def test_an_action_changed_anywhere_is_read_as_the_parser_reads_it_or_left_to_it(
    action, at, dropped, put
):
    inner = action[:at] + put + action[at + dropped :]
    try:
        quick = quick_actions.read(inner, REGISTRY)
    except quick_actions.Unusual:
        return
    kind, chained, _, name, pipe, needs, declares = ActionParser(inner, REGISTRY).read()
    assert (quick.kind, quick.chained, quick.name) == (kind, chained, name)
    assert shown(quick.pipe) == shown(pipe)
    assert (list(quick.needs), list(quick.declares)) == (needs, declares)


def test_equal_actions_share_their_nodes():
    trees = QuickParser(REGISTRY).parse("t", "{{ .a | quote }} {{ .a | quote }}")
    first, _, second = trees["t"].nodes
    assert first.pipe is second.pipe
    assert (first.base, second.base) == (2, 19)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("{{ if .a }}{{ $x := 1 }}{{ end }}{{ $x }}", id="after its scope"),
        pytest.param('{{ $x := 1 }}{{ define "d" }}{{ $x }}{{ end }}', id="in a definition"),
    ],
)
def test_a_variable_is_known_where_it_was_declared_alone(source):
    with pytest.raises(ParseError, match="undefined variable"):
        QuickParser(REGISTRY).parse("t", source)


def test_nothing_is_slow_to_refuse():
    quick = QuickParser(REGISTRY)
    for piece in (
        "{{ " + "a " * 50_000,
        "{{ " + "(" * 60 + ".a " * 50_000,
        '{{ "' + "\\\\" * 50_000,
        "{{ -" + "- " * 50_000,
    ):
        with pytest.raises(ParseError):
            quick.parse("t", piece)
