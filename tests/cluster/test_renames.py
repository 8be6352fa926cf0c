"""Names in a HelmRelease change, and what runs goes on running."""

import pytest

from tests.builders.live_releases import LiveReleases, eventually
from tests.builders.small_charts import a_packed_chart, app_chart
from tools.controlplane import audit
from tools.running_operator import RunningOperator, prepare

pytestmark = pytest.mark.cluster

FIXED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fixed}\n"
NAMED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-settings'}\n"
MANY = """\
{{- range until 40 }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "many-{{ . }}", labels: {many: "yes"}}
data: {text: {{ $.Values.text | quote }}}
{{- end }}
"""
BY_CHART = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Chart.Name }}-chart'}\n"


@pytest.fixture(autouse=True)
def _published(repository):
    for name in ("blog", "fork"):
        parts = {"fixed": FIXED, "named": NAMED, "chart": BY_CHART}
        repository.add(a_packed_chart(name, "1.0.0", **parts))
    repository.add(app_chart())


def uid_of(releases, name):
    return releases.api.request("GET", releases.core("configmaps", name))["metadata"]["uid"]


def test_another_release_name_moves_the_release_with_its_history(releases):
    releases.create("blog", chart="blog")
    releases.settled("blog", revision=1)
    before = uid_of(releases, "fixed")
    releases.edit("blog", releaseName="web")
    release = releases.settled("blog", revision=2)
    assert releases.stored("blog") == {}
    assert releases.stored("web") == {1: "superseded", 2: "deployed"}
    assert release["status"]["release"]["name"] == "web"
    assert uid_of(releases, "fixed") == before
    assert releases.data("web-settings") is not None
    assert releases.data("blog-settings") is None
    assert "web" in releases.helm("ls")
    assert "superseded" in releases.helm("history", "web")
    # What was moved can be rolled back to, and is wholly the new release's.
    releases.edit("blog", revision=1)
    releases.settled("blog", revision=3)
    assert releases.data("blog-settings") is not None
    releases.delete("blog")
    releases.gone("blog")
    assert releases.data("fixed") is None
    assert releases.stored("web") == {}


def test_a_deployment_is_replaced_only_once_its_successor_is_ready(releases):
    releases.create("old", chart="app")
    releases.settled("old", revision=1)
    path = f"/apis/apps/v1/namespaces/{releases.namespace}/deployments/"
    hanging = {"podAnnotations": {"pods.whipstaff.dev/outcome": "hangs"}}
    releases.edit("old", releaseName="new", values=hanging, timeout="3s")
    releases.refused("old", "UpgradeFailed")
    assert releases.find(path + "old") is not None
    releases.edit("old", values={"podAnnotations": {"pods.whipstaff.dev/outcome": None}})
    releases.settled("old")
    assert releases.find(path + "old") is None
    assert releases.find(path + "new") is not None


def test_another_storage_namespace_moves_the_records(releases, control_plane):
    place = f"{releases.namespace}-records"
    control_plane.kubectl("create", "namespace", place)
    try:
        releases.create("blog", chart="blog")
        releases.settled("blog", revision=1)
        before = uid_of(releases, "fixed")
        releases.edit("blog", storageNamespace=place)
        releases.until("blog", lambda it: it["status"]["release"]["storageNamespace"] == place)
        releases.settled("blog")
        assert releases.stored("blog") == {}
        assert set(releases.stored("blog", place)) >= {1}
        assert uid_of(releases, "fixed") == before
        releases.delete("blog")
        releases.gone("blog")
        assert releases.data("fixed") is None
    finally:
        control_plane.run("kubectl", "delete", "namespace", place, "--wait=false")


def test_another_chart_name_is_an_upgrade_like_any_other(releases):
    releases.create("blog", chart="blog")
    releases.settled("blog", revision=1)
    before = uid_of(releases, "fixed")
    releases.edit("blog", chart={"name": "fork"})
    releases.settled("blog", revision=2)
    assert uid_of(releases, "fixed") == before
    assert releases.data("fork-chart") is not None
    assert releases.data("blog-chart") is None


def test_another_target_namespace_is_refused_and_what_runs_stays(releases):
    releases.create("blog", chart="blog", releaseName="blog")
    releases.settled("blog", revision=1)
    before = uid_of(releases, "fixed")
    releases.edit("blog", targetNamespace="elsewhere")
    message = releases.refused("blog", "TargetNamespaceChanged")["message"]
    assert f"set it back to {releases.namespace}" in message
    assert uid_of(releases, "fixed") == before
    assert releases.stored("blog") == {1: "deployed"}
    releases.edit("blog", targetNamespace=None)
    releases.settled("blog", revision=1)


def test_kills_in_the_middle_of_a_move_lose_nothing(own_cluster, repository):
    repository.add(a_packed_chart("many", values="text: plain\n", maps=MANY))
    plane = own_cluster()
    prepare(plane)
    plane.kubectl("create", "namespace", "shop")
    operator = RunningOperator(plane, "whipstaff", "--identity=the-one").start()
    releases = LiveReleases(plane, "shop", repository.url)
    labelled = releases.core("configmaps") + "?labelSelector=many%3Dyes"

    def maps():
        return [item["metadata"] for item in releases.find(labelled)["items"]]

    def moved():
        return [it for it in maps() if it["annotations"]["meta.helm.sh/release-name"] == "new"]

    releases.create("many", chart="many", releaseName="old")
    releases.settled("many", revision=1)
    releases.edit("many", values={"text": "second"})
    releases.settled("many", revision=2)
    before = {it["name"]: it["uid"] for it in maps()}
    begun = plane.audit_log.stat().st_size
    releases.edit("many", releaseName="new")
    eventually(lambda: releases.stored("new"), "no record was copied")
    operator.kill()
    assert releases.stored("old") == {1: "superseded", 2: "deployed"}
    operator.launch()
    eventually(moved, "no object was taken along")
    operator.kill()
    operator.start()
    release = releases.settled("many")
    assert release["status"]["release"]["name"] == "new"
    assert releases.stored("old") == {}
    # It renders to what runs, so there is nothing to release.
    assert releases.stored("new") == {1: "superseded", 2: "deployed"}
    assert {it["name"]: it["uid"] for it in moved()} == before
    written = audit.writes(plane.audit_log, begun)
    gone = [it for it in written if it.resource == "configmaps" and it.verb == "delete"]
    assert gone == []
    operator.stop()
