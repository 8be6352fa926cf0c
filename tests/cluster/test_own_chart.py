"""charts/whipstaff as Helm, kustomize and Whipstaff itself see it; the operator has its rights."""

import shutil

import pytest
import yaml
from click.testing import CliRunner

from tests.builders.granted import refused, requests_of
from tests.builders.live_releases import LiveReleases
from tests.builders.own_chart import CHART, NAMESPACE, ROOT, by_name, objects, rendered
from tests.builders.small_charts import settings_chart
from tools.chartrepo import ChartRepository
from tools.controlplane import programs
from tools.controlplane.cluster import Cluster
from tools.manifests import plain
from tools.running_operator import RunningOperator
from whipstaff.cli.manifests import manifests

NEXT = "0.2.0"
DEFINITION = "helmreleases.whipstaff.dev"
NEW_COLUMN = {"name": "Extra", "type": "string", "jsonPath": ".metadata.name", "priority": 1}
VALUES = {
    "default": (),
    "restricted": ("rbac.unrestricted=false",),
    "namespaced": ("watchNamespaces={shop,blog}", "crds.install=false"),
    "judging": ("admission.enabled=true", "watchNamespaces={shop}"),
    "all set": (
        *("fullnameOverride=helm", "image.tag=v9", "imagePullSecrets[0].name=registry"),
        *("service.type=NodePort", "service.nodePort=30080", "service.annotations.a=b"),
        *("serviceAccount.annotations.c=d", "podAnnotations.e=f", "podLabels.g=h"),
        *("nodeSelector.disk=ssd", "tolerations[0].key=gpu", "affinity.nodeAffinity.i=j"),
        *("priorityClassName=high", "extraEnv[0].name=A", "extraEnv[0].value=b", "resources=null"),
    ),
    "without rights": ("rbac.create=false", "serviceAccount.create=false"),
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    own = Cluster(tmp_path_factory.mktemp("own") / "cluster", programs.find())
    yield own.start(guarded=True)
    own.stop(grace_seconds=0.0)


@pytest.fixture(scope="module")
def charts(tmp_path_factory):
    """The chart as it is, and a next version that changes a definition."""
    later = tmp_path_factory.mktemp("later") / "whipstaff"
    shutil.copytree(CHART, later)
    path = later / "files" / "crds" / "helmreleases.yaml"
    definition = yaml.safe_load(path.read_text(encoding="utf-8"))
    definition["spec"]["versions"][0]["additionalPrinterColumns"].append(NEW_COLUMN)
    path.write_text(yaml.safe_dump(definition), encoding="utf-8")
    with ChartRepository() as served:
        served.add(CHART)
        served.add(later, NEXT, NEXT)
        served.add(settings_chart())
        yield served


@pytest.fixture(scope="module")
def releases(cluster, charts):
    """The chart, installed by helm; the operator outside, with the rights of its ServiceAccount."""
    cluster.helm(
        *("install", "whipstaff", str(CHART), "-n", NAMESPACE, "--create-namespace"),
        *("--wait", "--timeout", "60s"),
    )
    operator = RunningOperator(cluster).start()
    yield LiveReleases(cluster, NAMESPACE, charts.url)
    operator.stop()


@pytest.fixture(scope="module")
def own(releases):
    """The operator's own HelmRelease, which has taken over what helm installed."""
    releases.create(
        "whipstaff",
        chart="whipstaff",
        version="0.1.0",
        releaseName="whipstaff",
        values={"historyLimit": 5},
        uninstall={"deletionPolicy": "Orphan"},
    )
    releases.settled("whipstaff")
    assert releases.history("whipstaff")[0] == (2, "deployed")
    return releases


@pytest.mark.parametrize("settings", VALUES.values(), ids=VALUES)
def test_helm_renders_the_chart_as_we_do(cluster, settings):
    flags = [flag for setting in settings for flag in ("--set", setting)]
    theirs = cluster.helm("template", "whipstaff", str(CHART), "-n", NAMESPACE, *flags)
    assert rendered(*settings) == theirs


def test_helm_finds_no_fault_with_the_chart(cluster):
    assert "0 chart(s) failed" in cluster.helm("lint", "--strict", str(CHART))


@pytest.mark.parametrize(
    ("component", "settings"), [(None, ()), ("admission", ("admission.enabled=true",))]
)
def test_kustomize_gives_what_the_chart_gives_and_the_namespace(
    cluster, tmp_path, component, settings
):
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    components = [f"deploy/{component}"] if component else []
    whole = {"resources": ["deploy"], "components": components}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    text = cluster.kubectl("kustomize", str(tmp_path))
    built = by_name(yaml.safe_load_all(text))
    expected = {}
    for (kind, name, *place), body in objects(*settings).items():
        expected[kind, name, *place] = plain(body)
    namespace = built.pop(("Namespace", NAMESPACE))
    assert namespace["metadata"]["name"] == NAMESPACE
    # What kustomize says of a namespace, helm says by its flag.
    placed = {(kind, name): without_namespace(body) for (kind, name, *_), body in built.items()}
    assert placed == {(kind, name): body for (kind, name, *_), body in expected.items()}


def without_namespace(body):
    body["metadata"].pop("namespace", None)
    return body


@pytest.mark.parametrize("source", [("-k", "deploy"), ("-f", "-")], ids=["kustomize", "command"])
def test_the_manifests_are_accepted_with_no_field_unknown(cluster, source):
    printed = CliRunner().invoke(manifests).output
    done = cluster.run(
        *("kubectl", "apply", "--server-side", "--dry-run=server", "--validate=strict"),
        *("--force-conflicts", *source),
        stdin=printed,
        check=False,
    )
    # A dry run has no namespace for what comes after it.
    complaints = [
        line
        for line in done.stderr.splitlines()
        if f'namespaces "{NAMESPACE}" not found' not in line
    ]
    assert complaints == []


def columns(cluster):
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{DEFINITION}"
    (version,) = cluster.api.request("GET", path)["spec"]["versions"]
    return [column["name"] for column in version["additionalPrinterColumns"]]


def deployment(cluster):
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/whipstaff"
    return cluster.api.request("GET", path)


def test_whipstaff_takes_over_upgrades_and_rolls_back_its_own_chart(own, cluster):
    before = columns(cluster)
    own.create("bystander")
    own.settled("bystander", revision=1)

    own.choose("whipstaff", NEXT)
    own.settled("whipstaff", revision=3)
    assert columns(cluster) == [*before, NEW_COLUMN["name"]]
    (container,) = deployment(cluster)["spec"]["template"]["spec"]["containers"]
    assert container["image"].endswith(f":{NEXT}")
    assert deployment(cluster)["status"]["readyReplicas"] == 1

    own.edit("whipstaff", revision=2)
    own.settled("whipstaff", revision=4)
    assert columns(cluster) == before
    assert "Rollback to 2" in own.helm("history", "whipstaff")
    assert own.history("bystander") == [(1, "deployed")]


def test_the_chart_s_rights_are_enough_for_releases_of_any_kind(own, cluster):
    # Its own release has ClusterRoles, bindings and a definition.

    user = f"system:serviceaccount:{NAMESPACE}:whipstaff"
    own.create("short-lived")
    own.settled("short-lived", revision=1)
    own.edit("short-lived", values={"text": "b"})
    own.settled("short-lived", revision=2)
    own.delete("short-lived")
    own.gone("short-lived")
    assert refused(requests_of(cluster.audit_log, user)) == []


def test_uninstalling_the_operator_leaves_releases_and_what_runs(own, cluster):
    own.create("survivor")
    own.settled("survivor", revision=1)
    own.delete("whipstaff")
    own.gone("whipstaff")
    assert deployment(cluster)
    cluster.helm("uninstall", "whipstaff", "-n", NAMESPACE, "--wait", "--timeout", "60s")
    assert own.get("survivor")["status"]["revision"] == 1
    assert own.data("survivor") is not None
