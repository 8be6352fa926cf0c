"""What the command says of itself, and which settings it runs with."""

import json
import platform

import pytest
import yaml
from click.testing import CliRunner

from whipstaff.cli.main import main
from whipstaff.controller import operator
from whipstaff.settings import VERSION


def printed(*arguments, **options):
    done = CliRunner().invoke(main, arguments, **options)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_version_is_one_word():
    assert printed("version", "--client") == f"{VERSION}\n"


def test_the_version_can_be_read_by_programs():
    facts = {"version": VERSION, "python": platform.python_version()}
    assert json.loads(printed("version", "--client", "-o", "json")) == facts


def test_manifests_begin_with_what_the_others_need():
    kinds = [body["kind"] for body in yaml.safe_load_all(printed("manifests"))]
    assert kinds[:2] == ["Namespace", "CustomResourceDefinition"]
    assert {"ServiceAccount", "ClusterRole", "Deployment", "Service"} <= set(kinds)


def test_only_the_definitions_are_printed_on_demand():
    bodies = yaml.safe_load_all(printed("manifests", "--only-crds"))
    assert {body["kind"] for body in bodies} == {"CustomResourceDefinition"}


@pytest.fixture
def settings_of(monkeypatch):
    """Give the settings that a command line and an environment lead to; nothing is run."""
    found = []

    def assemble(settings, _target, _meter):
        found.append(settings)

    monkeypatch.setattr("whipstaff.wiring.assemble", assemble)
    monkeypatch.setattr("whipstaff.controller.logs.log_as_json", lambda _level: None)
    monkeypatch.setattr(operator, "run", lambda start: start(None))

    def settings_of(*arguments, **environment):
        variables = {f"WHIPSTAFF_{name.upper()}": value for name, value in environment.items()}
        printed("run", *arguments, env=variables)
        return found.pop()

    return settings_of


def test_namespaces_come_from_the_environment_or_from_options_which_win(settings_of):
    assert settings_of().watch_namespaces == ()
    assert settings_of(watch_namespaces="shop,blog").watch_namespaces == ("shop", "blog")
    given = settings_of("--namespace=a", "--namespace", "b", watch_namespaces="shop")
    assert given.watch_namespaces == ("a", "b")
