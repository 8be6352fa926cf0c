"""`whipstaff init` against a cluster on paper; tests/cluster/test_init.py has a real one."""

import base64
import json
from contextlib import contextmanager

import pytest
import yaml
from click.testing import CliRunner

from tests.builders.certificates import Authority
from tests.builders.paper_cluster import PaperCluster
from whipstaff.cli import init as module
from whipstaff.cli.cluster_flags import Cluster
from whipstaff.cli.main import main
from whipstaff.settings import VERSION

SYSTEM = "whipstaff-system"
NAMESPACES = "/api/v1/namespaces"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments"
OPERATOR = f"{DEPLOYMENTS}/whipstaff"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/helmreleases.whipstaff.dev"
LABELS = {"app.kubernetes.io/name": "whipstaff", "app.kubernetes.io/instance": "whipstaff"}


@pytest.fixture
def cluster(monkeypatch):
    cluster = PaperCluster()

    @contextmanager
    def reached(flags):
        del flags
        with _translated():
            yield Cluster(cluster, "")

    monkeypatch.setattr(module, "reached_directly", reached)
    return cluster


@contextmanager
def _translated():
    try:
        yield
    except module.OperatorError as error:
        raise module.click.ClickException(error.text) from error


def init(*arguments, code=0):
    told = CliRunner().invoke(main, ["init", *arguments])
    assert told.exit_code == code, (told.output, told.exception)
    return told


def refused(cluster, *arguments):
    """Give what an init says that writes nothing."""
    before = list(cluster.writes)
    told = init(*arguments, code=1)
    assert cluster.writes == before
    return told.stderr


def image(cluster):
    (container,) = cluster.objects[OPERATOR]["spec"]["template"]["spec"]["containers"]
    return container["image"]


def printed(*arguments):
    return list(yaml.safe_load_all(init("-o", "yaml", *arguments).stdout))


def test_everything_is_made_in_an_order_that_works(cluster):
    told = init()
    assert f"whipstaff {VERSION} is installed in the namespace {SYSTEM}" in told.stdout
    paths = [path for _, path in cluster.writes]
    assert paths[0] == f"{NAMESPACES}/{SYSTEM}"
    assert paths[1] == DEFINITION
    assert paths.index(f"{NAMESPACES}/{SYSTEM}/serviceaccounts/whipstaff") < paths.index(OPERATOR)
    assert image(cluster).endswith(f":{VERSION}")
    assert cluster.objects[OPERATOR]["metadata"]["labels"]["app.kubernetes.io/managed-by"] == (
        "whipstaff-cli"
    )


def test_printing_asks_no_cluster_and_names_the_namespace_everywhere(cluster):
    bodies = printed("-n", "ops", "--image", "mirror/whipstaff", "--version", "0.0.9")
    assert cluster.writes == []
    kinds = [body["kind"] for body in bodies]
    assert kinds[:3] == ["Namespace", "CustomResourceDefinition", "CustomResourceDefinition"]
    for body in bodies:
        if body["kind"] in ("Deployment", "ServiceAccount", "Service", "Role", "RoleBinding"):
            assert body["metadata"]["namespace"] == "ops"
    (operator,) = (body for body in bodies if body["kind"] == "Deployment")
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "mirror/whipstaff:0.0.9"
    listed = json.loads(init("-n", "ops", "-o", "json").stdout)
    assert (listed["kind"], len(listed["items"])) == ("List", len(bodies))


