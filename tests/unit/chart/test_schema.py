import json
import socket

import pytest

from whipstaff.chart import schema, schema_report
from whipstaff.chart.model import Chart, Metadata
from whipstaff.chart.values import of_json
from whipstaff.errors import SchemaInvalid, ValuesSchemaViolation

INTRODUCTION = (
    "values don't meet the specifications of the schema(s) in the following chart(s):\ndemo:\n"
)


def a_chart_with(document, **more):
    return Chart(Metadata(name="demo"), schema=json.dumps(document).encode(), **more)


def an_object(**properties):
    return {"type": "object", "properties": properties}


def check(document, values):
    schema.validate(a_chart_with(document), of_json(values))


@pytest.mark.parametrize(
    ("document", "values", "report"),
    [
        (an_object(a={"type": "integer"}), {"a": "x"}, "- at '/a': got string, want integer"),
        (
            an_object(a={"type": ["string", "null"]}),
            {"a": 1},
            "- at '/a': got number, want null or string",
        ),
        ({"required": ["p"]}, {}, "- at '': missing property 'p'"),
        ({"required": ["p", "q"]}, {}, "- at '': missing properties 'p', 'q'"),
        (
            an_object(a={"enum": ["x", "y", None]}),
            {"a": "z"},
            "- at '/a': value must be one of 'x', 'y', <nil>",
        ),
        (an_object(a={"const": 3}), {"a": 4}, "- at '/a': value must be 3"),
        (
            {**an_object(a={}), "additionalProperties": False},
            {"b": 1, "c": 1},
            "- at '': additional properties 'b', 'c' not allowed",
        ),
        (
            an_object(a={"minimum": 1000}),
            {"a": 5},
            "- at '/a': minimum: got 5, want 1,000",
        ),
        (
            an_object(a={"type": "object", "required": ["x"], **an_object(z={"type": "string"})}),
            {"a": {"z": 1}, "b": 1},
            "- at '/a': missing property 'x'\n- at '/a/z': got number, want string",
        ),
        (
            an_object(a={"type": "string"}, b={"minLength": 3, "pattern": "^x"}),
            {"a": 1, "b": "z"},
            (
                "- at '/a': got number, want string\n"
                "- at '/b': validation failed\n"
                "  - at '/b': minLength: got 1, want 3\n"
                "  - at '/b': 'z' does not match pattern '^x'"
            ),
        ),
        (
            an_object(a={"anyOf": [{"type": "string"}, {"required": ["q"]}]}),
            {"a": {}},
            (
                "- at '/a': 'anyOf' failed\n"
                "  - at '/a': got object, want string\n"
                "  - at '/a': missing property 'q'"
            ),
        ),
        (
            {
                "$ref": "#/$defs/all",
                "$defs": {"all": an_object(a={"minLength": 3, "pattern": "y"})},
            },
            {"a": "x"},
            (
                "- at '': validation failed\n"
                "  - at '/a': minLength: got 1, want 3\n"
                "  - at '/a': 'x' does not match pattern 'y'"
            ),
        ),
        (
            {
                "allOf": [{"$ref": "#/$defs/part"}],
                "$defs": {"part": an_object(a={"minLength": 3, "pattern": "y"})},
            },
            {"a": "x"},
            (
                "- at '': 'allOf' failed\n"
                "  - at '': validation failed\n"
                "    - at '/a': minLength: got 1, want 3\n"
                "    - at '/a': 'x' does not match pattern 'y'"
            ),
        ),
        (an_object(a=False), {"a": 1}, "- at '/a': false schema"),
        (
            an_object(a={"minimum": 1000000}),
            {"a": -0.000012},
            (
                "- at '/a': minimum: got -1.2\N{MULTIPLICATION SIGN}10⁻⁰⁵, "
                "want 1\N{MULTIPLICATION SIGN}10⁰⁶"
            ),
        ),
        (
            an_object(a={"oneOf": [{"type": "number"}, {"minimum": 1}]}),
            {"a": 4},
            "- at '/a': 'oneOf' failed, subschemas 0, 1 matched",
        ),
        (
            an_object(a={"allOf": [{"minLength": 5}, {"minLength": 4}]}),
            {"a": "xxx"},
            (
                "- at '/a': 'allOf' failed\n"
                "  - at '/a': minLength: got 3, want 5\n"
                "  - at '/a': minLength: got 3, want 4"
            ),
        ),
        (
            {"definitions": {"s": {"type": "string"}}, **an_object(a={"$ref": "#/definitions/s"})},
            {"a": 1},
            "- at '/a': got number, want string",
        ),
        (
            an_object(a={"items": {"type": "string"}, "minItems": 3, "uniqueItems": True}),
            {"a": [1, 1]},
            (
                "- at '/a': minItems: got 2, want 3\n"
                "- at '/a': items at 0 and 1 are equal\n"
                "- at '/a/0': got number, want string\n"
                "- at '/a/1': got number, want string"
            ),
        ),
        (
            an_object(a={"contains": {"type": "string"}}),
            {"a": [1]},
            "- at '/a': no items match contains schema\n  - at '/a/0': got number, want string",
        ),
        (
            {"dependentRequired": {"a": ["b"]}},
            {"a": 1},
            "- at '': properties 'b' required, if 'a' exists",
        ),
        (
            {"if": {"required": ["a"]}, "then": {"required": ["b"]}},
            {"a": 1},
            "- at '': missing property 'b'",
        ),
        (
            an_object(**{"a/b~'c": {"type": "string"}}),
            {"a/b~'c": 1},
            "- at '/a~1b~0\\'c': got number, want string",
        ),
    ],
)
def test_a_violation_is_worded_as_helm_words_it(document, values, report):
    with pytest.raises(ValuesSchemaViolation) as refused:
        check(document, values)
    assert str(refused.value) == f"{INTRODUCTION}{report}\n"


