import asyncio
import json
import socket
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest

from tests.builders.little_api_server import READER, LittleApiServer, a_gateway, a_release
from whipstaff.gateway import access, callers, models, streams
from whipstaff.serving import connections

PATIENCE = 60


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """What is asked again after seconds is asked again at once."""
    monkeypatch.setattr(streams, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(streams, "BREATH_SECONDS", 0.01)
    monkeypatch.setattr(access, "KNOWN_SECONDS", 0.0)
    monkeypatch.setattr(callers, "KNOWN_SECONDS", 0.0)


@pytest.fixture
def server():
    found = LittleApiServer(a_release(), a_release("api", "team"))
    found.allow("alice", "list", "helmreleases")
    found.allow("bob", "list", "helmreleases", "web")
    return found


@pytest.fixture
async def ask(server):
    async with a_gateway(server) as asking:
        yield asking


class Stream:
    def __init__(self, answer):
        self.answer = answer
        self.status = answer.status

    async def line(self):
        async with asyncio.timeout(PATIENCE):
            return (await self.answer.content.readline()).decode()

    async def event(self):
        """Give the next event as (kind, data, id); None at the end."""
        found = {}
        while line := await self.line():
            key, _, text = line.rstrip("\n").partition(": ")
            if key:
                found[key] = text
            elif "event" in found:
                return found["event"], json.loads(found["data"]), found.get("id", "")
            else:
                found = {}
        return None


@asynccontextmanager
async def a_stream(ask, path="/v1/changes", token="alice-token", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers["Authorization"] = f"Bearer {token}"
    async with (
        aiohttp.ClientSession() as session,
        session.get(ask.url + path, headers=headers) as answer,
    ):
        yield Stream(answer)


def changed(server, name, namespace="web", version="8"):
    server.change(a_release(name, namespace, version=version))


async def test_what_happens_is_told_as_lists_tell_it(ask, server):
    async with a_stream(ask) as stream:
        assert (stream.status, stream.answer.content_type) == (200, "text/event-stream")
        assert stream.answer.headers["cache-control"] == "no-store, no-transform"
        assert (await stream.event())[0] == "reset"
        changed(server, "blog")
        kind, facts, _ = await stream.event()
        assert (kind, facts["name"], facts["standing"]) == ("changed", "blog", "ready")
        models.ListedRelease.model_validate(facts)
        server.change(a_release("api", "team"), "DELETED")
        place = {"cluster": "local", "namespace": "team"}
        gone = {**place, "name": "api", "uid": "uid-team-api"}
        assert (await stream.event())[:2] == ("gone", gone)


async def test_who_has_read_a_list_goes_on_where_it_ends(ask, server):
    position = (await ask("/v1/releases")).json["position"]
    changed(server, "blog")
    async with a_stream(ask, f"/v1/changes?after={position}") as stream:
        kind, facts, place = await stream.event()
        assert (kind, facts["name"]) == ("changed", "blog")
    changed(server, "shop")
    async with a_stream(ask, f"/v1/changes?after={position}", Last_Event_ID=place) as stream:
        assert (await stream.event())[1]["name"] == "shop"


@pytest.mark.parametrize("position", ["", "0123456789ab-7", "x", "-"])
async def test_who_comes_from_elsewhere_is_told_to_read_the_list(ask, position):
    async with a_stream(ask, Last_Event_ID=position) as stream:
        assert (await stream.event())[0] == "reset"


async def test_one_namespace_or_one_release_is_told_of_alone(ask, server):
    position = (await ask("/v1/releases")).json["position"]
    for place, name in (("team", "api"), ("web", "blog"), ("web", "shop")):
        changed(server, name, place)
    for path, first in (("", "blog"), ("&name=shop", "shop")):
        where = f"/v1/namespaces/web/changes?after={position}{path}"
        async with a_stream(ask, where) as stream:
            assert (await stream.event())[1]["name"] == first


async def test_nobody_is_told_of_what_they_may_not_list(ask, server):
    async with a_stream(ask, token="bob-token") as stream:
        assert (await stream.event())[0] == "reset"
        changed(server, "api", "team")
        changed(server, "blog", "web")
        assert (await stream.event())[1]["name"] == "blog"
    for path in ("/v1/namespaces/team/changes", "/v1/namespaces/none/changes"):
        async with a_stream(ask, path, token="bob-token") as stream:
            assert stream.status == 403
    async with a_stream(ask, token="wrong") as stream:
        assert stream.status == 401


async def test_who_loses_a_right_is_told_no_more(ask, server):
    async with a_stream(ask, token="bob-token") as stream:
        changed(server, "blog")
        while (await stream.event())[0] != "changed":
            pass
        server.rights.discard(("bob", "list", "helmreleases", "web"))
        changed(server, "blog", version="9")
        assert (await stream.event())[0] == "reset"
        server.allow("bob", "list", "helmreleases", "team")
        changed(server, "api", "team", version="9")
        assert (await stream.event())[1]["name"] == "api"


async def test_who_may_see_all_and_then_less_reads_the_list_anew(ask, server):
    async with a_stream(ask) as stream:
        assert (await stream.event())[0] == "reset"
        server.rights.discard(("alice", "list", "helmreleases", ""))
        assert (await stream.event())[0] == "reset"
        server.allow("alice", "list", "helmreleases")
        assert (await stream.event())[0] == "reset"


async def test_who_loses_the_namespace_loses_its_stream(ask, server):
    async with a_stream(ask, "/v1/namespaces/web/changes", token="bob-token") as stream:
        assert (await stream.event())[0] == "reset"
        server.rights.discard(("bob", "list", "helmreleases", "web"))
        kind, facts, _ = await stream.event()
        assert (kind, facts["status"]) == ("end", 403)
        assert await stream.event() is None


async def test_whose_token_ends_loses_the_stream(ask, server):
    async with a_stream(ask) as stream:
        assert (await stream.event())[0] == "reset"
        del server.tokens["alice-token"]
        kind, facts, _ = await stream.event()
        assert (kind, facts["status"]) == ("end", 401)
        assert await stream.event() is None


async def test_what_cannot_be_checked_is_not_told(ask, server):
    async with a_stream(ask) as stream:
        _, _, place = await stream.event()
        server.away = True
        kind, facts, _ = await stream.event()
        assert (kind, facts["status"]) == ("end", 502)
        server.away = False
    changed(server, "blog")
    async with a_stream(ask, Last_Event_ID=place) as stream:
        assert (await stream.event())[1]["name"] == "blog"


async def test_silence_is_broken_now_and_then(ask, monkeypatch):
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.02)
    async with a_stream(ask) as stream:
        assert (await stream.event())[0] == "reset"
        for _ in range(3):
            assert (await stream.line(), await stream.line()) == (": ping\n", "\n")


async def test_a_stream_ends_after_a_while_and_goes_on_in_the_next(ask, server, monkeypatch):
    monkeypatch.setattr(streams, "LIFE_SECONDS", 0.05)
    async with a_stream(ask) as stream:
        _, _, place = await stream.event()
        assert await stream.event() is None
    changed(server, "blog")
    monkeypatch.undo()
    async with a_stream(ask, Last_Event_ID=place) as stream:
        assert (await stream.event())[0] == "changed"


async def test_who_falls_behind_is_told_to_read_the_list(ask, server, monkeypatch):
    position = (await ask("/v1/releases")).json["position"]
    ask.cache.changes._kept = 2
    for name in "abc":
        changed(server, name)
    async with a_stream(ask, f"/v1/changes?after={position}") as stream:
        while (event := await stream.event())[0] != "reset":
            assert event[0] == "changed"


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}], ids=str
)
async def test_another_site_s_page_gets_no_stream(ask, headers):
    async with a_stream(ask, **headers) as stream:
        assert stream.status == 403


