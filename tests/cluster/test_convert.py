"""`whipstaff convert`: the API server takes what it writes, and what runs is taken over."""

import json

import pytest
import yaml
from click.testing import CliRunner

from tests.builders.conversions import (
    a_flux_release,
    a_flux_source,
    a_helmchart,
    a_helmchartconfig,
    an_application,
    fields,
    with_field,
)
from tests.builders.small_charts import a_packed_chart
from tools.controlplane.cluster import ROOT
from whipstaff.cli.main import main

pytestmark = pytest.mark.cluster

PEERS = ROOT / "tests" / "docs" / "peers"
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data: {text: {{ .Values.text | quote }}, number: {{ .Values.number | quote }}}
"""
VALUES = {"text": "hello", "number": 3}


@pytest.fixture
def convert(control_plane):
    """Convert files or releases; the YAML that is printed."""

    def convert(*arguments, text="", code=0):
        told = CliRunner().invoke(
            main,
            ["convert", *arguments],
            input=text,
            prog_name="whipstaff",
            env=control_plane.environment(),
        )
        assert told.exit_code == code, told.output
        return told.stdout

    return convert


@pytest.fixture(scope="module")
def flux_kind(control_plane):
    """Flux's HelmReleases, as far as they can be stored."""
    file = str(PEERS / "flux.yaml")
    control_plane.kubectl("apply", "-f", file)
    control_plane.await_definitions("-f", file)
    yield
    control_plane.kubectl("delete", "-f", file)


@pytest.fixture(autouse=True)
def _published(repository):
    repository.add(a_packed_chart("blog", "1.0.0", "text: ''\nnumber: 0\n", settings=SETTINGS))


def with_every_field(body, name):
    """Return an object with all fields of its kind, but for those that say where the chart is."""
    kept = ("spec.chart", "spec.source.", "spec.repo", "spec.url", "spec.destination")
    whole = body
    for path, value in fields(name):
        if not path.startswith(kept):
            whole = with_field(whole, path, value)
    return whole


def in_namespace(text, namespace):
    """Have all objects of a text in one namespace; those of Flux's kinds stay out."""
    for body in yaml.safe_load_all(text):
        if body["apiVersion"] in {"whipstaff.dev/v1", "v1"}:
            yield {**body, "metadata": {**body["metadata"], "namespace": namespace}}


SAMPLES = {
    "flux-helmrelease": a_flux_release(),
    "flux-helmrepository": a_flux_source("HelmRepository", url="https://charts.example.com"),
    "k3s-helmchart": a_helmchart(),
    "k3s-helmchartconfig": a_helmchartconfig(),
    "argo-application": an_application(),
}


def test_the_api_server_takes_what_is_written(control_plane, namespace, operator, convert):
    everything = [with_every_field(body, name) for name, body in SAMPLES.items()]
    everything[2]["spec"] |= {"valuesContent": "a: 1\n", "timeout": "5m", "set": {"b": "1"}}
    everything[3]["spec"]["valuesContent"] = "c: 1\n"
    everything[4]["spec"]["source"]["helm"] = {"values": "a: 1\n"}
    text = convert("-", text=yaml.safe_dump_all([*SAMPLES.values()]))
    text += "---\n" + convert("-", text=yaml.safe_dump_all(everything))
    found = list(in_namespace(text, namespace))
    assert len(found) >= 2 * (len(SAMPLES) - 1)
    told = control_plane.kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"),
        stdin=yaml.safe_dump_all(found),
    )
    assert told.count("serverside-applied") == len(found)


def test_comments_are_no_trouble_for_kubectl(control_plane, namespace, operator, convert):
    body = a_flux_release(namespace=namespace, frobnicate={"a": [1]}, install={"b": "\n# c"})
    text = convert("-", text=json.dumps(body))
    assert "# spec.frobnicate: " in text
    told = control_plane.kubectl(
        "apply", "--server-side", "--dry-run=server", "-f", "-", stdin=text
    )
    assert told.startswith("helmrelease.whipstaff.dev/blog serverside-applied")


