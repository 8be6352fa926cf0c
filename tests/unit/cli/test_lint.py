"""`whipstaff lint` says what `helm lint` says."""

import tarfile

import pytest

from tests.builders.helm_commands import expected, lay_out, name_of, oracle, run

ORACLE = oracle("lint")
OURS = "[WARNING] values: "


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
    output, *rest = run("lint", *case["arguments"])
    helms = "".join(line for line in output.splitlines(True) if not line.startswith(OURS))
    assert (helms, *rest) == expected(case, charts)


def test_values_that_nothing_reads_are_named(tmp_path):
    files = {
        "c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.1.0\nicon: https://x.y/i.png\n",
        "c/values.yaml": "replicaCount: 1\n",
        "c/templates/a.yaml": "a: {{ .Values.replicaCount }}{{ required `need` .Values.need }}\n",
    }
    lay_out(files, tmp_path)
    output, error, code = run(
        "lint", str(tmp_path / "c"), "--set", "replicaCuont=3,need=,password=hunter2"
    )
    assert (
        "[WARNING] values: `replicaCuont` is never read; did you mean `replicaCount`?\n"
        "[WARNING] values: `password` is never read\n"
    ) in output
    assert "hunter2" not in output
    assert error.count("need") == 1
    assert code == 0


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
