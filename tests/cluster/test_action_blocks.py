"""Each field of install, upgrade, rollback and uninstall does what it says.

Elsewhere: hooks (test_hooks.py), waiting and time-outs (test_lifecycle.py), crds
(test_definitions.py), deletionPolicy and keepHistory (test_deletion.py).
"""

import pytest

from tests.builders.live_releases import condition, eventually
from tests.builders.small_charts import CONFIG_MAP, DEPLOYMENT, HANGS, a_packed_chart
from tools.controlplane.client import Refused

VALUES = "text: plain\nreplicas: 1\npodAnnotations: {}\n"
JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-{{ .Release.Revision }}
spec:
  template:
    metadata:
      annotations: {pods.whipstaff.dev/outcome: {{ .Values.outcome | quote }}}
    spec:
      restartPolicy: Never
      containers: [{name: job, image: busybox}]
  backoffLimit: 0
"""
EXTRA = """\
{{ if .Values.extra }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-extra
{{ end }}
"""
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .Release.Name }}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  ports: [{port: 80}]
"""
UNKNOWN_FIELD = CONFIG_MAP + "nonsense: true\n"
SHORT = "2s"


@pytest.fixture
def charts(repository):
    repository.add(a_packed_chart("settings", values=VALUES, settings=CONFIG_MAP))
    repository.add(a_packed_chart("odd", values=VALUES, settings=UNKNOWN_FIELD))
    repository.add(a_packed_chart("job", values="outcome: succeeds\n", job=JOB))
    templates = {"settings": CONFIG_MAP, "app": DEPLOYMENT, "extra": EXTRA}
    repository.add(a_packed_chart("app", values=f"{VALUES}extra: false\n", **templates))


@pytest.fixture
def releases(releases, charts):
    return releases


def failed(releases, name):
    """Wait until a revision has failed; give its description."""

    def over(release):
        return release["status"].get("history", [{}])[0].get("status") == "failed"

    return releases.until(name, over)["status"]["history"][0]["description"]


def test_jobs_are_waited_for_until_they_are_complete(releases):
    releases.create("x", "job", values={"outcome": "hangs"}, timeout=SHORT)
    text = failed(releases, "x")
    assert f"Job {releases.namespace}/x-1: the Job is running: 0 of 1 Pods succeeded" in text


def test_jobs_that_have_started_are_enough_where_the_wait_for_jobs_is_disabled(releases):
    off = {"disableWaitForJobs": True}
    releases.create("x", "job", values={"outcome": "hangs"}, timeout=SHORT, install=off)
    releases.settled("x", 1)


def test_an_object_of_nobody_is_refused_unless_it_may_be_taken_over(releases):
    releases.control_plane.kubectl("create", "configmap", "x", "-n", releases.namespace)
    releases.create("x")
    assert "invalid ownership metadata" in releases.refused("x", "ReleaseConflict")["message"]
    releases.edit("x", install={"disableTakeOwnership": False})
    releases.settled("x", 1)
    assert releases.data("x")["text"] == "plain"
    releases.delete("x")
    releases.gone("x")
    assert releases.data("x") is None


def test_force_leaves_nothing_that_others_set(releases):
    releases.create("x")
    releases.settled("x", 1)
    patch = {"data": {"theirs": "yes"}}
    releases.api.request("PATCH", releases.core("configmaps", "x"), patch)
    releases.edit("x", values={"text": "second"})
    releases.settled("x", 2)
    assert releases.data("x") == {"text": "second", "chart": "1.0.0", "theirs": "yes"}
    releases.edit("x", values={"text": "third"}, upgrade={"force": True})
    releases.settled("x", 3)
    assert releases.data("x") == {"text": "third", "chart": "1.0.0"}
    releases.api.request("PATCH", releases.core("configmaps", "x"), patch)
    releases.edit("x", revision=2, rollback={"force": True})
    releases.settled("x", 4)
    assert releases.data("x") == {"text": "second", "chart": "1.0.0"}


def test_force_spares_what_cannot_be_taken_away(releases, repository):
    templates = {"settings": CONFIG_MAP, "claim": CLAIM, "service": SERVICE}
    repository.add(a_packed_chart("stateful", values=VALUES, **templates))
    releases.create("x", "stateful", upgrade={"force": True})
    releases.settled("x", 1)
    service = releases.core("services", "x")
    address = releases.api.request("GET", service)["spec"]["clusterIP"]
    releases.edit("x", values={"text": "second"})
    releases.settled("x", 2)
    assert releases.data("x")["text"] == "second"
    assert releases.api.request("GET", service)["spec"]["clusterIP"] == address
    claim = releases.api.request("GET", releases.core("persistentvolumeclaims", "x"))
    assert claim["status"]["phase"] == "Bound"


@pytest.mark.parametrize(
    "cleaned", [pytest.param(True, id="asked"), pytest.param(False, id="not asked")]
)
def test_what_a_failed_upgrade_brought_is_deleted_if_that_is_asked(releases, cleaned):
    upgrade = {"cleanupOnFail": cleaned, "remediation": {}}
    releases.create("x", "app", timeout=SHORT, upgrade=upgrade)
    releases.settled("x", 1)
    releases.edit("x", values={"extra": True, "text": "second", **HANGS})
    failed(releases, "x")
    assert (releases.data("x-extra") is None) is cleaned
    assert releases.data("x")["text"] == "second"


def test_values_that_run_are_preserved_where_that_is_asked(releases):
    releases.create("x", "app", values={"text": "first"})
    releases.settled("x", 1)
    releases.edit("x", values={"text": None, "extra": True}, upgrade={"preserveValues": True})
    releases.settled("x", 2)
    assert releases.data("x")["text"] == "first"
    assert releases.payload("x", 2)["config"] == {"text": "first", "extra": True}
    releases.answered("x")
    assert max(releases.stored("x")) == 2  # what is kept is no change
    releases.edit("x", upgrade={"preserveValues": None})
    eventually(lambda: releases.data("x")["text"] == "plain", "the old value stays")


def test_values_that_the_helm_command_gave_are_preserved(releases):
    releases.create("x", upgrade={"preserveValues": True})
    releases.settled("x", 1)
    source = ("--repo", releases.repository_url)
    releases.helm("upgrade", "x", "settings", *source, "--set", "text=by-hand")
    releases.answered("x")
    adopted = releases.settled("x", 2)
    assert adopted["status"]["history"][0]["trigger"] == "outside"
    assert releases.data("x")["text"] == "by-hand"


def test_a_field_that_the_server_does_not_know_is_refused_or_left_out(releases):
    releases.create("x", "odd")
    ready = releases.until("x", lambda release: condition(release, "Ready")["status"] == "False")
    assert "nonsense" in condition(ready, "Ready")["message"]
    releases.edit("x", install={"disableOpenAPIValidation": True})
    releases.settled("x", 1)
    assert releases.data("x")["text"] == "plain"


def test_dependents_stay_where_an_uninstall_orphans_them(releases):
    releases.create("x", "app", uninstall={"deletionPropagation": "orphan"})
    releases.settled("x", 1)
    releases.delete("x")
    releases.gone("x")
    left = releases.left_over()
    assert [name for name in left if name.startswith("replicaset")]
    assert not [name for name in left if name.startswith("deployment")]


def test_a_foreground_uninstall_ends_once_dependents_are_gone(releases):
    releases.create("x", "app", uninstall={"deletionPropagation": "foreground"})
    releases.settled("x", 1)
    releases.delete("x")
    releases.gone("x")
    assert releases.left_over() == []


def test_a_rollback_has_options_of_its_own(releases):
    off = {"disableWait": True}
    releases.create("x", "app", values=HANGS, timeout=SHORT, install=off, upgrade=off)
    releases.settled("x", 1)
    releases.edit("x", values={"text": "second"})
    releases.settled("x", 2)
    releases.edit("x", revision=1)
    assert "timed out after 2s" in failed(releases, "x")
    releases.edit("x", rollback=off)
    releases.ask("x")
    releases.settled("x")
    assert releases.data("x")["text"] == "plain"


def test_the_namespace_is_created_by_fluxs_field_too(releases):
    name = f"{releases.namespace}-made"
    releases.create("x", targetNamespace=name, releaseName="x", install={"createNamespace": True})
    releases.settled("x", 1)
    assert releases.data("x", name)["text"] == "plain"
    releases.control_plane.kubectl("delete", "namespace", name, "--wait=false")


def test_a_name_whose_history_was_kept_is_used_again_unless_that_is_off(releases):
    releases.create("x", uninstall={"keepHistory": True}, install={"replace": False})
    releases.settled("x", 1)
    releases.delete("x")
    releases.gone("x")
    assert releases.stored("x") == {1: "uninstalled"}
    releases.create("x", install={"replace": False})
    ready = releases.refused("x", "ReleaseConflict")
    assert "install.replace" in ready["message"]
    releases.edit("x", install=None)
    releases.settled("x", 2)


@pytest.mark.parametrize(
    ("spec", "instead"),
    [
        pytest.param({"install": {"skipCRDs": True}}, "say install.crds: Skip", id="skipCRDs"),
        pytest.param({"rollback": {"recreate": True}}, "say rollback.force: true", id="recreate"),
        pytest.param({"chartRef": {"kind": "OCIRepository"}}, "say chart.sourceRef", id="chartRef"),
        pytest.param({"install": {"serverSideApply": False}}, "always applied", id="install"),
        pytest.param({"upgrade": {"serverSideApply": "disabled"}}, "always applied", id="upgrade"),
        pytest.param({"rollback": {"serverSideApply": "disabled"}}, "always appl", id="rollback"),
        pytest.param(
            {"upgrade": {"chartNameChangeStrategy": "Reinstall"}},
            "nothing is uninstalled for a name",
            id="chartNameChangeStrategy",
        ),
        pytest.param(
            {"upgrade": {"remediation": {"retries": -2}}}, "greater than or equal to -1", id="-2"
        ),
    ],
)
def test_what_is_not_read_is_refused_at_once_with_what_to_say_instead(releases, spec, instead):
    with pytest.raises(Refused, match=instead):
        releases.create("x", **spec)


def test_the_chart_is_not_named_as_in_flux(releases):
    releases.create("x")
    with pytest.raises(Refused, match=r"say chart\.name, chart\.version"):
        releases.edit("x", chart={"spec": {"chart": "settings"}})


def test_what_flux_is_asked_for_and_is_done_anyway_is_let_through(releases):
    releases.create(
        "x",
        persistentClient=False,
        install={"serverSideApply": True},
        upgrade={"serverSideApply": "auto", "chartNameChangeStrategy": "InPlaceUpdate"},
        rollback={"serverSideApply": "enabled"},
    )
    releases.settled("x", 1)
