"""Where a chart is: by URL or by HelmRepository, and who may have it."""

import asyncio
import base64
import math

import pytest

from whipstaff.errors import (
    InvalidSpec,
    RepoAccessDenied,
    RepoAuthInvalid,
    RepoNotFound,
    RepoSuspended,
)
from whipstaff.helmrelease.types import RepositoryKey
from whipstaff.helmrepository.parsing import parse
from whipstaff.helmrepository.status import Fetched
from whipstaff.reconcile.ports import ChartReference, ResolvedChart
from whipstaff.sources.charts import Charts

KEY = RepositoryKey("team", "charts")
BLOG = ResolvedChart("blog", "1.0.0", "sha256:x", "")


class Asked:
    """Charts of one scheme: notes which places were asked."""

    def __init__(self):
        self.places = []
        self.ages = []
        self.is_known = False

    async def resolve(self, place, reference, *, max_age_seconds):
        self.places.append(place)
        self.ages.append(max_age_seconds)
        return BLOG

    async def refresh(self, place):
        self.places.append(place)
        self.is_known = True
        return Fetched(1, "sha256:i")

    def known(self, place):
        return self.is_known

    async def close(self):
        pass


class SomeSecrets(dict):
    def __init__(self):
        super().__init__()
        self.read = []

    async def secret(self, namespace, name):
        self.read.append((namespace, name))
        data = self.get((namespace, name))
        return data and {
            "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        }


@pytest.fixture
def asked():
    return Asked()


@pytest.fixture
def secrets():
    return SomeSecrets()


@pytest.fixture
def charts(asked, secrets):
    return Charts({"http": asked, "https": asked}, secrets, timeout_seconds=7.0)


def a_repository(uid="u1", **spec):
    return parse(
        {
            "metadata": {"namespace": "team", "name": "charts", "uid": uid},
            "spec": {"url": "https://charts.example.com/", **spec},
        }
    )


async def resolve(charts, namespace="team", max_age=math.inf, **reference):
    wanted = {"repository_ref": KEY, **reference}
    return await charts.resolve(
        ChartReference("blog", "*", namespace=namespace, **wanted), max_age_seconds=max_age
    )


async def test_a_url_is_asked_as_a_stranger(charts, asked):
    await resolve(charts, repository="https://a.example", repository_ref=None)
    (place,) = asked.places
    assert (str(place.url), place.credentials.authorization) == ("https://a.example", "")
    assert (place.timeout_seconds, place.scope) == (7.0, "")


@pytest.mark.parametrize("url", ["file:///charts", "ftp://a.example", "charts", "http://", ""])
async def test_a_repository_of_another_kind_is_the_users_to_change(charts, url):
    with pytest.raises(InvalidSpec, match=r"spec\.chart\.repository"):
        await resolve(charts, repository=url, repository_ref=None)


async def test_a_repository_is_asked_with_its_login_in_a_scope_of_its_own(charts, asked, secrets):
    secrets["team", "login"] = {"username": "jo", "password": "harbour"}
    charts.know(KEY, a_repository(secretRef={"name": "login"}))
    await resolve(charts)
    assert asked.places[0].credentials.username == "jo"
    assert asked.places[0].scope == "u1"


async def test_a_login_that_changes_among_many_who_ask_is_never_half_of_two(charts, asked, secrets):
    charts.know(KEY, repository := a_repository(secretRef={"name": "login"}))

    async def rotate():
        for number in range(64):
            secrets["team", "login"] = {"username": f"jo{number}", "password": f"word{number}"}
            await charts.refresh(repository)

    async def ask():
        for _ in range(64):
            await resolve(charts, max_age=0)
            await asyncio.sleep(0)

    secrets["team", "login"] = {"username": "jo", "password": "word"}
    await asyncio.gather(rotate(), *(ask() for _ in range(64)))
    logins = {place.credentials.authorization for place in asked.places}
    pairs = [base64.b64decode(login.removeprefix("Basic ")).decode() for login in logins]
    assert len(pairs) > 1
    halves = [pair.removeprefix("jo").split(":word") for pair in pairs]
    assert [half for half in halves if half[0] != half[1]] == []


async def test_without_a_login_what_is_fetched_is_for_all(charts, asked):
    charts.know(KEY, a_repository())
    await resolve(charts)
    assert asked.places[0].scope == ""


async def test_a_login_is_read_again_when_the_repository_is_asked_and_not_else(
    charts, asked, secrets
):
    secrets["team", "login"] = {"bearerToken": "first"}
    repository = a_repository(secretRef={"name": "login"})
    charts.know(KEY, repository)
    await charts.refresh(repository)
    await resolve(charts)
    assert len(secrets.read) == 1
    secrets["team", "login"] = {"bearerToken": "second"}
    await resolve(charts, max_age=0.0)
    assert asked.places[-1].credentials.token == "second"


@pytest.mark.parametrize(
    ("allowed", "namespace", "may"),
    [
        pytest.param([], "team", True, id="its own"),
        pytest.param([], "guest", False, id="another"),
        pytest.param(["guest"], "guest", True, id="one that is named"),
        pytest.param(["guest"], "guest2", False, id="one that is not"),
        pytest.param(["*"], "guest", True, id="all"),
    ],
)
async def test_namespaces_are_allowed_by_name(charts, allowed, namespace, may):
    charts.know(KEY, a_repository(allowedNamespaces=allowed))
    if may:
        assert await resolve(charts, namespace) == BLOG
    else:
        with pytest.raises(RepoAccessDenied):
            await resolve(charts, namespace)


async def test_from_elsewhere_one_that_is_not_there_looks_like_one_that_is(charts):
    with pytest.raises(RepoAccessDenied) as absent:
        await resolve(charts, "guest")
    charts.know(KEY, a_repository())
    with pytest.raises(RepoAccessDenied) as forbidden:
        await resolve(charts, "guest")
    assert absent.value.text == forbidden.value.text


async def test_one_that_is_not_there_is_named(charts):
    with pytest.raises(RepoNotFound, match="no HelmRepository team/charts"):
        await resolve(charts)


async def test_one_that_is_gone_is_not_there(charts):
    charts.know(KEY, a_repository())
    charts.forget(KEY)
    with pytest.raises(RepoNotFound):
        await resolve(charts)


async def test_a_suspended_one_is_not_asked_for_its_index(charts, asked):
    charts.know(KEY, a_repository(suspend=True))
    with pytest.raises(RepoSuspended):
        await resolve(charts)
    repository = a_repository()
    charts.know(KEY, repository)
    await charts.refresh(repository)
    suspended = a_repository(suspend=True)
    charts.know(KEY, suspended)
    await resolve(charts, max_age=0.0)
    assert not asked.places[-1].ask
    assert asked.ages == [math.inf]


async def test_a_secret_that_is_not_there_is_named(charts):
    charts.know(KEY, a_repository(secretRef={"name": "login"}))
    with pytest.raises(RepoAuthInvalid, match="Secret team/login does not exist"):
        await resolve(charts)
