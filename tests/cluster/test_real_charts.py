"""Real charts live through a release's life, and their manifests are Helm's bytes.

The charts of the shared control plane live at the same time; a chart whose webhooks would reach
beyond its namespace has a control plane of its own.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
import yaml

from tests.builders.live_releases import LiveReleases, eventually
from tools.chartrepo import ChartRepository
from tools.running_operator import RunningOperator, prepare

pytestmark = pytest.mark.corpus

SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Case:
    """A chart of the corpus, the values it is installed with and those of the upgrade."""

    folder: str
    chart: str
    change: dict
    values: dict = field(default_factory=dict)
    claims: tuple[str, ...] = ()  # of StatefulSets: they outlive a release, as with Helm


CASES = {
    case.folder: case
    for case in (
        Case(
            "helm-stable__wordpress",
            "wordpress",
            {"wordpressBlogName": "Changed"},
            claims=("data-x-mariadb-0",),
        ),
        Case(
            "bitnami__redis",
            "redis",
            {"replica": {"replicaCount": 2}},
            claims=(
                "redis-data-x-redis-master-0",
                "redis-data-x-redis-replicas-0",
                "redis-data-x-redis-replicas-1",
                "redis-data-x-redis-replicas-2",
            ),
        ),
        Case(
            "cert-manager__cert-manager",
            "cert-manager",
            {"crds": {"enabled": True}, "replicaCount": 2},
            values={"crds": {"enabled": True}},
        ),
        Case(
            "bitnami__wordpress",
            "wordpress",
            {"wordpressBlogName": "Changed"},
            claims=("data-x-mariadb-0",),
        ),
    )
}
NGINX = Case("kubernetes__ingress-nginx", "ingress-nginx", {"controller": {"replicaCount": 2}})


@dataclass
class Life:
    """What was seen of a chart's life."""

    expected: list[str]  # what helm would install, line by line; None where it differs each time
    stored: str = ""
    runs: list[str] = field(default_factory=list)  # manifests of the deployed revision, in order
    status_history: list = field(default_factory=list)
    helm_history: list = field(default_factory=list)
    helm_notes: str = ""
    left: list[str] = field(default_factory=list)
    records_left: dict = field(default_factory=dict)
    manifest_left: list[str] = field(default_factory=list)


def live(control_plane, corpus, case):
    """Take a chart through its life in a namespace named after it."""
    namespace = case.folder.replace("_", "-")
    control_plane.kubectl("create", "namespace", namespace)
    archive = (corpus / case.folder / "chart.tgz").read_bytes()
    with ChartRepository() as repository:
        repository.add(archive)
        releases = LiveReleases(control_plane, namespace, repository.url)
        life = Life(_helms_lines(releases, case, repository))
        releases.create("x", case.chart, values=case.values, timeout="2m")
        releases.settled("x", 1, SECONDS)
        life.stored = _text(releases.payload("x", 1))
        life.runs.append(releases.helm("get", "manifest", "x"))
        life.helm_notes = releases.helm("get", "notes", "x")
        releases.edit("x", values=case.change)
        releases.settled("x", 2, SECONDS)
        life.runs.append(releases.helm("get", "manifest", "x"))
        releases.edit("x", revision=1)
        release = releases.settled("x", 3, SECONDS)
        life.runs.append(releases.helm("get", "manifest", "x"))
        life.status_history = _ours(release)
        life.helm_history = _helms(releases)
        releases.delete("x")
        releases.gone("x", SECONDS)
    life.records_left = releases.stored("x")
    life.manifest_left = _living(control_plane, namespace, life.runs[-1])
    # Pods and ReplicaSets go after their owners, in their own time.
    eventually(
        lambda: not control_plane.kubectl("get", "pods,replicasets", "-n", namespace, "-o", "name"),
        f"pods stay in {namespace}",
    )
    life.left = _rest(control_plane, namespace)
    return life


