"""What repositories offer to whom, and which releases are behind."""

import asyncio
import base64
import json

import pytest

from whipstaff.errors import ChartUnavailable, ClusterRefused
from whipstaff.gateway import offers
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.offers import Offers
from whipstaff.gateway.summaries import summary_of
from whipstaff.reconcile.ports import Identity, Person, RemoteCluster

ALICE = Caller("alice", "alice", Identity(person=Person("alice")))
URL = "https://charts.example"


def an_index(folder, **charts):
    """Write what is left of an index, as `sources.entries` reads it."""
    lines, places, place = [], {}, 0
    for name, versions in charts.items():
        line = json.dumps([[version, "", []] for version in versions]) + "\n"
        places[name], place = place, place + len(line)
        lines.append(line)
    file = folder / "entries"
    file.write_text(f"[{len(charts)},1,0]\n{json.dumps(places)}\n{''.join(lines)}")
    return file


def a_repository(name="charts", namespace="web", **spec):
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": name,
        "generation": 1,
        "resourceVersion": "1",
    }
    return {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRepository",
        "metadata": metadata,
        "spec": {"url": URL, **spec},
    }


class Cluster:
    """Answers with HelmRepositories where the caller may list them."""

    def __init__(self, *bodies, allowed=("",), secrets=()):
        self.bodies = bodies
        self.allowed = allowed
        self.secrets = dict(secrets)
        self.asked = []

    async def send(self, request):
        await asyncio.sleep(0)
        self.asked.append((request.path, request.identity.person.username))
        parts = request.path.split("/")
        namespace = parts[parts.index("namespaces") + 1] if "namespaces" in parts else ""
        if "secrets" in parts:
            if parts[-1] in self.secrets:
                return self.secrets[parts[-1]]
            raise ClusterRefused("this Secret is not for you", 403, "Forbidden")
        if namespace not in self.allowed:
            raise ClusterRefused("not for you", 403, "Forbidden")
        items = [one for one in self.bodies if namespace in ("", one["metadata"]["namespace"])]
        return {"items": items}


class Repositories:
    """Gives one file, or fails, or takes its time."""

    def __init__(self, file=None, failure=None):
        self.file = file
        self.failure = failure
        self.places = []

    async def entries(self, place, *, max_age_seconds):
        self.places.append(place)
        if self.failure == "slow":
            await asyncio.Event().wait()
        if self.failure:
            raise self.failure
        return self.file


async def offered(cluster, repositories, namespaces=("web",), caller=ALICE, elsewhere=None):
    offers = Offers(cluster, repositories, elsewhere or Repositories())
    return await offers.read(caller, "hub", await offers.listed(caller, namespaces))


async def test_repositories_are_read_as_the_caller(tmp_path):
    repositories = Repositories(an_index(tmp_path, blog=["1.0.0"], app=["1.0.0"]))
    cluster = Cluster(a_repository())
    (found,) = await offered(cluster, repositories)
    assert (found.name, found.trouble, found.names) == ("web/charts", "", ("app", "blog"))
    assert {user for _, user in cluster.asked} == {"alice"}


async def test_who_may_not_list_all_is_told_of_their_own(tmp_path):
    cluster = Cluster(a_repository(), a_repository("others", "shop"), allowed=("web",))
    found = await offered(cluster, Repositories(an_index(tmp_path)), ("shop", "web"))
    assert [one.name for one in found] == ["web/charts"]


async def test_a_login_that_the_caller_may_not_read_is_not_used():
    repositories = Repositories()
    (found,) = await offered(Cluster(a_repository(secretRef={"name": "login"})), repositories)
    assert "not for you" in found.trouble
    assert repositories.places == []


async def test_of_many_who_ask_while_a_login_changes_each_asks_with_a_whole_one(tmp_path):
    repositories = Repositories(an_index(tmp_path, blog=["1.0.0"]))
    cluster = Cluster(a_repository(secretRef={"name": "login"}))
    shared = Offers(cluster, repositories, Repositories())

    def exchange(number):
        login = {"username": f"jo{number}", "password": f"word{number}"}
        data = {key: base64.b64encode(one.encode()).decode() for key, one in login.items()}
        cluster.secrets["login"] = {"data": data}

    async def rotate():
        for number in range(64):
            exchange(number)
            await asyncio.sleep(0)

    async def ask():
        (found,) = await shared.read(ALICE, "hub", await shared.listed(ALICE, ("web",)))
        return found.trouble

    exchange(0)
    *troubles, _ = await asyncio.gather(*(ask() for _ in range(64)), rotate())
    assert set(troubles) == {""}
    logins = {place.credentials.authorization for place in repositories.places}
    pairs = [base64.b64decode(login.removeprefix("Basic ")).decode() for login in logins]
    halves = [pair.removeprefix("jo").split(":word") for pair in pairs]
    assert [half for half in halves if half[0] != half[1]] == []


