import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whipstaff.chart import schema
from whipstaff.chart.quick_schema import QuickSchema, Unusual

DRAFTS = (
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
)
NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3), st.sampled_from([0.5, -1.5]), NAMES
)
TYPES = st.sampled_from(["null", "boolean", "number", "integer", "string", "array", "object"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
PATTERNS = st.sampled_from(["a", "^b$", "[bc]", "("])
LEAVES = st.one_of(
    st.booleans(),
    st.sampled_from([{"$ref": "#/$defs/a"}, {"$ref": "#/definitions/b"}, {"$ref": "#"}]),
    st.fixed_dictionaries({"type": TYPES | st.lists(TYPES, max_size=3)}),
    st.fixed_dictionaries({"enum": st.lists(SCALARS, max_size=3)}),
    st.fixed_dictionaries({"const": SCALARS}),
    st.fixed_dictionaries({"pattern": PATTERNS}),
    st.fixed_dictionaries({"uniqueItems": st.booleans()}),
    st.fixed_dictionaries({"format": st.sampled_from(["int32", "ipv4", "x"])}),
    st.fixed_dictionaries({"unheardOf": SCALARS}),
    *(
        st.fixed_dictionaries({keyword: st.integers(-1, 2) | st.just(0.5)})
        for keyword in (
            *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
            *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
        )
    ),
)


def joined(parts):
    whole = {}
    for part in parts:
        if isinstance(part, bool):
            return part
        whole.update(part)
    return whole


def nested(inner):
    return st.lists(
        st.one_of(
            inner,
            *(
                st.fixed_dictionaries({keyword: inner})
                for keyword in (
                    *("items", "additionalProperties", "propertyNames", "not"),
                    *("if", "then", "else"),
                )
            ),
            *(
                st.fixed_dictionaries({keyword: st.dictionaries(keys, inner, max_size=3)})
                for keyword, keys in (
                    *(("properties", NAMES), ("patternProperties", PATTERNS)),
                    *(("$defs", NAMES), ("definitions", NAMES)),
                )
            ),
            *(
                st.fixed_dictionaries({keyword: st.lists(inner, max_size=3)})
                for keyword in ("allOf", "anyOf", "oneOf")
            ),
            st.fixed_dictionaries({"required": st.lists(NAMES, max_size=2)}),
        ),
        min_size=1,
        max_size=4,
    ).map(joined)


SCHEMAS = st.recursive(LEAVES, nested, max_leaves=12)


def by_the_library(document, value):
    """Whether the value is allowed; None if the document is no schema or leads to nothing."""
    try:
        return not list(schema._validator(json.dumps(document).encode()).iter_errors(value))
    except Exception:  # noqa: BLE001 - whatever it is, nothing is allowed
        return None


def quickly(document, value):
    return QuickSchema(document, schema._dialect(document)).allows(value)


@settings(max_examples=300, deadline=None)
@given(SCHEMAS.filter(lambda one: isinstance(one, dict)), st.sampled_from((None, *DRAFTS)), VALUES)
def test_what_is_judged_quickly_is_judged_as_the_library_does(document, draft, value):
    document = document if draft is None else {"$schema": draft, **document}
    try:
        found = quickly(document, value)
    except Unusual:
        return
    assert found is by_the_library(document, value)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"type": "text"}, id="a type that there is not"),
        pytest.param({"required": True}, id="required of draft 3"),
        pytest.param({"$schema": "http://json-schema.org/draft-04/schema#"}, id="draft 4"),
        pytest.param({"properties": {"a": {"$id": "b"}}}, id="a part with a name of its own"),
        pytest.param({"$ref": "other.json"}, id="a reference to another file"),
        pytest.param({"$ref": "#/nowhere"}, id="a reference to nothing"),
        pytest.param({"properties": {"a": {"$ref": "#"}}}, id="a reference to itself"),
        pytest.param({"properties": {"a": {"pattern": "("}}}, id="no pattern"),
        pytest.param({"dependentRequired": {"a": ["b"]}}, id="a rare keyword"),
        pytest.param({"$schema": 7}, id="a dialect that is no text"),
        pytest.param(True, id="no object"),
    ],
)
def test_what_is_unusual_is_left_to_the_library(document):
    with pytest.raises(Unusual):
        QuickSchema(document, schema._dialect(document))


@pytest.mark.parametrize(
    ("document", "value"),
    [
        pytest.param({"format": "ipv4"}, "x", id="a format"),
        pytest.param({"type": "integer"}, 1.5, id="a fraction where an integer should be"),
    ],
)
def test_a_value_that_only_the_library_can_judge_is_left_to_it(document, value):
    with pytest.raises(Unusual):
        quickly(document, value)


def test_a_schema_that_is_nested_too_deeply_is_left_to_the_library():
    document = {}
    for _ in range(200):
        document = {"properties": {"a": document}}
    with pytest.raises(Unusual):
        QuickSchema(document, schema._dialect(document))


def test_what_was_allowed_is_remembered_and_not_looked_at_again():
    document = {"properties": {"a": {"type": "object", "maxProperties": 1}}}
    quick = QuickSchema(document, schema._dialect(document))
    approved = schema.Approved()
    value = {"a": {"x": 1}}
    assert quick.allows(value, approved)
    value["a"]["y"] = 2
    assert quick.allows(value, approved)
    assert not quick.allows({"a": dict(value["a"])}, approved)
