import pytest

from whipstaff.planning.changes import (
    MASKED,
    Definition,
    Effect,
    Mask,
    ObjectChange,
    ReleasePlan,
    differences,
)
from whipstaff.release.objects import ObjectReference

WEB = ObjectReference("apps/v1", "Deployment", "shop", "web")
OLD = ObjectReference("v1", "ConfigMap", "shop", "old")


def told(before, after, secrets=(), kind="ConfigMap"):
    found = differences({"kind": kind, **before}, {"kind": kind, **after}, Mask(secrets))
    return [str(field) for field in found]


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        pytest.param({"a": 1}, {"a": 1}, [], id="the same"),
        pytest.param({"a": 1}, {"a": 2}, ["a: 1 -> 2"], id="changed"),
        pytest.param({}, {"a": {"b": "x"}}, ['a: {"b":"x"} (new)'], id="new"),
        pytest.param({"a": [1]}, {}, ["a: [1] (goes away)"], id="gone"),
        pytest.param({"a": {"b": True}}, {"a": {"b": None}}, ["a.b: true -> null"], id="inside"),
        pytest.param(
            {"metadata": {"annotations": {"helm.sh/x": "1"}}},
            {"metadata": {"annotations": {"helm.sh/x": "2"}}},
            ['metadata.annotations["helm.sh/x"]: "1" -> "2"'],
            id="a key that is no word",
        ),
        pytest.param({"a": [1, 2]}, {"a": [1, 3, 4]}, ["a[1]: 2 -> 3", "a[2]: 4 (new)"], id="list"),
        pytest.param(
            {"c": [{"name": "x", "v": 1}, {"name": "y", "v": 1}]},
            {"c": [{"name": "y", "v": 2}]},
            ["c[name=y].v: 1 -> 2", 'c[name=x]: {"name":"x","v":1} (goes away)'],
            id="items by name, wherever they stand",
        ),
        pytest.param(
            {"c": [{"name": "x", "v": 1}, {"name": "x", "v": 2}]},
            {"c": [{"name": "x", "v": 1}, {"name": "x", "v": 3}]},
            ["c[1].v: 2 -> 3"],
            id="items whose names are not their own",
        ),
        pytest.param(
            {"metadata": {"resourceVersion": "1", "uid": "u", "generation": 1}, "status": {"a": 1}},
            {"metadata": {"resourceVersion": "2", "uid": "v", "generation": 2}, "status": {"a": 2}},
            [],
            id="what the server writes",
        ),
        pytest.param({"n": 1}, {"n": 1.0}, ["n: 1 -> 1.0"], id="numbers are told as they are"),
    ],
)
def test_fields_are_told_with_their_values(before, after, lines):
    assert told(before, after) == lines


def test_data_of_a_secret_is_masked_and_yet_told_apart():
    (one,) = differences(
        {"kind": "Secret", "data": {"p": "YQ=="}}, {"kind": "Secret", "data": {"p": "Yg=="}}
    )
    (two,) = differences(
        {"kind": "Secret", "data": {"p": "YQ=="}}, {"kind": "Secret", "data": {"p": "Yw=="}}
    )
    assert str(one) == f"data.p: {MASKED} -> {MASKED}"
    assert one.after_digest != two.after_digest


def test_a_secret_s_words_are_masked_wherever_they_stand():
    lines = told({"url": "x"}, {"url": "db://admin:hunter2@db", "host": "db"}, {"hunter2"})
    assert lines == [f'url: "x" -> {MASKED}', 'host: "db" (new)']


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('a"b\\c d', id="plain"),
        pytest.param('login="a\\"b\\\\c d"', id="quoted"),
        pytest.param("x: YSJiXGMgZA==", id="base64"),
        pytest.param("db://u:a%22b%5Cc%20d@db", id="in a URL"),
    ],
)
def test_a_secret_is_known_in_every_form(text):
    assert told({"a": ""}, {"a": text}, {'a"b\\c d'}) == [f'a: "" -> {MASKED}']


