"""The flags that helm takes with every command, before its name and behind it."""

import pytest
from click.testing import CliRunner

from tests.builders.beside_helm import Beside
from whipstaff.cli.main import main


@pytest.fixture
def beside(tmp_path):
    beside = Beside(tmp_path)
    beside.lay_out({"x/Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\n"})
    return beside


@pytest.mark.cluster
@pytest.mark.parametrize(
    "line",
    [
        "--debug repo list",
        "repo --debug list",
        "repo list --debug",
        "repo list --debug=false",
        "repo list --debug=maybe",
        "repo list -n shop",
        "repo list -nshop",
        "repo list -n",
        "-n",
        "--kube-context=x --qps 5 repo ls",
        "--repository-config other.yaml repo --namespace=shop list",
        "dependency list x --debug",
        "-n shop show chart x",
        "--nothing repo list",
        "repo --nothing list",
        "repo list --nothing",
    ],
)
def test_they_are_taken_where_helm_takes_them(beside, line):
    beside.same(*line.split())


def test_a_command_that_has_a_use_for_one_gets_it(tmp_path):
    lines = ["-n", "shop", "template", str(tmp_path)]
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: x\nversion: 1.0.0\n")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.yaml").write_text("a: {{ .Release.Namespace }}\n")
    assert "a: shop\n" in CliRunner().invoke(main, lines).stdout
    assert "a: shop\n" in CliRunner().invoke(main, ["template", "-nshop", str(tmp_path)]).stdout
