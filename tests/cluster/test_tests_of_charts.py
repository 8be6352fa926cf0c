"""The tests of a chart: when they run, what their failure leads to, and what they logged.

The log is in status, whatever becomes of their Pods; what Secrets hold is not.
"""

import pytest

from tests.builders.atomic_releases import OTHER_TEST, AtomicReleases, atomic_chart
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
LAST = {"remediateLastFailure": True}
TESTS_FAIL = {"tests": "fails"}
TESTED = {"enable": True, "timeout": "20s"}


@pytest.fixture
def x(releases, repository):
    repository.add(atomic_chart())
    return AtomicReleases(releases)


def test_tests_run_once_after_an_install_and_an_upgrade(x):
    x.create(test=TESTED)
    release = x.until({1: "deployed"}, "Ready", "Tested")
    assert x.phases(1) == {"x-test": "Succeeded"}
    (test,) = release["status"]["tests"]
    assert (test["name"], test["kind"], test["phase"]) == ("x-test", "Pod", "Succeeded")
    assert release["status"]["testedRevision"] == 1
    ran = x.live.payload(NAME, 1)["hooks"][0]["last_run"]
    x.answered()
    assert x.live.payload(NAME, 1)["hooks"][0]["last_run"] == ran
    x.value(text="second")
    x.until({1: "superseded", 2: "deployed"}, "Ready", "Tested")
    assert x.phases(2) == {"x-test": "Succeeded"}


def test_tests_do_not_run_where_nobody_asks(x):
    x.create()
    release = x.runs(1)
    assert x.phases(1) == {"x-test": ""} or x.phases(1) == {"x-test": None}
    assert condition(release, "Tested")["status"] == ""


def test_tests_that_are_asked_for_later_run_on_what_runs(x):
    x.create()
    x.runs(1)
    x.edit(test=TESTED)
    x.until({1: "deployed"}, "Ready", "Tested")


def test_a_failed_test_makes_a_release_not_ready_and_is_told_by_helm(x):
    x.create(values=TESTS_FAIL, test=TESTED, install={"remediation": {}})
    release = x.stalled({1: "deployed"})
    for kind in ("Ready", "Tested"):
        assert condition(release, kind)["reason"] == "TestFailed"
        assert "x-test failed" in condition(release, kind)["message"]
    assert release["status"]["tests"][0]["phase"] == "Failed"
    assert release["status"]["installFailures"] == 1
    assert x.phases(1) == {"x-test": "Failed"}
    assert condition(release, "Released")["status"] == "True"


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"test": TESTED | {"ignoreFailures": True}}, id="by test"),
        pytest.param(
            {"test": TESTED, "install": {"remediation": {"ignoreTestFailures": True}}},
            id="by remediation",
        ),
    ],
)
def test_a_failed_test_that_is_ignored_leaves_a_release_ready(x, spec):
    x.create(values=TESTS_FAIL, **spec)
    release = x.until({1: "deployed"}, "Ready")
    release = x.live.until(NAME, lambda it: condition(it, "Tested")["status"] == "False")
    assert is_true(release, "Ready")
    assert x.phases(1) == {"x-test": "Failed"}


def test_an_install_whose_tests_fail_is_uninstalled_where_that_is_asked(x):
    x.create(values=TESTS_FAIL, test=TESTED, install={"remediation": LAST})
    release = x.stalled({1: "uninstalled"})
    assert x.text is None
    assert condition(release, "Ready")["reason"] == "TestFailed"


def test_an_install_whose_tests_fail_is_tried_again_after_an_uninstallation(x):
    x.create(values=TESTS_FAIL, test=TESTED, install={"remediation": {"retries": 1}})
    release = x.stalled({1: "uninstalled", 2: "deployed"})
    assert release["status"]["installFailures"] == 2
    assert condition(release, "Ready")["reason"] == "TestFailed"
    assert x.phases(2) == {"x-test": "Failed"}
    assert x.text == "first"


def test_an_upgrade_whose_tests_fail_runs_on_where_nothing_is_to_be_done(x):
    x.create(test=TESTED, upgrade={"remediation": {}})
    x.until({1: "deployed"}, "Tested")
    x.value(text="second", **TESTS_FAIL)
    release = x.stalled({1: "superseded", 2: "deployed"})
    assert condition(release, "Ready")["reason"] == "TestFailed"
    assert release["status"]["upgradeFailures"] == 1
    assert x.text == "second"
    x.value(tests=None)
    x.until({1: "superseded", 2: "superseded", 3: "deployed"}, "Ready", "Tested")


def test_an_upgrade_whose_tests_fail_is_uninstalled_where_that_is_the_strategy(x):
    x.create(test=TESTED, upgrade={"remediation": LAST | {"strategy": "uninstall"}})
    x.until({1: "deployed"}, "Tested")
    x.value(text="second", **TESTS_FAIL)
    release = x.stalled({1: "superseded", 2: "uninstalled"})
    assert x.text is None
    assert condition(release, "Remediated")["reason"] == "UninstallSucceeded"


def test_tests_that_fail_are_tried_for_ever_where_that_is_the_strategy(x):
    strategy = {"name": "RetryOnFailure", "retryInterval": "1s"}
    x.create(
        values=TESTS_FAIL,
        test=TESTED,
        install={"strategy": strategy},
        upgrade={"strategy": strategy},
    )
    x.live.until(NAME, lambda release: release["status"].get("revision", 0) >= 3)
    assert not is_true(x.live.get(NAME), "Stalled")
    x.value(tests=None)
    x.live.until(NAME, lambda release: is_true(release, "Ready") and is_true(release, "Tested"))
    x.agree()


def test_an_upgrade_whose_tests_fail_is_rolled_back_where_that_is_asked(x):
    x.create(test=TESTED, upgrade={"remediation": LAST})
    x.until({1: "deployed"}, "Tested")
    x.value(text="second", **TESTS_FAIL)
    release = x.stalled({1: "superseded", 2: "superseded", 3: "deployed"})
    assert x.text == "first"
    assert condition(release, "Ready")["reason"] == "TestFailed"
    assert condition(release, "Tested")["status"] == "False"
    assert condition(release, "Remediated")["reason"] == "RollbackSucceeded"
    assert release["status"]["rejected"]["revision"] == 2


def test_an_upgrade_whose_tests_fail_is_tried_again_as_a_new_revision(x):
    x.create(test=TESTED, upgrade={"remediation": {"retries": 1, "strategy": "rollback"}})
    x.until({1: "deployed"}, "Tested")
    x.value(text="second", **TESTS_FAIL)
    x.stalled({1: "superseded", 2: "superseded", 3: "superseded", 4: "superseded", 5: "deployed"})
    assert x.text == "first"


def test_filters_choose_the_tests_that_run(x, repository):
    repository.add(atomic_chart("two", other=OTHER_TEST))
    filters = [{"name": "x-test", "exclude": True}]
    x.live.create(NAME, "two", test=TESTED | {"filters": filters}, values=TESTS_FAIL)
    release = x.until({1: "deployed"}, "Ready", "Tested")
    assert [test["name"] for test in release["status"]["tests"]] == ["x-other"]
    assert x.phases(1)["x-other"] == "Succeeded"


def test_the_helm_command_tests_what_we_tested(x):
    x.create(test=TESTED)
    release = x.until({1: "deployed"}, "Tested")
    x.live.helm("test", NAME)
    assert x.phases(1) == {"x-test": "Succeeded"}
    again = x.answered()
    assert is_true(again, "Tested")
    assert again["status"]["testedRevision"] == release["status"]["testedRevision"]
    assert x.stored == {1: "deployed"}


# Their logs.


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
