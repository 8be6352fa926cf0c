"""A login goes to the scheme, host and port of its repository, and to no other."""

import base64
from dataclasses import replace

import pytest
from aiohttp import web
from yarl import URL

from tests.builders.repositories import DirectReader, Repository
from whipstaff.errors import ChartUnavailable, RepoAuthFailed, RepoForbiddenTarget
from whipstaff.reconcile.ports import ChartReference
from whipstaff.settings import Settings
from whipstaff.sources.credentials import Credentials
from whipstaff.sources.place import Place
from whipstaff.sources.repository import HTTPRepositories, _asker

CANARY = "canary-77"
LOGIN = Credentials(username="jo", password=CANARY)
ANY = ChartReference("blog", "*")


@pytest.fixture
async def home():
    repository = Repository()
    await repository.start()
    yield repository
    await repository.stop()


@pytest.fixture
async def other():
    repository = Repository()
    await repository.start()
    repository.add("1.0.0")
    yield repository
    await repository.stop()


@pytest.fixture
async def source(tmp_path):
    found = HTTPRepositories(Settings(cache_folder=tmp_path), DirectReader(), lambda: 0.0)
    yield found
    await found.close()


def a_place(repository, **changes):
    return replace(Place(URL(repository.url), LOGIN, timeout_seconds=5.0, scope="me"), **changes)


def logins(repository):
    """What the repository was told of who asks."""
    return [request.headers.get("Authorization", "") for request in repository.requests]


async def resolve(source, place):
    return await source.resolve(place, ANY, max_age_seconds=0.0)


async def test_index_and_archive_at_home_get_it(source, home):
    home.add("1.0.0")
    await resolve(source, a_place(home))
    expected = "Basic " + base64.b64encode(f"jo:{CANARY}".encode()).decode()
    assert logins(home) == [expected, expected]


async def test_another_port_that_the_index_names_does_not(source, home, other):
    home.add("1.0.0", urls=[f"{other.url}/blog-1.0.0.tgz"], digest="")
    await resolve(source, a_place(home))
    assert logins(other) == [""]


async def test_another_host_that_the_index_names_gets_it_where_it_is_passed_on(source, home, other):
    home.add("1.0.0", urls=[f"{other.url}/blog-1.0.0.tgz"], digest="")
    await resolve(source, a_place(home, pass_credentials=True))
    assert CANARY in base64.b64decode(logins(other)[0].split()[1]).decode()


@pytest.mark.parametrize("pass_credentials", [False, True])
async def test_a_redirect_takes_it_nowhere(source, home, other, pass_credentials):
    async def away(_request):
        return web.Response(status=302, headers={"Location": f"{other.url}/blog-1.0.0.tgz"})

    home.add("1.0.0", urls=["moved.tgz"], digest="")
    home.answers["/moved.tgz"] = away
    await resolve(source, a_place(home, pass_credentials=pass_credentials))
    assert logins(other) == [""]


async def test_a_redirect_away_and_back_does_not_bring_it_back(source, home, other):
    async def away(_request):
        return web.Response(status=302, headers={"Location": f"{other.url}/back"})

    async def back(_request):
        return web.Response(status=302, headers={"Location": f"{home.url}/private"})

    home.add("1.0.0", urls=["moved.tgz"], digest="")
    home.answers["/moved.tgz"], other.answers["/back"] = away, back
    with pytest.raises(ChartUnavailable, match="404"):
        await resolve(source, a_place(home))
    assert logins(other) == [""]
    assert logins(home)[-1] == ""


async def test_user_and_password_in_a_url_of_the_index_are_not_sent(source, home, other):
    inside = other.url.replace("http://", "http://mallory:secret@")
    home.add("1.0.0", urls=[f"{inside}/blog-1.0.0.tgz"], digest="")
    await resolve(source, a_place(home))
    assert logins(other) == [""]


async def test_user_and_password_in_a_redirect_are_not_sent(source, home, other):
    inside = other.url.replace("http://", "http://mallory:secret@")

    async def away(_request):
        return web.Response(status=307, headers={"Location": f"{inside}/blog-1.0.0.tgz"})

    home.add("1.0.0", urls=["moved.tgz"], digest="")
    home.answers["/moved.tgz"] = away
    await resolve(source, a_place(home))
    assert logins(other) == [""]


@pytest.mark.parametrize(
    ("url", "pass_credentials", "sent"),
    [
        pytest.param("https://charts.example.com/a.tgz", False, True, id="home"),
        pytest.param("https://charts.example.com:443/a.tgz", False, True, id="the same port"),
        pytest.param("https://charts.example.com:8443/a.tgz", False, False, id="another port"),
        pytest.param("http://charts.example.com/a.tgz", False, False, id="http"),
        pytest.param("http://charts.example.com:443/a.tgz", False, False, id="http on that port"),
        pytest.param("http://charts.example.com/a.tgz", True, False, id="http, passed on"),
        pytest.param("https://a.charts.example.com/a.tgz", False, False, id="a host below"),
        pytest.param("https://cdn.example.net/a.tgz", True, True, id="passed on"),
    ],
)
def test_the_origin_decides(url, pass_credentials, sent):
    login = replace(LOGIN, ca="authorities", certificate="mine", key="mine")
    place = Place(URL("https://charts.example.com/stable"), login, pass_credentials, insecure=True)
    asker = _asker(place, URL(url))
    assert bool(asker.credentials.authorization) is sent
    assert bool(asker.credentials.key) is sent
    assert asker.credentials.ca == "authorities"
    assert asker.insecure is (sent and not pass_credentials)


async def test_what_was_fetched_with_a_login_is_not_found_by_its_digest_alone(source, home, other):
    """Who knows the digest of a private chart could name it in an index of their own."""
    home.add("1.0.0", urls=["private.tgz"], data=other.files["/blog-1.0.0.tgz"])
    home.files["/private.tgz"] = other.files["/blog-1.0.0.tgz"]
    await resolve(source, a_place(home))
    other.entries = home.entries
    with pytest.raises(ChartUnavailable, match="404"):
        await resolve(source, Place(URL(other.url), timeout_seconds=5.0))


async def test_another_login_starts_with_an_index_of_its_own(source, home):
    home.add("1.0.0")
    await resolve(source, a_place(home))

    async def closed(request):
        assert "If-None-Match" not in request.headers
        return web.Response(status=403)

    home.answers["/index.yaml"] = closed
    stranger = a_place(home, credentials=Credentials(token="other"))
    with pytest.raises(RepoAuthFailed):
        await source.resolve(stranger, ANY, max_age_seconds=1e9)


@pytest.mark.parametrize("code", [401, 403])
async def test_a_refused_login_is_named_and_not_shown(source, home, code):
    async def refuse(request):
        return web.Response(status=code, reason=request.headers["Authorization"])

    home.answers["/index.yaml"] = refuse
    with pytest.raises(RepoAuthFailed, match=f": {code} ") as refused:
        await source.refresh(a_place(home, url=URL(f"{home.url}/?sig={CANARY}")))
    packed = base64.b64encode(f"jo:{CANARY}".encode()).decode()
    assert CANARY not in refused.value.text
    assert packed not in refused.value.text


async def test_https_is_not_left_for_http():
    from whipstaff.sources.fetch import redirected  # noqa: PLC0415 - the one test of it

    with pytest.raises(RepoForbiddenTarget, match="from https to http"):
        redirected(URL("https://a.example/x"), "http://a.example/x")
