"""Stored releases as readers see them."""

import base64

import pytest

from whipstaff.errors import StorageCorrupt
from whipstaff.release import codec
from whipstaff.release.stored import newest, stored


def a_record(**changes):
    metadata = {"name": "blog", "version": "1.2.0", "appVersion": "7"}
    info = {"status": "deployed", "last_deployed": "2026-11-21T10:00:00Z", "notes": "Hello."}
    record = {"name": "blog", "info": info, "chart": {"metadata": metadata}, "version": 1}
    return {**record, "namespace": "shop", **changes}


def a_holder(record=None, *, number=1, name="blog", namespace="shop", kind="Secret", payload=None):
    text = (
        codec.encode(record or a_record(version=number, name=name)) if payload is None else payload
    )
    if kind == "Secret":
        text = base64.b64encode(text.encode()).decode()
    labels = {"owner": "helm", "name": name, "version": str(number), "team": "web"}
    key = f"sh.helm.release.v1.{name}.v{number}"
    return {
        "metadata": {"name": key, "namespace": namespace, "labels": labels},
        "data": {"release": text},
    }


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_a_release_is_read_with_what_helm_prints_of_it(kind):
    found = stored(a_holder(kind=kind), kind)
    facts = (found.name, found.namespace, found.number, found.status, found.chart_name)
    assert facts == ("blog", "shop", 1, "deployed", "blog-1.2.0")
    assert (found.app_version, found.notes) == ("7", "Hello.")
    assert found.own_labels == {"team": "web"}


def test_a_release_without_a_chart_says_so():
    found = stored(a_holder(a_record(chart=None)))
    assert (found.chart_name, found.app_version) == ("MISSING", "MISSING")


@pytest.mark.parametrize(
    "holder",
    [
        pytest.param({"metadata": {"name": "x"}}, id="no data"),
        pytest.param(a_holder(payload=""), id="empty"),
        pytest.param(a_holder(payload="bm8gSlNPTg=="), id="no JSON"),
        pytest.param(a_holder(a_record(version="1")), id="a number that is text"),
        pytest.param(a_holder(a_record(name=None)), id="no name"),
        pytest.param(a_holder(a_record(config=[1])), id="values that are no table"),
        pytest.param({"metadata": None, "data": {"release": "ÿ"}}, id="no base64"),
    ],
)
def test_what_is_no_release_is_named(holder):
    with pytest.raises(StorageCorrupt):
        stored(holder)


def test_the_newest_revision_of_each_release_is_chosen_by_number():
    holders = [a_holder(number=number) for number in (9, 10, 2)]
    holders.append(a_holder(number=3, namespace="other"))
    assert sorted(one.number for one in newest(holders)) == [3, 10]


def test_an_unreadable_revision_is_told_and_the_one_before_it_taken():
    told = []
    found = newest([a_holder(number=1), a_holder(number=2, payload="?")], unreadable=told.append)
    assert [one.number for one in found] == [1]
    assert "blog.v2" in told[0].text
