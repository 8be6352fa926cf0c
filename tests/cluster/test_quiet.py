"""By the API server's audit log: unchanged releases cost no write; who acts for a release."""

import time

import pytest

from tests.builders.live_releases import condition
from tests.builders.permissions import EVERYTHING, an_account
from tests.builders.small_charts import CONFIG_MAP, a_packed_chart, app_chart, settings_chart
from tools.controlplane import audit
from tools.running_operator import ACCOUNT, NAMESPACE

OPERATOR = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
PASSES_SECONDS = 3.5  # of releases that are looked at each second
SECRETS = ("", ["secrets"], EVERYTHING)
CONFIG_MAPS = ("", ["configmaps"], EVERYTHING)

LOOKUP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  found: {{ (lookup "v1" .Values.kind .Release.Namespace .Values.of).metadata.name | quote }}
"""
HOOK_JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-hook
  annotations:
    helm.sh/hook: pre-install,pre-delete
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: a, image: busybox}]
"""


@pytest.fixture(autouse=True)
def _published(repository):
    repository.add(settings_chart())
    repository.add(app_chart())
    repository.add(
        a_packed_chart(
            *("looking", "1.0.0", "kind: ConfigMap\nof: kube-root-ca.crt\ntext: x\n"),
            found=LOOKUP,
            job=HOOK_JOB,
        )
    )


@pytest.fixture
def calls(control_plane):
    """The calls of the operator since the test began, or since `calls.restart`."""
    return Calls(control_plane.audit_log)


class Calls:
    def __init__(self, log):
        self.log = log
        self.restart()

    def restart(self):
        self.start = self.log.stat().st_size

    def all(self, namespace):
        found = audit.read(self.log, self.start)
        return [each for each in found if each.user == OPERATOR and each.namespace == namespace]

    def writes(self, namespace):
        """List the operator's writes in a namespace and of what has none, its Lease's apart."""
        found = audit.writes(self.log, self.start, user=OPERATOR)
        return [each for each in found if each.namespace in {namespace, ""}]


def test_passes_over_unchanged_releases_write_nothing(releases, calls):
    releases.create("blog", interval="1s")
    releases.create("web", chart="app", interval="1s")
    releases.create("looked-up", chart="looking", interval="1s")
    # Values that render to what runs, a pin, and a refusal are unchanged releases too.
    releases.create("held", interval="1s")
    releases.create("refused", chart="unheard-of", interval="1s")
    for name in ("blog", "web", "looked-up", "held"):
        releases.settled(name, revision=1)
    releases.edit("blog", values={"unused": "by the chart"})
    releases.edit("held", revision=1, values={"text": "held back"})
    releases.settled("blog", revision=1)
    releases.settled("held", revision=1)
    releases.refused("refused", "ChartUnavailable")
    time.sleep(1)

    calls.restart()
    time.sleep(PASSES_SECONDS)
    assert calls.writes(releases.namespace) == []
    looked = [each for each in calls.all(releases.namespace) if each.resource == "secrets"]
    assert len(looked) >= 4 * 2  # there were passes


def test_a_restart_writes_nothing(releases, operator, calls):
    releases.create("blog", values={"text": "a"})
    releases.create("web", chart="app")
    for name in ("blog", "web"):
        releases.settled(name, revision=1)
    releases.edit("blog", values={"text": "b"})
    releases.settled("blog", revision=2)
    releases.edit("blog", revision=1)
    releases.settled("blog", revision=3)
    time.sleep(1)
    operator.stop()
    calls.restart()
    operator.start()
    time.sleep(2)
    assert calls.writes(releases.namespace) == []
    looked = [each for each in calls.all(releases.namespace) if each.resource == "secrets"]
    assert looked


