"""What shells are given to complete commands with."""

import pytest
from click.testing import CliRunner

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
