"""When output is coloured, and how."""

import click
import pytest
from click.testing import CliRunner

from whipstaff.cli import colours
from whipstaff.cli.main import main
from whipstaff.cli.printing import color_option, harmless, table, write
from whipstaff.release.revision import ReleaseStatus

GREEN = "\x1b[32mdeployed\x1b[0m\n"


@click.command
@color_option
def told():
    write(colours.status(harmless("deployed")) + "\n")


@pytest.fixture
def run(monkeypatch):
    """Run the command above, on a terminal or not."""
    for name in ("HELM_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")

    def run(*flags, terminal=False, **environment):
        monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: terminal)
        return CliRunner().invoke(told, flags, env=environment)

    return run


@pytest.mark.parametrize(
    ("terminal", "flags", "environment", "coloured"),
    [
        pytest.param(True, (), {}, True, id="a terminal"),
        pytest.param(False, (), {}, False, id="a pipe"),
        pytest.param(True, (), {"TERM": "dumb"}, False, id="a terminal without colours"),
        pytest.param(False, ("--color=always",), {}, True, id="a pipe that is to be coloured"),
        pytest.param(True, ("--colour", "never"), {}, False, id="a terminal that is not"),
        pytest.param(False, (), {"HELM_COLOR": "Always"}, True, id="helm's variable"),
        pytest.param(False, (), {"HELM_COLOR": "pink"}, False, id="nonsense in it"),
        pytest.param(False, ("--color=auto",), {"HELM_COLOR": "always"}, False, id="a flag wins"),
        pytest.param(True, ("--color=always",), {"NO_COLOR": "1"}, False, id="NO_COLOR wins"),
        pytest.param(True, (), {"NO_COLOR": ""}, True, id="an empty NO_COLOR says nothing"),
        pytest.param(True, ("--color=x", "--color=never"), {}, False, id="the last flag counts"),
    ],
)
def test_the_flag_the_variables_and_the_terminal_decide(
    run, terminal, flags, environment, coloured
):
    done = run(*flags, terminal=terminal, **environment)
    assert (done.stdout, done.exit_code) == (GREEN if coloured else "deployed\n", 0)


@pytest.mark.parametrize("line", ["list --color pink", "plan blog --colour=pink", "--color pink"])
def test_another_mode_is_refused_in_helms_words(line):
    done = CliRunner().invoke(main, line.split())
    said = r"invalid color mode \"pink\": must be one of: never, auto, always"
    assert done.stderr == f'level=WARN msg="command failed" error="{said}"\n'
    assert done.exit_code == 1


@pytest.fixture
def wanted(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("HELM_COLOR", "always")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((status, "33") for status in ReleaseStatus if status.pending),
        (ReleaseStatus.DEPLOYED, "32"),
        (ReleaseStatus.FAILED, "31"),
        (ReleaseStatus.UNKNOWN, "31"),
        (ReleaseStatus.UNINSTALLING, "33"),
        (ReleaseStatus.UNINSTALLED, ""),
        (ReleaseStatus.SUPERSEDED, ""),
        ("odd", ""),
    ],
)
def test_each_status_has_helms_colour(wanted, status, code):
    assert colours.status(status) == (f"\x1b[{code}m{status}\x1b[0m" if code else status)


def test_colours_take_no_room_in_a_table(wanted):
    rows = [[colours.header("A"), "B"], [colours.namespace("ccc"), "d"], ["e", "f"]]
    lines = ["\x1b[1mA\x1b[22m  \tB", "\x1b[36mccc\x1b[0m\td", "e  \tf"]
    assert table(rows).splitlines() == lines


def test_what_is_coloured_steers_no_terminal(wanted, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    write(colours.namespace(harmless("a\x1b[2Jb")))
    assert capsys.readouterr().out == "\x1b[36ma\ufffd[2Jb\x1b[0m"
