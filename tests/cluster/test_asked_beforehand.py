"""What the API server is asked before a revision is made, and what becomes of its answer."""

import pytest

from tests.builders.live_releases import condition, is_true
from tests.builders.permissions import EVERYTHING, an_account
from tests.builders.small_charts import CONFIG_MAP, DEPLOYMENT, a_packed_chart

RBAC = "rbac.authorization.k8s.io"
ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: own}\n"
ROLE = f"""\
apiVersion: {RBAC}/v1
kind: Role
metadata: {{name: own}}
rules: [{{apiGroups: [""], resources: [configmaps], verbs: [get]}}]
"""
BINDING = f"""\
apiVersion: {RBAC}/v1
kind: RoleBinding
metadata: {{name: own}}
roleRef: {{apiGroup: {RBAC}, kind: Role, name: own}}
subjects: [{{kind: ServiceAccount, name: own}}]
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: own}
spec:
  serviceAccountName: own
  terminationGracePeriodSeconds: 0
  containers: [{name: web, image: nginx}]
"""
WITHOUT_PORT = "apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 0}]}\n"
LIMIT = """\
apiVersion: v1
kind: LimitRange
metadata: {name: small}
spec: {limits: [{type: Container, max: {cpu: 1m}}]}
"""
LARGE_HOOK = """\
apiVersion: v1
kind: Pod
metadata:
  name: large
  annotations: {helm.sh/hook: post-install}
spec:
  containers: [{name: large, image: nginx, resources: {limits: {cpu: "1"}}}]
"""
DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: sizes.asked.test}
spec:
  group: asked.test
  scope: Namespaced
  names: {kind: Size, plural: sizes, singular: size, listKind: SizeList}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {size: {type: integer, maximum: 5}}
"""
SIZE = "apiVersion: asked.test/v1\nkind: Size\nmetadata: {name: one}\nsize: {{ .Values.size }}\n"


@pytest.fixture
def elsewhere(control_plane, namespace):
    """The name of a namespace that is not there yet; deleted after the test."""
    name = f"{namespace}-elsewhere"
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def test_an_object_may_need_another_of_its_release(releases, repository, control_plane):
    # The chart's Pod names its ServiceAccount and its RoleBinding its Role: the server refuses
    # each without the other, and a tenant may bind no Role that is not there.
    rules = (
        ("", ["secrets", "configmaps", "serviceaccounts", "pods"], EVERYTHING),
        (RBAC, ["roles", "rolebindings"], EVERYTHING),
    )
    an_account(control_plane, releases.namespace, "tenant", *rules)
    templates = {"account": ACCOUNT, "role": ROLE, "binding": BINDING, "pod": POD}
    repository.add(a_packed_chart("bound", **templates))
    releases.create("web", chart="bound", serviceAccountName="tenant")
    releases.settled("web", revision=1)


def test_what_is_refused_in_a_new_namespace_makes_no_revision(releases, repository, elsewhere):
    templates = {"settings": CONFIG_MAP, "bad": WITHOUT_PORT}
    repository.add(a_packed_chart("wrong", "1.0.0", "text: x\n", **templates))
    releases.create(
        "web", chart="wrong", releaseName="web", targetNamespace=elsewhere, createNamespace=True
    )
    assert "spec.ports" in releases.refused("web", "Invalid")["message"]
    assert releases.stored("web", elsewhere) == {}
    assert releases.data("web", elsewhere) is None


def test_what_the_schema_of_its_own_crds_refuses_makes_no_revision(
    releases, repository, control_plane
):
    repository.add(a_packed_chart("sized", "1.0.0", "size: 9\n", size=SIZE, crd=DEFINITION))
    try:
        releases.create("web", chart="sized")
        assert "size" in releases.refused("web", "Invalid")["message"]
        assert releases.stored("web") == {}
        releases.edit("web", values={"size": 3})
        releases.settled("web", revision=1)
        releases.delete("web")
        releases.gone("web")
    finally:
        control_plane.kubectl("delete", "crd", "sizes.asked.test", "--ignore-not-found")


def test_what_a_failed_revision_left_may_refuse_the_next_attempt_which_counts(releases, repository):
    values = "replicas: 1\npodAnnotations: {}\n"
    templates = {"limit": LIMIT, "web": DEPLOYMENT, "large": LARGE_HOOK}
    repository.add(a_packed_chart("limited", "1.0.0", values, **templates))
    releases.create("web", chart="limited")
    message = releases.refused("web", "InstallFailed")["message"]
    assert "maximum cpu usage per Container" in message
    release = releases.until("web", lambda release: is_true(release, "Stalled"))
    assert condition(release, "Stalled")["reason"] == "RetriesExhausted"
    assert condition(release, "Ready")["reason"] == "InstallFailed"
    assert "maximum cpu usage per Container" in condition(release, "Ready")["message"]
    assert release["status"]["failures"] == 3
    assert releases.stored("web") == {1: "failed"}
