"""What a HelmRelease refers to is read of any body, so that a change wakes who waits for it."""

import pytest

from tests.builders.helmreleases import a_body, a_chart_field
from whipstaff.helmrelease.references import referenced_by
from whipstaff.release.objects import ObjectReference


def named(kind, name):
    return ObjectReference("v1", kind, "web", name)


def test_values_and_a_packed_chart_are_referred_to():
    body = a_body(
        chart=a_chart_field(archiveFrom={"kind": "ConfigMap", "name": "chart", "key": "c.tgz"}),
        valuesFrom=[{"kind": "Secret", "name": "login"}, {"kind": "ConfigMap", "name": "login"}],
    )
    assert referenced_by(body) == {
        named("ConfigMap", "chart"),
        named("Secret", "login"),
        named("ConfigMap", "login"),
    }


def test_a_source_of_flux_is_referred_to_in_its_own_namespace():
    source = {"kind": "Bucket", "name": "app", "namespace": "flux"}

    assert referenced_by(a_body(chart={"sourceRef": source})) == {
        ObjectReference("source.toolkit.fluxcd.io/v1", "Bucket", "flux", "app")
    }


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"valuesFrom": None, "chart": None}, id="nulls"),
        pytest.param({"valuesFrom": {"kind": "Secret"}, "chart": []}, id="other shapes"),
        pytest.param(
            {"valuesFrom": [None, 3, {"kind": ["Secret"], "name": "x"}]}, id="odd entries"
        ),
        pytest.param({"valuesFrom": [{"kind": "Secret", "name": {}}]}, id="an odd name"),
        pytest.param({"chart": {"sourceRef": {"kind": "Node", "name": "x"}}}, id="no source"),
        pytest.param({"valuesFrom": [{"kind": "Node", "name": "x"}]}, id="another kind"),
    ],
)
def test_what_cannot_be_read_is_left_out(spec):
    assert referenced_by(a_body() | {"spec": spec}) == frozenset()
