"""`whipstaff template` prints what `helm template` prints."""

import subprocess
import sys
import tarfile

import pytest
from click.testing import CliRunner

from tests.builders.helm_commands import expected, lay_out, name_of, oracle, run
from whipstaff.cli.main import main

ORACLE = oracle("template")


@pytest.fixture(scope="module")
def charts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("charts")
    lay_out(ORACLE["files"], folder)
    return folder


@pytest.fixture(autouse=True)
def at_the_charts(charts, monkeypatch):
    monkeypatch.chdir(charts)


@pytest.mark.parametrize("case", ORACLE["cases"], ids=name_of)
def test_arguments_give_what_they_give_helm(case, charts):
    assert run("template", *case["arguments"]) == expected(case, charts)


def test_an_archive_gives_what_its_folder_gives(tmp_path):
    with tarfile.open(tmp_path / "d.tgz", "w:gz") as archive:
        archive.add("d")
    assert run("template", str(tmp_path / "d.tgz")) == run("template", "d")


def test_a_broken_archive_is_refused(tmp_path):
    (tmp_path / "d.tgz").write_bytes(b"\x1f\x8b\x08broken")
    _, error, code = run("template", str(tmp_path / "d.tgz"))
    assert error.startswith("Error: unable to load chart archive")
    assert code == 1


def test_what_is_no_archive_is_named():
    _, error, _ = run("template", "f.txt")
    assert "does not appear to be a gzipped archive; got 'application/octet-stream'" in error


def test_the_notes_come_alone():
    assert run("template", "web", "d", "--notes") == ("notes web\n", "", 0)


def test_debug_shows_what_is_no_yaml():
    output, error, code = run("template", "bad", "--debug")
    assert "# Source: d/templates/x.yaml\nx: [\n" in output
    assert error.startswith("Error: YAML parse error on d/templates/x.yaml")
    assert "--debug" not in error
    assert code == 1


def test_debug_has_nothing_to_show_when_a_template_fails():
    output, _, code = run("template", "fails", "--debug")
    assert (output, code) == ("\n", 1)


def test_values_come_from_standard_input_too():
    result = CliRunner().invoke(main, ["template", "c", "-f", "-"], input="a: from a pipe\n")
    assert '"a":"from a pipe"' in result.stdout


@pytest.mark.parametrize("url", ["https://example.invalid/v.yaml", "http://example.invalid/v"])
def test_nothing_is_downloaded(url):
    _, error, code = run("template", "d", "-f", url)
    assert error == f"Error: {url}: values are read from files, nothing is downloaded\n"
    assert code == 1


def test_a_folder_gets_a_file_for_each_template(tmp_path):
    output, _, code = run("template", "rel", "d", "--output-dir", str(tmp_path), "--include-crds")
    assert code == 0
    assert output.endswith("\n\n")
    assert output.count("wrote ") == 10
    written = (tmp_path / "d" / "templates" / "h.yaml").read_text()
    assert written.count("# Source: d/templates/h.yaml\n") == 2
    assert (tmp_path / "d" / "crds" / "dc.yaml").is_file()


def test_a_folder_of_the_releases_name_holds_all_but_the_crds(tmp_path):
    flags = ("--output-dir", str(tmp_path), "--release-name", "--include-crds")
    run("template", "rel", "d", *flags)
    assert (tmp_path / "rel" / "d" / "templates" / "a.yaml").is_file()
    assert (tmp_path / "d" / "crds" / "dc.yaml").is_file()


def test_templates_without_an_end_are_refused_not_crashed(tmp_path):
    lay_out(
        {
            "c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n",
            "c/templates/_r.tpl": '{{ define "r" }}{{ template "r" . }}{{ end }}',
            "c/templates/a.yaml": '{{ template "r" . }}',
        },
        tmp_path,
    )
    _, error, code = run("template", str(tmp_path / "c"))
    assert "exceeded maximum template depth" in error
    assert code == 1


@pytest.mark.parametrize("arguments", [["--help"], ["version", "--client"]], ids=" ".join)
def test_what_renders_nothing_imports_no_engine(arguments):
    program = (
        "import sys\n"
        "from whipstaff.cli.main import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        "print([name for name in sys.modules if name.startswith('whipstaff.template')])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines()[-1] == "[]"
