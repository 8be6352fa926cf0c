"""The language of --set says what Helm's own parser says."""

import json
from pathlib import Path

import pytest

from whipstaff.chart import strvals

CASES = json.loads(
    (Path(__file__).parents[2] / "oracle" / "strvals" / "cases.json").read_text(encoding="utf-8")
)


def read_file(name):
    if name == "missing":
        raise strvals.StrvalsError("open missing: no such file or directory")
    return f"content of {name}"


PARSERS = {
    "set": strvals.parse,
    "string": strvals.parse_string,
    "json": strvals.parse_json,
    "literal": strvals.parse_literal,
    "file": lambda text, values: strvals.parse_file(text, values, read_file),
}


def base_of(case):
    return json.loads(case["base"], parse_int=float) if "base" in case else {}


def marked(value):
    """Whole numbers as the oracle writes down int64, apart from float64."""
    match value:
        case dict():
            return {key: marked(inner) for key, inner in value.items()}
        case list():
            return [marked(inner) for inner in value]
        case int() if not isinstance(value, bool):
            return {"int64": str(value)}
        case _:
            return value


def name_of(case):
    shown = case["text"] if len(case["text"]) < 40 else f"{case['text'][:40]}…"
    return f"{case['kind']} {shown!r}" + (" onto values" if "base" in case else "")


@pytest.mark.parametrize("case", [case for case in CASES if "values" in case], ids=name_of)
def test_an_assignment_gives_the_values_that_helm_gives(case):
    values = base_of(case)
    PARSERS[case["kind"]](case["text"], values)
    assert marked(values) == case["values"]


@pytest.mark.parametrize("case", [case for case in CASES if "error" in case], ids=name_of)
def test_a_refusal_is_in_helms_words(case):
    with pytest.raises(strvals.StrvalsError) as refused:
        PARSERS[case["kind"]](case["text"], base_of(case))
    # Helm never shows what its JSON decoder said.
    if case["kind"] != "json":
        assert str(refused.value) == case["error"]


def test_lists_in_lists_without_an_end_are_refused():
    with pytest.raises(strvals.StrvalsError, match="nested too deeply"):
        strvals.parse("a" + "[0]" * 100_000 + "=1", {})


def test_the_largest_index_is_helms():
    values = {}
    strvals.parse("a[65536]=1", values)
    assert len(values["a"]) == 65_537
