"""Logins, tokens and redirects, against a registry that writes down what it is told."""

import asyncio
import json
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import web
from yarl import URL

from whipstaff.errors import (
    ChartTooLarge,
    ChartUnavailable,
    RepoAuthFailed,
    RepoForbiddenTarget,
    RepoTimeout,
)
from whipstaff.sources.addresses import AddressPolicy
from whipstaff.sources.credentials import Credentials
from whipstaff.sources.fetch import Asker
from whipstaff.sources.oci_client import PUSH, Registry, RegistryClient, Request, realm_of

JO = Credentials(username="jo", password="secret")


@dataclass
class Server:
    """Answers what a test has it answer; `seen` is (path, authorization) of each request."""

    answers: dict = field(default_factory=dict)  # path -> handler or response
    seen: list = field(default_factory=list)
    port: int = 0

    async def serve(self, request):
        self.seen.append((request.path, request.headers.get("Authorization", "")))
        return await self.answers[request.path](request)

    def url(self, path="", host="127.0.0.1"):
        return URL(f"http://{host}:{self.port}{path}")

    def sent_to(self, path):
        return [authorization for where, authorization in self.seen if where == path]


@pytest.fixture
async def server():
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


class Client:
    def __init__(self, server):
        self.now = 0.0
        self.server = server
        self.client = RegistryClient(AddressPolicy(), lambda: self.now)

    async def ask(self, path="/v2/team/blog/tags/list", login=JO, **changes):
        registry = Registry(self.server.url(), Asker(login, timeout_seconds=30.0))
        request = Request("GET", self.server.url(path), "team/blog", 1000)
        return await self.client.ask(registry, replace(request, **changes))


@pytest.fixture
async def client(server):
    client = Client(server)
    yield client
    await client.client.close()


def says(text="", status=200, **headers):
    async def answer(_):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(text=text, status=status, headers=named)

    return answer


def asks_for_tokens(server, scope='scope="repository:team/blog:pull"', realm=None):
    """Have the server want a token for all but its token service."""
    numbers = iter(range(1, 100))
    asked = []

    async def guarded(request):
        if request.headers.get("Authorization", "").startswith("Bearer t"):
            return web.Response(text="{}")
        where = realm or server.url("/token")
        challenge = f'Bearer realm="{where}",service="registry",{scope}'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    async def token(request):
        asked.append({**request.query, **(await request.post()), "method": request.method})
        return web.json_response({"token": f"t{next(numbers)}", "expires_in": 300})

    server.answers |= {"/v2/team/blog/tags/list": guarded, "/token": token}
    return asked


async def test_a_password_is_sent_only_when_it_is_asked_for(client, server):
    async def answer(request):
        known = "Authorization" in request.headers
        return web.Response(
            status=200 if known else 401, headers={"WWW-Authenticate": 'Basic realm="r"'}
        )

    server.answers["/v2/team/blog/tags/list"] = answer
    await client.ask()
    await client.ask()
    sent = server.sent_to("/v2/team/blog/tags/list")
    assert sent == ["", JO.authorization, JO.authorization]


async def test_a_token_is_asked_for_with_the_login_and_kept_while_it_lasts(client, server):
    asked = asks_for_tokens(server)
    for _ in range(3):
        await client.ask()
    expected = {"service": "registry", "scope": "repository:team/blog:pull", "method": "GET"}
    assert asked == [expected]
    assert server.sent_to("/token") == [JO.authorization]
    assert server.sent_to("/v2/team/blog/tags/list") == ["", *["Bearer t1"] * 3]
    client.now += 300
    await client.ask()
    assert len(asked) == 2


async def test_tokens_are_for_one_repository_and_what_is_done_there(client, server):
    asked = asks_for_tokens(server, scope="")
    await client.ask()
    await client.ask(actions=PUSH)
    await client.ask(repository="team/wiki")
    assert [one["scope"] for one in asked] == [
        "repository:team/blog:pull",
        "repository:team/blog:pull,push",
        "repository:team/wiki:pull",
    ]


async def test_who_has_no_login_gets_a_token_all_the_same(client, server):
    asks_for_tokens(server)
    await client.ask(login=Credentials())
    assert server.sent_to("/token") == [""]


async def test_a_refresh_token_is_exchanged(client, server):
    asked = asks_for_tokens(server)
    await client.ask(login=Credentials(username="<token>", identity_token="refresh"))
    [exchange] = asked
    assert exchange["method"] == "POST"
    assert (exchange["grant_type"], exchange["refresh_token"]) == ("refresh_token", "refresh")
    assert server.sent_to("/token") == [""]


async def test_a_bearer_token_of_ours_is_sent_at_once(client, server):
    server.answers["/v2/team/blog/tags/list"] = says()
    await client.ask(login=Credentials(token="ours"))
    assert server.sent_to("/v2/team/blog/tags/list") == ["Bearer ours"]


