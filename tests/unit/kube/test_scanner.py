"""Outlines of JSON are read whatever stands in them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whipstaff.helmrelease.parsing import depth_exceeds
from whipstaff.kube import scanner
from whipstaff.kube.scanner import Poison, Unreadable

DEPTH = 100_000  # Python 3.11 reads a thousand levels, 3.13 ten thousand
DEEP = "[" * DEPTH + "]" * DEPTH
LONG = "9" * 5_000  # more digits than Python reads
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=4),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_a_sound_list_is_read_as_the_json_module_reads_it(items, indent, ascii_only):
    text = json.dumps(
        {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": items},
        indent=indent,
        ensure_ascii=ascii_only,
    )
    assert scanner.decode_list(text) == ({"resourceVersion": "1"}, items)


@given(st.text(alphabet='{}[]":,\\ ab1'))
def test_text_that_is_no_list_is_unreadable_and_nothing_worse(text):
    try:
        scanner.decode_list(text)
    except Unreadable:
        return


def test_an_item_that_cannot_be_read_is_named_and_the_others_are_read():
    bad = (
        f'{{"spec": {LONG}, "metadata": {{"labels": {{"name": "x"}}, "name": "bad", "uid": "u"}}}}'
    )
    _, items = scanner.decode_list(f'{{"items": [{{"a": 1}}, {bad}, {{"b": 2}}]}}')
    assert items[0] == {"a": 1}
    assert items[1] == Poison("", "bad", "u", "", "no JSON")
    assert items[2] == {"b": 2}


def test_a_deep_item_is_read_without_its_depths():
    deep = '{"a":' * DEPTH + '"}]"' + "}" * DEPTH
    item = f'{{"spec": {{"values": {deep}, "b": [1]}}, "metadata": {{"name": "deep"}}}}'
    _, (found,) = scanner.decode_list(f'{{"items": [{item}]}}')
    assert found["metadata"] == {"name": "deep"}
    assert found["spec"]["b"] == [1]
    assert depth_exceeds(found, 90)
    assert not depth_exceeds(found, scanner.SHALLOW)


@pytest.mark.parametrize("text", [DEEP, DEEP.encode(), f'{{"a": [{DEEP}, 1]}}'])
def test_a_deep_text_is_decoded_without_its_depths(text):
    assert not depth_exceeds({"": scanner.decode(text)}, scanner.SHALLOW + 1)


@pytest.mark.parametrize("text", ["[" * DEPTH, DEEP[:-1], DEEP + "]"])
def test_a_deep_text_that_is_no_json_is_unreadable(text):
    with pytest.raises(Unreadable):
        scanner.decode(text)


@pytest.mark.parametrize("item", ["5", "null", '"text"', f'{{"spec": {LONG}}}'])
def test_an_item_that_has_no_name_is_poison_all_the_same(item):
    _, (poison,) = scanner.decode_list(f'{{"items": [{item}]}}')
    assert poison.name == ""


def test_a_list_without_items_yet_is_empty():
    assert scanner.decode_list('{"metadata": {}, "items": null}') == ({}, [])


@pytest.mark.parametrize("text", ["", "garbage", '{"type": "ADDED"}', '{"object": {}}', "[1, 2]"])
def test_an_event_that_names_no_object_is_none(text):
    assert scanner.quarantine_event(text, "bad") is None
