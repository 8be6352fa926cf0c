"""What somebody else changes in the objects of a release is found at once and put right."""

import base64
import json
import time

import pytest

from tests.builders.live_releases import LiveReleases, condition, eventually, is_true
from tests.builders.permissions import EVERYTHING, an_account
from tests.builders.small_charts import a_packed_chart, app_chart, settings_chart
from tools.controlplane import audit
from tools.running_operator import ACCOUNT, NAMESPACE, RunningOperator, prepare
from whipstaff.helmrelease.drift_detection import OPT_OUTS

OPERATOR = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
ENABLED, WARN = {"mode": "enabled"}, {"mode": "warn"}
MANAGED_BY = "app.kubernetes.io/managed-by"
PASSES_SECONDS = 3.5  # of releases that are looked at each second
CERTIFICATE = base64.b64encode(b"of an injector").decode()
BUSYBOX = [{"name": "web", "image": "busybox"}]
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
data: {packed: YQ==}
stringData: {plain: a}
"""
MAPS = 60
MANY = """\
{{- range until 60 }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ $.Release.Name }}-{{ . }}, labels: {many: "yes"}}
{{- end }}
"""
WEBHOOK = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: {{ .Release.Namespace }}-hooked}
webhooks:
  - name: a.whipstaff.test
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Ignore
    timeoutSeconds: 3
    clientConfig: {url: "https://127.0.0.1:1/", caBundle: Cg==}
"""
FIXED = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: fixed, labels: {team: ours}}
immutable: true
data: {text: ours}
"""
OF_ANOTHER = FIXED.replace("ours", "theirs")
AGGREGATED = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: {{ .Release.Namespace }}-sum, labels: {of: many}}
aggregationRule:
  clusterRoleSelectors: [{matchLabels: {to: {{ .Release.Namespace }}-sum}}]
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: {{ .Release.Namespace }}-part, labels: {to: {{ .Release.Namespace }}-sum}}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
"""
AUTOSCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 3
  maxReplicas: 4
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}
"""


@pytest.fixture(autouse=True)
def _published(repository):
    for version in ("1.0.0", "1.1.0"):
        repository.add(settings_chart(version))
        repository.add(app_chart(version))


@pytest.fixture
def cluster(releases):
    """The objects around the releases, as somebody else changes them."""
    return Objects(releases)


class Objects:
    def __init__(self, releases):
        self.releases = releases

    def kubectl(self, *arguments, **options):
        plane = self.releases.control_plane
        return plane.kubectl(*arguments, "-n", self.releases.namespace, **options)

    def patch(self, what, change):
        self.kubectl("patch", what, "--type=merge", "-p", json.dumps(change))

    def get(self, what):
        return json.loads(self.kubectl("get", what, "-o", "json", "--ignore-not-found") or "{}")


def labels_of(cluster, what):
    return cluster.get(what).get("metadata", {}).get("labels", {})


def corrections(release):
    return sum(each.get("corrections", 0) for each in drift_of(release))


def a_policy(namespace, *operations):
    """Rewrite the key `text` of each ConfigMap of a namespace at such writes."""
    api = "admissionregistration.k8s.io/v1"
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": operations,
        "resources": ["configmaps"],
    }
    here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    mutated = 'Object{data: {"text": "mutated"}}'
    policy = {
        "apiVersion": api,
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": namespace},
        "spec": {
            "matchConstraints": {"resourceRules": [rule], "namespaceSelector": here},
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "mutations": [
                {
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {"expression": mutated},
                }
            ],
        },
    }
    binding = {
        "apiVersion": api,
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": namespace},
        "spec": {"policyName": namespace},
    }
    return {"apiVersion": "v1", "kind": "List", "items": [policy, binding]}


def is_mutated(cluster):
    made = cluster.kubectl(
        *("create", "configmap", "probe", "--from-literal=text=a", "--dry-run=server", "-o", "json")
    )
    return json.loads(made)["data"]["text"] == "mutated"


def drift_of(release):
    return release["status"].get("drift", [])


def corrected(releases, name, *fields):
    """Wait until these fields were put right; return the entry that tells of it."""

    def told(release):
        return any(
            each["standing"] == "Corrected" and each.get("fields", []) == list(fields)
            for each in drift_of(release)
        )

    release = releases.until(name, told)
    return next(each for each in drift_of(release) if each.get("fields", []) == list(fields))


def watched(releases, name, **spec):
    """Install a release and wait until its objects were looked at."""
    releases.create(name, **{"version": "1.0.0", **spec})
    releases.settled(name, 1)
    return releases.until(name, lambda release: condition(release, "Drifted")["status"])


def test_an_edit_is_put_right_and_told_of(releases, cluster):
    first = watched(releases, "blog", driftDetection=ENABLED)
    assert condition(first, "Drifted")["reason"] == "NoDriftDetected"
    cluster.patch("configmap/blog", {"data": {"text": "hacked"}})
    entry = corrected(releases, "blog", "data.text")
    assert releases.data("blog")["text"] == "plain"
    assert entry["managers"] == ["kubectl-patch"]
    assert entry["corrections"] == 1
    assert entry["namespace"] == releases.namespace
    assert entry["since"].endswith("Z")
    release = releases.get("blog")
    drifted = condition(release, "Drifted")
    assert (drifted["status"], drifted["reason"]) == ("False", "DriftCorrected")
    assert "ConfigMap" in drifted["message"]
    assert "kubectl-patch" in drifted["message"]
    assert "hacked" not in json.dumps(release)
    assert is_true(release, "Ready")
    assert releases.stored("blog") == {1: "deployed"}
    eventually(lambda: ("Normal", "DriftCorrected") in releases.events("blog"), "no event")


def test_what_is_deleted_is_made_again(releases, cluster):
    watched(releases, "blog", driftDetection=ENABLED)
    cluster.kubectl("delete", "configmap", "blog", "blog-dropped")
    eventually(lambda: releases.data("blog") and releases.data("blog-dropped") == {}, "not made")
    release = releases.until("blog", lambda release: len(drift_of(release)) == 2)
    assert {each["name"]: each.get("missing") for each in drift_of(release)} == {
        "blog": True,
        "blog-dropped": True,
    }
    assert releases.stored("blog") == {1: "deployed"}


def test_an_object_that_lost_its_label_gets_it_back(releases, cluster):
    watched(releases, "blog", driftDetection=ENABLED)
    cluster.kubectl("label", "configmap", "blog", f"{MANAGED_BY}-")
    eventually(lambda: labels_of(cluster, "configmap/blog").get(MANAGED_BY) == "Helm", "no label")
    releases.until("blog", lambda release: drift_of(release)[0]["standing"] == "Corrected")


def test_fields_that_the_release_does_not_own_are_left_alone(releases, cluster):
    watched(releases, "blog", driftDetection=ENABLED)
    cluster.patch("configmap/blog", {"data": {"mine": "yes"}, "metadata": {"labels": {"my": "a"}}})
    cluster.patch("configmap/blog", {"data": {"text": "hacked"}})
    corrected(releases, "blog", "data.text")
    assert releases.data("blog")["mine"] == "yes"
    assert labels_of(cluster, "configmap/blog")["my"] == "a"


def test_what_a_secret_holds_is_told_nowhere(releases, cluster, repository):
    repository.add(a_packed_chart("keys", secret=SECRET))
    watched(releases, "keys", chart="keys", driftDetection=ENABLED)
    before = cluster.get("secret/keys")["data"]
    cluster.patch("secret/keys", {"stringData": {"plain": "canary-1", "packed": "canary-2"}})
    corrected(releases, "keys", "data.packed", "data.plain")
    assert cluster.get("secret/keys")["data"] == before
    told = json.dumps(releases.get("keys")) + cluster.kubectl("get", "events", "-o", "yaml")
    assert "canary" not in told
    assert base64.b64encode(b"canary-1").decode() not in told


def test_passes_without_drift_write_nothing(releases, cluster, control_plane):
    watched(releases, "blog", interval="1s", driftDetection=ENABLED)
    watched(releases, "web", interval="1s", chart="app", driftDetection=ENABLED)
    cluster.patch("deployment/web", {"spec": {"replicas": 3}})
    corrected(releases, "web", "spec.replicas")
    pods = "status.readyReplicas"
    cluster.kubectl("wait", f"--for=jsonpath={{.{pods}}}=1", "deployment/web", "--timeout=60s")
    eventually(lambda: ("Normal", "DriftCorrected") in releases.events("web"), "no event")
    start = control_plane.audit_log.stat().st_size
    time.sleep(PASSES_SECONDS)
    found = audit.writes(control_plane.audit_log, start, user=OPERATOR)
    assert [each for each in found if each.namespace == releases.namespace] == []


def test_a_correction_wakes_no_second_one(releases, cluster, control_plane):
    watched(releases, "blog", driftDetection=ENABLED)
    start = control_plane.audit_log.stat().st_size
    cluster.patch("configmap/blog", {"data": {"text": "hacked"}})
    corrected(releases, "blog", "data.text")
    releases.create("later")
    releases.settled("later")
    dry_runs = [
        each
        for each in audit.read(control_plane.audit_log, start)
        if each.user == OPERATOR and each.namespace == releases.namespace
        if each.verb == "patch" and each.name.startswith("blog") and each.resource == "configmaps"
    ]
    assert [each.name for each in dry_runs] == ["blog", "blog"]  # one looks, the other corrects


def test_replicas_belong_to_who_scales(releases, cluster):
    watched(releases, "web", chart="app", driftDetection=ENABLED)
    cluster.kubectl("scale", "deployment/web", "--replicas=2")
    cluster.kubectl("label", "deployment/web", f"{MANAGED_BY}=other", "--overwrite")
    corrected(releases, "web", f'metadata.labels["{MANAGED_BY}"]')
    assert cluster.get("deployment/web")["spec"]["replicas"] == 2


def test_replicas_belong_to_a_horizontal_autoscaler(releases, cluster):
    watched(releases, "web", chart="app", driftDetection=ENABLED)
    cluster.kubectl("apply", "-f", "-", stdin=AUTOSCALER)
    scaled = "--for=jsonpath={.spec.replicas}=3"
    cluster.kubectl("wait", scaled, "deployment/web", "--timeout=90s")
    cluster.patch("deployment/web", {"spec": {"replicas": 4, "minReadySeconds": 1}})
    cluster.patch("deployment/web", {"spec": {"template": {"spec": {"containers": BUSYBOX}}}})
    corrected(releases, "web", "spec.template.spec.containers[name=web].image")
    assert cluster.get("deployment/web")["spec"]["replicas"] in (3, 4)


def test_warn_tells_and_changes_nothing(releases, cluster):
    watched(releases, "blog", driftDetection=WARN)
    cluster.patch("configmap/blog", {"data": {"text": "hacked"}})
    release = releases.until("blog", lambda release: is_true(release, "Drifted"))
    assert condition(release, "Drifted")["reason"] == "DriftDetected"
    assert [each["standing"] for each in drift_of(release)] == ["Found"]
    assert is_true(release, "Ready")
    for _ in range(3):
        releases.answered("blog")
    assert releases.data("blog")["text"] == "hacked"
    assert releases.events("blog").count(("Warning", "DriftDetected")) == 1
    cluster.patch("configmap/blog", {"data": {"text": "plain"}})
    release = releases.until("blog", lambda release: not is_true(release, "Drifted"))
    assert condition(release, "Drifted")["reason"] == "NoDriftDetected"
    assert drift_of(release) == []


def test_who_stops_looking_tells_nothing(releases, cluster):
    watched(releases, "blog", driftDetection=WARN)
    cluster.patch("configmap/blog", {"data": {"text": "hacked"}})
    releases.until("blog", lambda release: is_true(release, "Drifted"))
    releases.edit("blog", driftDetection={"mode": "disabled"})
    release = releases.until("blog", lambda release: not condition(release, "Drifted")["status"])
    assert drift_of(release) == []


def test_what_is_ignored_stays_as_others_want_it(releases, cluster):
    rule = {"paths": ["/data/text"], "target": {"kind": "ConfigMap", "name": "bl.*"}}
    watched(releases, "blog", driftDetection={**ENABLED, "ignore": [rule]})
    cluster.patch("configmap/blog", {"data": {"text": "theirs"}})
    cluster.patch("configmap/blog", {"data": {"chart": "theirs"}})
    corrected(releases, "blog", "data.chart")
    assert releases.data("blog")["text"] == "theirs"
    assert releases.data("blog")["chart"] == "1.0.0"


def test_what_is_ignored_may_be_what_cannot_be_put_right(releases, cluster, repository):
    repository.add(a_packed_chart("fixed", fixed=FIXED))
    rule = {"paths": ["/data/text"]}
    watched(releases, "fixed", chart="fixed", driftDetection={**ENABLED, "ignore": [rule]})
    releases.edit("fixed", suspend=True)
    releases.until("fixed", lambda release: "suspended" in condition(release, "Ready")["message"])
    cluster.kubectl("replace", "--force", "-f", "-", stdin=OF_ANOTHER)
    releases.edit("fixed", suspend=False)
    eventually(lambda: labels_of(cluster, "configmap/fixed")["team"] == "ours", "not put right")
    assert cluster.get("configmap/fixed")["data"] == {"text": "theirs"}


def test_a_target_that_cannot_be_read_is_refused(releases):
    rule = {"paths": ["/data"], "target": {"name": "("}}
    releases.create("blog", driftDetection={**ENABLED, "ignore": [rule]})
    message = releases.refused("blog", "InvalidSpec")["message"]
    assert message.startswith("spec.driftDetection.ignore[0].target.name must be")


@pytest.mark.parametrize("name", OPT_OUTS)
def test_an_object_can_be_left_out(releases, cluster, name):
    watched(releases, "blog", driftDetection=ENABLED)
    cluster.kubectl("annotate", "configmap", "blog", f"{name}=disabled")
    cluster.patch("configmap/blog", {"data": {"text": "theirs"}})
    cluster.patch("configmap/blog-dropped", {"metadata": {"labels": {MANAGED_BY: "other"}}})
    corrected(releases, "blog", f'metadata.labels["{MANAGED_BY}"]')
    assert releases.data("blog")["text"] == "theirs"
    cluster.kubectl("annotate", "configmap", "blog", f"{name}-")
    eventually(lambda: releases.data("blog")["text"] == "plain", "not put right")


@pytest.mark.parametrize(
    "operations",
    [
        pytest.param(("CREATE", "UPDATE"), id="each write"),
        pytest.param(("CREATE",), id="what is new"),
    ],
)
def test_what_a_mutating_policy_rewrites_is_no_drift(
    releases, cluster, control_plane, tmp_path, operations
):
    place = releases.namespace
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(a_policy(place, *operations)))
    control_plane.kubectl("apply", "-f", str(file))
    try:
        eventually(lambda: is_mutated(cluster), "the policy has no effect")
        watched(releases, "blog", driftDetection=ENABLED)
        assert releases.data("blog")["text"] == "mutated"
        cluster.patch("configmap/blog", {"data": {"chart": "hacked"}})
        corrected(releases, "blog", "data.chart")
        release = releases.answered("blog")
        assert [each["fields"] for each in drift_of(release)] in ([["data.chart"]], [])
        assert releases.data("blog") == {
            "text": "mutated",
            "chart": "1.0.0",
            "dropped": "by the next version",
        }
    finally:
        control_plane.kubectl("delete", "-f", str(file))


def test_the_rules_of_an_aggregated_role_stay(releases, cluster, repository):
    repository.add(a_packed_chart("sum", roles=AGGREGATED))
    watched(releases, "sum", chart="sum", driftDetection=ENABLED)
    name = f"clusterrole/{releases.namespace}-sum"
    eventually(lambda: cluster.get(name)["rules"], "nothing is aggregated")
    cluster.patch(name, {"metadata": {"labels": {"of": "another"}}})
    corrected(releases, "sum", "metadata.labels.of")
    assert [each["fields"] for each in drift_of(releases.answered("sum"))] in (
        [["metadata.labels.of"]],
        [],
    )
    assert cluster.get(name)["rules"]


def test_an_injected_certificate_stays(releases, cluster, repository):
    repository.add(a_packed_chart("hooked", webhook=WEBHOOK))
    watched(releases, "hooked", chart="hooked", driftDetection=ENABLED)
    name = f"validatingwebhookconfiguration/{releases.namespace}-hooked"
    inject = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": CERTIFICATE}]
    manager = "--field-manager=cert-manager-cainjector"
    cluster.kubectl("patch", name, "--type=json", "-p", json.dumps(inject), manager)
    slow = [{"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 7}]
    cluster.kubectl("patch", name, "--type=json", "-p", json.dumps(slow))
    corrected(releases, "hooked", "webhooks[name=a.whipstaff.test].timeoutSeconds")
    webhook = cluster.get(name)["webhooks"][0]
    assert webhook["clientConfig"]["caBundle"] == CERTIFICATE


def test_a_fight_ends_and_is_told_of(releases, cluster):
    watched(releases, "blog", driftDetection=ENABLED)
    for count in range(1, 6):
        cluster.patch("configmap/blog", {"data": {"text": "hacked"}})
        releases.until("blog", lambda release: corrections(release) == count)  # noqa: B023
    cluster.patch("configmap/blog", {"data": {"text": "hacked"}})
    release = releases.until("blog", lambda release: is_true(release, "Drifted"))
    drifted = condition(release, "Drifted")
    assert drifted["reason"] == "DriftRecurs"
    assert "kubectl-patch" in drifted["message"]
    assert releases.data("blog")["text"] == "hacked"
    events = releases.events("blog")
    assert events.count(("Normal", "DriftCorrected")) == 1
    eventually(lambda: ("Warning", "DriftRecurs") in releases.events("blog"), "no event")
    releases.answered("blog")
    assert releases.data("blog")["text"] == "plain"


def test_what_may_not_be_put_right_is_named(releases, cluster, control_plane):
    rules = [("", ["configmaps", "secrets"], EVERYTHING)]
    an_account(control_plane, releases.namespace, "tenant", *rules)
    watched(releases, "blog", serviceAccountName="tenant", driftDetection=ENABLED)
    less = [{"op": "replace", "path": "/rules/0/verbs", "value": ["get", "list"]}]
    cluster.kubectl("patch", "role", "tenant", "--type=json", "-p", json.dumps(less))
    cluster.patch("configmap/blog", {"data": {"text": "hacked"}})
    release = releases.until("blog", lambda release: is_true(release, "Drifted"))
    assert condition(release, "Drifted")["reason"] == "DriftCorrectionFailed"
    assert "cannot patch" in condition(release, "Drifted")["message"]


def test_what_may_not_be_made_again_is_refused_until_it_may(releases, cluster, control_plane):
    rules = [("", ["configmaps", "secrets"], EVERYTHING)]
    an_account(control_plane, releases.namespace, "tenant", *rules)
    watched(releases, "blog", serviceAccountName="tenant", driftDetection=ENABLED)
    less = [{"op": "replace", "path": "/rules/0/verbs", "value": ["get", "list", "patch"]}]
    cluster.kubectl("patch", "role", "tenant", "--type=json", "-p", json.dumps(less))
    cluster.kubectl("delete", "configmap", "blog")
    release = releases.until("blog", lambda release: is_true(release, "Drifted"))
    [entry] = drift_of(release)
    assert (entry["name"], entry["standing"], entry["missing"]) == ("blog", "Refused", True)
    assert "cannot create" in entry["why"]
    assert "corrections" not in entry
    assert is_true(release, "Ready")
    more = [{"op": "replace", "path": "/rules/0/verbs", "value": ["*"]}]
    cluster.kubectl("patch", "role", "tenant", "--type=json", "-p", json.dumps(more))
    releases.answered("blog")
    eventually(lambda: releases.data("blog"), "not made again")


def test_a_held_revision_is_put_right_as_it_is_held(releases, cluster):
    watched(releases, "blog", values={"text": "first"}, driftDetection=ENABLED)
    releases.edit("blog", values={"text": "second"})
    releases.settled("blog", 2)
    releases.edit("blog", revision=1)
    releases.settled("blog", 3)
    cluster.patch("configmap/blog", {"data": {"text": "hacked"}})
    corrected(releases, "blog", "data.text")
    assert releases.data("blog")["text"] == "first"


def test_a_suspended_release_is_not_looked_at(releases, cluster):
    watched(releases, "blog", driftDetection=ENABLED)
    releases.edit("blog", suspend=True)
    releases.until("blog", lambda release: "suspended" in condition(release, "Ready")["message"])
    cluster.patch("configmap/blog", {"data": {"text": "hacked"}})
    releases.create("later")
    releases.settled("later")
    assert releases.data("blog")["text"] == "hacked"
    releases.edit("blog", suspend=False)
    corrected(releases, "blog", "data.text")


def test_an_edit_during_an_upgrade_is_put_right_after_it(releases, cluster):
    watched(releases, "web", chart="app", driftDetection=ENABLED, timeout="20s")
    releases.edit("web", values={"podAnnotations": {"pods.whipstaff.dev/delay": "2s"}})
    releases.until("web", lambda release: releases.stored("web").get(2) == "pending-upgrade")
    cluster.patch("deployment/web", {"spec": {"template": {"spec": {"containers": BUSYBOX}}}})
    releases.settled("web", 2)
    corrected(releases, "web", "spec.template.spec.containers[name=web].image")
    assert releases.stored("web") == {1: "superseded", 2: "deployed"}


def test_an_upgrade_after_a_correction_is_an_upgrade(releases, cluster):
    watched(releases, "blog", driftDetection=ENABLED)
    cluster.patch("configmap/blog", {"data": {"text": "hacked"}})
    corrected(releases, "blog", "data.text")
    releases.choose("blog", "1.1.0")
    release = releases.settled("blog", 2)
    assert releases.data("blog") == {"text": "plain", "chart": "1.1.0"}
    release = releases.until("blog", lambda release: not drift_of(release))
    assert condition(release, "Drifted")["reason"] == "NoDriftDetected"
    assert "DEPLOYED" in releases.helm("status", "blog").upper()


def test_a_bad_new_version_does_not_keep_what_runs_from_being_put_right(
    releases, cluster, repository
):
    watched(releases, "blog", driftDetection=ENABLED)
    releases.choose("blog", "9.9.9")
    releases.refused("blog", "ChartVersionNotFound")
    cluster.patch("configmap/blog", {"data": {"text": "hacked"}})
    corrected(releases, "blog", "data.text")
    assert not is_true(releases.get("blog"), "Ready")


def test_a_kill_while_it_is_put_right_is_healed(own_cluster, repository):
    repository.add(a_packed_chart("many", maps=MANY))
    plane = own_cluster()
    prepare(plane)
    plane.kubectl("create", "namespace", "shop")
    brief = {"WHIPSTAFF_LEASE_SECONDS": "3"}  # the killed one's Lease is waited for
    operator = RunningOperator(plane, environment=brief).start()
    releases = LiveReleases(plane, "shop", repository.url)
    watched(releases, "many", chart="many", driftDetection=ENABLED)

    def there():
        found = releases.find(releases.core("configmaps") + "?labelSelector=many%3Dyes")
        return len(found["items"])

    assert there() == MAPS
    operator.kill()
    plane.kubectl("delete", "configmaps", "-l", "many=yes", "-n", "shop")
    operator.launch()  # what happened while it was away is found
    eventually(there, "nothing is made again")
    operator.kill()
    operator.start()
    eventually(lambda: there() == MAPS, "not all is made again")
    plane.kubectl("delete", "configmap", "many-7", "-n", "shop")
    eventually(lambda: there() == MAPS, "it watches no more")
    assert releases.stored("many") == {1: "deployed"}
    operator.stop()
