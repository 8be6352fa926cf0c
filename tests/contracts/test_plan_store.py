"""What every PlanStore does: the fake always, the API server when there is one."""

import base64
import gzip
import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.builders.api_server import a_client
from tests.builders.observations import a_release
from tests.builders.releases import a_revision
from tests.fakes.plan_store import FakePlanStore
from tests.fakes.release_store import InProcessCodec
from whipstaff.helmrelease.types import Head
from whipstaff.kube.plan_store import SecretPlanStore
from whipstaff.planning.changes import ReleasePlan
from whipstaff.reconcile.ports import OPERATOR

PLAN = ReleasePlan("upgrade", 2, "blog", "1.0.0", "v1.a", "v1.b")


@dataclass
class World:
    store: Any
    head: Head
    api: Any = None


@pytest.fixture(params=["fake", pytest.param("api-server", marks=pytest.mark.cluster)])
async def world(request):
    if request.param == "fake":
        yield World(FakePlanStore(), a_release())
        return
    control_plane = request.getfixturevalue("control_plane")
    namespace = request.getfixturevalue("namespace")
    body = {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRelease",
        "metadata": {"name": "blog"},
        "spec": {"chart": {"name": "blog", "repository": "http://charts.test"}},
    }
    path = f"/apis/whipstaff.dev/v1/namespaces/{namespace}/helmreleases"
    metadata = control_plane.api.request("POST", path, body)["metadata"]
    head = Head(namespace, "blog", metadata["uid"], 1, "", False, (), {}, {})
    async with a_client(control_plane) as client:
        yield World(SecretPlanStore(client, InProcessCodec()), head, control_plane.api)


async def test_the_revision_of_a_plan_is_read_back(world):
    revision = a_revision(2)
    name = await world.store.write(world.head, PLAN, revision, OPERATOR)
    assert name == "whipstaff.plan.blog"
    assert await world.store.read(world.head, OPERATOR) == revision


async def test_a_plan_takes_the_place_of_the_one_before(world):
    await world.store.write(world.head, PLAN, a_revision(2), OPERATOR)
    await world.store.write(world.head, PLAN, a_revision(3), OPERATOR)
    assert (await world.store.read(world.head, OPERATOR)).number == 3


async def test_none_is_kept_before_and_after(world):
    assert await world.store.read(world.head, OPERATOR) is None
    await world.store.delete(world.head, OPERATOR)
    await world.store.write(world.head, PLAN, a_revision(2), OPERATOR)
    await world.store.delete(world.head, OPERATOR)
    assert await world.store.read(world.head, OPERATOR) is None


async def test_people_read_the_plan_in_a_secret_that_goes_with_its_helmrelease(world):
    name = await world.store.write(world.head, PLAN, a_revision(2), OPERATOR)
    if world.api is None:
        return
    path = f"/api/v1/namespaces/{world.head.namespace}/secrets/{name}"
    stored = world.api.request("GET", path)
    text = base64.b64decode(stored["data"]["plan"]).decode()
    assert text.splitlines() == list(PLAN.lines())
    (owner,) = stored["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("HelmRelease", world.head.uid)


async def test_a_plan_that_somebody_wrote_into_counts_as_none(world):
    if world.api is None:
        return
    await world.store.write(world.head, PLAN, a_revision(2), OPERATOR)
    path = f"/api/v1/namespaces/{world.head.namespace}/secrets/whipstaff.planned.blog"
    hostile = gzip.compress(json.dumps([1]).encode())
    data = base64.b64encode(base64.b64encode(hostile)).decode()
    world.api.request("PATCH", path, {"data": {"release": data}})
    assert await world.store.read(world.head, OPERATOR) is None
