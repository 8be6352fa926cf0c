"""What an upgrade and an uninstallation delete, and what they leave."""

import json

import pytest

from tests.builders.live_releases import eventually
from tests.builders.ordered_charts import JOB, an_object, documents
from tests.builders.small_charts import DEPLOYMENT, HANGS, a_packed_chart
from tests.builders.two_lives import NAME, WAIT, HelmLife, OurLife

FIRST, SECOND, THIRD = "1.0.0", "1.1.0", "1.2.0"
OWNER = "meta.helm.sh/release-name"


def parts_chart(version, *names, name="parts", **policies):
    """Pack a chart of ConfigMaps of these names; `policies` are resource policies by name."""
    maps = [
        an_object("v1", "ConfigMap", "data: {version: {{ .Chart.Version }}}", each,
                  **({"resource_policy": policies[each]} if each in policies else {}))
        for each in names
    ]  # fmt: skip
    return a_packed_chart(name, version, objects=documents(*maps))


def test_what_a_chart_says_to_keep_outlives_its_upgrade_and_its_release(releases, repository):
    repository.add(parts_chart(FIRST, "stays", "goes", "main", stays="keep"))
    repository.add(parts_chart(SECOND, "main", "kept", kept=" Keep "))
    releases.create(NAME, "parts", FIRST)
    releases.settled(NAME, 1)
    releases.choose(NAME, SECOND)
    releases.settled(NAME, 2)
    assert releases.data("goes") is None
    assert releases.data("stays") == {"version": FIRST}
    releases.delete(NAME)
    releases.gone(NAME)
    assert releases.left_over() == ["configmap/kept", "configmap/stays"]


def test_helm_keeps_the_same(operator, namespace, repository):
    repository.add(parts_chart(FIRST, "stays", "goes", "main", stays="keep"))
    repository.add(parts_chart(SECOND, "main", "kept", kept=" Keep "))
    helms = HelmLife(operator.cluster, namespace, repository)
    helms.stage("all", "install", NAME, "parts", "--version", FIRST, *helms.source, *WAIT)
    helms.stage("all", "upgrade", NAME, "parts", "--version", SECOND, *helms.source, *WAIT)
    helms.stage("all", "uninstall", NAME, *WAIT)
    names = operator.cluster.kubectl("get", "configmaps", "-n", namespace, "-o", "name").split()
    assert names == ["configmap/kept", "configmap/kube-root-ca.crt", "configmap/stays"]


def test_a_live_object_that_someone_wants_kept_is_kept(releases, repository):
    repository.add(parts_chart(FIRST, "dropped", "main"))
    repository.add(parts_chart(SECOND, "main"))
    releases.create(NAME, "parts", FIRST)
    releases.settled(NAME, 1)
    for name in ("dropped", "main"):
        annotate(releases, name, "helm.sh/resource-policy", "keep")
    releases.choose(NAME, SECOND)
    releases.settled(NAME, 2)
    assert releases.data("dropped") == {"version": FIRST}
    releases.delete(NAME)
    releases.gone(NAME)
    assert releases.data("main") == {"version": SECOND}


def test_a_dropped_object_goes_only_once_the_new_ones_are_ready(releases, repository):
    dropped = an_object("v1", "ConfigMap", name="dropped")
    values = "replicas: 1\npodAnnotations: {}\n"
    repository.add(a_packed_chart("app", FIRST, values, web=DEPLOYMENT, dropped=dropped))
    repository.add(a_packed_chart("app", SECOND, values, web=DEPLOYMENT))
    releases.create(NAME, "app", FIRST)
    releases.settled(NAME, 1)
    releases.edit(NAME, chart={"version": SECOND}, values=HANGS)
    releases.until(NAME, lambda release: release["status"].get("unready"))
    assert releases.data("dropped") is not None
    releases.edit(NAME, values=None)
    releases.settled(NAME)
    assert releases.data("dropped") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param(OWNER, "another", id="another release"),
        pytest.param(OWNER, None, id="nobody"),
        pytest.param("meta.helm.sh/release-namespace", "elsewhere", id="one elsewhere"),
    ],
)
def test_what_belongs_to_someone_else_by_now_is_not_deleted(releases, repository, key, value):
    repository.add(parts_chart(FIRST, "dropped", "main"))
    repository.add(parts_chart(SECOND, "main"))
    releases.create(NAME, "parts", FIRST)
    releases.settled(NAME, 1)
    annotate(releases, "dropped", key, value)
    releases.choose(NAME, SECOND)
    releases.settled(NAME, 2)
    annotate(releases, "main", key, value)
    releases.delete(NAME)
    releases.gone(NAME)
    assert releases.left_over() == ["configmap/dropped", "configmap/main"]


