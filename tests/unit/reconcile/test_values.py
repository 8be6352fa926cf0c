"""Values that ConfigMaps and Secrets hold are read as whom the release acts, and named by place."""

import base64

import pytest

from tests.builders.observations import a_release
from tests.builders.worlds import NAMESPACE, REFUSED, a_world
from whipstaff.errors import ClusterRefused, ValuesNotFound, ValuesTooLarge
from whipstaff.helmrelease.values_from import ValuesKind, ValuesReference
from whipstaff.reconcile import values
from whipstaff.reconcile.ports import OPERATOR, Identity, ObjectReference
from whipstaff.reconcile.values import final_values

SECRET = ValuesReference(ValuesKind.SECRET, "login", "password", target_path="password")
SETTINGS = ValuesReference(ValuesKind.CONFIG_MAP, "settings")


@pytest.fixture
def world():
    world = a_world()
    world.cluster.put(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "login"},
            "data": {"password": base64.b64encode(b"hunter2").decode()},
        },
        NAMESPACE,
    )
    world.cluster.put(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings"},
            "data": {"values.yaml": '{"a": 1, "b": 2}', "list": "5"},
        },
        NAMESPACE,
    )
    return world


def a_release_with(*references, **spec):
    return a_release(values_from=references, **spec)


async def test_without_references_nothing_is_read(world):
    found = await final_values(world, a_release(values={"a": 1}))
    assert found.values == {"a": 1}
    assert world.cluster.verbs("read") == []


async def test_what_is_named_is_laid_over_each_other(world):
    release = a_release_with(SETTINGS, SECRET, values={"b": 3})
    found = await final_values(world, release)
    assert found.values == {"a": 1, "b": 3, "password": "hunter2"}


async def test_an_object_that_is_named_twice_is_read_once(world):
    single = ValuesReference(ValuesKind.CONFIG_MAP, "settings", "list", target_path="l")
    await final_values(world, a_release_with(SETTINGS, single))
    assert world.cluster.verbs("read") == [("read", f"ConfigMap {NAMESPACE}/settings")]


@pytest.mark.parametrize(
    ("account", "identity"),
    [("", OPERATOR), ("deployer", Identity("deployer", NAMESPACE))],
    ids=["the operator", "a ServiceAccount"],
)
async def test_values_are_read_as_whom_the_release_acts(world, account, identity):
    await final_values(world, a_release_with(SETTINGS, service_account_name=account))
    assert [who for verb, _, who in world.cluster.calls if verb == "read"] == [identity]


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (ValuesReference(ValuesKind.SECRET, "none"), f"Secret {NAMESPACE}/none does not exist"),
        (
            ValuesReference(ValuesKind.SECRET, "login"),
            f"Secret {NAMESPACE}/login has no key values.yaml",
        ),
        (
            ValuesReference(ValuesKind.CONFIG_MAP, "settings", "other"),
            f"ConfigMap {NAMESPACE}/settings has no key other",
        ),
    ],
    ids=["object", "default key", "key"],
)
async def test_what_is_missing_is_named_unless_it_is_optional(world, reference, text):
    with pytest.raises(ValuesNotFound) as caught:
        await final_values(world, a_release_with(reference))
    assert caught.value.text == text
    assert caught.value.retryable
    lenient = ValuesReference(reference.kind, reference.name, reference.key, optional=True)
    assert (await final_values(world, a_release_with(lenient, values={"a": 1}))).values == {"a": 1}


async def test_a_refusal_is_no_missing_object_even_for_what_is_optional(world):
    place = ObjectReference("v1", "Secret", NAMESPACE, "login")
    world.cluster.refuse("read", place, REFUSED)
    with pytest.raises(ClusterRefused):
        await final_values(
            world, a_release_with(ValuesReference(ValuesKind.SECRET, "login", optional=True))
        )


async def test_more_than_any_release_is_made_of_is_refused_before_it_is_read(world, monkeypatch):
    monkeypatch.setattr(values, "BYTES_LIMIT", 8)
    with pytest.raises(ValuesTooLarge):
        await final_values(world, a_release_with(SETTINGS))
