"""Who may do what: on every path and with every verb."""

import json
import logging

import pytest

from tests.builders.chart_servers import a_chart, a_chart_server, a_credential, a_form, basic
from whipstaff.controller.logs import JsonLines
from whipstaff.errors import InvalidSpec
from whipstaff.server import access
from whipstaff.server.access import Access, Scope

READ, WRITE = Scope.READ, Scope.WRITE
ACCESS = Access(
    (
        a_credential("ci", "wr1te"),
        a_credential("viewer", "re4d", frozenset({READ})),
        a_credential("", "t0ken"),
        a_credential("team", "own", repositories=("team-a", "team-b-*")),
    )
)
READS = [
    *("/index.yaml", "/charts/index.yaml", "/charts/demo-1.0.0.tgz", "/charts/demo-1.0.0.tgz.prov"),
    *("/api/charts", "/api/charts/demo", "/api/charts/demo/1.0.0", "/api/charts/demo/1.0.0/values"),
    *("/api/charts/demo/1.0.0/templates", "/", "/charts/demo/1.0.0", "/info"),
]
WRITES = [
    ("POST", "/api/charts"),
    ("POST", "/api/charts?force"),
    ("POST", "/api/prov"),
    ("DELETE", "/api/charts/demo/1.0.0"),
]


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def ask(tmp_path):
    async with a_chart_server(tmp_path, access=ACCESS) as asking:
        form = a_form(chart=a_chart(values_yaml="a: 1\n"))
        assert (await asking.upload(form, headers=basic("ci", "wr1te"))).status == 201
        yield asking


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", READS)
async def test_nothing_is_read_without_a_login(ask, method, path):
    for headers in ({}, basic("ci", "wrong"), basic("other", "wr1te"), bearer("wr1te")):
        answer = await ask(method, path, headers=headers)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert (await ask(method, path, headers=basic("viewer", "re4d"))).status in {200, 404}


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_nothing_is_written_by_who_may_only_read(ask, method, path):
    data = a_chart(version="2.0.0")
    assert (await ask(method, path, data=data)).status == 401
    answer = await ask(method, path, data=data, headers=basic("viewer", "re4d"))
    assert (answer.status, answer.json) == (403, {"error": "forbidden"})
    assert len((await ask.get("/api/charts/demo", headers=bearer("t0ken"))).json) == 1


@pytest.mark.parametrize(
    "path", ["/%61pi/charts", "/api/%63harts", "//api/charts", "/api//charts", "/./api/charts"]
)
async def test_no_spelling_of_a_path_goes_round_the_login(ask, path):
    assert (await ask.get(path)).status in {401, 404}
    assert (await ask.upload(a_chart("other"), path)).status in {401, 404, 405}


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !!", "Basic Og==", "Bearer", "Bearer ", "Digest x", "Basic w7w="]
)
async def test_a_login_that_cannot_be_read_is_none(ask, header):
    assert (await ask.get("/index.yaml", headers={"Authorization": header})).status == 401


async def test_health_is_for_everyone(ask):
    assert (await ask.get("/health")).status == 200


async def test_readers_may_be_anyone_where_that_is_set(tmp_path):
    open_to_readers = Access(ACCESS.credentials, frozenset({READ}))
    async with a_chart_server(tmp_path, access=open_to_readers) as ask:
        assert (await ask.get("/index.yaml")).status == 200
        assert (await ask.get("/index.yaml", headers=basic("ci", "wrong"))).status == 401
        assert (await ask.upload(a_chart())).status == 401
        assert (await ask.upload(a_chart(), headers=bearer("t0ken"))).status == 201


async def test_a_credential_may_be_held_to_some_repositories(tmp_path):
    async with a_chart_server(tmp_path, access=ACCESS, depth=1) as ask:
        own = basic("team", "own")
        for team, status in {"team-a": 201, "team-b-1": 201, "team-c": 403}.items():
            answer = await ask.upload(a_chart(), f"/api/{team}/charts", headers=own)
            assert answer.status == status
        assert (await ask.get("/team-c/index.yaml", headers=own)).status == 403
        page = (await ask.get("/", headers=own)).text
        assert ">team-a<" in page
        await ask.upload(a_chart(), "/api/team-c/charts", headers=basic("ci", "wr1te"))
        assert ">team-c<" not in (await ask.get("/", headers=own)).text
        assert (await ask.get("/")).status == 401


