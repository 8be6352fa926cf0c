"""The client: what it sends, what it repeats, what it makes of bad answers."""

import asyncio
import contextlib
import json
import socket
from asyncio.sslproto import SSLProtocol

import pytest
import yaml
from aiohttp import web

from tests.builders.stub_api_server import NEVER, a_stub, event, refused, status
from tests.builders.virtual_time import skip_waits
from whipstaff.errors import ClusterRefused
from whipstaff.kube import client as client_module
from whipstaff.kube.client import Request, WatchEvent, WatchFailed, WatchGone
from whipstaff.kube.connection import Given
from whipstaff.reconcile.ports import Identity

PATH = "/api/v1/namespaces/web/configmaps"
LONG = "9" * 5_000  # more digits than Python reads


def a_poisoned(name, version="7"):
    metadata = f'{{"name":"{name}","namespace":"web","uid":"u","resourceVersion":"{version}"}}'
    return f'{{"metadata":{metadata},"spec":{LONG}}}'


def an_object(name, version="1"):
    return {"metadata": {"name": name, "namespace": "web", "resourceVersion": version}}


async def collect(watching):
    return [seen async for seen in watching if seen != WatchEvent("BOOKMARK", {})]


async def test_the_operator_speaks_for_itself():
    async with a_stub(user_agent="whipstaff/1.2.3") as (stub, client):
        stub.on("GET", PATH, {})
        await client.send(Request("GET", PATH))
        headers = stub.requests[0]["headers"]
        assert headers["Authorization"] == "Bearer t"
        assert headers["User-Agent"] == "whipstaff/1.2.3"
        assert "Impersonate-User" not in headers


async def test_a_release_speaks_as_its_service_account():
    async with a_stub() as (stub, client):
        stub.on("GET", PATH, {})
        await client.send(Request("GET", PATH, Identity("deployer", "web")))
        user = stub.requests[0]["headers"]["Impersonate-User"]
        assert user == "system:serviceaccount:web:deployer"


async def test_queries_are_escaped_once():
    async with a_stub() as (stub, client):
        stub.on("GET", PATH, {})
        await client.send(Request("GET", PATH, query={"labelSelector": "name=a b,owner=x&y"}))
        assert stub.requests[0]["query"] == {"labelSelector": "name=a b,owner=x&y"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("😀 \U0010ffff", id="beyond 16 bits"),
        pytest.param("\u2028 \u2029 \u0085 \ufeff", id="ends of lines for YAML"),
        pytest.param("\x00\x1b\x7f\x9f\ufffe", id="what YAML does not take unescaped"),
        pytest.param('\\ud83d\\ude00 \\ " ü', id="what looks escaped"),
    ],
)
async def test_texts_are_sent_so_that_json_and_yaml_read_the_same(text):
    async with a_stub() as (stub, client):
        stub.on("PATCH", PATH, {})
        await client.send(Request("PATCH", PATH, body={"text": text}))
        sent = stub.requests[0]["text"]
        assert json.loads(sent) == yaml.safe_load(sent) == {"text": text}


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(lambda: refused(503, "ServiceUnavailable"), id="503"),
        pytest.param(lambda: refused(500, "InternalError", "etcdserver: leader changed"), id="500"),
        pytest.param(lambda: refused(504, "Timeout"), id="504"),
        pytest.param(lambda: refused(429, "TooManyRequests"), id="429"),
        pytest.param(lambda: refused(401, "Unauthorized"), id="a token that was rotated"),
        pytest.param(ConnectionResetError, id="connection cut"),
    ],
)
async def test_what_is_safe_to_repeat_is_repeated(failure):
    async with a_stub() as (stub, client):
        stub.on("PUT", PATH, failure, failure, {"fine": True})
        assert await client.send(Request("PUT", PATH, body={})) == {"fine": True}
        assert len(stub.requests) == 3


