import pytest

from whipstaff.chart.globs import BadPattern, files_pattern


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", "a.txt", True),
        ("*", "dir/a.txt", False),
        ("**", "dir/a.txt", True),
        ("dir/**", "dir/sub/a.txt", True),
        ("dir/*", "dir/sub/a.txt", False),
        ("**.yaml", "dir/sub/a.yaml", True),
        ("**/*.yaml", "a.yaml", False),
        ("?.txt", "a.txt", True),
        ("?", "/", False),
        ("[ab].txt", "b.txt", True),
        ("[!ab].txt", "b.txt", False),
        ("[a-c].txt", "b.txt", True),
        ("[!a-c].txt", "d.txt", True),
        ("{a,b}.txt", "b.txt", True),
        ("{a,b*}/{x,y}", "bcd/y", True),
        ("{a,b}.txt", "c.txt", False),
        ("a,b", "a,b", True),
        ("a}", "a}", True),
        (r"\*", "*", True),
        (r"\*", "x", False),
        ("", "", True),
        ("", "a", False),
        ("a.c", "abc", False),
    ],
)
def test_a_pattern_matches_what_helm_matches(pattern, name, matches):
    assert (files_pattern(pattern).fullmatch(name) is not None) is matches


@pytest.mark.parametrize("pattern", ["[", "[]", "[a", "[c-a]", "[a-bc]", "[!]"])
def test_a_broken_pattern_is_refused(pattern):
    with pytest.raises(BadPattern):
        files_pattern(pattern)
