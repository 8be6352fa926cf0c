"""Clients of other clusters: made when needed, shared, closed, and held off where none answers."""

import asyncio
import gzip
import json
import traceback
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.builders.remote_clusters import b64
from tests.builders.stub_api_server import NEVER, a_stub, event, refused
from whipstaff.errors import (
    ClusterRefused,
    KubeConfigForbidden,
    KubeConfigInvalid,
    RemoteClusterUnreachable,
)
from whipstaff.kube import remote as remote_module
from whipstaff.kube.client import Request
from whipstaff.kube.remote import EveryCluster, RemoteClusters, Rules
from whipstaff.reconcile.ports import Identity, Person, RemoteCluster

THERE = RemoteCluster("team", "there")
WHO = Identity("deployer", "team", THERE)


class Secrets:
    """Secrets by name, each holding a server's URL for a kubeconfig."""

    def __init__(self, **servers):
        self.servers = servers
        self.asked = 0
        self.refusal = None

    async def secret(self, namespace, name):
        self.asked += 1
        if self.refusal:
            raise self.refusal
        server = self.servers.get(name)
        return None if server is None else {"data": {"value": b64(server)}}


class Reader:
    """Takes the text of a kubeconfig for the server's URL."""

    async def read_kubeconfig(self, text, *, allow_insecure):
        if text == "wrong":
            raise KubeConfigForbidden("the kubeconfig names a program")
        return {
            "server": text,
            "host": "127.0.0.1",
            "port": 1,
            "ca": "",
            "insecure": False,
            "server_name": "",
            "certificate": "",
            "key": "",
            "token": "remote-token",
        }


class Everywhere:
    """No address is refused, unless a test says why."""

    why = ""

    async def refusal(self, host, port):
        return self.why

    def resolver(self):
        return None


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """A time that passes only where a test says so."""
    clock = Clock()
    monkeypatch.setattr(remote_module, "monotonic", clock)
    return clock


@asynccontextmanager
async def clusters(secrets, addresses=None):
    remotes = RemoteClusters(secrets, Reader(), Rules(addresses or Everywhere()))
    async with a_stub() as (home, client):
        yield EveryCluster(client, remotes), remotes, home
        await remotes.close()


@asynccontextmanager
async def a_remote(**more):
    async with a_stub() as (stub, client):
        server = client._connection.server
        stub.on("GET", "/version", {"gitVersion": "v1.36.3"})
        stub.on("GET", "/api/v1/pods", {"items": [], "metadata": {"resourceVersion": "1"}})
        yield stub, Secrets(there=server, **dict.fromkeys(more, server))


def pods(identity=WHO):
    return Request("GET", "/api/v1/pods", identity)


def paths(stub):
    return [request["path"] for request in stub.requests]


async def test_a_request_goes_where_its_identity_acts(clock):
    async with a_remote() as (there, secrets), clusters(secrets) as (every, _, home):
        home.on("GET", "/api/v1/pods", {"items": ["home"]})

        assert (await every.send(pods(Identity())))["items"] == ["home"]
        assert (await every.send(pods()))["items"] == []

        headers = there.requests[-1]["headers"]
        assert headers["Impersonate-User"] == "system:serviceaccount:team:deployer"
        assert headers["Authorization"] == "Bearer remote-token"
        assert paths(home) == ["/api/v1/pods"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda: web.Response(body=b" " * (3 << 20)), id="a long answer"),
        pytest.param(lambda: web.Response(body=b" " * (3 << 20), status=403), id="a refusal"),
        pytest.param(
            lambda: web.Response(
                body=gzip.compress(b" " * (3 << 20)), headers={"Content-Encoding": "gzip"}
            ),
            id="one that was packed",
        ),
    ],
)
async def test_an_answer_without_end_is_not_read_to_its_end(clock, monkeypatch, answer):
    monkeypatch.setattr(remote_module, "ANSWER_BYTES_LIMIT", 1 << 20)
    async with a_remote() as (there, secrets), clusters(secrets) as (every, _, _home):
        there.on("GET", "/api/v1/pods", answer)
        for ask in (every.send, every.list_all):
            with pytest.raises(ClusterRefused) as refusal:
                await ask(pods())
            assert refusal.value.api_reason == "Unreadable"


