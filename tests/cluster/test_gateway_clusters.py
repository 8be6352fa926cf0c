"""One gateway for two real clusters: who is somebody there, and what if one is away."""

import json

import pytest
import yaml
from click.testing import CliRunner

from tests.builders.browsers import Browser
from tests.builders.gateways import ACCOUNT, RunningGateway, grant
from tests.builders.granted import FORBIDDEN, requests_of
from tests.builders.own_chart import ROOT, by_name
from tests.builders.permissions import an_account
from tests.builders.remote_clusters import kubeconfig_to, store
from tests.builders.small_charts import a_packed_chart
from tools.controlplane import programs
from tools.controlplane.cluster import Cluster
from tools.running_operator import NAMESPACE, prepare
from whipstaff.cli.main import main

HELMRELEASES = ("whipstaff.dev", ["helmreleases"], ["get", "list"])
ACCESS = "whipstaff-gateway-access"
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"
BLOG = "/v1/namespaces/web/releases/blog"


def a_cluster(folder, *releases):
    """A control plane with HelmReleases in the namespace web, and nobody who looks after them."""
    cluster = Cluster(folder, programs.find()).start(guarded=True)
    prepare(cluster)
    cluster.kubectl("create", "namespace", "web")
    chart = {"name": "blog", "repository": "https://charts.example"}
    for name in releases:
        body = {
            "apiVersion": "whipstaff.dev/v1",
            "kind": "HelmRelease",
            "metadata": {"name": name, "namespace": "web"},
            "spec": {"chart": chart},
        }
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(body))
    return cluster


def let_list(cluster, user):
    cluster.kubectl(
        "create", "rolebinding", f"list-{user}", "-n", "web", "--role", "lister", "--user", user
    )


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    cluster = a_cluster(tmp_path_factory.mktemp("hub") / "cluster", "blog", "shop")
    an_account(cluster, "web", "lister", HELMRELEASES)
    an_account(cluster, "web", "known")
    let_list(cluster, "alice")
    grant(cluster, "gateway.clusters.enabled=true")
    yield cluster
    cluster.stop(grace_seconds=0.0)


@pytest.fixture(scope="module")
def east(tmp_path_factory):
    """The other one, which gives a gateway what deploy/gateway/other-cluster.yaml says."""
    cluster = a_cluster(tmp_path_factory.mktemp("east") / "cluster", "blog")
    an_account(cluster, "web", "lister", HELMRELEASES)
    given = by_name(
        yaml.safe_load_all((ROOT / "deploy" / "gateway" / "other-cluster.yaml").read_text())
    )
    (rule,) = given["ClusterRole", ACCESS]["rules"]
    accounts = [f"whipstaff:serviceaccount:web:{name}" for name in ("lister", "known")]
    rule["resourceNames"] += ["alice", *accounts]
    text = yaml.safe_dump_all(given.values())
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
    for user in ("alice", "whipstaff:serviceaccount:web:known"):
        let_list(cluster, user)
    an_account(cluster, "web", "page", ("whipstaff.dev", ["helmreleases"], ["patch"]))
    edit = ("page-alice", "-n", "web", "--role", "page", "--user", "alice")
    cluster.kubectl("create", "rolebinding", *edit)
    yield cluster
    cluster.stop(grace_seconds=0.0)


@pytest.fixture(scope="module")
def gateway(hub, east):
    running = RunningGateway(
        hub, "--clusters-namespace", NAMESPACE, "--allow-loopback-clusters", "--cluster-name", "hub"
    )
    try:
        token = east.service_account_token(NAMESPACE, ACCESS)
        store(hub, NAMESPACE, "to-east", kubeconfig_to(east, token))
        hub.kubectl("label", "secret", "to-east", "-n", NAMESPACE, "whipstaff.dev/cluster=east")
        running.until("/v1/releases", hub.tokens["alice"], lambda found: found["total"] == 3)
        yield running
    finally:
        status = running.stop()
    assert status == 0


def names(found):
    return [f"{one['cluster']}/{one['name']}" for one in found["items"]]


def test_a_list_has_the_releases_of_both(hub, gateway):
    found = gateway.get("/v1/releases", hub.tokens["alice"]).json
    assert (names(found), found["unreachable"]) == (["east/blog", "hub/blog", "hub/shop"], [])
    assert names(gateway.get("/v1/releases", hub.tokens["alice"], cluster="east").json) == [
        "east/blog"
    ]
    there = gateway.get(BLOG, hub.tokens["alice"], cluster="east").json
    here = gateway.get(BLOG, hub.tokens["alice"]).json
    assert there["uid"] != here["uid"]
    states = gateway.get("/v1/clusters", hub.tokens["alice"]).json["items"]
    assert [(one["name"], one["own"], one["reachable"]) for one in states] == [
        ("hub", True, True),
        ("east", False, True),
    ]


def test_who_is_somebody_here_is_there_who_the_same_name_may_be(hub, east, gateway):
    account = hub.service_account_token("web", "lister")  # east has one of that name, with rights
    found = gateway.get("/v1/releases", account).json
    assert (names(found), found["unreachable"]) == (["hub/blog", "hub/shop"], [])
    assert gateway.get(BLOG, account, cluster="east").status == 403
    known = gateway.get("/v1/releases", hub.service_account_token("web", "known")).json
    assert names(known) == ["east/blog"]
    # The administrator here is of system:masters, which is nobody's group there.
    mine = gateway.get("/v1/releases", hub.tokens["admin"]).json
    assert names(mine) == ["hub/blog", "hub/shop"]
    (refusal,) = mine["unreachable"]
    assert (refusal["cluster"], "impersonate" in refusal["reason"]) == ("east", True)


