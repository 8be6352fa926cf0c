"""Who changes an object of a release wakes its HelmRelease; the release's own applies do not."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.builders.stub_api_server import NEVER, a_stub, event, refused, until
from whipstaff.kube import lookout, metadata_watch
from whipstaff.kube.client import WatchEvent
from whipstaff.kube.discovery import Discoveries
from whipstaff.kube.lookout import ApiServerLookout
from whipstaff.kube.scanner import Poison
from whipstaff.reconcile.ports import OPERATOR, Identity, ObjectReference, RemoteCluster

MAPS = "/api/v1/configmaps"
WEBS = "/apis/apps/v1/deployments"
PRESENT = {"metadata": {"resourceVersion": "5"}, "items": []}
SHOP, BLOG = ("web", "shop"), ("web", "blog")
MAP = ObjectReference("v1", "ConfigMap", "web", "settings")
OTHER = ObjectReference("v1", "ConfigMap", "web", "other")


def resource(kind, plural, *verbs):
    return {
        "resource": plural,
        "responseKind": {"kind": kind},
        "scope": "Namespaced",
        "verbs": ["get", "list", *verbs],
    }


def discovery(group, resources):
    versions = [{"version": "v1", "resources": resources}]
    item = {"metadata": {"name": group}, "versions": versions}
    return {"kind": "APIGroupDiscoveryList", "items": [item]}


def an_object(version, owned="text", uid="1", name="settings", operation="Apply"):
    fields = {"f:data": {f"f:{owned}": {}}} if owned else {}
    entry = {"manager": "helm", "operation": operation, "fieldsV1": fields}
    return {
        "metadata": {
            "name": name,
            "namespace": "web",
            "uid": uid,
            "resourceVersion": str(version),
            "managedFields": [entry],
        }
    }


def changed(version, kind="MODIFIED", **facts):
    return event(kind, an_object(version, **facts))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(metadata_watch, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(metadata_watch, "LONGEST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(lookout, "GATHER_SECONDS", 0.0)
    monkeypatch.setattr(lookout, "REST_SECONDS", 0.0)


@asynccontextmanager
async def a_lookout(*lines, everywhere=True, path=MAPS, verbs=("watch",)):
    """Yield the stub, the Lookout, and the list of whom it woke; the watch says these lines."""
    async with a_stub() as (stub, client):
        core = [resource("ConfigMap", "configmaps", *verbs), resource("Secret", "secrets", *verbs)]
        stub.on("GET", "/api", discovery("", core))
        apps = [resource("Deployment", "deployments", *verbs)]
        stub.on("GET", "/apis", discovery("apps", apps))
        stub.on("GET", "/version", {"gitVersion": "v1.36.3"})
        stub.on("GET", path, PRESENT)
        stub.watches(path, [*lines, NEVER])
        found = ApiServerLookout(client, Discoveries(client), everywhere=everywhere)
        woken = []
        found.tell(woken.append)
        yield stub, found, woken
        await found.close()


async def settle(found, user=SHOP, seen=None, token="1", drifted=()):
    """Make a pass as the loop does."""
    found.hold(user)
    seen = {MAP: an_object(6)} if seen is None else seen
    await found.heed(user, seen, OPERATOR, token)
    found.settle(user, token, seen, drifted)
    found.release(user)


def tell(found, version, kind="MODIFIED", **facts):
    """Have the only watch say this."""
    (watch,) = found._watches.values()
    watch.happened(WatchEvent(kind, an_object(version, **facts)))


def due(found):
    """Name who will be woken."""
    return [name for name, user in found._users.items() if user.timer is not None]


async def test_nobody_is_heeded_and_nothing_is_watched():
    async with a_lookout() as (stub, found, _):
        found.hold(SHOP)
        found.release(SHOP)
        found.forget(SHOP)
        assert stub.asked("WATCH") == []
        assert not found.unmoved(SHOP, "1")


async def test_who_takes_a_field_wakes_the_helmrelease():
    async with a_lookout(changed(7, owned="")) as (_, found, woken):
        await settle(found)
        await until(lambda: woken == [SHOP])
        assert not found.unmoved(SHOP, "1")


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        pytest.param(an_object(6), {"version": 7, "owned": ""}, id="a field was taken"),
        pytest.param(an_object(6), {"version": 7, "kind": "DELETED"}, id="it was deleted"),
        pytest.param(an_object(6), {"version": 7, "uid": "2"}, id="it is another one"),
        pytest.param(None, {"version": 7, "kind": "ADDED"}, id="it was made"),
    ],
)
async def test_what_touches_the_release_wakes_it(seen, line):
    async with a_lookout() as (_, found, _woken):
        await settle(found, seen={MAP: seen})
        tell(found, **line)
        assert due(found) == [SHOP]
        assert not found.unmoved(SHOP, "1")


@pytest.mark.parametrize(
    "line",
    [
        pytest.param({"version": 7}, id="what we do not own"),
        pytest.param({"version": 5, "owned": ""}, id="another's edit, before our correction"),
        pytest.param({"version": 6}, id="our correction"),
        pytest.param({"version": 7, "name": "other", "owned": ""}, id="another object"),
    ],
)
async def test_what_does_not_touch_the_release_wakes_nobody(line):
    async with a_lookout() as (_, found, _woken):
        await settle(found)
        tell(found, **line)
        assert due(found) == []
        assert found.unmoved(SHOP, "1")


async def test_any_change_of_what_drifted_wakes_it():
    async with a_lookout() as (_, found, _woken):
        await settle(found, drifted=[MAP])
        tell(found, 7)
        assert due(found) == [SHOP]


async def test_an_object_that_cannot_be_read_is_looked_at():
    async with a_lookout() as (_, found, _woken):
        await settle(found)
        (watch,) = found._watches.values()
        poison = Poison(namespace="web", name="settings", uid="1", resource_version="7", text="no")
        watch.happened(WatchEvent("MODIFIED", {}, poison))
        assert due(found) == [SHOP]


async def test_what_a_pass_changes_itself_wakes_nobody():
    async with a_lookout() as (_, found, _woken):
        found.hold(SHOP)
        await found.heed(SHOP, [MAP], OPERATOR, "1")
        tell(found, 7, owned="")
        assert due(found) == []
        found.settle(SHOP, "1", {MAP: an_object(7, owned="")})
        found.release(SHOP)
        assert due(found) == []
        assert found.unmoved(SHOP, "1")


async def test_what_changed_after_the_look_is_looked_at_after_the_pass():
    async with a_lookout() as (_, found, _woken):
        found.hold(SHOP)
        await found.heed(SHOP, [MAP], OPERATOR, "1")
        tell(found, 7, owned="")
        found.settle(SHOP, "1", {MAP: an_object(6)})
        assert due(found) == []
        found.release(SHOP)
        assert due(found) == [SHOP]


async def test_a_pass_that_does_not_come_to_look_is_told_after_it_once():
    async with a_lookout() as (_, found, woken):
        await settle(found)
        found.hold(SHOP)
        tell(found, 7, owned="")
        found.release(SHOP)
        await until(lambda: woken == [SHOP])
        found.hold(SHOP)
        found.release(SHOP)
        assert due(found) == []
        assert not found.unmoved(SHOP, "1")


async def test_another_token_was_not_settled():
    async with a_lookout() as (_, found, _woken):
        await settle(found)
        assert found.unmoved(SHOP, "1")
        assert not found.unmoved(SHOP, "2")


async def test_after_a_look_at_all_only_what_moved_has_to_be_looked_at():
    async with a_lookout() as (_, found, _woken):
        both = {MAP: an_object(6), OTHER: an_object(6, name="other")}
        await settle(found, seen=both)
        assert await found.heed(SHOP, both, OPERATOR, "1") == []
        tell(found, 7, owned="", name="other")
        tell(found, 8)  # what is not ours
        assert await found.heed(SHOP, both, OPERATOR, "1") == [OTHER]
        found.settle(SHOP, "1", {OTHER: an_object(9, name="other")})
        assert found.unmoved(SHOP, "1")
        tell(found, 10, owned="")
        assert await found.heed(SHOP, both, OPERATOR, "1") == [MAP]


@pytest.mark.parametrize(
    ("references", "token"),
    [
        pytest.param([MAP, OTHER], "1", id="another object"),
        pytest.param([MAP], "2", id="another token"),
    ],
)
async def test_what_was_not_settled_so_has_to_be_looked_at(references, token):
    async with a_lookout() as (_, found, _woken):
        await settle(found)
        assert await found.heed(SHOP, references, OPERATOR, token) is None
        assert not found.unmoved(SHOP, "1")  # until it was


async def test_a_gap_while_objects_are_looked_at_is_made_up_for_after_the_pass():
    async with a_lookout() as (_, found, _woken):
        found.hold(SHOP)
        await found.heed(SHOP, [MAP], OPERATOR, "1")
        (watch,) = found._watches.values()
        watch.missed()
        found.settle(SHOP, "1", {MAP: an_object(6)})
        found.release(SHOP)
        assert due(found) == [SHOP]
        assert not found.unmoved(SHOP, "1")


async def test_one_watch_serves_all_namespaces():
    async with a_lookout() as (stub, found, _):
        for number in range(100):
            reference = ObjectReference("v1", "ConfigMap", f"team-{number}", "settings")
            await settle(found, (f"team-{number}", "shop"), {reference: None})
        assert [request["path"] for request in stub.asked("WATCH")] == [MAPS]
        assert found.watch_count == 1


async def test_who_may_not_see_everything_watches_namespaces():
    path = "/api/v1/namespaces/web/configmaps"
    async with a_lookout(everywhere=False, path=path) as (stub, found, _):
        await settle(found)
        assert [request["path"] for request in stub.asked("WATCH")] == [path]


async def test_only_metadata_of_what_helm_manages_is_asked_for():
    async with a_lookout() as (stub, found, _):
        await settle(found)
        listing = next(each for each in stub.asked("GET") if each["path"] == MAPS)
        (watch,) = stub.asked("WATCH")
        assert listing["query"]["limit"] == "1"
        for request in (listing, watch):
            assert "as=PartialObjectMetadata" in request["headers"]["Accept"]
            assert request["query"]["labelSelector"] == "app.kubernetes.io/managed-by=Helm"


async def test_the_last_object_closes_the_watch():
    async with a_lookout() as (_, found, _woken):
        await settle(found)
        await settle(found, BLOG, {OTHER: None})
        found.forget(SHOP)
        assert found.watch_count == 1
        await settle(found, BLOG, {})
        assert found.watch_count == 0


async def test_where_watching_is_refused_everything_is_looked_at_each_time(monkeypatch):
    monkeypatch.setattr(metadata_watch, "REFUSED_SECONDS", 0.01)
    async with a_lookout() as (stub, found, woken):
        stub.on("GET", MAPS, lambda: refused(403, "Forbidden", "you may not"))
        await settle(found)
        assert not found.unmoved(SHOP, "1")
        asked = lambda: [each for each in stub.asked("GET") if each["path"] == MAPS]  # noqa: E731
        await until(lambda: len(asked()) > 2)
        assert due(found) == woken == []


async def test_kinds_that_cannot_be_watched_are_looked_at_each_time():
    async with a_lookout(verbs=()) as (stub, found, _):
        await settle(found)
        assert stub.asked("WATCH") == []
        assert not found.unmoved(SHOP, "1")


async def test_another_cluster_is_looked_at_each_time():
    async with a_lookout() as (stub, found, _):
        remote = Identity(remote=RemoteCluster("web", "there"))
        await found.heed(SHOP, [MAP], remote, "1")
        found.settle(SHOP, "1", {MAP: None})
        assert stub.requests == []
        assert not found.unmoved(SHOP, "1")


async def test_no_more_is_watched_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(lookout, "WATCH_LIMIT", 0)
    async with a_lookout() as (stub, found, _):
        await settle(found)
        assert stub.asked("WATCH") == []
        assert not found.unmoved(SHOP, "1")


async def test_after_a_gap_everyone_looks_again():
    async with a_lookout() as (stub, found, woken):
        stub.watches(MAPS, [], refused(410, "Expired", "too old"), [NEVER])
        await settle(found)
        await until(lambda: SHOP in woken)


async def test_a_slow_watch_holds_no_pass_up(monkeypatch):
    monkeypatch.setattr(lookout, "BEGIN_SECONDS", 0.01)
    async with a_lookout() as (stub, found, _):
        stub.on("GET", MAPS, NEVER)
        await settle(found)
        assert not found.unmoved(SHOP, "1")


async def test_many_changes_are_one_wake_and_the_next_one_comes_later(monkeypatch):
    monkeypatch.setattr(lookout, "GATHER_SECONDS", 0.05)
    monkeypatch.setattr(lookout, "REST_SECONDS", 1000.0)
    lines = changed(7, owned=""), changed(8, owned="a"), changed(9, owned="b")
    async with a_lookout(*lines) as (_, found, woken):
        await settle(found)
        await until(lambda: woken == [SHOP])
        one = found._users[SHOP]
        found._happened(SHOP, MAP, lookout._Seen(99, "another"))
        assert one.timer.when() > asyncio.get_running_loop().time() + 100