async def test_lists_texts_and_watches_go_there_too(clock):
    async with a_remote() as (there, secrets), clusters(secrets) as (every, _, _home):
        there.watches("/api/v1/pods", [event("ADDED", {"metadata": {"name": "a"}})])

        assert (await every.list_all(pods())).resource_version == "1"
        assert json.loads(await every.text(pods()))["items"] == []
        seen = [one.type async for one in every.watch(pods(), "1")]

        assert seen == ["BOOKMARK", "ADDED"]


async def test_equal_kubeconfigs_share_a_client(clock):
    async with a_remote(other=1) as (_, secrets), clusters(secrets) as (every, remotes, _home):
        other = Identity(remote=RemoteCluster("team", "other"))
        await asyncio.gather(every.send(pods()), every.send(pods(other)))

        assert remotes.open_count == 1


async def test_a_changed_secret_makes_another_client_and_the_old_one_is_closed(clock):
    async with (
        a_remote() as (first, secrets),
        a_remote() as (second, others),
        clusters(secrets) as (every, remotes, _home),
    ):
        await every.send(pods())
        secrets.servers["there"] = others.servers["there"]
        clock.now += 1

        await every.send(pods())
        assert "/api/v1/pods" in paths(second)
        assert remotes.open_count == 2

        clock.now += remote_module.IDLE_SECONDS
        await every.send(pods())
        remotes._sweep()
        assert remotes.open_count == 1
        assert paths(first).count("/api/v1/pods") == 1


async def test_what_nobody_uses_is_closed_and_forgotten(clock):
    async with a_remote() as (_, secrets), clusters(secrets) as (every, remotes, _home):
        await every.send(pods())
        remotes._sweep()
        assert remotes.open_count == 1

        clock.now += remote_module.IDLE_SECONDS + 1
        remotes._sweep()

        assert (remotes.open_count, remotes._readings) == (0, {})
        assert remotes._sweeping is None


async def test_a_secret_is_not_read_for_each_request(clock):
    async with a_remote() as (_, secrets), clusters(secrets) as (every, _remotes, _home):
        for _ in range(5):
            await every.send(pods())

        assert secrets.asked == 1


async def test_a_token_that_is_refused_makes_the_secret_be_read_at_once(clock):
    async with a_remote() as (there, secrets), clusters(secrets) as (every, _, _home):
        await every.send(pods())
        there.on("GET", "/api/v1/pods", lambda: refused(401, "Unauthorized"))
        there.on("GET", "/version", lambda: refused(401, "Unauthorized"))
        with pytest.raises(ClusterRefused):
            await every.send(pods())

        with pytest.raises(KubeConfigInvalid, match="does not take the kubeconfig's credentials"):
            await every.send(pods())

        assert secrets.asked == 2


async def test_home_being_away_does_not_lose_what_is_known(clock):
    async with a_remote() as (_, secrets), clusters(secrets) as (every, _remotes, _home):
        await every.send(pods())
        secrets.refusal = ClusterRefused("no answer")
        clock.now += 5

        assert await every.send(pods())


async def test_a_cluster_that_does_not_answer_is_asked_once_and_again_later(clock):
    secrets = Secrets(there="http://127.0.0.1:1")
    async with clusters(secrets) as (every, remotes, _home):
        for _ in range(3):
            with pytest.raises(RemoteClusterUnreachable, match="of Secret team/there does not"):
                await every.send(pods())
        [site] = remotes._sites.values()
        assert site.ask_again_at == clock.now + remote_module.FIRST_PAUSE_SECONDS

        clock.now = site.ask_again_at
        with pytest.raises(RemoteClusterUnreachable):
            await every.send(pods())
        assert site.ask_again_at == clock.now + 2 * remote_module.FIRST_PAUSE_SECONDS


async def test_no_way_of_not_answering_tells_the_credentials(clock, caplog):
    caplog.set_level("DEBUG")
    async with a_remote() as (there, secrets), clusters(secrets) as (every, _, _home):
        there.on("GET", "/version", ConnectionResetError)
        with pytest.raises(RemoteClusterUnreachable) as caught:
            await every.send(pods())

    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "remote-token" not in told


