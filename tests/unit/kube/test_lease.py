"""The lease: one holder at a time, judged by our own clock alone."""

import asyncio
import copy
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.builders.clocks import FixedClock
from tests.builders.own_chart import objects
from tests.builders.stub_api_server import NEVER, a_stub, refused, until
from whipstaff.kube import lease as module
from whipstaff.kube.lease import Lease, lease_name

COLLECTION = "/apis/coordination.k8s.io/v1/namespaces/system/leases"
ONE = f"{COLLECTION}/whipstaff"


class Leases:
    """The API server's side: one Lease with its resource version."""

    def __init__(self, stub):
        self.stub = stub
        self.live = None
        self.away = False
        stub.on("GET", ONE, lambda: self.answer(self.live))

    def answer(self, body):
        if self.away:
            return refused(403, "Forbidden")
        return web.json_response(body) if body else refused(404, "NotFound")

    def write(self, body, *, creating):
        if self.away:
            return refused(403, "Forbidden")
        version = int(self.live["metadata"]["resourceVersion"]) if self.live else 0
        if creating and self.live:
            return refused(409, "AlreadyExists")
        if not creating and body["metadata"]["resourceVersion"] != str(version):
            return refused(409, "Conflict")
        self.live = copy.deepcopy(body)
        self.live["metadata"]["resourceVersion"] = str(version + 1)
        return web.json_response(self.live)

    @property
    def holder(self):
        return self.live["spec"]["holderIdentity"]

    @property
    def version(self):
        return int(self.live["metadata"]["resourceVersion"])


