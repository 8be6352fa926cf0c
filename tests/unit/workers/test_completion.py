"""The job that finds charts in their sources, done by real workers."""

import hashlib

import pytest

from tests.builders.charts import packed_raw
from tests.builders.repositories import an_archive
from whipstaff.chart.model import Dependency
from whipstaff.chart.wanted import CompleteChart, Wanted
from whipstaff.errors import ChartTooLarge, ChartUnavailable
from whipstaff.settings import Settings
from whipstaff.workers.pool import WorkerPool

REPOSITORY = "https://charts.example.com"
HEAD = "apiVersion: v2\nname: app\nversion: 1.0.0\n"
NEEDS = f"{HEAD}dependencies:\n- {{name: blog, version: ^1, repository: {REPOSITORY!r}}}\n"
FOLDER = Wanted(artifact=True, path="app")


@pytest.fixture
async def pool(tmp_path):
    settings = Settings(cache_folder=tmp_path, worker_count=1, chart_bytes_limit=1 << 20)
    pool = WorkerPool(settings)
    yield pool
    await pool.close()


@pytest.fixture
def source(tmp_path):
    def make(*members):
        path = tmp_path / "artifact"
        path.write_bytes(packed_raw(*members))
        return path

    return make


async def test_a_folder_is_packed_into_the_same_bytes_each_time(pool, source, tmp_path):
    artifact = source(("app/Chart.yaml", HEAD), ("app/templates/a.yaml", "a: 1"))
    targets = [tmp_path / "first", tmp_path / "second"]

    found = [await pool.complete(artifact, target, FOLDER) for target in targets]

    assert found == [CompleteChart("app", "1.0.0", written=True)] * 2
    digests = {hashlib.sha256(target.read_bytes()).digest() for target in targets}
    assert len(digests) == 1
    assert await pool.inspect(targets[0]) == ("app", "1.0.0")


async def test_what_is_missing_is_asked_for_and_put_in(pool, source, tmp_path):
    artifact, target, blog = source(("app/Chart.yaml", NEEDS)), tmp_path / "t", tmp_path / "blog"
    blog.write_bytes(an_archive("blog", "1.1.0"))
    needed = Dependency("blog", "^1", REPOSITORY)

    asked = await pool.complete(artifact, target, FOLDER)
    assert (asked.missing, asked.written, target.exists()) == ((needed,), False, False)
    done = await pool.complete(artifact, target, FOLDER, [(needed, blog)])
    assert (done.missing, done.written) == ((), True)


async def test_an_archive_that_lacks_nothing_is_not_written_again(pool, tmp_path):
    archive, target = tmp_path / "blog.tgz", tmp_path / "target"
    archive.write_bytes(an_archive("blog", "1.0.0"))

    assert await pool.complete(archive, target, Wanted()) == CompleteChart("blog", "1.0.0")
    assert not target.exists()


async def test_a_source_that_left_the_cache_is_worth_another_try(pool, tmp_path):
    with pytest.raises(ChartUnavailable):
        await pool.complete(tmp_path / "gone", tmp_path / "target", Wanted())


async def test_a_packed_chart_may_not_be_larger_than_any_chart(pool, source, tmp_path):
    noise = b"".join(hashlib.sha256(b"%d" % at).digest() for at in range(40_000))
    artifact = source(("app/Chart.yaml", HEAD), ("app/noise", noise))

    with pytest.raises(ChartTooLarge, match="larger than 1048576 bytes"):
        await pool.complete(artifact, tmp_path / "target", FOLDER)


async def test_a_job_that_fails_leaves_its_worker_at_work(pool, source, tmp_path):
    bomb = source(("app/Chart.yaml", HEAD), *((f"app/{at}", bytes(5 << 20)) for at in range(25)))

    with pytest.raises(ChartTooLarge):
        await pool.complete(bomb, tmp_path / "target", FOLDER)
    whole = source(("app/Chart.yaml", HEAD))
    assert (await pool.complete(whole, tmp_path / "target", FOLDER)).name == "app"
