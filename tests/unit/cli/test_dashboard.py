"""`whipstaff dashboard`: whose requests go on, with what, and what comes back."""

import asyncio
import re
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner
from yarl import URL

from tests.builders.raw_http import TWO_LENGTHS, hiding
from whipstaff.cli.dashboard import Proof, dashboard
from whipstaff.cli.forwarding import Forwarder
from whipstaff.errors import ClusterRefused
from whipstaff.kube.access import Access

PREFIX = "/api/v1/namespaces/whipstaff-system/services/https:whipstaff-gateway:https/proxy"


class ApiServer:
    """Answers behind the proxy with what a test says; notes what came."""

    def __init__(self):
        self.requests = []
        self.answer = None
        self.tokens = {"mine"}

    async def handle(self, request):
        self.requests.append(
            (request.method, request.path, request.headers.copy(), await request.text())
        )
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return web.json_response({"kind": "Status"}, status=401)
        if not request.path.startswith(PREFIX):
            return web.json_response({"kind": "Status", "secret": "of the cluster"})
        if self.answer is not None:
            return await self.answer(request)
        return web.Response(text=request.path_qs.removeprefix(PREFIX))


class Browser:
    def __init__(self, forwarder, server, session):
        self.forwarder = forwarder
        self.server = server
        self.session = session
        self.root = forwarder.url.partition("/?")[0]

    async def __call__(self, path, method="GET", headers=None, **more):
        url = URL(self.root + path, encoded=True)
        async with self.session.request(
            method, url, headers=headers, allow_redirects=False, **more
        ) as answer:
            return answer.status, answer.headers, await answer.text()

    async def enter(self):
        status, headers, _ = await self(self.forwarder.url.removeprefix(self.root))
        return status, headers


@asynccontextmanager
async def forwarding(access=None, token="for-the-gateway"):
    server = ApiServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    api = TestServer(app)
    await api.start_server(shutdown_timeout=0.1)
    url = str(api.make_url("")).rstrip("/")
    access = access or Access(url, "default", True, headers={"Authorization": "Bearer mine"})
    access.server = url

    async def proof():
        return token

    forwarder = Forwarder(access, PREFIX, proof, "ui/")
    jar = aiohttp.CookieJar(unsafe=True)  # it holds cookies of addresses
    try:
        async with forwarder.listening(0), aiohttp.ClientSession(cookie_jar=jar) as session:
            yield Browser(forwarder, server, session)
    finally:
        await api.close()


@pytest.fixture
async def browser():
    async with forwarding() as found:
        await found.enter()
        yield found


@pytest.mark.parametrize("heads", TWO_LENGTHS.values(), ids=TWO_LENGTHS)
async def test_what_is_no_http_is_refused_and_told_to_nobody(caplog, heads):
    async with forwarding() as browser:
        assert await hiding(browser.root, "GET / HTTP/1.1", heads) == [400]
        assert browser.server.requests == []
    assert caplog.records == []


async def test_nobody_gets_through_without_the_key():
    async with forwarding() as browser:
        for path in ("/", "/v1/releases", "/?key=", "/?key=wrong", "/livez"):
            assert (await browser(path))[0] == 403
        assert browser.server.requests == []
        status, headers = await browser.enter()
        assert (status, headers["Location"]) == (303, "/ui/")
        assert "httponly" in headers["Set-Cookie"].lower()
        assert "samesite=strict" in headers["Set-Cookie"].lower()
        assert (await browser("/v1/releases?limit=1"))[::2] == (200, "/v1/releases?limit=1")


async def test_the_url_that_a_browser_is_started_with_opens_once():
    async with forwarding() as browser:
        path = browser.forwarder.single_url.removeprefix(browser.root)
        assert (await browser(path))[0] == 303
        browser.session.cookie_jar.clear()
        assert (await browser(path))[0] == 403
        assert (await browser.enter())[0] == 303
        assert (await browser.enter())[0] == 303


async def test_another_name_for_this_machine_does_not_get_through(browser):
    for host in ("evil.example", "localhost.evil.example:80", "127.0.0.1"):
        assert (await browser("/v1/releases", headers={"Host": host}))[0] == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_another_site_s_page_cannot_have_requests_sent(browser, headers):
    assert (await browser("/v1/x", "POST", headers=headers, data="{}"))[0] == 403
    assert browser.server.requests == []


