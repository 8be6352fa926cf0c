"""Fields that no other test on the control plane writes or reads; see test_fields_on_a_cluster.py.

Most of what they do is told by tests elsewhere, for the same field of another block.
"""

import base64

import pytest

from tests.builders.atomic_releases import NAME, AtomicReleases, atomic_chart, history
from tests.builders.live_releases import condition, eventually
from tests.builders.small_charts import CONFIG_MAP, HANGS, a_packed_chart, app_chart, settings_chart
from tools.controlplane.client import Refused

SCHEMA = '{"type": "object", "properties": {"text": {"type": "string"}}}'
OTHER = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-other
  labels: {tier: back}
  annotations: {who: me}
"""
HOOK = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-hook
  annotations: {helm.sh/hook: "pre-install,pre-upgrade"}
"""
HOLDS_ON = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  finalizers: [example.dev/held]
"""
SOME_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: a
contexts: [{name: a, context: {cluster: a, user: a}}]
clusters: [{name: a, cluster: {server: "https://cluster.example.com"}}]
users: [{name: a, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh}}}]
"""


@pytest.fixture(autouse=True)
def _published(repository):
    repository.add(settings_chart("1.1.0"))
    repository.add(app_chart())
    values = "text: plain\n"
    repository.add(a_packed_chart("two", values=values, a=CONFIG_MAP, b=OTHER, hook=HOOK))
    repository.add(a_packed_chart("strict", values=values, a=CONFIG_MAP, schema=SCHEMA))
    repository.add(a_packed_chart("odd", values=values, a=CONFIG_MAP + "nonsense: true\n"))
    repository.add(a_packed_chart("holds-on", values=values, a=HOLDS_ON))
    repository.add(atomic_chart())


def marks(releases, name):
    return releases.api.request("GET", releases.core("configmaps", name))["metadata"]


# spec


@pytest.mark.parametrize(
    "target",
    [
        pytest.param({"kind": "ConfigMap", "labelSelector": "tier=back"}, id="labels"),
        pytest.param({"kind": "ConfigMap", "annotationSelector": "who=me"}, id="annotations"),
        pytest.param({"version": "v1", "name": "shop-other"}, id="version and name"),
        pytest.param({"group": "", "name": ".*-other", "namespace": ".*"}, id="patterns"),
    ],
)
def test_a_patch_goes_to_its_target_alone(releases, target):
    patches = [{"target": target, "patch": "data: {patched: one}"}]
    releases.create("shop", "two", postRenderers=[{"kustomize": {"patches": patches}}])
    release = releases.settled("shop", revision=1)
    assert releases.data("shop-other") == {"patched": "one"}
    assert "patched" not in releases.data("shop")
    assert release["status"]["observedPostRenderersDigest"]


@pytest.mark.parametrize(
    ("strategy", "marked"), [("combined", True), ("separate", True), ("nohooks", False)]
)
def test_hooks_are_patched_as_the_strategy_says(releases, strategy, marked):
    common = {"annotations": {"team": "a"}}
    releases.create("shop", "two", postRenderStrategy=strategy, commonMetadata=common)
    releases.settled("shop", revision=1)
    assert marks(releases, "shop")["annotations"]["team"] == "a"
    assert ("team" in marks(releases, "shop-hook")["annotations"]) is marked


def test_an_expression_says_what_has_failed_and_what_has_not_yet(releases):
    check = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "inProgress": "data.text == 'early'",
        "failed": "data.text == 'bad' || data.text == 'early'",
        "current": "data.text == 'good'",
    }
    releases.create("shop", values={"text": "bad"}, healthCheckExprs=[check])
    message = releases.refused("shop", "InstallFailed")["message"]
    assert "failed expression" in message
    releases.edit("shop", values={"text": "early"})
    seen = releases.until("shop", lambda release: release["status"].get("unready"))
    assert "inProgress expression" in seen["status"]["unready"][0]["cause"]
    releases.edit("shop", values={"text": "good"})
    releases.settled("shop")