def _helms_lines(releases, case, repository):
    """Have helm say twice what it would install; a line that differs is random: None."""
    values = yaml.safe_dump(case.values)

    def said():
        dry = ("--dry-run=server", "-o", "json", "-f", "-")
        source = (case.chart, "--repo", repository.url, "-n", releases.namespace)
        return _text(
            json.loads(releases.control_plane.helm("install", "x", *source, *dry, stdin=values))
        ).splitlines()

    first, second = said(), said()
    assert len(first) == len(second)
    return [one if one == other else None for one, other in zip(first, second, strict=True)]


def _text(payload):
    """Join the manifest of a stored revision, or of helm's JSON, with its hooks."""
    hooks = payload.get("hooks") or []
    texts = [f"# {hook['path']} {hook['events']}\n{hook['manifest']}" for hook in hooks]
    return "\n".join([payload["manifest"], *texts])


def _ours(release):
    facts = ("revision", "status", "description", "appVersion")
    return [
        [*(entry.get(fact, "") for fact in facts), f"{entry['chart']}-{entry['version']}"]
        for entry in reversed(release["status"]["history"])
    ]


def _helms(releases):
    facts = ("revision", "status", "description", "app_version", "chart")
    told = json.loads(releases.helm("history", "x", "-o", "json"))
    return [[entry[fact] for fact in facts] for entry in told]


def _living(control_plane, namespace, manifest):
    """Name the objects of a manifest that exist."""
    names = control_plane.kubectl(
        *("get", "-f", "-", "-n", namespace, "--ignore-not-found", "-o", "name"), stdin=manifest
    )
    return names.split()


def _rest(control_plane, namespace):
    """Name what is in a namespace beyond what each has."""
    kinds = "all,secrets,configmaps,serviceaccounts,roles,rolebindings,persistentvolumeclaims"
    kinds += ",ingresses,networkpolicies,poddisruptionbudgets"
    names = control_plane.kubectl("get", kinds, "-n", namespace, "-o", "name").split()
    own = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
    return [name for name in names if name not in own]


@pytest.fixture(scope="module")
def lives(operator, corpus):
    """The life of each chart, as something to wait for."""
    with ThreadPoolExecutor(len(CASES)) as together:
        yield {
            name: together.submit(live, operator.cluster, corpus, case)
            for name, case in CASES.items()
        }


@pytest.mark.parametrize("name", CASES)
def test_a_chart_is_installed_upgraded_rolled_back_and_uninstalled(lives, name):
    check(lives[name].result(), CASES[name])


def test_a_chart_with_hook_jobs_and_a_webhook_lives_its_life(own_cluster, corpus):
    cluster = own_cluster()
    prepare(cluster)
    running = RunningOperator(cluster).start()
    check(live(cluster, corpus, NGINX), NGINX)
    running.stop()


def check(life, case):
    lines = life.stored.splitlines()
    assert len(lines) == len(life.expected)
    for line, expected in zip(lines, life.expected, strict=True):
        assert expected in (line, None)
    installed, upgraded, rolled_back = life.runs
    assert installed != upgraded
    assert rolled_back == installed
    assert life.status_history == life.helm_history
    assert [entry[1:3] for entry in life.helm_history] == [
        ["superseded", "Install complete"],
        ["superseded", "Upgrade complete"],
        ["deployed", "Rollback to 1"],
    ]
    assert life.records_left == {}
    assert life.manifest_left == kept(installed)
    assert sorted(life.left) == [f"persistentvolumeclaim/{name}" for name in case.claims]


def kept(manifest):
    """Name what the manifest says is to be kept."""
    bodies = [body for body in yaml.safe_load_all(manifest) if body]
    return [
        f"customresourcedefinition.apiextensions.k8s.io/{body['metadata']['name']}"
        for body in bodies
        if "helm.sh/resource-policy" in (body["metadata"].get("annotations") or {})
    ]
