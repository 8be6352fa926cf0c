"""What is read line by line is what libyaml's events give."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whipstaff.golang import yaml
from whipstaff.golang.yaml_lines import read
from whipstaff.golang.yaml_reader import EventReader, Resolver, Unusual, YAMLError

SCALARS = [
    "a", "1", "-1", "1e3", "012", "0x1F", "1_000", "yes", "no", "on", "~", "null", "2020-01-02",
    "12:30", "a:b", "a: b", "a:", "a#b", "a #b", "#b", "-", "- a", "--flag=x", "-a", "?", "? a",
    "'a'", "'a''b'", "'a", "'a' #c", "'a'#c", '"a"', r'"a\"b\n"', r'"\t"', '"a" b', '"a: b"',
    "[]", "{}", "[a, b]", "[1, {a: b}]", "{a: [1]}", "[a]: [b]", "{a: b}: {c: d}", "[a", "[a] #c",
    "|", "|-", "|+", "| #c", "|2", ">", ">-", "&a b", "*a", "!t a", "%a", "@a", "`a`", "a ", "  a",
    "(a)", "$(a)", "/a/b", ".5", ".", "...", "---", "<<", "=", "{{ a }}", "a, b", "a]", "\\", "\ta",
    "é", "\x85", "a\rb", "",
]  # fmt: skip
KEYS = ["a", "b", "a.b/c-d", '"a"', "'b'", "y", "null", "1", "-a", "<<", "a b", '"a b"', "? a", "_"]

lines = st.builds(
    "{}{}{}{}".format,
    st.integers(0, 5).map(lambda indent: " " * indent),
    st.sampled_from(["", "", "", "- ", "-   ", "- - "]),
    st.one_of(st.just(""), st.sampled_from(KEYS).flatmap(
        lambda key: st.sampled_from([f"{key}: ", f"{key}:", f"{key}:  "])
    )),
    st.sampled_from(SCALARS),
)  # fmt: skip
simple = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "  ", "    ", "  - ", "- ", "    - "]),
    st.sampled_from(["a: ", "b: ", "c:", "d: ", ""]),
    st.sampled_from(["a", "1", "", "", "|", "|-", "|+", "  deep", "'q'", "[a]", "# c", "{}"]),
)
texts = st.builds(
    lambda found, end: "\n".join(found) + end,
    st.lists(st.one_of(simple, simple, lines, st.just("")), min_size=1, max_size=9),
    st.sampled_from(["", "\n", "\n\n", "\n  "]),
)


def numbered(number):
    return f"{type(number).__name__} {number!r}"


@settings(max_examples=1500, deadline=None)
@given(texts)
def test_a_text_is_read_as_by_events_or_not_at_all(text):
    resolver = Resolver(numbered)
    try:
        found = read(text, resolver)
    except (Unusual, YAMLError):
        return
    expected = next(EventReader(text).values(resolver), None)
    assert found == expected
    assert str(found) == str(expected)  # the order of keys, and the types of values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: 1\nb:\n  c: x\n", {"a": 1, "b": {"c": "x"}}, id="maps"),
        pytest.param("a:\n- b: 1\n  c:\n  - d\ne:", {"a": [{"b": 1, "c": ["d"]}], "e": None},
                     id="lists as far left as their keys"),
        pytest.param("a: |\n  x\n\n   y\n\nb: |-\n  z\n\n", {"a": "x\n\n y\n", "b": "z"},
                     id="literal blocks"),
        pytest.param("a:\n  {}\nb:\n  c\n", {"a": {}, "b": "c"}, id="values on lines of their own"),
        pytest.param("# c\n\n", None, id="nothing"),
        pytest.param("a: |\n  x", {"a": "x"}, id="a block whose last line has no end"),
        pytest.param("a: [1, b] \nc: {}\n", {"a": [1, "b"], "c": {}}, id="collections in a line"),
        pytest.param('# c\na: "x\\n" # c\n\nb: \'it\'\'s\'', {"a": "x\n", "b": "it's"},
                     id="quotes and comments"),
    ],
)  # fmt: skip
def test_ordinary_documents_are_read(text, expected):
    assert read(text, Resolver(lambda number: number)) == expected


@pytest.mark.parametrize(
    "text",
    ["a: &x 1", "a: !t 1", "a: >\n b", "a\n b", "a: b: c", "a:\n   b: 1\n  c: 2", "? a",
     "---\na: 1", "a: b\n  c: d", "a: |\n", "a:\tb", "<<: {a: b}", "a: 'b\n  c'",
     "a:\n  b\n  c", "a:\nb", "{}"],
)  # fmt: skip
def test_what_is_out_of_the_ordinary_is_left_to_others(text):
    with pytest.raises(Unusual):
        read(text, Resolver(float))


def test_what_one_text_gave_is_not_changed_through_another():
    first, second = yaml.load("a: [x]\n"), yaml.load("a: [x]\n")
    first["a"].append("y")
    assert second == {"a": ["x"]}
