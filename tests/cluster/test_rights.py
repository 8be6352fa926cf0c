"""The operator lives with exactly the rights that its chart gives, and needs each of them."""

import time

import pytest
import yaml

from tests.builders.flux_sources import PLURALS, FluxSources, define
from tests.builders.granted import refused, requests_of, rights_of, used
from tests.builders.live_releases import LiveReleases, eventually
from tests.builders.live_repositories import LiveRepositories
from tests.builders.own_chart import CHART, objects
from tests.builders.permissions import EVERYTHING, an_account
from tests.builders.small_charts import app_chart, settings_chart
from tools.chartrepo import ChartRepository
from tools.controlplane import programs
from tools.controlplane.cluster import Cluster
from tools.running_operator import NAMESPACE, RunningOperator

HOME, SHOP = "team", "shop"
IN_NAMESPACES = (
    f"watchNamespaces={{{HOME},{SHOP}}}",
    "crds.install=false",
    "rbac.aggregate.enabled=false",
)
RESTRICTED = ("rbac.unrestricted=false",)
TENANT = tuple((group, ["*"], EVERYTHING) for group in ("", "apps", "batch"))
MANAGED_BY = "app.kubernetes.io/managed-by"
PATIENCE = "--timeout=60s"
FLUX_KIND = "tests/docs/peers/flux.yaml"


@pytest.fixture(scope="module")
def charts():
    with ChartRepository() as served:
        served.add(settings_chart())
        served.add(app_chart())
        yield served


def started(folder):
    return Cluster(folder / "cluster", programs.find()).start(guarded=True)


def install(cluster, namespace, *settings):
    """Install the chart, or change what is installed."""
    flags = [flag for setting in settings for flag in ("--set", setting)]
    cluster.helm(
        *("upgrade", "--install", "whipstaff", str(CHART), "-n", namespace, "--create-namespace"),
        *("--wait", "--timeout", "60s", *flags),
    )


class Site:
    """A control plane, the operator on it with the chart's rights, and what it asked for."""

    def __init__(self, cluster, operator, charts):
        self.cluster = cluster
        self.operator = operator
        self.charts = charts
        self.user = f"system:serviceaccount:{operator.namespace}:{operator.account}"

    def releases(self, namespace):
        return LiveReleases(self.cluster, namespace, self.charts.url)

    def requests(self, since=0):
        return requests_of(self.cluster.audit_log, self.user, since)


@pytest.fixture(scope="module")
def namespaced(tmp_path_factory, charts):
    """An operator that looks after two namespaces, and has rights nowhere else."""
    cluster = started(tmp_path_factory.mktemp("namespaced"))
    cluster.kubectl("apply", "--server-side", "-f", "crds")
    for namespace in (HOME, SHOP, "elsewhere"):
        cluster.kubectl("create", "namespace", namespace)
    install(cluster, HOME, *IN_NAMESPACES)
    flags = (f"--namespace={HOME}", f"--namespace={SHOP}", f"--lease-namespace={HOME}")
    operator = RunningOperator(cluster, "whipstaff", *flags, namespace=HOME).start()
    yield Site(cluster, operator, charts)
    operator.stop()
    cluster.stop(grace_seconds=0.0)


@pytest.fixture(scope="module")
def restricted(tmp_path_factory, charts):
    """An operator for the whole cluster whose releases bring their own rights."""
    cluster = started(tmp_path_factory.mktemp("restricted"))
    cluster.kubectl("create", "namespace", SHOP)
    install(cluster, NAMESPACE, *RESTRICTED)
    an_account(cluster, SHOP, "tenant", *TENANT)
    operator = RunningOperator(cluster).start()
    yield Site(cluster, operator, charts)
    operator.stop()
    cluster.stop(grace_seconds=0.0)


def live_through(releases, **spec):
    """Install, upgrade, roll back and uninstall something small, and something that is awaited."""
    releases.create("blog", values={"text": "a"}, **spec)
    releases.create("web", chart="app", **spec)
    releases.settled("blog", revision=1)
    releases.settled("web", revision=1)
    releases.edit("blog", values={"text": "b"})
    releases.edit("web", values={"replicas": 2})
    releases.settled("blog", revision=2)
    releases.settled("web", revision=2)
    for name in ("blog", "web"):
        releases.edit(name, revision=1)
        releases.settled(name, revision=3)
    assert releases.data("blog")["text"] == "a"
    for name in ("blog", "web"):
        releases.delete(name)
        releases.gone(name)
    left = [name for name in releases.left_over() if "blog" in name or "web" in name]
    assert left == []