def test_what_a_failed_revision_brought_goes_with_the_next_good_one(releases, repository):
    values = "replicas: 1\npodAnnotations: {}\n"
    extra = an_object("v1", "ConfigMap", name="extra")
    repository.add(a_packed_chart("app", FIRST, values, web=DEPLOYMENT))
    repository.add(a_packed_chart("app", SECOND, values, web=DEPLOYMENT, extra=extra))
    repository.add(a_packed_chart("app", THIRD, values, web=DEPLOYMENT, other=extra.replace(
        "extra", "other"
    )))  # fmt: skip
    releases.create(NAME, "app", FIRST)
    releases.settled(NAME, 1)
    releases.edit(NAME, chart={"version": SECOND}, values=HANGS, upgrade={"timeout": "1s"})
    releases.until(NAME, lambda _: releases.stored(NAME).get(2) == "failed")
    assert releases.data("extra") is not None
    releases.edit(NAME, chart={"version": THIRD}, values=None, upgrade=None)
    releases.settled(NAME)
    assert releases.data("extra") is None
    assert releases.data("other") is not None


def test_uninstalling_after_a_failure_leaves_nothing_of_it(releases, repository):
    values = "replicas: 1\npodAnnotations: {}\n"
    extra = an_object("v1", "ConfigMap", name="extra")
    dropped = an_object("v1", "ConfigMap", name="dropped")
    repository.add(a_packed_chart("app", FIRST, values, web=DEPLOYMENT, dropped=dropped))
    repository.add(a_packed_chart("app", SECOND, values, web=DEPLOYMENT, extra=extra))
    releases.create(NAME, "app", FIRST)
    releases.settled(NAME, 1)
    releases.edit(NAME, chart={"version": SECOND}, values=HANGS, upgrade={"timeout": "1s"})
    releases.until(NAME, lambda _: releases.stored(NAME).get(2) == "failed")
    releases.delete(NAME)
    releases.gone(NAME)
    eventually(lambda: releases.left_over() == [], "something is left")


def test_an_object_that_only_changes_its_version_is_not_deleted(operator, namespace, repository):
    target = "{apiVersion: apps/v1, kind: Deployment, name: none}"
    spec = f"spec: {{maxReplicas: 2, scaleTargetRef: {target}}}"
    for version, api in ((FIRST, "autoscaling/v1"), (SECOND, "autoscaling/v2")):
        scaler = an_object(api, "HorizontalPodAutoscaler", spec)
        repository.add(a_packed_chart("scaled", version, scaler=scaler))
    our = OurLife(operator.cluster, namespace, repository)
    our.stage("install", lambda x: (x.create(NAME, "scaled", FIRST), x.settled(NAME, 1)))
    our.stage("upgrade", lambda x: (x.choose(NAME, SECOND), x.settled(NAME, 2)))
    assert our.life.verbs("upgrade", "object") == ["create"]


def test_a_job_of_the_manifest_is_waited_for_until_it_has_started(releases, repository):
    repository.add(a_packed_chart("worker", job=an_object("batch/v1", "Job", f"spec: {JOB}")))
    releases.create(NAME, "worker")
    releases.settled(NAME, 1)


def test_notes_are_what_helm_shows(releases, repository):
    notes = "Release {{ .Release.Name }}, revision {{ .Release.Revision }}.\n\n  Have fun!\n"
    repository.add(a_packed_chart("noted", notes=notes, object=an_object("v1", "ConfigMap")))
    releases.create(NAME, "noted")
    releases.settled(NAME, 1)
    shown = releases.helm("get", "notes", NAME)
    assert shown == "NOTES:\nRelease x, revision 1.\n\n  Have fun!\n\n"
    source = ("noted", "--repo", repository.url)
    told = json.loads(releases.helm("install", NAME, *source, "--dry-run", "-o", "json"))
    assert releases.payload(NAME, 1)["info"]["notes"] == told["info"]["notes"]


def annotate(releases, name, key, value):
    body = {"metadata": {"annotations": {key: value}}}
    releases.api.request("PATCH", releases.core("configmaps", name), body)
