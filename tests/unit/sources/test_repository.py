import asyncio
import gzip
import hashlib
import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from tests.builders.repositories import DirectReader, Repository, an_archive
from whipstaff.errors import (
    ChartIntegrity,
    ChartInvalid,
    ChartTooLarge,
    ChartUnavailable,
    RepoForbiddenTarget,
    RepoIndexInvalid,
    RepoIndexTooLarge,
)
from whipstaff.reconcile.ports import ChartReference
from whipstaff.settings import Settings
from whipstaff.sources.credentials import Credentials
from whipstaff.sources.place import Place
from whipstaff.sources.repository import HTTPRepositories


@pytest.fixture
async def repository():
    repository = Repository()
    await repository.start()
    yield repository
    await repository.stop()


class World:
    """A source with a clock and a reader of its own."""

    def __init__(self, settings: Settings, repository: Repository) -> None:
        self.now = 1000.0
        self.timeout = settings.http_timeout_seconds
        self.reader = DirectReader()
        self.repository = repository
        self.source = HTTPRepositories(settings, self.reader, lambda: self.now)

    async def resolve(self, version="*", name="blog", max_age=0.0, url="", **place):
        where = Place(URL(url or self.repository.url), timeout_seconds=self.timeout, **place)
        reference = ChartReference(name, version)
        return await self.source.resolve(where, reference, max_age_seconds=max_age)


@pytest.fixture
def settings(tmp_path):
    return Settings(cache_folder=tmp_path / "cache", http_timeout_seconds=2.0)


@pytest.fixture
async def world(settings, repository):
    world = World(settings, repository)
    yield world
    await world.source.close()


async def test_the_newest_version_in_range_is_fetched_and_kept(world, repository):
    repository.add("1.0.0")
    data = repository.add("1.2.0")
    repository.add("2.0.0")
    chart = await world.resolve("^1.0")
    assert (chart.name, chart.version) == ("blog", "1.2.0")
    assert chart.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert stored(chart) == data


def stored(chart) -> bytes:
    return Path(chart.path).read_bytes()


def remove(chart) -> None:
    Path(chart.path).unlink()


async def test_an_index_that_is_young_enough_is_not_asked_for_again(world, repository):
    repository.add("1.0.0")
    await world.resolve()
    world.now += 10
    await world.resolve(max_age=60)
    assert repository.asked("/index.yaml") == 1
    world.now += 60
    await world.resolve(max_age=60)
    assert repository.asked("/index.yaml") == 2


async def test_an_index_that_did_not_change_is_not_read_again(world, repository):
    repository.add("1.0.0")
    await world.resolve()
    await world.resolve()
    assert repository.asked("/index.yaml") == 2
    assert world.reader.indexes == 1


async def test_where_room_is_scarce_the_newest_index_stays(settings, repository):
    repository.add("1.0.0")
    source = HTTPRepositories(settings, DirectReader(), itertools.count().__next__, kept_bytes=1)
    places = [Place(URL(f"{repository.url}?of={number}")) for number in range(3)]
    files = [await source.entries(place, max_age_seconds=0.0) for place in places]
    assert [file.exists() for file in files] == [False, False, True]
    assert [source.known(place) for place in places] == [False, False, True]
    assert (await source.entries(places[0], max_age_seconds=math.inf)).exists()
    await source.close()


async def test_indexes_are_fetched_a_few_at_a_time(settings, repository):
    repository.add("1.0.0")
    source = HTTPRepositories(settings, DirectReader(), lambda: 0.0, downloads=1)
    places = [Place(URL(f"{repository.url}?of={number}")) for number in range(3)]
    found = await asyncio.gather(*(source.entries(one, max_age_seconds=0.0) for one in places))
    assert len({*found}) == 3
    await source.close()


async def test_what_a_process_left_is_asked_about_and_not_read_again(settings, repository):
    repository.add("1.0.0")
    first, second = World(settings, repository), World(settings, repository)
    await first.resolve()
    await first.source.close()
    assert (await second.resolve()).version == "1.0.0"
    assert (repository.asked("/index.yaml"), second.reader.indexes) == (2, 0)
    repository.add("1.1.0")
    assert (await second.resolve()).version == "1.1.0"
    await second.source.close()


