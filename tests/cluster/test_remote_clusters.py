"""A HelmRelease on one control plane, its release on another."""

import http.server
import json
import threading

import pytest
from click.testing import CliRunner

from tests.builders.atomic_releases import atomic_chart
from tests.builders.live_releases import LiveReleases, condition, eventually, is_true
from tests.builders.permissions import EVERYTHING, an_account
from tests.builders.remote_clusters import a_kubeconfig, administrator, kubeconfig_to, store
from tests.builders.small_charts import a_packed_chart, app_chart, settings_chart
from tools.chartrepo import ChartRepository
from tools.controlplane import programs
from tools.controlplane.client import ApiClient, Refused
from tools.controlplane.cluster import Cluster
from tools.running_operator import RunningOperator, prepare
from whipstaff.cli.main import main

HOME, SHOP = "team", "shop"
THERE = {"secretRef": {"name": "there"}}
LOOKUP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  color: {{ (lookup "v1" "ConfigMap" "shop" "facts").data.color | quote }}
  tested: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
"""


@pytest.fixture(scope="module")
def clusters(tmp_path_factory):
    """Two control planes."""
    folder = tmp_path_factory.mktemp("clusters")
    both = [Cluster(folder / name, programs.find()) for name in ("home", "remote")]
    yield [each.start(guarded=True) for each in both]
    for each in both:
        each.stop(grace_seconds=0.0)


@pytest.fixture(scope="module")
def charts():
    with ChartRepository() as served:
        for version in ("1.0.0", "1.1.0"):
            served.add(settings_chart(version))
        served.add(app_chart())
        served.add(a_packed_chart("asking", lookup=LOOKUP))
        yield served


@pytest.fixture(scope="module")
def home(clusters, charts):
    """The HelmReleases on the first control plane, with an operator at work."""
    cluster = clusters[0]
    prepare(cluster)
    cluster.kubectl("create", "namespace", HOME)
    environment = {"WHIPSTAFF_ALLOW_LOOPBACK_CLUSTERS": "true"}
    operator = RunningOperator(cluster, environment=environment).start()
    yield LiveReleases(cluster, HOME, charts.url)
    operator.stop()


@pytest.fixture(scope="module")
def remote(clusters, home):
    """What is on the second, whose administrator's kubeconfig is in Secret `there`."""
    cluster = clusters[1]
    cluster.kubectl("create", "namespace", SHOP)
    token = administrator(cluster, "default", "whipstaff")
    store(home.control_plane, HOME, "there", kubeconfig_to(cluster, token))
    return LiveReleases(cluster, SHOP)


def helm_ls(releases):
    listed = json.loads(releases.helm("ls", "-o", "json"))
    return {each["name"]: (each["revision"], each["status"]) for each in listed}


def test_a_release_lives_there_and_helm_sees_it(home, remote):
    home.create("life", version="1.0.0", kubeConfig=THERE, targetNamespace=SHOP, releaseName="life")
    home.settled("life", revision=1)

    assert remote.data("life")["text"] == "plain"
    assert helm_ls(remote)["life"] == ("1", "deployed")
    assert home.data("life", SHOP) is None
    assert home.stored("life") == {}

    home.choose("life", "1.1.0")
    home.settled("life", revision=2)
    assert remote.data("life-dropped") is None
    assert remote.stored("life") == {1: "superseded", 2: "deployed"}

    home.edit("life", revision=1)
    home.settled("life", revision=3)
    assert remote.data("life")["chart"] == "1.0.0"

    home.delete("life")
    home.gone("life")
    assert remote.data("life") is None
    assert "life" not in helm_ls(remote)


def test_tests_run_there_when_somebody_asks_for_them_here(home, remote, charts):
    charts.add(atomic_chart())
    spec = {"kubeConfig": THERE, "targetNamespace": SHOP, "releaseName": "tried"}
    home.create("tried", "atomic", **spec)
    home.settled("tried", revision=1)
    line = ["test", "tried", "-n", HOME, "--logs"]
    told = CliRunner().invoke(
        main, line, prog_name="whipstaff", env=home.control_plane.environment()
    )
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith(f"NAME: tried\nNAMESPACE: {SHOP}\nREVISION: 1\n")
    assert "TEST SUITE:     tried-test\n" in told.stdout
    assert remote.find(remote.core("pods", "tried-test")) is not None


def test_what_is_changed_there_is_put_right_by_interval(home, remote):
    spec = {"targetNamespace": SHOP, "releaseName": "tended", "interval": "1s"}
    home.create("tended", kubeConfig=THERE, driftDetection={"mode": "enabled"}, **spec)
    home.settled("tended", revision=1)

    remote.control_plane.kubectl("delete", "configmap", "tended", "-n", SHOP)

    eventually(lambda: remote.data("tended"), "it is not made again")
    home.until("tended", lambda release: release["status"].get("drift"))
    home.delete("tended")
    home.gone("tended")