@pytest.mark.parametrize("name", ["poller", "legacy"])
def test_a_deployment_is_waited_for_by_either_strategy(releases, name):
    waits = {"waitStrategy": {"name": name}, "timeout": "2s"}
    releases.create("web", "app", values=HANGS, **waits)
    assert "Deployment" in releases.refused("web", "InstallFailed")["message"]
    releases.edit("web", values=None, timeout=None)
    releases.settled("web")


def test_a_schema_counts_unless_a_block_says_otherwise(releases):
    releases.create("shop", "strict", values={"text": 1})
    releases.refused("shop", "ValuesSchemaViolation")
    releases.edit("shop", install={"disableSchemaValidation": True})
    releases.settled("shop", revision=1)
    releases.edit("shop", values={"text": 2})
    releases.refused("shop", "ValuesSchemaViolation")
    releases.edit("shop", upgrade={"disableSchemaValidation": True})
    releases.settled("shop", revision=2)
    assert releases.data("shop")["text"] == "2"


def test_unknown_fields_are_left_out_of_upgrades_and_rollbacks_that_say_so(releases):
    dropped = {"disableOpenAPIValidation": True}
    releases.create("shop", "odd", install=dropped)
    releases.settled("shop", revision=1)
    releases.edit("shop", values={"text": "second"})
    assert "nonsense" in releases.refused("shop", "BadRequest")["message"]
    releases.edit("shop", upgrade=dropped)
    releases.settled("shop", revision=2)
    releases.edit("shop", revision=1)
    assert "nonsense" in releases.refused("shop", "BadRequest")["message"]
    releases.edit("shop", rollback=dropped)
    releases.settled("shop", revision=3)
    assert releases.data("shop")["text"] == "plain"


