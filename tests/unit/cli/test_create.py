"""`whipstaff create` beside `helm create`: the same files, the same objects, in other words."""

import shutil
import subprocess

import pytest
import yaml

from tests.builders.beside_helm import Beside
from tests.builders.helm_commands import run
from whipstaff.cli import create

STARTER = {
    "st/Chart.yaml": """\
apiVersion: v2
name: st
version: 9.0.0
dependencies: [{name: s, version: 1.x.x}]
""",
    "st/values.yaml": "# of <CHARTNAME>\na: <CHARTNAME>\n",
    "st/templates/x.yaml": "a: <CHARTNAME>\n",
    "st/README.md": "<CHARTNAME>",
    "st/values.schema.json": "{}",
    "st/charts/s/Chart.yaml": "apiVersion: v2\nname: s\nversion: 1.0.0\n",
}


@pytest.fixture
def beside(tmp_path):
    return Beside(tmp_path)


@pytest.fixture(scope="module")
def charts(tmp_path_factory):
    """A new chart of each."""
    beside = Beside(tmp_path_factory.mktemp("create"))
    ours, helms = beside.run("create", "web")
    assert ours == helms
    return beside


@pytest.mark.cluster
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="no name"),
        pytest.param(["a", "b"], id="two names"),
        pytest.param(["web"], id="over another chart"),
        pytest.param(["web/../new"], id="beside it"),
        pytest.param(["absent/web"], id="in a folder that is not there"),
        pytest.param(["absent/"], id="a slash behind"),
        pytest.param(["a b"], id="a blank"),
        pytest.param(["é"], id="a letter that is not ASCII's"),
        pytest.param(["x" * 251], id="too long"),
        pytest.param(["/"], id="the root"),
        pytest.param(["file"], id="a file of the name"),
        pytest.param(["web", "--starter", "absent"], id="no such starter"),
    ],
)
def test_it_says_what_helm_says(beside, arguments):
    beside.lay_out({"file": "", "web/Chart.yaml": "mine"})
    ours, helms = beside.run("create", *arguments)
    assert ours == helms
    assert set(beside.ours.tree()) == set(beside.helm.tree())


@pytest.mark.cluster
@pytest.mark.parametrize("place", ["named", "st"], ids=["by its name", "by its path"])
def test_a_starter_is_copied_as_helm_copies_it(beside, place):
    beside.lay_out(STARTER)
    for side in (beside.helm, beside.ours):
        shutil.copytree(side.folder / "st", side.home / "DATA" / "starters" / "named")
    starter = place if place == "named" else beside.helm.folder / "st"
    beside.same("create", "folder/new", "-p", starter)
    beside.same("create", "folder/new", "-p", starter)


@pytest.mark.cluster
def test_the_files_and_the_values_are_those_of_helm(charts):
    assert set(charts.ours.tree()) == set(charts.helm.tree())
    for file in ("values.yaml", "Chart.yaml"):
        ours, helms = (
            yaml.safe_load((side.folder / "web" / file).read_text())
            for side in (charts.ours, charts.helm)
        )
        assert ours == helms


def rendered(side, charts, values):
    """What helm makes of a side's chart."""
    done = subprocess.run(
        [*charts.helm.command, "template", "rel", "web", "-n", "ns", "-f", values],
        cwd=side.folder,
        capture_output=True,
        check=True,
        text=True,
    )
    bodies = [body for body in yaml.safe_load_all(done.stdout) if body]
    return sorted(bodies, key=lambda body: (body["kind"], body["metadata"]["name"]))


EVERYTHING = """\
nameOverride: re
podLabels: {a: b}
podAnnotations: {c: d}
image: {tag: 7}
volumes: [{name: v}]
volumeMounts: [{name: v, mountPath: /v}]
nodeSelector: {a: b}
tolerations: [{key: x}]
affinity: {nodeAffinity: {}}
resources: {limits: {cpu: 1}}
securityContext: {runAsUser: 1}
podSecurityContext: {fsGroup: 2}
imagePullSecrets: [{name: x}]
livenessProbe: null
service: {type: NodePort, port: 81}
serviceAccount: {create: false, name: else}
autoscaling: {enabled: true, targetMemoryUtilizationPercentage: 3}
ingress:
  enabled: true
  className: c
  annotations: {a: b}
  tls: [{secretName: x, hosts: [a, b]}]
httpRoute:
  enabled: true
  annotations: {a: b}
  rules: [{matches: [{path: {value: /x}}], filters: [{type: X}]}]
"""


@pytest.mark.cluster
@pytest.mark.parametrize(
    "values",
    [
        pytest.param("{}", id="as it is"),
        pytest.param(EVERYTHING, id="with everything"),
        pytest.param("serviceAccount: {create: false}", id="the namespace's ServiceAccount"),
        pytest.param("fullnameOverride: other", id="other names"),
        pytest.param("nameOverride: rel", id="a name that is the release's"),
    ],
)
def test_it_renders_the_objects_of_helms_chart(charts, tmp_path, values):
    file = tmp_path / "values.yaml"
    file.write_text(values)
    ours, helms = (rendered(side, charts, file) for side in (charts.ours, charts.helm))
    assert ours == helms


@pytest.mark.cluster
def test_it_has_no_findings_that_helms_chart_has_not(charts):
    ours, helms = charts.run("lint", "web", "--strict")
    assert ours == helms


@pytest.mark.parametrize(
    ("values", "text"),
    [
        pytest.param("", "port-forward service/rel-web", id="inside the cluster"),
        pytest.param("service.type=NodePort", "NODE=", id="at a port of nodes"),
        pytest.param("service.type=LoadBalancer", "its load balancer", id="behind a balancer"),
        pytest.param("ingress.enabled=true", "http://chart-example.local/", id="an ingress"),
        pytest.param("httpRoute.enabled=true", "http://chart-example.local/headers", id="a route"),
        pytest.param(
            "httpRoute.enabled=true,httpRoute.hostnames=null",
            "kubectl get gateway gateway",
            id="a route without a name",
        ),
    ],
)
def test_its_notes_say_where_the_application_is(tmp_path, monkeypatch, values, text):
    monkeypatch.chdir(tmp_path)
    assert run("create", "web") == ("Creating web\n", "", 0)
    flags = ["--set", values] if values else []
    stdout, stderr, code = run("template", "rel", "web", "--notes", *flags)
    assert (stderr, code) == ("", 0)
    assert text in stdout


def test_every_file_of_the_starter_is_written():
    starter = create._STARTER
    found = {str(one.relative_to(starter)) for one in starter.rglob("*") if one.is_file()}
    assert found == set(create._FILES)
