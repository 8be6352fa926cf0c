"""What shells are given to complete commands with."""

import json

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from whipstaff.cli import completions
from whipstaff.cli.late import Late
from whipstaff.cli.main import main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_the_command(shell):
    told = CliRunner().invoke(main, ["completion", shell], prog_name="kubectl-whipstaff")
    assert told.exit_code == 0
    assert "_WHIPSTAFF_COMPLETE" in told.stdout


@pytest.mark.parametrize("words", [(), ("tcsh",), ("bash", "zsh")])
def test_other_shells_are_refused(words):
    assert CliRunner().invoke(main, ["completion", *words]).exit_code == 1


def test_flags_of_a_command_that_is_imported_late_are_completed():
    asked = {
        "_WHIPSTAFF_COMPLETE": "bash_complete",
        "COMP_WORDS": "whipstaff rollback --no",
        "COMP_CWORD": "2",
    }
    told = CliRunner().invoke(
        main, [], prog_name="whipstaff", env=asked, complete_var="_WHIPSTAFF_COMPLETE"
    )
    assert "plain,--no-wait" in told.stdout


@pytest.fixture
def completed(tmp_path, monkeypatch):
    """What a line is completed with, where no cluster answers."""
    config = {
        "current-context": "one",
        "contexts": [{"name": name, "context": {"cluster": "c"}} for name in ("one", "two")],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))

    def completed(line):
        *words, last = line.split(" ")
        found = ShellComplete(main, {}, "whipstaff", "").get_completions(words, last)
        return [item.value if item.type == "plain" else item.type for item in found]

    return completed


@pytest.mark.parametrize(
    ("line", "names"),
    [
        pytest.param("list --context ", ["one", "two"], id="contexts"),
        pytest.param("list --kube-context t", ["two"], id="helm's flag"),
        pytest.param("list -o ", ["table", "json", "yaml"], id="formats"),
        pytest.param("convert ", ["file"], id="files"),
        pytest.param("status --color a", ["auto", "always"], id="when to colour"),
        pytest.param("upgrade blog ./x -f ", ["file"], id="values"),
        pytest.param("install blog ", ["file"], id="a chart"),
        pytest.param("upgrade blog ", ["file"], id="a chart behind its release"),
        pytest.param("status ", [], id="a cluster that is away"),
        pytest.param("status --context nope ", [], id="a context that there is not"),
        pytest.param("get values --revision ", [], id="revisions of no release"),
    ],
)
def test_values_are_completed(completed, line, names):
    assert completed(line) == names


def _about_a_release(group=main, words=()):
    """Yield the words of each command that takes the name of a release, or of a HelmRelease."""
    for name, late in group.commands.items():
        command = late.command() if isinstance(late, Late) else late
        if isinstance(command, click.Group):
            yield from _about_a_release(command, (*words, name))
            continue
        first = next((one for one in command.params if isinstance(one, click.Argument)), None)
        goes_there = any("--kube-context" in option.opts for option in command.params)
        if first and goes_there and first.make_metavar(click.Context(command)).startswith(NAMED):
            yield " ".join((*words, name))


NAMED = ("NAME", "RELEASE")
ABOUT_A_RELEASE = sorted(_about_a_release())


def test_the_commands_about_a_release_are_known():
    known = {"approve", "diff", "get all", "history", "pin", "plan", "status", "upgrade", "wait"}
    assert known <= set(ABOUT_A_RELEASE)


@pytest.mark.parametrize("command", ABOUT_A_RELEASE)
def test_each_command_about_a_release_completes_its_name(completed, monkeypatch, command):
    monkeypatch.setattr(completions, "_asked", lambda *_: ["blog", "shop"])
    assert completed(f"{command} ") == ["blog", "shop"]


def test_releases_to_convert_are_completed_where_they_are_in_the_cluster(completed, monkeypatch):
    monkeypatch.setattr(completions, "_asked", lambda *_: ["blog", "shop"])
    assert completed("convert --from-cluster ") == ["blog", "shop"]
    assert completed("convert --from-cluster blog ") == ["shop"]


def test_kubectl_is_told_in_its_words(completed, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["kubectl_complete-whipstaff", "list", "--context", ""])
    completions.for_kubectl()
    assert capsys.readouterr().out == "one\ntwo\n:4\n"
    monkeypatch.setattr("sys.argv", ["kubectl_complete-whipstaff", "install", "./"])
    completions.for_kubectl()
    assert capsys.readouterr().out == ":0\n"
