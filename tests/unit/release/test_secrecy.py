import base64

import pytest

from whipstaff.release.secrecy import (
    CHANGED,
    MASK,
    Blacking,
    Origin,
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


def test_of_a_secret_all_is_masked_that_may_be_data_misspelt_or_not():
    body = {
        "kind": "Secret",
        "type": "Opaque",
        "Data": {"a": "x"},
        "data": "x",
        "stringData": ["x"],
    }
    assert masked_secret(body) == {
        "kind": "Secret",
        "type": "Opaque",
        "Data": {"a": MASK},
        "data": MASK,
        "stringData": MASK,
    }


GIVEN = {"title": "A blog", "db": {"dsn": "me@db", "port": 1, "hosts": ["a"]}, "a.b": {"c": "x"}}


@pytest.mark.parametrize(
    ("spec", "secrets"),
    [
        pytest.param({"values": GIVEN}, [], id="no Secret"),
        pytest.param({"valuesFrom": [{"kind": "ConfigMap", "name": "c"}]}, [], id="a ConfigMap"),
        pytest.param(
            {"valuesFrom": [{"kind": "Secret", "name": "s", "targetPath": "db.dsn"}]},
            ["me@db"],
            id="one value",
        ),
        pytest.param(
            {"valuesFrom": [{"kind": "Secret", "name": "s", "targetPath": "db.hosts[0]"}]},
            ["a"],
            id="an item of a list",
        ),
        pytest.param(
            {"valuesFrom": [{"kind": "Secret", "name": "s", "targetPath": r"a\.b"}]},
            ["x"],
            id="a table whose key has a dot",
        ),
        pytest.param(
            {"valuesFrom": [{"kind": "Secret", "name": "s"}], "values": {"db": {"port": 1}}},
            ["A blog", "me@db", "a", "x"],
            id="a file",
        ),
        pytest.param({"valuesFrom": [{"kind": "Secret"}], "values": GIVEN}, [], id="all inline"),
        pytest.param({"valuesFrom": [7], "values": None}, [], id="nonsense"),
    ],
)
def test_what_a_secret_gave_is_secret(spec, secrets):
    assert secret_values(GIVEN, None, Origin.of(spec)) == secrets


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


def test_known_texts_are_masked_as_templates_write_them():
    blacking = Blacking(["pass/word & more", "first line of a key\nsecond line of it\n"])
    packed = base64.b64encode(b"pass/word & more").decode()
    assert blacking.text(f"https://me:pass%2Fword%20%26%20more@db {packed}") == (
        f"https://me:{MASK}@db {MASK}"
    )
    indented = "  key: |\n    first line of a key\n    second line of it\n"
    assert blacking.text(indented) == f"  key: |\n    {MASK}\n    {MASK}\n"


def test_of_too_many_texts_the_short_ones_are_looked_for():
    certificates = [f"{number:04}-{'x' * 60}" for number in range(2000)]
    assert Blacking([*certificates, "the-password"]).text("the-password") == MASK
