"""Charts that a grammar made up give what Helm gave: a sample, and what was wrong once.

`make fuzz` compares with Helm itself; the files are written by `bench/fuzz.py`.
"""

import json
from pathlib import Path

import pytest

from tests.fuzz.case import Case, Outcome
from tests.fuzz.sides import ours

FOLDER = Path(__file__).parent / "fuzz"


def recorded():
    for path in sorted(FOLDER.glob("*.jsonl")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            yield pytest.param(json.loads(line), id=f"{path.stem}-{number}")


@pytest.mark.parametrize("record", list(recorded()))
def test_a_made_up_chart_gives_what_helm_gives(record):
    expected = Outcome.of_record(record)
    interpreted, compiled = ours(Case.of(record))
    assert interpreted == expected
    assert compiled == expected
