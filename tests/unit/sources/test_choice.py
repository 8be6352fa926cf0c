import pytest

from whipstaff.errors import ChartUnavailable, InvalidSpec
from whipstaff.sources.choice import Entry, choose, same_version

VERSIONS = ["3.0.0-rc.1", "2.1.0", "2.0.0+build", "v1.9.0", "1.10", "1.0.0-beta", "0.9.0"]
ENTRIES = [Entry(version, "", ()) for version in VERSIONS]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        pytest.param("", "2.1.0", id="nothing asked for: no pre-release"),
        pytest.param("*", "2.1.0", id="anything: no pre-release"),
        pytest.param("3.0.0-rc.1", "3.0.0-rc.1", id="a pre-release by its name"),
        pytest.param(">=3.0.0-0", "3.0.0-rc.1", id="a range that has pre-releases"),
        pytest.param("1.9.0", "v1.9.0", id="a leading v is tolerated"),
        pytest.param("v2.1.0", "2.1.0", id="also in what is asked for"),
        pytest.param("2.0.0", "2.0.0+build", id="build metadata does not count"),
        pytest.param("^1", "v1.9.0", id="caret"),
        pytest.param("~1.10.0", "1.10", id="tilde"),
        pytest.param(">=0.9 <1", "0.9.0", id="two bounds"),
        pytest.param("1.10", "1.10", id="the exact spelling wins"),
        pytest.param("1.x || 2.x", "2.1.0", id="one or the other"),
    ],
)
def test_versions_are_chosen_as_helm_chooses(wanted, chosen):
    assert choose("blog", wanted, ENTRIES, "http://r").entry.version == chosen


def test_a_range_without_a_version_is_named_with_the_newest_five():
    with pytest.raises(ChartUnavailable) as refused:
        choose("blog", "^9", ENTRIES, "http://r")
    assert refused.value.text == (
        "no chart version found for blog in range '^9'; the newest in http://r are "
        "3.0.0-rc.1, 2.1.0, 2.0.0+build, v1.9.0, 1.10"
    )


def test_a_range_that_cannot_be_read_is_the_users_to_change():
    with pytest.raises(InvalidSpec, match="'one' is no version and no range") as refused:
        choose("blog", "one", ENTRIES, "http://r")
    assert refused.value.field == "spec.chart.version"


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("v1.0.0", "1.0.0", True),
        ("1.0", "1.0.0", True),
        ("1.0.0+a", "1.0.0+b", False),
        ("1.0.0", "1.0.1", False),
        ("x", "x", True),
        ("x", "1.0.0", False),
    ],
)
def test_spellings_of_one_version_are_the_same(left, right, same):
    assert same_version(left, right) is same


@pytest.mark.parametrize(
    ("wanted", "newer"),
    [
        pytest.param("", 0, id="the newest stable one"),
        pytest.param("1.10", 3, id="pre-releases do not count"),
        pytest.param("3.0.0-rc.1", 0, id="a pre-release that is newer than all"),
        pytest.param("0.9.0", 4, id="the oldest"),
    ],
)
def test_it_is_told_how_many_stable_versions_are_newer(wanted, newer):
    assert choose("blog", wanted, ENTRIES, "http://r").newer == newer
