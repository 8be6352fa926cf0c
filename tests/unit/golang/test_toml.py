import pytest

from tests.builders.serialization import cases, go_value
from whipstaff.golang import toml
from whipstaff.golang.nil_values import NilList
from whipstaff.golang.timefmt import GoTime
from whipstaff.golang.values import Duration, Int64, JSONNumber, TypedList


def typed(value):
    """A value as the recorder wrote what Go had read, floats by their text."""
    match value:
        case dict():
            return {key: typed(held) for key, held in value.items()}
        case TypedList():
            return ["$maps", [typed(item) for item in value]]
        case list():
            return [typed(item) for item in value]
        case GoTime():
            return {"$": "time.Time", "v": value.go_string()}
        case Int64():
            return {"$": "int64", "v": str(int(value))}
        case float():
            return {"$": "float64", "v": repr(value)}
        case _:
            return value


def floats_respelt(value):
    if isinstance(value, dict):
        if value.get("$") == "float64":
            return {"$": "float64", "v": repr(float(value["v"]))}
        return {key: floats_respelt(held) for key, held in value.items()}
    return [floats_respelt(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", cases("toml_load"))
def test_a_document_is_read_or_refused_as_go_does(case):
    try:
        outcome = {"out": typed(toml.load(case["in"]))}
    except toml.TOMLError as error:
        outcome = {"error": error.text}
    if "error" in case:
        assert outcome == {"error": case["error"]}
    else:
        assert outcome == {"out": floats_respelt(case["out"])}


@pytest.mark.parametrize("case", cases("toml_dump"))
def test_a_value_is_written_or_refused_as_go_does(case):
    try:
        outcome = {"out": toml.dump(go_value(case["in"]))}
    except toml.TOMLError as error:
        outcome = {"error": error.text}
    assert outcome == ({"error": case["error"]} if "error" in case else {"out": case["out"]})


def test_times_and_durations_are_written_as_toml_has_them():
    read = toml.load("a = 1979-05-27T07:32:00.5-07:00\nb = 1979-05-27\nc = 07:32:00\n")
    assert toml.dump({**read, "d": Duration(1_500_000_000)}) == (
        'a = 1979-05-27T07:32:00.5-07:00\nb = 1979-05-27\nc = 07:32:00\nd = "1.5s"\n'
    )


def test_nil_is_left_out_and_kept_numbers_are_numbers():
    value = {"a": NilList(), "b": None, "c": JSONNumber("5"), "d": JSONNumber("1.5")}
    assert toml.dump(value) == "c = 5\nd = 1.5\n"


def test_nil_alone_panics():
    with pytest.raises(
        toml.TOMLPanic, match=r"reflect: call of reflect\.Value\.Type on zero Value"
    ):
        toml.dump(None)


def test_a_very_deep_document_is_refused():
    with pytest.raises(toml.TOMLError):
        toml.load("a = " + "[" * 100_000)
