"""Versions and constraints as Masterminds/semver reads them; semverCompare has more cases."""

import random

import pytest

from whipstaff.golang.semver import Constraint, SemverError, Version

ASCENDING = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "v1.0.1",
    "1.2",
    "2",
    "10.0.0",
]


def test_versions_sort_by_precedence():
    versions = [Version.parse(text) for text in ASCENDING]
    shuffled = random.Random(1).sample(versions, len(versions))
    assert sorted(shuffled) == versions


def test_metadata_and_spelling_do_not_count_in_comparisons():
    assert Version.parse("v1.2+a") == Version.parse("1.2.0+b")
    assert hash(Version.parse("v1.2+a")) == hash(Version.parse("1.2.0"))


def test_a_version_remembers_how_it_was_spelled():
    version = Version.parse("v1.2-rc.1+m")
    assert (version.original, str(version)) == ("v1.2-rc.1+m", "1.2.0-rc.1+m")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "version string empty"),
        ("1.2", "invalid semantic version"),
        ("v1.2.3", "invalid characters in version"),
        ("1.02.3", "version segment starts with 0"),
        ("1.2.3-01", "version segment starts with 0"),
        ("1.2.3-a..b", "invalid prerelease string"),
        ("1.2.3+a_b", "invalid metadata string"),
        ("1.2.٣", "invalid characters in version"),
        ("1..3", 'strconv.ParseUint: parsing "": invalid syntax'),
        ("1" * 300, "version string is too long (max 256 bytes)"),
    ],
)
def test_a_strict_version_is_complete_or_refused(text, complaint):
    with pytest.raises(SemverError) as refused:
        Version.parse_strict(text)
    assert str(refused.value) == complaint


def test_a_strict_version_reads_all_parts():
    version = Version.parse_strict("1.2.3-rc.1+build.5")
    assert (version.major, version.minor, version.patch) == (1, 2, 3)
    assert (version.prerelease, version.metadata) == ("rc.1", "build.5")


@pytest.mark.parametrize(
    ("constraint", "allowed", "refused"),
    [
        ("^1.2", ["1.2.0", "1.9.9"], ["1.1.9", "2.0.0", "1.3.0-rc1"]),
        ("~1.2.3", ["1.2.3", "1.2.9"], ["1.2.2", "1.3.0"]),
        (">=1.0 <2 || 3.x", ["1.5.0", "3.9.0"], ["2.0.0", "4.0.0"]),
        ("1.2 - 2.3", ["1.2.0", "2.3.9"], ["1.1.0", "2.4.0"]),
        (">=1.0.0-0", ["1.0.0-alpha", "2.0.0-rc1"], ["0.9.0"]),
        ("*", ["0.0.1", "9.9.9"], ["1.0.0-rc1"]),
    ],
)
def test_a_constraint_allows_its_range(constraint, allowed, refused):
    parsed = Constraint.parse(constraint)
    assert [text for text in allowed + refused if parsed.allows(Version.parse(text))] == allowed


def test_prereleases_pass_if_they_are_asked_for():
    assert Constraint.parse("^1").allows(Version.parse("1.1.0-rc1"), include_prerelease=True)


@pytest.mark.parametrize("text", ["bad", "", "1.2.3.4", ">> 1", "x" * 600, "1||" * 40])
def test_a_constraint_that_is_none_is_refused(text):
    with pytest.raises(SemverError):
        Constraint.parse(text)
