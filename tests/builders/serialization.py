"""Cases of tests/oracle/serialization: what went into Go's libraries and what came out."""

import json
from pathlib import Path

import pytest

from whipstaff.golang.values import Int64

FOLDER = Path(__file__).parent.parent / "oracle" / "serialization"


def cases(name):
    """The cases of one file as pytest parameters; their ids are the shortened inputs."""
    return [
        pytest.param(case, id=f"{number}-{json.dumps(case['in'])[:40]}")
        for number, case in enumerate(json.loads((FOLDER / f"{name}.json").read_text()))
    ]


def go_value(value):
    """An input as Go had it: every number float64, `{"$int": "1"}` an int64."""
    if isinstance(value, dict):
        if value.keys() == {"$int"}:
            return Int64(value["$int"])
        return {key: go_value(held) for key, held in value.items()}
    if isinstance(value, list):
        return [go_value(item) for item in value]
    return float(value) if type(value) is int else value


def typed(value):
    """A value as the recorder wrote what Go had read: numbers with their Go type."""
    if isinstance(value, dict):
        return {key: typed(held) for key, held in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    if isinstance(value, Int64):
        return {"$": "int64", "v": int(value)}
    return {"$": "float64", "v": value} if isinstance(value, float) else value


def read_back(value):
    """The recorder's output with its numbers as numbers, for comparison with `typed`."""
    if isinstance(value, dict):
        if value.keys() == {"$", "v"}:
            kind = float if value["$"] == "float64" else int
            return {"$": value["$"], "v": kind(value["v"])}
        return {key: read_back(held) for key, held in value.items()}
    return [read_back(item) for item in value] if isinstance(value, list) else value
