import base64

import pytest

from whipstaff.release.secrecy import (
    CHANGED,
    MASK,
    Blacking,
    data_texts,
    is_secret_name,
    masked_secret,
    masked_values,
    secret_values,
)


@pytest.mark.parametrize(
    "name",
    [
        *("password", "adminPassword", "DB_PASSWD", "apiKey", "api-key", "token", "clientSecret"),
        *("accessKey", "private_key", "credentials", "dockerconfigjson", "tokens", "passwordKey"),
    ],
)
def test_a_name_tells_of_a_secret(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("title", "secretName", "existingSecret", "existingSecretPasswordKey", "tokenPath"),
        *("secretRef", "passwordFile", "secretType", "tokenEnabled", "key", "monkey", ""),
    ],
)
def test_a_name_of_a_thing_tells_of_none(name):
    assert not is_secret_name(name)


def test_values_are_masked_by_name_at_any_depth_and_switches_stay():
    values = {"auth": {"secrets": {"a": "x", "on": True, "none": None, "empty": "", "pin": 7}}}
    assert masked_values(values) == {
        "auth": {"secrets": {"a": MASK, "on": True, "none": None, "empty": "", "pin": MASK}}
    }
    assert values["auth"]["secrets"]["a"] == "x"
    assert secret_values(values) == ["x", "7"]


def test_values_are_masked_by_their_schema():
    schema = {
        "properties": {
            "licence": {"writeOnly": True},
            "keys": {"items": {"properties": {"value": {"writeOnly": True}}}},
        }
    }
    values = {"licence": {"text": "a"}, "keys": [{"id": 1, "value": "b"}], "other": "c"}
    assert masked_values(values, schema) == {
        "licence": {"text": MASK},
        "keys": [{"id": 1, "value": MASK}],
        "other": "c",
    }


@pytest.mark.parametrize("schema", [None, [], True, {"properties": 7}, {"properties": {"a": 1}}])
def test_a_schema_that_is_none_masks_nothing(schema):
    assert masked_values({"a": {"b": [1]}}, schema) == {"a": {"b": [1]}}


def test_a_secret_keeps_its_keys_and_loses_its_data():
    body = {"kind": "Secret", "data": {"a": "eA==", "b": "eQ=="}, "stringData": {"c": "z"}}
    assert masked_secret(body) == {
        "kind": "Secret",
        "data": {"a": MASK, "b": MASK},
        "stringData": {"c": MASK},
    }
    before = {"data": {"a": "eA==", "b": "old"}}
    assert masked_secret(body, before)["data"] == {"a": MASK, "b": CHANGED}


def test_what_a_secret_holds_is_known_as_it_is_stored_and_as_it_is_used():
    packed = base64.b64encode(b"the password").decode()
    odd = base64.b64encode(b"\xff\xfe").decode()
    body = {"data": {"a": packed, "b": odd, "c": 7}, "stringData": {"d": "plain"}}
    assert list(data_texts(body)) == [packed, "the password", odd, "plain"]


def test_known_texts_are_masked_wherever_they_stand():
    blacking = Blacking(["long-secret", "long-secret-and-more", 'with "quotes" in it', "short"])
    assert blacking.text("a long-secret-and-more, long-secret; short") == "a ***, ***; short"
    assert blacking.text('x: "with \\"quotes\\" in it"') == 'x: "***"'
    assert blacking.value({"a": ["long-secret", 1, None]}) == {"a": [MASK, 1, None]}
