"""Operators that run, told from those that are gone, by their Leases alone."""

import pytest

from tests.builders.paper_cluster import PaperCluster
from whipstaff.cli import lease_holders
from whipstaff.cli.lease_holders import LeaseWatch
from whipstaff.kube.lease import lease_name

PLACE = "/apis/coordination.k8s.io/v1/namespaces/ops/leases"


def a_lease(name="whipstaff", holder="one", seconds=15):
    spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds}
    return f"{PLACE}/{name}", {"metadata": {"name": name, "namespace": "ops"}, "spec": spec}


class Clock:
    """Time that passes while one sleeps."""

    def __init__(self):
        self.now = 0.0
        self.meanwhile = lambda: None

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(lease_holders, "time", clock)
    return clock


def test_without_leases_nothing_is_waited_for(clock):
    others = a_lease("somebody"), a_lease("whipstaff", holder=""), a_lease("whipstaff-x")
    assert LeaseWatch(PaperCluster(*others)).still_working() == ""
    assert clock.now == 0.0


@pytest.mark.parametrize("name", [lease_name(""), lease_name("a=b")])
def test_a_lease_that_nobody_renews_runs_out_once(clock, name):
    watch = LeaseWatch(PaperCluster(a_lease(name)))
    assert watch.still_working() == ""
    assert clock.now >= 15.0
    waited = clock.now
    assert watch.still_working() == ""
    assert clock.now == waited


def test_who_renews_is_at_work(clock):
    cluster = PaperCluster(a_lease())
    watch = LeaseWatch(cluster)
    clock.meanwhile = lambda: clock.now > 9 and cluster.put(*a_lease())
    assert watch.still_working() == "one, which holds the Lease ops/whipstaff"


def test_who_comes_later_is_at_work(clock):
    del clock
    cluster = PaperCluster()
    watch = LeaseWatch(cluster)
    assert watch.still_working() == ""
    cluster.put(*a_lease(holder="new"))
    assert watch.still_working().startswith("new, ")


def test_a_lease_that_is_given_back_ends_the_wait(clock):
    cluster = PaperCluster(a_lease())
    watch = LeaseWatch(cluster)
    clock.meanwhile = lambda: cluster.put(*a_lease(holder=""))
    assert watch.still_working() == ""
    assert clock.now < 15.0