async def test_nobody_is_served_what_was_left_while_the_repository_is_away(settings, repository):
    repository.add("1.0.0")
    first, second = World(settings, repository), World(settings, repository)
    await first.resolve()
    await first.source.close()
    repository.answers["/index.yaml"] = _refused
    with pytest.raises(ChartUnavailable, match="401"):
        await second.resolve()
    await second.source.close()


@pytest.mark.parametrize(
    ("other", "why"),
    [
        pytest.param({"insecure": True}, "certificates were looked at", id="insecure"),
        pytest.param({"scope": "u"}, "it is another's", id="scope"),
        pytest.param({"credentials": Credentials("jo", "x")}, "somebody asked", id="user"),
    ],
)
async def test_what_others_left_is_read_anew(settings, repository, other, why):
    repository.add("1.0.0")
    first, second = World(settings, repository), World(settings, repository)
    await first.resolve()
    await first.source.close()
    await second.resolve(**other)
    assert second.reader.indexes == 1, why
    await second.source.close()


@pytest.mark.parametrize("notes", [b"", b"{", b"[]", b'{"file": [1, 2]}', b"{}"], ids=repr)
async def test_notes_that_are_broken_or_of_another_file_are_passed_over(
    settings, repository, notes
):
    repository.add("1.0.0")
    first, second = World(settings, repository), World(settings, repository)
    await first.resolve()
    await first.source.close()
    [file] = (settings.cache_folder / "indexes").glob("*.json")
    file.write_bytes(notes)
    assert (await second.resolve()).version == "1.0.0"
    assert second.reader.indexes == 1
    await second.source.close()


async def test_what_changed_in_an_index_is_known_to_whoever_saw_one_of_the_last(world, repository):
    place = Place(URL(repository.url), timeout_seconds=world.timeout)
    repository.add("1.0.0")
    first = await world.source.refresh(place)
    repository.add("1.0.0", name="wiki")
    await world.resolve()  # which asks, too
    repository.entries["blog"][0]["digest"] = "e" * 64
    last = await world.source.refresh(place)
    found = last.since(first.index_digest)
    assert found.charts == {"blog", "wiki"}
    assert found.exchanged == ("blog 1.0.0",)
    assert last.since(last.index_digest).charts == frozenset()
    assert last.since("sha256:unknown").charts is None


async def _refused(_request):
    return web.Response(status=401)


async def test_a_new_version_is_seen_at_the_next_fetch(world, repository):
    repository.add("1.0.0")
    assert (await world.resolve()).version == "1.0.0"
    repository.add("1.1.0")
    assert (await world.resolve()).version == "1.1.0"


async def test_an_archive_is_fetched_and_inspected_once(world, repository):
    repository.add("1.0.0")
    await world.resolve()
    await world.resolve()
    assert repository.asked("/blog-1.0.0.tgz") == 1
    assert world.reader.inspections == 1


async def test_an_archive_without_a_promised_digest_is_fetched_once(world, repository):
    repository.add("1.0.0", digest="")
    first = await world.resolve()
    assert (await world.resolve()) == first
    assert repository.asked("/blog-1.0.0.tgz") == 1


async def test_calls_at_one_time_share_one_fetch(world, repository):
    repository.add("1.0.0")
    charts = await asyncio.gather(*(world.resolve() for _ in range(20)))
    assert len(set(charts)) == 1
    assert repository.asked("/index.yaml") == 1
    assert repository.asked("/blog-1.0.0.tgz") == 1


async def test_one_who_leaves_does_not_stop_the_fetch_of_others(world, repository):
    repository.add("1.0.0")
    first = asyncio.create_task(world.resolve())
    second = asyncio.create_task(world.resolve())
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).version == "1.0.0"


async def test_a_second_url_is_tried_when_the_first_fails(world, repository):
    repository.add("1.0.0", urls=["gone.tgz", "blog-1.0.0.tgz"])
    assert (await world.resolve()).version == "1.0.0"


async def test_absolute_urls_lead_to_other_hosts(world, repository):
    other = Repository()
    await other.start()
    other.add("1.0.0")
    repository.add("1.0.0", urls=[f"{other.url}/blog-1.0.0.tgz"])
    assert (await world.resolve()).version == "1.0.0"
    await other.stop()


