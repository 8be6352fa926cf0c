import pytest

from whipstaff.golang.values import (
    ChartValues,
    Duration,
    Float32,
    GoObject,
    GoSignature,
    Int64,
    JSONNumber,
    RenderData,
    Strings,
    TypedList,
    TypedMap,
    Uint8,
    go_bytes,
    go_text,
    kind_of,
    sorted_keys,
    truth,
    type_name,
)


class Version(GoObject):
    go_type = "*semver.Version"

    def fields(self):
        return {"Major": lambda: 1}

    def methods(self):
        return {
            "Next": (lambda: "2", GoSignature()),
            "Add": (lambda n: n + 1, GoSignature(("int",))),
        }


class Files(GoObject):
    go_type = "engine.files"
    go_kind = "map"

    def underlying(self):
        return {"a": b"x"}


@pytest.mark.parametrize(
    ("value", "kind", "name"),
    [
        pytest.param(None, "invalid", "<nil>", id="nil"),
        pytest.param(True, "bool", "bool", id="bool"),
        pytest.param(1, "int", "int", id="int"),
        pytest.param(Int64(1), "int64", "int64", id="int64"),
        pytest.param(Uint8(1), "uint8", "uint8", id="uint8"),
        pytest.param(Duration(1), "int64", "time.Duration", id="duration"),
        pytest.param(1.0, "float64", "float64", id="float64"),
        pytest.param(Float32(1.0), "float32", "float32", id="float32"),
        pytest.param("a", "string", "string", id="string"),
        pytest.param(JSONNumber("1"), "string", "json.Number", id="json.Number"),
        pytest.param(b"a", "slice", "[]uint8", id="bytes"),
        pytest.param([], "slice", "[]interface {}", id="list"),
        pytest.param(Strings(), "slice", "[]string", id="strings"),
        pytest.param(TypedList((), "int"), "slice", "[]int", id="ints"),
        pytest.param({}, "map", "map[string]interface {}", id="map"),
        pytest.param(TypedMap(), "map", "map[string]string", id="map of strings"),
        pytest.param(ChartValues(), "map", "common.Values", id="values"),
        pytest.param(RenderData(), "map", "common.Values", id="data"),
        pytest.param(Version(), "ptr", "*semver.Version", id="pointer"),
        pytest.param(Files(), "map", "engine.files", id="named map"),
    ],
)
def test_every_value_has_gos_kind_and_type(value, kind, name):
    assert kind_of(value) == kind
    assert type_name(value) == name


def test_what_is_no_go_value_is_refused():
    with pytest.raises(TypeError, match="set is no Go value"):
        kind_of(set())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, False),
        (0, False),
        (Int64(0), False),
        (0.0, False),
        (float("nan"), True),
        ("", False),
        ("0", True),
        ([], False),
        ({}, False),
        (ChartValues(), False),
        (ChartValues({"a": 1}), True),
        (Version(), True),
        (Files(), True),
    ],
    ids=lambda value: repr(value) if not isinstance(value, GoObject) else type(value).__name__,
)
def test_truth_is_that_of_text_template(value, expected):
    assert truth(value) is expected


def test_arithmetic_wraps_around():
    assert Int64.wrap(1 << 63) == -(1 << 63)
    assert Uint8.wrap(257) == 1


def test_a_missing_key_of_a_typed_map_reads_as_its_zero_value():
    labels = TypedMap({"a": "1"})
    assert labels["b"] == ""
    assert labels.get("b") == ""
    assert "b" not in labels


def test_values_share_the_map_that_they_show():
    inner = {"a": 1}
    values = ChartValues(inner)
    values["b"] = 2
    assert inner == {"a": 1, "b": 2}
    assert dict(values) == inner
    assert list(values) == ["a", "b"]
    assert values == inner
    assert ChartValues(values).inner is inner


def test_values_stored_in_values_become_the_plain_map_again():
    inner = {"x": 1}
    outer = ChartValues({})
    outer["sub"] = ChartValues(inner)
    assert outer["sub"] is inner


def test_an_object_is_read_through_its_tables_alone():
    version = Version()
    assert version["Major"] == 1
    assert version["Next"] == "2"
    for name in ("fields", "__class__", "go_type", "Add", "nope"):
        with pytest.raises(KeyError):
            version[name]


def test_keys_sort_by_bytes():
    odd = go_text(b"\xff")
    assert sorted_keys({"b": 1, "a": 2, "\U0001f600": 3, odd: 4}) == ["a", "b", "\U0001f600", odd]


def test_bytes_that_are_no_utf8_survive():
    assert go_bytes(go_text(b"a\xff\xfe")) == b"a\xff\xfe"


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (2_000_000, "2ms"),
        (1_500_000_000, "1.5s"),
        (60_000_000_000, "1m0s"),
        (3_661_500_000_000, "1h1m1.5s"),
        (-90_000_000_000, "-1m30s"),
    ],
)
def test_durations_print_as_in_go(nanoseconds, text):
    assert Duration(nanoseconds).go_string() == text
