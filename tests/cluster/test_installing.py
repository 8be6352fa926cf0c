"""`whipstaff init` and `reset`: the operator comes, changes and goes; what runs does not notice."""

import itertools
import json
import threading
from contextlib import contextmanager

import pytest
import yaml
from click.testing import CliRunner

from tests.builders.certificates import Authority
from tests.builders.live_releases import LiveReleases, eventually
from tests.builders.small_charts import app_chart, settings_chart
from tools.chartrepo import ChartRepository
from tools.controlplane import audit, programs
from tools.controlplane.cluster import ROOT, Cluster
from tools.running_operator import RunningOperator
from whipstaff.cli.lease_holders import LeaseWatch
from whipstaff.cli.letting_go import as_people_wrote_it
from whipstaff.cli.main import main
from whipstaff.helmrelease.names import FINALIZER
from whipstaff.kube import direct
from whipstaff.kube.direct import Direct
from whipstaff.settings import VERSION

SYSTEM = "whipstaff-system"
DEFINITIONS = ("helmreleases.whipstaff.dev", "helmrepositories.whipstaff.dev")
APPLIES = ["get", "create", "patch"]
KILLED = 137
MANY = 16  # HelmReleases, on several pages
RUNNING = [
    ("/api/v1", "configmaps", ""),
    ("/api/v1", "pods", ""),
    ("/api/v1", "secrets", "?labelSelector=owner%3Dhelm"),
    ("/apis/apps/v1", "deployments", ""),
]
RBAC = "rbac.authorization.k8s.io"
# All that installing takes, as docs/security.md has it.
ENOUGH = [
    ("", ["namespaces", "serviceaccounts", "services"], APPLIES),
    ("apiextensions.k8s.io", ["customresourcedefinitions"], APPLIES),
    (RBAC, ["clusterroles", "roles"], [*APPLIES, "bind", "escalate"]),
    (RBAC, ["clusterrolebindings", "rolebindings"], APPLIES),
    ("apps", ["deployments"], [*APPLIES, "list"]),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    own = Cluster(tmp_path_factory.mktemp("own") / "cluster", programs.find())
    yield own.start(guarded=True)
    own.stop(grace_seconds=0.0)


@pytest.fixture(scope="module")
def charts():
    with ChartRepository() as served:
        served.add(app_chart())
        yield served


class Life:
    """A cluster in which the operator is installed, and two releases in the namespace shop."""

    def __init__(self, cluster, url):
        self.cluster = cluster
        self.api = cluster.api
        self.releases = LiveReleases(cluster, "shop", url)
        self.operator = RunningOperator(cluster)

    def ours(self, *arguments, code=0, kubeconfig=None):
        """Run our command; it fails the test unless it ends as it should."""
        environment = self.cluster.environment()
        if kubeconfig is not None:
            environment["KUBECONFIG"] = str(kubeconfig)
        told = CliRunner().invoke(main, arguments, env=environment)
        assert told.exit_code == code, (told.output, told.exception)
        return told

    def account(self, name, rules):
        """Make an account with these rights in all namespaces; give the kubeconfig of its token."""
        self.cluster.kubectl("create", "serviceaccount", name, "-n", "default")
        body = {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [
                {"apiGroups": [group], "resources": resources, "verbs": verbs}
                for group, resources, verbs in rules
            ],
        }
        self.cluster.kubectl("create", "-f", "-", stdin=json.dumps(body))
        self.cluster.kubectl(
            *("create", "clusterrolebinding", name, f"--clusterrole={name}"),
            f"--serviceaccount=default:{name}",
        )
        token = self.cluster.service_account_token("default", name)
        return self.cluster.kubeconfig_for(token, name)

    def objects(self, kinds, *flags):
        """Give (kind, name) -> object."""
        told = self.cluster.kubectl("get", kinds, *flags, "-o", "json")
        return {(one["kind"], one["metadata"]["name"]): one for one in json.loads(told)["items"]}

    def running(self):
        """Give what runs, and the records of revisions, with uid and version of each."""
        return {
            (plural, one["metadata"]["name"]): (
                one["metadata"]["uid"],
                one["metadata"]["resourceVersion"],
            )
            for place, plural, query in RUNNING
            for one in self.api.request("GET", f"{place}/namespaces/shop/{plural}{query}")["items"]
        }

    def installed(self):
        """Give the objects of the operator, with uid, generation and version of each."""
        kinds = "customresourcedefinitions,clusterroles,clusterrolebindings"
        inside = "deployments,services,serviceaccounts,roles,rolebindings,secrets"
        found = {**self.objects(kinds), **self.objects(inside, "-n", SYSTEM)}
        return {
            key: tuple(
                one["metadata"].get(part)
                for part in ("uid", "generation")
                # Whoever counts replicas writes into a Deployment's status.
                + (() if key[0] == "Deployment" else ("resourceVersion",))
            )
            for key, one in found.items()
        }

    def image(self):
        body = self.objects("deployments", "-n", SYSTEM)["Deployment", "whipstaff"]
        return body["spec"]["template"]["spec"]["containers"][0]["image"]

    def is_there(self, kind, name, *flags):
        done = self.cluster.run("kubectl", "get", kind, name, *flags, check=False)
        return done.returncode == 0

    def revisions(self):
        told = self.cluster.helm("list", "-n", "shop", "-o", "json")
        return {one["name"]: (one["revision"], one["status"]) for one in json.loads(told)}

    def taken_up(self):
        """Have the operator run, and pass over all releases."""
        if self.operator.process is None:
            self.operator.start()
        for name in ("blog", "local"):
            self.releases.answered(name)
            self.releases.settled(name)

    def taken_up_from(self, text):
        """Install anew, apply HelmReleases, and have the operator pass over all of them."""
        self.ours("init")
        self.cluster.await_definitions(*(f"crd/{name}" for name in DEFINITIONS))
        self.cluster.kubectl("apply", "--server-side", "-f", "-", stdin=text)
        self.taken_up()

    def suspended(self, name, namespace):
        """Make a HelmRelease that the operator has once had, and is not to look after now."""
        body = self.releases.manifest(name, suspend=True)
        body["metadata"] = {"name": name, "finalizers": [FINALIZER]}
        path = f"/apis/whipstaff.dev/v1/namespaces/{namespace}/helmreleases"
        self.api.request("POST", path, body)

    def going(self):
        """Count HelmReleases that are being deleted."""
        found = self.objects("helmreleases", "--all-namespaces").values()
        return sum("deletionTimestamp" in one["metadata"] for one in found)


@pytest.fixture(scope="module")
def installation(cluster, charts, tmp_path_factory):
    """Installed by somebody who has just the rights that this takes."""
    life = Life(cluster, charts.url)
    enough = life.account("installer", ENOUGH)
    assert "nothing is in the way" in life.ours("init", "--check", kubeconfig=enough).stdout
    told = life.ours("init", "--wait", "--timeout", "60s", kubeconfig=enough)
    assert told.stdout == f"whipstaff {VERSION} is installed in the namespace {SYSTEM}\n"
    cluster.await_definitions(*(f"crd/{name}" for name in DEFINITIONS))
    cluster.kubectl("create", "namespace", "shop")
    life.operator.start()
    life.releases.create("blog", chart="app")
    life.releases.settled("blog", revision=1)
    life.releases.edit("blog", values={"replicas": 2})
    life.releases.settled("blog", revision=2)
    archive = tmp_path_factory.mktemp("chart") / "settings-1.0.0.tgz"
    archive.write_bytes(settings_chart())
    life.ours("install", "local", str(archive), "-n", "shop")
    yield life
    life.operator.stop()


@pytest.fixture
def life(installation):
    """The same, whatever the test before has left."""
    there = installation.is_there("deployment", "whipstaff", "-n", SYSTEM)
    installation.ours("init", *(["--upgrade"] if there else []))
    installation.taken_up()
    return installation


def test_who_installs_needs_no_more_rights_than_are_named(life):
    (operator,) = json.loads(life.ours("version", "-o", "json").stdout)["operators"]
    assert (operator["version"], operator["ready"]) == (VERSION, True)
    assert life.revisions() == {"blog": ("2", "deployed"), "local": ("1", "deployed")}


def test_who_lacks_rights_is_told_all_of_them_and_writes_nothing(life):
    kubeconfig = life.account("nobody", [])
    start = life.cluster.audit_log.stat().st_size
    lacking = [
        f"you may not list deployments.apps in the namespace {SYSTEM}",
        f"you may not patch customresourcedefinitions.apiextensions.k8s.io {DEFINITIONS[0]}",
        f"you may not create serviceaccounts in the namespace {SYSTEM}",
        "you may not give the rights of ClusterRole whipstaff, as you do not have: ",
        "* *.*",
    ]
    for arguments in (["init", "--check"], ["init"], ["init", "--upgrade"]):
        told = life.ours(*arguments, code=1, kubeconfig=kubeconfig).stderr
        assert [one for one in lacking if one not in told] == []
    told = life.ours("reset", "-n", SYSTEM, code=1, kubeconfig=kubeconfig).stderr
    assert "deployments.apps is forbidden" in told
    user = "system:serviceaccount:default:nobody"
    assert audit.writes(life.cluster.audit_log, start, user=user) == []


def test_a_context_that_there_is_not_is_named(life):
    for arguments in (["init"], ["init", "--check"], ["reset"], ["reset", "--crds"]):
        assert "nowhere" in life.ours(*arguments, "--context", "nowhere", code=1).stderr


def test_a_second_init_changes_nothing(life):
    before = life.installed()
    life.ours("init")
    life.ours("init", "--upgrade")
    assert life.installed() == before


def test_a_check_writes_nothing(life):
    start = life.cluster.audit_log.stat().st_size
    told = life.ours("init", "--check", "--upgrade", "--set", "gateway.enabled=true").stdout
    assert f"operator: whipstaff {VERSION} in the namespace {SYSTEM}" in told
    assert "HelmReleases: 2" in told
    assert audit.writes(life.cluster.audit_log, start, user_agent="whipstaff-cli") == []


def test_parts_come_with_an_upgrade_and_go_with_the_next(life, tmp_path):
    before = set(life.installed())
    certificate, key = Authority().issue()
    (tmp_path / "tls.crt").write_text(certificate)
    (tmp_path / "tls.key").write_text(key)
    flags = ["--tls-cert", f"{tmp_path}/tls.crt", "--tls-key", f"{tmp_path}/tls.key"]
    life.ours("init", "--upgrade", "--set", "admission.enabled=true", *flags)
    assert life.is_there("validatingwebhookconfiguration", "whipstaff")
    there = life.installed()
    assert ("Deployment", "whipstaff-gateway") in there
    life.ours("init", "--upgrade")
    assert life.installed() == there
    life.ours("init", "--upgrade", "--set", "admission.enabled=false,gateway.enabled=false")
    assert not life.is_there("validatingwebhookconfiguration", "whipstaff")
    secrets = ("whipstaff-admission", "whipstaff-gateway-tls")
    assert set(life.installed()) - before == {("Secret", name) for name in secrets}
    life.cluster.kubectl("delete", "secret", *secrets, "-n", SYSTEM)


def test_neither_another_version_nor_a_reset_changes_a_release(life):
    before, revisions = life.running(), life.revisions()
    start = life.cluster.audit_log.stat().st_size
    life.operator.stop()
    told = life.ours("init", "--upgrade", "--version", "0.0.9").stdout
    assert f"whipstaff 0.0.9 is installed in the namespace {SYSTEM} in place of {VERSION}" in told
    assert life.image().endswith(":0.0.9")
    life.taken_up()

    life.operator.stop()
    life.ours("init", "--upgrade")
    assert life.image().endswith(f":{VERSION}")
    assert "all that runs stay" in life.ours("reset", "--timeout", "60s").stdout
    left = [key for key in life.installed() if "whipstaff" in key[1]]
    assert left == [("CustomResourceDefinition", name) for name in DEFINITIONS]
    assert "no operator is installed" in life.ours("reset", code=1).stderr
    life.ours("init")
    life.taken_up()

    assert life.running() == before
    assert life.revisions() == revisions
    user = f"system:serviceaccount:{SYSTEM}:whipstaff"
    written = {
        one.resource
        for one in audit.writes(life.cluster.audit_log, start, user=user)
        if one.namespace == "shop"
    }
    assert written <= {"helmreleases", "helmreleases/status", "events"}


class Kills:
    """Ends a command right after each write that no run of it before has made."""

    def __init__(self, life):
        self.life = life
        self.made = set()

    def runs(self, arguments, code=0):
        """Run what `arguments` gives for a number until it ends by itself; yield at each death."""
        for number in itertools.count(1):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Direct, "send", self._sending(Direct.send))
                environment = self.life.cluster.environment()
                told = CliRunner().invoke(main, arguments(number), env=environment)
            if told.exit_code != KILLED:
                assert told.exit_code == code, (told.output, told.exception)
                return
            yield number

    def _sending(self, send):
        def sent(client, call):
            answer = send(client, call)
            write = call.method, call.path
            asked = call.method == "GET" or call.path.endswith("accessreviews")
            if not asked and write not in self.made:
                self.made.add(write)
                raise SystemExit(KILLED)
            return answer

        return sent


