import pytest

from whipstaff.template.lexer import Kind, describe, tokens_of


def words(source):
    return [(Kind(token.kind).name, token.text) for token in tokens_of(source)]


def test_a_chain_of_fields_is_one_token():
    assert words("a{{ .Values.a.b }}") == [
        ("TEXT", "a"),
        ("LEFT_DELIM", "{{"),
        ("FIELD", ".Values.a.b"),
        ("RIGHT_DELIM", "}}"),
        ("EOF", "EOF"),
    ]


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        pytest.param("a \n{{- 1 -}} \n b", ["a", "b"], id="both sides"),
        pytest.param("a {{- /* c */ -}} b", ["a", "b"], id="around a comment"),
        pytest.param("a {{-1}} b", ["a ", " b"], id="a minus without a blank is a sign"),
        pytest.param("a {{1 -}} b", ["a ", "b"], id="right only"),
    ],
)
def test_trim_markers_take_the_blanks_beside_them(source, texts):
    assert [token.text for token in tokens_of(source) if token.kind == Kind.TEXT] == texts


@pytest.mark.parametrize(
    "number",
    ["0", "12", "0x1F", "0b101", "0o17", "017", "1_000", "1.5", ".5", "1.", "1e3", "0x1p-2", "1i"],
)
def test_numbers_of_every_form_are_one_token(number):
    assert words(f"{{{{{number}}}}}")[1] == ("NUMBER", number)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{", "unclosed action"),
        ("{{/* a", "unclosed comment"),
        ("{{/* a */ }}", "comment ends before closing delimiter"),
        ('{{ "a }}', "unterminated quoted string"),
        ("{{ `a }}", "unterminated raw quoted string"),
        ("{{ 'a }}", "unterminated character constant"),
        ("{{ (1 }}", "unclosed left paren"),
        ("{{ 1) }}", "unexpected right paren"),
        ("{{ 1a }}", 'bad number syntax: "1a"'),
        ("{{ $x : 1 }}", "expected :="),
        ("{{ .a$ }}", "bad character U+0024 '$'"),
        ("{{ \x01 }}", "unrecognized character in action: U+0001"),
    ],
)
def test_a_lexical_error_is_the_last_token(source, problem):
    last = tokens_of(source)[-1]
    assert last.kind == Kind.ERROR
    assert last.text == problem


def test_positions_count_characters():
    tokens = tokens_of("é{{ .a }}")
    assert [token.pos for token in tokens] == [0, 1, 4, 7, 9]


def test_a_long_token_is_shown_shortened():
    token = tokens_of('{{ "a long string" }}')[1]
    assert describe(token) == '"\\"a long st"...'
