"""Outlines of JSON are read whatever stands in them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whipstaff.kube import scanner
from whipstaff.kube.scanner import Poison, Unreadable

DEPTH = 100_000  # Python 3.11 reads a thousand levels, 3.13 ten thousand
DEEP = "[" * DEPTH + "]" * DEPTH
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


def test_a_deep_item_is_named_and_the_others_are_read():
    bad = (
        f'{{"spec": {DEEP}, "metadata": {{"labels": {{"name": "x"}}, "name": "bad", "uid": "u"}}}}'
    )
    _, items = scanner.decode_list(f'{{"items": [{{"a": 1}}, {bad}, {{"b": 2}}]}}')
    assert items[0] == {"a": 1}
    assert items[1] == Poison("", "bad", "u", "", "nested too deeply to be read")
    assert items[2] == {"b": 2}


@pytest.mark.parametrize("item", ["5", "null", '"text"', f'{{"spec": {DEEP}}}'])
def test_an_item_that_has_no_name_is_poison_all_the_same(item):
    _, (poison,) = scanner.decode_list(f'{{"items": [{item}]}}')
    assert poison.name == ""


def test_a_list_without_items_yet_is_empty():
    assert scanner.decode_list('{"metadata": {}, "items": null}') == ({}, [])


@pytest.mark.parametrize("text", ["", "garbage", '{"type": "ADDED"}', '{"object": {}}', "[1, 2]"])
def test_an_event_that_names_no_object_is_none(text):
    assert scanner.quarantine_event(text, "bad") is None
