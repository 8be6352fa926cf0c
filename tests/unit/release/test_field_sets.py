"""Sets of fields, and what of an object is in one."""

import pytest

from whipstaff.release.field_sets import holds, names_in, overlaid, part, union

CONTAINERS = {
    'k:{"name":"web"}': {".": {}, "f:image": {}, "f:name": {}},
    'k:{"name":"side"}': {"f:image": {}},
}


@pytest.mark.parametrize(
    ("value", "fields", "expected"),
    [
        pytest.param({"a": 1, "b": 2}, {"f:a": {}}, {"a": 1}, id="members"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"f:a": {"f:b": {}}}, {"a": {"b": 1}}, id="deeper"),
        pytest.param({"a": {"b": [1, {}]}}, {"f:a": {}}, {"a": {"b": [1, {}]}}, id="whole values"),
        pytest.param({"a": {"b": 1}}, {"f:a": {".": {}}}, {"a": {}}, id="the parent alone"),
        pytest.param({"a": 1}, {"f:b": {}}, {}, id="what is not there"),
        pytest.param({"a": None}, {"f:a": {"f:b": {}}}, {"a": None}, id="null for a table"),
        pytest.param(
            [{"name": "web", "image": "a", "tty": True}, {"name": "other", "image": "b"}],
            CONTAINERS,
            [{"name": "web", "image": "a"}],
            id="items by their keys",
        ),
        pytest.param(
            [{"name": "side", "image": "a", "stdin": True}],
            CONTAINERS,
            [{"name": "side", "image": "a"}],
            id="items keep their names",
        ),
        pytest.param(["a", "b"], {'v:"b"': {}}, ["b"], id="items by their values"),
        pytest.param(["a", "b"], {"i:0": {}}, ["a"], id="items by their places"),
        pytest.param(["a"], {"v:{": {}}, [], id="a selector that is none"),
        pytest.param({".": 1, "a": 2}, {".": {}, "f:a": {}}, {"a": 2}, id="a member named dot"),
    ],
)
def test_a_part_has_what_is_in_the_set(value, fields, expected):
    assert part(value, fields) == expected


@pytest.mark.parametrize(
    ("value", "other", "fields", "expected"),
    [
        pytest.param({"a": 1, "b": 1}, {"a": 2, "b": 2}, {"f:a": {}}, {"a": 2, "b": 1}, id="one"),
        pytest.param({"a": 1}, {}, {"f:a": {}}, {"a": 1}, id="only the one has it"),
        pytest.param({}, {"a": 1}, {"f:a": {}}, {}, id="only the other has it"),
        pytest.param({"a": {}}, {"a": {"b": 1}}, {"f:a": {}}, {"a": {}}, id="an empty table"),
        pytest.param({"a": []}, {"a": [1]}, {"f:a": {}}, {"a": []}, id="an empty list"),
        pytest.param({"a": [1]}, {"a": [2]}, {"f:a": {}}, {"a": [2]}, id="a list as a whole"),
        pytest.param({"a": 1}, {"a": [2]}, {"f:a": {"v:2": {}}}, {"a": 1}, id="another sort"),
        pytest.param(
            [{"name": "web", "image": "a", "tty": True}, {"name": "new", "image": "b"}],
            [{"name": "side", "image": "c"}, {"name": "web", "image": "d", "tty": False}],
            CONTAINERS,
            [{"name": "web", "image": "d", "tty": True}, {"name": "new", "image": "b"}],
            id="items by their keys",
        ),
        pytest.param(["a"], ["b"], {'v:"a"': {}}, ["a"], id="items by their values"),
    ],
)
def test_what_both_have_of_a_set_is_taken_from_the_other(value, other, fields, expected):
    assert overlaid(value, other, fields) == expected


def test_an_empty_set_is_the_whole_value():
    assert part({"a": 1}, {}) == {"a": 1}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"f:spec": {"f:replicas": {}}}, True),
        ({"f:spec": {}}, True),
        ({"f:spec": {"f:paused": {}}}, False),
        ({}, False),
    ],
)
def test_a_set_holds_a_member_or_what_is_around_it(fields, expected):
    assert holds(fields, ("spec", "replicas")) is expected


def test_names_are_those_of_every_depth():
    fields = {"f:webhooks": {'k:{"name":"a"}': {"f:clientConfig": {"f:caBundle": {}}}}}
    assert set(names_in(fields)) == {"webhooks", "clientConfig", "caBundle"}


def test_a_union_has_what_either_has():
    left, right = {"f:a": {}, "f:b": {"f:c": {}}}, {"f:b": {"f:d": {}}}
    assert union(left, right) == {"f:a": {}, "f:b": {"f:c": {}, "f:d": {}}}
