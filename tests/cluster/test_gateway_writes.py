"""Writes through the gateway on a real API server: as the caller, once for each key."""

import threading
import uuid
from contextlib import suppress
from http.client import HTTPException

import pytest

from tests.builders.gateways import RunningGateway, grant
from tests.builders.live_releases import LiveReleases, condition, eventually
from tests.builders.permissions import an_account
from tests.builders.small_charts import a_packed_chart
from tools.chartrepo import ChartRepository
from tools.controlplane import audit

PLACE = "gw-writes"
RELEASES = f"/v1/namespaces/{PLACE}/releases"
SETTINGS = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  text: {{ .Values.text | quote }}
"""
NOT_FOUND = 404
READS = ("whipstaff.dev", ["helmreleases"], ["get", "list"])
WRITES = ("whipstaff.dev", ["helmreleases"], ["get", "list", "create", "patch", "delete"])


@pytest.fixture(scope="module")
def site(operator):
    with ChartRepository() as served:
        for version in ("1.0.0", "2.0.0"):
            served.add(a_packed_chart("settings", version, "text: one\n", settings=SETTINGS))
        operator.cluster.kubectl("create", "namespace", PLACE)
        grant(operator.cluster)
        found = Site(operator.cluster, served.url)
        yield found
        assert found.gateway.stop() == 0
        operator.cluster.kubectl("delete", "namespace", PLACE, "--wait=false")


class Site:
    def __init__(self, cluster, url):
        self.cluster = cluster
        self.gateway = RunningGateway(cluster, name="gateway-writes")
        self.releases = LiveReleases(cluster, PLACE, url)
        for name, rule in (("reader", READS), ("editor", WRITES)):
            an_account(cluster, PLACE, name, rule)
        self.reader = cluster.service_account_token(PLACE, "reader")
        self.editor = cluster.service_account_token(PLACE, "editor")
        for token in (self.reader, self.editor):
            eventually(lambda token=token: self.knows(token), "its rights are not known")

    def ask(self, path, body=None, method="POST", token=None, headers=None, **query):
        return self.gateway.get(path, token or self.editor, method, headers, body, **query)

    def knows(self, token):
        return self.ask(f"{RELEASES}/none", method="GET", token=token).status == NOT_FOUND

    def spec(self, **more):
        chart = {"name": "settings", "repository": self.releases.repository_url, "version": "1.0.0"}
        return {"chart": chart, **more}

    def install(self, name, **more):
        answer = self.ask(RELEASES, {"name": name, "spec": self.spec(**more)})
        assert answer.status == 201, answer.body
        self.releases.settled(name, revision=1)
        return f"{RELEASES}/{name}"

    def effects(self, name):
        """Give what the gateway wrote into a HelmRelease that was there."""
        return [
            each
            for each in audit.read(self.cluster.audit_log)
            if (each.namespace, each.name, each.resource, each.verb, each.code)
            == (PLACE, name, "helmreleases", "patch", 200)
            and each.user_agent.startswith("whipstaff-gateway")
            and each.is_write
        ]

    def managers(self, name):
        managed = self.releases.get(name)["metadata"]["managedFields"]
        return {one["manager"] for one in managed if one.get("subresource") != "status"}


def test_a_release_lives_its_life_through_the_gateway(site):
    blog = site.install("blog")
    assert site.ask(f"{RELEASES}/blog", token=site.reader, method="GET").json["revision"] == 1
    change = {"chart": {"version": "2.0.0"}, "values": {"text": "two"}}
    upgraded = site.ask(blog, {"spec": change}, method="PATCH")
    assert upgraded.status == 200, upgraded.body
    site.releases.settled("blog", revision=2)
    assert site.releases.data("blog") == {"text": "two"}
    assert site.ask(f"{blog}/rollback").json["edit"].endswith("spec:\n  revision: 1\n")
    site.releases.settled("blog", revision=3)
    assert site.releases.data("blog") == {"text": "one"}
    assert site.ask(f"{blog}/unpin").status == 200
    site.releases.settled("blog", revision=4)
    assert site.releases.data("blog") == {"text": "two"}
    assert "whipstaff-gateway" in site.managers("blog")
    assert site.ask(blog, method="DELETE").json["made"] is True
    site.releases.gone("blog")
    assert site.releases.data("blog") is None


def test_a_deletion_that_is_sent_again_hits_no_later_release_of_the_name(site):
    again = site.install("again")
    uid = site.releases.get("again")["metadata"]["uid"]
    key = {"Idempotency-Key": str(uuid.uuid4())}

    def deleted():
        told = site.ask(again, method="DELETE", headers=key, uid=uid, keepHistory="true").json
        return told["made"], told["repeated"]

    assert deleted() == (True, False)
    assert deleted() == (False, True)
    site.releases.gone("again")
    assert deleted() == (False, True)
    later = site.ask(RELEASES, {"name": "again", "spec": site.spec(suspend=True)})
    assert later.status == 201, later.body
    assert deleted() == (False, True)
    live = site.releases.get("again")["metadata"]
    assert (live["uid"] != uid, "deletionTimestamp" in live) == (True, False)


def test_a_plan_is_approved_of_and_a_pass_asked_for(site):
    shop = site.install("shop")
    site.ask(shop, {"spec": {"approval": "Manual", "values": {"text": "two"}}}, method="PATCH")
    live = site.releases.until("shop", lambda found: found["status"].get("plan"))
    wrong = site.ask(f"{shop}/approve", {"digest": "sha256:00"})
    assert wrong.status == 409
    assert site.ask(f"{shop}/approve", {"digest": live["status"]["plan"]["digest"]}).status == 200
    site.releases.settled("shop", revision=2)
    assert site.ask(f"{shop}/suspend").json["release"]["suspended"] is True
    assert site.ask(f"{shop}/resume").json["release"]["suspended"] is False
    site.ask(f"{shop}/reconcile", {"force": True})
    site.releases.until("shop", lambda found: found["status"].get("lastHandledForceAt"))


def test_who_may_only_read_is_refused_by_the_api_server(site):
    site.install("mine")
    before = site.releases.get("mine")["metadata"]["resourceVersion"]
    for method, path, body in (
        ("POST", RELEASES, {"name": "theirs", "spec": site.spec()}),
        ("PATCH", f"{RELEASES}/mine", {"spec": {"suspend": True}}),
        ("DELETE", f"{RELEASES}/mine", None),
        *(("POST", f"{RELEASES}/mine/{action}", {}) for action in ("pin", "suspend", "reconcile")),
    ):
        for query in ({}, {"dryRun": "server"}):
            answer = site.ask(path, body, method=method, token=site.reader, **query)
            assert (answer.status, answer.json["reason"]) == (403, "Forbidden")
            assert answer.headers["content-type"] == "application/problem+json"
    assert site.releases.get("mine")["metadata"]["resourceVersion"] == before
    assert site.releases.find(site.releases.path("theirs")) is None


def test_what_the_api_server_does_not_take_is_told_and_changes_nothing(site):
    site.install("strict")
    for spec, said in (
        ({"chrat": {}}, "chrat"),
        ({"interval": "soon"}, "interval"),
        ({"suspend": {"a": 1}}, "suspend"),
    ):
        answer = site.ask(f"{RELEASES}/strict", {"spec": spec}, method="PATCH")
        assert answer.status in (400, 422), answer.body
        assert said in answer.json["detail"]
    exists = site.ask(RELEASES, {"name": "strict", "spec": site.spec()})
    assert (exists.status, exists.json["reason"]) == (409, "AlreadyExists")
    tried = site.ask(RELEASES, {"name": "tried", "spec": site.spec()}, dryRun="server")
    assert (tried.status, tried.json["made"]) == (200, False)
    assert site.releases.find(site.releases.path("tried")) is None
    assert condition(site.releases.get("strict"), "Ready")["status"] == "True"


def test_a_post_has_one_effect_whenever_the_gateway_dies_and_however_often_it_is_sent(site):
    """One request had its effect, of the other nobody knows."""
    keys = {name: {"Idempotency-Key": str(uuid.uuid4())} for name in ("done", "open")}
    for name in keys:
        site.install(name)

    def send(name):
        with suppress(OSError, HTTPException):  # that is what a killed gateway looks like
            site.ask(f"{RELEASES}/{name}/reconcile", headers=keys[name])

    senders = [threading.Thread(target=send, args=(name,)) for name in ("done", "open") * 4]
    for sender in senders[:2]:
        sender.start()
    eventually(lambda: site.effects("done"), "nothing was written")
    for sender in senders[2:]:
        sender.start()
    site.gateway.kill()
    for sender in senders:
        sender.join()
    site.gateway = RunningGateway(site.cluster, name="gateway-writes")
    for name, key in keys.items():
        answers = [site.ask(f"{RELEASES}/{name}/reconcile", headers=key) for _ in range(3)]
        assert {answer.status for answer in answers} == {200}
        assert answers[-1].json["repeated"] is True
        eventually(lambda name=name: site.effects(name), "the audit log does not have it")
        assert len(site.effects(name)) == 1
