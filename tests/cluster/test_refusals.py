"""Bad input: the reason is named, what runs is untouched, other releases go on."""

import pytest

from tests.builders.live_releases import condition, is_true
from tests.builders.small_charts import (
    CONFIG_MAP,
    a_packed_chart,
    app_chart,
    settings_chart,
)
from tools.chartrepo import ChartRepository, Fault

BAD = "2.0.0"
SCHEMA = '{"type": "object", "properties": {"text": {"type": "string"}}}'
A_SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {ports: [{port: 80}]}\n"


@pytest.fixture(autouse=True)
def _published(repository):
    repository.add(settings_chart("1.0.0"))
    repository.add(app_chart())


@pytest.fixture
def blog(releases):
    """A release that runs revision 1."""
    releases.create("blog", version="1.0.0")
    releases.settled("blog", revision=1)
    return releases


@pytest.fixture
def untouched(blog):
    """Check after the test: revision 1 of blog runs as it did, and other releases go on."""
    before = blog.api.request("GET", blog.core("configmaps", "blog"))
    yield blog
    assert blog.stored("blog") == {1: "deployed"}
    assert blog.get("blog")["status"]["revision"] == 1
    assert blog.history("blog") == [(1, "deployed")]
    assert blog.api.request("GET", blog.core("configmaps", "blog")) == before
    blog.create("other", version="1.0.0")
    blog.settled("other", revision=1)


@pytest.fixture
def bad_repository():
    """A repository that a release moves to, with version 2.0.0 of its chart."""
    with ChartRepository() as served:
        served.add(settings_chart(BAD))
        yield served


def refusal(releases, reason, **edit):
    """Edit blog and return what its Ready condition says."""
    releases.edit("blog", **edit)
    return releases.refused("blog", reason)["message"]


@pytest.mark.parametrize(
    ("chart", "reason", "said"),
    [
        pytest.param(
            {"name": "unheard-of"},
            "ChartUnavailable",
            "has no chart named 'unheard-of'",
            id="no such chart",
        ),
        pytest.param(
            {"version": ">=7 <8"}, "ChartVersionNotFound", ">=7 <8", id="no version in the range"
        ),
    ],
)
def test_what_the_repository_does_not_have_is_named(untouched, chart, reason, said):
    assert said in refusal(untouched, reason, chart=chart)


def test_a_range_that_is_none_is_refused(untouched):
    assert "spec.chart.version" in refusal(untouched, "InvalidSpec", chart={"version": ">=bad"})
    assert is_true(untouched.get("blog"), "Stalled")


@pytest.mark.parametrize(
    ("file", "fault", "reason", "said"),
    [
        pytest.param("index.yaml", Fault.NOT_FOUND, "ChartUnavailable", "404", id="no index"),
        pytest.param("index.yaml", Fault.SERVER_ERROR, "ChartUnavailable", "500", id="index: 500"),
        pytest.param("index.yaml", Fault.HTML, "RepoIndexInvalid", "index.yaml", id="index: HTML"),
        pytest.param("index.yaml", Fault.RESET, "ChartUnavailable", "index.yaml", id="reset"),
        pytest.param("archive", Fault.NOT_FOUND, "ChartUnavailable", "404", id="no archive"),
        pytest.param("archive", Fault.HTML, "ChartInvalid", "settings-2.0.0.tgz", id="HTML as tgz"),
        pytest.param("archive", Fault.WRONG_DIGEST, "ChartIntegrity", "digest", id="wrong digest"),
        pytest.param("archive", Fault.TRUNCATED, "ChartIntegrity", "digest", id="half an archive"),
    ],
)
def test_what_is_wrong_with_a_repository_is_named(
    untouched, bad_repository, file, fault, reason, said
):
    bad_repository.faults["settings-2.0.0.tgz" if file == "archive" else file] = fault
    chart = {"repository": bad_repository.url, "version": BAD}
    message = refusal(untouched, reason, chart=chart)
    assert said in message
    assert bad_repository.url in message


