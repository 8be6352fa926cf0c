"""Where a chart comes from is said once, and what cannot go together is refused."""

import pytest

from tests.builders.helmreleases import a_body, a_chart_field
from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease.parsing import parse
from whipstaff.helmrelease.types import ArchiveFrom
from whipstaff.release.objects import ObjectReference

SOURCE = {"kind": "GitRepository", "name": "app"}
ARCHIVE = {"kind": "Secret", "name": "charts"}
URL = "https://charts.example.com"


def read(**chart):
    return parse(a_body(chart=chart)).spec.chart


def test_a_source_of_flux_has_flux_s_defaults():
    chart = read(sourceRef=SOURCE)

    assert chart.source_ref == ObjectReference(
        "source.toolkit.fluxcd.io/v1", "GitRepository", a_body()["metadata"]["namespace"], "app"
    )
    assert (chart.name, chart.path, chart.version, chart.values_files) == ("", "", "*", ())


def test_every_field_of_a_source_counts():
    chart = read(
        sourceRef={**SOURCE, "apiVersion": "source.toolkit.fluxcd.io/v1beta2", "namespace": "flux"},
        path="./charts/app",
        valuesFiles=["a.yaml", "b/c.yaml"],
        ignoreMissingValuesFiles=True,
    )

    assert chart.source_ref == ObjectReference(
        "source.toolkit.fluxcd.io/v1beta2", "GitRepository", "flux", "app"
    )
    assert (chart.path, chart.values_files) == ("./charts/app", ("a.yaml", "b/c.yaml"))
    assert chart.ignore_missing_values_files


def test_an_archive_is_in_the_namespace_of_the_helmrelease():
    namespace = a_body()["metadata"]["namespace"]

    assert read(archiveFrom=ARCHIVE).archive_from == ArchiveFrom(
        ObjectReference("v1", "Secret", namespace, "charts"), "chart.tgz"
    )
    assert read(archiveFrom={**ARCHIVE, "key": "a.tgz"}).archive_from.key == "a.tgz"


@pytest.mark.parametrize(
    ("chart", "field"),
    [
        pytest.param({"name": "a"}, "repository", id="no place"),
        pytest.param({"name": "a", "repository": URL, "sourceRef": SOURCE}, "sourceRef", id="two"),
        pytest.param({"sourceRef": SOURCE, "archiveFrom": ARCHIVE}, "archiveFrom", id="two others"),
        pytest.param({"repository": URL}, "name", id="no name"),
        pytest.param({"repository": URL, "name": "a", "path": "x"}, "path", id="a path elsewhere"),
        pytest.param({"archiveFrom": ARCHIVE, "path": "x"}, "path", id="a path in an archive"),
        pytest.param({"sourceRef": {"name": "app"}}, "sourceRef.kind", id="no kind"),
        pytest.param({"sourceRef": {"kind": "Bucket"}}, "sourceRef.name", id="no source's name"),
        pytest.param(
            {"sourceRef": {**SOURCE, "kind": "HelmRepository"}}, "sourceRef.kind", id="kind"
        ),
        pytest.param(
            {"sourceRef": {**SOURCE, "apiVersion": "v1"}}, "sourceRef.apiVersion", id="group"
        ),
        pytest.param({"archiveFrom": {"name": "a"}}, "archiveFrom.kind", id="no archive's kind"),
        pytest.param({"sourceRef": SOURCE, "path": "/etc"}, "path", id="an absolute path"),
        pytest.param({"sourceRef": SOURCE, "path": "a/../../b"}, "path", id="a path that climbs"),
        pytest.param({"sourceRef": SOURCE, "path": "..\\b"}, "path", id="a path of Windows"),
        pytest.param(
            {"sourceRef": SOURCE, "valuesFiles": ["a", "../b"]}, "valuesFiles[1]", id="values above"
        ),
        pytest.param({"sourceRef": SOURCE, "valuesFiles": ["a"] * 33}, "valuesFiles", id="many"),
        pytest.param(
            {"sourceRef": SOURCE, "verify": {"provider": "pgp", "secretRef": {"name": "k"}}},
            "verify",
            id="a signature of what is no repository",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(chart, field):
    with pytest.raises(InvalidSpec) as caught:
        read(**chart)

    assert caught.value.field == f"spec.chart.{field}"
    assert caught.value.text.startswith(f"spec.chart.{field} ")


def test_dots_in_a_name_are_no_way_out():
    assert read(sourceRef=SOURCE, path="a..b/..c/d..").path == "a..b/..c/d.."


def test_a_repository_can_have_other_values_too():
    assert parse(a_body(chart=a_chart_field(valuesFiles=["p.yaml"]))).spec.chart.values_files
