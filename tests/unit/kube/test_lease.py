"""The lease: one holder at a time, judged by our own clock alone."""

import asyncio
import copy
from contextlib import asynccontextmanager

from aiohttp import web

from tests.builders.clocks import FixedClock
from tests.builders.stub_api_server import NEVER, a_stub, refused, until
from whipstaff.kube.lease import Lease

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


@asynccontextmanager
async def a_world():
    async with a_stub() as (stub, client):
        leases = Leases(stub)
        stub.on("POST", COLLECTION, lambda: leases.write(_body(stub), creating=True))
        stub.on("PUT", ONE, lambda: leases.write(_body(stub), creating=False))

        def a_lease(identity, **options):
            times = {"duration_seconds": 0.6, "deadline_seconds": 0.4, "retry_seconds": 0.05}
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


async def test_it_is_held_as_long_as_it_is_renewed():
    async with a_world() as (leases, a_lease):
        one, two, lost = a_lease("one"), a_lease("two"), []
        await one.acquire()
        holding = asyncio.create_task(one.hold(lambda: lost.append(True)))
        waiting = asyncio.create_task(two.acquire())
        await asyncio.sleep(1.0)
        assert one.held
        assert not waiting.done()
        holding.cancel()
        waiting.cancel()
        await asyncio.gather(holding, waiting, return_exceptions=True)
        assert leases.holder == "one"
        assert lost == []


async def test_a_holder_that_died_is_succeeded_after_its_duration():
    async with a_world() as (leases, a_lease):
        await a_lease("one").acquire()
        leases.live["spec"]["leaseDurationSeconds"] = 0.3
        leases.live["spec"]["renewTime"] = "2099-01-01T00:00:00.000000Z"  # its clock is its own
        two = a_lease("two")
        await asyncio.wait_for(two.acquire(), 3)
        assert two.held
        assert leases.holder == "two"
        assert leases.live["spec"]["leaseTransitions"] == 1


async def test_a_released_lease_is_free_at_once():
    async with a_world() as (leases, a_lease):
        one, two = a_lease("one"), a_lease("two")
        await one.acquire()
        await one.release()
        assert not one.held
        await asyncio.wait_for(two.acquire(), 1)
        assert leases.holder == "two"


async def test_the_same_identity_takes_up_its_lease_after_a_restart():
    async with a_world() as (leases, a_lease):
        await a_lease("one").acquire()
        await asyncio.wait_for(a_lease("one").acquire(), 0.3)
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


async def test_who_cannot_renew_has_lost_it_before_another_may_take_it():
    async with a_world() as (leases, a_lease):
        one, lost = a_lease("one"), []
        await one.acquire()
        leases.away = True
        await asyncio.wait_for(one.hold(lambda: lost.append(True)), 2)
        assert lost == [True]
        assert not one.held


async def test_a_process_that_slept_too_long_does_not_hold_it_any_more():
    async with a_world() as (_, a_lease):
        one = a_lease("one")
        await one.acquire()
        await asyncio.sleep(0.5)
        assert not one.held


async def test_a_lost_reply_to_a_renewal_is_no_loss():
    async with a_world() as (leases, a_lease):
        one, lost = a_lease("one"), []
        await one.acquire()
        leases.live["metadata"]["resourceVersion"] = "99"  # written, but we never heard
        holding = asyncio.create_task(one.hold(lambda: lost.append(True)))
        await asyncio.sleep(0.6)
        assert one.held
        assert lost == []
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


async def test_of_two_who_want_it_at_once_one_gets_it():
    async with a_world() as (_, a_lease):
        wanted = [a_lease(name) for name in ("one", "two", "three")]
        waits = [asyncio.create_task(lease.acquire()) for lease in wanted]
        await asyncio.sleep(0.2)
        assert sum(lease.held for lease in wanted) == 1
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def test_a_request_that_hangs_does_not_cost_the_lease():
    async with a_world() as (leases, a_lease):
        one = a_lease("one")
        await one.acquire()
        leases.stub.on("PUT", ONE, NEVER, lambda: leases.write(_body(leases.stub), creating=False))
        holding = asyncio.create_task(one.hold(lambda: None))
        await asyncio.sleep(0.7)
        assert one.held
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
