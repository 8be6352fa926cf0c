"""Each field of k3s' HelmChart is told of."""

import re
from pathlib import Path

import pytest

from tests.builders.conversions import fields

PAGE = Path(__file__).parents[2] / "docs" / "coming-from-k3s.md"
TABLE = PAGE.read_text(encoding="utf-8").partition("## What is another")[2]
NAMES = sorted({path.split(".")[1].removesuffix("[]") for path, _ in fields("k3s-helmchart")})
SAME = {"helmVersion"}  # has one value


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SAME])
def test_a_field_is_told_of(name):
    assert re.search(rf"[`.]{name}[`:]", TABLE)
