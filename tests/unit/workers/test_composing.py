"""Values of several places become one table, as in Flux, and errors repeat none of them."""

import base64
import json

import pytest

from whipstaff.errors import ValuesInvalid
from whipstaff.workers.composing import compose

SECRET_WORD = "hunter2"


def a_file(text, **facts):
    return {"where": "ConfigMap web/values, key values.yaml", "content": text} | facts


def at(path, text, **facts):
    return a_file(text, target_path=path, **facts)


def secretly(layer):
    """The same content, as a Secret holds it."""
    content = layer["content"]
    data = content if isinstance(content, bytes) else content.encode()
    where = "Secret web/login, key password"
    return layer | {"content": base64.b64encode(data).decode(), "secret": True, "where": where}


def values(*layers, **inline):
    return compose(inline, layers)["values"]


@pytest.mark.parametrize("wrap", [dict, secretly], ids=["ConfigMap", "Secret"])
def test_later_files_win_key_by_key(wrap):
    layers = [wrap(a_file("a: 1\nb: {x: 1, l: [1, 2]}")), wrap(a_file("b: {l: [3], z: null}"))]
    assert values(*layers) == {"a": 1, "b": {"x": 1, "l": [3], "z": None}}


def test_inline_values_win_over_files():
    assert values(a_file("a: 1\nb: 2"), a=None, c={"d": 1}) == {"a": None, "b": 2, "c": {"d": 1}}


def test_single_values_win_over_everything_in_their_order():
    """As in Flux's own test: what has a path stands above a later file and the inline values."""
    layers = [at("nested.list[0]", "value"), a_file("flat: x\nnested: {list: [1, 2, 3]}")]
    found = values(*layers, at("top", "1"), at("top", "2"), nested={"list": ["a", "b"]}, top="0")
    assert found == {"flat": "x", "nested": {"list": ["value", "b"]}, "top": 2}


@pytest.mark.parametrize(
    ("content", "literal", "value"),
    [
        pytest.param("true", False, True, id="a truth value"),
        pytest.param("123456789012", False, 123456789012, id="a whole number"),
        pytest.param("1.5", False, "1.5", id="a fraction stays text, as with --set"),
        pytest.param("{a,b}", False, ["a", "b"], id="a list"),
        pytest.param("'123'", False, "123", id="text in quotes"),
        pytest.param('"true"', False, "true", id="text in double quotes"),
        pytest.param("true", True, "true", id="literally"),
        pytest.param("[a,b]={c}\\d\n", True, "[a,b]={c}\\d\n", id="literally with signs"),
    ],
)
def test_a_single_value_is_read_as_set_reads_it(content, literal, value):
    found = values(at("a.b", content, literal=literal))
    assert found == {"a": {"b": value}}


def test_a_dot_in_a_name_is_escaped_in_the_path():
    assert values(at(r"files.app\.conf", "x", literal=True)) == {"files": {"app.conf": "x"}}


def test_numbers_of_single_values_are_whole_and_those_of_files_are_not():
    """Helm prints 1000000 for the first and 1e+06 for the others, and so do we."""
    found = compose({"c": 3}, [a_file("a: 1000000"), at("b.n", "1000000"), at("l", "{1,x}")])
    assert found["whole_numbers"] == [["b", "n"], ["l", 0]]
    assert json.dumps(found["values"]) == json.dumps(
        {"a": 1000000, "c": 3, "b": {"n": 1000000}, "l": [1, "x"]}
    )


def test_what_secrets_hold_is_told_apart():
    layers = [a_file("a: plain"), secretly(a_file("b: [{c: hidden}, abc, 5]")), at("d", "open")]
    found = compose({}, [*layers, secretly(at("e", "hunter2\n"))])
    assert found["secrets"] == ["hidden", "hunter2"]


def test_an_alias_is_a_copy():
    found = values(a_file("a: &x {m: 1}\nb: *x"), at("a.m", "2"))
    assert found == {"a": {"m": 2}, "b": {"m": 1}}


def test_an_empty_file_adds_nothing():
    assert values(a_file("# nothing\n"), a_file("")) == {}


WRONG = {
    "no YAML": f"a: 1\nb: [{SECRET_WORD}",
    "a tab": f"a:\n\t{SECRET_WORD}: 1",
    "a list": f"- {SECRET_WORD}",
    "a word": SECRET_WORD,
    "not UTF-8": b"a: \xff" + SECRET_WORD.encode(),
    "an unknown alias": f"a: *{SECRET_WORD}",
    "a bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(
        f"{n}: &{n} [{','.join([f'*{b}'] * 9)}]\n"
        for b, n in zip("abcdefg", "bcdefgh", strict=True)
    ),
    "brackets": "a: " + "[" * 25_000,
    "a Python object": f"!!python/object/apply:os.system ['{SECRET_WORD}']",
    "a merge of itself": f"a: &a {{{SECRET_WORD}: 1, <<: *a}}",
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_told_without_the_content(content):
    with pytest.raises(ValuesInvalid) as caught:
        compose({}, [secretly(a_file(content))])
    assert caught.value.text.startswith("Secret web/login, key password: ")
    assert SECRET_WORD not in caught.value.text


def test_the_line_is_named():
    with pytest.raises(ValuesInvalid, match="line 2: did not find expected node content"):
        compose({}, [secretly(a_file("a: 1\nb: [\n"))])


def test_too_many_brackets_are_refused_before_anything_walks_through_them():
    with pytest.raises(ValuesInvalid, match="64 levels"):
        compose({}, [a_file("a: " + "[" * 100 + "]" * 100)])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(f"a,{SECRET_WORD}", "literal: true", id="a comma"),
        pytest.param(f"{{{SECRET_WORD}", "literal: true", id="an open brace"),
    ],
)
def test_a_value_with_signs_is_told_how_to_be_taken(content, problem):
    with pytest.raises(ValuesInvalid) as caught:
        compose({}, [secretly(at("a.b", content))])
    assert problem in caught.value.text
    assert SECRET_WORD not in caught.value.text


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        pytest.param("a[99999]", "maximum supported index", id="an index beyond all"),
        pytest.param(".".join("a" * 40), "nested level", id="too many dots"),
        pytest.param("text.b", "not map", id="through a text"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(path, problem):
    with pytest.raises(ValuesInvalid, match=problem) as caught:
        compose({"text": SECRET_WORD}, [secretly(at(path, SECRET_WORD))])
    assert SECRET_WORD not in caught.value.text