def test_values_of_the_chart_are_taken(cluster):
    init("--set", "historyLimit=3", "--set", "crds.install=false")
    (container,) = cluster.objects[OPERATOR]["spec"]["template"]["spec"]["containers"]
    assert {"name": "WHIPSTAFF_HISTORY_LIMIT", "value": "3"} in container["env"]
    assert DEFINITION not in cluster.objects


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        pytest.param(["--set", "historyLimit=x"], "/historyLimit", id="values of another type"),
        pytest.param(["--set", "nothing=x"], "nothing", id="values that there are not"),
        pytest.param(["-f", "/nowhere/x.yaml"], "/nowhere/x.yaml", id="a file that is not there"),
        pytest.param(["--image", "a b"], "--image", id="no image"),
        pytest.param(["--version", "1", "--canary"], "both", id="two versions"),
        pytest.param(["-n", "a/../b"], "--namespace", id="a namespace that is a path"),
        pytest.param(["--service-account", "A"], "--service-account", id="no account's name"),
        pytest.param(["--tls-cert", "/nowhere"], "both of them", id="a certificate alone"),
        pytest.param(["--tls-client-ca", "/nowhere"], "both of them", id="an authority alone"),
        pytest.param(
            ["--tls-cert", "/nowhere", "--tls-key", "/nowhere"], "open /nowhere", id="no such files"
        ),
        pytest.param(["--timeout", "soon"], "--timeout", id="no duration"),
        pytest.param(["now"], "accepts no arguments", id="an argument"),
    ],
)
def test_flags_that_make_no_sense_write_nothing(cluster, arguments, why):
    assert why in refused(cluster, *arguments)
    assert why in init(*arguments, "-o", "yaml", code=1).stderr


def test_a_second_init_changes_nothing_and_brings_back_what_is_missing(cluster):
    init("--set", "historyLimit=3")
    before = dict(cluster.objects)
    del cluster.objects[f"{RBAC}/clusterroles/whipstaff"]
    init("--set", "historyLimit=3")
    assert cluster.objects.keys() == before.keys()
    told = refused(cluster, "--set", "historyLimit=4")
    assert "whipstaff init --upgrade -n whipstaff-system" in told
    assert "--upgrade" in refused(cluster, "--set", "historyLimit=3", "--version", "0.0.9")


def test_an_init_that_was_killed_is_finished_by_the_next(cluster):
    flags = ["--set", "admission.enabled=true"]
    whole = {body["kind"] + body["metadata"]["name"] for body in printed(*flags)}
    for survived in (0, 1, 3, 9, len(whole) - 2, len(whole) - 1):
        cluster.objects.clear()
        cluster.dies_after(survived)
        init(*flags, code=137)
        assert len(cluster.objects) == survived
        cluster.dies_after(None)
        init(*flags)
        assert len(cluster.objects) == len(whole)


def test_ctrl_c_says_what_to_do(cluster):
    def interrupted(call):
        del call
        raise KeyboardInterrupt

    cluster.before_write = interrupted
    assert "not finished: run the same again" in init(code=130).stderr


def test_an_upgrade_keeps_values_and_takes_the_version_of_the_client(cluster):
    init("--image", "mirror/whipstaff:old", "--set", "historyLimit=3,gateway.enabled=true")
    told = init("--upgrade", "--set", "concurrency=4")
    assert image(cluster) == f"mirror/whipstaff:{VERSION}"
    noted = cluster.objects[OPERATOR]["metadata"]["annotations"]["whipstaff.dev/values"]
    assert json.loads(noted) == {
        "concurrency": 4,
        "gateway": {"enabled": True},
        "historyLimit": 3,
        "image": {"repository": "mirror/whipstaff"},
    }
    assert f"whipstaff {VERSION} is installed" in told.stdout


def test_an_upgrade_takes_away_what_is_wanted_no_more(cluster):
    init("--set", "gateway.enabled=true")
    stranger = {"metadata": {"name": "other", "labels": LABELS}}
    cluster.put(f"{RBAC}/clusterroles/other", stranger)
    assert f"{DEPLOYMENTS}/whipstaff-gateway" in cluster.objects
    cluster.put(f"{NAMESPACES}/shop", {"metadata": {"name": "shop"}})
    init("--upgrade", "--set", "gateway.enabled=false,watchNamespaces={shop}")
    assert f"{DEPLOYMENTS}/whipstaff-gateway" not in cluster.objects
    assert f"{RBAC}/clusterroles/whipstaff-unrestricted" not in cluster.objects
    assert f"{RBAC}/clusterroles/other" in cluster.objects
    assert f"{RBAC}/namespaces/shop/roles/whipstaff" in cluster.objects


