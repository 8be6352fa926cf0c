"""`whipstaff version` in a cluster, with and without an operator."""

import json

import pytest
from click.testing import CliRunner

from whipstaff.cli.main import main

LABELS = {"app.kubernetes.io/name": "whipstaff", "app.kubernetes.io/version": "9.8.7"}


@pytest.fixture
def told(control_plane):
    def told(*arguments):
        return CliRunner().invoke(main, ["version", *arguments], env=control_plane.environment())

    return told


def test_an_operator_is_found_wherever_it_runs(control_plane, namespace, told):
    without = told()
    assert without.exit_code == 1
    assert "no operator found" in without.stderr
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "whipstaff", "labels": LABELS},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "a", "image": "a"}]},
            },
        },
    }
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(body))
    control_plane.kubectl("rollout", "status", "deployment/whipstaff", "-n", namespace)
    found = told()
    assert f"operator: 9.8.7 ({namespace}/whipstaff, ready)\n" in found.stdout
    assert "cluster: v1." in found.stdout
    (operator,) = json.loads(told("-o", "json").stdout)["operators"]
    assert (operator["version"], operator["ready"]) == ("9.8.7", True)
