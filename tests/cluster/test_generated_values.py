"""What templates generate stays across upgrades where spec.render.stableGenerated asks for it."""

import base64
import json

import pytest

from tests.builders.live_releases import LiveReleases, eventually
from tests.builders.small_charts import a_packed_chart
from tools.running_operator import RunningOperator, prepare

pytestmark = pytest.mark.cluster

SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}
stringData:
  text: {{ .Values.text }}
  password: {{ randAlphaNum (int .Values.length) }}
  certificate: {{ (genSelfSignedCert "blog" nil nil 365).Cert | quote }}
  made: {{ now | unixEpoch | quote }}
  {{- range $user := .Values.users }}
  user-{{ $user }}: {{ uuidv4 }}
  {{- end }}
"""
VALUES = "text: plain\nlength: 12\nusers: [bob]\n"
STABLE = {"render": {"stableGenerated": True}}
GENERATED = ("password", "certificate", "made", "user-bob")


@pytest.fixture(autouse=True)
def _published(repository):
    repository.add(a_packed_chart("generates", values=VALUES, secret=SECRET))


def secret(releases, name="blog"):
    data = releases.find(releases.core("secrets", name))["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def generated(releases):
    return {key: value for key, value in secret(releases).items() if key in GENERATED}


def test_an_upgrade_gives_the_same_passwords(releases):
    releases.create("blog", "generates", **STABLE)
    releases.settled("blog", revision=1)
    first = generated(releases)
    releases.edit("blog", values={"text": "other", "users": ["alice", "bob"]})
    releases.settled("blog", revision=2)
    now = secret(releases)
    assert now["text"] == "other"
    assert generated(releases) == first
    assert now["user-alice"] not in first.values()


def test_another_call_gives_another_password_and_leaves_the_rest(releases):
    releases.create("blog", "generates", **STABLE)
    releases.settled("blog", revision=1)
    first = generated(releases)
    releases.edit("blog", values={"length": 20})
    releases.settled("blog", revision=2)
    now = generated(releases)
    assert len(now.pop("password")) == 20
    assert now.items() <= first.items()


def test_by_default_each_upgrade_makes_new_ones_as_in_helm(releases):
    releases.create("blog", "generates")
    releases.settled("blog", revision=1)
    first = generated(releases)
    releases.edit("blog", values={"text": "other"})
    releases.settled("blog", revision=2)
    assert generated(releases)["password"] != first["password"]


def test_a_rollback_brings_its_own_and_the_next_upgrade_keeps_them(releases):
    releases.create("blog", "generates", **STABLE)
    releases.settled("blog", revision=1)
    first = generated(releases)
    releases.edit("blog", values={"length": 20})
    releases.settled("blog", revision=2)
    releases.edit("blog", revision=1)
    releases.settled("blog", revision=3)
    assert generated(releases) == first
    releases.edit("blog", revision=None, values={"text": "other", "length": 12})
    releases.settled("blog", revision=4)
    assert generated(releases) == first


def test_they_outlast_what_the_helm_command_does_meanwhile(releases, repository):
    releases.create("blog", "generates", **STABLE)
    releases.settled("blog", revision=1)
    first = generated(releases)
    releases.edit("blog", suspend=True)
    releases.helm("upgrade", "blog", "generates", "--repo", repository.url)
    assert generated(releases)["password"] != first["password"]
    releases.edit("blog", suspend=False)
    releases.settled("blog", revision=3)
    assert generated(releases) == first
    releases.edit("blog", suspend=True)
    releases.helm("rollback", "blog", "1")
    releases.edit("blog", suspend=False, values={"text": "other"})
    releases.settled("blog", revision=5)
    assert generated(releases) == first


def test_the_helm_command_shows_none_of_it(releases):
    releases.create("blog", "generates", **STABLE)
    releases.settled("blog", revision=1)
    assert [each["revision"] for each in json.loads(releases.helm("history", "blog", "-o", "json"))]
    for shown in (("all", "blog"), ("values", "blog", "--all"), ("metadata", "blog")):
        assert "generated.json" not in releases.helm("get", *shown)
        assert "randAlphaNum-" not in releases.helm("get", *shown)


def test_nothing_but_the_stored_revision_and_the_chart_s_secret_tells_them(releases, operator):
    releases.create("blog", "generates", **STABLE)
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"text": "other"})
    releases.settled("blog", revision=2)
    told = json.dumps(releases.get("blog")) + operator.log.read_text(encoding="utf-8")
    told += releases.control_plane.kubectl("get", "events", "-n", releases.namespace, "-o", "json")
    for value in generated(releases).values():
        assert value not in told or value.isdecimal()
    assert "randAlphaNum-" not in told


def test_they_are_kept_where_revisions_are_config_maps(own_cluster, repository):
    cluster = own_cluster()
    prepare(cluster)
    running = RunningOperator(cluster, "whipstaff", "--storage-driver=configmap").start()
    releases = LiveReleases(cluster, "default", repository.url)
    try:
        releases.create("blog", "generates", **STABLE)
        releases.settled("blog", revision=1)
        first = generated(releases)
        releases.edit("blog", values={"text": "other"})
        releases.settled("blog", revision=2)
        assert generated(releases) == first
        assert cluster.kubectl("get", "configmaps", "-l", "owner=helm", "-o", "name").split() == [
            "configmap/sh.helm.release.v1.blog.v1",
            "configmap/sh.helm.release.v1.blog.v2",
        ]
        releases.delete("blog")
        releases.gone("blog")
        eventually(lambda: releases.find(releases.core("secrets", "blog")) is None, "still there")
    finally:
        running.stop()
