"""Go's regexp; the oracle cases of the regex functions say the rest."""

import pytest

from whipstaff.golang.regexp import RegexpError, TooLong, compile_pattern, must_compile_text

ROOM = 1_000_000


def test_empty_matches_next_to_a_match_do_not_count():
    assert compile_pattern("a*").find_all("baac", -1) == ["", "aa", ""]
    assert compile_pattern("a*").replace_all("baac", "-", ROOM) == "-b-c-"


@pytest.mark.parametrize(
    ("replacement", "expected"),
    [
        ("$1x", ""),
        ("${1}x", "bx"),
        ("$$1", "$1"),
        ("$name", "b"),
        ("$", "$"),
        ("${", "${"),
        ("$9", ""),
    ],
)
def test_references_expand_as_in_go(replacement, expected):
    assert compile_pattern("a(?P<name>b)").replace_all("ab", replacement, ROOM) == expected


def test_bytes_that_are_no_utf8_stay():
    assert compile_pattern("a").replace_all("\udcffa\udcfe", "b", ROOM) == "\udcffb\udcfe"


def test_a_replacement_that_outgrows_its_room_stops():
    with pytest.raises(TooLong):
        compile_pattern("a").replace_all_literal("aaaa", "x" * 10, 20)


def test_a_broken_pattern_is_refused_in_gos_words():
    with pytest.raises(RegexpError) as refused:
        compile_pattern("a(b")
    assert str(refused.value) == "error parsing regexp: missing closing ): `a(b`"
    assert must_compile_text("a(b", refused.value).startswith("regexp: Compile(`a(b`): error")


@pytest.mark.timeout(10)
def test_a_pattern_that_explodes_elsewhere_does_not_here():
    assert not compile_pattern("(a*)*b").matches("a" * 50_000)


def test_a_huge_pattern_is_refused():
    with pytest.raises(RegexpError, match="too large"):
        compile_pattern("a" * 100_000)
