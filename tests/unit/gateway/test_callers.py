import ssl

import pytest

from tests.builders.certificates import Authority
from tests.builders.little_api_server import EMPTY, LittleApiServer, a_gateway, a_release
from whipstaff.gateway import callers
from whipstaff.gateway.callers import OnlyAsCallers, named
from whipstaff.gateway.problems import Problem
from whipstaff.kube.client import Client, Request
from whipstaff.kube.connection import Given
from whipstaff.reconcile.ports import OPERATOR, Identity, Person
from whipstaff.serving.listener import TLS


@pytest.fixture
async def ask():
    server = LittleApiServer(a_release())
    server.allow("alice", "list", "helmreleases")
    async with a_gateway(server) as asking:
        yield asking


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="empty"),
        pytest.param("Bearer", id="no token"),
        pytest.param("Bearer a b", id="two words"),
        pytest.param("Bearer t\u00f6ken", id="not ASCII"),
        pytest.param("Basic YWxpY2U6cGFzcw==", id="a password"),
        pytest.param("Bearer wrong", id="nobody's"),
        pytest.param(f"Bearer {'x' * 20_000}", id="too long"),
    ],
)
async def test_who_cannot_be_believed_is_told_nothing(ask, header):
    answer = await ask("/v1/releases", token="", headers={"Authorization": header})
    assert answer.status == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_of_nobody_proves_nobody(ask):
    """The API server may know a token, and say no name, or that it is anonymous."""
    for name in ("", "system:anonymous"):
        ask.server.tokens["odd-token"] = name or EMPTY
        assert (await ask("/v1/releases", token="odd-token")).status == 401


async def test_two_tokens_are_none(ask):
    headers = [("Authorization", "Bearer alice-token"), ("Authorization", "Bearer bob-token")]
    async with ask._session.get(ask.url + "/v1/releases", headers=headers) as answer:
        assert answer.status == 401


async def test_behind_a_proxy_the_token_has_a_header_of_its_own_and_no_other(ask):
    told = {"X-Whipstaff-Authorization": "Bearer alice-token"}
    assert (await ask("/v1/releases", token="", headers=told)).status == 200
    assert (await ask("/v1/releases", token="bob-token", headers=told)).status == 401


async def test_a_token_goes_to_the_api_server_and_no_name_with_it(ask):
    ask.server.allow("alice", "*", "*")
    before = len(ask.server.requests)
    headers = {
        "Impersonate-User": "admin",
        "Impersonate-Group": "system:masters",
        "Impersonate-Uid": "0",
        "Impersonate-Extra-Scopes": "all",
        "X-Remote-User": "admin",
    }
    assert (await ask("/v1/releases", headers=headers)).status == 200
    release = "/v1/namespaces/web/releases/blog"
    assert (await ask(f"{release}/suspend", method="POST", headers=headers)).status == 200
    asked = ask.server.requests[before:]
    assert {(one["user"], *one["groups"], *one["told"]) for one in asked} == {("alice",)}


async def test_the_word_on_a_token_is_taken_for_some_seconds(ask):
    for _ in range(5):
        assert (await ask("/v1/releases")).status == 200
    assert len(ask.server.asked("selfsubjectreviews")) == 1


async def test_who_fails_again_and_again_has_to_wait():
    async with a_gateway(LittleApiServer(), failures_burst=3, failures_per_second=0.01) as ask:
        found = [(await ask("/v1/releases", token="wrong")).status for _ in range(5)]
    assert found == [401, 401, 401, 429, 429]


async def test_who_guesses_keeps_nobody_of_the_same_address_out_who_was_believed(monkeypatch):
    monkeypatch.setattr(callers, "KNOWN_SECONDS", 0.0)
    async with a_gateway(LittleApiServer(), failures_burst=3, failures_per_second=0.01) as ask:
        assert (await ask("/v1/releases")).status == 200
        guesses = [(await ask("/v1/releases", token=f"guess-{n}")).status for n in range(4)]
        assert (guesses[-1], (await ask("/v1/releases")).status) == (429, 200)
        assert (await ask("/v1/releases", token="bob-token")).status == 429
        ask.server.tokens.pop("alice-token")
        found = [(await ask("/v1/releases")).status for _ in range(2)]
    assert found == [401, 429]


