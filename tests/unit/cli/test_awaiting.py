"""What a command waits for, and what it says meanwhile."""

import itertools
import signal
from types import SimpleNamespace

import pytest
from click import ClickException

from tests.builders.paper_cluster import PaperCluster
from whipstaff.cli import awaiting, lease_holders
from whipstaff.cli.awaiting import (
    is_acted_on,
    outcome_of_tests,
    wait_for,
    wait_for_tests,
    wait_until_gone,
    wait_until_ready,
)
from whipstaff.cli.interrupts import Interrupted, unwritten, written_whole
from whipstaff.errors import ClusterRefused


def a_release(generation=2, observed=2, ready="True", **more):
    conditions = [
        {"type": "Ready", "status": ready, "message": "Upgrade complete", "observedGeneration": 2}
    ]
    for kind in ("Reconciling", "Stalled"):
        if kind in more:
            condition = {"type": kind, "status": "True", "message": more.pop(kind)}
            conditions.append({**condition, "observedGeneration": observed})
    status = {"observedGeneration": observed, "conditions": conditions, **more}
    return {"metadata": {"generation": generation}, "spec": {}, "status": status}


def a_lease(renewed):
    spec = {"holderIdentity": "one", "leaseDurationSeconds": 15, "renewTime": renewed}
    metadata = {"name": "whipstaff", "namespace": "ops"}
    path = "/apis/coordination.k8s.io/v1/namespaces/ops/leases/whipstaff"
    return path, {"metadata": metadata, "spec": spec}


LEASES = (a_lease("0"),)


class Scripted:
    """HelmReleases that are what a script says, one look after the other."""

    def __init__(self, *looks, leases=LEASES):
        self.looks = list(looks)
        self.cluster = SimpleNamespace(namespace="shop", client=PaperCluster(*leases))

    def subject(self, name):
        return f"HelmRelease shop/{name}"

    def find(self, name):
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if look is KeyboardInterrupt:
            raise KeyboardInterrupt
        if isinstance(look, Exception):
            raise look
        return look

    get = find


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(awaiting, "POLL_SECONDS", 0.0)


@pytest.mark.parametrize(
    ("live", "done"),
    [
        pytest.param(a_release(), True, id="ready"),
        pytest.param(a_release(ready="False"), True, id="failed"),
        pytest.param(a_release(generation=3), False, id="not seen yet"),
        pytest.param(a_release(Reconciling="at work"), False, id="at work"),
        pytest.param({"metadata": {"generation": 1}}, False, id="new"),
        pytest.param(a_release(Stalled="gave up", ready="False"), True, id="stalled"),
    ],
)
def test_an_end_is_an_end_with_the_newest_spec(live, done):
    assert is_acted_on(live) is done


def test_a_request_is_answered_when_status_says_so():
    assert not is_acted_on(a_release(), "now")
    assert is_acted_on(a_release(lastHandledReconcileAt="now"), "now")


def test_each_object_is_told_once_with_its_cause(capsys):
    unready = [{"kind": "Deployment", "namespace": "shop", "name": "blog", "cause": "no \x1bimage"}]
    working = a_release(Reconciling="Waiting for 1 object", unready=unready)
    wait_for(Scripted(working, working, a_release()), "blog", 60)
    assert capsys.readouterr().err == "Waiting for 1 object\nDeployment shop/blog: no  image\n"


def test_a_failure_is_told_in_the_operators_words():
    with pytest.raises(ClickException, match="shop/blog: Upgrade complete"):
        wait_for(Scripted(a_release(ready="False")), "blog", 60)


def test_too_long_a_wait_says_what_is_not_ready():
    working = a_release(Reconciling="Waiting for 1 object")
    with pytest.raises(ClickException, match=r"timed out .*\n  Waiting for 1 object"):
        wait_for(Scripted(working), "blog", 0)


def test_a_suspended_release_is_not_waited_for():
    with pytest.raises(ClickException, match=r"is suspended: .*`whipstaff resume blog -n shop`"):
        wait_for(Scripted({**a_release(), "spec": {"suspend": True}}), "blog", 60)


def test_one_that_is_tried_again_says_why_it_failed(capsys):
    why = {"type": "Released", "status": "False", "message": "Job failed", "observedGeneration": 2}
    working = a_release(Reconciling="revision 1 failed; attempt 2 follows", failures=1)
    working["status"]["conditions"].append(why)
    wait_for(Scripted(working, a_release()), "blog", 60)
    assert capsys.readouterr().err == "revision 1 failed; attempt 2 follows\nJob failed\n"


@pytest.mark.parametrize(
    ("live", "request_"),
    [
        pytest.param({"metadata": {"generation": 1}}, "", id="new"),
        pytest.param(a_release(generation=3, ready="False"), "", id="edited"),
        pytest.param(a_release(lastHandledReconcileAt="before"), "now", id="asked"),
    ],
)
def test_without_an_operator_a_wait_says_so(live, request_, monkeypatch, capsys):
    monkeypatch.setattr(awaiting, "SILENT_SECONDS", -1.0)
    with pytest.raises(ClickException) as raised:
        wait_for(Scripted(live, leases=()), "blog", 0, request_)
    absent = "no operator runs: none holds a Lease; `whipstaff version` shows which ones run"
    assert raised.value.message == f"timed out waiting for HelmRelease shop/blog: {absent}"
    assert capsys.readouterr().err == f"{absent}\n"