def test_roles_in_the_watched_namespaces_are_enough_for_a_release_s_life(namespaced):
    for namespace in (SHOP, HOME):
        live_through(namespaced.releases(namespace))
    requests = namespaced.requests()
    assert requests
    assert refused(requests) == []
    assert {each.namespace for each in requests} == {HOME, SHOP}


def test_no_other_namespace_is_looked_at(namespaced):
    elsewhere = namespaced.releases("elsewhere")
    elsewhere.create("unseen")
    seen = namespaced.releases(SHOP)
    seen.create("seen")
    seen.settled("seen")
    assert elsewhere.get("unseen")["status"] == {"observedGeneration": -1}
    seen.delete("seen")
    seen.gone("seen")


def test_a_release_that_would_leave_the_watched_namespaces_is_refused(namespaced):
    releases = namespaced.releases(SHOP)
    releases.create("stray", targetNamespace="elsewhere")
    condition = releases.refused("stray", "Forbidden")
    assert "elsewhere" in condition["message"]
    releases.edit("stray", uninstall={"deletionPolicy": "Orphan"})
    releases.delete("stray")
    releases.gone("stray")


def test_the_definition_s_deletion_touches_nothing_though_it_cannot_be_read(namespaced):
    cluster, releases = namespaced.cluster, namespaced.releases(SHOP)
    names = [f"kept-{number}" for number in range(4)]
    for name in names:
        releases.create(name)
    for name in names:
        releases.settled(name, revision=1)
    since = cluster.audit_log.stat().st_size
    # Returns when the definition is gone, so every finalizer has come off.
    cluster.kubectl("delete", "crd", "helmreleases.whipstaff.dev", PATIENCE)
    assert [releases.data(name) is not None for name in names] == [True] * 4
    assert refused(namespaced.requests(since)) == []
    cluster.kubectl("apply", "--server-side", "-f", "crds")
    cluster.await_definitions("-f", "crds")


def test_in_a_namespace_too_a_release_may_bring_its_own_rights(namespaced):
    cluster = namespaced.cluster
    install(cluster, HOME, *IN_NAMESPACES, *RESTRICTED)
    an_account(cluster, SHOP, "tenant", *TENANT)
    since = cluster.audit_log.stat().st_size
    live_through(namespaced.releases(SHOP), serviceAccountName="tenant")
    requests = namespaced.requests(since)
    assert refused([each for each in requests if not each.acting_as]) == []
    assert any(each.acting_as for each in requests)


def test_a_release_that_names_its_account_needs_no_unrestricted_operator(restricted):
    live_through(restricted.releases(SHOP), serviceAccountName="tenant")
    assert refused([each for each in restricted.requests() if not each.acting_as]) == []


def test_a_repository_s_login_is_read_with_the_rights_that_are_given(restricted):
    repositories = LiveRepositories(restricted.cluster, SHOP)
    repositories.secret("login", username="jo", password="harbour")
    repositories.create("charts", restricted.charts.url, secretRef={"name": "login"})
    repositories.ready("charts")
    repositories.use("named", "charts", serviceAccountName="tenant", values={"text": "a"})
    repositories.releases.settled("named", revision=1)
    repositories.releases.delete("named")
    repositories.releases.gone("named")
    repositories.delete("charts")
    assert refused([each for each in restricted.requests() if not each.acting_as]) == []


def test_in_a_namespace_too_repositories_may_have_logins(namespaced):
    since = namespaced.cluster.audit_log.stat().st_size
    repositories = LiveRepositories(namespaced.cluster, SHOP)
    repositories.secret("login", username="jo", password="harbour")
    repositories.create("charts", namespaced.charts.url, secretRef={"name": "login"})
    repositories.ready("charts")
    repositories.delete("charts")
    assert refused([each for each in namespaced.requests(since) if not each.acting_as]) == []


def test_a_release_that_names_none_is_refused(restricted):
    releases = restricted.releases(SHOP)
    releases.create("nobodys")
    releases.refused("nobodys", "Forbidden")
    releases.edit("nobodys", serviceAccountName="tenant")
    releases.settled("nobodys", revision=1)
    releases.delete("nobodys")
    releases.gone("nobodys")


