"""docs/settings.md names each setting, in the order of the code, with its default."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from whipstaff.settings import PREFIX, Settings

TEXT = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| (?:`([^`]+)`)? ?\| \S.* \|$", TEXT, re.MULTILINE)


def test_each_setting_is_explained_once():
    assert [name for name, _ in ROWS] == [PREFIX + each.name.upper() for each in fields(Settings)]


@pytest.mark.parametrize(("name", "default"), ROWS)
def test_each_default_is_that_of_the_code(name, default):
    assert Settings.from_environment({name: default} if default else {}) == Settings()
    if not default:
        assert not getattr(Settings(), name.removeprefix(PREFIX).lower())
