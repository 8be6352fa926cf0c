"""Odd objects: made anew each time, of the release itself, with fields that are the server's."""

import pytest

from tests.builders.live_releases import condition, handled
from tests.builders.small_charts import CONFIG_MAP, a_packed_chart, settings_chart

pytestmark = pytest.mark.cluster

RANDOM = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  text: {{ .Values.text | quote }}
  password: {{ randAlphaNum 12 }}
  moment: {{ now | unixEpoch | quote }}
  authority: {{ (genCA "blog" 365).Cert | b64enc }}
"""
ITSELF = """\
apiVersion: whipstaff.dev/v1
kind: HelmRelease
metadata:
  name: {{ .Release.Name }}
spec:
  chart: {name: settings, repository: "https://charts.example.dev", version: "1.0.0"}
"""
REMOVED = """\
apiVersion: apps/v1beta1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
"""
CLUSTER_SCOPED = """\
apiVersion: v1
kind: Namespace
metadata: {name: {{ .Release.Name }}-of-its-own}
"""
SERVER_FIELDS = """\
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
  generation: 9
  creationTimestamp: "2001-01-01T00:00:00Z"
  finalizers: [example.dev/kept]
spec:
  ports: [{port: {{ .Values.port }}}]
status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}
"""
OTHER = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-other
"""


@pytest.fixture(autouse=True)
def _published(repository):
    repository.add(settings_chart("1.0.0"))


def odd(repository, template, values="text: x\nport: 80\n", version="1.0.0"):
    repository.add(a_packed_chart("odd", version, values, a=CONFIG_MAP, b=template))


def test_what_is_random_in_a_chart_makes_no_revision_by_itself(releases, repository, operator):
    repository.add(a_packed_chart("random", "1.0.0", "text: x\n", a=RANDOM))
    releases.create("blog", "random", interval="1s", driftDetection={"mode": "enabled"})
    releases.settled("blog", revision=1)
    first = releases.data("blog")
    releases.edit("blog", timeout="1m")  # what is no input renders nothing
    for _ in range(3):
        releases.answered("blog")
    operator.stop()
    operator.start()
    releases.answered("blog")
    assert releases.settled("blog")["status"]["revision"] == 1
    assert releases.stored("blog") == {1: "deployed"}
    assert releases.data("blog") == first
    releases.edit("blog", values={"text": "y"})
    releases.settled("blog", revision=2)
    for _ in range(3):
        releases.answered("blog")
    assert releases.stored("blog") == {1: "superseded", 2: "deployed"}


def test_a_chart_with_the_helmrelease_that_installs_it_is_refused(releases, repository):
    odd(repository, ITSELF)
    releases.create("blog", "odd")
    message = releases.refused("blog", "ReleaseConflict")["message"]
    assert "HelmRelease" in message
    assert "blog" in message
    assert releases.left_over() == []
    assert releases.get("blog")["spec"]["chart"]["name"] == "odd"


def test_a_version_that_the_server_does_not_serve_any_more_is_named(releases, repository):
    odd(repository, REMOVED)
    releases.create("blog", "odd")
    message = releases.refused("blog", "NoMatchForKind")["message"]
    assert 'no matches for kind "Deployment" in version "apps/v1beta1"' in message
    assert releases.left_over() == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("resourceVersion", '"1"'),
        ("uid", "00000000-0000-0000-0000-000000000000"),
        ("managedFields", "[{manager: helm, operation: Apply}]"),
    ],
)
def test_what_only_the_server_may_say_of_an_object_ends_as_with_helm(
    releases, repository, control_plane, field, value
):
    odd(repository, f"{OTHER}  {field}: {value}\n")
    helms = ("helms", "odd", "--repo", releases.repository_url, "-n", releases.namespace)
    releases.create("blog", "odd")
    installed = outcome(releases)
    helm = control_plane.run("helm", "install", *helms, check=False)
    assert (helm.returncode, installed) in ((0, "InstallSucceeded"), *REFUSED)
    if helm.returncode == 0:
        releases.edit("blog", values={"text": "y"})
        upgraded = outcome(releases)
        helm = control_plane.run("helm", "upgrade", *helms, "--set", "text=y", check=False)
        assert (helm.returncode, upgraded) in ((0, "UpgradeSucceeded"), *REFUSED)
    # Whatever is refused takes no revision, however often it is tried.
    before = releases.stored("blog")
    releases.answered("blog")
    assert releases.stored("blog") == before
    assert list(before) in ([], [1], [1, 2])


REFUSED = ((1, "ManifestInvalid"), (1, "BadRequest"))


def outcome(releases):
    """Wait until the newest spec is Ready or refused; return the reason."""

    def there(release):
        return handled(release) and condition(release, "Ready")["status"] in ("True", "False")

    return condition(releases.until("blog", there), "Ready")["reason"]


def test_status_and_finalizers_in_a_chart_are_no_loop(releases, repository, operator):
    odd(repository, SERVER_FIELDS)
    releases.create("blog", "odd")
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"port": 81})
    releases.settled("blog", revision=2)
    releases.answered("blog")
    service = releases.find(releases.core("services", "blog"))
    assert service["metadata"]["finalizers"] == ["example.dev/kept"]
    assert service["metadata"]["creationTimestamp"] > "2026"
    assert service["status"] == {"loadBalancer": {}}
    assert list(releases.stored("blog")) == [1, 2]
    path = releases.core("services", "blog")
    releases.api.request("PATCH", path, {"metadata": {"finalizers": None}})
    releases.delete("blog")
    releases.gone("blog")


def test_what_needs_rights_in_the_cluster_is_refused_to_a_tenant(releases, repository, namespace):
    odd(repository, CLUSTER_SCOPED)
    releases.control_plane.kubectl("create", "serviceaccount", "tenant", "-n", namespace)
    releases.control_plane.kubectl(
        "create", "rolebinding", "tenant", "--clusterrole=admin",
        f"--serviceaccount={namespace}:tenant", "-n", namespace,
    )  # fmt: skip
    releases.create("blog", "odd", serviceAccountName="tenant")
    message = releases.refused("blog", "Forbidden")["message"]
    assert 'resource "namespaces"' in message
    assert releases.find("/api/v1/namespaces/blog-of-its-own") is None
    assert releases.left_over() == []