@pytest.mark.parametrize("value", [1, 1.0, 10**20])
def test_a_whole_number_is_an_integer(value):
    check(an_object(a={"type": "integer"}), {"a": value})


@pytest.mark.parametrize(
    "rule",
    [{"pattern": "^a"}, {"format": "email"}, {"enum": ["a"]}, {"const": "b"}, {"type": "null"}],
)
def test_a_string_that_breaks_a_rule_is_not_repeated_where_values_are_hidden(rule):
    document = {"$schema": "http://json-schema.org/draft-07/schema#", **an_object(a=rule)}
    with schema_report.values_hidden(), pytest.raises(ValuesSchemaViolation) as refused:
        check(document, {"a": "hunter2"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"type": "strin"}, id="an unknown type"),
        pytest.param({"$ref": "#/nowhere"}, id="a reference to nothing"),
        pytest.param({"$ref": "#"}, id="a reference to itself"),
        pytest.param({"$ref": "file:///dev/zero"}, id="a file"),
        pytest.param({"$ref": "http://127.0.0.1:1/schema.json"}, id="another host"),
        pytest.param({"$ref": "other.json"}, id="a neighbour"),
        pytest.param([1], id="no object"),
        pytest.param(
            {
                "$ref": "#/$defs/0",
                "$defs": {str(n): {"$ref": f"#/$defs/{n + 1}"} for n in range(10_000)},
            },
            id="ten thousand references",
        ),
        pytest.param(an_object(a={"pattern": "(?<=x)"}), id="a pattern that RE2 refuses"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(document, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("it called out"))
    with pytest.raises(SchemaInvalid) as refused:
        check(document, {"a": "x"})
    assert refused.value.where == "demo/values.schema.json"


def test_text_that_is_no_json_is_no_schema():
    with pytest.raises(SchemaInvalid):
        schema.validate(Chart(Metadata(name="demo"), schema=b"{"), {})


def test_a_catastrophic_pattern_is_quick():
    with pytest.raises(ValuesSchemaViolation):
        check(an_object(a={"pattern": "^(a+)+$"}), {"a": "a" * 40 + "b"})


def test_charts_inside_are_checked_with_their_part_of_the_values():
    inner = Chart(Metadata(name="sub"), schema=b'{"required": ["p"]}')
    parent = Chart(Metadata(name="demo"), subcharts=(inner,))
    schema.validate(parent, {})
    with pytest.raises(ValuesSchemaViolation, match="sub:\n- at '': missing property 'p'"):
        schema.validate(parent, {"sub": {}})
