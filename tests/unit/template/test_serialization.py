import pytest

from whipstaff.template.errors import FunctionError
from whipstaff.template.functions.serialization import FAMILY

CYCLE = {}
CYCLE["self"] = CYCLE
CYCLE_FOUND = "encountered a cycle via map[string]interface {}"


def call(name, *args):
    return FAMILY[name].call(*args)


@pytest.mark.parametrize(
    ("name", "argument", "result"),
    [
        ("toYaml", {"a": [1]}, "a:\n- 1"),
        ("mustToYaml", {"a": [1]}, "a:\n- 1"),
        ("toYamlPretty", {"a": [1]}, "a:\n  - 1"),
        ("toYaml", "a\n\n", "|+\n  a\n"),
        ("toYaml", CYCLE, ""),
        ("toYaml", None, "null"),
        ("fromYaml", "a: 1", {"a": 1.0}),
        ("fromYaml", "", {}),
        (
            "fromYaml",
            "- 1",
            {
                "Error": "error unmarshaling JSON: while decoding JSON: "
                "json: cannot unmarshal array into Go value of type map[string]interface {}"
            },
        ),
        ("fromYamlArray", "- 1", [1.0]),
        ("toJson", {"a": "<"}, '{"a":"\\u003c"}'),
        ("mustToJson", {"a": "<"}, '{"a":"\\u003c"}'),
        ("toRawJson", {"a": "<"}, '{"a":"<"}'),
        ("mustToRawJson", {"a": "<"}, '{"a":"<"}'),
        ("toPrettyJson", {"a": []}, '{\n  "a": []\n}'),
        ("mustToPrettyJson", {"a": []}, '{\n  "a": []\n}'),
        ("toJson", float("nan"), ""),
        ("toPrettyJson", float("nan"), ""),
        ("fromJson", '{"a":1}', {"a": 1.0}),
        ("fromJson", "{", {"Error": "unexpected end of JSON input"}),
        (
            "fromJson",
            '{"a":1e999,"b":1}',
            {
                "a": None,
                "b": 1.0,
                "Error": "json: cannot unmarshal number 1e999 into Go value of type float64",
            },
        ),
        ("fromJson", "null", {}),
        ("mustFromJson", "[1]", [1.0]),
        ("fromJsonArray", "[1]", [1.0]),
        (
            "fromJsonArray",
            "{}",
            ["json: cannot unmarshal object into Go value of type []interface {}"],
        ),
        ("toToml", {"a": {"b": 1.0}}, "[a]\n  b = 1.0\n"),
        ("mustToToml", {"a": 1.0}, "a = 1.0\n"),
        ("toToml", {"a": [None]}, "toml: cannot encode array with nil element"),
        ("fromToml", "a = 1", {"a": 1}),
        ("fromToml", "a", {"Error": "toml: line 1: unexpected EOF; expected key separator '='"}),
    ],
)
def test_a_function_answers_as_helms_does(name, argument, result):
    assert call(name, argument) == result


@pytest.mark.parametrize(
    ("name", "argument", "text"),
    [
        (
            "mustToYaml",
            CYCLE,
            "error marshaling into JSON: json: unsupported value: " + CYCLE_FOUND,
        ),
        ("mustToJson", float("inf"), "json: unsupported value: +Inf"),
        ("mustToPrettyJson", float("inf"), "json: unsupported value: +Inf"),
        ("toRawJson", float("-inf"), "json: unsupported value: -Inf"),
        ("mustToRawJson", float("nan"), "json: unsupported value: NaN"),
        ("mustFromJson", "x", "invalid character 'x' looking for beginning of value"),
        ("mustToToml", {"a": [None]}, "toml: cannot encode array with nil element"),
        ("toToml", None, "reflect: call of reflect.Value.Type on zero Value"),
    ],
)
def test_a_strict_function_fails_in_gos_words(name, argument, text):
    with pytest.raises(FunctionError) as caught:
        call(name, argument)
    assert str(caught.value) == text
