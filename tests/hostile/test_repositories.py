"""What a repository may send: each answer has a name, and costs the main process little."""

import asyncio
import json
import random

import pytest
import pytest_asyncio
from aiohttp import web
from yarl import URL

from tests.builders.repositories import Repository
from whipstaff.errors import (
    ChartIntegrity,
    ChartUnavailable,
    ChartVersionNotFound,
    RepoAuthFailed,
    RepoForbiddenTarget,
    RepoIndexInvalid,
    RepoIndexTooLarge,
    RepoTimeout,
)
from whipstaff.reconcile.ports import ChartReference
from whipstaff.settings import Settings
from whipstaff.sources.place import Place
from whipstaff.sources.repository import HTTPRepositories

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE_SECONDS = 30.0
HURRY_SECONDS = 0.3


class World:
    """A repository and who asks it, with the workers of the guard."""

    def __init__(self, guard, repository, tmp_path):
        self.guard, self.repository = guard, repository
        settings = Settings(cache_folder=tmp_path / "cache", index_bytes_limit=1 << 20)
        self.source = HTTPRepositories(settings, guard.pool, asyncio.get_running_loop().time)

    async def resolve(self, version="*", name="blog", timeout_seconds=PATIENCE_SECONDS):
        place = Place(URL(self.repository.url), timeout_seconds=timeout_seconds)
        job = self.source.resolve(place, ChartReference(name, version), max_age_seconds=0)
        return await self.guard.measure(job)

    async def refresh(self):
        place = Place(URL(self.repository.url), timeout_seconds=PATIENCE_SECONDS)
        return await self.guard.measure(self.source.refresh(place))


@pytest_asyncio.fixture(loop_scope="module")
async def world(guard, tmp_path):
    repository = Repository()
    await repository.start()
    world = World(guard, repository, tmp_path)
    yield world
    await world.source.close()
    await repository.stop()


def an_index(**entries):
    return json.dumps({"apiVersion": "v1", "entries": entries})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "empty index.yaml file", id="empty"),
        pytest.param("<!doctype html><html></html>", "text/html", id="a web page"),
        pytest.param("{}", "no API version specified", id="nothing in it"),
        pytest.param("entries: {}\n", "no API version specified", id="no version"),
        pytest.param("apiVersion: v1\n", "the index has no entries", id="no entries"),
        pytest.param("apiVersion: v1\nentries: []\n", "has no entries", id="a list of them"),
        pytest.param("- a\n", "no YAML table", id="a list"),
        pytest.param("a: b: c\n", "no index of charts", id="no YAML"),
        pytest.param("apiVersion: v1\nentries:\n  a: []\n  a: []\n", "already", id="a chart twice"),
        pytest.param("\x00", "no index of charts", id="NUL"),
    ],
)
async def test_what_is_no_index_is_named(world, refused, text, why):
    world.repository.index_text = text
    await refused(world.resolve(), RepoIndexInvalid, why)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, RepoAuthFailed),
        (403, RepoAuthFailed),
        (404, ChartUnavailable),
        (429, ChartUnavailable),
        (500, ChartUnavailable),
        (599, ChartUnavailable),
    ],
)
async def test_a_refusal_is_named_by_its_status(world, refused, status, error):
    async def refuse(_request):
        return web.Response(status=status, reason="<script>", text="<script>")

    world.repository.answers["/index.yaml"] = refuse
    said = await refused(world.resolve(), error, f"{world.repository.url}/index.yaml: {status}")
    assert "script" not in said.text


@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "compressed"])
async def test_an_index_without_an_end_is_cut(world, refused, packed):
    async def endless(request):
        response = web.StreamResponse()
        if packed:
            response.enable_compression(web.ContentCoding.gzip)
        await response.prepare(request)
        while True:
            await response.write(b"# more\n" * 10_000)

    world.repository.answers["/index.yaml"] = endless
    await refused(world.resolve(), RepoIndexTooLarge, "larger than 1048576 bytes")


async def test_an_index_that_comes_byte_by_byte_runs_out_of_time(world, refused):
    async def slowly(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"#")
            await asyncio.sleep(HURRY_SECONDS / 10)

    world.repository.answers["/index.yaml"] = slowly
    await refused(world.resolve(timeout_seconds=HURRY_SECONDS), RepoTimeout, r"within 0\.3 s")


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        [],
        {},
        {"name": "blog"},
        {"name": "blog", "version": "1.0.0"},
        {"name": "blog", "version": "1.0.0", "urls": None},
        {"name": "blog", "version": "1.0.0", "urls": [7]},
        {"name": "blog", "version": "not.a.version", "urls": ["a"]},
        {"name": "blog", "version": None, "urls": ["a"]},
        {"name": None, "version": "1.0.0", "urls": ["a"]},
    ],
    ids=str,
)
async def test_of_a_thousand_entries_the_one_that_is_wrong_is_skipped_and_told(world, bad):
    world.repository.add("1.0.0")
    [good] = world.repository.entries["blog"]
    many = {f"c{number}": [{**good, "name": f"c{number}"}] for number in range(998)}
    world.repository.index_text = an_index(blog=[bad, good], **many)
    assert (await world.resolve()).version == "1.0.0"
    told = await world.refresh()
    assert told.sentence.endswith("; 1 entry of the index cannot be used")


