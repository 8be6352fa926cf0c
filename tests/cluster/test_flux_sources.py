"""Charts in the artifacts of Flux's sources, by Flux's own definitions and a real HTTP server."""

import pytest

from tests.builders.charts import packed
from tests.builders.flux_sources import FluxSources, an_artifact, define
from tests.builders.live_releases import condition, eventually, is_true
from tests.builders.small_charts import CONFIG_MAP
from tools.chartrepo import Fault

FOLDER = "charts/settings"


def in_git(version="1.0.0", folder=FOLDER, **more):
    """The files of a repository with a chart in a folder."""
    return {
        f"{folder}/Chart.yaml": f"apiVersion: v2\nname: settings\nversion: {version}\n",
        f"{folder}/values.yaml": "text: own\n",
        f"{folder}/values-prod.yaml": "text: prod\n",
        f"{folder}/templates/settings.yaml": CONFIG_MAP,
        "README.md": "A repository.\n",
        **more,
    }


@pytest.fixture(scope="module")
def defined(control_plane, operator, tmp_path_factory):
    define(control_plane, tmp_path_factory.mktemp("definitions"))


@pytest.fixture
def sources(defined, control_plane, namespace, repository):
    return FluxSources(control_plane, namespace, repository)


@pytest.mark.parametrize("kind", ["GitRepository", "Bucket", "OCIRepository"])
def test_a_chart_in_a_folder_of_an_artifact_is_installed(sources, kind):
    sources.create(kind, "app", an_artifact(in_git()))
    sources.use("blog", kind, "app", chart={"path": f"./{FOLDER}"})

    sources.releases.settled("blog", revision=1)

    assert sources.releases.data("blog") == {"text": "own", "chart": "1.0.0"}


@pytest.mark.parametrize("kind", ["HelmChart", "OCIRepository"])
def test_a_packaged_chart_is_an_artifact_of_its_own(sources, kind):
    files = {name.removeprefix(f"{FOLDER}/"): text for name, text in in_git().items()}
    sources.create(kind, "app", packed(files, top="settings"))
    sources.use("blog", kind, "app")

    sources.releases.settled("blog", revision=1)

    assert sources.releases.data("blog") == {"text": "own", "chart": "1.0.0"}


def test_another_artifact_is_acted_on_at_once_and_an_unrelated_commit_makes_no_revision(sources):
    sources.create("GitRepository", "app", an_artifact(in_git()))
    sources.use("blog", "GitRepository", "app", chart={"path": FOLDER})
    releases = sources.releases
    before = releases.settled("blog", revision=1)

    sources.publish("GitRepository", "app", an_artifact(in_git(**{"README.md": "Other words.\n"})))
    asked = sources.repository.requests
    eventually(lambda: len(set(asked)) == 2, "the other artifact was not looked at")
    releases.answered("blog")
    assert list(releases.stored("blog")) == [1]
    assert releases.get("blog")["status"]["history"] == before["status"]["history"]

    sources.publish("GitRepository", "app", an_artifact(in_git("1.1.0")))
    releases.settled("blog", revision=2)
    assert releases.data("blog")["chart"] == "1.1.0"


def test_a_source_that_becomes_ready_is_acted_on_at_once(sources):
    sources.create("GitRepository", "app")
    sources.use("blog", "GitRepository", "app", chart={"path": FOLDER})
    releases = sources.releases
    refused = releases.refused("blog", "SourceNotReady")
    assert "GitRepository" in refused["message"]

    sources.publish("GitRepository", "app", an_artifact(in_git()))

    releases.settled("blog", revision=1)


def test_a_source_that_is_created_later_is_acted_on_at_once(sources):
    sources.use("blog", "GitRepository", "late", chart={"path": FOLDER})
    sources.releases.refused("blog", "SourceNotFound")

    sources.create("GitRepository", "late", an_artifact(in_git()))

    sources.releases.settled("blog", revision=1)


