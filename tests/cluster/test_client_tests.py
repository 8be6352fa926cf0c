"""`whipstaff test` beside `helm test`, on the same release."""

import base64
import gzip
import json
import re
import threading

import pytest

from tests.builders.atomic_releases import OTHER_TEST, AtomicReleases, atomic_chart
from tests.builders.kubelet import LoggingNode
from tests.builders.live_releases import condition, eventually, is_true
from tests.builders.our_command import our_command
from tests.builders.small_charts import a_packed_chart

NAME = "x"
TIMES = re.compile(r"(Last (?:Started|Completed):) .*")
ROLL_BACK = {"remediation": {"remediateLastFailure": True}}
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: check
  annotations: {helm.sh/hook: test POLICY}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  nodeSelector: {{ .Values.nodeSelector | toJson }}
  tolerations: [{key: tests, operator: Exists}]
  containers: [{name: run, image: "registry.test/app:1"}]
"""
LINES = "".join(f"line {number}\n" for number in range(50))


@pytest.fixture
def ours(control_plane, namespace):
    return our_command(control_plane, namespace)


@pytest.fixture
def helms(control_plane, namespace):
    def helms(*arguments):
        return control_plane.run("helm", *arguments, "-n", namespace, check=False)

    return helms


@pytest.fixture
def x(releases, repository):
    repository.add(atomic_chart(other=OTHER_TEST))
    return AtomicReleases(releases)


def text_of(told):
    return TIMES.sub(r"\1 …", told.stdout)


def test_tests_of_a_release_that_was_installed_without_them_run_as_helm_runs_them(x, ours, helms):
    x.create()
    x.runs(1)
    told, theirs = ours("test", NAME), helms("test", NAME)
    assert (text_of(told), told.exit_code) == (text_of(theirs), theirs.returncode)
    assert "TEST SUITE:     x-test" in told.stdout
    again = ours("test", NAME)
    assert text_of(again) == text_of(theirs)
    release = x.live.get(NAME)
    assert release["status"]["testRequest"] == release["status"]["lastHandledTestAt"]
    assert release["status"]["testedRevision"] == 1
    assert is_true(release, "Ready")
    assert is_true(release, "Tested")
    assert x.stored == {1: "deployed"}


def test_a_test_that_fails_is_told_and_nothing_follows(x, ours, helms):
    x.create(upgrade=ROLL_BACK, install=ROLL_BACK, test={"enable": True, "timeout": "20s"})
    x.until({1: "deployed"}, "Ready", "Tested")
    x.live.edit(NAME, values={"text": "second"})
    x.until({1: "superseded", 2: "deployed"}, "Ready", "Tested")
    x.live.api.request(  # by hand: the chart's own values are as they were
        "PATCH",
        x.live.core("secrets", f"sh.helm.release.v1.{NAME}.v2"),
        broken(x),
    )
    told, theirs = ours("test", NAME, code=1), helms("test", NAME)
    assert (text_of(told), told.exit_code) == (text_of(theirs), theirs.returncode)
    assert "x-other failed" in told.stderr
    release = x.answered()
    assert is_true(release, "Ready")
    assert condition(release, "Tested")["status"] == "False"
    assert x.stored == {1: "superseded", 2: "deployed"}


def broken(x):
    """Change the stored test of revision 2 to one that fails, as a change elsewhere would."""
    payload = x.live.payload(NAME, 2)
    for hook in payload["hooks"]:
        hook["manifest"] = hook["manifest"].replace("outcome: succeeds", "outcome: fails")
    packed = base64.b64encode(gzip.compress(json.dumps(payload).encode()))
    return {"data": {"release": base64.b64encode(packed).decode()}}


@pytest.mark.parametrize("chosen", ["name=x-other", "!name=x-test", "name=gone", "odd"])
def test_filters_are_those_of_helm(x, ours, helms, chosen):
    x.create()
    x.runs(1)
    told = ours("test", NAME, "--filter", chosen)
    theirs = helms("test", NAME, "--filter", chosen)
    assert sorted(text_of(told).splitlines()) == sorted(text_of(theirs).splitlines())


@pytest.mark.parametrize("name", ["gone", "Odd"])
def test_a_release_that_is_not_there_is_not_tested(operator, ours, helms, name):
    assert helms("test", name).returncode == 1
    assert "Error: " in ours("test", name, code=1).stderr


def test_what_runs_nowhere_is_not_tested(releases, ours):
    releases.create(NAME, "gone")
    releases.until(NAME, lambda release: condition(release, "Ready")["status"] == "False")
    assert ours("test", NAME, code=1).stderr == "Error: release: not found\n"


@pytest.fixture
def node(control_plane, tmp_path):
    with LoggingNode(control_plane, tmp_path) as node:
        node.logs["check", "run", False] = LINES
        yield node


def end_once(releases, seen):
    """Have the test's Pod succeed once it is on its node; none that was seen before."""

    def pods():
        found = releases.api.request("GET", releases.core("pods"))["items"]
        return [
            pod
            for pod in found
            if pod["spec"].get("nodeName") and pod["metadata"]["uid"] not in seen
        ]

    (pod,) = eventually(pods, "no test runs")
    seen.add(pod["metadata"]["uid"])
    state = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    container = {"name": "run", "ready": False, "restartCount": 0, "image": "x", "imageID": ""}
    status = {"phase": "Succeeded", "containerStatuses": [{**container, "state": state}]}
    path = f"{releases.core('pods', 'check')}/status"
    releases.api.request("PATCH", path, {"status": status})


def is_at_work(release):
    return is_true(release, "Reconciling")


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param("", id="the Pod stays"),
        pytest.param(", helm.sh/hook-delete-policy: hook-succeeded", id="the Pod goes"),
    ],
)
def test_logs_are_printed(releases, repository, node, ours, helms, policy):
    values = f'nodeSelector: {{"kubernetes.io/hostname": {node.name}}}\n'
    repository.add(a_packed_chart("checked", values=values, check=POD.replace(" POLICY", policy)))
    releases.create(NAME, "checked")
    releases.settled(NAME, 1)
    seen, told = set(), []
    for command in (ours, helms):
        running = threading.Thread(
            target=lambda run=command: told.append(run("test", NAME, "--logs"))
        )
        running.start()
        if not seen:  # ours, which the operator runs
            assert is_true(releases.until(NAME, is_at_work), "Ready")
        end_once(releases, seen)
        running.join()
    mine, theirs = told
    assert "POD LOGS: check" in mine.stdout
    assert mine.stdout.rstrip().endswith("line 49")
    if not policy:
        assert text_of(mine) == text_of(theirs)
