"""Charts of folders and archives made whole: paths, values files, missing dependencies."""

import tarfile

import pytest

from tests.builders.charts import packed, packed_raw
from whipstaff.chart import archive, lock
from whipstaff.chart.completing import Fetched, of_archive, of_tarball
from whipstaff.chart.model import Dependency
from whipstaff.chart.wanted import Wanted
from whipstaff.errors import (
    ChartInvalid,
    ChartPathIllegal,
    ChartPathNotFound,
    ChartTooLarge,
    LockOutOfSync,
    ValuesFileNotFound,
    ValuesInvalid,
)

HEAD = "apiVersion: v2\nname: {name}\nversion: {version}\n"
REPOSITORY = "https://charts.example.com"
BLOG = {
    "charts/blog/Chart.yaml": HEAD.format(name="blog", version="1.2.3"),
    "charts/blog/values.yaml": "replicas: 1\nimage: {name: blog, tag: a}\n",
    "charts/blog/values-prod.yaml": "replicas: 3\nimage: {tag: b}\n",
    "charts/blog/templates/a.yaml": "replicas: {{ .Values.replicas }}\n",
}


def head(name="blog", version="1.2.3"):
    return HEAD.format(name=name, version=version)


def needing(*dependencies, name="blog"):
    lines = [
        f"- {{name: {one}, version: {version!r}, repository: {repository!r}}}\n"
        for one, version, repository in dependencies
    ]
    return head(name) + "dependencies:\n" + "".join(lines)


@pytest.fixture
def artifact(tmp_path):
    def make(files):
        path = tmp_path / "artifact.tar.gz"
        path.write_bytes(packed_raw(*files.items()))
        return path

    return make


def loaded(completed):
    return archive.load(completed.archive)


def test_a_chart_is_found_in_a_folder_of_the_artifact(artifact):
    found = of_tarball(artifact(BLOG | {"README.md": "x"}), Wanted(path="./charts/blog/"))

    assert (found.name, found.version) == ("blog", "1.2.3")
    chart = loaded(found)
    assert chart.values == {"replicas": 1.0, "image": {"name": "blog", "tag": "a"}}
    assert [file.name for file in chart.templates] == ["templates/a.yaml"]


def test_what_else_changes_in_the_artifact_changes_nothing_of_the_chart(artifact):
    before = of_tarball(artifact(BLOG), Wanted(path="charts/blog")).archive
    reordered = dict(reversed(BLOG.items())) | {"README.md": "more", "charts/other/x": "y"}

    assert of_tarball(artifact(reordered), Wanted(path="charts/blog")).archive == before
    edited = BLOG | {"charts/blog/templates/a.yaml": "b"}
    assert of_tarball(artifact(edited), Wanted(path="charts/blog")).archive != before


def test_a_chart_may_be_at_the_root(artifact):
    found = of_tarball(artifact({"./Chart.yaml": head(), "./templates/x.yaml": "a: 1"}), Wanted())

    assert [file.name for file in loaded(found).templates] == ["templates/x.yaml"]


def test_the_helmignore_of_a_chart_is_honoured(artifact):
    files = BLOG | {
        "charts/blog/.helmignore": "secret/\n*.md\n",
        "charts/blog/secret/key": "k",
        "charts/blog/README.md": "r",
        "charts/blog/huge.md": "x" * (6 << 20),
    }

    names = {
        file.name for file in loaded(of_tarball(artifact(files), Wanted(path="charts/blog"))).files
    }

    assert names == {".helmignore", "values-prod.yaml"}


@pytest.mark.parametrize("path", ["charts", "charts/blog/templates", "nowhere", ""])
def test_a_path_without_a_chart_is_named(artifact, path):
    with pytest.raises(ChartPathNotFound, match=r"no Chart\.yaml"):
        of_tarball(artifact(BLOG), Wanted(path=path))


def test_a_packaged_chart_in_the_artifact_stays_as_it_is(artifact):
    chart = packed({"Chart.yaml": head()}, top="blog")

    assert (
        of_tarball(artifact({"dist/blog.tgz": chart}), Wanted(path="dist/blog.tgz")).archive
        == chart
    )