@pytest.mark.parametrize(
    ("chart", "reason"),
    [
        pytest.param({"path": "charts/none"}, "ChartPathNotFound", id="no such folder"),
        pytest.param({"path": "charts"}, "ChartPathNotFound", id="a folder without a chart"),
        pytest.param({"path": FOLDER, "name": "other"}, "ChartInvalid", id="another chart"),
        pytest.param({"path": FOLDER, "version": "^2"}, "ChartVersionNotFound", id="no version"),
        pytest.param(
            {"path": FOLDER, "valuesFiles": ["none.yaml"]}, "ValuesFileNotFound", id="no file"
        ),
        pytest.param(
            {"path": FOLDER, "digest": f"sha256:{'0' * 64}"}, "ChartIntegrity", id="another digest"
        ),
    ],
)
def test_what_the_source_does_not_have_is_named_and_what_runs_is_left_alone(sources, chart, reason):
    sources.create("GitRepository", "app", an_artifact(in_git()))
    sources.use("blog", "GitRepository", "app", chart={"path": FOLDER})
    sources.releases.settled("blog", revision=1)

    sources.releases.edit("blog", chart=chart)

    sources.releases.refused("blog", reason)
    assert sources.releases.data("blog") == {"text": "own", "chart": "1.0.0"}
    assert list(sources.releases.stored("blog")) == [1]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        pytest.param({"serve": False}, "ArtifactUnavailable", id="it is not there"),
        pytest.param({"digest": f"sha256:{'0' * 64}"}, "ArtifactUnavailable", id="another digest"),
        pytest.param({"digest": "blake3:00"}, "ArtifactUnavailable", id="an unknown digest"),
        pytest.param(
            {"conditions": [{
                "type": "Stalled",
                "status": "True",
                "reason": "URLInvalid",
                "message": "no such host",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }]},
            "SourceNotReady",
            id="the source is stalled",
        ),
        pytest.param({"observedGeneration": 7}, "SourceNotReady", id="of an older spec"),
    ],
)  # fmt: skip
def test_an_artifact_that_cannot_be_used_leaves_alone_what_runs(sources, wrong, reason):
    sources.create("GitRepository", "app", an_artifact(in_git()))
    sources.use("blog", "GitRepository", "app", chart={"path": FOLDER})
    releases = sources.releases
    releases.settled("blog", revision=1)

    sources.publish("GitRepository", "app", an_artifact(in_git("1.1.0")), **wrong)
    releases.until("blog", lambda found: condition(found, "Ready")["reason"] == reason)

    assert releases.data("blog")["chart"] == "1.0.0"
    sources.publish("GitRepository", "app", an_artifact(in_git("1.2.0")), conditions=[])
    releases.settled("blog", revision=2)


def test_an_artifact_that_is_no_tarball_is_named(sources):
    sources.create("GitRepository", "app", an_artifact(in_git()))
    [file] = sources.repository.archives
    sources.repository.faults[file] = Fault.HTML
    sources.use("blog", "GitRepository", "app", chart={"path": FOLDER})

    sources.releases.refused("blog", "ArtifactUnavailable")


def test_values_files_are_inside_the_source_as_in_flux(sources):
    files = in_git(**{"env/eu.yaml": "text: eu\n"})
    sources.create("GitRepository", "app", an_artifact(files))
    names = [f"./{FOLDER}/values-prod.yaml", "env/eu.yaml"]
    sources.use("blog", "GitRepository", "app", chart={"path": FOLDER, "valuesFiles": names})
    releases = sources.releases
    releases.settled("blog", revision=1)
    assert releases.data("blog")["text"] == "eu"

    releases.edit("blog", chart={"valuesFiles": list(reversed(names))})
    releases.settled("blog", revision=2)
    assert releases.data("blog")["text"] == "prod"


def test_a_source_of_another_namespace_may_be_named(sources, control_plane, defined, repository):
    other = f"{sources.namespace}-sources"
    control_plane.kubectl("create", "namespace", other)
    elsewhere = FluxSources(control_plane, other, repository)
    elsewhere.create("GitRepository", "app", an_artifact(in_git()))

    sources.use("blog", "GitRepository", "app", namespace=other, chart={"path": FOLDER})

    sources.releases.settled("blog", revision=1)
    control_plane.kubectl("delete", "namespace", other, "--wait=false")


def test_a_source_that_is_deleted_leaves_alone_what_runs(sources):
    sources.create("GitRepository", "app", an_artifact(in_git()))
    sources.use("blog", "GitRepository", "app", chart={"path": FOLDER})
    releases = sources.releases
    releases.settled("blog", revision=1)

    sources.api.request("DELETE", sources.path("GitRepository", "app"))

    releases.until("blog", lambda found: condition(found, "Ready")["reason"] == "SourceNotFound")
    assert releases.data("blog")["text"] == "own"
    assert is_true(releases.get("blog"), "Released")