def test_a_token_goes_to_no_other_cluster(hub, east, gateway):
    gateway.get(BLOG, hub.tokens["alice"], cluster="east")
    user = f"system:serviceaccount:{NAMESPACE}:{ACCESS}"
    asked = requests_of(east.audit_log, user)
    assert {one.acting_as for one in asked} >= {"whipstaff:gateway-reader", "alice"}
    alone = [one for one in asked if not one.acting_as and one.code != FORBIDDEN]
    assert {one.verb for one in alone} <= {"get"}  # /version
    assert not requests_of(east.audit_log, "alice")
    assert not requests_of(east.audit_log, "system:serviceaccount:web:lister")


def test_the_gateway_s_own_account_impersonates_and_nothing_else(hub, gateway):
    asked = requests_of(hub.audit_log, f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}")
    assert {(one.acting_as, one.resource) for one in asked} == {
        ("whipstaff:gateway-reader", "helmreleases"),
        ("whipstaff:gateway-clusters", "secrets"),
    }


def test_the_client_goes_to_the_cluster_that_it_names(hub, east, gateway, tmp_path):
    chart = tmp_path / "settings.tgz"
    chart.write_bytes(a_packed_chart("settings", text=SETTINGS))
    east.helm("install", "made-there", str(chart), "-n", "web")
    both = "--resource=secrets,helmreleases.whipstaff.dev"
    for cluster in (hub, east):
        cluster.kubectl("create", "role", "editor", "-n", "web", "--verb=get,list,patch", both)
        binding = ("edit-alice", "-n", "web", "--role", "editor", "--user", "alice")
        cluster.kubectl("create", "rolebinding", *binding)

    def run(line):
        way = ("--server", gateway.url, "--server-token", hub.tokens["alice"], "-n", "web")
        told = CliRunner().invoke(main, [*line.split(), *way], env={"KUBECONFIG": "/nowhere"})
        return told.exit_code, told.stdout, told.stderr

    assert run("list -q") == (0, "", "")
    assert run("list -q --cluster east") == (0, "made-there\n", "")
    assert run("suspend blog --cluster east")[0] == 0
    suspended = [
        yaml.safe_load(cluster.kubectl("get", "helmrelease", "blog", "-n", "web", "-o", "yaml"))[
            "spec"
        ].get("suspend", False)
        for cluster in (hub, east)
    ]
    assert suspended == [False, True]
    code, _, said = run("list --cluster west")
    assert (code, "there is no cluster west" in said) == (1, True)


def test_a_cluster_that_freezes_is_named_until_it_is_back(hub, east, gateway):
    alice = hub.tokens["alice"]
    east.pause_api_server()
    try:
        found = gateway.until("/v1/releases", alice, lambda found: found["unreachable"])
        assert names(found) == ["hub/blog", "hub/shop"]
        assert [one["cluster"] for one in found["unreachable"]] == ["east"]
        assert gateway.get(BLOG, alice, cluster="east").status == 502
        assert gateway.get(BLOG, alice).status == 200
    finally:
        east.resume_api_server()
    gateway.until("/v1/releases", alice, lambda found: found["total"] == 3)


@pytest.mark.browser
def test_a_button_on_another_cluster_s_page_edits_there(hub, east, gateway, tmp_path):
    east.kubectl(*EDIT, '{"spec": {"suspend": false}}')
    browser = Browser(tmp_path)
    page = f"{gateway.url}/ui/namespaces/web/releases/blog?cluster=east"
    try:
        browser.open(page)
        browser.fill("token", hub.tokens["alice"])
        browser.click("Sign in")
        browser.waits_for("cluster east")
        browser.click("Suspend…")
        browser.waits_for("suspend: true")
        browser.click("Suspend")
        browser.waits_for("the edit was made")
        browser.waits_for("∥ suspended")
        assert "cluster=east" in browser.url
        assert [suspended(hub), suspended(east)] == [False, True]
        browser.script("window.stayed = 1")
        east.kubectl(*EDIT, '{"spec": {"suspend": false}}')
        browser.until(lambda: "∥ suspended" not in browser.text, "it stays suspended")
        assert browser.script("return window.stayed") == 1
        browser.open(f"{gateway.url}/ui/")
        browser.waits_for("cluster east")
        assert browser.troubles() == []
    finally:
        browser.close()


EDIT = ("patch", "helmrelease", "blog", "-n", "web", "--type=merge", "-p")


def suspended(cluster):
    found = json.loads(cluster.kubectl("get", "helmrelease", "blog", "-n", "web", "-o", "json"))
    return found["spec"].get("suspend", False)


def test_a_secret_that_goes_takes_its_cluster_along(hub, gateway):
    hub.kubectl("delete", "secret", "to-east", "-n", NAMESPACE)
    alice = hub.tokens["alice"]
    gateway.until("/v1/clusters", alice, lambda found: len(found["items"]) == 1)
    assert names(gateway.get("/v1/releases", alice).json) == ["hub/blog", "hub/shop"]
    assert gateway.get(BLOG, alice, cluster="east").status == 404