def test_objects_of_nobody_are_taken_by_upgrades_and_rollbacks_that_say_so(releases):
    taken = {"disableTakeOwnership": False}
    releases.create("shop", values={"text": "first"})
    releases.settled("shop", revision=1)
    releases.edit("shop", chart={"name": "two"}, values={"text": "second"})
    releases.settled("shop", revision=2)
    releases.edit("shop", revision=1)
    releases.settled("shop", revision=3)
    releases.control_plane.kubectl("create", "configmap", "shop-other", "-n", releases.namespace)
    releases.edit("shop", revision=2)
    assert "ownership" in releases.refused("shop", "ReleaseConflict")["message"]
    releases.edit("shop", rollback=taken)
    releases.settled("shop", revision=4)
    releases.edit("shop", revision=1)
    releases.settled("shop", revision=5)
    releases.control_plane.kubectl("create", "configmap", "shop-other", "-n", releases.namespace)
    releases.edit("shop", revision=None)
    assert "ownership" in releases.refused("shop", "ReleaseConflict")["message"]
    releases.edit("shop", upgrade=taken)
    releases.settled("shop", revision=6)
    assert marks(releases, "shop-other")["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def test_a_rollback_has_a_time_of_its_own_and_may_clean_up(releases, repository):
    values = "text: plain\nreplicas: 1\npodAnnotations: {}\n"
    from_app = {"a": CONFIG_MAP, "b": OTHER}
    repository.add(app_chart(name="web"))
    repository.add(a_packed_chart("web", "2.0.0", values, **from_app))
    off = {"disableWait": True}
    rollback = {"timeout": "2s", "cleanupOnFail": True}
    releases.create(
        "x", "web", version="1.0.0", values=HANGS, install=off, upgrade=off, rollback=rollback
    )
    releases.settled("x", revision=1)
    releases.edit("x", chart={"version": "2.0.0"})
    releases.settled("x", revision=2)
    releases.edit("x", revision=1)
    assert "timed out after 2s" in releases.refused("x", "RollbackFailed")["message"]
    deployments = f"/apis/apps/v1/namespaces/{releases.namespace}/deployments"

    def cleaned():
        return releases.find(f"{deployments}/x") is None

    releases.until("x", lambda release: condition(release, "Stalled")["status"] == "True")
    eventually(cleaned, "what the rollback brought is still there")


def test_an_uninstall_has_a_time_of_its_own_and_need_not_wait(releases):
    releases.create("x", "holds-on", uninstall={"timeout": "1s"})
    releases.settled("x", revision=1)
    releases.delete("x")
    ready = condition(
        releases.until("x", lambda one: "timed out" in condition(one, "Ready")["message"]), "Ready"
    )
    assert "ConfigMap" in ready["message"]
    assert "held by example.dev/held" in ready["message"]
    assert f"whipstaff uninstall x -n {releases.namespace} --wait=hookOnly" in ready["message"]
    releases.edit("x", uninstall={"disableWait": True})
    releases.gone("x")
    held = releases.core("configmaps", "x")
    assert releases.find(held)["metadata"]["deletionTimestamp"]
    releases.api.request("PATCH", held, {"metadata": {"finalizers": None}})


def test_the_kubeconfig_is_under_the_key_that_is_named(releases):
    data = {"other": base64.b64encode(SOME_KUBECONFIG.encode()).decode()}
    releases.api.request(
        "POST", releases.core("secrets"), {"metadata": {"name": "there"}, "data": data}
    )
    releases.create("x", kubeConfig={"secretRef": {"name": "there", "key": "missing"}})
    assert "missing" in releases.refused("x", "KubeConfigInvalid")["message"]
    releases.create("y", kubeConfig={"secretRef": {"name": "there", "key": "other"}})
    releases.refused("y", "KubeConfigForbidden")
    with pytest.raises(Refused, match="tokens of cloud providers"):
        releases.create("z", kubeConfig={"configMapRef": {"name": "aws"}})
    releases.edit("x", uninstall={"deletionPolicy": "Orphan"})
    for name in ("x", "y"):
        releases.delete(name)


def test_a_failed_upgrade_is_retried_for_ever_where_nothing_is_to_be_undone(releases):
    x = AtomicReleases(releases)
    x.create(upgrade={"strategy": {"name": "RetryOnFailure", "retryInterval": "1s"}})
    x.runs(1)
    x.value(text="second", fails="pre-upgrade")

    def often(release):
        newest = history(release)[0]
        return newest["revision"] >= 6 and condition(release, "Stalled")["status"] == ""

    x.live.until(NAME, often)
    x.value(fails=None)
    x.live.settled(NAME)
    x.agree()


# status


def test_status_says_what_was_tried_by_digests(releases):
    x = AtomicReleases(releases)
    x.create(upgrade={"remediation": {"remediateLastFailure": True}}, test={"enable": True})
    first = x.runs(1)["status"]
    assert first["history"][0]["valuesDigest"].startswith("sha256:")
    assert first["lastAttemptedInputs"].startswith("v1.")
    [test] = first["tests"]
    assert test["started"] <= test["completed"]
    # What renders to the same is known to be the same, and makes no revision.
    x.edit(commonMetadata={"labels": {}}, values={"unused": 1})
    same = x.live.until(NAME, lambda one: one["status"].get("observedInputs"))["status"]
    assert same["observedInputs"] != first["lastAttemptedInputs"]
    assert same["revision"] == 1
    x.value(text="second", fails="pre-upgrade")
    status = x.stalled({1: "superseded", 2: "failed", 3: "deployed"})["status"]
    assert status["rejected"]["inputs"] not in ("", first["lastAttemptedInputs"])
    assert status["rejected"]["chart"] == "atomic"
    failed = status["history"][1]
    assert failed["valuesDigest"] not in ("", first["history"][0]["valuesDigest"])


def test_status_sums_up_the_plan_that_waits(releases):
    releases.create("blog", approval="Manual")
    plan = releases.until("blog", lambda one: one["status"].get("plan"))["status"]["plan"]
    assert (plan["action"], plan["revision"], plan["chart"]) == ("install", 1, "settings")
    assert (plan["create"], plan["hooks"], "recreate" in plan) == (1, 1, False)
    assert plan["inputs"].startswith("v1.")
    assert "1 to create" in plan["summary"]
