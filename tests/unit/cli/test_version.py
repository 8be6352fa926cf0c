"""`whipstaff version` and `whipstaff env`."""

import json
import os
import subprocess

import pytest
from click.testing import CliRunner

from tools.controlplane import programs
from whipstaff.cli.main import main
from whipstaff.settings import VERSION


@pytest.mark.parametrize("flag", ["--client", "--short"])
def test_the_client_alone_needs_no_cluster(flag):
    told = CliRunner().invoke(main, ["version", flag], env={"KUBECONFIG": "/nowhere"})
    assert (told.stdout, told.exit_code) == (f"{VERSION}\n", 0)


def test_a_cluster_that_is_not_there_is_told_after_the_client():
    told = CliRunner().invoke(main, ["version"], env={"KUBECONFIG": "/nowhere"})
    assert told.stdout == f"client: {VERSION}\n"
    assert "/nowhere" in told.stderr
    assert told.exit_code == 1


def test_json_is_an_object_whatever_was_found():
    told = CliRunner().invoke(main, ["version", "-o", "json"], env={"KUBECONFIG": "/nowhere"})
    facts = json.loads(told.stdout)
    assert (facts["version"], facts["operators"], facts["cluster"]) == (VERSION, [], "")


def test_the_environment_is_told_as_it_counts():
    given = {"HELM_NAMESPACE": "shop", "HELM_REPOSITORY_CONFIG": "/a/b.yaml"}
    given |= {"WHIPSTAFF_SERVER": "https://gw.example", "WHIPSTAFF_SERVER_TOKEN": "secret"}
    lines = CliRunner().invoke(main, ["env"], env=given).stdout.splitlines()
    assert 'HELM_REPOSITORY_CONFIG="/a/b.yaml"' in lines
    assert 'WHIPSTAFF_SERVER="https://gw.example"' in lines
    assert not any("secret" in line for line in lines)
    assert lines == sorted(lines)
    assert CliRunner().invoke(main, ["env", "HELM_NAMESPACE"], env=given).stdout == "shop\n"


@pytest.mark.cluster
def test_the_environment_is_told_as_helm_tells_it(tmp_path):
    context = {"name": "c", "context": {"cluster": "c", "namespace": "shop"}}
    config = tmp_path / "config"
    config.write_text(json.dumps({"current-context": "c", "contexts": [context]}))
    given = {"HOME": str(tmp_path), "KUBECONFIG": str(config), "HELM_CACHE_HOME": "/cache"}
    helm = [programs.find()["helm"], "env"]
    said = subprocess.run(helm, env=given, capture_output=True, text=True, check=True, timeout=60)
    nothing_here = ("HELM_BIN=", "HELM_BURST", "HELM_KUBETOKEN", "HELM_PLUGINS", "HELM_QPS")
    helms = {line for line in said.stdout.splitlines() if not line.startswith(nothing_here)}
    ours = CliRunner(env=dict.fromkeys(os.environ)).invoke(main, ["env"], env=given).stdout
    assert set(ours.splitlines()) - helms == {
        *('HELM_DRIVER=""', f'KUBECONFIG="{config}"', 'WHIPSTAFF_CLUSTER=""'),
        *('WHIPSTAFF_SERVER=""', 'WHIPSTAFF_SERVER_CA_FILE=""'),
    }
    assert helms <= set(ours.splitlines())