def test_back_to_the_version_before_and_forth(cluster):
    init()
    told = init("--upgrade", "--version", "0.0.9")
    assert f"whipstaff 0.0.9 is installed in the namespace {SYSTEM} in place of {VERSION}" in (
        told.stdout
    )
    assert image(cluster).endswith(":0.0.9")
    init("--upgrade")
    assert image(cluster).endswith(f":{VERSION}")


def test_definitions_of_a_newer_version_stay(cluster):
    init()
    cluster.objects[DEFINITION]["metadata"]["labels"]["app.kubernetes.io/version"] = "99.0.0"
    before = cluster.objects[DEFINITION]
    told = init("--upgrade")
    assert "helmreleases.whipstaff.dev stays as version 99.0.0 made it" in told.stderr
    assert cluster.objects[DEFINITION] is before


def test_what_is_not_installed_cannot_be_upgraded(cluster):
    assert "leave --upgrade out" in refused(cluster, "--upgrade")


def test_a_check_writes_nothing_whatever_it_finds(cluster):
    told = init("--check")
    assert f"nothing is in the way of {VERSION}" in told.stdout
    assert "API server: v1.34.1" in told.stdout
    assert cluster.writes == []
    init()
    assert "operator: whipstaff 0.1.0 in the namespace whipstaff-system" in (
        init("--check", "--upgrade").stdout
    )


def test_an_api_server_that_is_too_old_is_named(cluster):
    cluster.version = "v1.28.3"
    assert "the API server is v1.28.3" in refused(cluster)
    assert "v1.28.3" in refused(cluster, "--check")


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        pytest.param(
            {"labels": {**LABELS, "app.kubernetes.io/managed-by": "Helm"}},
            "helm upgrade whipstaff -n ops",
            id="helm",
        ),
        pytest.param(
            {"labels": {**LABELS, "kustomize.toolkit.fluxcd.io/name": "apps"}},
            "upgrade it in Git, where Flux takes it from",
            id="Flux",
        ),
        pytest.param({"labels": LABELS}, "whipstaff reset -n ops", id="manifests"),
        pytest.param(
            {"labels": {**LABELS, "app.kubernetes.io/managed-by": "whipstaff-cli"}},
            "whipstaff init --upgrade -n ops",
            id="init, elsewhere",
        ),
    ],
)
def test_an_earlier_installation_is_named_with_the_way_to_upgrade_it(cluster, marks, told):
    body = {"metadata": {"name": "whipstaff", "namespace": "ops", **marks}, "spec": {}}
    cluster.put("/apis/apps/v1/namespaces/ops/deployments/whipstaff", body)
    assert told in refused(cluster)
    assert told in refused(cluster, "--upgrade")


def test_objects_of_somebody_else_are_not_written_over(cluster):
    path = f"{RBAC}/clusterroles/whipstaff"
    cluster.put(path, {"metadata": {"name": "whipstaff"}})
    assert "ClusterRole whipstaff is there already" in refused(cluster)


def test_a_definition_that_is_going_is_waited_for_by_people(cluster):
    init("--set", "fullnameOverride=x")
    cluster.objects[DEFINITION]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    told = refused(cluster, "--set", "fullnameOverride=x")
    assert "CustomResourceDefinition helmreleases.whipstaff.dev is being deleted" in told


def test_namespaces_and_accounts_that_are_missing_are_named(cluster):
    told = refused(
        *(cluster, "--service-account", "robot"),
        *("--set", "watchNamespaces={shop},crds.install=false"),
    )
    assert "Namespace shop, whose HelmReleases are to be looked after, is not there" in told
    assert f"ServiceAccount {SYSTEM}/robot is not there" in told


