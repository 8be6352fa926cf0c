"""Stored revisions that someone damaged, relabelled or doubled: nothing is guessed or deleted."""

import base64
import gzip
import json

import pytest

from tests.builders.live_releases import eventually, is_true, secret_name
from tests.builders.small_charts import HANGS, app_chart, settings_chart
from tools.controlplane import audit

MEBIBYTE = 1 << 20
SHOWN = 100  # revisions in status.history at most


def in_base64(text):
    return base64.b64encode(text).decode()


def as_helm_packs(payload):
    """Give what `data.release` holds: base64 for Helm, and once more for the Secret."""
    return in_base64(in_base64(gzip.compress(payload)).encode())


@pytest.fixture(autouse=True)
def _published(repository):
    for version in ("1.0.0", "1.1.0"):
        repository.add(settings_chart(version))
    repository.add(app_chart())


@pytest.fixture
def blog(releases):
    """A release of two revisions."""
    releases.create("blog", version="1.0.0", values={"text": "first"})
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"text": "second"})
    releases.settled("blog", revision=2)
    return releases


def record(releases, number):
    return releases.core("secrets", secret_name("blog", number))


def damage(releases, number, **change):
    return releases.api.request("PATCH", record(releases, number), change)


def rewrite(releases, number, status=None, **labels):
    """Change what a stored revision says of itself, in the payload and in labels."""
    payload = releases.payload("blog", number)
    if status is not None:
        payload["info"]["status"] = status
        labels["status"] = status
    packed = as_helm_packs(json.dumps(payload).encode())
    damage(releases, number, data={"release": packed}, metadata={"labels": labels})


def copied(releases, number, to, **changes):
    """Store a copy of a revision under another number."""
    secret = releases.api.request("GET", record(releases, number))
    payload = releases.payload("blog", number) | {"version": to}
    labels = secret["metadata"]["labels"] | {"version": str(to)} | changes.pop("labels", {})
    body = {
        "type": changes.pop("type", secret["type"]),
        "metadata": {"name": secret_name("blog", to), "labels": labels},
        "data": {"release": as_helm_packs(json.dumps(payload).encode())},
    }
    return releases.api.request("POST", releases.core("secrets"), body)


# What cannot be read.

DAMAGED = {
    "no base64": {"data": {"release": in_base64(b"%%%")}},
    "no gzip": {"data": {"release": in_base64(in_base64(b"\x1f\x8b\x08 no gzip").encode())}},
    "no JSON": {"data": {"release": as_helm_packs(b'{"name": ')}},
    "a list": {"data": {"release": as_helm_packs(b"[]")}},
    "nothing": {"data": {"release": ""}},
    "another key": {"data": {"release": None, "other": in_base64(b"x")}},
    "another number": {"data": {"release": as_helm_packs(b'{"name": "blog", "version": 7}')}},
    "a bomb": {"data": {"release": as_helm_packs(b'{"name": "' + b"x" * (256 * MEBIBYTE))}},
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_record_of_what_runs_is_named_and_nothing_is_written(blog, kind):
    damage(blog, 2, **DAMAGED[kind])
    before = blog.api.request("GET", blog.core("configmaps", "blog"))
    blog.edit("blog", values={"text": "third"})
    ready = blog.refused("blog", "StorageCorrupt")
    assert secret_name("blog", 2) in ready["message"]
    assert is_true(blog.get("blog"), "Stalled")
    assert blog.stored("blog") == {1: "superseded", 2: "deployed"}
    assert blog.api.request("GET", blog.core("configmaps", "blog")) == before
    # As docs/conditions.md says: the Secret may be deleted, what is left counts.
    blog.control_plane.kubectl("delete", "secret", secret_name("blog", 2), "-n", blog.namespace)
    blog.ask("blog")
    eventually(lambda: (blog.data("blog") or {}).get("text") == "third", "it does not go on")
    blog.settled("blog")
    assert list(blog.stored("blog").values()).count("deployed") == 1
    blog.agree("blog")


@pytest.mark.parametrize(
    "numbers", [pytest.param((3,), id="the latest, failed"), pytest.param((1, 2, 3), id="all")]
)
def test_whichever_records_are_damaged_nothing_is_written(releases, numbers):
    once = {"timeout": "1s", "remediation": {"retries": 0}}
    releases.create("blog", chart="app", upgrade=once)
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"selector": "tier", "replicas": 2})
    releases.settled("blog", revision=2)
    releases.edit("blog", values=HANGS)
    failed = {1: "superseded", 2: "deployed", 3: "failed"}
    eventually(lambda: releases.stored("blog") == failed, "it does not fail")
    releases.refused("blog", "UpgradeFailed")
    for number in numbers:
        damage(releases, number, **DAMAGED["no gzip"])
    path = f"/apis/apps/v1/namespaces/{releases.namespace}/deployments/blog"
    before = releases.api.request("GET", path)["metadata"]["generation"]
    healed = dict.fromkeys(HANGS["podAnnotations"])
    releases.edit("blog", values={"podAnnotations": healed})
    ready = releases.refused("blog", "StorageCorrupt")
    assert any(secret_name("blog", number) in ready["message"] for number in numbers)
    assert releases.stored("blog") == failed
    assert releases.api.request("GET", path)["metadata"]["generation"] == before
    for number in numbers:
        releases.api.request("DELETE", record(releases, number))
    releases.ask("blog")
    eventually(lambda: "deployed" in [*releases.stored("blog").values()][-1:], "no end")
    releases.settled("blog")
    assert list(releases.stored("blog").values()).count("deployed") == 1
    assert releases.api.request("GET", path)["spec"]["replicas"] == 2
    releases.agree("blog")