def test_a_repository_that_is_down_is_named_and_the_release_follows_when_it_is_back(blog):
    with ChartRepository() as gone:
        address = gone.url
    message = refusal(blog, "ChartUnavailable", chart={"repository": address, "version": BAD})
    assert address in message
    assert not is_true(blog.get("blog"), "Stalled")
    assert blog.stored("blog") == {1: "deployed"}
    port = int(address.rpartition(":")[2])
    with ChartRepository(address=("127.0.0.1", port)) as back:
        back.add(settings_chart(BAD))
        blog.settled("blog", revision=2)


def test_a_truncated_archive_without_a_promised_digest_is_refused(untouched, bad_repository):
    # The index promises what the broken archive has: only unpacking shows it.
    (name,) = bad_repository.archives
    bad_repository.archives[name] = bad_repository.archives[name][:200]
    chart = {"repository": bad_repository.url, "version": BAD}
    assert "settings" in refusal(untouched, "ChartInvalid", chart=chart)


TEMPLATES = {
    "a missing function": "a: {{ nope .Values.text }}\n",
    "a nil pointer": "\n\na: {{ .Values.none.deeper }}\n",
    "required": 'a: {{ required "say what it is" .Values.missing }}\n',
    "fail": '\n{{- fail "this chart does not want to" }}\n',
}


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_template_error_has_file_line_and_helm_s_text(
    untouched, repository, control_plane, tmp_path, kind
):
    packed = a_packed_chart("settings", BAD, broken=TEMPLATES[kind])
    repository.add(packed)
    archive = tmp_path / "settings.tgz"
    archive.write_bytes(packed)
    helm = control_plane.run("helm", "template", "blog", str(archive), check=False).stderr
    said = helm.partition("Error: ")[2].splitlines()[0]
    message = refusal(untouched, "RenderFailed", chart={"version": BAD})
    assert "templates/broken.yaml:" in message
    assert said in message


def test_values_of_the_wrong_type_are_refused_by_the_chart_s_schema(untouched, repository):
    repository.add(a_packed_chart("settings", BAD, schema=SCHEMA, settings=CONFIG_MAP))
    message = refusal(
        untouched, "ValuesSchemaViolation", chart={"version": BAD}, values={"text": {"secret": 1}}
    )
    assert "/text" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    ("rendered", "reason", "said"),
    [
        pytest.param("a: b: c\n", "ManifestInvalid", "broken.yaml", id="no YAML"),
        pytest.param("just words\n", "ManifestInvalid", "broken.yaml", id="no object"),
        pytest.param(
            "apiVersion: v1\nkind: Teapot\nmetadata: {name: a}\n",
            "NoMatchForKind",
            'no matches for kind "Teapot" in version "v1"',
            id="an unknown kind",
        ),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nnot-a-field: 1\n",
            "BadRequest",
            "not-a-field",
            id="an unknown field",
        ),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_A_Name}\n",
            "Invalid",
            "metadata.name",
            id="a name that is none",
        ),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: nowhere}\n",
            "NotFound",
            '"nowhere" not found',
            id="a namespace that is missing",
        ),
    ],
)
def test_what_the_cluster_would_not_take_is_refused_before_anything_is_written(
    untouched, repository, rendered, reason, said
):
    # The first object of the chart is fine: it must not be changed either.
    repository.add(a_packed_chart("settings", BAD, "text: x\n", a=CONFIG_MAP, broken=rendered))
    assert said in refusal(untouched, reason, chart={"version": BAD})


@pytest.mark.parametrize("owner", ["another release", "nobody"])
def test_an_object_of_someone_else_is_not_taken(untouched, repository, owner):
    if owner == "nobody":
        body = {"metadata": {"name": "theirs"}, "spec": {"ports": [{"port": 80}]}}
        untouched.api.request("POST", untouched.core("services"), body)
    else:
        repository.add(a_packed_chart("theirs", "1.0.0", service=A_SERVICE % "theirs"))
        untouched.create("neighbour", chart="theirs")
        untouched.settled("neighbour", revision=1)
    service = untouched.api.request("GET", untouched.core("services", "theirs"))
    repository.add(
        a_packed_chart("settings", BAD, "text: x\n", a=CONFIG_MAP, b=A_SERVICE % "theirs")
    )
    message = refusal(untouched, "ReleaseConflict", chart={"version": BAD})
    assert "Service" in message
    assert "theirs" in message
    if owner == "another release":
        assert "neighbour" in message
    assert untouched.api.request("GET", untouched.core("services", "theirs")) == service


