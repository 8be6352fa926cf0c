import pytest

from tests.builders.charts import CHART_YAML, a_chart
from whipstaff.chart import values
from whipstaff.errors import ValuesInvalid


def coalesced(given, own="", **subcharts):
    files = {"values.yaml": own}
    for name, text in subcharts.items():
        files[f"charts/{name}/Chart.yaml"] = CHART_YAML.format(name=name)
        files[f"charts/{name}/values.yaml"] = text
    warnings: list[str] = []
    return values.coalesce(a_chart(files), given, warnings.append), warnings


@pytest.mark.parametrize(
    ("own", "given", "expected"),
    [
        pytest.param("a: 1", {}, {"a": 1.0}, id="a default"),
        pytest.param("a: 1", {"a": 2.0}, {"a": 2.0}, id="the user wins"),
        pytest.param(
            "a: {b: 1, c: 2}", {"a": {"b": 3.0}}, {"a": {"b": 3.0, "c": 2.0}}, id="tables"
        ),
        pytest.param("a: [1, 2]", {"a": [3.0]}, {"a": [3.0]}, id="lists are replaced"),
        pytest.param("a: 1", {"a": None}, {}, id="null deletes"),
        pytest.param("a: {b: 1, c: 2}", {"a": {"b": None}}, {"a": {"c": 2.0}}, id="null deep down"),
        pytest.param("a: {b: 1}", {"a": None}, {}, id="null deletes a table"),
        pytest.param("a: null", {}, {}, id="a null default is nothing"),
        pytest.param("a: {b: null, c: 1}", {}, {"a": {"c": 1.0}}, id="null defaults deep down"),
        pytest.param("a: 1", {"x": None}, {"a": 1.0, "x": None}, id="null without a default stays"),
        pytest.param("a: {b: null}", {"a": {"b": None}}, {"a": {"b": None}}, id="null over null"),
    ],
)
def test_the_users_values_lie_over_the_charts(own, given, expected):
    assert coalesced(given, own)[0] == expected


@pytest.mark.parametrize(
    ("own", "given", "kept", "warning"),
    [
        pytest.param(
            "a: text",
            {"a": {"b": 1.0}},
            {"a": {"b": 1.0}},
            "warning: skipped value for demo.a: Not a table.",
            id="a table over a scalar",
        ),
        pytest.param(
            "a: {b: {c: 1}}",
            {"a": {"b": "secret"}},
            {"a": {"b": "secret"}},
            "warning: cannot overwrite table with non table for demo.a.b",
            id="a scalar over a table",
        ),
        pytest.param(
            "a: {b: secret}",
            {"a": {"b": {"c": 1.0}}},
            {"a": {"b": {"c": 1.0}}},
            "warning: destination for demo.a.b is a table. Ignoring non-table value",
            id="a table over a scalar, deep down",
        ),
    ],
)
def test_a_table_that_meets_a_scalar_is_a_warning_without_the_value(own, given, kept, warning):
    assert coalesced(given, own) == (kept, [warning])


def test_globals_reach_the_charts_inside():
    found, _ = coalesced(
        {"global": {"a": 1.0, "t": {"x": 1.0}}},
        "global: {b: 2}",
        sub="global: {a: 9, c: 3, t: {z: 2}}\nown: 1",
    )
    assert found["sub"] == {
        "own": 1.0,
        "global": {"a": 1.0, "b": 2.0, "c": 3.0, "t": {"x": 1.0, "z": 2.0}},
    }
    assert found["global"] == {"a": 1.0, "b": 2.0, "t": {"x": 1.0}}


def test_null_deletes_a_default_of_a_chart_inside():
    found, _ = coalesced({"sub": {"a": None}}, "sub: {b: null}", sub="a: 1\nb: 2\nc: 3")
    assert found["sub"] == {"c": 3.0, "global": {}}


def test_values_for_a_chart_inside_must_be_a_table():
    with pytest.raises(ValuesInvalid, match="type mismatch on sub"):
        coalesced({"sub": "secret"}, sub="a: 1")


def test_neither_the_chart_nor_the_users_values_change():
    chart = a_chart({"values.yaml": "a: {b: 1}"})
    given = {"a": {"c": {"d": 1.0}}}
    values.coalesce(chart, given, print)["a"]["c"]["d"] = 2.0  # type: ignore[index]
    assert given == {"a": {"c": {"d": 1.0}}}
    assert chart.values == {"a": {"b": 1.0}}


def test_json_numbers_become_floats():
    assert values.of_json({"a": 1, "b": [True, 2.5, None, "x"]}) == {
        "a": 1.0,
        "b": [True, 2.5, None, "x"],
    }
    assert isinstance(values.of_json(1), float)