async def test_one_asks_while_the_others_are_refused(clock, monkeypatch):
    monkeypatch.setattr(remote_module, "PROBE_SECONDS", 0.3)
    async with a_remote() as (there, secrets), clusters(secrets) as (every, remotes, _home):
        there.on("GET", "/version", NEVER)
        with pytest.raises(RemoteClusterUnreachable):
            await every.send(pods())
        [site] = remotes._sites.values()
        clock.now = site.ask_again_at
        asked = len(there.requests)

        answers = await asyncio.gather(
            *(every.send(pods()) for _ in range(20)), return_exceptions=True
        )

        assert all(isinstance(one, RemoteClusterUnreachable) for one in answers)
        assert len(there.requests) == asked + 1


async def test_a_cluster_that_came_back_is_used_again(clock):
    async with a_remote() as (there, secrets), clusters(secrets) as (every, remotes, _home):
        there.on("GET", "/version", *[ConnectionResetError] * 2, {"gitVersion": "v1.36.3"})
        with pytest.raises(RemoteClusterUnreachable):
            await every.send(pods())
        [site] = remotes._sites.values()
        clock.now = site.ask_again_at

        assert await every.send(pods())
        assert site.failure == ""


async def test_a_refusal_is_an_answer(clock):
    async with a_remote() as (there, secrets), clusters(secrets) as (every, _, _home):
        there.on("GET", "/api/v1/pods", lambda: refused(403, "Forbidden", "no"))
        for _ in range(2):
            with pytest.raises(ClusterRefused) as caught:
                await every.send(pods())
            assert caught.value.reason == "Forbidden"

        assert paths(there).count("/version") == 1


@pytest.mark.parametrize(
    ("servers", "kind", "said"),
    [
        pytest.param({}, KubeConfigInvalid, "does not exist", id="no Secret"),
        pytest.param({"there": "wrong"}, KubeConfigForbidden, "a program", id="a program"),
    ],
)
async def test_what_cannot_be_used_is_named_with_its_secret(clock, servers, kind, said):
    async with clusters(Secrets(**servers)) as (every, remotes, _home):
        with pytest.raises(kind) as caught:
            await every.send(pods())

        assert caught.value.text.startswith("Secret team/there")
        assert said in caught.value.text
        assert remotes.open_count == 0


async def test_a_key_that_is_not_there_is_named(clock):
    async with a_remote() as (_, secrets), clusters(secrets) as (every, _remotes, _home):
        other = Identity(remote=RemoteCluster("team", "there", "config"))

        with pytest.raises(KubeConfigInvalid, match="Secret team/there has no key config"):
            await every.send(pods(other))


async def test_an_address_that_is_refused_is_named(clock):
    addresses = Everywhere()
    addresses.why = "169.254.169.254 is no address for other clusters"
    async with a_remote() as (there, secrets), clusters(secrets, addresses) as (every, _, _home):
        with pytest.raises(KubeConfigForbidden, match=r"169\.254\.169\.254 is no address"):
            await every.send(pods())

        assert there.requests == []


async def test_a_token_is_not_sent_to_another_cluster(clock):
    with_token = Identity(remote=THERE, person=Person("alice", token="hers"))
    async with a_remote() as (there, secrets), clusters(secrets) as (every, _, _home):
        with pytest.raises(PermissionError):
            await every.send(pods(with_token))

        assert paths(there) == ["/version"]


async def test_a_person_is_impersonated_in_another_cluster(clock):
    alice = Identity(remote=THERE, person=Person("alice", ("dev",)))
    async with a_remote() as (there, secrets), clusters(secrets) as (every, _, _home):
        await every.send(pods(alice))

        headers = there.requests[-1]["headers"]
        assert (headers["Impersonate-User"], headers["Impersonate-Group"]) == ("alice", "dev")
        assert headers["Authorization"] == "Bearer remote-token"


async def test_a_secret_that_is_forgotten_is_read_at_once(clock):
    async with a_remote() as (_, secrets), clusters(secrets) as (every, remotes, _home):
        for _ in range(2):
            await every.send(pods())
        assert secrets.asked == 1
        remotes.forget(THERE)
        await every.send(pods())
        assert secrets.asked == 2


async def test_who_does_not_lead_writes_nowhere(clock):
    async with a_remote() as (there, secrets), clusters(secrets) as (every, remotes, _home):
        remotes.write_only_while(lambda: False)

        with pytest.raises(ClusterRefused) as caught:
            await every.send(Request("DELETE", "/api/v1/pods", WHO))

        assert caught.value.reason == "LeaseLost"
        assert paths(there) == ["/version"]
