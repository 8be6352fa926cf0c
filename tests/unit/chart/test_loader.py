import pytest

from tests.builders.charts import CHART_YAML, a_chart, packed
from whipstaff.chart import folder, loader
from whipstaff.errors import ChartInvalid, ChartTooDeep, ValuesInvalid

SUB = CHART_YAML.format(name="sub")


def test_charts_inside_come_from_folders_and_archives():
    chart = a_chart(
        {
            "charts/one/Chart.yaml": CHART_YAML.format(name="one"),
            "charts/one/values.yaml": "a: 1",
            "charts/sub-1.0.0.tgz": packed({"Chart.yaml": SUB}, top="sub"),
            "charts/_ignored/Chart.yaml": SUB,
            "charts/.ignored/Chart.yaml": SUB,
            "charts/sub-1.0.0.tgz.prov": "signed",
        }
    )
    assert sorted(one.name for one in chart.subcharts) == ["one", "sub"]
    assert [file.name for file in chart.files] == ["charts/sub-1.0.0.tgz.prov"]


def test_an_error_inside_names_the_way_to_it():
    with pytest.raises(ChartInvalid) as refused:
        a_chart({"charts/bad/Chart.yaml": "name: bad\n"})
    assert str(refused.value) == (
        "error unpacking subchart bad in demo: validation: chart.metadata.version is required"
    )


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("# nothing\n", {}),
        ("a: 1\nb: 1.5\nc: 100000000000\n", {"a": 1.0, "b": 1.5, "c": 1e11}),
        ("a: {b: 1}\n---\na: {c: 2}\n", {"a": {"b": 1.0, "c": 2.0}}),
        ("---\na: 1\n--- # more\nb: 2\n", {"a": 1.0, "b": 2.0}),
        ("a: yes\nb: 012\nc: 12:30\n", {"a": True, "b": 10.0, "c": "12:30"}),
        ("a: null\n", {"a": None}),
        ("text: |\n  ---\n  x\n", {"text": "---\nx\n"}),
    ],
)
def test_values_are_read_as_helm_reads_them(text, values):
    assert loader.parse_values(text.encode(), "values.yaml") == values


@pytest.mark.parametrize("text", ["- a", "scalar", "a: [", "\ta: 1", "--- a: 1\n", "a: b: c"])
def test_values_that_are_no_table_are_refused(text):
    with pytest.raises(ValuesInvalid, match=r"cannot load values\.yaml: ") as refused:
        loader.parse_values(text.encode(), "values.yaml")
    assert refused.value.where == "values.yaml"


def test_folders_inside_folders_end_somewhere():
    path = "charts/c/" * 50
    with pytest.raises(ChartTooDeep):
        a_chart({f"{path[: 9 * n]}Chart.yaml": CHART_YAML.format(name="c") for n in range(51)})


def test_a_folder_is_read_without_what_it_ignores(tmp_path):
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(CHART_YAML.format(name="demo"))
    (tmp_path / ".helmignore").write_text("*.bak\n")
    (tmp_path / "templates" / "a.yaml").write_text("a")
    (tmp_path / "templates" / "a.yaml.bak").write_text("b")
    (tmp_path / "templates" / ".a.swp").write_text("c")
    chart = folder.load(tmp_path)
    assert [file.name for file in chart.templates] == ["templates/a.yaml"]
    assert [file.name for file in chart.files] == [".helmignore"]
