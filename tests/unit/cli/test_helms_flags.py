"""Each flag of helm's release commands is there, or says what to do instead."""

import re
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tools.controlplane import programs
from whipstaff.cli.absent_flags import ABSENT, instead_of
from whipstaff.cli.helm_flags import is_of_all
from whipstaff.cli.main import Late, main

COMMANDS = [
    *("install", "upgrade", "rollback", "uninstall", "list", "status", "history", "test"),
    *(f"get {what}" for what in ("all", "values", "manifest", "hooks", "notes", "metadata")),
]
FLAG = re.compile(r"^ +(?:(-\w), )?(--[a-z-]+)", re.MULTILINE)
DOCS = Path(__file__).parents[3] / "docs" / "cli.md"
ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \| ((?:`-[^`]+`(?:, )?)+) \|", re.MULTILINE)


def ours(words):
    command = main
    for word in words.split():
        command = command.commands[word]
        command = command.command() if isinstance(command, Late) else command
    options = [option for option in command.params if isinstance(option, click.Option)]
    return {spelling for option in options for spelling in option.opts} | {"-h", "--help"}


@pytest.mark.cluster
@pytest.mark.parametrize("command", COMMANDS)
def test_each_flag_of_helm_is_there_or_says_what_to_do(command):
    helm = programs.find()["helm"]
    told = subprocess.run(
        [helm, *command.split(), "--help"], capture_output=True, text=True, check=True
    )
    theirs = FLAG.findall(told.stdout.partition("Flags:")[2])
    known = ours(command)
    assert len(theirs) > 15
    for short, flag in theirs:
        if is_of_all(flag):
            continue
        there = flag in known and (not short or short in known)
        assert there is not bool(instead_of(command, flag)), flag
    absent = {flag for _, flag in theirs}
    assert set(ABSENT.get(command, ())) - {"--force"} <= absent


@pytest.mark.parametrize(
    ("command", "flag"),
    [(command, flag) for command, flags in ABSENT.items() for flag in flags],
    ids=str,
)
def test_a_flag_that_there_is_not_says_what_to_do(command, flag):
    told = CliRunner().invoke(main, [command, "blog", "chart", flag, "x"], prog_name="whipstaff")
    assert told.exit_code == 1
    assert told.stderr == f"Error: unknown flag: {flag}: {ABSENT[command][flag]}\n"


def test_a_short_flag_that_there_is_not_says_what_to_do():
    told = CliRunner().invoke(main, ["install", "blog", "chart", "-la=b"], prog_name="whipstaff")
    assert "unknown shorthand flag: 'l' in -l" in told.stderr
    assert ABSENT["install"]["--labels"] in told.stderr


def test_a_flag_that_nobody_has_is_unknown():
    told = CliRunner().invoke(main, ["install", "a", "b", "--nothing"], prog_name="whipstaff")
    assert told.stderr == "Error: unknown flag: --nothing\n"


def test_the_docs_list_the_same_flags():
    text = DOCS.read_text(encoding="utf-8").partition("## Flags that there are not")[2]
    told = {
        (command, flag)
        for commands, flags in ROW.findall(text.partition("\n## ")[0])
        for command in re.findall(r"`(\w+)`", commands)
        for flag in re.findall(r"`(--[a-z-]+)`", flags)
    }
    meant = {(command, flag) for command, flags in ABSENT.items() for flag in flags}
    assert told == meant - {("install", "--force")}