def test_an_immutable_field_is_refused_by_the_dry_run_with_object_and_field(releases):
    releases.create("web", chart="app")
    releases.settled("web", revision=1)
    releases.edit("web", values={"selector": "layer"})
    message = releases.refused("web", "ImmutableField")["message"]
    assert "Deployment" in message
    assert "/web" in message
    assert "spec.selector" in message
    assert "immutable" in message
    assert releases.stored("web") == {1: "deployed"}
    releases.edit("web", values=None)
    releases.settled("web", revision=1)


def test_a_namespace_that_is_missing_is_named(releases):
    releases.create("blog", targetNamespace="not-there", releaseName="blog")
    message = releases.refused("blog", "NamespaceNotFound")["message"]
    assert 'namespace "not-there" does not exist' in message
    assert "createNamespace" in message


def test_of_two_helmreleases_for_one_release_the_older_has_it(releases):
    releases.create("first", releaseName="shared", values={"text": "first"})
    releases.settled("first", revision=1)
    releases.create("second", releaseName="shared", values={"text": "second"})
    message = releases.refused("second", "ReleaseNameTaken")["message"]
    assert f"belongs to HelmRelease {releases.namespace}/first" in message
    assert is_true(releases.get("second"), "Stalled")
    releases.delete("second")
    releases.gone("second")
    assert releases.data("shared")["text"] == "first"
    assert releases.stored("shared") == {1: "deployed"}


def test_a_taken_release_passes_to_the_next_when_its_holder_leaves_it(releases):
    releases.create("first", releaseName="shared", uninstall={"deletionPolicy": "Orphan"})
    releases.settled("first", revision=1)
    releases.create("second", releaseName="shared", values={"text": "second"})
    releases.refused("second", "ReleaseNameTaken")
    releases.delete("first")
    releases.gone("first")
    releases.settled("second", revision=2)
    assert releases.data("shared")["text"] == "second"


def test_two_helmreleases_that_meet_in_the_target_namespace_alone_are_told_apart(releases):
    other = {"storageNamespace": "default", "targetNamespace": releases.namespace}
    releases.create("first", releaseName="shared", values={"text": "first"})
    releases.settled("first", revision=1)
    releases.create("second", releaseName="shared", **other)
    message = releases.refused("second", "ReleaseNameTaken")["message"]
    assert f"belongs to HelmRelease {releases.namespace}/first" in message
    assert releases.stored("shared", "default") == {}


@pytest.mark.parametrize("payload", ["bm90IGEgcmVsZWFzZQ==", ""], ids=["no release", "nothing"])
def test_a_corrupt_record_of_what_runs_is_named_and_left_alone(blog, payload):
    secret = blog.core("secrets", "sh.helm.release.v1.blog.v1")
    blog.api.request("PATCH", secret, {"data": {"release": payload}})
    before = blog.api.request("GET", blog.core("configmaps", "blog"))
    message = refusal(blog, "StorageCorrupt", values={"text": "new"})
    assert "sh.helm.release.v1.blog.v1" in message
    assert blog.stored("blog") == {1: "deployed"}
    assert blog.api.request("GET", blog.core("configmaps", "blog")) == before
    blog.create("other")
    blog.settled("other", revision=1)


def test_a_corrupt_record_of_the_past_holds_nobody_up(blog):
    blog.edit("blog", values={"text": "two"})
    blog.settled("blog", revision=2)
    secret = blog.core("secrets", "sh.helm.release.v1.blog.v1")
    blog.api.request("PATCH", secret, {"data": {"release": "bm90IGEgcmVsZWFzZQ=="}})
    blog.edit("blog", values={"text": "three"})
    blog.settled("blog", revision=3)
    assert "sh.helm.release.v1.blog.v1" in refusal(blog, "StorageCorrupt", revision=1)
    assert blog.data("blog")["text"] == "three"


def test_a_corrected_spec_is_released_at_once(blog, repository):
    repository.add(a_packed_chart("settings", BAD, broken=TEMPLATES["fail"]))
    refusal(blog, "RenderFailed", chart={"version": BAD})
    blog.edit("blog", chart={"version": "1.0.0"}, values={"text": "right"})
    release = blog.settled("blog", revision=2)
    assert condition(release, "Stalled")["status"] == ""
