"""What a chart's tests logged is in status, whatever becomes of their Pods; no secret is."""

import pytest

from tests.builders.kubelet import LoggingNode
from tests.builders.live_releases import condition, eventually, is_true
from tests.builders.small_charts import a_packed_chart

NAME = "x"
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: hunter2hunter2}
"""
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: check
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: hook-succeeded,hook-failed
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  nodeSelector: {{ .Values.nodeSelector | toJson }}
  tolerations: [{key: tests, operator: Exists}]
  containers: [{name: run, image: "registry.test/app:1"}]
"""
JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: check
  annotations: {helm.sh/hook: test}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      nodeSelector: {{ .Values.nodeSelector | toJson }}
      tolerations: [{key: tests, operator: Exists}]
      containers: [{name: run, image: "registry.test/app:1"}]
"""
LINES = "".join(f"line {number}\n" for number in range(50)) + "password is hunter2hunter2\n"
TEST = {"enable": True, "timeout": "60s"}


@pytest.fixture
def node(control_plane, tmp_path):
    with LoggingNode(control_plane, tmp_path) as node:
        node.logs["check", "run", False] = LINES
        yield node


def install(releases, repository, node, check, **spec):
    values = f'nodeSelector: {{"kubernetes.io/hostname": {node.name}}}\n'
    repository.add(a_packed_chart("checked", values=values, login=SECRET, check=check))
    releases.create(NAME, "checked", test=TEST, **spec)


def end(releases, exit_code):
    """Have the test's Pod end, once it is on its node."""

    def pods():
        found = releases.api.request("GET", releases.core("pods"))["items"]
        return [pod["metadata"]["name"] for pod in found if pod["spec"].get("nodeName")]

    (name,) = eventually(pods, "no test runs")
    state = {"terminated": {"exitCode": exit_code, "reason": "Error" if exit_code else "Completed"}}
    container = {
        "name": "run",
        "ready": False,
        "restartCount": 0,
        "image": "registry.test/app:1",
        "imageID": "",
        "state": state,
    }
    status = {"phase": "Failed" if exit_code else "Succeeded", "containerStatuses": [container]}
    releases.api.request("PATCH", f"{releases.core('pods', name)}/status", {"status": status})


@pytest.mark.parametrize("check", [POD, JOB], ids=["a Pod", "a Job"])
@pytest.mark.parametrize("exit_code", [0, 1], ids=["passes", "fails"])
def test_the_last_lines_of_a_tests_log_are_in_status(releases, repository, node, check, exit_code):
    install(releases, repository, node, check, install={"remediation": {}})
    end(releases, exit_code)
    release = releases.until(NAME, lambda release: release["status"].get("tests"))
    (test,) = release["status"]["tests"]
    assert test["phase"] == ("Failed" if exit_code else "Succeeded")
    lines = test["log"].splitlines()
    assert len(lines) == 20
    assert lines[0] == "line 31"
    assert lines[-1] == "password is [masked]"
    assert is_true(release, "Tested") is (exit_code == 0)
    assert "hunter2" not in str(release)
    if check is POD:  # by its delete policy
        eventually(lambda: releases.find(releases.core("pods", "check")) is None, "it is there")


def test_a_test_whose_log_cannot_be_had_is_told_of_without(releases, repository, node):
    node.logs.clear()
    install(releases, repository, node, POD)
    end(releases, 0)
    release = releases.until(NAME, lambda release: is_true(release, "Tested"))
    assert "log" not in release["status"]["tests"][0]


def test_a_test_that_takes_too_long_fails(releases, repository, node):
    install(releases, repository, node, POD, install={"remediation": {}})
    releases.until(NAME, lambda release: release["status"].get("revision") == 1)
    releases.edit(NAME, test={"timeout": "2s"})
    release = releases.until(NAME, lambda it: condition(it, "Tested")["status"] == "False")
    assert "timed out after 2s: Pod" in condition(release, "Tested")["message"]