def test_a_record_that_is_not_compressed_is_read_as_helm_does(blog):
    blog.edit("blog", suspend=True)
    blog.api.request("DELETE", record(blog, 2))
    payload = blog.payload("blog", 1)
    payload["info"]["status"] = "deployed"
    packed = in_base64(in_base64(json.dumps(payload).encode()).encode())  # as Helm once did: plain
    secret = blog.api.request("GET", record(blog, 1))
    blog.api.request("DELETE", record(blog, 1))
    labels = secret["metadata"]["labels"] | {"status": "deployed"}
    metadata = {"name": secret_name("blog", 1), "labels": labels}
    body = {"type": secret["type"], "metadata": metadata, "data": {"release": packed}}
    blog.api.request("POST", blog.core("secrets"), body)
    assert json.loads(blog.helm("status", "blog", "-o", "json"))["version"] == 1
    blog.edit("blog", suspend=None, values={"text": "third"})
    blog.settled("blog", revision=2)
    assert blog.stored("blog") == {1: "superseded", 2: "deployed"}
    blog.agree("blog")


# What says something else than it is.


def test_a_status_label_counts_as_in_helms_own_lookups_and_leads_to_no_deletion(blog):
    damage(blog, 2, metadata={"labels": {"status": "failed"}})
    blog.ask("blog")
    wanted = {1: "superseded", 2: "failed", 3: "deployed"}
    eventually(lambda: blog.stored("blog") == wanted, f"stored: {blog.stored('blog')}")
    blog.settled("blog", revision=3)
    assert blog.data("blog")["text"] == "second"


def test_of_a_version_label_and_a_name_the_name_counts(blog):
    damage(blog, 2, metadata={"labels": {"version": "9"}})
    blog.edit("blog", values={"text": "third"})
    blog.settled("blog", revision=3)
    assert blog.data("blog")["text"] == "third"
    assert [number for number, _ in blog.history("blog")] == [3, 2, 1]


def test_a_record_without_its_name_label_is_not_overwritten(blog):
    """Neither we nor helm find it by its label any more; its number is taken all the same."""
    for number in (1, 2):
        damage(blog, number, metadata={"labels": {"name": "someone-else"}})
    before = [blog.api.request("GET", record(blog, number)) for number in (1, 2)]
    blog.edit("blog", values={"text": "third"})
    ready = blog.refused("blog", "ReleaseConflict")
    assert "revision 1" in ready["message"]
    assert [blog.api.request("GET", record(blog, number)) for number in (1, 2)] == before
    assert blog.data("blog")["text"] == "second"
    for number in (1, 2):
        damage(blog, number, metadata={"labels": {"name": "blog"}})
    blog.ask("blog")
    blog.settled("blog", revision=3)
    blog.agree("blog")


