"""The index follows the storage, whoever changes it."""

import asyncio
import logging
import os
import shutil

import pytest
import yaml

from tests.builders.chart_servers import LIMIT, OwnReader, a_chart, put
from tests.builders.charts import packed
from whipstaff.errors import WorkerLost
from whipstaff.server.repository import Repository, Upload
from whipstaff.server.shelf import Rules
from whipstaff.server.storage import open_storage


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def reader():
    return OwnReader()


@pytest.fixture
async def repository(tmp_path, reader, clock):
    rules = Rules(LIMIT, refresh_seconds=10)
    found = Repository(open_storage(str(tmp_path)), reader, "", rules, clock)
    yield found
    await found.close()


async def versions(repository):
    index = await repository.index()
    return {name: [one.version for one in index.versions(name)] for name in index.names}


async def test_files_that_come_and_go_by_other_hands_are_seen(repository, tmp_path):
    assert await versions(repository) == {}
    put(tmp_path, a_chart())
    put(tmp_path, a_chart(version="1.1.0"), "demo-1.1.0.tgz")
    assert await versions(repository) == {"demo": ["1.1.0", "1.0.0"]}
    (tmp_path / "demo-1.1.0.tgz").unlink()
    assert await versions(repository) == {"demo": ["1.0.0"]}


async def test_only_what_changed_is_read_again(repository, tmp_path, reader):
    for number in range(5):
        put(tmp_path, a_chart(version=f"1.{number}.0"), f"demo-1.{number}.0.tgz")
    await repository.index()
    assert len(reader.read) == 5
    put(tmp_path, a_chart("other"), "other-1.0.0.tgz")
    await repository.index()
    await repository.index()
    assert reader.read[5:] == ["other-1.0.0.tgz"]


async def test_a_file_that_is_exchanged_in_place_is_seen_after_a_while(repository, tmp_path, clock):
    file = put(tmp_path, a_chart())
    before = (await repository.index()).as_yaml()
    folder = tmp_path.stat()
    with file.open("r+b") as content:
        content.truncate()
        content.write(a_chart(extra="description: exchanged\n"))
    assert tmp_path.stat().st_mtime_ns == folder.st_mtime_ns
    assert (await repository.index()).as_yaml() == before
    clock.seconds += 11
    await repository.index()
    await repository._background
    assert (await repository.index()).find("demo", "1.0.0").record["description"] == "exchanged"


async def test_our_own_uploads_need_no_look(repository, tmp_path, reader):
    await repository.index()
    archive = tmp_path / "sent"
    archive.write_bytes(a_chart())
    await repository.index()
    looks = repository._shelf._looks
    await repository.put(Upload(archive))
    assert await versions(repository) == {"demo": ["1.0.0"]}
    assert repository._shelf._looks == looks
    await repository.delete("demo", "1.0.0")
    assert await versions(repository) == {}
    assert repository._shelf._looks == looks


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        pytest.param("demo-1.0.0.tgz", b"", "not a gzip archive", id="an empty file"),
        pytest.param("demo-1.0.0.tgz", a_chart()[:100], "broken gzip archive", id="half a chart"),
        pytest.param("demo-1.0.1.tgz", a_chart(), "belongs into a file", id="another version"),
        pytest.param("other-1.0.0.tgz", a_chart(), "belongs into a file", id="another chart"),
        pytest.param("demo-1.0.0.tgz", bytes(LIMIT + 1), "larger than", id="too large a file"),
        pytest.param(
            "demo-1.0.0.tgz",
            packed({"Chart.yaml": "name: demo\nversion: x\n"}),
            "version",
            id="a chart that is none",
        ),
    ],
)
async def test_what_is_no_chart_is_left_out_and_named_once(
    repository, tmp_path, caplog, name, content, problem
):
    put(tmp_path, a_chart("sound"), "sound-1.0.0.tgz")
    put(tmp_path, content, name)
    with caplog.at_level(logging.WARNING):
        assert await versions(repository) == {"sound": ["1.0.0"]}
        put(tmp_path, a_chart("more"), "more-1.0.0.tgz")
        assert await versions(repository) == {"more": ["1.0.0"], "sound": ["1.0.0"]}
    (record,) = [one for one in caplog.records if one.message == "archive is not listed"]
    assert (record.file, problem in record.problem) == (name, True)


async def test_other_files_and_folders_are_not_looked_at(repository, tmp_path):
    put(tmp_path, b"entries: {}\n", "index.yaml")
    put(tmp_path / "inner", a_chart())
    (tmp_path / "folder-1.0.0.tgz").mkdir()
    (tmp_path / "nowhere-1.0.0.tgz").symlink_to("nowhere")
    assert await versions(repository) == {}


async def test_an_archive_over_which_a_worker_dies_costs_the_others_nothing(tmp_path, clock):
    class Dying(OwnReader):
        async def chart_entries(self, paths, base):
            if any(path.name.startswith("bad") for path in paths):
                raise WorkerLost("a worker died")
            return await super().chart_entries(paths, base)

    for name in ("bad", "demo", "other"):
        put(tmp_path, a_chart(name), f"{name}-1.0.0.tgz")
    rules = Rules(LIMIT)
    repository = Repository(open_storage(str(tmp_path)), Dying(), "", rules, clock)
    assert await versions(repository) == {"demo": ["1.0.0"], "other": ["1.0.0"]}


async def test_many_who_ask_at_once_have_the_folder_read_once(repository, tmp_path, reader):
    put(tmp_path, a_chart())
    await asyncio.gather(*(repository.index() for _ in range(20)))
    assert reader.read == ["demo-1.0.0.tgz"]


async def test_an_index_survives_a_folder_that_goes_away(repository, tmp_path):
    put(tmp_path, a_chart())
    await repository.index()
    shutil.rmtree(tmp_path)
    assert await versions(repository) == {}
    put(tmp_path, a_chart())
    assert await versions(repository) == {"demo": ["1.0.0"]}


async def test_entries_are_of_the_time_when_their_files_were_written(repository, tmp_path):
    os.utime(put(tmp_path, a_chart()), (1_700_000_000, 1_700_000_000))
    (entry,) = yaml.safe_load((await repository.index()).as_yaml()[0])["entries"]["demo"]
    assert entry["created"] == "2023-11-14T22:13:20Z"
