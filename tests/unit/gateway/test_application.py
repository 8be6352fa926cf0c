import asyncio
import logging

import pytest
from yarl import URL

from tests.builders.little_api_server import LittleApiServer, a_gateway, a_release
from tests.builders.raw_http import TWO_LENGTHS, answers, hiding
from whipstaff.errors import InvalidSpec
from whipstaff.gateway.options import Options

BLOG = "/v1/namespaces/web/releases/blog"


@pytest.fixture
async def ask():
    server = LittleApiServer(a_release())
    server.allow("alice", "*", "*")
    async with a_gateway(server) as asking:
        yield asking


@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        pytest.param("/v1/namespaces/../releases", {400}, id="up"),
        pytest.param("/v1/namespaces/%2e%2e/releases", {400}, id="up, escaped"),
        pytest.param("/v1/namespaces/web%2freleases/x", {400}, id="an escaped slash"),
        pytest.param("/v1/namespaces/web/releases/a%00b", {400}, id="NUL"),
        pytest.param("/v1/namespaces/web/releases/a%5cb", {400}, id="a backslash"),
        pytest.param("/v1//releases", {400}, id="two slashes"),
        pytest.param("/v1/namespaces/web/releases/blog.", {400}, id="a dot at the end"),
        pytest.param("/v1/namespaces/web/releases/Blog", {400}, id="a capital"),
        pytest.param("/v1/namespaces/web/releases/%252e%252e", {400}, id="up, escaped twice"),
        pytest.param("/v1/namespaces/web./releases", {400}, id="a namespace with a dot at its end"),
        pytest.param("/v1/namespaces/web/releases/" + "a" * 300, {400}, id="long"),
        pytest.param("/v1/namespaces/web/releases/" + "a" * 4096, {400}, id="4 KiB"),
        pytest.param("/v1/namespaces/web/releases/" + "a" * 9000, {414}, id="very long"),
        pytest.param(f"{BLOG}/revisions/0", {400}, id="no revision"),
        pytest.param(f"{BLOG}/revisions/1e3", {400}, id="a revision in other words"),
        pytest.param(f"{BLOG}/revisions/99999999999999999999", {400}, id="beyond all revisions"),
        pytest.param(f"{BLOG}/revisions/1/values?showSecrets=perhaps", {400}, id="perhaps"),
        pytest.param(f"{BLOG}/diff?from=1", {400}, id="half a diff"),
        pytest.param(f"{BLOG}?showSecrets=true", {400}, id="what is no parameter there"),
        pytest.param(f"{BLOG}/", {404}, id="a slash at the end"),
        pytest.param("/v2/releases", {404}, id="another version"),
        pytest.param("/v1", {404}, id="nothing"),
    ],
)
async def test_a_path_that_is_none_is_refused(ask, path, statuses):
    answer = await ask(path)
    assert answer.status in statuses
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == answer.status


async def test_a_release_that_is_not_there_is_not_found(ask):
    for part in ("", "/history", "/events", "/revisions/1/values", "/diff?from=1&to=2"):
        answer = await ask(f"/v1/namespaces/web/releases/none{part}")
        assert (answer.status, answer.json["reason"]) == (404, "NotFound")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE", "TRACE"])
async def test_what_cannot_be_done_is_not_done_by_another_method(ask, method):
    for path in ("/v1/releases", f"{BLOG}/history", BLOG):
        if path == BLOG and method in ("PATCH", "DELETE"):
            continue
        answer = await ask(path, method=method, headers={"X-HTTP-Method-Override": "GET"})
        assert answer.status == 405
    override = {"X-HTTP-Method-Override": "DELETE"}
    assert (await ask("/v1/releases", headers=override)).status == 200


async def test_who_asks_is_found_out_before_anything_is_looked_at(ask):
    for path in ("/v1/releases?limit=-1", "/v1/namespaces/Web/releases", f"{BLOG}/revisions/x"):
        assert (await ask(path, token="wrong")).status == 401


@pytest.mark.parametrize("heads", TWO_LENGTHS.values(), ids=TWO_LENGTHS)
async def test_one_connection_cannot_smuggle_a_request_in_another(ask, heads):
    for start in ("GET /livez HTTP/1.1", f"PATCH {BLOG} HTTP/1.1"):
        (status,) = await hiding(ask.url, start, heads)
        assert status in (400, 501)


async def test_no_connection_becomes_one_of_another_protocol(ask):
    heads = [
        *("Connection: Upgrade, close", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        *("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Authorization: Bearer alice-token"),
    ]
    assert await answers(ask.url, "GET /v1/releases HTTP/1.1", heads) == [200]


async def test_answers_are_kept_by_nobody_and_shown_in_no_frame(ask):
    for path in ("/v1/releases", BLOG, "/v1/namespaces/web/releases/none"):
        headers = (await ask(path)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_requests_are_logged_with_who_asked_and_without_their_secrets(ask, caplog):
    caplog.set_level(logging.INFO)
    await ask("/v1/releases?search=canary-in-query")
    (record,) = [one for one in caplog.records if one.message == "request"]
    assert (record.user, record.path, record.status) == ("alice", "/v1/releases", 200)
    for one in caplog.records:
        assert "canary-in-query" not in str(vars(one))
        assert "alice-token" not in str(vars(one))


async def test_probes_need_no_token_and_tell_nothing(ask):
    assert (await ask("/livez", token="")).json == {"alive": True}
    assert (await ask("/readyz", token="")).json == {"ready": True}


async def test_openapi_has_every_route_and_says_how_to_prove_who_asks(ask):
    answer = await ask("/openapi.json", token="")
    document = answer.json
    assert document["openapi"].startswith("3.1")
    assert len(document["paths"]) == 25
    assert all(path.startswith("/v1/") for path in document["paths"])
    assert document["security"] == [{"bearer": []}, {"certificate": []}]
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["operationId"]
            assert "application/problem+json" in operation["responses"]["403"]["content"]
            assert "422" not in operation["responses"]


async def test_tokens_are_not_sent_through_a_network_in_the_clear():
    with pytest.raises(InvalidSpec):
        Options(host="0.0.0.0")
    assert Options(host="0.0.0.0", tls_names=("gateway",)).tls is None


async def test_a_gateway_makes_a_certificate_if_it_is_given_none():
    server = LittleApiServer(a_release())
    server.allow("alice", "*", "*")
    async with a_gateway(server, tls_names=("127.0.0.1",)) as ask:
        assert ask.url.startswith("https://")
        assert (await ask("/v1/releases")).status == 200


async def test_who_connects_and_asks_nothing_keeps_nobody_out():
    async with a_gateway(LittleApiServer(), connections=4) as ask:
        place = URL(ask.url)
        idle = [await asyncio.open_connection(place.host, place.port) for _ in range(6)]
        half = await asyncio.open_connection(place.host, place.port)
        half[1].write(b"GET /livez HTTP/1.1\r\nHost: gateway\r\n")
        assert (await ask("/v1/releases")).status == 200
        assert await idle[0][0].read() == b""  # it made room
        for _, writer in (*idle, half):
            writer.close()