def test_a_namespace_is_made_there_and_a_deployment_waited_for(home, remote):
    spec = {"kubeConfig": THERE, "targetNamespace": "fresh", "releaseName": "web"}
    home.create("web", chart="app", **spec)
    home.refused("web", "NamespaceNotFound")

    home.edit("web", createNamespace=True)
    home.settled("web")

    found = remote.api.request("GET", "/apis/apps/v1/namespaces/fresh/deployments/web")
    assert found["status"]["readyReplicas"] == found["spec"]["replicas"]
    home.delete("web")
    home.gone("web")


def test_the_namespace_of_the_same_name_is_not_taken_to_exist_there(home, remote):
    home.create("same", kubeConfig=THERE)

    assert HOME in home.refused("same", "NamespaceNotFound")["message"]
    home.delete("same")
    home.gone("same")


def test_lookup_and_capabilities_are_those_of_the_other_cluster(home, remote):
    facts = {"metadata": {"name": "facts"}, "data": {"color": "blue"}}
    remote.api.request("POST", remote.core("configmaps"), facts)

    home.create("ask", "asking", kubeConfig=THERE, targetNamespace=SHOP, releaseName="ask")
    home.settled("ask")

    assert remote.data("ask") == {"color": "blue", "tested": "true"}
    home.delete("ask")
    home.gone("ask")


def test_a_service_account_is_impersonated_there(home, remote):
    """Of the HelmRelease's namespace and name, as it is there."""
    cluster = remote.control_plane
    cluster.kubectl("create", "namespace", HOME)
    user = an_account(cluster, HOME, "deployer", ("", ["secrets"], EVERYTHING))
    home.create("bound", kubeConfig=THERE, serviceAccountName="deployer")

    message = home.refused("bound", "Forbidden")["message"]
    assert user in message
    assert "configmaps" in message
    assert f'namespace "{HOME}"' in message

    role = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{HOME}/roles/deployer"
    cluster.api.request("PATCH", path, {"rules": role})
    home.ask("bound")
    home.settled("bound")
    home.delete("bound")
    home.gone("bound")


def test_the_credentials_may_change(home, remote):
    cluster, local = remote.control_plane, home.control_plane
    old = administrator(cluster, "default", "old")
    store(local, HOME, "turning", kubeconfig_to(cluster, old))
    spec = {"kubeConfig": {"secretRef": {"name": "turning"}}, "targetNamespace": SHOP}
    home.create("turn", releaseName="turn", **spec)
    home.settled("turn")
    cluster.kubectl("delete", "serviceaccount", "old")
    # The API server takes a token for a while after its account went.
    stranger = ApiClient(cluster.server, cluster.ca_certificate, old)
    eventually(lambda: is_refused(stranger), "the token is still taken")

    home.edit("turn", values={"text": "new"})
    message = home.refused("turn", "KubeConfigInvalid")["message"]
    assert "does not take the kubeconfig's credentials" in message
    assert old not in message

    new = administrator(cluster, "default", "new")
    store(local, HOME, "turning", kubeconfig_to(cluster, new))
    home.settled("turn", revision=2)
    assert remote.data("turn")["text"] == "new"
    home.delete("turn")
    home.gone("turn")


def reason_now(releases, name):
    """Ask for a pass, and say why the HelmRelease is Ready or not as far as is known."""
    releases.ask(name)
    return condition(releases.get(name), "Ready")["reason"]


def is_refused(api):
    try:
        api.request("GET", "/api")
    except Refused as refused:
        return refused.code == 401
    return False


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        pytest.param("exec", ({"exec": {"command": "canary"}}, {}), "exec", id="a program"),
        pytest.param("file", ({"tokenFile": "/canary"}, {}), "tokenFile", id="a file"),
        pytest.param("proxy", (None, {"proxy-url": "http://canary"}), "proxy-url", id="a proxy"),
        pytest.param(
            "insecure",
            (None, {"insecure-skip-tls-verify": True}),
            "allow_insecure_clusters",
            id="no check of certificates",
        ),
        pytest.param(
            "metadata",
            (None, {"server": "https://169.254.169.254"}),
            "169.254.169.254 is no address",
            id="a metadata service",
        ),
    ],
)
def test_a_kubeconfig_that_wants_too_much_is_refused(home, remote, name, given, said):
    user, cluster = given
    entry = {"server": remote.control_plane.server, **cluster}
    store(home.control_plane, HOME, name, a_kubeconfig("", cluster=entry, user=user))
    home.create(name, kubeConfig={"secretRef": {"name": name}})

    message = home.refused(name, "KubeConfigForbidden")["message"]
    assert said in message
    assert "canary" not in message

    home.delete(name)
    home.gone(name)