@pytest.mark.parametrize(
    ("renews", "timeout", "told"),
    [
        pytest.param(True, 60, "; the operator goes on\n", id="renewed"),
        pytest.param(False, 10, "; the operator goes on if it runs\n", id="not told yet"),
        pytest.param(
            False,
            60,
            ": no operator runs: the Lease ops/whipstaff is not renewed since 0; `whipstaff "
            "version` shows which ones run\n",
            id="it crashed",
        ),
        pytest.param(None, 60, "; the operator goes on if it runs\n", id="not to be seen"),
    ],
)
def test_only_an_operator_that_renews_its_lease_is_said_to_go_on(
    monkeypatch, renews, timeout, told
):
    working = Scripted(a_release(Reconciling="at work"))
    client, moments = working.cluster.client, itertools.count()
    if renews is None:
        client.forbidden.add("/apis/coordination.k8s.io/v1/leases")

    def monotonic():
        now = next(moments)
        if renews:
            client.put(*a_lease(str(now)))
        return float(now)

    clock = SimpleNamespace(monotonic=monotonic, sleep=lambda _: None)
    monkeypatch.setattr(awaiting, "time", clock)
    monkeypatch.setattr(lease_holders, "time", clock)
    with pytest.raises(ClickException) as raised:
        wait_for(working, "blog", timeout)
    end = f"timed out waiting for HelmRelease shop/blog{told}  at work"
    assert raised.value.message == end


def test_what_is_refused_and_tried_again_ends_no_wait_for_readiness(capsys):
    refused, stalled = a_release(ready="False"), a_release(ready="False", Stalled="gave up")
    wait_until_ready(Scripted(refused, refused, a_release()), "blog", 60)
    assert capsys.readouterr().err == "Upgrade complete\n"
    with pytest.raises(ClickException, match=r"timed out .*\n  Upgrade complete"):
        wait_until_ready(Scripted(refused), "blog", 0)
    with pytest.raises(ClickException, match="shop/blog: Upgrade complete"):
        wait_until_ready(Scripted(refused, stalled), "blog", 60)


def test_what_was_true_of_an_earlier_spec_is_not_told(capsys):
    wait_until_gone(Scripted(a_release(generation=3, Stalled="gave up"), None), "blog", 60)
    assert capsys.readouterr().err == ""


def test_an_api_server_that_answers_no_more_is_asked_again(capsys, monkeypatch):
    away = ClusterRefused("kubernetes cluster unreachable: connection refused")
    edited = {"metadata": {"generation": 1}}
    wait_for(Scripted(edited, away, away, a_release()), "blog", 60)
    told = "kubernetes cluster unreachable: connection refused; asking again\n"
    assert capsys.readouterr().err == told
    clock = SimpleNamespace(monotonic=itertools.count().__next__, sleep=lambda _: None)
    monkeypatch.setattr(awaiting, "time", clock)
    with pytest.raises(ClickException, match=r"timed out .*shop/blog; kubernetes cluster unreach"):
        wait_for(Scripted(edited, away), "blog", 10)
    with pytest.raises(ClusterRefused, match="connection refused"):
        wait_for(Scripted(away), "blog", 60)
    with pytest.raises(ClusterRefused, match="forbidden"):
        wait_for(Scripted(edited, ClusterRefused("forbidden", 403)), "blog", 60)


def test_a_narrow_terminal_shows_causes_whole(monkeypatch, capsys):
    """Lines that wrapped by themselves, or scrolled away, could not be taken back."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "21")
    monkeypatch.setenv("LINES", "4")
    working = a_release(Reconciling="Deployment shop/blog: 0 of 1 replica is available; " * 2)
    wait_for(Scripted(working, a_release()), "blog", 60)
    shown = capsys.readouterr().err
    assert shown.startswith("Deployment\nshop/blog: 0 of 1\nreplica is\n")
    assert shown.endswith("\x1b[3A\x1b[J")


def test_an_interrupt_ends_the_wait_and_nothing_else():
    with pytest.raises(Interrupted, match="`whipstaff wait blog -n shop` waits again") as raised:
        wait_for(Scripted(a_release(Reconciling="x"), KeyboardInterrupt), "blog", 60)
    assert raised.value.exit_code == 130


def test_what_is_deleted_is_waited_for_until_it_is_gone():
    wait_until_gone(Scripted(a_release(Reconciling="Uninstalling"), None), "blog", 60)


def test_tests_that_ran_are_told_by_the_wish_that_they_answer():
    conditions = [{"type": "Tested", "status": "False", "message": "it \x1bbroke"}]
    answered = {"lastHandledTestAt": "now", "testRequest": "now", "conditions": conditions}
    live = {**a_release(), "status": answered}
    waits = {**a_release(), "status": {"lastHandledTestAt": "before"}}
    assert wait_for_tests(Scripted(waits, live), "blog", 60, "now") is live
    assert outcome_of_tests(live) == (True, "it  broke")
    refused = {**a_release(), "status": {**a_release()["status"], "lastHandledTestAt": "now"}}
    with pytest.raises(ClickException, match="no test ran: Upgrade complete"):
        wait_for_tests(Scripted(refused), "blog", 60, "now")


def test_an_interrupt_waits_for_what_is_written(capsys):
    done = []
    with pytest.raises(Interrupted, match="the operator goes on"):  # noqa: PT012, SIM117
        with written_whole(Scripted(), "blog"):
            signal.raise_signal(signal.SIGINT)
            done.append("all")
    assert done == ["all"]
    assert "ends once all is written" in capsys.readouterr().err


def test_a_second_interrupt_ends_it_at_once():
    done = []
    with pytest.raises(Interrupted, match="the same command again"):  # noqa: PT012, SIM117
        with written_whole(Scripted(), "blog"):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            done.append("all")
    assert done == []


def test_an_interrupt_before_anything_is_written_says_so():
    with pytest.raises(Interrupted, match="nothing was written"), unwritten():
        raise KeyboardInterrupt
