"""Each object that is not ready is named with its cause: in status while it is waited for, and in
the message of what failed in the end."""

import pytest

from tests.builders.denying_webhook import DenyingWebhook
from tests.builders.kubelet import LoggingNode
from tests.builders.live_releases import condition, eventually
from tests.builders.small_charts import a_packed_chart
from tools.controlplane.client import Refused

pytestmark = pytest.mark.cluster

TIMEOUT = "8s"  # long enough to be told of meanwhile
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: hunter2hunter2}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
    spec:
      nodeSelector: {{ .Values.nodeSelector | toJson }}
      tolerations: [{key: tests, operator: Exists}]
      containers: [{name: app, image: "registry.test/app:1"}]
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: bare}
spec:
  hostNetwork: true
  containers: [{name: app, image: "registry.test/app:1"}]
"""
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  resources: {requests: {storage: 1Gi}}
"""
HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: pre-install}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      nodeSelector: {{ .Values.nodeSelector | toJson }}
      tolerations: [{key: tests, operator: Exists}]
      containers: [{name: run, image: "registry.test/app:1"}]
"""
PULLING = {
    "waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling "registry.test/app:1"'}
}
CRASH_LOOP = {"waiting": {"reason": "CrashLoopBackOff"}}
CRASHED = {"terminated": {"exitCode": 3, "reason": "Error"}}


@pytest.fixture
def node(control_plane, tmp_path):
    with LoggingNode(control_plane, tmp_path) as it:
        yield it


def install(releases, repository, values=None, **templates):
    repository.add(a_packed_chart("web", values="nodeSelector: {}\n", **templates))
    releases.create("blog", chart="web", values=values or {}, install={"timeout": TIMEOUT})


def on(node):
    return {"nodeSelector": node.selector}


def pod_of(releases, label):
    """Wait for the Pod with a label; return its name."""
    path = f"{releases.core('pods')}?labelSelector={label}"
    found = eventually(lambda: releases.find(path)["items"], "no Pod came")
    return found[0]["metadata"]["name"]


def says(releases, pod, container, phase="Pending", **states):
    """Write into the status of a Pod what its kubelet would."""
    told = {"name": container, "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    status = {"phase": phase, "containerStatuses": [told | states]}
    releases.api.request("PATCH", f"{releases.core('pods', pod)}/status", {"status": status})


def told(releases, kind, *words):
    """Wait until status gives an object of this kind a cause with all these words."""

    def named(release):
        causes = [
            each["cause"] for each in release["status"].get("unready", []) if each["kind"] == kind
        ]
        return any(all(word in cause for word in words) for cause in causes)

    releases.until("blog", named)


def ends_with(releases, *words):
    """Wait until the revision has failed, and all these words say why."""

    def ended(release):
        ready = condition(release, "Ready")
        return ready["reason"] == "InstallFailed" and all(w in ready["message"] for w in words)

    releases.until("blog", ended)


def test_an_image_that_cannot_be_pulled(releases, repository, node):
    install(releases, repository, on(node), web=DEPLOYMENT)
    says(releases, pod_of(releases, "app%3Dweb"), "app", state=PULLING)
    words = ("0 of 1 replica is available; Pod web-", "container app: ImagePullBackOff: Back-off")
    told(releases, "Deployment", *words)
    ends_with(releases, "timed out after 8s: Deployment", *words)


def test_a_crash_loop_with_its_exit_code_and_the_last_line_of_its_log(releases, repository, node):
    install(releases, repository, on(node), web=DEPLOYMENT, secret=SECRET)
    pod = pod_of(releases, "app%3Dweb")
    node.logs[pod, "app", True] = "starting\nno login with hunter2hunter2\n"
    says(releases, pod, "app", "Running", state=CRASH_LOOP, lastState=CRASHED)
    words = (
        "container app: CrashLoopBackOff, last exit code 3",
        "(last line of its log: no login with [masked])",
    )
    told(releases, "Deployment", *words)
    ends_with(releases, *words)


def test_a_pod_that_fits_on_no_node(releases, repository):
    install(releases, repository, {"nodeSelector": {"disk": "none"}}, web=DEPLOYMENT)
    words = ("Pod web-", "nodes are available", "node affinity/selector")
    told(releases, "Deployment", *words)
    ends_with(releases, *words)


def test_a_quota_that_lets_no_pod_come(releases, repository):
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"pods": "0"}},
    }
    releases.api.request("POST", releases.core("resourcequotas"), quota)
    install(releases, repository, web=DEPLOYMENT)
    words = ("exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0",)
    told(releases, "Deployment", *words)
    ends_with(releases, *words)


def test_a_webhook_that_lets_no_pod_come(releases, repository, tmp_path):
    rules = (releases.api, releases.namespace, "pods", "images need a digest", tmp_path)
    with DenyingWebhook(*rules):
        # The API server takes a moment to hear of it.
        eventually(lambda: "need a digest" in probed(releases), "Pods are not refused")
        install(releases, repository, web=DEPLOYMENT)
        denied = 'admission webhook "rules.house.test" denied the request: images need a digest'
        told(releases, "Deployment", denied)
        ends_with(releases, denied)


def probed(releases):
    """Try to make a Pod; return why it is refused."""
    containers = [{"name": "app", "image": "registry.test/app:1"}]
    pod = {"metadata": {"name": "probe"}, "spec": {"containers": containers}}
    try:
        releases.api.request("POST", f"{releases.core('pods')}?dryRun=All", pod)
    except Refused as refused:
        return str(refused)
    return ""


RESTRICTED = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}


def test_limits_that_let_no_pod_come(releases, repository):
    limits = {"limits": [{"type": "Pod", "max": {"cpu": "1"}}]}
    body = {"metadata": {"name": "few"}, "spec": limits}
    releases.api.request("POST", releases.core("limitranges"), body)
    install(releases, repository, web=DEPLOYMENT)
    told(releases, "Deployment", "maximum cpu usage per Pod is 1. No limit is specified")


def test_pod_security_that_lets_no_pod_come(releases, repository):
    releases.api.request("PATCH", f"/api/v1/namespaces/{releases.namespace}", RESTRICTED)
    install(releases, repository, web=DEPLOYMENT)
    told(releases, "Deployment", 'violates PodSecurity "restricted:latest"')


def test_a_pod_that_pod_security_forbids_is_refused_beforehand(releases, repository):
    repository.add(a_packed_chart("bare", pod=POD))
    namespace = f"/api/v1/namespaces/{releases.namespace}"
    releases.api.request("PATCH", namespace, RESTRICTED)
    releases.create("blog", chart="bare")
    message = releases.refused("blog", "Forbidden")["message"]
    assert 'violates PodSecurity "restricted:latest"' in message
    assert releases.stored("blog") == {}
    lifted = {"pod-security.kubernetes.io/enforce": None}
    releases.api.request("PATCH", namespace, {"metadata": {"labels": lifted}})
    releases.ask("blog")
    releases.settled("blog", revision=1)


def test_a_claim_that_no_volume_fits(releases, repository):
    install(releases, repository, data=CLAIM)
    words = ("the claim is not bound", "FailedBinding: no persistent volumes available")
    told(releases, "PersistentVolumeClaim", *words)
    ends_with(releases, *words)


def test_a_volume_that_cannot_be_mounted_and_a_probe_that_fails(releases, repository, node):
    install(releases, repository, on(node), web=DEPLOYMENT)
    pod = releases.find(releases.core("pods", pod_of(releases, "app%3Dweb")))
    about = {"kind": "Pod", "namespace": releases.namespace, "name": pod["metadata"]["name"]}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "mount.1"},
        "involvedObject": about | {"uid": pod["metadata"]["uid"]},
        "reason": "FailedMount",
        "message": 'MountVolume.SetUp failed for volume "x": secret "y" not found',
        "type": "Warning",
    }
    releases.api.request("POST", releases.core("events"), event)
    words = ("the Pod is being started", 'FailedMount: MountVolume.SetUp failed for volume "x"')
    told(releases, "Deployment", *words)
    ends_with(releases, *words)


def test_a_hook_that_fails_with_its_exit_code_and_last_line(releases, repository, node):
    install(releases, repository, on(node), migrate=HOOK)
    pod = pod_of(releases, "job-name%3Dmigrate")
    node.logs[pod, "run", False] = "relation already exists\n"
    says(releases, pod, "run", "Failed", state=CRASHED)
    ends_with(
        releases,
        "Job",
        "/migrate failed:",
        "container run exited with code 3 (last line of its log: relation already exists)",
    )
