"""The watch of our kinds: nothing ends it, and nothing is missed."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.builders.stub_api_server import NEVER, a_stub, event, refused, status, until
from whipstaff.kube import watching as module
from whipstaff.kube.watching import CRDS_PATH, PATH, Watching

ALL = f"{PATH}/helmreleases"
CRD_PATH = f"{CRDS_PATH}/helmreleases.whipstaff.dev"
LONG = "9" * 5_000  # more digits than Python reads
CRD = {"metadata": {"name": "helmreleases.whipstaff.dev"}}


class Listening:
    def __init__(self):
        self.told = []

    def changed(self, body):
        metadata = body["metadata"]
        assert "managedFields" not in metadata
        self.told.append(("changed", metadata["name"], metadata["resourceVersion"]))

    def gone(self, namespace, name, uid):
        self.told.append(("gone", name, uid))

    def poison(self, namespace, name, text):
        self.told.append(("poison", name, text))


def a_release(name, version="1", uid=None, namespace="web"):
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"uid-{name}",
            "resourceVersion": version,
            "managedFields": [{}],
        }
    }


def a_list(*items, version="10"):
    return {"metadata": {"resourceVersion": version}, "items": list(items)}


@asynccontextmanager
async def watching(*, namespaces=(), selector="", **options):
    """Yield the stub, the watch and what it tells; answers are set before the first wait."""
    async with a_stub(**options) as (stub, client):
        stub.on("GET", CRD_PATH, CRD)
        listening = Listening()
        watch = Watching(client, "helmreleases", listening, namespaces, selector=selector)
        running = asyncio.create_task(watch.run())
        try:
            yield stub, watch, listening.told
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.02)


async def test_what_exists_is_told_once_then_each_change():
    async with watching() as (stub, watch, told):
        stub.on("GET", ALL, a_list(a_release("a"), a_release("b")))
        changes = [event("MODIFIED", a_release("a", "11")), event("DELETED", a_release("b", "12"))]
        stub.watches(ALL, [event("ADDED", a_release("b")), *changes, NEVER])
        await until(lambda: len(told) == 4)
        assert told == [
            ("changed", "a", "1"),
            ("changed", "b", "1"),
            ("changed", "a", "11"),
            ("gone", "b", "uid-b"),
        ]
        assert watch.synced
        assert watch.silence_seconds < 1


async def test_a_selector_is_asked_for_and_what_loses_its_label_is_gone():
    async with watching(selector="shard in (a,b)") as (stub, _, told):
        stub.on("GET", ALL, a_list(a_release("a")))
        stub.watches(ALL, [event("DELETED", a_release("a", "12")), NEVER])
        await until(lambda: told[1:] == [("gone", "a", "uid-a")])
        asked = [request["query"]["labelSelector"] for request in stub.requests]
        assert set(asked) == {"shard in (a,b)"}


async def test_a_watch_that_ends_goes_on_where_it_was_without_a_new_list():
    async with watching() as (stub, _, told):
        stub.on("GET", ALL, a_list())
        bookmark = event("BOOKMARK", {"metadata": {"resourceVersion": "20"}})
        stub.watches(ALL, [bookmark], [event("ADDED", a_release("a", "21"))], [NEVER])
        await until(lambda: len(stub.asked("WATCH")) == 3)
        assert told == [("changed", "a", "21")]
        versions = [request["query"]["resourceVersion"] for request in stub.asked("WATCH")]
        assert versions == ["10", "20", "21"]
        assert len(stub.asked("GET")) == 1


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([event("ERROR", status(410, "Expired"))], id="410"),
        pytest.param([event("ERROR", status(500, "InternalError"))], id="500"),
        pytest.param([event("ERROR", {})], id="an error without a code"),
        pytest.param(["garbage\n"], id="garbage"),
        pytest.param(["\xff\xfe\n".encode("latin-1")], id="no UTF-8"),
        pytest.param(['{"type": "ADDED", "object": {"metadata": 5}}\n'], id="nonsense"),
    ],
)
async def test_a_watch_that_fails_lists_again_and_finds_what_was_missed(lines):
    async with watching() as (stub, _, told):
        stub.on(
            "GET",
            ALL,
            a_list(a_release("a"), a_release("b")),
            a_list(a_release("a"), a_release("c"), version="30"),
        )
        stub.watches(ALL, lines, [NEVER])
        await until(lambda: len(stub.asked("WATCH")) == 2)
        assert told[2:] == [("gone", "b", "uid-b"), ("changed", "c", "1")]


@pytest.mark.parametrize("ending", [[], [ConnectionResetError], ['{"type":"ADDED","obj']])
async def test_a_watch_that_is_cut_goes_on(ending):
    async with watching() as (stub, _, told):
        stub.on("GET", ALL, a_list())
        stub.watches(ALL, ending, [event("ADDED", a_release("a")), NEVER])
        await until(lambda: told == [("changed", "a", "1")])
        assert len(stub.asked("GET")) == 1


async def test_a_frozen_watch_is_left_for_a_new_one():
    async with watching(silence_seconds=0.1) as (stub, watch, told):
        stub.on("GET", ALL, a_list())
        stub.watches(ALL, [NEVER], [event("ADDED", a_release("a")), NEVER])
        await until(lambda: told == [("changed", "a", "1")])
        assert watch.silence_seconds < 1


@pytest.mark.parametrize("failure", [lambda: refused(503), ConnectionResetError])
async def test_an_api_server_that_is_away_is_waited_for(failure, monkeypatch):
    monkeypatch.setattr("whipstaff.kube.client.FIRST_PAUSE_SECONDS", 0.001)
    async with watching() as (stub, watch, told):
        stub.on("GET", ALL, *[failure] * 12, a_list(a_release("a")))
        stub.watches(ALL, [NEVER])
        await until(lambda: told == [("changed", "a", "1")])
        assert watch.synced


async def test_silence_grows_while_nothing_answers():
    async with watching() as (stub, watch, _):
        stub.on("GET", ALL, NEVER)
        await asyncio.sleep(0.2)
        assert watch.silence_seconds > 0.15
        assert not watch.synced


async def test_a_release_made_anew_between_two_lists_is_another_one():
    async with watching() as (stub, _, told):
        again = a_list(a_release("a", "30", uid="second"))
        stub.on("GET", ALL, a_list(a_release("a", uid="first")), again)
        stub.watches(ALL, ["garbage\n"], [NEVER])
        await until(lambda: len(told) == 3)
        assert told == [("changed", "a", "1"), ("gone", "a", "first"), ("changed", "a", "30")]


async def test_a_poisoned_release_is_told_as_such_and_the_others_go_on():
    async with watching() as (stub, _, told):
        bad = f'{{"metadata":{json.dumps(a_release("bad")["metadata"])},"spec":{LONG}}}'
        good = json.dumps(a_release("good"))
        text = f'{{"metadata":{{"resourceVersion":"10"}},"items":[{bad},{good}]}}'
        stub.on("GET", ALL, lambda: web.Response(text=text))
        deleted = f'{{"type":"DELETED","object":{bad}}}\n'
        stub.watches(ALL, [event("MODIFIED", a_release("good", "11")), deleted, NEVER])
        await until(lambda: len(told) == 4)
        assert told == [
            ("changed", "good", "1"),
            ("poison", "bad", "no JSON"),
            ("changed", "good", "11"),
            ("gone", "bad", "uid-bad"),
        ]


async def test_a_definition_that_goes_and_comes_is_lived_through():
    async with watching() as (stub, watch, told):
        stub.on("GET", ALL, a_list(a_release("a")), *[lambda: refused(404)] * 2, a_list())
        stub.on("GET", CRD_PATH, lambda: refused(404))
        stub.watches(ALL, ["garbage\n"], [NEVER])
        await until(lambda: watch.crd_gone)
        assert told == [("changed", "a", "1"), ("gone", "a", "uid-a")]
        await until(lambda: not watch.crd_gone)


async def test_a_kind_that_is_not_served_is_absent_until_it_is():
    async with watching() as (stub, watch, told):
        stub.on("GET", ALL, *[lambda: refused(404)] * 2, a_list(a_release("a")))
        stub.watches(ALL, [NEVER])
        await until(lambda: watch.absent)
        await until(lambda: told == [("changed", "a", "1")])
        assert not watch.absent


async def test_an_api_server_that_has_not_read_the_definition_yet_deletes_nothing():
    async with watching() as (stub, watch, told):
        again = a_list(a_release("a"))
        stub.on("GET", ALL, a_list(a_release("a")), lambda: refused(404), again)
        stub.watches(ALL, ["garbage\n"], [NEVER])
        await until(lambda: len(stub.asked("WATCH")) == 2)
        assert told == [("changed", "a", "1")]
        assert not watch.crd_gone


async def test_given_namespaces_are_watched_each_by_itself():
    async with watching(namespaces=["one", "two"]) as (stub, watch, told):
        for name in ("one", "two"):
            path = f"{PATH}/namespaces/{name}/helmreleases"
            stub.on("GET", path, a_list(a_release(f"in-{name}", namespace=name)))
            stub.watches(path, [NEVER])
        await until(lambda: watch.synced)
        assert sorted(told) == [("changed", "in-one", "1"), ("changed", "in-two", "1")]
        assert all("namespaces" in request["path"] for request in stub.requests)