async def test_one_caller_has_so_many_streams(ask):
    async with AsyncExitStack() as stack:
        for _ in range(streams.STREAMS_OF_ONE):
            stream = await stack.enter_async_context(a_stream(ask))
            assert (await stream.event())[0] == "reset"
        async with a_stream(ask) as stream:
            assert stream.status == 429
            assert stream.answer.headers["retry-after"] == "10"
        async with a_stream(ask, token="bob-token") as stream:
            assert stream.status == 200
        assert (await ask("/v1/releases")).status == 200
    await until(lambda: not ask.streams.count)
    async with a_stream(ask) as stream:
        assert stream.status == 200


async def until(holds):
    async with asyncio.timeout(PATIENCE):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


async def test_another_token_of_the_same_caller_makes_no_other_caller(ask, server, monkeypatch):
    monkeypatch.setattr(ask.streams, "_limit_of_one", 1)
    server.tokens["alice-again"] = "alice"
    async with a_stream(ask), a_stream(ask, token="alice-again") as stream:
        assert stream.status == 429


async def test_of_a_thousand_who_wait_as_many_are_taken_as_there_is_room_for(server, monkeypatch):
    monkeypatch.setattr(streams, "CHECK_SECONDS", 600.0)
    for name in (f"user-{number}" for number in range(100)):
        server.tokens[name] = name
        server.allow(name, "list", "helmreleases")
    async with a_gateway(server, connections=2000) as ask, AsyncExitStack() as stack:
        turns = asyncio.Semaphore(50)

        async def opened(number):
            async with turns, AsyncExitStack() as own:
                stream = await own.enter_async_context(a_stream(ask, token=f"user-{number % 100}"))
                if stream.status == 200:  # the others would need files, too
                    await stack.enter_async_context(own.pop_all())
                return stream

        found = await asyncio.gather(*(opened(number) for number in range(1000)))
        taken = [one for one in found if one.status == 200]
        assert len(taken) == streams.STREAMS
        assert {one.status for one in found} == {200, 503}
        for stream in taken:
            assert (await stream.event())[0] == "reset"
        changed(server, "blog")
        for stream in taken:
            assert (await stream.event())[1]["name"] == "blog"
        assert (await ask("/v1/releases")).status == 200


