"""One gateway for several clusters: who is asked, as whom, and what becomes of those that fail."""

import asyncio
import json

import pytest

from tests.builders.little_api_server import OWN_TOKEN, a_release
from tests.builders.remote_clusters import a_kubeconfig
from tests.builders.several_clusters import Hub, Spoke, reachable, several, spokes, until
from tests.builders.web_pages import Page
from whipstaff.gateway import clusters, running
from whipstaff.gateway.callers import Caller, elsewhere
from whipstaff.gateway.options import READER
from whipstaff.gateway.problems import Problem
from whipstaff.reconcile.ports import Identity, Person, RemoteCluster

THERE = RemoteCluster("whipstaff-system", "east")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(clusters, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(running, "LONGEST_PAUSE_SECONDS", 0.1)


@pytest.fixture
def hub():
    found = Hub(a_release("blog", "web"), a_release("shop", "web"))
    found.allow("alice", "*", "*")
    return found


@pytest.fixture
async def east():
    found = Spoke(a_release("blog", "web"), a_release("crm", "sales"))
    found.allow("alice", "list", "helmreleases", "web")
    found.allow("alice", "get", "helmreleases", "web")
    async with spokes(found):
        yield found


def names(found):
    return [f"{one['cluster']}/{one['namespace']}/{one['name']}" for one in found["items"]]


HOME = ["local/web/blog", "local/web/shop"]


async def test_a_list_has_the_releases_of_all_clusters_that_the_caller_may_list(hub, east):
    hub.lead("east", east.kubeconfig)
    async with several(hub) as ask:
        await until(ask, "/v1/clusters", reachable("local", "east"))
        found = await until(ask, "/v1/releases", lambda found: found["total"] == 3)
        assert names(found) == ["east/web/blog", *HOME]
        assert found["unreachable"] == []
        other = (await ask("/v1/releases?sort=-cluster&limit=2")).json
        assert names(other) == HOME
        rest = (await ask(f"/v1/releases?sort=-cluster&limit=2&continue={other['continue']}")).json
        assert (names(rest), rest["continue"]) == (["east/web/blog"], None)


async def test_a_request_may_name_a_cluster(hub, east):
    hub.lead("a-secret", east.kubeconfig, cluster="East_1")
    async with several(hub, cluster_name="hub") as ask:
        await until(ask, "/v1/clusters", reachable("hub", "East_1"))
        found = await until(ask, "/v1/releases?cluster=East_1", lambda found: found["total"])
        assert names(found) == ["East_1/web/blog"]
        assert names((await ask("/v1/releases?cluster=hub")).json)[0] == "hub/web/blog"
        one = "/v1/namespaces/web/releases"
        assert names((await ask(f"{one}?cluster=East_1")).json) == ["East_1/web/blog"]
        assert (await ask(f"{one}/shop")).status == 200
        assert (await ask(f"{one}/shop?cluster=East_1")).status == 404
        assert (await ask(f"{one}/blog?cluster=East_1")).json["name"] == "blog"
        assert (await ask("/v1/namespaces/sales/releases/crm?cluster=East_1")).status == 403
        assert (await ask("/v1/releases?cluster=west")).status == 404
        assert (await ask("/v1/releases?cluster=../x")).status == 400
        assert (await ask("/v1/clusters", token="")).status == 401


async def test_a_caller_s_token_goes_to_no_other_cluster(hub, east):
    hub.lead("east", east.kubeconfig)
    async with several(hub) as ask:
        await until(ask, "/v1/releases", lambda found: found["total"] == 3)
        await ask("/v1/namespaces/web/releases/blog?cluster=east")
        await ask("/v1/namespaces/web/releases/blog/history?cluster=east")
    assert east.proofs == {f"Bearer {OWN_TOKEN}"}
    asked = {(one["user"], one["path"].rpartition("/")[2]) for one in east.requests}
    assert {what for user, what in asked if user == "the gateway"} == {"version"}
    assert {user for user, _ in asked} == {"the gateway", READER, "alice"}
    assert ("alice", "blog") in asked


def a_caller(name, *groups):
    person = Person(name, groups)
    return Caller(name, "key", Identity(person=Person(token="t")), person)


def test_what_kubernetes_calls_people_is_true_in_one_cluster_alone():
    groups = (
        "dev",
        "",
        "a\nb",
        "system:authenticated",
        "system:masters",
        " system:masters",
        "sys\ud800tem:masters",
        "SYSTEM:x",
        "whipstaff:y",
    )
    there = elsewhere(a_caller("alice", *groups), THERE, "1").identity
    assert there == Identity(remote=THERE, person=Person("alice", ("dev",)))
    account = elsewhere(a_caller("system:serviceaccount:web:ci"), THERE, "1")
    assert account.identity.person == Person("whipstaff:serviceaccount:web:ci")


@pytest.mark.parametrize(
    "name",
    [
        *("system:admin", "system:node:n1", "System:admin", READER),
        *("whipstaff:serviceaccount:web:ci", " system:admin", f"{READER} "),
    ],
)
def test_nobody_of_kubernetes_own_is_taken_for_somebody_of_another_cluster(name):
    with pytest.raises(Problem) as refused:
        elsewhere(a_caller(name), THERE, "1")
    assert refused.value.status == 403


def test_what_is_known_of_a_caller_ends_with_the_content_of_the_secret():
    keys = {
        elsewhere(a_caller("alice", *groups), THERE, version).key
        for groups in ((), ("dev",))
        for version in ("1", "2")
    }
    assert len(keys) == 4


async def test_the_groups_of_a_caller_are_told_to_other_clusters(hub, east):
    hub.groups["alice"] = ["dev", "system:masters"]
    hub.lead("east", east.kubeconfig)
    async with several(hub) as ask:
        await until(ask, "/v1/releases", lambda found: found["total"] == 3)
    groups = {tuple(one["groups"]) for one in east.requests if one["user"] == "alice"}
    assert groups == {("dev",)}


async def test_a_cluster_that_is_away_is_named_and_the_others_answer(hub, east, caplog):
    caplog.set_level("DEBUG")
    hub.lead("east", east.kubeconfig)
    nowhere = a_kubeconfig("http://127.0.0.1:1", user={"token": "canary-of-a-kubeconfig"})
    hub.lead("west", nowhere)
    async with several(hub) as ask:
        found = await until(ask, "/v1/releases", lambda found: found["total"] == 3)
        assert found["unreachable"] == [{"cluster": "west", "reason": "it does not answer"}]
        one = await ask("/v1/namespaces/web/releases/blog?cluster=west")
        assert (one.status, one.json["reason"]) == (502, "RemoteClusterUnreachable")
        assert b"127.0.0.1" not in one.body
        east.away = True
        found = await until(ask, "/v1/releases", lambda found: len(found["unreachable"]) == 2)
        assert names(found) == HOME
        east.away = False
        await until(ask, "/v1/releases", lambda found: found["total"] == 3)
    assert not [one for one in caplog.records if "canary-of-a" in str(vars(one))]


async def test_a_cluster_that_is_slow_is_named_and_the_others_answer(hub, east, monkeypatch):
    monkeypatch.setattr(clusters, "ACROSS_SECONDS", 0.5)
    hub.lead("east", east.kubeconfig)
    async with several(hub) as ask:
        await until(ask, "/v1/clusters", reachable("local", "east"))
        east.reviews = False
        found = (await ask("/v1/releases")).json
        assert names(found) == HOME
        assert [one["cluster"] for one in found["unreachable"]] == ["east"]
        east.speechless = True
        await until(
            ask,
            "/v1/clusters",
            lambda found: [one["reachable"] for one in found["items"]] == [True, False],
        )
        assert names((await ask("/v1/releases")).json) == HOME


async def test_the_own_cluster_is_named_too_when_it_is_away(hub, east):
    hub.lead("east", east.kubeconfig)
    async with several(hub) as ask:
        await until(ask, "/v1/releases", lambda found: found["total"] == 3)
        hub.away = True
        found = await until(ask, "/v1/releases", lambda found: found["unreachable"])
        assert (names(found), found["unreachable"][0]["cluster"]) == (["east/web/blog"], "local")


async def events(stream, kind):
    """Give the data of the next event of a kind."""
    async for line in stream.content:
        if line.strip() == b"event: " + kind.encode():
            return json.loads((await stream.content.readline()).removeprefix(b"data: "))
    raise AssertionError(f"the stream ended before {kind}")


async def test_one_stream_tells_of_all_clusters_and_of_those_that_come_and_go(hub, east):
    west = Spoke(a_release("mail", "web"))
    west.allow("alice", "list", "helmreleases")
    hub.lead("east", east.kubeconfig)
    async with spokes(west), several(hub) as ask:
        position = (await until(ask, "/v1/releases", lambda found: found["total"] == 3))["position"]
        token = {"Authorization": "Bearer alice-token"}
        path = f"{ask.url}/v1/changes?after={position}"
        async with asyncio.timeout(60), ask._session.get(path, headers=token) as stream:
            await stream.content.readline()  # it has begun
            east.change(a_release("crm", "sales", version="8"))  # which alice may not see
            east.change(a_release("blog", "web", version="8", revision=9))
            told = await events(stream, "changed")
            assert (told["cluster"], told["name"], told["revision"]) == ("east", "blog", 9)
            hub.change(a_release("shop", "web", version="8"))
            assert (await events(stream, "changed"))["cluster"] == "local"
            hub.lead("west", west.kubeconfig)
            assert await events(stream, "reset") == {}
            await until(ask, "/v1/releases", lambda found: "west/web/mail" in names(found))
            hub.mislead("east")
            assert await events(stream, "reset") == {}


async def test_a_stream_of_one_cluster_tells_of_no_other(hub, east):
    hub.lead("east", east.kubeconfig)
    async with several(hub) as ask:
        position = (await until(ask, "/v1/releases", lambda found: found["total"] == 3))["position"]
        token = {"Authorization": "Bearer alice-token"}
        path = f"{ask.url}/v1/namespaces/web/changes?cluster=east&after={position}"
        async with asyncio.timeout(60), ask._session.get(path, headers=token) as stream:
            await stream.content.readline()  # it has begun
            hub.change(a_release("shop", "web", version="8"))
            east.change(a_release("blog", "web", version="8"), "DELETED")
            assert (await events(stream, "gone"))["cluster"] == "east"
    assert east.proofs == {f"Bearer {OWN_TOKEN}"}


async def test_a_namespace_s_changes_in_another_cluster_are_for_who_may_list_it_there(hub, east):
    hub.lead("east", east.kubeconfig)
    async with several(hub) as ask:
        position = (await until(ask, "/v1/releases", lambda found: found["total"] == 3))["position"]
        token = {"Authorization": "Bearer alice-token"}
        path = f"{ask.url}/ui/changes?namespace=sales&after={position}"
        async with asyncio.timeout(60), ask._session.get(path, headers=token) as stream:
            await stream.content.readline()  # it has begun
            before = ask.cache.changes.newest
            east.change(a_release("crm", "sales", version="8"))  # alice may see all at home alone
            while ask.cache.changes.newest == before:  # noqa: ASYNC110 - it is told in a moment
                await asyncio.sleep(0.01)
            hub.change(a_release("crm", "sales", version="8"))
            assert (await events(stream, "changed"))["cluster"] == "local"


async def test_pages_show_the_releases_of_all_clusters(hub, east):
    hub.lead("east", east.kubeconfig)
    hub.lead("west", a_kubeconfig("http://127.0.0.1:1"))
    async with several(hub) as ask:
        await until(ask, "/v1/releases", lambda found: found["total"] == 3)
        listed = (await ask("/ui/")).body.decode()
        assert "releases/blog?cluster=east" in listed
        assert "Releases of cluster west are missing: it does not answer" in listed
        one = (await ask("/ui/namespaces/web/releases/blog?cluster=east")).body.decode()
        assert "cluster east" in one
        assert "edits/suspend?cluster=east" in one
        assert (await ask("/ui/namespaces/sales/releases/crm?cluster=east")).status == 403


async def test_the_page_of_charts_is_about_all_clusters_that_answer(hub, east):
    hub.lead("east", east.kubeconfig)
    hub.lead("west", a_kubeconfig("http://127.0.0.1:1"))
    hub.repositories = [a_repository("charts")]
    east.repositories = [
        a_repository("theirs"),
        a_repository("inside", "http://charts.tools.svc"),
        a_repository("private", "http://10.0.0.1:9"),
    ]
    east.allow("alice", "list", "helmrepositories", "web")
    async with several(hub) as ask:
        await until(ask, "/v1/releases", lambda found: found["total"] == 3)
        text = " ".join(Page((await ask("/ui/charts")).text).text.split())
        assert "repositories of cluster west are missing: it does not answer" in text
        assert "east: web/theirs" in text
        assert "its address means something in its cluster alone" in text
        assert "10.0.0.1 is no address for chart repositories" in text
        assert "local:" not in text
        one = Page((await ask("/ui/charts?cluster=east")).text).text
        assert ("web/theirs" in one, "web/charts" in one) == (True, False)
        assert (await ask("/ui/charts?cluster=west")).status in (502, 503)
        assert (await ask("/ui/charts?cluster=nowhere")).status == 404


def a_repository(name, url="http://127.0.0.1:9"):
    metadata = {"name": name, "namespace": "web", "uid": name, "generation": 1}
    return {"metadata": {**metadata, "resourceVersion": "1"}, "spec": {"url": url}}


async def test_a_write_goes_to_the_cluster_that_is_named(hub, east):
    hub.lead("east", east.kubeconfig)
    for verb in ("get", "patch"):
        east.allow("alice", verb, "helmreleases", "web")
    async with several(hub) as ask:
        await until(ask, "/v1/releases", lambda found: found["total"] == 3)
        path = "/v1/namespaces/web/releases/blog/suspend?cluster=east"
        assert (await ask(path, method="POST")).json["made"]
        assert (await ask(path.replace("blog", "crm"), method="POST")).status == 404
        assert (await ask(path.replace("web", "sales"), method="POST")).status == 403
    assert len(east.writes) == 1
    assert hub.writes == []
    assert east.proofs == {f"Bearer {OWN_TOKEN}"}


async def test_a_secret_takes_effect_when_it_comes_changes_and_goes(hub, east):
    west = Spoke(a_release("mail", "web"))
    west.allow("alice", "list", "helmreleases")
    async with spokes(west), several(hub) as ask:
        assert names((await ask("/v1/releases")).json) == HOME
        hub.lead("other", east.kubeconfig)
        await until(ask, "/v1/releases", lambda found: "other/web/blog" in names(found))
        hub.lead("other", west.kubeconfig)
        found = await until(ask, "/v1/releases", lambda found: "other/web/mail" in names(found))
        assert names(found) == ["local/web/blog", "other/web/mail", "local/web/shop"]
        hub.mislead("other")
        await until(ask, "/v1/clusters", reachable("local"))
        assert names((await ask("/v1/releases")).json) == HOME
        assert (await ask("/v1/releases?cluster=other")).status == 404


async def test_a_name_that_two_secrets_claim_leads_nowhere(hub, east):
    hub.lead("one", east.kubeconfig, cluster="east")
    hub.lead("two", east.kubeconfig, cluster="east")
    hub.lead("three", east.kubeconfig, cluster="local")
    async with several(hub) as ask:
        found = await until(ask, "/v1/clusters", lambda found: len(found["items"]) == 3)
        reasons = {one["reason"] for one in found["items"] if not one["own"]}
        assert reasons == {
            "Secrets one and two are both for a cluster of this name",
            "Secret three has the name of the gateway's own cluster",
        }
        assert names((await ask("/v1/releases")).json) == HOME
        assert (await ask("/v1/namespaces/web/releases/blog?cluster=east")).status == 502
        assert (await ask("/v1/namespaces/web/releases/blog?cluster=local")).status == 200
        hub.mislead("two")
        await until(ask, "/v1/releases", lambda found: "east/web/blog" in names(found))
    assert {one["user"] for one in east.requests} == {"the gateway", READER, "alice"}


HOSTILE = {
    "none": ("no: kubeconfig", "current-context"),
    "program": (
        a_kubeconfig("https://10.0.0.1", user={"exec": {"command": "/bin/id"}}),
        "a program",
    ),
    "file": (a_kubeconfig("https://10.0.0.1", user={"tokenFile": "/etc/passwd"}), "a file"),
    "somebody": (
        a_kubeconfig("https://10.0.0.1", user={"token": "x", "as": "system:admin"}),
        "another identity",
    ),
    "in-the-clear": (a_kubeconfig("http://10.0.0.1"), "http"),
    "this-machine": (a_kubeconfig("https://127.0.0.1"), "no address for"),
    "mapped": (a_kubeconfig("https://[::ffff:127.0.0.1]"), "no address for"),
    "metadata": (a_kubeconfig("https://169.254.169.254"), "no address for"),
}


async def test_a_kubeconfig_that_cannot_be_used_is_named_and_harms_no_other(hub):
    for name, (kubeconfig, _) in HOSTILE.items():
        hub.lead(name, kubeconfig)
    rules = {"allow_loopback_clusters": False, "allow_insecure_clusters": False}
    async with several(hub, **rules) as ask:
        found = await until(
            ask, "/v1/releases", lambda found: len(found["unreachable"]) == len(HOSTILE)
        )
    assert names(found) == HOME
    said = {one["cluster"]: one["reason"] for one in found["unreachable"]}
    for name, (_, reason) in HOSTILE.items():
        assert reason in said[name]
        assert f"whipstaff-system/{name}" in said[name]


async def test_a_cluster_where_the_reader_may_not_list_says_so(hub, east):
    east.rights.clear()
    hub.lead("east", east.kubeconfig)
    async with several(hub) as ask:
        found = await until(ask, "/v1/releases", lambda found: found["unreachable"])
        assert "cannot" in found["unreachable"][0]["reason"]
