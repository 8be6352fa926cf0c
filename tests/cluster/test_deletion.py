"""What goes with a HelmRelease, and what stays without the operator or our definition."""

import json
import time

import pytest

from tests.builders.live_releases import LiveReleases, condition, eventually, is_true
from tests.builders.small_charts import (
    CONFIG_MAP,
    HANGS,
    a_packed_chart,
    app_chart,
    settings_chart,
)
from tools.running_operator import RunningOperator, prepare

KEPT = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-kept
  annotations: {helm.sh/resource-policy: keep}
"""
FAREWELL = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-farewell
  annotations:
    helm.sh/hook: pre-delete,post-delete
    helm.sh/hook-delete-policy: hook-succeeded,before-hook-creation
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: a, image: busybox}]
"""


@pytest.fixture(autouse=True)
def _published(repository):
    publish(repository)


def publish(repository):
    repository.add(settings_chart())
    repository.add(app_chart())
    repository.add(
        a_packed_chart("careful", "1.0.0", "text: x\n", a=CONFIG_MAP, kept=KEPT, bye=FAREWELL)
    )


@pytest.mark.parametrize("suspended", [False, True], ids=["", "suspended"])
def test_an_orphaned_release_runs_on_with_its_records(releases, suspended):
    releases.create("blog", uninstall={"deletionPolicy": "Orphan"})
    releases.settled("blog", revision=1)
    if suspended:
        releases.edit("blog", suspend=True)
    before = releases.api.request("GET", releases.core("configmaps", "blog"))
    releases.delete("blog")
    releases.gone("blog")
    assert releases.api.request("GET", releases.core("configmaps", "blog")) == before
    assert releases.stored("blog") == {1: "deployed"}
    assert json.loads(releases.helm("ls", "-o", "json"))[0]["status"] == "deployed"
    # Another HelmRelease takes it up where it stands.
    releases.create("blog")
    releases.settled("blog", revision=1)


def test_a_suspended_release_is_uninstalled_when_it_is_deleted(releases):
    releases.create("blog")
    releases.settled("blog", revision=1)
    releases.edit("blog", suspend=True)
    releases.delete("blog")
    releases.gone("blog")
    assert releases.left_over() == []


def test_kept_history_says_uninstalled_and_a_new_install_counts_on(releases):
    releases.create("blog", uninstall={"keepHistory": True}, values={"text": "1"})
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"text": "2"})
    releases.settled("blog", revision=2)
    releases.delete("blog")
    releases.gone("blog")
    assert releases.stored("blog") == {1: "superseded", 2: "uninstalled"}
    assert releases.data("blog") is None
    status = json.loads(releases.helm("status", "blog", "-o", "json"))
    assert status["info"]["status"] == "uninstalled"
    releases.create("blog")
    release = releases.settled("blog", revision=3)
    assert release["status"]["history"][0]["action"] == "install"


def test_what_the_chart_says_to_keep_is_kept_and_delete_hooks_run_and_go(releases):
    releases.create("blog", chart="careful")
    releases.settled("blog", revision=1)
    releases.delete("blog")
    releases.gone("blog")
    assert releases.left_over() == ["configmap/blog-kept"]


def test_deletion_needs_neither_repository_nor_right_values(releases, repository):
    releases.create("blog")
    releases.settled("blog", revision=1)
    repository.archives.clear()
    deep = {"a": 1}
    for _ in range(70):
        deep = {"a": deep}
    releases.edit("blog", values=deep, chart={"version": ">=9"})
    releases.refused("blog", "ValuesTooDeep")
    releases.delete("blog")
    releases.gone("blog")
    assert releases.left_over() == []