async def test_repeating_ends():
    async with a_stub() as (stub, client):
        stub.on("GET", PATH, lambda: refused(503, "ServiceUnavailable", "no"))
        with pytest.raises(ClusterRefused) as ended:
            await client.send(Request("GET", PATH, attempts=3))
        assert len(stub.requests) == 3
        assert (ended.value.code, ended.value.reason) == (503, "ServiceUnavailable")
        assert ended.value.retryable


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(lambda: refused(500, "InternalError"), id="500"),
        pytest.param(ConnectionResetError, id="connection cut"),
    ],
)
async def test_a_creation_whose_reply_was_lost_is_not_repeated_blindly(failure):
    async with a_stub() as (stub, client):
        stub.on("POST", PATH, failure, {})
        with pytest.raises(ClusterRefused) as ended:
            await client.send(Request("POST", PATH, body={}))
        assert len(stub.requests) == 1
        assert ended.value.retryable
        await client.send(Request("POST", PATH, body={}, repeatable=True))


async def test_a_creation_that_was_turned_away_is_repeated_when_the_server_says():
    async with a_stub() as (stub, client):
        wait = {"Retry-After": "1"}
        stub.on("POST", PATH, lambda: refused(429, "TooManyRequests", headers=wait), {"made": 1})
        assert await client.send(Request("POST", PATH, body={})) == {"made": 1}


@pytest.mark.parametrize(("attempts", "seconds"), [(2, 14), (1, 0)])
async def test_the_last_refusal_is_told_once_the_server_would_hear_of_it_again(
    monkeypatch, attempts, seconds
):
    async with a_stub() as (stub, client):
        wait = {"Retry-After": "7"}
        stub.on("GET", PATH, lambda: refused(429, "TooManyRequests", headers=wait))
        skip_waits(monkeypatch)
        started = asyncio.get_running_loop().time()
        with pytest.raises(ClusterRefused):
            await client.send(Request("GET", PATH, attempts=attempts))
        assert (asyncio.get_running_loop().time() - started) // 7 == seconds // 7


RACE = 'Operation cannot be fulfilled on resourcequotas "few": the object has been modified'


@pytest.mark.parametrize(
    ("method", "body", "asked"),
    [
        pytest.param("PATCH", {"metadata": {"name": "a"}}, 4, id="an apply"),
        pytest.param("POST", {"metadata": {"name": "a"}}, 4, id="a creation"),
        pytest.param("PATCH", [{"op": "add", "path": "/status"}], 4, id="a patch"),
        pytest.param("DELETE", None, 4, id="a deletion"),
        pytest.param("PUT", {"metadata": {"resourceVersion": "4"}}, 1, id="of one version"),
        pytest.param(
            "PATCH",
            [{"op": "replace", "path": "/metadata/resourceVersion", "value": "4"}],
            1,
            id="a patch of one version",
        ),
    ],
)
async def test_a_race_inside_the_api_server_is_run_again(monkeypatch, method, body, asked):
    async with a_stub() as (stub, client):
        lost = [lambda: refused(409, "Conflict", RACE)] * 3
        stub.on(method, PATH, *lost, {})
        skip_waits(monkeypatch)
        with contextlib.suppress(ClusterRefused):
            await client.send(Request(method, PATH, body=body))
        assert len(stub.requests) == asked


async def test_a_name_that_is_taken_is_told_at_once():
    async with a_stub() as (stub, client):
        stub.on("POST", PATH, lambda: refused(409, "AlreadyExists"))
        with pytest.raises(ClusterRefused):
            await client.send(Request("POST", PATH, body={}, repeatable=True))
        assert len(stub.requests) == 1


async def test_a_refusal_is_not_repeated():
    async with a_stub() as (stub, client):
        stub.on("GET", PATH, lambda: refused(403, "Forbidden", "no rights"))
        with pytest.raises(ClusterRefused, match="no rights"):
            await client.send(Request("GET", PATH, subject="ConfigMap web/a"))
        assert len(stub.requests) == 1


async def test_who_leads_no_more_reads_and_writes_its_lease_and_nothing_else():
    leases = "/apis/coordination.k8s.io/v1/namespaces/web/leases/a-chart-s-own"
    async with a_stub() as (stub, client):
        stub.on("GET", PATH, {})
        stub.on("PUT", leases, {})
        client.write_only_while(lambda: False)
        await client.send(Request("GET", PATH))
        await client.send(Request("PUT", leases, needs_lead=False))
        for method, path in (("POST", PATH), ("PUT", leases)):
            with pytest.raises(ClusterRefused) as caught:
                await client.send(Request(method, path))
            assert caught.value.api_reason == "LeaseLost"
        assert [seen["method"] for seen in stub.requests] == ["GET", "PUT"]


