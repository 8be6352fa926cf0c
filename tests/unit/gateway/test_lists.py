import asyncio
import base64
import json

import pytest

from tests.builders.little_api_server import LittleApiServer, a_gateway, a_release
from whipstaff.gateway import models

FAILED = [{"type": "Ready", "status": "False", "reason": "RenderFailed", "message": "no value"}]
WAITS = [
    {"type": "Ready", "status": "False", "reason": "ApprovalRequired", "message": "a plan waits"},
    {"type": "ApprovalRequired", "status": "True"},
]


def some_releases():
    return (
        a_release("blog", "web"),
        a_release("shop", "web", conditions=FAILED, revision=7),
        a_release("blog", "team", conditions=WAITS, revision=1),
        a_release("api", "team", conditions=[]),
    )


@pytest.fixture
async def ask():
    server = LittleApiServer(*some_releases())
    server.allow("alice", "list", "helmreleases")
    server.allow("bob", "list", "helmreleases", "web")
    async with a_gateway(server) as asking:
        yield asking


def names(answer):
    return [f"{one['namespace']}/{one['name']}" for one in answer.json["items"]]


async def test_each_caller_sees_what_they_may_list(ask):
    everything = await ask("/v1/releases")
    assert names(everything) == ["team/api", "team/blog", "web/blog", "web/shop"]
    some = await ask("/v1/releases", token="bob-token")
    assert (names(some), some.json["total"]) == (["web/blog", "web/shop"], 2)


async def test_who_may_see_nothing_gets_an_empty_list():
    async with a_gateway(LittleApiServer(*some_releases())) as ask:
        answer = await ask("/v1/releases")
    assert answer.status == 200
    facts = {"items": [], "total": 0, "continue": None, "unreachable": []}
    assert answer.json.items() >= facts.items()


async def test_a_right_is_asked_about_once_in_a_while(ask):
    for _ in range(3):
        await ask("/v1/releases", token="bob-token")
    assert len(ask.server.asked("selfsubjectaccessreviews")) == 3  # all, team, web


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("search=SHO", ["web/shop"]),
        ("search=no+value", ["web/shop"]),
        ("standing=failed", ["web/shop"]),
        ("standing=waiting-for-approval", ["team/blog"]),
        ("standing=progressing", ["team/api"]),
        ("namespace=team", ["team/api", "team/blog"]),
        ("chart=other", []),
        ("sort=name", ["team/api", "team/blog", "web/blog", "web/shop"]),
        ("sort=-name", ["web/shop", "team/blog", "web/blog", "team/api"]),
        ("sort=standing", ["web/shop", "team/blog", "team/api", "web/blog"]),
        ("sort=-revision&limit=1", ["web/shop"]),
        ("labelSelector=app%3Dx", []),
        ("labelSelector=!app&limit=1", ["team/api"]),
    ],
)
async def test_a_list_has_what_was_asked_for_in_its_order(ask, query, expected):
    assert names(await ask(f"/v1/releases?{query}")) == expected


@pytest.mark.parametrize("sort", ["name", "-name", "standing", "-revision", "changedAt", "chart"])
async def test_pages_have_each_release_once_in_every_order(ask, sort):
    found, token = [], ""
    while True:
        answer = await ask(f"/v1/releases?sort={sort}&limit=1&continue={token}")
        assert answer.json["total"] == 4
        found += names(answer)
        token = answer.json["continue"]
        if not token:
            break
    assert found == names(await ask(f"/v1/releases?sort={sort}"))
    assert len(found) == 4


async def test_a_page_goes_on_where_the_one_before_ended_though_that_release_is_gone(ask):
    first = await ask("/v1/releases?limit=2")
    ask.server.change(a_release("blog", "team"), "DELETED")
    ask.server.change(a_release("aaa", "team"))
    await until_listed(ask, {"team/aaa", "team/api", "web/blog", "web/shop"})
    second = await ask(f"/v1/releases?limit=2&continue={first.json['continue']}")
    assert (names(first), names(second)) == (["team/api", "team/blog"], ["web/blog", "web/shop"])