async def test_who_asks_too_often_is_told_when_to_ask_again():
    server = LittleApiServer()
    async with a_gateway(server, burst=2, requests_per_second=0.01) as ask:
        found = [await ask("/v1/releases") for _ in range(3)]
        other = await ask("/v1/releases", token="bob-token")
    assert [answer.status for answer in found] == [200, 200, 429]
    assert int(found[-1].headers["retry-after"]) > 0
    assert other.status == 200


@pytest.mark.parametrize(
    "person",
    [
        pytest.param(Person(""), id="no name"),
        pytest.param(Person("  "), id="blanks"),
        pytest.param(Person("alice", ("",)), id="a group without a name"),
        pytest.param(Person("system:admin"), id="a user of Kubernetes"),
        pytest.param(Person("alice", ("dev", "system:masters")), id="a group of Kubernetes"),
        pytest.param(Person("alice", ("System:Masters",)), id="in capitals"),
        pytest.param(Person("alice\r\nImpersonate-Group: x"), id="two lines"),
        pytest.param(Person("alice", (" system:masters",)), id="behind a blank"),
        pytest.param(Person("alice", ("system:masters\t",)), id="before a tab"),
        pytest.param(Person("whipstaff:gateway-reader "), id="before a blank"),
        pytest.param(Person("alice", ("sys\ud800tem:masters",)), id="around half a character"),
        pytest.param(Person("a" * 2000), id="without an end"),
        pytest.param(Person("alice", tuple(map(str, range(300)))), id="too many groups"),
    ],
)
def test_a_name_that_nobody_may_have_is_refused(person):
    with pytest.raises(Problem) as refused:
        named(person)
    assert refused.value.status == 401


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param(OPERATOR, id="its own"),
        pytest.param(Identity(person=Person()), id="a person without a name"),
        pytest.param(Identity("whipstaff", "web"), id="a ServiceAccount"),
    ],
)
async def test_nothing_is_asked_in_the_gateway_s_own_name(identity):
    client = OnlyAsCallers(Client(Given("http://127.0.0.1:1", tls=True)))
    request = Request("GET", "/api", identity)
    for asking in (client.send, client.text, client.list_all):
        with pytest.raises(PermissionError):
            await asking(request)
    with pytest.raises(PermissionError):
        client.watch(request, "1")


async def test_a_certificate_says_who_asks(tmp_path):
    authority = Authority()
    server = LittleApiServer(a_release())
    server.allow("carol", "list", "helmreleases", "web")
    (tmp_path / "ca.crt").write_text(authority.pem)
    for name in ("127.0.0.1", "carol", "system:admin"):
        certificate, key = authority.issue(name)
        (tmp_path / f"{name}.crt").write_text(certificate)
        (tmp_path / f"{name}.key").write_text(key)
    files = (tmp_path / f"127.0.0.1.{end}" for end in ("crt", "key"))
    tls = TLS(*files, tmp_path / "ca.crt", client_optional=True)
    statuses = {}
    for name in ("carol", "system:admin", ""):
        context = ssl.create_default_context(cadata=authority.pem)
        if name:
            context.load_cert_chain(tmp_path / f"{name}.crt", tmp_path / f"{name}.key")
        async with a_gateway(server, ssl=context, tls=tls) as ask:
            statuses[name] = (await ask("/v1/namespaces/web/releases", token="")).status
    assert statuses == {"carol": 200, "system:admin": 401, "": 401}
    assert {"carol"} == {one["user"] for one in server.asked("selfsubjectaccessreviews")}
