"""Waits share watches, ask again where they may not watch, and outlive failures."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.builders.stub_api_server import NEVER, a_stub, event, refused, status, until
from whipstaff.errors import ClusterRefused
from whipstaff.kube import follow
from whipstaff.kube.cluster import ApiServerCluster
from whipstaff.reconcile.ports import OPERATOR, Identity, ObjectReference

HELMS = {"app.kubernetes.io/managed-by": "Helm"}
MAPS = "/api/v1/configmaps"
IN_WEB = "/api/v1/namespaces/web/configmaps"
TENANT = Identity("deployer", "web")
DISCOVERY = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {},
            "versions": [
                {
                    "version": "v1",
                    "resources": [
                        {
                            "resource": "configmaps",
                            "responseKind": {"kind": "ConfigMap"},
                            "scope": "Namespaced",
                            "verbs": ["get", "watch"],
                        },
                        {
                            "resource": "bindings",
                            "responseKind": {"kind": "Binding"},
                            "scope": "Namespaced",
                            "verbs": ["create"],
                        },
                    ],
                }
            ],
        }
    ],
}


def a_map(name="a", version="1", labels=HELMS, **data):
    metadata = {"name": name, "namespace": "web", "resourceVersion": version, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def reference(name="a", kind="ConfigMap"):
    return ObjectReference("v1", kind, "web", name)


@asynccontextmanager
async def a_cluster(**options):
    async with a_stub() as (stub, client):
        stub.on("GET", "/version", {"gitVersion": "v1.36.3"})
        stub.on("GET", "/api", DISCOVERY)
        stub.on("GET", "/apis", {"kind": "APIGroupDiscoveryList", "items": []})
        for path in (MAPS, IN_WEB):
            stub.on("GET", path, {"metadata": {"resourceVersion": "5"}, "items": []})
            stub.watches(path, [NEVER])
        cluster = ApiServerCluster(client, **options)
        yield stub, cluster
        await cluster.close()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(follow, "FIRST_POLL_SECONDS", 0.01)
    monkeypatch.setattr(follow, "LONGEST_POLL_SECONDS", 0.02)
    monkeypatch.setattr(follow, "LONGEST_PAUSE_SECONDS", 0.02)


async def soon(iterator):
    return await asyncio.wait_for(anext(iterator), 5)


async def test_a_wait_that_ends_at_once_opens_no_watch():
    async with a_cluster() as (stub, cluster):
        stub.on("GET", f"{IN_WEB}/a", a_map())
        following = cluster.follow([reference()], OPERATOR)
        assert (await soon(following))[reference()] == a_map()
        await following.aclose()
        assert stub.asked("WATCH") == []


async def test_many_waits_share_one_watch_of_all_that_helm_manages():
    async with a_cluster() as (stub, cluster):
        names = [f"m{i}" for i in range(20)]
        for name in names:
            stub.on("GET", f"{IN_WEB}/{name}", a_map(name))
        stub.watches(MAPS, [*(event("MODIFIED", a_map(n, "9", x=n)) for n in names), NEVER])
        waits = [cluster.follow([reference(name)], OPERATOR) for name in names]
        for following in waits:
            await soon(following)
        changes = await asyncio.gather(*(soon(following) for following in waits))
        shown = [change[reference(n)]["data"] for n, change in zip(names, changes, strict=True)]
        assert shown == [{"x": name} for name in names]
        (watch,) = stub.asked("WATCH")
        assert watch["query"]["labelSelector"] == "app.kubernetes.io/managed-by=Helm"


async def test_who_may_not_watch_everywhere_watches_in_the_namespace():
    async with a_cluster(everywhere=False) as (stub, cluster):
        stub.on("GET", f"{IN_WEB}/a", a_map())
        stub.watches(IN_WEB, [event("MODIFIED", a_map(version="6", x="y")), NEVER])
        following = cluster.follow([reference()], OPERATOR)
        await soon(following)
        assert (await soon(following))[reference()]["data"] == {"x": "y"}
        (watch,) = stub.asked("WATCH")
        assert (watch["path"], watch["query"]["labelSelector"]) == (
            IN_WEB,
            "app.kubernetes.io/managed-by=Helm",
        )


async def test_an_object_without_helms_label_is_watched_in_its_namespace():
    async with a_cluster() as (stub, cluster):
        stub.on("GET", f"{IN_WEB}/a", a_map(labels={}))
        stub.watches(IN_WEB, [event("MODIFIED", a_map(version="6", labels={}, x="y")), NEVER])
        following = cluster.follow([reference()], OPERATOR)
        await soon(following)
        assert (await soon(following))[reference()]["data"] == {"x": "y"}
        assert stub.asked("WATCH")[0]["query"].get("labelSelector") is None


async def test_a_tenant_watches_as_itself_in_its_namespace():
    async with a_cluster() as (stub, cluster):
        stub.on("GET", f"{IN_WEB}/a", a_map())
        stub.watches(IN_WEB, [event("MODIFIED", a_map(version="6", x="y")), NEVER])
        following = cluster.follow([reference()], TENANT)
        await soon(following)
        assert (await soon(following))[reference()]["data"] == {"x": "y"}
        (watch,) = stub.asked("WATCH")
        assert watch["headers"]["Impersonate-User"] == "system:serviceaccount:web:deployer"


async def test_who_may_not_watch_asks_again_and_again():
    async with a_cluster() as (stub, cluster):
        stub.on("GET", f"{IN_WEB}/a", *[a_map()] * 5, a_map(version="2", x="y"))
        stub.on("GET", IN_WEB, lambda: refused(403, "Forbidden"))
        following = cluster.follow([reference()], TENANT)
        await soon(following)
        assert (await soon(following))[reference()]["data"] == {"x": "y"}
        assert stub.asked("WATCH") == []


async def test_a_kind_that_cannot_be_watched_is_asked_for_again_and_again():
    async with a_cluster() as (stub, cluster):
        path = "/api/v1/namespaces/web/bindings/a"
        stub.on("GET", path, *[a_map()] * 3, lambda: refused(404, "NotFound"))
        following = cluster.follow([reference(kind="Binding")], OPERATOR)
        await soon(following)
        assert (await soon(following))[reference(kind="Binding")] is None


async def test_an_object_that_lost_its_label_is_not_taken_for_gone():
    async with a_cluster() as (stub, cluster):
        without = a_map(version="8", labels={}, x="y")
        stub.on("GET", f"{IN_WEB}/a", a_map(), a_map(), without)
        stub.watches(MAPS, [event("DELETED", a_map(version="8")), NEVER])
        following = cluster.follow([reference()], OPERATOR)
        await soon(following)
        assert (await soon(following))[reference()] == without


@pytest.mark.parametrize("labels", [HELMS, {}], ids=["with Helm's label", "without"])
async def test_the_last_state_of_an_object_is_seen_however_soon_it_is_gone(labels):
    async with a_cluster() as (stub, cluster):
        first, last = (a_map(version=version, labels=labels) for version in ("6", "8"))
        stub.on("GET", f"{IN_WEB}/a", first, first, lambda: refused(404, "NotFound"))
        at_once = event("MODIFIED", last) + event("DELETED", last)
        stub.watches(MAPS if labels else IN_WEB, [at_once, NEVER])
        following = cluster.follow([reference()], OPERATOR)
        assert (await soon(following))[reference()] == first
        assert (await soon(following))[reference()] == last
        assert (await soon(following))[reference()] is None


@pytest.mark.parametrize("line", [event("ERROR", status(410, "Expired")), "garbage\n"])
async def test_a_watch_that_fails_reads_again_what_it_may_have_missed(line):
    async with a_cluster() as (stub, cluster):
        stub.on("GET", f"{IN_WEB}/a", a_map(), a_map(), a_map(version="7", x="y"))
        stub.watches(MAPS, [line], [NEVER])
        following = cluster.follow([reference()], OPERATOR)
        await soon(following)
        assert (await soon(following))[reference()]["data"] == {"x": "y"}


async def test_an_older_state_never_replaces_a_newer_one():
    async with a_cluster() as (stub, cluster):
        stub.on("GET", f"{IN_WEB}/a", a_map(version="7"))
        late = event("MODIFIED", a_map(version="6", late="yes"))
        stub.watches(MAPS, [late, event("MODIFIED", a_map(version="8", x="y")), NEVER])
        following = cluster.follow([reference()], OPERATOR)
        await soon(following)
        assert (await soon(following))[reference()]["data"] == {"x": "y"}


async def test_an_api_server_that_is_away_is_waited_for():
    async with a_cluster() as (stub, cluster):
        stub.on("GET", f"{IN_WEB}/a", *[lambda: refused(503)] * 7, a_map())
        following = cluster.follow([reference()], OPERATOR)
        assert (await soon(following))[reference()] == a_map()


async def test_who_may_not_read_is_told():
    async with a_cluster() as (stub, cluster):
        stub.on("GET", f"{IN_WEB}/a", lambda: refused(403, "Forbidden"))
        with pytest.raises(ClusterRefused):
            await soon(cluster.follow([reference()], TENANT))


async def test_a_watch_ends_some_time_after_the_last_wait(monkeypatch):
    monkeypatch.setattr(follow, "LINGER_SECONDS", 0.05)
    async with a_cluster() as (stub, cluster):
        stub.on("GET", f"{IN_WEB}/a", a_map())
        following = cluster.follow([reference()], OPERATOR)
        await soon(following)
        waiting = asyncio.create_task(anext(following))
        await until(lambda: stub.asked("WATCH"))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await following.aclose()
        await until(lambda: not cluster._followers._feeds)


async def test_beyond_the_limit_of_watches_waits_ask_again_and_again(monkeypatch):
    monkeypatch.setattr(follow, "WATCH_LIMIT", 0)
    async with a_cluster() as (stub, cluster):
        stub.on("GET", f"{IN_WEB}/a", *[a_map()] * 3, a_map(version="2", x="y"))
        following = cluster.follow([reference()], OPERATOR)
        await soon(following)
        assert (await soon(following))[reference()]["data"] == {"x": "y"}