def test_an_artifact_may_be_a_packaged_chart(artifact):
    files = {"blog/Chart.yaml": head(), "blog/values.yaml": "a: 1"}

    found = of_tarball(artifact(files), Wanted(may_be_packed=True))

    assert (found.name, found.archive) == ("blog", None)
    with pytest.raises(ChartPathNotFound):
        of_tarball(artifact(files), Wanted())


@pytest.mark.parametrize(
    ("files", "values"),
    [
        pytest.param(["values-prod.yaml"], {"replicas": 3.0, "image": {"tag": "b"}}, id="one"),
        pytest.param(
            ["values.yaml", "./values-prod.yaml"],
            {"replicas": 3.0, "image": {"name": "blog", "tag": "b"}},
            id="later ones win",
        ),
        pytest.param(
            ["values-prod.yaml", "values.yaml"],
            {"replicas": 1.0, "image": {"name": "blog", "tag": "a"}},
            id="the chart's own as the last",
        ),
    ],
)
def test_values_files_replace_those_of_the_chart(artifact, files, values):
    in_source = tuple(f"charts/blog/{name}" for name in files)
    from_folder = of_tarball(artifact(BLOG), Wanted(path="charts/blog", values_files=in_source))
    inside = {name.removeprefix("charts/blog/"): text for name, text in BLOG.items()}
    from_archive = of_archive(packed(inside, top="blog"), Wanted(values_files=tuple(files)))

    assert loaded(from_folder).values == loaded(from_archive).values == values


def test_values_files_may_lie_beside_the_chart(artifact):
    files = BLOG | {"env/prod.yaml": "a: null\nb: 1e9\nc: '1'\nd: [1, {e: yes}]\n"}

    found = of_tarball(artifact(files), Wanted(path="charts/blog", values_files=("env/prod.yaml",)))

    assert loaded(found).values == {"a": None, "b": 1e9, "c": "1", "d": [1.0, {"e": True}]}


def test_a_values_file_that_is_missing_is_named_or_left_out(artifact):
    wanted = ("charts/blog/no.yaml", "charts/blog/values-prod.yaml")

    with pytest.raises(ValuesFileNotFound, match=r"charts/blog/no\.yaml"):
        of_tarball(artifact(BLOG), Wanted(path="charts/blog", values_files=wanted))
    found = of_tarball(
        artifact(BLOG),
        Wanted(path="charts/blog", values_files=wanted, ignore_missing_values_files=True),
    )
    assert loaded(found).values == {"replicas": 3.0, "image": {"tag": "b"}}
    only = of_tarball(
        artifact(BLOG),
        Wanted(path="charts/blog", values_files=("x.yaml",), ignore_missing_values_files=True),
    )
    assert loaded(only).values == {}


def test_a_values_file_that_is_no_table_is_refused(artifact):
    files = BLOG | {"env/prod.yaml": "- a\n"}

    with pytest.raises(ValuesInvalid, match=r"env/prod\.yaml"):
        of_tarball(artifact(files), Wanted(path="charts/blog", values_files=("env/prod.yaml",)))


def test_a_chart_that_lacks_nothing_is_taken_as_it_is():
    found = of_archive(packed({"Chart.yaml": head()}, top="blog"), Wanted())

    assert (found.name, found.version, found.missing, found.archive) == ("blog", "1.2.3", (), None)


def test_what_is_missing_is_named_and_put_in():
    chart = packed({"Chart.yaml": needing(("redis", "^1.0.0", REPOSITORY))}, top="blog")

    asked = of_archive(chart, Wanted())
    redis = packed({"Chart.yaml": head("redis", "1.4.0")}, top="redis")
    done = of_archive(chart, Wanted(), [Fetched("redis", "^1.0.0", REPOSITORY, redis)])

    assert asked.missing == (Dependency("redis", "^1.0.0", REPOSITORY),)
    assert asked.archive is None
    assert [(one.name, one.metadata.version) for one in loaded(done).subcharts] == [
        ("redis", "1.4.0")
    ]


