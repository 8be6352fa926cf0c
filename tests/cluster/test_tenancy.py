"""A release with a ServiceAccount acts as that account in everything; the audit log shows it."""

import pytest

from tests.builders.granted import requests_of
from tests.builders.live_releases import LiveReleases, condition, eventually
from tests.builders.permissions import EVERYTHING, an_account
from tests.builders.small_charts import a_packed_chart
from tools.chartrepo import ChartRepository
from tools.controlplane import programs
from tools.controlplane.cluster import Cluster
from tools.running_operator import ACCOUNT, NAMESPACE, RunningOperator, prepare

DEFAULT = "tenant"
EVERYDAY = (
    ("", ["*"], EVERYTHING),
    ("apps", ["*"], EVERYTHING),
    ("batch", ["*"], EVERYTHING),
)
OBJECTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  text: {{ .Values.text | quote }}
  seen: {{ (lookup "v1" "Secret" .Release.Namespace "facts").metadata.name | quote }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: web, image: nginx}]}
"""
HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-hook
  annotations:
    helm.sh/hook: pre-install,post-upgrade,pre-delete
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  template: {spec: {restartPolicy: Never, containers: [{name: job, image: busybox}]}}
"""
# What the operator does in its own name beside its own kinds; docs/security.md has each and why.
ITS_OWN = {
    ("", "serviceaccounts", "get"),
    ("", "namespaces", "get"),
    ("", "secrets", "watch"),
    ("", "configmaps", "watch"),
    ("", "secrets", "list"),
    ("", "configmaps", "list"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """An operator for which who names no account is `tenant` of their own namespace."""
    cluster = Cluster(tmp_path_factory.mktemp("tenancy") / "home", programs.find())
    cluster.start(guarded=True)
    prepare(cluster)
    operator = RunningOperator(cluster, "whipstaff", f"--default-service-account={DEFAULT}").start()
    with ChartRepository() as charts:
        charts.add(a_packed_chart("full", values="text: plain\n", objects=OBJECTS, hook=HOOK))
        yield Site(cluster, charts.url)
    operator.stop()
    cluster.stop(grace_seconds=0.0)


class Site:
    def __init__(self, cluster, url):
        self.cluster = cluster
        self.url = url
        self.names = 0

    def releases(self):
        """Give a namespace of its own to a test."""
        self.names += 1
        name = f"team-{self.names}"
        self.cluster.kubectl("create", "namespace", name)
        return LiveReleases(self.cluster, name, self.url)

    def requests(self, namespace):
        """What the operator asked for in a namespace."""
        user = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
        found = requests_of(self.cluster.audit_log, user)
        return [each for each in found if each.namespace == namespace]


def furnish(releases):
    """Put there what the chart looks up, and values to take from a ConfigMap."""
    api = releases.api
    api.request("POST", releases.core("secrets"), {"metadata": {"name": "facts"}})
    values = {"metadata": {"name": "values"}, "data": {"values.yaml": "text: from\n"}}
    api.request("POST", releases.core("configmaps"), values)


def foreign(requests, user):
    """Give the requests about tenants' objects that somebody else than the tenant made."""
    return [
        (each.verb, each.uri)
        for each in requests
        if each.acting_as != user and not is_the_operators(each)
    ]


def is_the_operators(request):
    path = request.uri.partition("?")[0]
    if "/whipstaff.dev/" in path or "/events.k8s.io/" in path:
        return not request.acting_as
    group = path.split("/")[2] if path.startswith("/apis/") else ""
    return (group, request.resource, request.verb) in ITS_OWN and not request.acting_as


def test_nothing_of_a_tenant_is_touched_in_another_name(site):
    releases = site.releases()
    furnish(releases)
    user = an_account(site.cluster, releases.namespace, "deployer", *EVERYDAY)
    wanted = {"kind": "ConfigMap", "name": "values"}
    releases.create("full", "full", serviceAccountName="deployer", valuesFrom=[wanted])
    releases.settled("full", revision=1, seconds=60.0)
    assert releases.data("full") == {"text": "from", "seen": "facts"}
    releases.edit("full", values={"text": "edited"})
    releases.settled("full", revision=2, seconds=60.0)
    releases.edit("full", revision=1)
    releases.settled("full", revision=3, seconds=60.0)
    releases.delete("full")
    releases.gone("full", seconds=60.0)

    requests = site.requests(releases.namespace)
    assert {each.verb for each in requests if each.acting_as == user} >= {
        *("get", "list", "watch", "create", "update", "patch", "delete"),
    }
    assert foreign(requests, user) == []


def test_who_names_no_account_is_the_default_one(site):
    releases = site.releases()
    furnish(releases)
    user = an_account(site.cluster, releases.namespace, DEFAULT, *EVERYDAY)

    releases.create("full", "full")
    releases.settled("full", seconds=60.0)
    releases.delete("full")
    releases.gone("full", seconds=60.0)

    assert foreign(site.requests(releases.namespace), user) == []


def test_an_account_that_does_not_exist_is_named(site):
    releases = site.releases()
    releases.create("full", "full")

    message = releases.refused("full", "ServiceAccountNotFound")["message"]

    assert message.startswith(f"ServiceAccount {releases.namespace}/{DEFAULT}, as which")
    assert releases.left_over() == []
    releases.delete("full")
    releases.gone("full")


def test_rights_that_are_missing_are_named_with_verb_resource_and_namespace(site):
    releases = site.releases()
    an_account(site.cluster, releases.namespace, "poor", ("", ["secrets"], ["get", "list"]))
    furnish(releases)
    releases.create("full", "full", serviceAccountName="poor")

    message = releases.refused("full", "Forbidden")["message"]

    user = f"system:serviceaccount:{releases.namespace}:poor"
    assert f'User "{user}" cannot' in message
    assert f'in the namespace "{releases.namespace}"' in message
    assert releases.stored("full") == {}
    releases.delete("full")


def test_an_account_that_went_first_holds_the_deletion_and_says_how_to_go_on(site):
    releases = site.releases()
    furnish(releases)
    namespace = releases.namespace
    an_account(site.cluster, namespace, "short", *EVERYDAY)
    releases.create("full", "full", serviceAccountName="short")
    releases.settled("full", seconds=60.0)
    site.cluster.kubectl("delete", "-n", namespace, "serviceaccount/short", "rolebinding/short")

    releases.delete("full")

    message = releases.refused("full", "ServiceAccountNotFound")["message"]
    assert "set spec.uninstall.deletionPolicy: Orphan" in message
    assert releases.data("full") is not None
    releases.edit("full", uninstall={"deletionPolicy": "Orphan"})
    releases.gone("full")
    assert releases.data("full") is not None


def test_an_account_that_comes_back_lets_the_deletion_end(site):
    releases = site.releases()
    furnish(releases)
    namespace = releases.namespace
    an_account(site.cluster, namespace, "again", *EVERYDAY)
    releases.create("full", "full", serviceAccountName="again")
    releases.settled("full", seconds=60.0)
    site.cluster.kubectl(
        *("delete", "-n", namespace, "serviceaccount/again", "rolebinding/again", "role/again")
    )
    releases.delete("full")
    releases.refused("full", "ServiceAccountNotFound")

    an_account(site.cluster, namespace, "again", *EVERYDAY)
    releases.ask("full")

    releases.gone("full", seconds=60.0)
    assert releases.data("full") is None


def test_a_namespace_ends_though_the_account_goes_first(site):
    """The release is in another namespace, where the account has its rights."""
    releases, target = site.releases(), site.releases().namespace
    furnish(LiveReleases(site.cluster, target, site.url))
    user = an_account(site.cluster, releases.namespace, "away", ("", ["configmaps"], ["get"]))
    api = site.cluster.api
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{target}"
    rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    api.request("POST", f"{rbac}/roles", {"metadata": {"name": "away"}, "rules": [rule]})
    binding = {
        "metadata": {"name": "away"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "away"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}],
    }
    api.request("POST", f"{rbac}/rolebindings", binding)
    spec = {"serviceAccountName": "away", "targetNamespace": target, "releaseName": "full"}
    releases.create("full", "full", **spec)
    ready = releases.settled("full", seconds=60.0)
    assert condition(ready, "Ready")["status"] == "True"
    site.cluster.kubectl("delete", "-n", target, "rolebinding/away")
    site.cluster.kubectl("delete", "-n", releases.namespace, "serviceaccount/away")

    site.cluster.kubectl("delete", "namespace", releases.namespace, "--wait=false")

    path = f"/api/v1/namespaces/{releases.namespace}"
    eventually(lambda: releases.find(path) is None, "the namespace does not end", 60.0)