def test_all_missing_rights_are_named_at_once(cluster):
    cluster.lacking = {
        "create deployments.apps",
        "escalate clusterroles.rbac.authorization.k8s.io",
        "impersonate serviceaccounts",
    }
    told = refused(cluster)
    assert f"- you may not create deployments.apps in the namespace {SYSTEM}" in told
    assert "rights of ClusterRole whipstaff, as you do not have: impersonate serviceaccounts" in (
        told
    )


def test_who_may_nothing_is_told_everything(cluster):
    cluster.lacking = {"all"}
    cluster.forbidden = {
        *("/apis/apps/v1/deployments", DEPLOYMENTS, f"{NAMESPACES}/{SYSTEM}", DEFINITION),
    }
    told = refused(cluster, "--check")
    assert f"- you may not list deployments.apps in the namespace {SYSTEM}" in told
    assert "customresourcedefinitions.apiextensions.k8s.io helmreleases.whipstaff.dev" in told


@pytest.fixture
def files(tmp_path):
    authority = Authority()
    for name in ("one", "two"):
        certificate, key = authority.issue()
        (tmp_path / f"{name}.crt").write_text(certificate)
        (tmp_path / f"{name}.key").write_text(key)
    (tmp_path / "ca.crt").write_text(authority.pem)
    (tmp_path / "none").write_text("nothing")
    return tmp_path


def test_a_certificate_brings_the_gateway_that_shows_it(cluster, files):
    flags = ["--tls-cert", f"{files}/one.crt", "--tls-key", f"{files}/one.key"]
    init(*flags, "--tls-client-ca", f"{files}/ca.crt")
    secret = cluster.objects[f"{NAMESPACES}/{SYSTEM}/secrets/whipstaff-gateway-tls"]
    held = {name: base64.b64decode(part).decode() for name, part in secret["data"].items()}
    assert held == {
        "tls.crt": (files / "one.crt").read_text(),
        "tls.key": (files / "one.key").read_text(),
        "ca.crt": (files / "ca.crt").read_text(),
    }
    pod = cluster.objects[f"{DEPLOYMENTS}/whipstaff-gateway"]["spec"]["template"]["spec"]
    assert pod["volumes"][1]["secret"]["secretName"] == "whipstaff-gateway-tls"
    assert "--tls-client-ca=/etc/whipstaff/tls/ca.crt" in pod["containers"][0]["args"]
    init("--upgrade")
    assert secret == cluster.objects[f"{NAMESPACES}/{SYSTEM}/secrets/whipstaff-gateway-tls"]


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(["--tls-cert", "one.crt", "--tls-key", "two.key"], id="of two certificates"),
        pytest.param(["--tls-cert", "none", "--tls-key", "one.key"], id="no certificate"),
        pytest.param(["--tls-cert", ".", "--tls-key", "one.key"], id="a folder"),
        pytest.param(
            ["--tls-cert", "one.crt", "--tls-key", "one.key", "--tls-client-ca", "none"],
            id="no authority",
        ),
    ],
)
def test_certificates_that_do_not_serve_are_refused(cluster, files, flags):
    named = [flag if flag.startswith("--") else f"{files}/{flag}" for flag in flags]
    told = refused(cluster, *named)
    assert str(files) in told
    assert "PRIVATE" not in told


def test_a_certificate_of_somebody_else_is_not_written_over(cluster, files):
    path = f"{NAMESPACES}/{SYSTEM}/secrets/whipstaff-gateway-tls"
    cluster.put(path, {"metadata": {"name": "whipstaff-gateway-tls", "namespace": SYSTEM}})
    flags = ["--tls-cert", f"{files}/one.crt", "--tls-key", f"{files}/one.key"]
    assert f"Secret {SYSTEM}/whipstaff-gateway-tls is there already" in refused(cluster, *flags)