def test_whatever_write_is_the_last_the_same_command_again_finishes(life):
    before, installed = life.running(), set(life.installed())
    life.operator.stop()
    kills = Kills(life)
    # After the last of its writes nothing is left to be removed.
    deaths = len(list(kills.runs(lambda _: ["reset", "--timeout", "60s"], code=1)))
    left = [key for key in life.installed() if "whipstaff" in key[1]]
    assert left == [("CustomResourceDefinition", name) for name in DEFINITIONS]
    ours = {key for key in installed if "whipstaff" in key[1]}
    assert deaths == len(ours) - len(left) + 1  # one for each, and one for stopping it
    kills.made.clear()
    deaths = len(list(kills.runs(lambda _: ["init"])))
    assert set(life.installed()) == installed
    assert deaths == len(ours)
    assert life.running() == before


def test_definitions_may_stop_going_at_any_write_and_an_operator_be_at_work(
    life, monkeypatch, tmp_path
):
    before, revisions = life.running(), life.revisions()
    life.operator.stop()
    life.account("tireless", [("*", ["*"], ["*"])])  # rights that no reset takes away
    tireless = RunningOperator(life.cluster, "tireless", account="tireless", namespace="default")
    tireless.start()
    # That it is at work is what would end each run before the dangerous writes.
    monkeypatch.setattr(LeaseWatch, "still_working", lambda self: "")
    kills = Kills(life)
    flags = ["reset", "--crds", "--timeout", "60s", "--file"]
    for _ in kills.runs(lambda number: [*flags, f"{tmp_path}/{number}.yaml"]):
        assert life.running() == before
    assert tireless.process is not None
    tireless.stop()
    assert [key for key in life.installed() if "whipstaff" in key[1]] == []
    assert life.running() == before
    assert {"DELETE", "PATCH"} == {method for method, _ in kills.made}

    # Of the run that deleted the first definition: others had nothing to keep.
    (file,) = [path for path in tmp_path.iterdir() if path.stat().st_size]
    life.taken_up_from(file.read_text(encoding="utf-8"))
    assert life.running() == before
    assert life.revisions() == revisions