@pytest.mark.parametrize(
    ("repositories", "spec", "trouble"),
    [
        (Repositories(failure=ChartUnavailable("it is down", URL)), {}, "it is down"),
        (Repositories(failure="slow"), {}, "still being read"),
        (Repositories(), {"url": "oci://registry.example/charts"}, "a registry tells nobody"),
    ],
)
async def test_a_repository_that_tells_nothing_says_why(monkeypatch, repositories, spec, trouble):
    monkeypatch.setattr(offers, "WAIT_SECONDS", 0.01)
    (found,) = await offered(Cluster(a_repository(**spec)), repositories)
    assert trouble in found.trouble


async def test_a_repository_that_nobody_can_read_is_left_out():
    assert await offered(Cluster(a_repository(url="file:///etc")), Repositories()) == []


def a_release(version, **chart):
    spec = {"chart": {"name": "blog", **chart}}
    status = {"revision": 1, "history": [{"revision": 1, "chart": "blog", "version": version}]}
    metadata = {"name": "shop", "namespace": "web"}
    return {**summary_of({"metadata": metadata, "spec": spec, "status": status}), "cluster": "hub"}


@pytest.mark.parametrize(
    "chart",
    [
        pytest.param({"repository": f"{URL}/"}, id="by URL"),
        pytest.param({"repositoryRef": {"name": "charts"}}, id="by name"),
        pytest.param({"repositoryRef": {"name": "charts", "namespace": "web"}}, id="by both"),
    ],
)
async def test_a_release_is_behind_the_stable_versions_of_its_repository(tmp_path, chart):
    index = an_index(tmp_path, blog=["3.0.0-rc.1", "2.0.0", "1.1.0", "1.0.0"])
    found = await offered(Cluster(a_repository()), Repositories(index))
    (lag,) = offers.behind([a_release("1.0.0", **chart)], found)
    assert (lag.newest, lag.newer) == ("2.0.0", 2)
    assert offers.behind([a_release("2.0.0", **chart)], found) == []


async def test_a_release_of_no_repository_is_behind_none(tmp_path):
    found = await offered(Cluster(a_repository()), Repositories(an_index(tmp_path, blog=["9.0.0"])))
    elsewhere = [
        a_release("1.0.0", repository="https://other.example"),
        a_release("no version", repository=URL),
        a_release("1.0.0"),
    ]
    assert offers.behind(elsewhere, found) == []


async def test_a_release_is_behind_repositories_of_its_own_cluster_alone(tmp_path):
    found = await offered(Cluster(a_repository()), Repositories(an_index(tmp_path, blog=["9.0.0"])))
    here = a_release("1.0.0", repositoryRef={"name": "charts"})
    (lag,) = offers.behind([{**here, "cluster": "east"}, here], found)
    assert lag.release is here


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        pytest.param("http://charts.tools.svc/", False, id="of a Service"),
        pytest.param("http://charts.tools.svc.cluster.local./", False, id="in full"),
        pytest.param("http://charts/", False, id="in short"),
        pytest.param("https://charts.example/", True, id="of anybody"),
        pytest.param("http://[2001:db8::1]/", True, id="by number"),
    ],
)
async def test_names_inside_another_cluster_are_not_looked_up_in_this_one(tmp_path, url, asked):
    there = Identity(person=Person("alice"), remote=RemoteCluster("whipstaff-system", "east"))
    caller = Caller("alice", "alice there", there)
    near, far = (Repositories(an_index(tmp_path, blog=["1.0.0"])) for _ in range(2))
    cluster = Cluster(a_repository(url=url))
    (found,) = await offered(cluster, near, caller=caller, elsewhere=far)
    assert (not found.trouble, len(near.places), len(far.places)) == (asked, 0, int(asked))
    (here,) = await offered(cluster, near, elsewhere=far)
    assert (here.names, len(near.places)) == (("blog",), 1)


async def test_charts_are_searched_and_told_by_their_newest_stable_version(tmp_path):
    index = an_index(tmp_path, blog=["2.0.0-rc.1", "1.0.0"], app=["1.0.0-beta"], db=["3.0.0"])
    found = await offered(Cluster(a_repository()), Repositories(index))
    charts = [offers.described(*one) for one in offers.charts_of(found, "")]
    assert [one.name for one in charts[0].repositories] == ["web/charts"]
    assert [(one.name, one.newest, one.versions) for one in charts] == [
        ("app", "1.0.0-beta", 1),
        ("blog", "1.0.0", 2),
        ("db", "3.0.0", 1),
    ]
    assert [name for name, _ in offers.charts_of(found, "BL")] == ["blog"]


async def test_repositories_of_one_place_offer_a_chart_once(tmp_path):
    cluster = Cluster(a_repository(), a_repository(namespace="shop"))
    found = await offered(cluster, Repositories(an_index(tmp_path, blog=["1.0.0"])))
    ((name, places),) = offers.charts_of(found, "")
    assert (name, [one.name for one in places]) == ("blog", ["web/charts", "shop/charts"])


def test_a_summary_has_no_password_of_a_repository():
    facts = a_release("1.0.0", repository="https://me:secret@charts.example/x?token=secret")
    assert facts["chart"]["repository"] == "https://charts.example/x"
