"""docs/cli.md explains every option of every command."""

import re
from pathlib import Path

import click
import pytest
import yaml

from tests.builders import pages
from whipstaff.chart import strvals
from whipstaff.cli.main import Late, main

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^## `(whipstaff [^`]+)`\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
WORDS = re.compile(r"whipstaff ([a-z]+(?: [a-z]+)?)")
SECTIONS = {WORDS.match(title)[1]: body for title, body in SECTION.findall(TEXT)}


def loaded(found):
    return found.command() if isinstance(found, Late) else found


def commands():
    """All commands by their words: those of a group as `repo add`."""
    found = {}
    for name, late in main.commands.items():
        one = loaded(late)
        if isinstance(one, click.Group):
            found |= {
                f"{name} {word}": loaded(inner)
                for word, inner in one.commands.items()
                if not inner.hidden
            }
        else:
            found[name] = one
    return found


COMMANDS = commands()


def command(name):
    return COMMANDS[name]


def options(name):
    return {
        spelling
        for option in command(name).params
        if isinstance(option, click.Option) and not option.hidden
        for spelling in option.opts
    }


def explained(name):
    rows = [line for line in SECTIONS[name].splitlines() if line.startswith("| `-")]
    return [spelling for row in rows for spelling in re.findall(r"`(-[^`]+)`", row.split("|")[1])]


def test_every_command_has_a_section_and_no_other_has():
    assert set(SECTIONS) == set(COMMANDS)


def test_the_list_at_the_top_leads_to_every_command():
    titles = [title for title, _ in SECTION.findall(TEXT)]
    top = TEXT.partition("\n## ")[0]
    assert [title for title in titles if f"(#{pages.anchor(title)})" not in top] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_is_explained_once(name):
    assert sorted(explained(name)) == sorted(options(name))


@pytest.mark.parametrize("name", sorted(main.commands))
def test_the_list_of_commands_says_what_the_command_itself_says(name):
    assert main.commands[name].help == loaded(main.commands[name]).help


EXAMPLES = re.findall(r"^\| `([^`]+=[^`]*)` \| `(\{.*?\})`", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("text", "expected"), EXAMPLES, ids=[text for text, _ in EXAMPLES])
def test_the_examples_of_set_hold(text, expected):
    values = {}
    strvals.parse(text, values)
    assert values == yaml.safe_load(expected)


def test_numbers_that_look_like_none_stay_text():
    values = {}
    strvals.parse("a=1.5,b=012,c=1e3", values)
    assert values == {"a": "1.5", "b": "012", "c": "1e3"}
