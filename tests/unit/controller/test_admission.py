import asyncio
import io
import json

import aiohttp
import pytest

from tests.builders.admission import review
from tools.controlplane.cluster import free_ports
from whipstaff.controller.admission import (
    MESSAGE_CHARACTERS,
    WARNING_CHARACTERS,
    WARNINGS_LIMIT,
    Scope,
    Webhook,
    answer,
    as_stored,
    reader,
)
from whipstaff.errors import CrossNamespaceForbidden, RenderFailed, WorkerLost
from whipstaff.helmrelease.selectors import EVERYTHING, parse_selector
from whipstaff.reconcile.judging import ADMITTED, Verdict
from whipstaff.settings import Settings

PATH = "0123456789abcdef"
ALL = Scope((), EVERYTHING)
REFUSED = Verdict(RenderFailed("templates/app.yaml:3: no text", "blog", "templates/app.yaml", 3))


def a_body(**spec):
    return {"metadata": {"name": "blog", "namespace": "shop", "uid": "u"}, "spec": spec}


class Asking:
    """A webhook that listens, and how the API server would ask it."""

    def __init__(self, port, session):
        self._url = f"http://127.0.0.1:{port}/validate/"
        self._session = session

    async def post(self, body, path=PATH):
        """Give status and JSON of the answer."""
        data = io.BytesIO(json.dumps(body).encode())
        async with self._session.post(self._url + path, data=data) as answered:
            known = answered.content_type == "application/json"
            return answered.status, await answered.json() if known else None

    async def response(self, *asked, **facts):
        status, body = await self.post(review(*asked, **facts))
        assert status == 200
        return body["response"]


@pytest.fixture
async def ask():
    """Start a webhook around a judge."""
    webhooks = []
    async with aiohttp.ClientSession() as session:

        async def start(judge, scope=ALL, *, seconds=30.0, concurrency=2):
            (port,) = free_ports(1)
            webhook = Webhook(judge, scope, seconds=seconds, concurrency=concurrency)
            await webhook.start("127.0.0.1", port, None, lambda: PATH)
            webhooks.append(webhook)
            return Asking(port, session)

        yield start
        for webhook in webhooks:
            await webhook.stop()


async def admits(_body, _before):
    return ADMITTED


async def refuses(_body, _before):
    return REFUSED


async def never(_body, _before):
    await asyncio.Event().wait()


async def test_what_is_admitted_is_allowed_by_the_number_of_the_request(ask):
    asking = await ask(admits)
    assert await asking.response(a_body(), uid="17") == {"uid": "17", "allowed": True}


async def test_a_refusal_says_why_and_where(ask):
    response = await (await ask(refuses)).response(a_body())
    assert not response["allowed"]
    assert response["status"]["code"] == 400
    assert response["status"]["message"] == "RenderFailed: templates/app.yaml:3: no text"


async def test_what_is_late_is_admitted_with_a_warning(ask):
    asking = await ask(never, seconds=0.05)
    response = await asking.response(a_body())
    assert response["allowed"]
    assert response["warnings"] == ["not checked: it took more than 0.05 s"]


async def test_who_waits_for_others_is_late_in_time(ask):
    asking = await ask(never, seconds=0.2, concurrency=1)
    found = await asyncio.gather(*(asking.response(a_body(), uid=str(n)) for n in range(3)))
    assert [each["allowed"] for each in found] == [True] * 3


async def test_too_many_at_once_are_not_even_read(ask):
    asking = await ask(never, seconds=0.2, concurrency=1)
    answers = await asyncio.gather(*(asking.post(review(a_body())) for _ in range(9)))
    assert {status for status, _ in answers} <= {200, 503}
    assert [status for status, _ in answers].count(200) >= 4


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(WorkerLost("the worker died"), "the worker died", id="ours"),
        pytest.param(ZeroDivisionError("secret"), "a fault (ZeroDivisionError)", id="unforeseen"),
    ],
)
async def test_a_fault_of_ours_holds_up_nobody(ask, error, told):
    async def fails(_body, _before):
        raise error

    response = await (await ask(fails)).response(a_body())
    assert response == {"uid": "u-1", "allowed": True, "warnings": [f"not checked: {told}"]}


async def test_nobody_without_the_secret_path_gets_a_word(ask):
    asking = await ask(refuses)
    for path in ("", "x", PATH + "0"):
        status, body = await asking.post(review(a_body()), path)
        assert (status, body) == (404, None)


@pytest.mark.parametrize("body", [[], {}, {"request": {}}, {"request": 1}, "x"], ids=str)
async def test_what_is_no_review_is_refused(ask, body):
    status, _ = await (await ask(admits)).post(body)
    assert status == 400


async def test_a_body_of_eight_mebibytes_is_read(ask):
    asking = await ask(admits)
    large = a_body(values={"x": "y" * (4 << 20)})
    assert (await asking.response(large, large))["allowed"]


async def test_a_deletion_is_admitted_unseen(ask):
    asked = review(a_body(), operation="DELETE")
    asked["request"]["object"] = None
    status, body = await (await ask(refuses)).post(asked)
    assert status == 200
    assert body["response"]["allowed"]


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param(Scope(("blog",), EVERYTHING), id="another namespace"),
        pytest.param(Scope((), parse_selector("team=a", "x")), id="another operator's"),
    ],
)
async def test_what_is_not_looked_after_here_is_not_judged(ask, scope):
    assert (await (await ask(refuses, scope)).response(a_body()))["allowed"]


def test_warnings_are_few_short_and_on_one_line():
    told = answer("1", Verdict(warnings=(*map(str, range(20)), "0", "x" * 999)))
    warnings = told["response"]["warnings"]
    assert len(warnings) == WARNINGS_LIMIT
    assert warnings[-1] == "and 6 more warnings"
    (long,) = answer("1", Verdict(warnings=("a\n" * 999,)))["response"]["warnings"]
    assert len(long) == WARNING_CHARACTERS
    assert "\n" not in long


def test_a_message_has_an_end():
    told = answer("1", Verdict(RenderFailed("x" * 99999)))
    assert len(told["response"]["status"]["message"]) == MESSAGE_CHARACTERS


def test_what_has_no_name_yet_is_read_under_the_one_that_it_will_have():
    body = as_stored({"metadata": {"generateName": "blog-"}}, {"namespace": "shop", "name": ""})
    assert body["metadata"]["name"] == "blog-"
    assert body["metadata"]["namespace"] == "shop"


def test_settings_count_as_in_the_loop():
    body = a_body(chart={"name": "blog", "repositoryRef": {"name": "charts", "namespace": "other"}})
    assert reader(Settings(default_service_account="jo"))(body).spec.service_account_name == "jo"
    with pytest.raises(CrossNamespaceForbidden):
        reader(Settings(no_cross_namespace_refs=True))(body)
