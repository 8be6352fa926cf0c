"""Fields that Kubernetes does not let change: named, or made anew where that is asked for."""

import pytest

from tests.builders.live_releases import eventually
from tests.builders.small_charts import a_packed_chart, app_chart

pytestmark = pytest.mark.cluster

RECREATE = {"immutableFieldPolicy": "Recreate"}
OBJECTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: sealed}
immutable: true
data: {text: {{ .Values.text }}}
---
apiVersion: v1
kind: Secret
metadata: {name: sealed}
immutable: true
stringData: {text: "{{ .Values.text }}"}
---
apiVersion: v1
kind: Service
metadata: {name: fixed}
spec:
  clusterIP: {{ .Values.clusterIP | quote }}
  ports: [{port: 80}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: bound}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ .Values.role }}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: {{ .Release.Namespace }}-class}
provisioner: nowhere.test/none
parameters: {speed: {{ .Values.text }}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: "migrate:{{ .Values.text }}"}]
"""
STATEFUL_SET = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: {{ .Values.service }}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: db, image: postgres}]
"""
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: {{ .Values.class | quote }}
  resources: {requests: {storage: 1Gi}}
"""
VALUES = "text: one\nrole: view\nclusterIP: ''\n"
CHANGED = {"text": "two", "role": "edit", "clusterIP": "None"}


@pytest.fixture(autouse=True)
def _published(repository):
    repository.add(a_packed_chart("fixed", "1.0.0", VALUES, objects=OBJECTS))
    repository.add(a_packed_chart("db", "1.0.0", "service: old\n", db=STATEFUL_SET))
    repository.add(app_chart())
    repository.add(a_packed_chart("claim", "1.0.0", "class: ''\n", claim=CLAIM))


@pytest.fixture
def rbac(releases, control_plane):
    """The chart has a StorageClass of its own, which does not go with the namespace."""
    yield
    name = f"{releases.namespace}-class"
    control_plane.run("kubectl", "delete", "storageclass", name, "--ignore-not-found")


def uid_of(releases, path):
    return releases.api.request("GET", path)["metadata"]["uid"]


def apps(releases, resource, name):
    return f"/apis/apps/v1/namespaces/{releases.namespace}/{resource}/{name}"


@pytest.mark.usefixtures("rbac")
def test_each_object_and_field_is_named_and_then_made_anew_and_rolled_back_over(releases):
    releases.create("blog", chart="fixed")
    releases.settled("blog", revision=1)
    before = uid_of(releases, releases.core("services", "fixed"))
    releases.edit("blog", values=CHANGED)
    message = releases.refused("blog", "ImmutableField")["message"]
    for named in (
        f"ConfigMap {releases.namespace}/sealed: data ",
        f"Secret {releases.namespace}/sealed: data ",
        f"Service {releases.namespace}/fixed: spec.clusterIP",
        f"RoleBinding {releases.namespace}/bound: roleRef ",
        f"StorageClass {releases.namespace}-class: parameters ",
        f"Job {releases.namespace}/migrate: spec.template ",
    ):
        assert named in message
    assert releases.data("sealed") == {"text": "one"}
    assert uid_of(releases, releases.core("services", "fixed")) == before

    releases.edit("blog", upgrade=RECREATE)
    releases.settled("blog", revision=2)
    assert releases.data("sealed") == {"text": "two"}
    assert uid_of(releases, releases.core("services", "fixed")) != before
    releases.edit("blog", revision=1)
    releases.settled("blog", revision=3)
    assert releases.data("sealed") == {"text": "one"}


def test_a_stateful_set_is_made_anew_over_its_pods(releases):
    path, pod = apps(releases, "statefulsets", "db"), releases.core("pods", "db-0")
    releases.create("blog", chart="db")
    releases.settled("blog", revision=1)
    pod_before, before = uid_of(releases, pod), uid_of(releases, path)
    releases.edit("blog", values={"service": "new"})
    message = releases.refused("blog", "ImmutableField")["message"]
    assert f"StatefulSet {releases.namespace}/db: spec.serviceName cannot be changed" in message
    policy = {"kind": "StatefulSet", "apiVersion": "apps/v1", "policy": "RecreateOrphan"}
    releases.edit("blog", upgrade={"immutableFieldPolicies": [policy]})
    releases.settled("blog", revision=2)
    after = uid_of(releases, path)
    assert after != before
    assert uid_of(releases, pod) == pod_before

    def adopted():
        owners = releases.api.request("GET", pod)["metadata"].get("ownerReferences") or []
        return [owner["uid"] for owner in owners] == [after]

    eventually(adopted, "the new StatefulSet did not take the Pod over")


def test_a_deployment_is_made_anew_with_its_pods(releases):
    path = apps(releases, "deployments", "web")
    releases.create("web", chart="app")
    releases.settled("web", revision=1)
    before = uid_of(releases, path)
    releases.edit("web", values={"selector": "layer"}, upgrade=RECREATE)
    releases.settled("web", revision=2)
    assert uid_of(releases, path) != before


def test_a_claim_is_made_anew_only_where_its_kind_is_named(releases):
    releases.create(
        "blog",
        chart="claim",
        upgrade={**RECREATE, "disableWait": True},
        install={"disableWait": True},
    )
    releases.settled("blog", revision=1)
    before = uid_of(releases, releases.core("persistentvolumeclaims", "data"))
    releases.edit("blog", values={"class": "fast"})
    message = releases.refused("blog", "ImmutableField")["message"]
    assert f"PersistentVolumeClaim {releases.namespace}/data: spec" in message
    assert "names its kind" in message
    assert uid_of(releases, releases.core("persistentvolumeclaims", "data")) == before
    policy = {"kind": "PersistentVolumeClaim", "policy": "Recreate"}
    releases.edit("blog", upgrade={"immutableFieldPolicies": [policy]})
    releases.settled("blog", revision=2)
    assert uid_of(releases, releases.core("persistentvolumeclaims", "data")) != before