async def test_no_secret_is_in_the_log(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    async with a_chart_server(tmp_path, access=ACCESS) as ask:
        await ask.get("/index.yaml?token=t0ken", headers=bearer("t0ken"))
        await ask.upload(a_chart(), headers=basic("ci", "wr1te"))
        await ask.get("/", headers=basic("ci", "wr1te-wrong"))
    written = "\n".join(JsonLines().format(record) for record in caplog.records)
    for secret in ("t0ken", "wr1te", "Authorization", basic("ci", "wr1te")["Authorization"][6:]):
        assert secret not in written
    lines = [json.loads(line) for line in written.splitlines()]
    seen = [(line["path"], line["status"], line["user"]) for line in lines if "path" in line]
    assert seen == [("/index.yaml", 200, "token"), ("/api/charts", 201, "ci"), ("/", 401, "")]


async def test_a_page_of_another_site_cannot_have_charts_sent(tmp_path):
    async with a_chart_server(tmp_path) as ask:
        for headers in ({"Origin": "https://evil.example.com"}, {"Sec-Fetch-Site": "cross-site"}):
            assert (await ask.upload(a_chart(), headers=headers)).status == 403
        own = {"Origin": ask.url, "Sec-Fetch-Site": "same-origin"}
        assert (await ask.upload(a_chart(), headers=own)).status == 201


async def test_an_open_server_of_this_machine_answers_to_no_other_name(tmp_path):
    async with a_chart_server(tmp_path, url="http://charts.test") as ask:
        for host, status in {
            "evil.example.com": 421,
            "127.0.0.1.evil.example.com": 421,
            "localhost:8879": 200,
            "[::1]:1": 200,
            "charts.test": 200,
        }.items():
            assert (await ask.get("/index.yaml", headers={"Host": host})).status == status


def test_credentials_come_from_the_environment():
    environment = {
        "WHIPSTAFF_SERVE_USERNAME": "ci",
        "WHIPSTAFF_SERVE_PASSWORD": "secret",
        "WHIPSTAFF_SERVE_TOKEN": "t",
        "WHIPSTAFF_SERVE_READ_TOKEN": "r",
    }
    found = access.from_environment(environment)
    assert [(one.user, one.scopes) for one in found] == [
        ("ci", {READ, WRITE}),
        ("", {READ, WRITE}),
        ("", {READ}),
    ]
    assert Access(tuple(found)).check("Bearer r", READ, "") == "token"
    assert not Access(tuple(found)).may("Bearer r", WRITE, "")


def test_half_a_login_in_the_environment_is_refused():
    with pytest.raises(InvalidSpec, match="set together"):
        access.from_environment({"WHIPSTAFF_SERVE_USERNAME": "ci"})


def test_credentials_come_from_a_file(tmp_path):
    (tmp_path / "token").write_text("from-a-file\n")
    file = tmp_path / "credentials.yaml"
    file.write_text(
        "- {user: ci, password: secret, scopes: [read, write], repositories: [team-*]}\n"
        "- {tokenFile: token, scopes: [read]}\n"
    )
    held = Access(tuple(access.from_file(file)))
    assert held.check(basic("ci", "secret")["Authorization"], WRITE, "team-a") == "ci"
    assert not held.may(basic("ci", "secret")["Authorization"], READ, "other")
    assert held.check("Bearer from-a-file", READ, "anything") == "token"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("user: ci", "has to be a list", id="no list"),
        pytest.param(
            "- {user: ci, pasword: hunter2}", "item 1: the fields are", id="unknown field"
        ),
        pytest.param("- {user: ci}", "needs user and password, or a token", id="no password"),
        pytest.param(
            "- {token: hunter2, scopes: [admin]}", "scopes are read and write", id="scope"
        ),
        pytest.param("- {token: 12345}", "put it into quotes", id="a number"),
        pytest.param("- {token: hunter2, scopes: read}", "scopes has to be a list", id="a text"),
        pytest.param("- {tokenFile: none}", "tokenFile none cannot be read", id="no file"),
        pytest.param("- {token: hunter2\n- x: [", "is no YAML in line", id="no YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_without_its_secrets(tmp_path, text, problem):
    file = tmp_path / "credentials.yaml"
    file.write_text(text)
    with pytest.raises(InvalidSpec) as caught:
        access.from_file(file)
    assert problem in caught.value.text
    assert str(file) in caught.value.text
    assert "hunter2" not in caught.value.text


def test_a_credential_does_not_show_its_secret():
    assert "digest" not in repr(a_credential("ci", "secret"))