def test_one_chart_may_be_needed_in_two_versions():
    needs = needing(("redis", "1.0.0", REPOSITORY))
    needs += f"- {{name: redis, version: 2.0.0, repository: {REPOSITORY!r}, alias: cache}}\n"
    chart = packed({"Chart.yaml": needs}, top="blog")
    fetched = [
        Fetched("redis", version, REPOSITORY, packed({"Chart.yaml": head("redis", version)}))
        for version in ("1.0.0", "2.0.0")
    ]

    inside = loaded(of_archive(chart, Wanted(), fetched)).subcharts

    assert [one.metadata.version for one in inside] == ["1.0.0", "2.0.0"]


def a_lock(declared, locked):
    digest = lock.digest(
        [Dependency(*one) for one in declared], [Dependency(*one) for one in locked]
    )
    lines = "".join(
        f"- {{name: {one}, version: {version!r}, repository: {repository!r}}}\n"
        for one, version, repository in locked
    )
    return f"dependencies:\n{lines}digest: {digest}\ngenerated: 2024-01-01T00:00:00Z\n"


def test_a_lock_says_which_version_is_fetched():
    declared, locked = [("redis", "^1", REPOSITORY)], [("redis", "1.1.0", REPOSITORY)]
    files = {"Chart.yaml": needing(*declared), "Chart.lock": a_lock(declared, locked)}

    asked = of_archive(packed(files, top="blog"), Wanted())

    assert asked.missing == (Dependency("redis", "1.1.0", REPOSITORY),)


def test_a_lock_says_what_a_name_of_the_users_own_stands_for():
    declared, locked = [("redis", "^1", "@bitnami")], [("redis", "1.1.0", REPOSITORY)]
    files = {
        "Chart.yaml": needing(*declared),
        "Chart.lock": a_lock([("redis", "^1", REPOSITORY)], locked),
    }

    asked = of_archive(packed(files, top="blog"), Wanted())

    assert asked.missing == (Dependency("redis", "1.1.0", REPOSITORY),)
    with pytest.raises(ChartInvalid, match="is no URL"):
        of_archive(packed({"Chart.yaml": needing(*declared)}, top="blog"), Wanted())


def test_a_lock_of_other_dependencies_is_refused_where_something_is_missing():
    old = a_lock([("redis", "^1", REPOSITORY)], [("redis", "1.1.0", REPOSITORY)])
    files = {"Chart.yaml": needing(("redis", "^2", REPOSITORY)), "Chart.lock": old}

    with pytest.raises(LockOutOfSync, match="out of sync"):
        of_archive(packed(files, top="blog"), Wanted())
    carried = {"charts/redis/Chart.yaml": head("redis", "2.0.0")}
    assert of_archive(packed(files | carried, top="blog"), Wanted()).missing == ()


def test_what_has_no_repository_is_left_to_helms_own_words():
    chart = packed({"Chart.yaml": needing(("redis", "1.0.0", ""))}, top="blog")

    assert of_archive(chart, Wanted()).missing == ()


def test_a_local_dependency_is_put_in_from_the_source(artifact):
    files = BLOG | {
        "charts/blog/Chart.yaml": needing(("common", "^1", "file://../common")),
        "charts/common/Chart.yaml": head("common", "1.5.0"),
        "charts/common/.helmignore": "*.md",
        "charts/common/x.md": "x",
        "charts/common/templates/_x.tpl": "{{/* */}}",
    }

    [common] = loaded(of_tarball(artifact(files), Wanted(path="charts/blog"))).subcharts

    assert (common.name, common.metadata.version) == ("common", "1.5.0")
    assert [file.name for file in common.files] == [".helmignore"]