async def test_a_write_is_not_repeated_once_the_lead_is_lost():
    leads = iter([True, True, False])  # asked before each attempt, and with its connection
    async with a_stub() as (stub, client):
        stub.on("PUT", PATH, lambda: refused(503, "ServiceUnavailable"))
        client.write_only_while(lambda: next(leads))
        with pytest.raises(ClusterRefused) as caught:
            await client.send(Request("PUT", PATH))
        assert caught.value.api_reason == "LeaseLost"
        assert len(stub.requests) == 1


@pytest.mark.parametrize("connected", [True, False], ids=["an old one", "a new one"])
async def test_no_write_takes_a_connection_that_came_after_the_lead_was_lost(connected):
    leads = iter([True, False])
    async with a_stub() as (stub, client):
        stub.on("GET", PATH, {})
        stub.on("PUT", PATH, {})
        if connected:
            await client.send(Request("GET", PATH))
        client.write_only_while(lambda: next(leads))
        with pytest.raises(ClusterRefused) as caught:
            await client.send(Request("PUT", PATH))
        assert caught.value.api_reason == "LeaseLost"
        assert "PUT" not in [seen["method"] for seen in stub.requests]
        await client.send(Request("GET", PATH))  # the connection is not lost with it


async def test_a_server_that_does_not_answer_is_given_up():
    async with a_stub() as (stub, client):
        stub.on("GET", PATH, NEVER)
        with pytest.raises(ClusterRefused) as ended:
            await client.send(Request("GET", PATH, timeout_seconds=0.05, attempts=2))
        assert (ended.value.code, ended.value.retryable) == (0, True)


