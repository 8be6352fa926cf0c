"""Who waits for something is looked at again when it changes, and only then."""

import asyncio

import pytest

from tests.builders.helmreleases import a_body
from tests.builders.stub_api_server import until
from whipstaff.controller import awaiting
from whipstaff.controller.awaiting import Awaiting
from whipstaff.controller.relations import Relations
from whipstaff.errors import ClusterRefused
from whipstaff.helmrelease.names import FINALIZER
from whipstaff.helmrelease.parsing import parse, parse_head
from whipstaff.reconcile.kinship import Kinship
from whipstaff.reconcile.ports import OPERATOR, Identity, ObjectReference

SHOP, STORE = ("web", "shop"), ("web", "store")
READY = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}
GATE = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gate"}


def a_store(status=None, **metadata):
    return a_body("store", status=status or {}, metadata=metadata)


def a_shop(*dependencies):
    return a_body("shop", dependsOn=list(dependencies or [{"name": "store"}]))


class Site:
    """Relations, whom they have looked at, and what is followed."""

    def __init__(self, follow=None):
        self.kinship = Kinship()
        self.looked_at = []
        self.relations = Relations(self.kinship, follow, self.looked_at.append)

    def note(self, *bodies):
        for body in bodies:
            self.relations.noted(parse_head(body), body)
        self.looked_at.clear()

    def end(self, body, *, held=True, refusals=0):
        self.relations.pass_ended(parse(body), held=held, refusals=refusals)

    def see(self, body):
        """Give who is looked at when this is seen."""
        self.looked_at.clear()
        self.relations.noted(parse_head(body), body)
        return self.looked_at


@pytest.fixture
def site():
    """Shop waits for store, which is not ready."""
    site = Site()
    site.note(a_shop(), a_store())
    site.end(a_shop())
    return site


def test_who_waits_is_looked_at_when_its_dependency_is_ready(site):
    assert site.see(a_store({"observedGeneration": 0})) == []
    assert site.see(a_store(READY)) == [SHOP]
    assert site.see(a_store(READY)) == []


def test_who_does_not_wait_is_let_alone(site):
    site.end(a_shop(), held=False)
    assert site.see(a_store(READY)) == []


def test_a_pass_that_may_have_read_the_old_state_is_made_again(site):
    site.end(a_shop(), held=False)
    site.relations.pass_begins(SHOP)
    assert site.see(a_store(READY)) == [SHOP]


def test_an_expression_is_asked_at_each_change():
    site, shop = Site(), a_shop({"name": "store", "readyExpr": "true"})
    site.note(shop, a_store())
    site.end(shop)
    assert site.see(a_store()) == [SHOP]


def test_who_waits_is_looked_at_when_someone_s_dependencies_change(site):
    """Else a cycle would stay named after it was broken elsewhere."""
    assert site.see(a_body("news", dependsOn=[{"name": "other"}])) == [SHOP]


def test_what_waits_for_the_deletion_of_a_dependent_goes_on_after_it(site):
    leaving = {"deletionTimestamp": "2026-01-03T00:00:00Z", "finalizers": [FINALIZER]}
    shop = a_shop() | {"metadata": a_shop()["metadata"] | leaving}
    site.note(shop, a_store(**leaving))
    site.end(a_store(**leaving))
    assert site.kinship.leaving_before(STORE) == (SHOP,)
    freed = shop | {"metadata": shop["metadata"] | {"finalizers": ["else/where"]}}
    assert STORE in site.see(freed)
    site.looked_at.clear()
    site.relations.gone(SHOP)
    assert site.looked_at == [STORE]


def test_what_is_gone_twice_is_no_fault(site):
    site.relations.gone(SHOP)
    site.relations.gone(SHOP)
    assert not site.kinship.knows(SHOP)


class Followed:
    """What was asked to be followed; `change` yields once more to all."""

    def __init__(self):
        self.asked = []
        self.changed = asyncio.Condition()
        self.refusal = None

    async def follow(self, references, identity):
        self.asked.append((identity, set(references)))
        if self.refusal is not None:
            raise self.refusal
        while True:
            yield {}
            async with self.changed:
                await self.changed.wait()

    async def change(self):
        async with self.changed:
            self.changed.notify_all()


async def test_other_objects_are_followed_while_someone_waits():
    followed = Followed()
    site = Site(followed.follow)
    elsewhere = {"name": "far", "namespace": "other"}
    shop = a_shop({"name": "store"}, GATE, elsewhere)
    site.note(shop, a_store())
    site.end(shop)
    await until(lambda: len(followed.asked) == 1)
    far = ObjectReference("whipstaff.dev/v1", "HelmRelease", "other", "far")
    gate = ObjectReference("v1", "ConfigMap", "web", "gate")
    assert followed.asked == [(OPERATOR, {far, gate})]
    await until(lambda: site.looked_at == [SHOP])  # it may have changed since it was read
    site.end(shop)
    await followed.change()
    await until(lambda: site.looked_at == [SHOP, SHOP])
    assert len(followed.asked) == 1
    site.end(shop, held=False)
    await asyncio.sleep(0)
    await followed.change()
    assert site.looked_at == [SHOP, SHOP]
    await site.relations.close()


async def test_who_may_not_follow_has_a_pass_made_from_time_to_time(monkeypatch):
    monkeypatch.setattr(awaiting, "FIRST_PAUSE_SECONDS", 0.01)
    followed = Followed()
    followed.refusal = ClusterRefused("you may not", 403, "Forbidden")
    looked_at = []
    waiting = Awaiting(followed.follow, looked_at.append)
    gate = ObjectReference("v1", "ConfigMap", "web", "gate")
    waiting.want(SHOP, {Identity("tenant", "web"): frozenset({gate})})
    await until(lambda: len(looked_at) >= 2)
    await waiting.close()
