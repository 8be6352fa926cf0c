"""deploy/examples: the API server takes what is of our kind, and Argo CD's words fit ours."""

import json

import jsonschema
import pytest
import yaml

from tests.builders.own_chart import ROOT
from tools.running_operator import prepare
from whipstaff.helmrelease.parsing import parse

EXAMPLES = ROOT / "deploy" / "examples"
FILES = sorted(EXAMPLES.rglob("*.yaml"))
FOREIGN = (
    "fluxcd.io",
    "argoproj.io",
    "networking.k8s.io",
    "istio.io",
)  # kinds that this control plane does not have


def bodies(path):
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


RELEASES = [
    pytest.param(body, id=f"{path.stem}-{body['metadata']['name']}")
    for path in FILES
    for body in bodies(path)
    if body["kind"] == "HelmRelease"
]


@pytest.fixture(scope="module")
def known(control_plane):
    prepare(control_plane)
    return control_plane


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_every_example_is_accepted_with_no_field_unknown(known, namespace, path):
    mine = [body for body in bodies(path) if not body["apiVersion"].split("/")[0].endswith(FOREIGN)]
    for body in mine:
        if "namespace" in body["metadata"]:
            body["metadata"]["namespace"] = namespace
        for subject in body.get("subjects", ()):
            subject["namespace"] = namespace
        known.kubectl(
            *("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"),
            stdin=json.dumps(body),
        )


@pytest.mark.parametrize("body", RELEASES)
def test_every_release_of_the_examples_can_be_read(body):
    body["metadata"] = {"namespace": "shop", **body["metadata"], "uid": "x"}
    assert parse(body).spec.chart.name


def test_gitops_tools_are_pointed_at_folders_that_there_are():
    for body in bodies(EXAMPLES / "flux" / "repository.yaml"):
        if body["kind"] == "Kustomization" and body["metadata"]["name"] == "whipstaff":
            assert (ROOT / body["spec"]["path"] / "kustomization.yaml").is_file()
    operator, _ = bodies(EXAMPLES / "argocd" / "application.yaml")
    assert (ROOT / operator["spec"]["source"]["path"] / "kustomization.yaml").is_file()


@pytest.mark.corpus
def test_argo_cd_takes_the_applications(corpus):
    text = (corpus / "argo__argo-cd" / "expected-default.yaml").read_text(encoding="utf-8")
    schemas = {
        body["spec"]["names"]["kind"]: body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for body in yaml.load_all(text, Loader=yaml.CSafeLoader)
        if body and body["kind"] == "CustomResourceDefinition"
    }
    for body in bodies(EXAMPLES / "argocd" / "application.yaml"):
        jsonschema.validate(body, schemas[body["kind"]])