async def test_who_does_not_answer_is_named_without_a_login():
    connection = Given("https://api.example:6443", tls=True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and listens to nobody
        proxy = f"127.0.0.1:{taken.getsockname()[1]}"
        connection.proxy = f"http://me:secret@{proxy}"
        async with client_module.Client(connection, attempts_limit=1) as client:
            with pytest.raises(ClusterRefused) as ended:
                await client.send(Request("GET", PATH))
    place = f"https://api.example:6443 through http://{proxy}"
    assert ended.value.text == f"kubernetes cluster unreachable: {place}: connection refused"


async def test_what_is_no_http_is_told_without_what_it_was():
    async def answer(_, writer):
        writer.write(b"SSH-2.0-secret\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, client_module.Client(Given(url, tls=False), attempts_limit=1) as client:
        with pytest.raises(ClusterRefused) as ended:
            await client.send(Request("GET", PATH))
    assert ended.value.text.endswith(f"{url}: its answer cannot be read as HTTP")


@pytest.mark.parametrize(
    "text", [pytest.param(LONG, id="a long number"), pytest.param("<html>", id="no JSON")]
)
async def test_an_answer_that_cannot_be_read_is_refused(text):
    async with a_stub() as (stub, client):
        stub.on("GET", PATH, lambda: web.Response(text=text))
        with pytest.raises(ClusterRefused) as ended:
            await client.send(Request("GET", PATH))
        assert ended.value.reason == "Unreadable"
        assert not ended.value.retryable


async def test_a_redirect_is_not_followed():
    async with a_stub() as (stub, client):
        stub.on("GET", PATH, lambda: web.Response(status=302, headers={"Location": "/evil"}))
        with pytest.raises(ClusterRefused):
            await client.send(Request("GET", PATH))
        assert [request["path"] for request in stub.requests] == [PATH]


async def test_a_list_is_read_page_by_page():
    async with a_stub() as (stub, client):
        first = {"metadata": {"continue": "more"}, "items": [an_object("a")]}
        last = {"metadata": {"resourceVersion": "9"}, "items": [an_object("b")]}
        stub.on("GET", PATH, first, last)
        page = await client.list_all(Request("GET", PATH))
        assert [item["metadata"]["name"] for item in page.items] == ["a", "b"]
        assert page.resource_version == "9"
        assert stub.requests[1]["query"]["continue"] == "more"


async def test_a_poisoned_item_costs_only_itself():
    async with a_stub() as (stub, client):
        items = [json.dumps(an_object("a")), a_poisoned("bad"), json.dumps(an_object("b"))]
        text = f'{{"metadata":{{"resourceVersion":"9"}},"items":[{",".join(items)}]}}'
        stub.on("GET", PATH, lambda: web.Response(text=text))
        page = await client.list_all(Request("GET", PATH))
        assert [item["metadata"]["name"] for item in page.items] == ["a", "b"]
        assert [(bad.namespace, bad.name) for bad in page.poison] == [("web", "bad")]


async def test_a_watch_yields_each_change_and_ends_in_order():
    async with a_stub() as (stub, client):
        stub.watches(PATH, [event("ADDED", an_object("a")), event("DELETED", an_object("a", "2"))])
        seen = await collect(client.watch(Request("GET", PATH), "5"))
        assert [each.type for each in seen] == ["ADDED", "DELETED"]
        query = stub.requests[0]["query"]
        assert (query["resourceVersion"], query["allowWatchBookmarks"]) == ("5", "true")


async def test_a_line_that_comes_in_pieces_is_one_event():
    async with a_stub() as (stub, client):
        body = an_object("a") | {"data": "x" * (2 << 20)}
        text = event("ADDED", body)
        stub.watches(PATH, [text[:10], text[10:300], text[300:]])
        (seen,) = await collect(client.watch(Request("GET", PATH), "5"))
        assert seen.object == body


async def test_half_a_line_at_the_end_is_dropped():
    async with a_stub() as (stub, client):
        stub.watches(PATH, [event("ADDED", an_object("a")), event("ADDED", an_object("b"))[:20]])
        assert len(await collect(client.watch(Request("GET", PATH), "5"))) == 1


async def test_a_poisoned_event_names_its_object_and_the_watch_goes_on():
    async with a_stub() as (stub, client):
        poisoned = f'{{"type":"MODIFIED","object":{a_poisoned("bad")}}}\n'
        stub.watches(PATH, [poisoned, event("ADDED", an_object("a"))])
        first, second = await collect(client.watch(Request("GET", PATH), "5"))
        assert first.type == "MODIFIED"
        assert (first.poison.namespace, first.poison.name) == ("web", "bad")
        assert first.poison.resource_version == "7"
        assert second.object == an_object("a")


@pytest.mark.parametrize(
    ("line", "failure"),
    [
        pytest.param(event("ERROR", status(410, "Expired")), WatchGone, id="410"),
        pytest.param(event("ERROR", status(500, "InternalError")), WatchFailed, id="500"),
        pytest.param(event("ERROR", {"code": "x"}), WatchFailed, id="a code that is no number"),
        pytest.param("garbage\n", WatchFailed, id="no JSON"),
        pytest.param("[1]\n", WatchFailed, id="no event"),
        pytest.param('{"type": 5, "object": []}\n', WatchFailed, id="an event without an object"),
    ],
)
async def test_a_watch_that_fails_says_so(line, failure):
    async with a_stub() as (stub, client):
        stub.watches(PATH, [line, NEVER])
        with pytest.raises(failure):
            await collect(client.watch(Request("GET", PATH), "5"))


async def test_a_line_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(client_module, "LINE_BYTES_LIMIT", 1000)
    async with a_stub() as (stub, client):
        stub.watches(PATH, ["x" * 2000, NEVER])
        with pytest.raises(WatchFailed):
            await collect(client.watch(Request("GET", PATH), "5"))


@pytest.mark.parametrize("code", [401, 403, 404, 500])
async def test_a_watch_that_is_refused_says_so(code):
    async with a_stub() as (stub, client):
        stub.watches(PATH, lambda: refused(code))
        with pytest.raises(ClusterRefused) as ended:
            await collect(client.watch(Request("GET", PATH), "5"))
        assert ended.value.code == code


async def test_a_resource_version_that_is_too_old_to_watch_is_gone():
    async with a_stub() as (stub, client):
        stub.watches(PATH, lambda: refused(410, "Expired"))
        with pytest.raises(WatchGone):
            await collect(client.watch(Request("GET", PATH), "5"))


async def test_a_silent_watch_is_given_up():
    async with a_stub(silence_seconds=0.1) as (stub, client):
        stub.watches(PATH, [event("ADDED", an_object("a")), NEVER])
        with pytest.raises(ClusterRefused) as ended:
            await collect(client.watch(Request("GET", PATH), "5"))
        assert ended.value.code == 0


def test_tls_connections_are_given_little_to_read_into():
    assert SSLProtocol.max_size == client_module.READ_BYTES
