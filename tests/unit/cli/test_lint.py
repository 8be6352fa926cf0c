"""`whipstaff lint` says what `helm lint` says."""

import tarfile

import pytest

from tests.builders.helm_commands import expected, lay_out, name_of, oracle, run

ORACLE = oracle("lint")


@pytest.fixture(scope="module")
def charts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("charts")
    lay_out(ORACLE["files"], folder)
    return folder


@pytest.fixture(autouse=True)
def at_the_charts(charts, monkeypatch):
    monkeypatch.chdir(charts)


@pytest.mark.parametrize("case", ORACLE["cases"], ids=name_of)
def test_a_chart_is_judged_as_helm_judges_it(case, charts):
    assert run("lint", *case["arguments"]) == expected(case, charts)


@pytest.mark.parametrize("name", ["ok", "noname", "tbad"])
def test_an_archive_is_judged_as_its_folder_is(name, tmp_path):
    archive = tmp_path / f"{name}.tgz"
    with tarfile.open(archive, "w:gz") as stream:
        stream.add(name)
    output, *rest = run("lint", name)
    in_archive, *rest_of_archive = run("lint", str(archive))
    if name == "noname":
        assert "Error unable to extract tarball: chart name not specified" in in_archive
        return
    assert in_archive == output.replace(f"==> Linting {name}", f"==> Linting {archive}")
    assert rest_of_archive == rest


def test_what_is_no_archive_is_no_chart(tmp_path):
    (tmp_path / "x.tgz").write_text("x")
    output, error, code = run("lint", str(tmp_path / "x.tgz"))
    assert "Error unable to extract tarball: not a gzip archive" in output
    assert error == "Error: 1 chart(s) linted, 1 chart(s) failed\n"
    assert code == 1
