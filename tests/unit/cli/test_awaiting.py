"""What a command waits for, and what it says meanwhile."""

import signal
import sys
from types import SimpleNamespace

import pytest
from click import ClickException

from whipstaff.cli import awaiting
from whipstaff.cli.awaiting import (
    is_acted_on,
    outcome_of_tests,
    wait_for,
    wait_for_tests,
    wait_until_gone,
)
from whipstaff.cli.interrupts import Interrupted, unwritten, written_whole


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


class Scripted:
    """HelmReleases that are what a script says, one look after the other."""

    cluster = SimpleNamespace(namespace="shop")

    def __init__(self, *looks):
        self.looks = list(looks)

    def subject(self, name):
        return f"HelmRelease shop/{name}"

    def find(self, name):
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if look is KeyboardInterrupt:
            raise KeyboardInterrupt
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


def test_no_line_is_wider_than_the_terminal(capsys, monkeypatch):
    """One that wrapped could not be taken back."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    working = a_release(Reconciling="Waiting for " + "many objects " * 20)
    wait_for(Scripted(working, a_release()), "blog", 60)
    shown, taken_back = capsys.readouterr().err.split("\n")
    assert len(shown) == 39
    assert taken_back == "\x1b[1A\x1b[J"


def test_a_failure_is_told_in_the_operators_words():
    with pytest.raises(ClickException, match="shop/blog: Upgrade complete"):
        wait_for(Scripted(a_release(ready="False")), "blog", 60)


def test_too_long_a_wait_says_what_is_not_ready():
    working = a_release(Reconciling="Waiting for 1 object")
    with pytest.raises(ClickException, match=r"timed out .*\n  Waiting for 1 object"):
        wait_for(Scripted(working), "blog", 0)


def test_a_suspended_release_is_not_waited_for():
    with pytest.raises(ClickException, match="is suspended"):
        wait_for(Scripted({**a_release(), "spec": {"suspend": True}}), "blog", 60)


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