@pytest.mark.parametrize("begun", ["install", "upgrade"])
def test_deletion_ends_what_is_under_way(releases, begun):
    if begun == "upgrade":
        releases.create("web", chart="app")
        releases.settled("web", revision=1)
        releases.edit("web", values=HANGS)
    else:
        releases.create("web", chart="app", values=HANGS)
    releases.until("web", lambda release: is_true(release, "Reconciling"))
    releases.delete("web")
    releases.gone("web")
    assert releases.stored("web") == {}
    eventually(lambda: releases.left_over() == [], f"left: {releases.left_over()}")


def test_a_helmrelease_that_released_nothing_leaves_a_release_of_the_helm_command_alone(
    releases, repository
):
    releases.helm("install", "blog", "settings", "--repo", repository.url)
    before = releases.api.request("GET", releases.core("configmaps", "blog"))
    releases.create("blog", chart="unheard-of")
    releases.refused("blog", "ChartUnavailable")
    releases.delete("blog")
    releases.gone("blog")
    assert releases.api.request("GET", releases.core("configmaps", "blog")) == before
    assert releases.stored("blog") == {1: "deployed"}


def test_a_namespace_that_is_deleted_goes_within_a_minute(releases):
    for name, chart in (("blog", "careful"), ("web", "app")):
        releases.create(name, chart=chart)
        releases.settled(name, revision=1)
    releases.create("waiting", chart="app", values=HANGS)
    releases.until("waiting", lambda release: is_true(release, "Reconciling"))
    namespace = f"/api/v1/namespaces/{releases.namespace}"
    releases.api.request("DELETE", namespace)
    eventually(lambda: releases.find(namespace) is None, "the namespace is still there", 60)


def test_a_target_namespace_that_is_deleted_does_not_hold_the_helmrelease(releases, control_plane):
    target = f"{releases.namespace}-target"
    releases.create("blog", chart="careful", targetNamespace=target, createNamespace=True)
    releases.settled("blog", revision=1)
    control_plane.kubectl("delete", "namespace", target)
    releases.delete("blog")
    releases.gone("blog")


def test_nothing_is_touched_when_the_operator_stops(releases, operator):
    releases.create("web", chart="app")
    releases.settled("web", revision=1)
    before = _versions(releases)
    operator.stop()
    time.sleep(1)
    assert _versions(releases) == before
    operator.start()
    releases.answered("web")
    assert {name: version for name, version in _versions(releases).items() if name in before} == (
        before
    )


def test_nothing_is_touched_when_our_definition_is_deleted(own_cluster, repository):
    cluster = own_cluster()
    prepare(cluster)
    running = RunningOperator(cluster).start()
    cluster.kubectl("create", "namespace", "blogs")
    releases = LiveReleases(cluster, "blogs", repository.url)
    releases.create("web", chart="app")
    releases.create("blog", chart="careful")
    releases.create("held", chart="settings", serviceAccountName="missing")
    for name in ("web", "blog"):
        releases.settled(name, revision=1)
    before = _versions(releases)
    # Returns when the definition is gone, so every finalizer has come off.
    cluster.kubectl("delete", "crd", "helmreleases.whipstaff.dev", "--timeout=40s")
    assert _versions(releases) == before
    assert releases.stored("web") == releases.stored("blog") == {1: "deployed"}
    # Once it is back, what is asked for is taken up where it stands.
    prepare(cluster)
    eventually(lambda: _served(cluster), "the definition is not served")
    releases.create("web", chart="app")
    release = releases.settled("web", revision=1, seconds=60)
    assert condition(release, "Ready")["reason"] == "InstallSucceeded"
    running.stop()


def _served(cluster):
    asked = ("api-resources", "--api-group=whipstaff.dev", "--cached=false", "--output=name")
    return "helmreleases" in cluster.run("kubectl", *asked, check=False).stdout


def _versions(releases):
    """Give name -> resource version of what a release brings: unchanged means untouched."""
    listed = releases.control_plane.kubectl(
        *("get", "deployments,replicasets,pods,configmaps,secrets", "-n", releases.namespace),
        *("-o", "json"),
    )
    return {
        f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for item in json.loads(listed)["items"]
    }
