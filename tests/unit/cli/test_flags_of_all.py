"""The flags that helm takes with every command, before its name and behind it."""

import click
import pytest
from click.testing import CliRunner

from tests.builders.beside_helm import Beside
from whipstaff.cli.late import Late
from whipstaff.cli.main import main

ABOUT_THE_CLUSTER = {
    *("--kubeconfig", "--context", "--kube-context", "--kube-apiserver", "--kube-token"),
    *("--kube-as-user", "--kube-as-group", "--kube-ca-file", "--kube-tls-server-name"),
    "--kube-insecure-skip-tls-verify",
}
APART = {"run", "gateway", "template"}  # servers, and what asks a cluster only where it is told to


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
        "repo list --color",
        "repo list --color pink",
        "repo --colour=Always list",
        "--color never repo list",
        "--color= list",
        "list --color pink",
        "status x --color pink --colour never --nothing",
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


def _options():
    """Yield each command and the names of its options, those in groups too."""
    waiting = [((name,), command) for name, command in main.commands.items()]
    while waiting:
        words, command = waiting.pop()
        found = command.command() if isinstance(command, Late) else command
        if isinstance(found, click.Group):
            waiting += [((*words, name), inner) for name, inner in found.commands.items()]
        else:
            yield " ".join(words), {name for option in found.params for name in option.opts}


def test_every_command_that_goes_to_a_cluster_finds_it_by_the_same_flags():
    going = {
        name: options
        for name, options in _options()
        if name not in APART and not options.isdisjoint(ABOUT_THE_CLUSTER)
    }
    assert {"diff", "plan", "dashboard", "get all", "upgrade", "wait"} <= going.keys()
    lacking = {name: ABOUT_THE_CLUSTER - options for name, options in going.items()}
    assert {name: flags for name, flags in lacking.items() if flags} == {}