@pytest.mark.parametrize(
    ("repository", "error", "text"),
    [
        pytest.param("file://../../../etc", ChartPathIllegal, "out of the source", id="above it"),
        pytest.param("file:///etc", ChartPathIllegal, "out of the source", id="an absolute path"),
        pytest.param("file://../none", ChartPathNotFound, "no chart at", id="nothing there"),
        pytest.param("file://../wrong", ChartInvalid, "is called", id="another chart"),
        pytest.param("file://../old/common", ChartInvalid, "does not allow", id="another version"),
        pytest.param("ftp://x/y", ChartInvalid, "is no URL", id="another scheme"),
        pytest.param("alias:stable", ChartInvalid, "is no URL", id="a name of someone's own"),
    ],
)
def test_a_dependency_that_cannot_be_put_in_is_named(artifact, repository, error, text):
    files = BLOG | {
        "charts/blog/Chart.yaml": needing(("common", "^1", repository)),
        "charts/wrong/Chart.yaml": head("wrong", "1.0.0"),
        "charts/old/common/Chart.yaml": head("common", "0.1.0"),
    }

    with pytest.raises(error, match=text) as caught:
        of_tarball(artifact(files), Wanted(path="charts/blog"))
    assert '"common"' in caught.value.text


def test_a_local_dependency_of_a_packaged_chart_stays_inside_it():
    inside = {
        "Chart.yaml": needing(("x", "*", "file://./extra/x")),
        "extra/x/Chart.yaml": head("x"),
    }
    above = {"Chart.yaml": needing(("x", "*", "file://../x"))}

    assert [one.name for one in loaded(of_archive(packed(inside), Wanted())).subcharts] == ["x"]
    with pytest.raises(ChartPathIllegal):
        of_archive(packed(above), Wanted())


def test_a_chart_that_needs_itself_is_put_in_once(artifact):
    files = BLOG | {"charts/blog/Chart.yaml": needing(("blog", "*", "file://../blog"))}

    chart = loaded(of_tarball(artifact(files), Wanted(path="charts/blog")))

    assert [one.name for one in chart.subcharts] == ["blog"]
    assert chart.subcharts[0].subcharts == ()


def test_too_many_dependencies_are_refused():
    needs = needing(*((f"c{number}", "1.0.0", REPOSITORY) for number in range(65)))

    with pytest.raises(ChartInvalid, match="more than 64"):
        of_archive(packed({"Chart.yaml": needs}), Wanted())


def a_link(name, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


@pytest.mark.parametrize(
    ("members", "error"),
    [
        pytest.param([a_link("charts/blog/x", "/etc/passwd")], ChartPathIllegal, id="a link"),
        pytest.param(
            [("charts/blog/Chart.yaml", head()), ("charts/blog/Chart.yaml", "")],
            ChartInvalid,
            id="a file twice",
        ),
        pytest.param([("charts/blog/big", "x" * (6 << 20))], ChartTooLarge, id="a huge file"),
    ],
)
def test_a_chart_that_no_tarball_should_hold_is_refused(tmp_path, members, error):
    path = tmp_path / "artifact.tar.gz"
    path.write_bytes(packed_raw(*BLOG.items(), *members))

    with pytest.raises(error):
        of_tarball(path, Wanted(path="charts/blog"))


def test_what_leads_out_of_the_artifact_is_nobodys_file(tmp_path):
    path = tmp_path / "artifact.tar.gz"
    strays = [("../charts/blog/x", "x"), ("/charts/blog/y", "y"), a_link("z", "/etc")]
    path.write_bytes(packed_raw(*BLOG.items(), *strays))

    files = loaded(of_tarball(path, Wanted(path="charts/blog"))).files

    assert [file.name for file in files] == ["values-prod.yaml"]


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b"\x1f\x8b\x08broken", packed_raw(("a", "b" * 9999))[:60]]
)
def test_an_artifact_that_is_none_is_refused(tmp_path, data):
    path = tmp_path / "artifact.tar.gz"
    path.write_bytes(data)

    with pytest.raises(ChartInvalid, match="artifact"):
        of_tarball(path, Wanted(path="charts/blog"))


def test_an_artifact_without_an_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("whipstaff.chart.tarball.MAX_UNPACKED_BYTES", 1 << 20)
    path = tmp_path / "artifact.tar.gz"
    path.write_bytes(packed_raw(*BLOG.items(), ("zeros", bytes(2 << 20))))

    with pytest.raises(ChartTooLarge, match="more than"):
        of_tarball(path, Wanted(path="charts/blog"))
