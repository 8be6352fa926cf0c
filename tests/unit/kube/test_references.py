"""Who refers to an object is woken when it changes, with few watches and no list of Secrets."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.builders.stub_api_server import NEVER, a_stub, event, refused, until
from whipstaff.kube import metadata_watch
from whipstaff.kube.references import References
from whipstaff.reconcile.ports import ObjectReference

SECRETS = "/api/v1/secrets"
MAPS = "/api/v1/configmaps"
IN_WEB = "/api/v1/namespaces/web/secrets"
PRESENT = {"metadata": {"resourceVersion": "5"}, "items": []}
SHOP, BLOG = ("web", "shop"), ("web", "blog")


def secret(name="login", namespace="web"):
    return ObjectReference("v1", "Secret", namespace, name)


def config_map(name="settings", namespace="web"):
    return ObjectReference("v1", "ConfigMap", namespace, name)


def changed(reference, version="9"):
    metadata = {"name": reference.name, "namespace": reference.namespace}
    return event("MODIFIED", {"metadata": metadata | {"resourceVersion": version}})


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(metadata_watch, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(metadata_watch, "LONGEST_PAUSE_SECONDS", 0.02)


@asynccontextmanager
async def a_watcher(**options):
    """Yield the stub, References and the list of whom they woke: all, when the watch begins."""
    async with a_stub() as (stub, client):
        for path in (SECRETS, MAPS, IN_WEB):
            stub.on("GET", path, PRESENT)
            stub.watches(path, [NEVER])
        found = References(client, **options)
        woken = []
        found.tell(woken.append)
        yield stub, found, woken
        await found.close()


async def test_without_references_nothing_is_watched():
    async with a_watcher() as (stub, found, _):
        found.refer(SHOP, [])
        await found.settled()
        assert stub.requests == []


async def test_a_change_wakes_whoever_refers_to_the_object():
    async with a_watcher() as (stub, found, woken):
        stub.watches(SECRETS, [changed(secret()), changed(secret("other")), NEVER])
        found.refer(SHOP, [secret()])
        found.refer(BLOG, [secret()])
        await until(lambda: sorted(woken) == [BLOG, BLOG, SHOP, SHOP], 10)


async def test_what_changed_before_the_watch_began_counts_as_changed():
    async with a_watcher() as (_, found, woken):
        found.refer(SHOP, [secret()])
        await until(lambda: woken == [SHOP])


async def test_one_watch_serves_all_namespaces():
    async with a_watcher() as (stub, found, _):
        for number in range(1000):
            found.refer((f"team-{number}", "shop"), [secret(namespace=f"team-{number}")])
        await found.settled()
        assert [request["path"] for request in stub.asked("WATCH")] == [SECRETS]


async def test_who_may_not_see_everything_watches_namespaces():
    async with a_watcher(everywhere=False) as (stub, found, _):
        found.refer(SHOP, [secret()])
        await found.settled()
        assert [request["path"] for request in stub.requests] == [IN_WEB, IN_WEB]


async def test_no_secret_is_listed_and_no_content_is_asked_for():
    async with a_watcher() as (stub, found, _):
        found.refer(SHOP, [secret()])
        await found.settled()
        (listing,) = stub.asked("GET")
        (watch,) = stub.asked("WATCH")
        assert listing["query"]["limit"] == "1"
        assert watch["query"]["resourceVersion"] == "5"
        for request in (listing, watch):
            assert "as=PartialObjectMetadata" in request["headers"]["Accept"]
            assert request["query"]["fieldSelector"] == "type!=helm.sh/release.v1"


async def test_records_in_config_maps_are_left_out():
    async with a_watcher() as (stub, found, _):
        found.refer(SHOP, [config_map()])
        await found.settled()
        assert stub.asked("WATCH")[0]["query"]["labelSelector"] == "owner!=helm"


async def test_the_last_reference_closes_the_watch(monkeypatch):
    monkeypatch.setattr(metadata_watch, "FIRST_PAUSE_SECONDS", 60.0)
    async with a_watcher() as (stub, found, woken):
        found.refer(SHOP, [secret()])
        found.refer(BLOG, [secret()])
        await found.settled()
        found.refer(SHOP, [])
        assert len(found._watches) == 1
        found.refer(BLOG, [])
        assert not found._watches
        await asyncio.gather(*found._endings)
        found.refer(SHOP, [secret()])
        woken.clear()
        await until(lambda: woken == [SHOP])
        assert len(stub.asked("WATCH")) == 2


async def test_a_reference_that_was_taken_back_wakes_nobody():
    async with a_watcher() as (stub, found, woken):
        lines = [changed(secret()), changed(secret("other")), NEVER]
        stub.watches(SECRETS, lines)
        found.refer(SHOP, [secret()])
        found.refer(SHOP, [secret("other")])
        found.refer(BLOG, [secret("other")])
        await until(lambda: sorted(woken) == [BLOG, BLOG, SHOP, SHOP], 10)


async def test_a_watch_that_was_cut_goes_on_where_it_was():
    async with a_watcher() as (stub, found, woken):
        stub.watches(
            SECRETS,
            [changed(secret(), "7"), ConnectionResetError],
            [changed(secret(), "8"), NEVER],
        )
        found.refer(SHOP, [secret()])
        await until(lambda: len(woken) == 3)  # the beginning and two changes
        assert [watch["query"]["resourceVersion"] for watch in stub.asked("WATCH")] == ["5", "7"]
        assert len(stub.asked("GET")) == 1


async def test_after_a_gap_everyone_looks_again():
    async with a_watcher() as (stub, found, woken):
        stub.watches(SECRETS, refused(410, "Expired", "too old"), [NEVER])
        found.refer(SHOP, [secret()])
        await until(lambda: woken == [SHOP])
        assert len(stub.asked("GET")) == 2


async def test_who_may_not_watch_has_everyone_look_from_time_to_time(monkeypatch):
    monkeypatch.setattr(metadata_watch, "REFUSED_SECONDS", 0.01)
    async with a_watcher() as (stub, found, woken):
        stub.on("GET", SECRETS, lambda: refused(403, "Forbidden", "you may not"))
        found.refer(SHOP, [secret()])
        await found.settled()
        await until(lambda: len(woken) >= 3)
        assert stub.asked("WATCH") == []


async def test_sources_of_flux_are_watched_by_their_kind():
    path = "/apis/source.toolkit.fluxcd.io/v1/gitrepositories"
    source = ObjectReference("source.toolkit.fluxcd.io/v1", "GitRepository", "flux", "app")
    async with a_watcher() as (stub, found, woken):
        stub.on("GET", path, PRESENT)
        stub.watches(path, [changed(source), NEVER])
        found.refer(SHOP, [source])
        await until(lambda: woken == [SHOP, SHOP])
        assert {request["path"] for request in stub.asked("WATCH")} == {path}
