"""What every Reporter does: the fake always, the API server when there is one."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.builders.api_server import a_client
from tests.builders.clocks import FixedClock
from tests.fakes.reporter import FakeReporter
from whipstaff.helmrelease.names import FINALIZER
from whipstaff.kube.reporter import ApiServerReporter
from whipstaff.reconcile.ports import Event

FAILED = {"observedGeneration": 1, "conditions": [], "failures": 3}
READY = {"observedGeneration": 2, "conditions": [], "revision": 1}


@dataclass
class World:
    reporter: Any
    namespace: str
    uid: str
    shown: Any  # () -> (status, finalizers)
    events: Any  # () -> [(type, reason, message)]

    @property
    def facts(self):
        return self.namespace, "shop", self.uid


@pytest.fixture(params=["fake", pytest.param("api-server", marks=pytest.mark.cluster)])
async def world(request):
    if request.param == "fake":
        fake = FakeReporter()
        shop = fake.put("web", "shop", "uid-1")

        def facts():
            return shop.status, shop.finalizers

        def events():
            return [(event.type, event.reason, event.message) for event in shop.events]

        yield World(fake, "web", "uid-1", facts, events)
        return
    control_plane = request.getfixturevalue("control_plane")
    namespace = request.getfixturevalue("namespace")
    body = {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRelease",
        "metadata": {"name": "shop", "namespace": namespace},
        "spec": {"chart": {"name": "blog", "repository": "https://charts.example.dev"}},
    }
    control_plane.run("kubectl", "apply", "-f", "-", stdin=json.dumps(body))

    def get(*what):
        said = control_plane.run("kubectl", "get", "-n", namespace, *what, "-o", "json").stdout
        return json.loads(said)

    def live():
        found = get("helmrelease", "shop")
        return found.get("status", {}), found["metadata"].get("finalizers", [])

    def posted():
        items = get("events", "--field-selector=involvedObject.name=shop")["items"]
        return [(item["type"], item["reason"], item["message"]) for item in items]

    uid = get("helmrelease", "shop")["metadata"]["uid"]
    async with a_client(control_plane) as client:
        reporter = ApiServerReporter(client, FixedClock())
        yield World(reporter, namespace, uid, live, posted)
        await reporter.remove_finalizer(namespace, "shop", uid)


async def test_a_status_replaces_the_one_before(world):
    await world.reporter.write_status(*world.facts, FAILED)
    assert world.shown()[0] == FAILED
    await world.reporter.write_status(*world.facts, READY)
    assert world.shown()[0] == READY


async def test_an_object_made_anew_gets_no_status_of_the_old_one(world):
    begun = world.shown()[0]
    await world.reporter.write_status(world.namespace, "shop", "uid-of-before", READY)
    assert world.shown()[0] == begun


async def test_a_status_for_an_object_that_is_gone_is_skipped(world):
    await world.reporter.write_status(world.namespace, "gone", world.uid, READY)


async def test_a_finalizer_goes_on_once_and_off_once(world):
    await world.reporter.add_finalizer(*world.facts)
    await world.reporter.add_finalizer(*world.facts)
    assert world.shown()[1] == [FINALIZER]
    await world.reporter.remove_finalizer(*world.facts)
    await world.reporter.remove_finalizer(*world.facts)
    assert world.shown()[1] == []


async def test_writers_at_once_do_not_lose_each_others_finalizer(world):
    await asyncio.gather(*(world.reporter.add_finalizer(*world.facts) for _ in range(5)))
    assert world.shown()[1] == [FINALIZER]


async def test_finalizers_of_an_object_that_is_gone_or_anew_are_left_alone(world):
    await world.reporter.add_finalizer(world.namespace, "shop", "uid-of-before")
    await world.reporter.remove_finalizer(world.namespace, "gone", world.uid)
    assert world.shown()[1] == []


async def test_events_are_shown_and_cut_to_what_an_event_holds(world):
    long = "ü" * 1000
    events = [Event("Normal", "Installed", "It runs."), Event("Warning", "Failed", long)]
    await world.reporter.emit(*world.facts, events)
    shown = {reason: (kind, message) for kind, reason, message in world.events()}
    assert shown["Installed"] == ("Normal", "It runs.")
    assert shown["Failed"] == ("Warning", "ü" * 510 + "…")


async def test_an_event_that_cannot_be_posted_is_no_error(world):
    await world.reporter.emit("no-such-namespace", "shop", "uid", [Event("Normal", "A", "b")])
