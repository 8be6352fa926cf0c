"""What a chart server is told of archives, by a child with limits."""

import json

import pytest

from tests.builders.chart_servers import a_chart
from tests.builders.charts import packed
from whipstaff.errors import ChartTooLarge, ChartUnavailable, ValuesInvalid
from whipstaff.settings import Settings
from whipstaff.workers.pool import WorkerPool


@pytest.fixture
async def pool():
    pool = WorkerPool(Settings(worker_count=1, chart_bytes_limit=1 << 20))
    yield pool
    await pool.close()


@pytest.fixture
def kept(tmp_path):
    def keep(data, name="demo-1.0.0.tgz"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return keep


async def test_of_many_archives_each_has_an_entry_or_what_is_wrong_with_it(pool, kept):
    paths = [kept(a_chart()), kept(b"none", "a.tgz"), kept(bytes(2 << 20), "b.tgz")]
    sound, none, large = await pool.chart_entries(paths, "https://example.com/charts")
    assert (sound["name"], sound["version"]) == ("demo", "1.0.0")
    record = json.loads(sound["record"])
    assert record["urls"] == ["https://example.com/charts/demo-1.0.0.tgz"]
    assert "".join(sound["yaml"]).startswith("  - apiVersion: v2\n")
    assert "not a gzip archive" in none["error"]
    assert "larger than" in large["error"]


async def test_an_archive_that_went_away_is_no_fault_of_the_others(pool, tmp_path):
    with pytest.raises(ChartUnavailable):
        await pool.chart_entries([tmp_path / "gone.tgz"], "charts")


async def test_a_bomb_and_a_huge_entry_are_refused(pool, kept):
    bomb = kept(packed({"big": bytes(30 << 20)}), "bomb.tgz")
    huge = kept(a_chart(extra=f"annotations: {{a: {'x' * (129 << 10)}}}\n"))
    found = await pool.chart_entries([bomb, huge], "charts")
    assert ["error" in one for one in found] == [True, True]


async def test_values_are_what_was_written_and_templates_what_helm_reads(pool, kept):
    path = kept(a_chart(values_yaml="a: 1 # one\n", **{"templates/x_txt": "{{ 1 }}"}))
    assert (await pool.show(path, "values"))["values"] == "YTogMSAjIG9uZQo="
    assert (await pool.show(path, "templates"))["values"] == {"a": 1}
    assert (await pool.show(kept(a_chart()), "values"))["values"] is None


@pytest.mark.parametrize(
    ("what", "files", "error"),
    [
        pytest.param(
            "templates",
            {f"templates/{number}.txt": "x" * (4 << 20) for number in range(2)},
            ChartTooLarge,
            id="templates that are too much for an answer",
        ),
        pytest.param("templates", {"values.yaml": "[" * 50_000}, ValuesInvalid, id="deep values"),
    ],
)
async def test_what_costs_too_much_is_refused_and_the_next_chart_is_shown(
    pool, kept, what, files, error
):
    chart_yaml = "apiVersion: v2\nname: demo\nversion: 1.0.0\n"
    hostile = kept(packed({"Chart.yaml": chart_yaml, **files}), "hostile.tgz")
    with pytest.raises(error):
        await pool.show(hostile, what)
    shown = await pool.show(kept(a_chart(README_md="# fine\n")), "contents")
    assert shown["readme"] == "<h1>fine</h1>\n"


@pytest.mark.parametrize("piece", ["![", "[a](", "*a ", "_a_", ">", "`` `", "|a", "<a:", "- \n  "])
async def test_no_readme_holds_a_child_up_for_long(pool, kept, piece):
    # The pool's limit of CPU time would end it otherwise, as it ends a template.
    shown = await pool.show(kept(a_chart(README_md=piece * (200_000 // len(piece)))), "contents")
    assert shown["readme"]