class Seconds:
    """The monotonic clock of leases, which goes on when a test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def pass_by(self, seconds):
        self.now += seconds


@pytest.fixture
def seconds(monkeypatch):
    clock = Seconds()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


@asynccontextmanager
async def a_world():
    async with a_stub() as (stub, client):
        leases = Leases(stub)
        stub.on("POST", COLLECTION, lambda: leases.write(_body(stub), creating=True))
        stub.on("PUT", ONE, lambda: leases.write(_body(stub), creating=False))

        def a_lease(identity, **options):
            times = {"duration_seconds": 15.0, "deadline_seconds": 10.0, "retry_seconds": 0.01}
            return Lease(client, FixedClock(), "system", identity, **times | options)

        yield leases, a_lease


def _body(stub):
    return stub.requests[-1]["body"]


async def test_the_first_who_asks_holds_it():
    async with a_world() as (leases, a_lease):
        lease = a_lease("one")
        assert not lease.held
        await lease.acquire()
        assert lease.held
        assert leases.holder == "one"
        assert leases.live["spec"]["renewTime"] == "2026-01-02T03:04:05.123456Z"


async def renewed(leases, times=2):
    """Wait until the lease has been renewed; twice, for the first may have begun before."""
    wanted = leases.version + times
    await until(lambda: leases.version >= wanted)


async def test_it_is_held_as_long_as_it_is_renewed(seconds):
    async with a_world() as (leases, a_lease):
        one, two, lost = a_lease("one"), a_lease("two"), []
        await one.acquire()
        holding = asyncio.create_task(one.hold(lambda: lost.append(True)))
        waiting = asyncio.create_task(two.acquire())
        for _ in range(4):
            seconds.pass_by(6)
            await renewed(leases)
        assert one.held
        assert not waiting.done()
        holding.cancel()
        waiting.cancel()
        await asyncio.gather(holding, waiting, return_exceptions=True)
        assert leases.holder == "one"
        assert lost == []


async def test_a_holder_that_died_is_succeeded_after_its_duration(seconds):
    async with a_world() as (leases, a_lease):
        await a_lease("one").acquire()
        leases.live["spec"]["renewTime"] = "2099-01-01T00:00:00.000000Z"  # its clock is its own
        two = a_lease("two")
        waiting = asyncio.create_task(two.acquire())
        await asked(leases, 3)
        seconds.pass_by(14)
        await asked(leases, 3)
        assert not waiting.done()
        seconds.pass_by(2)
        await waiting
        assert two.held
        assert leases.holder == "two"
        assert leases.live["spec"]["leaseTransitions"] == 1


async def asked(leases, times):
    """Wait for so many requests more."""
    wanted = len(leases.stub.requests) + times
    await until(lambda: len(leases.stub.requests) >= wanted)


@pytest.mark.usefixtures("seconds")
async def test_a_released_lease_is_free_at_once():
    async with a_world() as (leases, a_lease):
        one, two = a_lease("one"), a_lease("two")
        await one.acquire()
        await one.release()
        assert not one.held
        await two.acquire()
        assert leases.holder == "two"


@pytest.mark.usefixtures("seconds")
async def test_the_same_identity_takes_up_its_lease_after_a_restart():
    async with a_world() as (leases, a_lease):
        await a_lease("one").acquire()
        await a_lease("one").acquire()
        assert leases.live["spec"]["leaseTransitions"] == 0


async def test_a_second_process_of_one_identity_ends_the_first():
    async with a_world() as (_, a_lease):
        first, second, lost = a_lease("one"), a_lease("one"), []
        await first.acquire()
        holding = asyncio.create_task(first.hold(lambda: lost.append(True)))
        await second.acquire()
        await until(lambda: lost == [True])
        await holding
        assert not first.held
        assert second.held


async def test_who_cannot_renew_has_lost_it_before_another_may_take_it(seconds):
    async with a_world() as (leases, a_lease):
        one, lost = a_lease("one"), []
        await one.acquire()
        leases.away = True
        holding = asyncio.create_task(one.hold(lambda: lost.append(True)))
        await asked(leases, 3)
        assert lost == []
        seconds.pass_by(10)
        await holding
        assert lost == [True]
        assert not one.held


async def test_a_process_that_slept_too_long_does_not_hold_it_any_more(seconds):
    async with a_world() as (_, a_lease):
        one = a_lease("one")
        await one.acquire()
        seconds.pass_by(9)
        assert one.held
        seconds.pass_by(1)
        assert not one.held


async def test_a_lost_reply_to_a_renewal_is_no_loss(seconds):
    async with a_world() as (leases, a_lease):
        one, lost = a_lease("one"), []
        await one.acquire()
        leases.live["metadata"]["resourceVersion"] = "99"  # written, but we never heard
        seconds.pass_by(6)
        holding = asyncio.create_task(one.hold(lambda: lost.append(True)))
        await renewed(leases)
        seconds.pass_by(6)
        assert one.held
        assert lost == []
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


@pytest.mark.usefixtures("seconds")
async def test_of_two_who_want_it_at_once_one_gets_it():
    async with a_world() as (leases, a_lease):
        wanted = [a_lease(name) for name in ("one", "two", "three")]
        waits = [asyncio.create_task(lease.acquire()) for lease in wanted]
        await until(lambda: any(lease.held for lease in wanted))
        await asked(leases, 6)
        assert sum(lease.held for lease in wanted) == 1
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def test_a_request_that_hangs_does_not_cost_the_lease(seconds):
    async with a_world() as (leases, a_lease):
        one = a_lease("one", deadline_seconds=0.4)  # a request is waited for half as long
        await one.acquire()
        leases.stub.on("PUT", ONE, NEVER, lambda: leases.write(_body(leases.stub), creating=False))
        holding = asyncio.create_task(one.hold(lambda: None))
        await until(lambda: leases.version >= 2)
        seconds.pass_by(0.3)
        await renewed(leases)
        seconds.pass_by(0.3)
        assert one.held
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


def test_each_selector_has_a_lease_of_its_own():
    names = {lease_name(selector) for selector in ("", "shard=one", "shard=two")}
    assert "whipstaff" in names
    assert len(names) == 3
    assert all(len(name) <= 63 for name in names)


def test_the_chart_and_the_operator_name_the_lease_alike():
    role = objects("watchLabelSelector=shard=one")["Role", "whipstaff-lease"]
    assert lease_name("shard=one") in [
        name for rule in role["rules"] for name in rule.get("resourceNames", ())
    ]