def test_what_is_being_deleted_or_in_a_namespace_that_is_or_one_of_many_stops_nothing(
    life, monkeypatch, tmp_path
):
    before = life.running()
    life.operator.stop()
    blog = life.releases.get("blog")
    life.cluster.kubectl("create", "namespace", "ending")
    held = {"metadata": {"name": "held", "finalizers": ["example.com/held"]}}
    life.api.request("POST", "/api/v1/namespaces/ending/configmaps", held)
    for number in range(MANY):
        life.suspended(f"release-{number}", "ending" if number % 2 else "shop")
    life.cluster.kubectl("delete", "namespace", "ending", "--wait=false")
    life.cluster.kubectl("delete", "helmrelease", "blog", "-n", "shop", "--wait=false")
    eventually(lambda: life.going() == MANY // 2 + 1, "HelmReleases of a namespace stay")

    file = tmp_path / "kept.yaml"
    monkeypatch.setattr(direct, "PAGE_ITEMS", 5)
    told = life.ours("reset", "--crds", "--file", str(file), "--timeout", "60s")
    assert "HelmRelease shop/blog was being deleted: what is left of its release" in told.stderr
    assert told.stderr.count("was being deleted") == MANY // 2 + 1
    kept = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    assert len([one for one in kept if one["metadata"]["name"].startswith("rel")]) == MANY // 2
    assert life.running() == before

    place = "/api/v1/namespaces/ending/configmaps/held"
    life.api.request("PATCH", place, {"metadata": {"finalizers": []}})
    ours = [one for one in kept if not one["metadata"]["name"].startswith("rel")]
    life.taken_up_from(yaml.safe_dump_all([*ours, as_people_wrote_it(blog)]))
    assert life.running() == before


@contextmanager
def an_operator_elsewhere(cluster):
    """Renew the Lease of another one, as it would, in another namespace."""
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    spec = {"holderIdentity": "robot", "leaseDurationSeconds": 15}
    cluster.api.request("POST", path, {"metadata": {"name": "whipstaff"}, "spec": spec})
    ended = threading.Event()

    def renew():
        for count in itertools.count(1):
            renewed = {"spec": {"leaseTransitions": count}}
            cluster.api.request("PATCH", f"{path}/whipstaff", renewed)
            if ended.wait(0.2):
                return

    working = threading.Thread(target=renew)
    working.start()
    try:
        yield
    finally:
        ended.set()
        working.join()
    cluster.api.request("PATCH", f"{path}/whipstaff", {"spec": {"holderIdentity": ""}})


def test_without_definitions_all_runs_on_and_is_taken_up_from_the_file(life, tmp_path):
    life.ours("reconcile", "blog", "--force", "--wait", "-n", "shop")
    repository = {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRepository",
        "metadata": {"name": "charts", "namespace": "shop"},
        "spec": {"url": life.releases.repository_url},
    }
    life.cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(repository))
    life.releases.settled("blog")
    before, revisions = life.running(), life.revisions()
    life.operator.stop()

    file = tmp_path / "kept.yaml"
    with an_operator_elsewhere(life.cluster):
        told = life.ours("reset", "--crds", "--file", str(file), code=1).stderr
    assert "robot, which holds the Lease default/whipstaff" in told
    assert not file.exists()
    assert life.releases.get("blog")["metadata"]["finalizers"]

    told = life.ours("reset", "--crds", "--file", str(file), "--timeout", "60s").stdout
    assert f"3 HelmReleases and HelmRepositories were written to {file}" in told
    assert [key for key in life.installed() if "whipstaff" in key[1]] == []
    assert life.running() == before
    assert life.revisions() == revisions
    kept = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    assert [body["metadata"]["name"] for body in kept] == ["blog", "local", "charts"]

    assert "file exists" in life.ours("reset", "--crds", "--file", str(file), code=1).stderr
    life.taken_up_from(file.read_text(encoding="utf-8"))
    assert life.running() == before
    assert life.revisions() == revisions
    assert life.releases.get("blog")["status"]["revision"] == int(revisions["blog"][0])
    life.releases.edit("blog", values={"replicas": 1})
    life.releases.settled("blog", revision=int(revisions["blog"][0]) + 1)
    # Without its HelmRelease, the Secret of the chart would be collected as garbage.
    assert life.is_there("secret", kept[1]["spec"]["chart"]["archiveFrom"]["name"], "-n", "shop")


def test_what_helm_installed_is_left_to_helm(installation):
    life = installation
    life.operator.stop()
    if life.is_there("deployment", "whipstaff", "-n", SYSTEM):
        life.ours("reset", "--timeout", "60s")
    chart = str(ROOT / "charts" / "whipstaff")
    flags = ("-n", "ops", "--create-namespace", "--set", "crds.install=false")
    life.cluster.helm("install", "theirs", chart, *flags)
    try:
        before = life.installed()
        for arguments in (["init", "--check"], ["init"], ["init", "--upgrade"]):
            assert "`helm upgrade theirs -n ops`" in life.ours(*arguments, code=1).stderr
        for arguments in (["reset"], ["reset", "--crds"]):
            assert "`helm uninstall theirs -n ops`" in life.ours(*arguments, code=1).stderr
        assert life.installed() == before
    finally:
        life.cluster.helm("uninstall", "theirs", "-n", "ops")
