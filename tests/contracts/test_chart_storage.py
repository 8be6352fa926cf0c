"""What a chart server asks of what keeps its charts: a folder, and S3."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.builders.chart_servers import a_chart, a_chart_server, a_form, a_provenance
from tools.s3server import S3Server
from whipstaff.errors import InvalidSpec
from whipstaff.server.storage import AlreadyStored, StorageFailed, open_storage

KINDS = [
    pytest.param("folder", id="a folder"),
    pytest.param("s3", id="S3", marks=pytest.mark.s3),
]
NUMBERS = iter(range(1000))


@pytest.fixture(scope="module")
def s3():
    with S3Server() as server:
        yield server


@pytest.fixture(params=KINDS)
def place(request, tmp_path, monkeypatch):
    """Where charts can be kept: the folder or URL."""
    if request.param == "folder":
        return str(tmp_path / "charts")
    server = request.getfixturevalue("s3")
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    bucket = f"charts-{next(NUMBERS)}"
    server.make_bucket(bucket)
    return f"s3://{bucket}/inner"


@pytest.fixture
def storage(place):
    return open_storage(place)


@pytest.fixture
def content(tmp_path):
    def made(data=b"content"):
        file = tmp_path / f"content-{next(NUMBERS)}"
        file.write_bytes(data)
        return file

    return made


async def read(storage, path):
    _, pieces = await storage.stream(path)
    return b"".join([piece async for piece in pieces])


async def test_what_is_written_can_be_listed_found_and_read(storage, content, tmp_path):
    before = datetime.now(UTC)
    written = await storage.write("team/demo-1.0.0+b.1.tgz", content(b"abc"), overwrite=False)
    assert (written.path, written.name) == ("team/demo-1.0.0+b.1.tgz", "demo-1.0.0+b.1.tgz")
    assert written.size_bytes == 3
    assert abs(written.modified - before) < timedelta(minutes=5)
    assert await storage.files("team") == [written]
    assert await storage.find(written.path) == written
    found, _ = await storage.stream(written.path)
    assert found == written
    assert await read(storage, written.path) == b"abc"
    copy = await storage.fetch(written.path, tmp_path)
    assert copy.read_bytes() == b"abc"


async def test_what_is_not_there_is_no_error(storage, tmp_path):
    assert await storage.files("none") == []
    assert await storage.folders("none") == []
    assert await storage.find("none/x.tgz") is None
    assert await storage.stream("none/x.tgz") is None
    assert await storage.delete("none/x.tgz") is False


async def test_a_file_is_overwritten_only_where_that_is_allowed(storage, content):
    first = await storage.write("a.tgz", content(b"first"), overwrite=False)
    with pytest.raises(AlreadyStored):
        await storage.write("a.tgz", content(b"second"), overwrite=False)
    assert await read(storage, "a.tgz") == b"first"
    second = await storage.write("a.tgz", content(b"second"), overwrite=True)
    assert await read(storage, "a.tgz") == b"second"
    assert first.tag != second.tag


async def test_of_many_writers_of_a_new_file_one_succeeds(storage, content):
    async def write(number):
        try:
            await storage.write("a.tgz", content(b"%d" % number), overwrite=False)
        except AlreadyStored:
            return None
        return b"%d" % number

    outcomes = await asyncio.gather(*(write(number) for number in range(8)))
    assert [one for one in outcomes if one] == [await read(storage, "a.tgz")]


async def test_a_folder_has_its_own_files_and_knows_the_folders_in_it(storage, content):
    for path in ("a.tgz", "one/b.tgz", "one/inner/c.tgz", "two/d.tgz"):
        await storage.write(path, content(), overwrite=False)
    assert [one.path for one in await storage.files("")] == ["a.tgz"]
    assert [one.path for one in await storage.files("one")] == ["one/b.tgz"]
    assert await storage.folders("") == ["one", "two"]
    assert await storage.folders("one") == ["inner"]


async def test_what_is_deleted_is_gone(storage, content):
    await storage.write("team/a.tgz", content(), overwrite=False)
    assert await storage.delete("team/a.tgz") is True
    assert await storage.files("team") == []
    assert await storage.delete("team/a.tgz") is False


@pytest.mark.parametrize("path", ["../a.tgz", "x/../../a.tgz", "x//a.tgz"])
async def test_no_path_leaves_the_storage(storage, content, path):
    with pytest.raises((StorageFailed, ValueError)):
        await storage.write(path, content(), overwrite=True)
    assert await storage.files("") == []


async def test_a_marker_tells_of_files_that_come_and_go_or_there_is_none(storage, content):
    await storage.write("team/a.tgz", content(), overwrite=False)
    before = storage.marker("team")
    assert storage.marker("team") == before
    await asyncio.sleep(0.02)  # the clock of a file system ticks some hundred times a second
    await storage.write("team/b.tgz", content(), overwrite=False)
    assert before is None or storage.marker("team") != before


async def test_a_server_works_with_it(place):
    async with a_chart_server(place, depth=1, refresh_seconds=0.0) as ask:
        form = a_form(chart=a_chart(), prov=a_provenance())
        assert (await ask.upload(form, "/api/team/charts")).status == 201
        assert (await ask.upload(a_chart(), "/api/team/charts")).status == 409
        assert (await ask.upload(a_chart(), "/api/team/charts?force")).status == 201
        assert (await ask.upload(a_chart(version="1.1.0"), "/api/team/charts")).status == 201
        assert (await ask.get("/team/charts/demo-1.0.0.tgz")).body == a_chart()
        assert (await ask("DELETE", "/api/team/charts/demo/1.1.0")).status == 200
        first = (await ask.get("/team/index.yaml")).body
    async with a_chart_server(place, depth=1) as ask:
        again = (await ask.get("/team/index.yaml")).body
        assert first.partition(b"generated")[0] == again.partition(b"generated")[0]
        assert ">team<" in (await ask.get("/")).text


@pytest.mark.s3
async def test_two_servers_of_one_bucket_see_each_others_charts(s3, monkeypatch):
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    s3.make_bucket("shared")
    async with (
        a_chart_server("s3://shared", refresh_seconds=0.0) as one,
        a_chart_server("s3://shared", refresh_seconds=0.0) as other,
    ):
        assert (await one.upload(a_chart())).status == 201
        assert (await other.upload(a_chart())).status == 409
        assert list((await other.get("/api/charts")).json) == ["demo"]


def test_a_place_that_cannot_be_used_is_named_without_its_login(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidSpec, match=r"charts cannot be kept in .*/file"):
        open_storage(str(tmp_path / "file"))
    with pytest.raises(InvalidSpec) as caught:
        open_storage("nothing://user:hunter2@host/x")
    assert "hunter2" not in str(caught.value)
