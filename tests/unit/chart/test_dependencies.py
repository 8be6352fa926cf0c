import pytest

from tests.builders.charts import CHART_YAML, a_chart
from whipstaff.chart import dependencies
from whipstaff.errors import ChartInvalid

SUBS = {f"charts/{name}/Chart.yaml": CHART_YAML.format(name=name) for name in ("db", "web")}


def a_parent(declared, values="", **files):
    return a_chart(
        {
            "Chart.yaml": CHART_YAML.format(name="demo") + f"dependencies: {declared}\n",
            "values.yaml": values,
            **SUBS,
            **files,
        }
    )


def names(chart):
    return sorted(one.name for one in chart.subcharts)


@pytest.mark.parametrize(
    ("declared", "given", "expected"),
    [
        pytest.param("[{name: db, version: 1.x.x}]", {}, ["db", "web"], id="undeclared ones stay"),
        pytest.param(
            "[{name: db, version: 1.x.x, condition: db.on}]",
            {"db": {"on": False}},
            ["web"],
            id="a condition switches off",
        ),
        pytest.param(
            "[{name: db, version: 1.x.x, condition: 'none.at.all,db.on'}]",
            {"db": {"on": False}},
            ["web"],
            id="the first condition with a value counts",
        ),
        pytest.param(
            "[{name: db, version: 1.x.x, condition: db.on}]",
            {"db": {"on": "false"}},
            ["db", "web"],
            id="text is no condition",
        ),
        pytest.param(
            "[{name: db, version: 1.x.x, tags: [a, b]}]",
            {"tags": {"a": False}},
            ["web"],
            id="a tag switches off",
        ),
        pytest.param(
            "[{name: db, version: 1.x.x, tags: [a, b]}]",
            {"tags": {"a": False, "b": True}},
            ["db", "web"],
            id="one true tag is enough",
        ),
        pytest.param(
            "[{name: db, version: 1.x.x, tags: [a], condition: db.on}]",
            {"tags": {"a": False}, "db": {"on": True}},
            ["db", "web"],
            id="a condition wins over tags",
        ),
        pytest.param(
            "[{name: db, version: 1.x.x, alias: one}, {name: db, version: 1.x.x, alias: two}]",
            {},
            ["one", "two", "web"],
            id="aliases",
        ),
        pytest.param(
            "[{name: db, version: 1.x.x, alias: one, condition: one.on}]",
            {"one": {"on": False}},
            ["web"],
            id="a condition of an alias",
        ),
        pytest.param("[{name: db, version: ~2}]", {}, ["db", "web"], id="a version out of range"),
    ],
)
def test_the_right_charts_take_part(declared, given, expected):
    assert names(dependencies.process(a_parent(declared), given, lambda _: None)) == expected


def test_a_chart_without_declarations_is_left_alone():
    chart = a_chart(SUBS)
    assert dependencies.process(chart, {}, lambda _: None) is not None
    assert names(chart) == ["db", "web"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param("[data]", {"port": 1.0, "db": {}}, id="an export"),
        pytest.param(
            "[{child: inner, parent: moved.here}]",
            {"moved": {"here": {"deep": 2.0}}, "db": {}},
            id="a child under a parent",
        ),
        pytest.param("[{child: none, parent: x}]", {"db": {}}, id="a missing table is no error"),
    ],
)
def test_values_are_imported(wanted, expected):
    chart = a_parent(
        f"[{{name: db, version: 1.x.x, import-values: {wanted}}}]",
        **{"charts/db/values.yaml": "exports: {data: {port: 1}}\ninner: {deep: 2}\n"},
    )
    values = dependencies.process(chart, {}, lambda _: None).values or {}
    assert {key: value for key, value in values.items() if key not in {"db", "web"}} == {
        key: value for key, value in expected.items() if key != "db"
    }


def test_the_parents_own_values_win_over_imported_ones():
    chart = a_parent(
        "[{name: db, version: 1.x.x, import-values: [data]}]",
        "port: 9",
        **{"charts/db/values.yaml": "exports: {data: {port: 1, other: 2}}"},
    )
    values = dependencies.process(chart, {}, lambda _: None).values or {}
    assert (values["port"], values["other"]) == (9.0, 2.0)


def test_a_missing_dependency_is_named():
    chart = a_parent("[{name: gone, version: 1.x.x}, {name: lost, version: 1.x.x}]")
    with pytest.raises(ChartInvalid) as refused:
        dependencies.check(chart)
    assert str(refused.value).endswith(
        "found in Chart.yaml, but missing in charts/ directory: gone, lost"
    )
