"""Of two operators one writes: the other waits for its Lease, and takes over when it ends.

Each has a ServiceAccount of its own, so that the audit log tells them apart.
"""

import os
import signal
import time

import pytest

from tests.builders.crashes import CrashRelease, await_true, crash_chart, hooks_created
from tools.chartrepo import ChartRepository
from tools.controlplane import audit, programs
from tools.controlplane.cluster import Cluster
from tools.running_operator import NAMESPACE, RunningOperator, prepare

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

PATIENCE_SECONDS = 40.0
LEASE_SECONDS = 15.0
TAKEOVER_SECONDS = 20.0
STOP_SECONDS = 10.0
HANDOVER_SECONDS = 3.0
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/whipstaff"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    own = Cluster(tmp_path_factory.mktemp("writers") / "cluster", programs.find())
    own.start(guarded=True)
    prepare(own)
    for account in ("first", "second"):
        own.kubectl("create", "serviceaccount", account, "-n", NAMESPACE)
        own.kubectl(
            "create", "clusterrolebinding", account, "--clusterrole=whipstaff",
            f"--serviceaccount={NAMESPACE}:{account}",
        )  # fmt: skip
    yield own
    own.stop(grace_seconds=0.0)


@pytest.fixture(scope="module")
def charts():
    with ChartRepository() as served:
        served.add(crash_chart("1.0.0"))
        yield served


@pytest.fixture
def a_release(cluster, charts, request):
    """Make releases in namespaces that are named for the test."""

    def make(number=0):
        name = request.node.name.replace("_", "-").removeprefix("test-")[:40].strip("-")
        return CrashRelease(cluster, charts, f"{name}-{number}")

    return make


@pytest.fixture
def pair(cluster):
    """An operator that leads, and another that would like to."""
    first, second = (
        RunningOperator(cluster, name, f"--identity={name}", account=name)
        for name in ("first", "second")
    )
    cluster.kubectl("delete", "lease", "whipstaff", "-n", NAMESPACE, "--ignore-not-found")
    first.start()
    second.launch()
    assert await_true(lambda: second.answers("livez"), PATIENCE_SECONDS)
    yield first, second
    first.kill()
    second.kill()


def writes_of(operator, since=0):
    user = f"system:serviceaccount:{NAMESPACE}:{operator.account}"
    return audit.writes(operator.cluster.audit_log, since, user=user)


def now_in(log):
    time.sleep(0.2)  # the log is a little behind
    return log.stat().st_size


def begin(release):
    """Ask for an install and return when its first hook runs."""
    release.ask_for("install")
    assert await_true(lambda: any(r.in_hook for r in release.revisions()), PATIENCE_SECONDS)


def test_an_operator_without_the_lease_writes_nothing(pair, a_release):
    first, second = pair
    release = a_release()
    release.ask_for("install")
    assert await_true(lambda: release.finished("install"), PATIENCE_SECONDS)
    time.sleep(2.5)  # it asks for the Lease every two seconds
    assert writes_of(first) != []
    assert writes_of(second) == []
    assert not second.answers("readyz")


def test_another_operator_takes_over_from_one_that_was_killed(pair, a_release):
    first, second = pair
    release = a_release()
    begin(release)
    first.kill()
    killed = time.monotonic()
    second.await_ready(PATIENCE_SECONDS)
    assert time.monotonic() - killed < TAKEOVER_SECONDS
    assert await_true(lambda: release.finished("install"), PATIENCE_SECONDS)
    assert [(r.number, r.status) for r in release.revisions()] == [(1, "deployed")]


def test_an_operator_that_was_frozen_for_longer_than_the_lease_writes_no_more(pair, a_release):
    first, second = pair
    releases = [a_release(number) for number in range(4)]
    for release in releases:
        release.ask_for("install")
    # Some are in their hooks, others about to apply: what is halfway must not go on later.
    assert await_true(lambda: any(r.in_hook for r in releases[-1].revisions()), PATIENCE_SECONDS)
    process = first.process
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        frozen = time.monotonic()
        second.await_ready(PATIENCE_SECONDS)
        assert LEASE_SECONDS - 5 < time.monotonic() - frozen < TAKEOVER_SECONDS + 2
        since = now_in(first.cluster.audit_log)
    finally:
        os.killpg(process.pid, signal.SIGCONT)
    assert await_true(lambda: first.process is None, STOP_SECONDS)
    for release in releases:
        assert await_true(lambda r=release: r.finished("install"), PATIENCE_SECONDS)
        assert [(r.number, r.status) for r in release.revisions()] == [(1, "deployed")]
    assert writes_of(first, since) == []


def test_an_operator_that_is_asked_to_end_hands_over_at_once(pair, a_release):
    first, second = pair
    release = a_release()
    since = audit.Tail(first.cluster.audit_log)
    begin(release)
    asked = time.monotonic()
    os.kill(first.process.pid, signal.SIGTERM)
    assert await_true(lambda: first.process is None, PATIENCE_SECONDS, poll=0.01)
    ended = time.monotonic()
    assert ended - asked < STOP_SECONDS
    second.await_ready(PATIENCE_SECONDS)
    assert time.monotonic() - ended < HANDOVER_SECONDS
    assert await_true(lambda: release.finished("install"), PATIENCE_SECONDS)
    assert [(r.number, r.status) for r in release.revisions()] == [(1, "deployed")]
    hooks = hooks_created(since.new(), release.namespace)
    assert hooks == {"before-install": 1, "after-install": 1}


def test_an_operator_that_ends_leaves_the_lease_to_nobody(pair):
    first, second = pair
    second.kill()
    first.stop()
    assert not first.cluster.api.request("GET", LEASE)["spec"].get("holderIdentity")