def installed(releases, *more):
    values = ",".join(f"{name}={value}" for name, value in VALUES.items())
    chart = ("blog", "--version", "1.0.0", "--repo", releases.repository_url)
    releases.helm("install", "blog", *chart, "--set", values, *more)


def taken_over(releases, text, name="blog"):
    """Apply what was converted; it has to be the release as it was, in its first revision."""
    before = releases.find(releases.core("configmaps", "blog"))
    releases.control_plane.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    release = releases.settled(name, revision=1)
    assert release["status"]["history"][0]["trigger"] == "outside"
    assert releases.stored("blog") == {1: "deployed"}
    assert releases.find(releases.core("configmaps", "blog")) == before


def test_a_release_of_the_helm_command_is_taken_over_as_it_is(releases, operator, convert):
    installed(releases)
    place = ("-n", releases.namespace)
    open_text = convert("--from-cluster", "--strict", *place, code=1)
    assert "# repository: is not stored with a release" in open_text
    text = convert("--from-cluster", "blog", "--repo", releases.repository_url, "--strict", *place)
    assert yaml.safe_load(text)["spec"]["values"] == VALUES
    taken_over(releases, text)
    told = CliRunner().invoke(
        main,
        ["convert", "--from-cluster", *place],
        env=releases.control_plane.environment(),
    )
    assert told.exit_code == 1
    assert f"release {releases.namespace}/blog: is a HelmRelease's already" in told.stderr


@pytest.mark.usefixtures("flux_kind")
def test_a_release_that_flux_leaves_is_taken_over_as_it_is(releases, operator, convert):
    installed(releases)
    chart = {
        "chart": "blog",
        "version": "1.0.0",
        "sourceRef": {"kind": "HelmRepository", "name": "charts"},
    }
    flux = a_flux_release(
        namespace=releases.namespace, chart={"spec": chart}, values=VALUES, suspend=True
    )
    releases.control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(flux))
    kind = "helmreleases.helm.toolkit.fluxcd.io"
    live = releases.control_plane.kubectl("get", kind, "-n", releases.namespace, "-o", "yaml")
    source = a_flux_source(
        "HelmRepository", namespace=releases.namespace, url=releases.repository_url
    )
    text = convert("-", text=f"{live}---\n{json.dumps(source)}")
    assert "# spec.suspend: true" in text
    taken_over(releases, text)


def test_a_chart_of_k3s_is_taken_over_as_it_is(releases, operator, convert):
    installed(releases)
    chart = a_helmchart(repo=releases.repository_url, values={"text": "hello"})
    config = a_helmchartconfig(valuesContent="number: 3\n")
    for body in (chart, config):
        body["metadata"]["namespace"] = releases.namespace
    taken_over(releases, convert("-", text=yaml.safe_dump_all([chart, config])))


def test_an_application_is_taken_over_object_by_object(releases, operator, convert):
    source = {"repoURL": releases.repository_url, "chart": "blog", "targetRevision": "1.0.0"}
    source["helm"] = {"valuesObject": VALUES}
    values = json.dumps(VALUES)
    place = ("-n", releases.namespace)
    chart = ("blog", "--version", "1.0.0", "--repo", releases.repository_url)
    rendered = releases.helm("template", "blog", *chart, "--set-json", values)
    releases.control_plane.kubectl("apply", "-f", "-", *place, stdin=rendered)
    before = releases.find(releases.core("configmaps", "blog"))
    destination = {"name": "in-cluster", "namespace": releases.namespace}
    body = an_application(source=source, destination=destination)
    text = convert("-", text=json.dumps(body))
    releases.control_plane.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    releases.settled("blog", revision=1)
    after = releases.find(releases.core("configmaps", "blog"))
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["data"] == before["data"]
    releases.agree("blog")
