"""docs/faults.md names tests that exist, and reasons that errors have."""

import re
from pathlib import Path

import pytest

from whipstaff import errors

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))
ROWS = re.findall(r"^\| (?!fault|---)(.+?) \| (.+?) \| (.+?) \|$", TEXT, re.MULTILINE)
# The API server's own words, and what is made of them.
OF_KUBERNETES = {"Forbidden", "InternalError", "Invalid", "NoMatchForKind", "QuotaExceeded"}


@pytest.mark.parametrize(("file", "name"), TESTS, ids=[name for _, name in TESTS])
def test_each_test_that_is_named_exists(file, name):
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_each_row_names_a_test():
    assert len(ROWS) > 30
    assert [what for what, _, tests in ROWS if "::" not in tests] == []


def test_each_reason_is_that_of_an_error():
    reasons = {word for _, why, _ in ROWS for word in re.findall(r"`([A-Z]\w+)`", why)}
    assert {reason for reason in reasons - OF_KUBERNETES if not hasattr(errors, reason)} == set()
