"""The release half through a gateway beside the same commands at the API server, byte for byte."""

import re

import pytest
from click.testing import CliRunner

from tests.builders.gateways import RunningGateway, grant
from tests.builders.live_releases import LiveReleases, eventually
from tests.builders.permissions import EVERYTHING, an_account
from tests.builders.small_charts import DEPLOYMENT, a_packed_chart
from tools.chartrepo import ChartRepository
from tools.controlplane import audit
from whipstaff.cli.main import main

PLACE = "client-gateway"
SECRET = """apiVersion: v1
kind: Secret
metadata: {name: "{{ .Release.Name }}-login"}
stringData: {password: "{{ .Values.password }}"}
"""
TEST = """apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-t", annotations: {helm.sh/hook: test}}
"""
CHART = {"login": SECRET, "app": DEPLOYMENT, "check": TEST, "notes": "{{ .Values.password }}\n"}
VALUES = "replicas: 1\npodAnnotations: {}\npassword: canary-7f1e\ntext: one\n"
MINE = (
    ("whipstaff.dev", ["helmreleases"], EVERYTHING),
    ("", ["secrets", "configmaps", "pods"], ["get", "list", "patch"]),
    ("apps", ["deployments"], ["get", "patch"]),
)
AGE = re.compile(r"\b\d+[smhd](\d+[smh])?$", re.MULTILINE)
POD_LIST = re.compile(r"(PodList.{0,40}resourceVersion\W{1,6})\d+", re.DOTALL)
DEPLOYED = re.compile(r"^(LAST DEPLOYED|Last Started|Last Completed): .*", re.MULTILINE)
READS = [
    "version",
    "list",
    "list -o json",
    "list -q",
    "list --superseded",
    "list -A",
    "history blog",
    "history blog -o json",
    "history none",
    "status blog",
    "status blog -o json",
    "status blog --revision 1 -o yaml",
    "status none",
    "get all blog",
    "get all blog --template {{.Release.Name}}{{.Release.Labels}}",
    "get values blog -a",
    "get values blog --revision 1 -o json",
    "get manifest blog",
    "get hooks blog",
    "get notes blog",
    "get metadata blog",
    "get metadata blog -o yaml --revision 1",
    "get manifest none",
    "plan blog",
    "diff blog",
    "diff blog --revision 1",
    "diff none",
    "wait blog",
    "wait none --timeout 1s",
    "rollback blog 9",
    "rollback blog 1 --dry-run=client",
    "rollback blog 1 --dry-run=server",
    "uninstall blog --dry-run",
    "uninstall none",
]
LIFE = [
    "install shop settings --set text=two",
    "upgrade shop settings --reuse-values --set password=another-one --no-hooks",
    "upgrade shop settings --history-max 7",
    "rollback shop 2",
    "unpin shop --wait",
    "pin shop 1 --wait",
    "suspend shop",
    "resume shop --wait",
    "reconcile shop --force --wait",
    "test shop",
    "uninstall shop --keep-history --wait=hookOnly",
]