async def test_a_repository_in_a_folder_keeps_its_folder_and_query(world, repository):
    data = repository.add("1.0.0")
    repository.answers["/charts/index.yaml"] = lambda request: serve(repository._index(request))
    repository.files["/charts/blog-1.0.0.tgz"] = data
    await world.resolve(url=f"{repository.url}/charts?token=canary")
    assert [request.query_string for request in repository.requests] == ["token=canary"] * 2


async def serve(response):
    return response


async def redirect_to(location, _request):
    return web.Response(status=302, headers={"Location": location})


async def test_redirects_are_followed(world, repository):
    repository.add("1.0.0", urls=["moved.tgz"])
    repository.answers["/moved.tgz"] = lambda request: redirect_to("/blog-1.0.0.tgz", request)
    assert (await world.resolve()).version == "1.0.0"


async def status(code, _request):
    return web.Response(status=code, text="secret text of the server")


@pytest.mark.parametrize("code", [401, 403, 404, 429, 500, 503])
async def test_a_refusal_of_the_server_is_named(world, repository, code):
    repository.answers["/index.yaml"] = lambda request: status(code, request)
    with pytest.raises(ChartUnavailable, match=rf"/index\.yaml: {code} ") as refused:
        await world.resolve()
    assert refused.value.retryable


async def test_a_redirect_loop_ends(world, repository):
    repository.answers["/index.yaml"] = lambda request: redirect_to("/index.yaml", request)
    with pytest.raises(ChartUnavailable, match="more than 5 redirects"):
        await world.resolve()


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("file:///etc/passwd", "redirects to file:"),
        ("http://169.254.169.254/latest/", "169.254.169.254 is no address"),
        ("http://[fe80::1]/", "fe80::1 is no address"),
        ("http://[::ffff:169.254.169.254]/", "is no address"),
    ],
)
async def test_a_redirect_to_where_no_charts_are_is_refused(world, repository, location, why):
    repository.answers["/index.yaml"] = lambda request: redirect_to(location, request)
    with pytest.raises(ChartUnavailable, match=why):
        await world.resolve()


async def test_loopback_is_refused_where_settings_say_so(settings, repository):
    world = World(replace(settings, allow_loopback_repositories=False), repository)
    for url in (repository.url, repository.url.replace("127.0.0.1", "localhost")):
        with pytest.raises(ChartUnavailable, match="is no address for chart repositories"):
            await world.resolve(url=url)
    await world.source.close()


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("127.0.0.1", id="an address"),
        pytest.param("localhost", id="a name"),
        pytest.param("2130706433", id="one number"),
        pytest.param("0x7f000001", id="a hexadecimal number"),
        pytest.param("0177.0.0.1", id="octal"),
        pytest.param("0x7f.0.0.1", id="hexadecimal"),
        pytest.param("127.1", id="short"),
        pytest.param("127.0.0.1.", id="a dot at its end"),
        pytest.param("0", id="zero"),
        pytest.param("[::1]", id="IPv6"),
        pytest.param("[::ffff:127.0.0.1]", id="IPv4 in IPv6"),
        pytest.param("[::127.0.0.1]", id="IPv4 in IPv6, the old way"),
        pytest.param("\uff11\uff12\uff17.0.0.1", id="wide digits"),
        pytest.param("%31%32%37.0.0.1", id="quoted"),
    ],
)
async def test_no_spelling_of_an_address_leads_to_loopback(settings, repository, host):
    repository.add()
    world = World(replace(settings, allow_loopback_repositories=False), repository)
    with pytest.raises(ChartUnavailable):
        await world.resolve(url=repository.url.replace("127.0.0.1", host))
    assert repository.requests == []
    await world.source.close()


async def test_nobody_listening_is_said(world):
    with pytest.raises(ChartUnavailable, match="no connection"):
        await world.resolve(url="http://127.0.0.1:1")


async def test_a_name_that_does_not_exist_is_said(world):
    with pytest.raises(ChartUnavailable, match="cannot be resolved"):
        await world.resolve(url="http://charts.invalid")


