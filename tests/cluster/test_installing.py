"""`whipstaff init` and `reset`: the operator comes, changes and goes; what runs does not notice."""

import itertools
import json
import threading
from contextlib import contextmanager

import pytest
import yaml
from click.testing import CliRunner

from tests.builders.certificates import Authority
from tests.builders.live_releases import LiveReleases
from tests.builders.small_charts import app_chart, settings_chart
from tools.chartrepo import ChartRepository
from tools.controlplane import audit, programs
from tools.controlplane.cluster import ROOT, Cluster
from tools.running_operator import RunningOperator
from whipstaff.cli.main import main
from whipstaff.settings import VERSION

SYSTEM = "whipstaff-system"
DEFINITIONS = ("helmreleases.whipstaff.dev", "helmrepositories.whipstaff.dev")
APPLIES = ["get", "create", "patch"]
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
        found = {
            **self.objects("configmaps,deployments,pods", "-n", "shop"),
            **self.objects("secrets", "-n", "shop", "-l", "owner=helm"),
        }
        return {
            key: (one["metadata"]["uid"], one["metadata"]["resourceVersion"])
            for key, one in found.items()
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
    life.ours("init")
    life.cluster.await_definitions(*(f"crd/{name}" for name in DEFINITIONS))
    life.cluster.kubectl("apply", "--server-side", "-f", str(file))
    life.taken_up()
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