class Site:
    """One release, and whoever asks about it both ways."""

    def __init__(self, cluster, url, home):
        self.cluster = cluster
        self.releases = LiveReleases(cluster, PLACE, url)
        an_account(cluster, PLACE, "person", *MINE)
        an_account(cluster, PLACE, "nobody")
        self.gateway = RunningGateway(cluster, name="client-gateway")
        self.tokens = {
            name: cluster.service_account_token(PLACE, name) for name in ("person", "nobody")
        }
        self.home = {f"HELM_{kind}_HOME": str(home / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        self.home["HOME"] = str(home)
        path = f"/v1/namespaces/{PLACE}/releases"
        eventually(
            lambda: self.gateway.get(path, self.tokens["person"]).status == 200, "it may not ask"
        )

    def run(self, line, *way, **environment):
        words = [*line.split(), "-n", PLACE, *way]
        if words[0] in ("install", "upgrade"):
            words += ["--repo", self.releases.repository_url]
        return CliRunner().invoke(
            main, words, prog_name="whipstaff", env={**self.home, **environment}
        )

    def directly(self, line, who="person"):
        kubeconfig = self.cluster.kubeconfig_for(self.tokens[who], who)
        return self.run(line, "--kubeconfig", str(kubeconfig))

    def through(self, line, who="person"):
        way = {"WHIPSTAFF_SERVER": self.gateway.url, "WHIPSTAFF_SERVER_TOKEN": self.tokens[who]}
        return self.run(line, **way, KUBECONFIG="/nowhere")

    def ways(self):
        return self.directly, self.through


@pytest.fixture(scope="module")
def site(operator, tmp_path_factory):
    with ChartRepository() as served:
        served.add(a_packed_chart("settings", "1.0.0", VALUES, **CHART))
        operator.cluster.kubectl("create", "namespace", PLACE)
        grant(operator.cluster)
        found = Site(operator.cluster, served.url, tmp_path_factory.mktemp("home"))
        yield found
        assert found.gateway.stop() == 0
        operator.cluster.kubectl("delete", "namespace", PLACE, "--wait=false")


def shown(told):
    """Give what was printed, ages and versions of lists left out."""
    text = POD_LIST.sub(r"\1N", AGE.sub("AGE", told.stdout))
    return told.exit_code, text, told.stderr


def both(site, line):
    """Run a line both ways; again where live objects changed in between, as controllers do."""
    for _ in range(20 if line.startswith("status") else 1):
        directly, through, after = (way(line) for way in (*site.ways(), site.directly))
        if shown(directly) == shown(after):
            break
    return directly, through


def test_each_command_prints_the_same_both_ways(site):
    site.releases.create("blog", "settings", values={"password": "canary-one-9c1b"})
    site.releases.settled("blog", revision=1)
    site.releases.edit("blog", values={"password": "canary-two-9c1b"})
    site.releases.settled("blog", revision=2)
    for line in READS:
        directly, through = both(site, line)
        assert (line, *shown(through)) == (line, *shown(directly))
    values = site.through("get values blog")
    assert (values.exit_code, "canary-two-9c1b" in values.stdout) == (0, True), values.output
    status = site.through("status blog")  # after dry runs, which did nothing
    assert (status.exit_code, "==> v1/Secret" in status.stdout) == (0, True), status.output


def test_what_would_change_is_planned_the_same_both_ways(site):
    site.releases.create("ahead", "settings", values={"password": "canary-one-9c1b"})
    site.releases.settled("ahead", revision=1)
    values = {"password": "canary-three-9c1b", "replicas": 2}
    site.releases.edit("ahead", suspend=True, values=values)
    directly, through = (way("diff ahead --exit-code") for way in site.ways())
    assert shown(through) == shown(directly), through.output
    assert (through.exit_code, "~ change Deployment" in through.stdout) == (2, True)
    assert "canary" not in through.output
    wrong = {**values, "replicas": "many"}
    site.releases.edit("ahead", values=wrong)
    directly, through = (way("diff ahead") for way in site.ways())
    assert shown(through) == shown(directly)
    assert (through.exit_code, "replicas" in through.stderr) == (1, True)


def test_who_may_not_is_told_so_in_the_same_words(site):
    for line in ("list", "history blog", "status blog", "diff blog", "pin blog 1"):
        directly, through = (way(line, "nobody") for way in site.ways())
        assert (line, *shown(through)) == (line, *shown(directly))
        assert (line, through.exit_code) == (line, 1)
        assert "forbidden" in through.stderr


def lived(site, way, line):
    """Give what a command of a life prints, and what its HelmRelease says then."""
    told = way(line)
    assert (line, told.exit_code, told.stderr if told.exit_code else "") == (line, 0, "")
    spec = {} if line.startswith("uninstall") else site.releases.get("shop")["spec"]
    return line, DEPLOYED.sub("", told.stdout), spec


def test_a_release_lives_the_same_life_both_ways(site):
    lives = []
    for way in site.ways():
        told = [lived(site, way, line) for line in LIFE]
        lives.append(told)
        stored = site.through("history shop -o json").stdout
        assert stored.count('"revision"') >= 4
        site.releases.gone("shop")
        secrets = "-l=owner=helm,name=shop"
        site.cluster.kubectl("delete", "secret", "-n", PLACE, secrets)
    assert lives[0] == lives[1]
    managers = {
        each.user_agent.partition("/")[0]
        for each in audit.read(site.cluster.audit_log)
        if (each.namespace, each.name, each.resource) == (PLACE, "shop", "helmreleases")
        and each.is_write
    }
    assert {"whipstaff-cli", "whipstaff-gateway"} <= managers