async def test_who_does_not_read_is_let_go_of(server, monkeypatch):
    monkeypatch.setattr(connections, "READ_SECONDS", 0.2)
    monkeypatch.setattr(streams, "CHECK_SECONDS", 600.0)
    async with a_gateway(server) as ask:
        with socket.socket() as place:
            place.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            host, port = ask.url.rpartition("/")[2].split(":")
            place.connect((host, int(port)))
            lines = ["GET /v1/changes HTTP/1.1", "Host: x", "Authorization: Bearer alice-token"]
            place.send("\r\n".join([*lines, "", ""]).encode())
            await until(lambda: ask.streams.count)
            async with asyncio.timeout(PATIENCE):
                version = 8
                while ask.streams.count:
                    version += 1
                    for number in range(100):
                        release = a_release(f"r{number}", version=str(version))
                        release["metadata"]["labels"] = {f"l{n}": "x" * 60 for n in range(50)}
                        server.change(release)
                    await asyncio.sleep(0.02)
        assert (await ask("/v1/releases?limit=1")).status == 200


async def test_a_gateway_that_stops_ends_its_streams(server):
    async with AsyncExitStack() as stack:
        async with a_gateway(server) as ask:
            stream = await stack.enter_async_context(a_stream(ask))
            assert (await stream.event())[0] == "reset"
        assert await stream.event() is None


async def test_the_gateway_itself_asks_for_nothing_but_its_watch(ask, server):
    async with a_stream(ask) as stream:
        assert (await stream.event())[0] == "reset"
    asked = {one["user"] for one in server.requests if "helmreleases" in one["path"]}
    assert asked == {READER}