def test_each_right_is_used(restricted, charts, tmp_path):
    releases = restricted.releases(SHOP)
    define(restricted.cluster, tmp_path)
    restricted.cluster.kubectl("apply", "-f", FLUX_KIND)
    restricted.cluster.await_definitions("-f", FLUX_KIND)
    marks = {f"helm.toolkit.fluxcd.io/{key}": SHOP for key in ("name", "namespace")}
    found = {"metadata": {"name": "marked", "labels": marks}}
    releases.api.request("POST", releases.core("configmaps"), found)
    taking = {"install": {"disableTakeOwnership": False}}
    releases.create("marked", serviceAccountName="tenant", **taking)
    releases.settled("marked", revision=1)
    sources = FluxSources(restricted.cluster, SHOP, charts)
    for kind in PLURALS:
        sources.create(kind, "app")
        sources.use(kind.lower(), kind, "app", serviceAccountName="tenant")
        releases.refused(kind.lower(), "SourceNotReady")
    values = [{"kind": kind, "name": "more", "optional": True} for kind in ("ConfigMap", "Secret")]
    releases.create("valued", valuesFrom=values, serviceAccountName="tenant")
    releases.settled("valued", revision=1)
    releases.create("lost", serviceAccountName="nobody")
    releases.refused("lost", "ServiceAccountNotFound")
    releases.create("brief", serviceAccountName="tenant")
    releases.settled("brief", revision=1)
    releases.delete("brief")
    releases.gone("brief")
    found = objects(*RESTRICTED)
    granted = rights_of(found["ClusterRole", "whipstaff"])
    granted |= rights_of(found["Role", "whipstaff-lease"])

    def unused():
        requests = restricted.requests()
        return sorted(right for right in granted if not used(right, requests))

    for _ in range(300):  # watches begin a moment later
        if not unused():
            break
        time.sleep(0.1)
    assert unused() == []


def test_the_roles_of_the_namespaced_mode_give_no_other_rights(restricted):
    found = objects(*RESTRICTED, *IN_NAMESPACES)
    everywhere = rights_of(objects(*RESTRICTED)["ClusterRole", "whipstaff"])
    here = rights_of(found["Role", "whipstaff", SHOP])
    assert {right.resource for right in everywhere - here} == {"customresourcedefinitions"}
    assert here - everywhere == set()


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("view", ["get", "list", "watch"], ["create", "patch", "delete"]),
        ("edit", ["get", "create", "update", "patch", "delete"], ["deletecollection"]),
        ("admin", ["get", "create", "delete", "deletecollection"], ["impersonate"]),
    ],
)
def test_the_cluster_s_own_roles_cover_our_kind(restricted, role, may, may_not):
    cluster, person = restricted.cluster, f"{role}er"
    cluster.kubectl(
        *("create", "rolebinding", person, f"--clusterrole={role}", f"--user={person}", "-n", SHOP)
    )

    def allowed(verb):
        question = ("auth", "can-i", verb, "helmreleases.whipstaff.dev", "-n", SHOP)
        done = cluster.run("kubectl", *question, f"--as={person}", check=False)
        return done.stdout.strip() == "yes"

    # The controller that aggregates roles takes a moment.
    eventually(lambda: all(allowed(verb) for verb in may), f"{role} lacks rights")
    assert [verb for verb in may_not if allowed(verb)] == []


def test_the_pod_that_the_chart_describes_is_admitted_where_only_restricted_ones_are(restricted):
    cluster = restricted.cluster
    cluster.kubectl("label", "namespace", SHOP, "pod-security.kubernetes.io/enforce=restricted")
    template = objects()["Deployment", "whipstaff"]["spec"]["template"]
    spec = template["spec"] | {"serviceAccountName": "default"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trial"}, "spec": spec}
    cluster.kubectl("create", "-n", SHOP, "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod))
    cluster.kubectl("label", "namespace", SHOP, "pod-security.kubernetes.io/enforce-")


def test_drift_is_found_by_interval_where_the_operator_may_not_watch(restricted):
    releases = restricted.releases(SHOP)
    enabled = {"mode": "enabled"}
    spec = {"chart": "app", "interval": "1s", "driftDetection": enabled}
    start = restricted.cluster.audit_log.stat().st_size
    releases.create("tended", **spec, serviceAccountName="tenant")
    releases.settled("tended", revision=1)
    place = ("-n", SHOP)
    restricted.cluster.kubectl("label", "deployment/tended", *place, f"{MANAGED_BY}-")
    releases.until("tended", lambda release: release["status"].get("drift"))
    deployment = releases.find(f"/apis/apps/v1/namespaces/{SHOP}/deployments/tended")
    assert deployment["metadata"]["labels"][MANAGED_BY] == "Helm"
    refusals = refused([each for each in restricted.requests(start) if not each.acting_as])
    assert {uri.partition("?")[0] for _, uri in refusals} == {"/apis/apps/v1/deployments"}
    releases.delete("tended")
    releases.gone("tended")