async def test_a_server_that_never_ends_runs_out_of_time(settings, repository):
    async def slowly(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    world = World(replace(settings, http_timeout_seconds=0.3), repository)
    repository.answers["/index.yaml"] = slowly
    with pytest.raises(ChartUnavailable, match=r"no answer within 0\.3 s"):
        await world.resolve()
    await world.source.close()


async def test_an_answer_that_breaks_off_is_said(world, repository):
    async def half(request):
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"apiVersion: v1\n")
        request.transport.close()
        return response

    repository.answers["/index.yaml"] = half
    with pytest.raises(ChartUnavailable, match="broke off"):
        await world.resolve()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<!DOCTYPE html><html></html>", "text/html"),
        ("", "empty index.yaml file"),
        ("entries: {}", "no API version specified"),
    ],
)
async def test_what_is_no_index_is_said(world, repository, text, why):
    repository.index_text = text
    with pytest.raises(ChartUnavailable, match=why):
        await world.resolve()


async def test_an_index_too_large_is_refused_even_if_it_is_sent_compressed(settings, repository):
    repository.index_text = " " * 100_000
    world = World(replace(settings, index_bytes_limit=10_000), repository)
    with pytest.raises(RepoIndexTooLarge, match=r"index\.yaml is larger than 10000 bytes"):
        await world.resolve()
    await world.source.close()


async def test_an_archive_too_large_is_refused(settings, repository):
    repository.add("1.0.0", data=gzip.compress(b"x") + bytes(20_000))
    world = World(replace(settings, chart_bytes_limit=10_000), repository)
    with pytest.raises(ChartTooLarge, match=r"blog-1\.0\.0\.tgz is larger than 10000 bytes"):
        await world.resolve()
    await world.source.close()


async def test_an_unknown_chart_is_named(world, repository):
    repository.add("1.0.0")
    with pytest.raises(ChartUnavailable, match="has no chart named 'wiki'"):
        await world.resolve(name="wiki")


async def test_a_wrong_digest_is_said_with_both(world, repository):
    data = repository.add("1.0.0", digest="0" * 64)
    found = hashlib.sha256(data).hexdigest()
    with pytest.raises(ChartIntegrity, match=rf"sha256:{found}, but .* sha256:{'0' * 64}"):
        await world.resolve()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<html>login</html>", r"is not a gzip archive \(text/html\)"),
        (b"", r"is not a gzip archive \(empty\)"),
        (an_archive()[:100], "broken"),
    ],
    ids=["HTML", "nothing", "truncated"],
)
async def test_what_is_no_archive_is_said(world, repository, data, why):
    repository.add("1.0.0", data=data)
    with pytest.raises(ChartInvalid, match=why):
        await world.resolve()


async def test_an_archive_of_another_chart_is_refused(world, repository):
    repository.add("1.0.0", data=an_archive("wiki"))
    with pytest.raises(ChartInvalid, match="holds the chart 'wiki', not 'blog'"):
        await world.resolve()


async def test_an_archive_of_another_version_is_refused(world, repository):
    repository.add("1.0.0", data=an_archive(version="1.0.1"))
    with pytest.raises(ChartInvalid, match=r"holds version 1\.0\.1 of blog, not 1\.0\.0"):
        await world.resolve()


async def test_a_leading_v_makes_no_other_version(world, repository):
    repository.add("v1.0.0", data=an_archive(version="1.0.0"))
    assert (await world.resolve("1.0.0")).version == "v1.0.0"


@pytest.mark.parametrize("url", ["ftp://x/y.tgz", "file:///y.tgz", "javascript:alert(1)", "http:x"])
async def test_urls_of_other_kinds_are_no_urls_of_a_chart(world, repository, url):
    repository.add("1.0.0", urls=[url])
    with pytest.raises(RepoForbiddenTarget, match="names no http or https URL"):
        await world.resolve()


async def test_no_error_shows_user_password_or_query(world, repository):
    repository.index_text = "<html>"
    login = Credentials("user", "canary")
    with pytest.raises(RepoIndexInvalid) as refused:
        await world.resolve(url=f"{repository.url}/?token=canary", credentials=login)
    assert "canary" not in refused.value.text + refused.value.reference
    assert "user" not in refused.value.text


async def test_a_lost_cache_is_filled_again(world, repository):
    repository.add("1.0.0")
    chart = await world.resolve()
    for file in world.source._index_folder.iterdir():
        file.unlink()
    remove(chart)
    assert await world.resolve(max_age=60) == chart