def test_every_call_of_a_release_is_its_account_s(releases, calls, control_plane):
    rules = (
        *(SECRETS, CONFIG_MAPS),
        ("batch", ["jobs"], EVERYTHING),
        ("apps", ["deployments", "replicasets"], EVERYTHING),
        ("", ["pods"], ["get", "list", "watch"]),
    )
    account = an_account(control_plane, releases.namespace, "tenant", *rules)
    calls.restart()
    for name, chart in (("looked-up", "looking"), ("web", "app")):
        releases.create(name, chart=chart, serviceAccountName="tenant")
        releases.settled(name, revision=1)
    assert releases.data("looked-up") == {"found": "kube-root-ca.crt"}
    releases.edit("web", values={"replicas": 2})
    releases.settled("web", revision=2)
    releases.edit("web", revision=1)
    releases.settled("web", revision=3)
    for name in ("looked-up", "web"):
        releases.delete(name)
        releases.gone(name)

    # Its own objects are the HelmRelease and its events; all else is the release's.
    own = ("helmreleases", "helmreleases/status", "events", "leases")
    found = [each for each in calls.all(releases.namespace) if each.resource not in own]
    reads = {each.resource for each in found if each.verb in {"get", "list", "watch"}}
    assert {"secrets", "configmaps", "jobs", "deployments"} <= reads
    assert {"secrets", "configmaps", "jobs", "deployments"} <= {
        each.resource for each in found if each.is_write
    }
    assert [
        each for each in found if each.acting_as != account and each.resource != "namespaces"
    ] == []
    # That the namespace is not being deleted is the operator's own question.
    assert {each.verb for each in found if each.resource == "namespaces"} <= {"get"}
    assert all(each.namespace for each in calls.writes(releases.namespace))


def test_a_call_that_the_account_may_not_make_is_refused_with_verb_and_resource(
    releases, repository, control_plane
):
    account = an_account(control_plane, releases.namespace, "tenant", SECRETS, CONFIG_MAPS)
    repository.add(a_packed_chart("mixed", "1.0.0", "text: x\n", a=CONFIG_MAP, b=SERVICE))
    releases.create("blog", chart="mixed", serviceAccountName="tenant")
    message = releases.refused("blog", "Forbidden")["message"]
    assert account in message
    assert 'resource "services"' in message
    assert "cannot " in message
    assert releases.left_over() == []
    # Once it may, nobody has to ask again.
    services = ("", ["services"], EVERYTHING)
    _grant_more(control_plane, releases.namespace, "tenant", services)
    releases.settled("blog", revision=1)


def test_an_account_that_may_not_read_the_records_is_named(releases, control_plane):
    an_account(control_plane, releases.namespace, "tenant", CONFIG_MAPS)
    releases.create("blog", serviceAccountName="tenant")
    message = releases.refused("blog", "Forbidden")["message"]
    assert 'cannot list resource "secrets"' in message
    assert releases.left_over() == []


def test_a_lookup_sees_what_the_account_may_see(releases, control_plane, namespace):
    account = an_account(control_plane, namespace, "tenant", SECRETS, CONFIG_MAPS)
    values = {"kind": "ServiceAccount", "of": "default"}
    releases.create("blog", chart="looking", serviceAccountName="tenant", values=values)
    ready = condition(
        releases.until("blog", lambda release: condition(release, "Ready")["status"] == "False"),
        "Ready",
    )
    assert account in ready["message"]
    assert 'cannot get resource "serviceaccounts"' in ready["message"]
    # The operator itself may.
    releases.create("free", chart="looking", values=values)
    releases.settled("free", revision=1)


def test_a_tenant_reaches_nothing_outside_its_namespace(releases, repository, control_plane):
    an_account(control_plane, releases.namespace, "tenant", SECRETS, CONFIG_MAPS)
    elsewhere = CONFIG_MAP.replace("metadata:\n", "metadata:\n  namespace: default\n")
    repository.add(a_packed_chart("reaching", "1.0.0", "text: x\n", a=elsewhere))
    releases.create("blog", chart="reaching", serviceAccountName="tenant")
    message = releases.refused("blog", "Forbidden")["message"]
    assert 'in the namespace "default"' in message
    assert releases.data("blog", "default") is None


SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {ports: [{port: 80}]}
"""


def _grant_more(control_plane, namespace, name, rule):
    group, resources, verbs = rule
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles/{name}"
    rules = control_plane.api.request("GET", path)["rules"]
    more = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    control_plane.api.request("PATCH", path, {"rules": [*rules, more]})