async def test_one_of_ten_thousand_versions_is_chosen(world):
    world.repository.add("1.2.3")
    [good] = world.repository.entries["blog"]
    others = [f"2.{minor}.{patch}" for minor in range(100) for patch in range(100)]
    random.Random(7).shuffle(others)
    small = {"name": "blog", "urls": ["a"]}
    world.repository.index_text = an_index(blog=[{**small, "version": v} for v in others] + [good])
    chosen = await world.resolve("^1")
    assert (chosen.version, chosen.newer) == ("1.2.3", 10_000)


@pytest.mark.parametrize(
    ("listed", "wanted", "chosen"),
    [
        (["v1.0.0", "0.9.0"], "*", "v1.0.0"),
        (["1.0.0+b", "0.9.0"], "^1", "1.0.0+b"),
        (["2.0.0-rc.1", "1.0.0"], "*", "1.0.0"),
        (["2.0.0-rc.1", "1.0.0"], ">=1-0", "2.0.0-rc.1"),
        (["1.10.0", "1.9.0"], "~1", "1.10.0"),
        (["1.0"], "1.0", "1.0"),
    ],
)
async def test_versions_are_ordered_as_helm_orders_them(world, listed, wanted, chosen):
    for version in listed:
        world.repository.add(version)
    assert (await world.resolve(wanted)).version == chosen


@pytest.mark.parametrize("wanted", ["^9", "*"], ids=["another range", "pre-releases alone"])
async def test_a_version_that_is_not_there_is_named_with_the_newest_five(world, refused, wanted):
    for number in range(7):
        world.repository.add(f"1.{number}.0-rc.1")
    said = await refused(world.resolve(wanted), ChartVersionNotFound, "no chart version found")
    assert repr(wanted) in said.text
    assert "1.6.0-rc.1, 1.5.0-rc.1, 1.4.0-rc.1, 1.3.0-rc.1, 1.2.0-rc.1" in said.text
    assert "1.1.0" not in said.text


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.com/a.tgz",
        "javascript:alert(1)",
        "data:,a",
        "oci://example.com/a",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/a.tgz",
        "http://[::ffff:169.254.169.254]/a.tgz",
        "http://jo:secret@169.254.169.254/a.tgz",
        "http://",
    ],
)
async def test_an_archive_that_must_not_be_asked_for_is_named(world, refused, url):
    world.repository.add("1.0.0", urls=[url], digest="")
    said = await refused(world.resolve(), RepoForbiddenTarget, ".")
    assert "secret" not in said.text


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("/index.yaml", ChartUnavailable),
        ("http://169.254.169.254/", RepoForbiddenTarget),
        ("file:///etc/passwd", RepoForbiddenTarget),
        ("http://[", ChartUnavailable),
    ],
    ids=["in a circle", "to the cloud's metadata", "to a file", "to nothing"],
)
async def test_a_redirect_to_nowhere_good_is_named(world, refused, location, error):
    async def redirect(_request):
        return web.Response(status=302, headers={"Location": location})

    world.repository.answers["/index.yaml"] = redirect
    await refused(world.resolve(), error, "redirect|no address")


async def test_what_an_index_says_besides_is_passed_over(world):
    world.repository.add("1.0.0", annotations={"a": "x" * 500_000}, created="9999-99-99T99:99:99Z")
    text = an_index(**world.repository.entries)
    world.repository.index_text = text.replace("{", '{"generated": "9999-12-31T23:59:59Z", ', 1)
    assert (await world.resolve()).version == "1.0.0"


async def test_another_archive_than_was_promised_shows_both_digests(world, refused):
    world.repository.add("1.0.0", digest="e" * 64)
    said = await refused(world.resolve(), ChartIntegrity, "its index promises")
    assert "e" * 64 in said.text
    assert said.text.count("sha256:") == 2


async def test_a_version_that_is_another_archive_now_is_told(world):
    world.repository.add("1.0.0")
    first = await world.refresh()
    world.repository.entries["blog"][0]["digest"] = "e" * 64
    assert (await world.refresh()).since(first.index_digest).exchanged == ("blog 1.0.0",)
