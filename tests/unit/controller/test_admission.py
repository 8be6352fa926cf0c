import asyncio
import gzip
import io
import json

import aiohttp
import pytest

from tests.builders.admission import review
from tests.builders.raw_http import TWO_LENGTHS, hiding
from tools.controlplane.cluster import free_ports
from whipstaff.controller.admission import (
    BODY_BYTES_LIMIT,
    LARGE_BYTES,
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
from whipstaff.helmrelease.parsing import ValuesTooDeep
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
        self.url = f"http://127.0.0.1:{port}/validate/"
        self._session = session

    async def post(self, body, path=PATH):
        """Give status and JSON of the answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.send(data, path)

    async def send(self, data, path=PATH, headers=None):
        asked = self._session.post(self.url + path, data=io.BytesIO(data), headers=headers)
        async with asked as answered:
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


async def test_large_ones_are_judged_one_after_the_other(ask):
    under_way = set()

    async def one_of(body, _before):
        under_way.add(body["metadata"]["name"])
        assert len(under_way) == 1
        await asyncio.sleep(0)
        under_way.clear()
        return ADMITTED

    asking = await ask(one_of, concurrency=4)
    bodies = [a_body(values={"x": "y" * LARGE_BYTES}) for _ in range(4)]
    for number, body in enumerate(bodies):
        body["metadata"]["name"] = f"r{number}"
    found = await asyncio.gather(*(asking.response(body) for body in bodies))
    assert [each["allowed"] for each in found] == [True] * 4
    assert not any("warnings" in each for each in found)


async def test_a_large_one_that_waits_too_long_is_admitted_unread(ask):
    asking = await ask(never, seconds=0.2, concurrency=2)
    body = a_body(values={"x": "y" * LARGE_BYTES})
    found = await asyncio.gather(*(asking.response(body, uid=f"u-{n}") for n in range(3)))
    assert [each["uid"] for each in found] == ["u-0", "u-1", "u-2"]
    assert {each["warnings"][0] for each in found} == {"not checked: it took more than 0.2 s"}


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
    for path in ("", "x", PATH + "0", PATH.upper(), "%ff", "%00", "é", PATH + "/"):
        status, body = await asking.post(review(a_body()), path)
        assert (status, body) == (404, None)


NO_REVIEW = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": [],
    "a text": "x",
    "no request": {},
    "an empty request": {"request": {}},
    "a number": {"request": 1},
    "null": {"request": None},
    "another version": review(a_body()) | {"apiVersion": "admission.k8s.io/v1beta1"},
    "no version": {"request": review(a_body())["request"]},
    "no number": review(a_body(), uid=None),
    "an empty number": review(a_body(), uid=""),
    "no UTF-8": b'{"request": {"uid": "\xff"',
    "brackets": b"[" * 100_000,
    "not gzip": b"\x1f\x8b",
}


@pytest.mark.parametrize("body", NO_REVIEW.values(), ids=NO_REVIEW)
async def test_what_is_no_review_is_refused(ask, body):
    status, _ = await (await ask(admits)).post(body)
    assert status == 400


PLACES = (
    ("apiVersion",),
    ("kind",),
    ("request",),
    ("request", "uid"),
    ("request", "operation"),
    ("request", "namespace"),
    ("request", "name"),
    ("request", "object"),
    ("request", "object", "metadata"),
    ("request", "object", "metadata", "name"),
    ("request", "object", "metadata", "namespace"),
    ("request", "object", "metadata", "uid"),
    ("request", "object", "metadata", "labels"),
    ("request", "object", "spec"),
    ("request", "oldObject"),
)


@pytest.mark.parametrize("place", PLACES, ids=".".join)
async def test_nothing_of_another_type_is_a_fault_of_ours(ask, place, caplog):
    async def reads(body, _before):
        reader(Settings())(body)
        return ADMITTED

    asking = await ask(reads, Scope((), parse_selector("team=a", "x")))
    for wrong in (None, 1, True, "x", [], ["x"], {}, {"x": []}, -1.5):
        asked = review(a_body() | {"metadata": {**a_body()["metadata"], "labels": {"team": "a"}}})
        at = asked
        for name in place[:-1]:
            at = at[name]
        at[place[-1]] = wrong
        status, answered = await asking.post(asked)
        assert status in (200, 400), wrong
        if status == 200:
            assert answered["response"]["uid"] == asked["request"]["uid"]
    assert "Unhandled" not in caplog.text


@pytest.mark.parametrize(
    ("headers", "data"),
    [
        pytest.param({}, b"x" * (BODY_BYTES_LIMIT + 1), id="plain"),
        pytest.param({"Content-Encoding": "gzip"}, gzip.compress(b"x" * (64 << 20)), id="unpacked"),
    ],
)
async def test_more_than_two_helmreleases_can_hold_is_not_read(ask, headers, data):
    status, _ = await (await ask(admits)).send(data, headers=headers)
    assert status == 413


async def test_values_too_deep_to_be_read_are_refused_as_such(ask):
    async def reads(body, _before):
        try:
            reader(Settings())(body)
        except ValuesTooDeep as wrong:
            return Verdict(wrong)
        return ADMITTED

    chart = {"name": "blog", "repository": "https://charts.example.dev"}
    asked = json.dumps(review(a_body(chart=chart, values={"deep": "HERE"})))
    deep = asked.replace('"HERE"', '{"a":' * 9_000 + "1" + "}" * 9_000)
    status, body = await (await ask(reads)).send(deep.encode())
    assert status == 200
    assert not body["response"]["allowed"]
    assert body["response"]["status"]["message"].startswith("ValuesTooDeep: spec.values")


async def test_of_two_hundred_at_once_a_slow_one_holds_up_nobody(ask):
    enough = asyncio.Event()

    async def slow(body, _before):
        if body["metadata"]["name"] == "slow":
            await enough.wait()
        return ADMITTED

    asking = await ask(slow, concurrency=2)
    waiting = asyncio.ensure_future(
        asking.response({"metadata": {"name": "slow", "namespace": "shop"}}, uid="slow")
    )
    many = [str(number) for number in range(200)]
    found = await asyncio.gather(*(asking.response(a_body(), uid=uid) for uid in many))
    assert found == [{"uid": uid, "allowed": True} for uid in many]
    assert not waiting.done()
    enough.set()
    assert await waiting == {"uid": "slow", "allowed": True}


async def test_a_body_of_eight_mebibytes_is_read(ask):
    asking = await ask(admits)
    large = a_body(values={"x": "y" * (4 << 20)})
    assert (await asking.response(large, large))["allowed"]


async def test_what_is_no_http_is_refused_and_not_logged(ask, caplog):
    url = (await ask(admits)).url
    for heads in TWO_LENGTHS.values():
        assert await hiding(url, f"POST /validate/{PATH} HTTP/1.1", heads) == [400]
    assert caplog.records == []


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