def test_lines_of_a_secret_are_secrets_and_short_ones_are_none():
    mask = {"first line\nno\nlast line\n"}
    assert told({}, {"a": "x last line"}, mask) == [f"a: {MASKED} (new)"]
    assert told({}, {"a": "no"}, mask) == ['a: "no" (new)']


def test_a_key_that_is_a_secret_is_masked_with_its_path():
    assert told({}, {"data": {"hunter2": "x"}}, {"hunter2"}) == [f"data: {MASKED} (new)"]
    both = {"data": {"a": "1"}}, {"data": {"a": "1", "hunter2": "x"}}
    assert told(*both, {"hunter2"}) == [f'{MASKED}: "x" (new)']


def test_a_long_value_is_cut():
    (line,) = told({"a": ""}, {"a": "x" * 5000})
    assert len(line) < 200


def a_plan(**facts):
    defaults = {
        "action": "upgrade",
        "revision": 3,
        "chart": "blog",
        "version": "1.2.0",
        "inputs": "v1.a",
        "manifest": "v1.b",
    }
    return ReleasePlan(**defaults | facts)


def test_a_plan_reads_as_lines():
    fields = differences({"spec": {"replicas": 1}}, {"spec": {"replicas": 2}})
    plan = a_plan(
        changes=(
            ObjectChange(Effect.CREATE, OLD),
            ObjectChange(Effect.CHANGE, WEB, fields),
            ObjectChange(Effect.DELETE, OLD),
        ),
        namespaces=("shop",),
        definitions=(Definition.of({"metadata": {"name": "crontabs.test"}}),),
        hooks=("post-upgrade hook Job migrate",),
    )
    assert list(plan.lines()) == [
        "  upgrade to revision 3: blog 1.2.0",
        "+ create Namespace shop",
        "+ install CustomResourceDefinition crontabs.test",
        "+ create ConfigMap shop/old (v1)",
        "~ change Deployment shop/web (apps/v1)",
        "      spec.replicas: 1 -> 2",
        "- delete ConfigMap shop/old (v1)",
        "* run post-upgrade hook Job migrate",
        "  1 to create, 1 to change, 1 to delete, 1 hook to run",
    ]
    assert a_plan().summary == "nothing to change in the cluster"


def test_the_digest_is_of_what_would_happen_and_not_of_what_was_before():
    def changed(before, after):
        fields = differences({"a": before}, {"a": after})
        return a_plan(changes=(ObjectChange(Effect.CHANGE, WEB, fields),)).digest

    assert changed(1, 3) == changed(2, 3)
    assert changed(1, 3) != changed(1, 4)
    assert a_plan().digest != a_plan(manifest="v1.c").digest
    # What was approved of once is not done a second time, when a pin is taken away for instance.
    assert a_plan().digest != a_plan(revision=4).digest


def test_the_digest_is_of_the_definitions_too():
    def defining(version):
        body = {"metadata": {"name": "crontabs.test"}, "spec": {"version": version}}
        return a_plan(definitions=(Definition.of(body),)).digest

    assert defining("v1") != defining("v2")


@pytest.mark.parametrize(
    ("effect", "destructive"),
    [
        (Effect.CREATE, False),
        (Effect.CHANGE, False),
        (Effect.RECREATE, True),
        (Effect.DELETE, True),
    ],
)
def test_a_plan_is_destructive_where_something_goes(effect, destructive):
    assert a_plan(changes=(ObjectChange(effect, OLD),)).destructive is destructive


def test_a_plan_says_what_is_taken_over():
    plan = a_plan(taken=("ConfigMap shop/a (of no release)",))
    assert "> take over ConfigMap shop/a (of no release)" in plan.lines()
    assert plan.summary == "1 to take over"
    assert plan.counts["takeOver"] == 1
    assert plan.digest != a_plan().digest
    assert not plan.destructive


def test_a_plan_to_adopt_makes_no_revision():
    assert next(iter(a_plan(action="adopt").lines())) == "  adopt revision 3 as it is: blog 1.2.0"