async def test_what_goes_on_is_what_the_gateway_needs_and_our_own_credentials(browser):
    told = {
        "Authorization": "Bearer of-the-browser",
        "X-Whipstaff-Authorization": "Bearer of-the-browser",
        "Impersonate-User": "system:admin",
        "X-Remote-User": "system:admin",
        "X-Forwarded-For": "10.0.0.1",
        "Accept": "text/html",
        "Idempotency-Key": "1",
        "Cookie": "whipstaff-token=theirs",
    }
    await browser("/v1/x", "POST", headers=told, data="body")
    ((method, path, headers, body),) = browser.server.requests
    assert (method, path, body) == ("POST", f"{PREFIX}/v1/x", "body")
    assert headers.getall("Authorization") == ["Bearer mine"]
    assert headers.getall("X-Whipstaff-Authorization") == ["Bearer for-the-gateway"]
    assert (headers["Accept"], headers["Idempotency-Key"]) == ("text/html", "1")
    assert "whipstaff-dashboard" not in headers.get("Cookie", "")
    for name in ("Impersonate-User", "X-Remote-User", "X-Forwarded-For"):
        assert name not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../../../v1/secrets",
        "/%2e%2e/%2e%2e/secrets",
        "/v1/..%2f..%2fsecrets",
        "//evil.example/",
        f"{PREFIX}/../../../../secrets",
        "/v1/\\..\\secrets",
    ],
)
async def test_no_path_leads_out_of_the_gateway(browser, path):
    status, _, text = await browser(path)
    assert status == 400
    assert 'secret": ' not in text
    assert browser.server.requests == []


async def test_links_that_the_api_server_rewrote_lead_to_the_same_place(browser):
    assert (await browser(f"{PREFIX}/ui/x?a=b"))[2] == "/ui/x?a=b"


async def test_answers_come_back_as_they_are_but_for_what_is_the_connection_s(browser):
    async def answer(_request):
        headers = {
            "Set-Cookie": "whipstaff-token=x; HttpOnly; Path=/ui; SameSite=strict; Secure",
            "Content-Security-Policy": "default-src 'none'",
            "Location": "./sign-in",
            "Audit-Id": "1",
        }
        return web.Response(status=303, headers=headers, text="see there")

    browser.server.answer = answer
    status, headers, text = await browser("/ui/")
    assert (status, text, headers["Location"]) == (303, "see there", "./sign-in")
    assert headers["Set-Cookie"] == "whipstaff-token=x; HttpOnly; Path=/ui; SameSite=strict"
    assert headers["Content-Security-Policy"] == "default-src 'none'"
    assert "Audit-Id" not in headers


async def test_a_stream_comes_through_as_it_is_sent(browser):
    more = asyncio.Event()

    async def answer(request):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: one\n\n")
        await more.wait()
        await response.write(b"data: two\n\n")
        return response

    browser.server.answer = answer
    async with browser.session.get(browser.root + "/v1/changes") as stream:
        assert await stream.content.readuntil(b"\n\n") == b"data: one\n\n"
        more.set()
        assert await stream.content.read() == b"data: two\n\n"


class Expiring(Access):
    """Credentials that somebody is asked for anew."""

    def renew(self):
        self.headers["Authorization"] = "Bearer new"
        return True


async def test_credentials_that_expired_are_asked_for_anew():
    old = Expiring("", "default", True, headers={"Authorization": "Bearer old"})
    async with forwarding(old) as browser:
        browser.server.tokens = {"new"}
        await browser.enter()
        assert (await browser("/v1/x", "POST", data="body"))[0] == 200
        assert [one[3] for one in browser.server.requests] == ["body", "body"]


async def test_a_token_that_the_gateway_refuses_is_no_reason_to_ask_for_another(browser):
    async def answer(_request):
        return web.json_response({}, status=401, content_type="application/problem+json")

    browser.server.answer = answer
    assert (await browser("/v1/x"))[0] == 401
    assert len(browser.server.requests) == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(404, "gateway.enabled=true", id="no Service"),
        pytest.param(403, "services/proxy", id="no right"),
        pytest.param(503, "no pod", id="no pod"),
        pytest.param(500, "answers 500", id="anything else"),
    ],
)
async def test_why_the_gateway_cannot_be_reached_is_said_in_words(browser, status, said):
    async def answer(_request):
        return web.json_response({"kind": "Status"}, status=status)

    browser.server.answer = answer
    with pytest.raises(ClusterRefused, match=re.escape(said)):
        await browser.forwarder.check()


async def test_an_api_server_that_is_gone_is_told_of(browser):
    browser.forwarder._access.server = "http://127.0.0.1:1"
    assert (await browser("/v1/x"))[0] == 502
    with pytest.raises(ClusterRefused, match="does not answer"):
        await browser.forwarder.check()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"Authorization": "Bearer t"}, "t", id="a token"),
        pytest.param({"Authorization": "Basic eDp5"}, "", id="a password"),
        pytest.param({}, "", id="a certificate"),
    ],
)
async def test_the_kubeconfig_s_token_proves_who_asks(headers, expected):
    proof = Proof(Access("", "default", True, headers=headers), "default", "")
    assert await proof.token() == expected


def test_a_kubeconfig_that_leads_nowhere_ends_the_command(tmp_path):
    done = CliRunner().invoke(dashboard, ["--kubeconfig", str(tmp_path / "none")])
    assert done.exit_code == 1
    assert "the gateway whipstaff-system/whipstaff-gateway cannot be reached" in done.output
