"""Events of a namespace are listed once for all who ask at about the same time."""

import asyncio

import pytest

from tests.builders.virtual_time import skip_waits
from whipstaff.errors import ClusterRefused
from whipstaff.kube.namespace_events import KEPT_SECONDS_LIMIT, SHARE, NamespaceEvents
from whipstaff.reconcile.ports import OPERATOR, Identity

WARNINGS = "type=Warning"


@pytest.fixture(autouse=True)
async def _no_waits(monkeypatch):
    skip_waits(monkeypatch)


class Slow:
    """Takes its time to list, and counts how often."""

    def __init__(self, seconds=0.5, refusal=None):
        self.seconds = seconds
        self.refusal = refusal
        self.asked = []

    async def __call__(self, namespace, selector, identity):
        self.asked.append((namespace, selector, identity))
        await asyncio.sleep(self.seconds)
        if self.refusal:
            raise self.refusal
        return [
            {"involvedObject": {"uid": uid}, "message": f"{uid}-{len(self.asked)}"}
            for uid in ("a", "b", "a")
        ]


def messages(found):
    return [event["message"] for event in found]


async def test_all_who_ask_at_once_share_a_listing():
    slow = Slow()
    events = NamespaceEvents(slow)
    asked = [events.about(uid, "web", WARNINGS, OPERATOR) for uid in ("a", "b", "c")]
    of_a, of_b, of_c = await asyncio.gather(*asked)
    assert (messages(of_a), messages(of_b), messages(of_c)) == (["a-1", "a-1"], ["b-1"], [])
    assert len(slow.asked) == 1


async def test_a_listing_is_good_for_a_multiple_of_what_it_took():
    slow = Slow(seconds=0.5)
    events = NamespaceEvents(slow)
    for pause_seconds, number in ((0.5 * SHARE - 0.1, 1), (0.2, 1), (0.1, 2)):
        assert messages(await events.about("b", "web", WARNINGS, OPERATOR)) == [f"b-{number}"]
        await asyncio.sleep(pause_seconds)
    assert len(slow.asked) == 2


async def test_a_listing_is_old_after_ten_seconds():
    slow = Slow(seconds=100.0)
    events = NamespaceEvents(slow)
    await events.about("b", "web", WARNINGS, OPERATOR)
    await asyncio.sleep(KEPT_SECONDS_LIMIT + 0.1)
    await events.about("b", "web", WARNINGS, OPERATOR)
    assert len(slow.asked) == 2


async def test_nobody_is_told_what_another_may_see():
    slow = Slow()
    events = NamespaceEvents(slow)
    tenant = Identity("deployer", "web")
    await events.about("a", "web", WARNINGS, OPERATOR)
    await events.about("a", "web", WARNINGS, tenant)
    await events.about("a", "shop", WARNINGS, OPERATOR)
    assert slow.asked == [
        ("web", WARNINGS, OPERATOR),
        ("web", WARNINGS, tenant),
        ("shop", WARNINGS, OPERATOR),
    ]


async def test_a_refusal_is_not_asked_for_again_at_once():
    slow = Slow(refusal=ClusterRefused("too late", 504, "Timeout"))
    events = NamespaceEvents(slow)
    for _ in range(3):
        with pytest.raises(ClusterRefused):
            await events.about("a", "web", WARNINGS, OPERATOR)
    await asyncio.sleep(0.5 * SHARE + 0.1)
    with pytest.raises(ClusterRefused):
        await events.about("a", "web", WARNINGS, OPERATOR)
    assert len(slow.asked) == 2


async def test_who_gives_up_ends_no_listing_of_others():
    slow = Slow()
    events = NamespaceEvents(slow)
    hasty = asyncio.ensure_future(events.about("a", "web", WARNINGS, OPERATOR))
    await asyncio.sleep(0.1)
    patient = asyncio.ensure_future(events.about("b", "web", WARNINGS, OPERATOR))
    await asyncio.sleep(0.1)
    hasty.cancel()
    assert messages(await patient) == ["b-1"]
    assert len(slow.asked) == 1
