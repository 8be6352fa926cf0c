import json

import pytest

from whipstaff.errors import RepoIndexTooLarge
from whipstaff.sources.entries import NAMES_LIMIT, names_of


def an_index(folder, count):
    """Write what is left of an index of so many charts."""
    places = dict.fromkeys((f"chart-{number}" for number in range(count)), 0)
    file = folder / "entries"
    file.write_text(f"[{count},{count},0]\n{json.dumps(places)}\n")
    return file


def test_names_come_in_order(tmp_path):
    assert names_of(an_index(tmp_path, 3)) == ("chart-0", "chart-1", "chart-2")


def test_more_charts_than_anybody_looks_through_are_not_read(tmp_path):
    with pytest.raises(RepoIndexTooLarge, match="10001 charts"):
        names_of(an_index(tmp_path, NAMES_LIMIT + 1))
