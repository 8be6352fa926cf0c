"""What every Evidence tells: the fake always, the API server when there is one."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from tests.builders.api_server import a_client
from tests.builders.kubelet import LoggingNode
from tests.fakes.evidence import FakeEvidence
from whipstaff.errors import ClusterRefused
from whipstaff.kube.evidence import ApiServerEvidence
from whipstaff.reconcile.ports import OPERATOR


@dataclass
class World:
    evidence: Any
    namespace: str
    put: Any  # (path, body) -> the object as it is stored
    log: Any  # (pod, container, previous, text) -> None
    node: str = ""


@pytest.fixture(params=["fake", pytest.param("api-server", marks=pytest.mark.cluster)])
async def world(request, tmp_path):
    if request.param == "fake":
        fake = FakeEvidence()

        def put(kind, body):
            stored = {**body, "metadata": {"namespace": "web", "uid": "u1", **body["metadata"]}}
            (fake.all_pods if kind == "pods" else fake.all_events).append(stored)
            return stored

        def log(pod, container, previous, text):
            fake.logs[pod, container, previous] = text

        yield World(fake, "web", put, log)
        return
    control_plane = request.getfixturevalue("control_plane")
    namespace = request.getfixturevalue("namespace")

    def create(kind, body):
        return control_plane.api.request("POST", f"/api/v1/namespaces/{namespace}/{kind}", body)

    with LoggingNode(control_plane, tmp_path) as node:

        def note(pod, container, previous, text):
            node.logs[pod, container, previous] = text

        async with a_client(control_plane) as client:
            yield World(ApiServerEvidence(client), namespace, create, note, node.name)


def a_pod(world, name, **labels):
    spec = {"containers": [{"name": "app", "image": "x"}], "automountServiceAccountToken": False}
    if world.node:
        spec["nodeName"] = world.node
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def an_event(world, pod, message, kind="Warning"):
    about = {
        "kind": pod["kind"],
        "namespace": world.namespace,
        "name": pod["metadata"]["name"],
        "uid": pod["metadata"]["uid"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{about['name']}.{len(message)}"},
        "involvedObject": about,
        "reason": "FailedMount",
        "message": message,
        "type": kind,
    }


async def test_pods_are_found_by_their_labels(world):
    for name, app in (("one", "a"), ("two", "b"), ("three", "a")):
        await asyncio.to_thread(world.put, "pods", a_pod(world, name, app=app, tier="web"))
    found = await world.evidence.pods(world.namespace, "app=a,tier=web", OPERATOR)
    assert sorted(pod["metadata"]["name"] for pod in found) == ["one", "three"]
    assert {(pod["apiVersion"], pod["kind"]) for pod in found} == {("v1", "Pod")}


async def test_events_are_found_by_what_they_are_about(world):
    pod = await asyncio.to_thread(world.put, "pods", a_pod(world, "one"))
    await asyncio.to_thread(world.put, "events", an_event(world, pod, "no such secret"))
    await asyncio.to_thread(world.put, "events", an_event(world, pod, "it is pulled", "Normal"))
    uid = pod["metadata"]["uid"]
    found = await world.evidence.events(world.namespace, "Pod", uid, OPERATOR)
    assert [event["message"] for event in found] == ["no such secret"]
    assert list(await world.evidence.events(world.namespace, "Pod", "other", OPERATOR)) == []


async def test_of_claims_all_events_are_found(world):
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "data", "uid": "c1"}}
    await asyncio.to_thread(world.put, "events", an_event(world, claim, "nobody yet", "Normal"))
    found = await world.evidence.events(world.namespace, claim["kind"], "c1", OPERATOR)
    assert [event["message"] for event in found] == ["nobody yet"]


async def test_the_last_lines_of_a_run_are_read(world):
    await asyncio.to_thread(world.put, "pods", a_pod(world, "one"))
    world.log("one", "app", False, "a\nb\nc\n")
    world.log("one", "app", True, "x\ny\n")
    of_one = (world.namespace, "one", "app", OPERATOR)
    assert await world.evidence.log_tail(*of_one) == "c\n"
    assert await world.evidence.log_tail(*of_one, lines=2) == "b\nc\n"
    assert await world.evidence.log_tail(*of_one, previous=True) == "y\n"


async def test_a_log_that_is_not_there_is_refused(world):
    with pytest.raises(ClusterRefused):
        await world.evidence.log_tail(world.namespace, "nobody", "app", OPERATOR)