async def until_listed(ask, expected):
    async with asyncio.timeout(60):
        while set(names(await ask("/v1/releases"))) != expected:  # noqa: ASYNC110 - asked over HTTP
            await asyncio.sleep(0.02)


def a_token(*content):
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=0",
        "limit=1000000000",
        "limit=ten",
        "sort=uid",
        "sort=name;drop",
        "sort=name&sort=chart,__class__",
        "standing=fine",
        "continue=%00",
        "continue=x",
        f"continue={a_token('x')}",
        f"continue={a_token('0' * 16, 'web', 'web', 'blog')}",
        f"continue={a_token({}, [], 1, None)}",
        "continue=" + "A" * 5000,
        "labelSelector=%2Ca",
        "search=" + "a" * 300,
        "namespace=../kube-system",
        "unknown=1",
        "limit=5&_method=DELETE",
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(ask, query):
    answer = await ask(f"/v1/releases?{query}")
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert models.Problem.model_validate(answer.json).detail


async def test_a_token_of_another_list_is_refused(ask):
    token = (await ask("/v1/releases?limit=1")).json["continue"]
    answer = await ask(f"/v1/releases?limit=1&sort=name&continue={token}")
    assert (answer.status, "another order" in answer.json["detail"]) == (400, True)


async def test_a_namespace_of_others_is_refused_whether_it_is_there_or_not(ask):
    answers, questions = [], []
    for place in ("team", "none"):
        before = len(ask.server.requests)
        answers.append(await ask(f"/v1/namespaces/{place}/releases", token="bob-token"))
        paths = [one["path"] for one in ask.server.requests[before:] if one["user"] == "bob"]
        questions.append([path for path in paths if not path.endswith("selfsubjectreviews")])
    assert [answer.status for answer in answers] == [403, 403]
    assert answers[0].text.replace("team", "none") == answers[1].text
    assert questions[0] == questions[1]  # so that the time tells nothing, either


async def test_of_namespaces_that_a_gateway_is_not_to_look_at_it_lists_nothing():
    server = LittleApiServer(a_release(), a_release(namespace="team"))
    server.allow("alice", "list", "helmreleases")
    async with a_gateway(server, namespaces=("web",)) as ask:
        assert names(await ask("/v1/releases")) == ["web/blog"]
        assert names(await ask("/v1/namespaces/team/releases")) == []


async def test_changes_and_deletions_are_seen(ask):
    ask.server.change(a_release("blog", "web", version="8", conditions=FAILED))
    ask.server.change(a_release("shop", "web"), "DELETED")
    ask.server.change(a_release("new", "web"))

    await until_listed(ask, {"team/api", "team/blog", "web/blog", "web/new"})
    found = await ask("/v1/namespaces/web/releases?standing=failed")
    assert names(found) == ["web/blog"]


async def test_an_answer_is_what_openapi_says(ask):
    found = models.ReleaseList.model_validate((await ask("/v1/releases")).json)
    assert found.total == 4


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"spec": None, "status": None}, id="nothing"),
        pytest.param({"spec": [], "status": 7}, id="of other kinds"),
        pytest.param(
            {"status": {"conditions": [1, {}], "history": [None], "unready": 3}}, id="lists"
        ),
        pytest.param({"status": {"revision": True, "plan": [], "release": "x"}}, id="facts"),
        pytest.param({"spec": {"chart": "x", "revision": "1", "suspend": "yes"}}, id="spec"),
    ],
)
async def test_a_helmrelease_with_anything_in_it_is_listed(odd):
    server = LittleApiServer({**a_release(), **odd})
    server.allow("alice", "list", "helmreleases")
    async with a_gateway(server) as ask:
        answer = await ask("/v1/releases")
    assert names(answer) == ["web/blog"]
    models.ReleaseList.model_validate(answer.json)


async def test_an_api_server_that_is_away_is_told_of_and_no_list_is_made_up(ask):
    ask.server.away = True
    answer = await ask("/v1/releases", token="bob-token")
    assert answer.status == 502
    assert answer.headers["content-type"] == "application/problem+json"
