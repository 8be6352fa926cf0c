"""No field of what is converted is dropped in silence: each in turn, of all that there are."""

import json
import re
from functools import cache
from pathlib import Path

import pytest

from tests.builders.conversions import (
    MARK,
    a_flux_release,
    a_flux_source,
    a_helmchart,
    a_helmchartconfig,
    an_application,
    convert,
    fields,
    with_field,
)
from whipstaff.cli.own_schemas import own_schema
from whipstaff.helmrelease import names, parsing
from whipstaff.helmrelease.charts import PLACES
from whipstaff.helmrelease.strictness import objections
from whipstaff.helmrepository import names as repositories
from whipstaff.helmrepository import parsing as repository_parsing

OCI = {"url": "oci://registry.example.com/charts/blog", "interval": "5m", "ref": {"tag": "1.0.0"}}
OF_CHART = {
    "chart": "blog",
    "version": "1.0.0",
    "interval": "5m",
    "sourceRef": {"kind": "HelmRepository", "name": "charts"},
}
GIT = {"repoURL": "https://git.example.com/a.git", "path": "blog", "helm": {"releaseName": "blog"}}


def _with_reference(kind):
    return a_flux_release(chartRef={"kind": kind, "name": "charts"})


# What is looked at comes first; the others are what it needs.
BASES = {
    "flux-helmrelease": [
        a_flux_release(),
        a_flux_source("HelmRepository", url="https://a.example"),
    ],
    "flux-helmrelease by reference": [_with_reference("OCIRepository")],
    "flux-helmrepository": [a_flux_source("HelmRepository", url="https://a.example")],
    "flux-ocirepository": [a_flux_source("OCIRepository", **OCI), _with_reference("OCIRepository")],
    "flux-helmchart": [a_flux_source("HelmChart", **OF_CHART), _with_reference("HelmChart")],
    "k3s-helmchart": [a_helmchart()],
    "k3s-helmchartconfig": [a_helmchartconfig(), a_helmchart()],
    "argo-application": [an_application()],
    "argo-application in Git": [an_application(source=GIT)],
    "argo-application of sources": [
        an_application(sources=[{"repoURL": "https://charts.example.com", "chart": "blog"}, GIT])
    ],
}
# What asks for what is done anyway, or says what something else says already.
SILENT = {
    ("flux-helmrelease", "spec.chart.spec.reconcileStrategy"): None,  # of a repository
    ("flux-helmrelease", "spec.chart.spec.sourceRef.apiVersion"): None,
    ("flux-helmrelease", "spec.upgrade.crds"): "Create",  # is written out in any case
    ("flux-helmrelease by reference", "spec.upgrade.crds"): "Create",
    ("flux-helmrepository", "spec.provider"): "generic",
    ("flux-helmrepository", "spec.type"): None,  # the URL says so
    ("flux-ocirepository", "spec.provider"): "generic",
    ("flux-ocirepository", "spec.layerSelector.operation"): None,
    ("flux-ocirepository", "spec.interval"): None,  # is left out in any case
    ("flux-helmchart", "spec.interval"): None,
    ("flux-helmchart", "spec.reconcileStrategy"): None,
    ("flux-helmchart", "spec.sourceRef.apiVersion"): None,
    ("k3s-helmchart", "spec.driver"): "secret",
    ("k3s-helmchart", "spec.failurePolicy"): "retry",
    ("k3s-helmchart", "spec.forceConflicts"): None,
    ("k3s-helmchart", "spec.serverSide"): ("true", "auto"),
    ("k3s-helmchartconfig", "spec.failurePolicy"): "retry",
    ("k3s-helmchartconfig", "spec.forceConflicts"): None,
    ("k3s-helmchartconfig", "spec.serverSide"): ("true", "auto"),
    **{
        (f"argo-application{where}", f"spec.{field}"): None
        for where in ("", " in Git", " of sources")
        for field in (
            *("source.ref", "sources[].ref"),
            *("source.helm.skipTests", "sources[].helm.skipTests"),  # they run where one asks
            "syncPolicy.automated.enabled",
            "syncPolicy.automated.allowEmpty",
            "ignoreDifferences[].managedFieldsManagers",
        )
    },
}


def _cases():
    for name in BASES:
        for path, value in fields(name.partition(" ")[0]):
            if name.endswith(" of sources"):
                path = path.replace("spec.source.", "spec.sources[].")  # noqa: PLW2901 - the same one
            shown = value if isinstance(value, str) else ""
            yield pytest.param(name, path, value, id=f"{name}: {path} {shown}")


@cache
def _plain(name):
    return _words(convert(*BASES[name]))


def _words(told):
    """What was printed and told, without the lines that it was told of."""
    return told.output, re.sub(r"input:[0-9]+", "", told.errors)


@pytest.mark.parametrize(("name", "path", "value"), list(_cases()))
def test_a_field_is_taken_or_told_of(name, path, value):
    subject, *others = BASES[name]
    changed = with_field(subject, path, value)
    if changed == subject:
        return
    told = convert(changed, *others)
    if told.code:  # nothing came of it
        assert _is_named(path, told.errors) or "is passed over: nothing says" in told.errors
        return
    for whole in ("stays Flux's", "is passed over: nothing"):
        if whole in told.errors and whole not in _plain(name)[1]:
            return
    for one in told.objects:
        _would_be_taken(one)
    silent = _is_silent(name, path, value)
    assert (_words(told) != _plain(name)) != silent
    if MARK in json.dumps(value) and not silent:
        assert MARK in told.output or _is_named(path, told.errors)


def test_the_fields_of_flux_are_those_that_its_page_is_held_against():
    listed = (Path(__file__).parents[2] / "docs" / "flux_fields.txt").read_text("utf-8").split()
    ends = {path for path in listed if not any(one.startswith(f"{path}.") for one in listed)}
    ours = {path.replace("[]", "").removeprefix("spec.") for path, _ in fields("flux-helmrelease")}
    assert ours == ends


def _would_be_taken(body):
    """Hold an object against our definition and our parser, as the API server would."""
    if body["apiVersion"] != names.API_VERSION:
        return
    assert objections(own_schema(body["kind"]), body) == []
    chart = body["spec"].get("chart", {})
    if body["kind"] == repositories.KIND or any(place in chart for place in PLACES):
        parse = parsing.parse if body["kind"] == names.KIND else repository_parsing.parse
        parse({**body, "metadata": {"uid": "", "namespace": "default", **body["metadata"]}})


def _is_silent(name, path, value):
    if (name, path) not in SILENT:
        return False
    values = SILENT[name, path]
    return values is None or value == values or (isinstance(values, tuple) and value in values)


def _is_named(path, text):
    """Whether a field, or what it is in, is named."""
    names = path.replace("[]", "").split(".")
    plain = re.sub(r"\[[0-9]+\]", "", text)
    return any(f"{'.'.join(names[:end])}: " in plain for end in range(2, len(names) + 1)) or any(
        f"{'.'.join(names[:end])} " in plain for end in range(2, len(names) + 1)
    )
