import math

import pytest

from tests.builders.serialization import cases, go_value, read_back, typed
from whipstaff.golang import yaml
from whipstaff.golang.nil_values import NilList
from whipstaff.golang.values import Int64, JSONNumber, TypedMap


def outcome(read, text):
    try:
        return {"out": typed(read(text))}
    except yaml.YAMLError as error:
        return {"error": error.text}


def expected(case):
    return {"error": case["error"]} if "error" in case else {"out": read_back(case["out"])}


@pytest.mark.parametrize("case", cases("yaml_load"))
def test_a_document_is_read_or_refused_as_go_does(case):
    assert outcome(yaml.load, case["in"]) == expected(case)


@pytest.mark.parametrize("case", cases("yaml_strict"))
def test_strict_reading_refuses_keys_that_come_twice(case):
    assert outcome(yaml.load_strict, case["in"]) == expected(case)


@pytest.mark.parametrize("case", cases("yaml_load_map"))
def test_a_map_is_read_or_refused_as_go_does(case):
    assert outcome(yaml.load_map, case["in"]) == expected(case)


@pytest.mark.parametrize("case", cases("yaml_load_list"))
def test_a_list_is_read_or_refused_as_go_does(case):
    assert outcome(yaml.load_list, case["in"]) == expected(case)


@pytest.mark.parametrize("case", cases("yaml_dump"))
def test_a_value_is_written_in_helms_bytes(case):
    if "error" in case:
        with pytest.raises(yaml.YAMLError) as caught:
            yaml.dump(go_value(case["in"]))
        assert caught.value.text == case["error"]
    else:
        assert yaml.dump(go_value(case["in"])) == case["out"]


@pytest.mark.parametrize("case", cases("yaml_dump_pretty"))
def test_a_value_is_written_prettily_in_helms_bytes(case):
    assert yaml.dump_pretty(go_value(case["in"])) == case["out"]


@pytest.mark.parametrize(
    ("text", "out"),
    [
        pytest.param("a: [x?y]", "did not find expected ',' or ']'", id="in a list"),
        pytest.param("a: {x?: y}", "did not find expected ',' or '}'", id="in a map"),
        pytest.param(
            "a:\n  [\n  x,\n  y?z]", "line 3: did not find expected ',' or ']'", id="later"
        ),
    ],
)
def test_a_question_mark_inside_a_plain_flow_scalar_is_refused(text, out):
    assert outcome(yaml.load, text) == {"error": f"error converting YAML to JSON: yaml: {out}"}


def test_the_newest_yaml_version_is_refused():
    with pytest.raises(yaml.YAMLError, match="found incompatible YAML document"):
        yaml.load("%YAML 1.2\n---\na: 1")


def test_escapes_of_the_old_dialect_are_read_and_new_ones_refused():
    assert yaml.load('a: "it\\\'s"\nb: {c:}') == {"a": "it's", "b": {"c:": None}}
    with pytest.raises(yaml.YAMLError, match="line 2: found unknown escape character"):
        yaml.load('a: 1\nb: "\\/"')


@pytest.mark.parametrize("bomb", ["[" * 100_000, "- " * 100_000, "{a: " * 5_000, "a: &a [*a]\n"])
def test_endless_or_very_deep_documents_are_refused(bomb):
    with pytest.raises(yaml.YAMLError):
        yaml.load(bomb)


def test_deep_indentation_is_refused():
    text = "".join(" " * depth + "a:\n" for depth in range(1000))
    with pytest.raises(yaml.YAMLError, match="exceeded max depth"):
        yaml.load(text)


def test_the_budget_for_aliases_holds():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(yaml.YAMLError, match="document contains excessive aliasing"):
        yaml.load("\n".join(lines))


def test_an_alias_gives_a_copy_of_its_anchor():
    read = yaml.load("a: &x {b: 1}\nc: *x")
    assert read == {"a": {"b": 1.0}, "c": {"b": 1.0}}
    assert read["a"] is not read["c"]


def test_numbers_can_keep_their_json_text():
    read = yaml.load_with_numbers("a: 9007199254740993\nb: 1e3\nc: 0.10")
    assert read == {"a": "9007199254740993", "b": "1000", "c": "0.1"}
    assert type(read["a"]) is JSONNumber


def test_every_document_is_read_with_whole_numbers_as_int():
    read = yaml.load_all("a: 1\n---\nb: 1.0\nc: 1.5\nd: 18446744073709551615\n---\n---\n- 1e3")
    assert read == [{"a": 1}, {"b": 1, "c": 1.5, "d": 1.8446744073709552e19}, None, [1000]]
    assert type(read[0]["a"]) is int
    assert type(read[1]["d"]) is float


def test_documents_before_an_unusual_one_are_read_once():
    assert yaml.load_all("a: 1\n---\nb: &x 1\nc: *x\n---\nd: 2") == [
        {"a": 1},
        {"b": 1, "c": 1},
        {"d": 2},
    ]


@pytest.mark.parametrize(
    ("text", "string"),
    [
        ("1.10", "1.1"),
        ("1", "1"),
        ("yes", "true"),
        ("1e3", "1000"),
        ("x", "x"),
        ("123456.7", "123456.7"),
    ],
)
def test_scalars_become_strings_for_string_fields(text, string):
    assert yaml.string_of(yaml.load_typed(text)) == string


def test_go_values_are_written_as_json_sees_them():
    value = {
        "b": b"hi",
        "n": NilList(),
        "m": TypedMap({"x": "1"}),
        "i": Int64(5),
        "j": JSONNumber("7"),
    }
    assert yaml.dump(value) == 'b: aGk=\ni: 5\nj: 7\nm:\n  x: "1"\n"n": null\n'


def test_bytes_that_are_no_text_are_replaced():
    assert yaml.dump(b"a\xffb".decode("utf-8", "surrogateescape")) == "a\ufffdb\n"


def test_bytes_that_are_no_text_are_tagged_when_pretty():
    text = b"a\xffb".decode("utf-8", "surrogateescape")
    assert yaml.dump_pretty({"k": text}) == "k: !!binary Yf9i\n"


@pytest.mark.parametrize(
    ("number", "shown"), [(math.nan, "NaN"), (math.inf, "+Inf"), (-math.inf, "-Inf")]
)
def test_numbers_without_json_form_are_refused(number, shown):
    with pytest.raises(yaml.YAMLError) as caught:
        yaml.dump({"a": number})
    assert caught.value.text == f"error marshaling into JSON: json: unsupported value: {shown}"


def test_a_map_that_holds_itself_is_refused():
    value = {}
    value["a"] = value
    with pytest.raises(yaml.YAMLError, match=r"encountered a cycle via map\[string\]interface {}"):
        yaml.dump(value)
    with pytest.raises(RecursionError):  # no error of Go's: it would end the process
        yaml.dump_pretty(value)


def test_what_is_pretty_elsewhere_does_not_leak_into_plain_output():
    yaml.dump_pretty(["\x7f"])
    with pytest.raises(yaml.YAMLError, match="control characters are not allowed"):
        yaml.dump(["\x7f"])


@pytest.mark.parametrize("write", [yaml.dump, yaml.dump_pretty], ids=["plain", "pretty"])
def test_a_value_deeper_than_any_is_not_written(write):
    value = {}
    for _ in range(5_000):
        value = {"a": [value]}
    with pytest.raises(RecursionError):
        write(value)