def test_a_kubeconfig_that_wanted_too_much_is_acted_on_once_it_is_mended(home, remote):
    """It is Stalled meanwhile: no try would help."""
    user = {"exec": {"command": "canary"}}
    entry = {"server": remote.control_plane.server}
    store(home.control_plane, HOME, "mended", a_kubeconfig("", cluster=entry, user=user))
    home.create("mended", kubeConfig={"secretRef": {"name": "mended"}}, targetNamespace=SHOP)
    home.refused("mended", "KubeConfigForbidden")
    home.until("mended", lambda release: is_true(release, "Stalled"))
    token = administrator(remote.control_plane, "default", "mended")
    store(home.control_plane, HOME, "mended", kubeconfig_to(remote.control_plane, token))
    home.settled("mended")
    home.delete("mended")
    home.gone("mended")


def test_a_secret_that_comes_later_is_found_at_once(home, remote):
    home.create("late", kubeConfig={"secretRef": {"name": "late"}}, targetNamespace=SHOP)
    message = home.refused("late", "KubeConfigInvalid")["message"]
    assert message.startswith(f"Secret {HOME}/late")

    token = administrator(remote.control_plane, "default", "late")
    store(
        home.control_plane, HOME, "late", kubeconfig_to(remote.control_plane, token), "value.yaml"
    )
    home.settled("late")
    home.delete("late")
    home.gone("late")


def test_a_release_whose_cluster_is_lost_can_be_let_go(home, remote):
    cluster, local = remote.control_plane, home.control_plane
    token = administrator(cluster, "default", "lost")
    store(local, HOME, "lost", kubeconfig_to(cluster, token))
    spec = {"kubeConfig": {"secretRef": {"name": "lost"}}, "targetNamespace": SHOP}
    home.create("lost", releaseName="lost", **spec)
    home.settled("lost")
    local.kubectl("delete", "secret", "lost", "-n", HOME)
    eventually(lambda: reason_now(home, "lost") == "KubeConfigInvalid", "nobody misses the Secret")

    home.delete("lost")
    message = home.refused("lost", "KubeConfigInvalid")["message"]
    assert "set spec.uninstall.deletionPolicy: Orphan" in message

    home.edit("lost", uninstall={"deletionPolicy": "Orphan"})
    home.gone("lost")
    assert remote.data("lost")["text"] == "plain"


def test_a_namespace_that_takes_the_secret_along_can_end(home, remote):
    cluster, local = remote.control_plane, home.control_plane
    local.kubectl("create", "namespace", "leaving")
    token = administrator(cluster, "default", "leaving")
    store(local, "leaving", "there", kubeconfig_to(cluster, token))
    leaving = LiveReleases(local, "leaving", home.repository_url)
    leaving.create("left", kubeConfig=THERE, targetNamespace=SHOP, releaseName="left")
    leaving.settled("left")

    local.kubectl("delete", "namespace", "leaving", "--wait=false")

    path = "/api/v1/namespaces/leaving"
    eventually(lambda: home.find(path) is None, "the namespace does not end", 60.0)


class Silent(http.server.BaseHTTPRequestHandler):
    """Takes requests and never answers."""

    def do_GET(self):
        self.server.over.wait(60.0)

    def log_message(self, *_arguments): ...


@pytest.fixture
def silent_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.daemon_threads = True
    server.over = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.over.set()
    server.shutdown()
    server.server_close()


def test_clusters_that_do_not_answer_hold_nobody_up(home, remote, silent_server):
    local = home.control_plane
    store(local, HOME, "silent", a_kubeconfig(silent_server))
    store(local, HOME, "closed", a_kubeconfig("https://127.0.0.1:1"))
    names = [f"dead-{number}" for number in range(24)]
    for number, name in enumerate(names):
        secret = ("silent", "closed")[number % 2]
        home.create(name, kubeConfig={"secretRef": {"name": secret}}, targetNamespace=SHOP)

    home.create("alive", createNamespace=True, targetNamespace="here", releaseName="alive")
    home.settled("alive")

    for name, secret in zip(names, ("silent", "closed") * 12, strict=True):
        message = home.refused(name, "RemoteClusterUnreachable")["message"]
        assert message.startswith(f"the cluster of Secret {HOME}/{secret} does not answer: ")
    for name in (*names, "alive"):
        home.delete(name)
    for name in (*names, "alive"):
        home.gone(name)


def test_a_cluster_that_is_away_for_a_while_is_found_again(home, remote):
    """Last of all: its tests need no other cluster."""
    home.create("back", kubeConfig=THERE, targetNamespace=SHOP, releaseName="back")
    home.settled("back")
    remote.control_plane.pause_api_server()
    home.edit("back", values={"text": "later"})
    home.refused("back", "RemoteClusterUnreachable")
    ready = condition(home.get("back"), "Ready")
    assert "does not answer" in ready["message"]

    remote.control_plane.resume_api_server()
    home.settled("back", revision=2, seconds=90.0)
    assert remote.data("back")["text"] == "later"

    remote.control_plane.pause_api_server()
    home.delete("back")
    message = home.refused("back", "RemoteClusterUnreachable")["message"]
    assert "set spec.uninstall.deletionPolicy: Orphan" in message

    remote.control_plane.resume_api_server()
    home.gone("back", seconds=90.0)
    assert remote.data("back") is None
