import math

import pytest

from tests.builders.serialization import cases, go_value, read_back, typed
from whipstaff.golang import json
from whipstaff.golang.json_reader import PartialJSONError
from whipstaff.golang.values import Int64, JSONNumber


def outcome(read, text):
    try:
        return {"out": typed(read(text))}
    except json.JSONError as error:
        return {"error": error.text}


def expected(case):
    return {"error": case["error"]} if "error" in case else {"out": read_back(case["out"])}


@pytest.mark.parametrize("case", cases("json_load"))
def test_a_text_is_read_or_refused_as_go_does(case):
    assert outcome(json.load, case["in"]) == expected(case)


@pytest.mark.parametrize("case", cases("json_load_map"))
def test_a_map_is_read_or_refused_as_go_does(case):
    assert outcome(lambda text: json.load_map(text) or {}, case["in"]) == expected(case)


@pytest.mark.parametrize("case", cases("json_dump"))
def test_a_value_is_written_in_gos_bytes(case):
    assert json.dump(go_value(case["in"])) == case["out"]


@pytest.mark.parametrize("case", cases("json_dump_indent"))
def test_a_value_is_indented_in_gos_bytes(case):
    assert json.dump_indent(go_value(case["in"])) == case["out"]


def test_markup_is_escaped_unless_raw():
    assert json.dump("<a&b>") == '"\\u003ca\\u0026b\\u003e"'
    assert json.dump_raw("<a&b>\u2028") == '"<a&b>\\u2028"'


def test_bytes_that_are_no_text_are_replaced_one_by_one():
    text = b"\xff\xe2\x82".decode("utf-8", "surrogateescape")
    assert json.dump(text) == r'"\ufffd\ufffd\ufffd"'
    assert json.dump("\ufffd") == '"\ufffd"'


def test_text_that_came_in_two_pieces_is_text():
    pieces = [piece.decode("utf-8", "surrogateescape") for piece in (b"\xe2\x82", b"\xac")]
    assert json.dump("".join(pieces)) == '"€"'


def test_integers_and_kept_numbers_stay_whole():
    assert json.dump([Int64(2**62), JSONNumber("12345678901234567890")]) == (
        "[4611686018427387904,12345678901234567890]"
    )


def test_a_number_too_large_is_nil_in_what_was_read():
    with pytest.raises(PartialJSONError) as caught:
        json.load_map('{"a": 1e999, "b": 1}')
    assert caught.value.value == {"a": None, "b": 1.0}


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}])
def test_what_has_no_json_form_is_refused(value):
    with pytest.raises(json.JSONError, match="json: unsupported value"):
        json.dump(value)


def test_a_list_that_holds_itself_is_refused():
    value = []
    value.append(value)
    with pytest.raises(json.JSONError, match=r"encountered a cycle via \[\]interface {}"):
        json.dump(value)


def test_a_very_deep_text_is_refused():
    with pytest.raises(json.JSONError):
        json.load("[" * 100_000)