@pytest.mark.parametrize(
    ("login", "why"),
    [
        pytest.param(Credentials(), "wants a login", id="nobody"),
        pytest.param(JO, "401 Unauthorized", id="somebody"),
    ],
)
async def test_a_login_that_is_not_taken_is_said(client, server, login, why):
    server.answers["/v2/team/blog/tags/list"] = says(
        '{"errors": [{"code": "UNAUTHORIZED", "message": "secret is wrong"}]}',
        401,
        WWW_Authenticate='Basic realm="r"',
    )
    with pytest.raises(RepoAuthFailed, match=why) as refused:
        await client.ask(login=login)
    assert "secret" not in refused.value.text


async def test_a_token_service_that_refuses_is_named(client, server):
    asks_for_tokens(server)
    server.answers["/token"] = says("{}", 403)
    with pytest.raises(RepoAuthFailed, match=r"/token: 403 Forbidden"):
        await client.ask()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="nothing"),
        pytest.param("[]", id="no object"),
        pytest.param("{}", id="no token"),
        pytest.param(json.dumps({"token": "a\r\nX-Evil: b"}), id="a header more"),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
async def test_a_token_service_that_sends_no_token_is_named(client, server, body):
    asks_for_tokens(server)
    server.answers["/token"] = says(body)
    with pytest.raises(ChartUnavailable, match="/token: the token service sent no"):
        await client.ask()


@pytest.mark.parametrize(
    ("realm", "scheme"),
    [
        pytest.param("http://elsewhere.example/token", "https", id="plain HTTP after TLS"),
        pytest.param("file:///etc/passwd", "http", id="a file"),
        pytest.param("token", "http", id="relative"),
    ],
)
def test_a_login_is_not_sent_just_anywhere(realm, scheme):
    with pytest.raises(RepoForbiddenTarget, match="its token service is at"):
        realm_of(Registry(URL(f"{scheme}://registry.example")), realm)


async def test_a_token_service_at_a_forbidden_address_is_refused(client, server):
    asks_for_tokens(server, realm="http://169.254.169.254/token")
    with pytest.raises(RepoForbiddenTarget, match=r"169\.254\.169\.254"):
        await client.ask()


async def test_a_blob_on_another_host_is_fetched_as_a_stranger(client, server):
    asks_for_tokens(server)
    guarded = server.answers["/v2/team/blog/tags/list"]
    away = str(server.url("/store", host="localhost"))

    async def blob(request):
        answer = await guarded(request)
        if answer.status == 200:
            raise web.HTTPTemporaryRedirect(away)
        return answer

    server.answers |= {"/v2/team/blog/blobs/x": blob, "/store": says("content")}
    answer = await client.ask("/v2/team/blog/blobs/x")
    assert answer.body == b"content"
    assert server.sent_to("/store") == [""]


async def test_another_host_cannot_ask_for_the_login(client, server):
    away = str(server.url("/store", host="localhost"))

    async def blob(_):
        raise web.HTTPTemporaryRedirect(away)

    challenge = f'Bearer realm="{server.url("/token")}",service="s"'
    server.answers |= {
        "/v2/team/blog/blobs/x": blob,
        "/store": says("", 401, WWW_Authenticate=challenge),
        "/token": says('{"token": "t"}'),
    }
    with pytest.raises(RepoAuthFailed):
        await client.ask("/v2/team/blog/blobs/x")
    assert server.sent_to("/token") == []


@pytest.mark.parametrize(
    ("location", "error"),
    [
        pytest.param("http://169.254.169.254/x", RepoForbiddenTarget, id="a cloud's metadata"),
        pytest.param("file:///etc/passwd", RepoForbiddenTarget, id="a file"),
        pytest.param("/v2/team/blog/blobs/x", ChartUnavailable, id="in circles"),
    ],
)
async def test_a_redirect_to_nowhere_good_is_refused(client, server, location, error):
    server.answers["/v2/team/blog/blobs/x"] = says("", 307, Location=location)
    with pytest.raises(error):
        await client.ask("/v2/team/blog/blobs/x")


async def test_an_answer_without_an_end_is_cut(client, server):
    server.answers["/v2/team/blog/tags/list"] = says("x" * 1001)
    with pytest.raises(ChartTooLarge, match="larger than 1000 bytes"):
        await client.ask()


async def test_a_registry_that_does_not_answer_is_given_up(server):
    done = asyncio.Event()

    async def silent(_):
        await done.wait()
        return web.Response()

    server.answers["/v2/"] = silent
    client = RegistryClient(AddressPolicy(), lambda: 0.0)
    registry = Registry(server.url(), Asker(timeout_seconds=0.2))
    with pytest.raises(RepoTimeout):
        await client.ask(registry, Request("GET", server.url("/v2/"), "", 1000))
    done.set()
    await client.close()


async def test_codes_of_errors_are_shown_and_messages_are_not(client, server):
    body = {"errors": [{"code": "DENIED", "message": "<b>"}, {"code": "<script>"}]}
    server.answers["/v2/team/blog/tags/list"] = says(json.dumps(body), 403)
    with pytest.raises(RepoAuthFailed, match=r"403 Forbidden \(DENIED\)$"):
        await client.ask()