@pytest.mark.parametrize("count", [2, 4])
def test_of_several_deployed_revisions_the_newest_counts(blog, count):
    for number in range(3, count + 1):
        blog.edit("blog", values={"text": str(number)})
        blog.settled("blog", revision=number)
    for number in range(1, count + 1):
        rewrite(blog, number, status="deployed")
    blog.answered("blog")
    wanted = {**dict.fromkeys(range(1, count), "superseded"), count: "deployed"}
    eventually(lambda: blog.stored("blog") == wanted, f"stored: {blog.stored('blog')}")
    blog.settled("blog", revision=count)
    blog.agree("blog")


def test_a_pin_to_a_pending_revision_names_the_usable_ones(blog):
    rewrite(blog, 1, status="pending-upgrade")
    blog.edit("blog", revision=1)
    ready = blog.refused("blog", "RevisionNotUsable")
    said = "revision 1 is pending-upgrade and cannot be run; usable revisions: 2"
    assert said in ready["message"]
    assert blog.stored("blog") == {1: "pending-upgrade", 2: "deployed"}
    assert blog.data("blog")["text"] == "second"


# Very many, very high.


def test_the_highest_number_that_a_pin_can_name_is_used(blog):
    copied(blog, 2, 2**31 - 2)
    rewrite(blog, 2, status="superseded")
    blog.edit("blog", values={"text": "third"})
    blog.settled("blog", revision=2**31 - 1)
    assert blog.data("blog")["text"] == "third"
    blog.agree("blog")


@pytest.mark.slow
def test_thousands_of_revisions_are_no_burden(blog, operator):
    blog.edit("blog", suspend=True, maxHistory=0)
    for number in range(3, 1203):
        copied(blog, 1, number, labels={"status": "superseded"})
    copied(blog, 2, 1203)
    rewrite(blog, 2, status="superseded")
    start = operator.cluster.audit_log.stat().st_size
    blog.edit("blog", suspend=None, values={"text": "third"})
    release = blog.settled("blog", revision=1204)
    assert len(release["status"]["history"]) == SHOWN
    reads = [
        one
        for one in audit.read(operator.cluster.audit_log, start)
        if one.resource == "secrets" and one.verb == "get" and blog.namespace in one.uri
    ]
    assert len(reads) < SHOWN + 10, "what is not shown is read"


# What may not be written.


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        pytest.param("helm.sh/release.v2", "type: Invalid value", id="another type"),
        pytest.param(None, "field is immutable when", id="immutable"),
    ],
)
def test_a_record_that_cannot_be_changed_is_named_and_read_as_helm_does(blog, kind, said):
    """Nothing tells so before it is to be superseded; what runs by then is the new revision."""
    secret = blog.api.request("GET", record(blog, 2))
    if kind is None:
        damage(blog, 2, immutable=True)
    else:
        body = {field: secret[field] for field in ("data", "type")} | {"type": kind}
        metadata = {field: secret["metadata"][field] for field in ("name", "labels")}
        blog.api.request("DELETE", record(blog, 2))
        blog.api.request("POST", blog.core("secrets"), body | {"metadata": metadata})
    blog.edit("blog", values={"text": "third"})
    ready = blog.refused("blog", "Invalid")
    assert secret_name("blog", 2) in ready["message"]
    assert said in ready["message"]
    assert blog.stored("blog") == {1: "superseded", 2: "deployed", 3: "deployed"}
    assert blog.data("blog")["text"] == "third"
    blog.api.request("DELETE", record(blog, 2))
    blog.ask("blog")
    blog.settled("blog", revision=3)
    blog.agree("blog")


def test_a_quota_on_secrets_is_named_before_anything_is_applied(releases):
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"count/secrets": "0"}}}
    releases.api.request("POST", releases.core("resourcequotas"), quota)
    path = releases.core("resourcequotas", "few")
    eventually(lambda: releases.find(path).get("status", {}).get("hard"), "no quota")
    releases.create("blog")
    ready = releases.refused("blog", "QuotaExceeded")
    assert "exceeded quota" in ready["message"]
    assert not is_true(releases.get("blog"), "Stalled")
    assert releases.data("blog") is None
    releases.api.request("PATCH", path, {"spec": {"hard": {"count/secrets": "9"}}})
    releases.settled("blog", revision=1, seconds=60)
