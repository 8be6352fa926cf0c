"""An operator may keep HelmReleases from what is in other namespaces."""

import pytest

from tests.builders.helmreleases import a_body, a_chart_field
from whipstaff.errors import CrossNamespaceForbidden
from whipstaff.helmrelease.namespaces import refuse_other_namespaces
from whipstaff.helmrelease.parsing import parse

ELSEWHERE = {"name": "x", "namespace": "other"}
GIT = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository"}
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap"}


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("spec.chart.repositoryRef", {"chart": {"name": "a", "repositoryRef": ELSEWHERE}}),
        ("spec.chart.sourceRef", {"chart": {"path": "a", "sourceRef": GIT | ELSEWHERE}}),
        ("spec.dependsOn[0]", {"dependsOn": [CONFIG_MAP | ELSEWHERE]}),
        ("spec.dependsOn[1]", {"dependsOn": [ELSEWHERE, ELSEWHERE | {"readyExpr": "true"}]}),
    ],
)
def test_a_reference_to_another_namespace_is_refused_by_name(field, spec):
    with pytest.raises(CrossNamespaceForbidden) as caught:
        refuse_other_namespaces(parse(a_body(**spec)))
    assert caught.value.field == field
    assert "namespace other" in caught.value.text


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"chart": {"name": "a", "repositoryRef": {"name": "x"}}}, id="its own"),
        pytest.param({"chart": a_chart_field(), "targetNamespace": "other"}, id="the target"),
        pytest.param({"dependsOn": [ELSEWHERE]}, id="a HelmRelease that is waited for"),
        pytest.param(
            {"dependsOn": [CONFIG_MAP | ELSEWHERE], "serviceAccountName": "tenant"},
            id="what a ServiceAccount may read",
        ),
    ],
)
def test_what_gives_nothing_away_is_allowed(spec):
    refuse_other_namespaces(parse(a_body(**spec)))
