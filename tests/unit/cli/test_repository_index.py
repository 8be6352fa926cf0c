"""An index is read alike whatever way it is read, and refused where it is none."""

import json

import pytest

from bench import made_index
from whipstaff.cli import repository_index
from whipstaff.cli.repository_index import IndexEntry, IndexInvalid, read
from whipstaff.golang import yaml
from whipstaff.golang.semver import SemverError

HEAD = "apiVersion: v1\nentries:\n"
ENTRY = """\
  blog:
  - apiVersion: v2
    name: blog
    urls:
    - blog-1.0.0.tgz
    version: 1.0.0
"""


def index(text):
    return read(text.encode(), "here")


def entry(**fields):
    head = f"{HEAD}  blog:\n  - name: blog\n    urls:\n    - a.tgz\n"
    return index(head + "".join(f"    {name}: {text}\n" for name, text in fields.items()))


def quick(text):
    return repository_index._quickly(text.encode(), None)


def test_helms_layout_and_json_say_the_same():
    text = made_index.text(charts=3, versions=4, images=1)
    as_json = json.dumps(yaml.load(text))
    assert quick(text) is not None
    assert index(text) == index(as_json)


def test_one_chart_is_read_without_the_others():
    text = made_index.text(charts=3, versions=4, images=1)
    found = read(text.encode(), "here", "chart-001").charts
    assert list(found) == ["chart-001"]
    assert found["chart-001"] == index(text).charts["chart-001"]


@pytest.mark.parametrize(
    "value",
    [
        "plain words",
        '"quoted"',
        "'it''s'",
        r'"with \u00fc and \" in it"',
        "|\n      two\n      lines",
        ">-\n      folded\n\n      lines",
        "plain\n      going on",
        "'- looks like more: of it'",
        "a:b#c",
        '"a # no comment"',
        "words # a comment",
        "yes",
        "1.0",
        "null",
        "''",
        "!!str 12",
        "http://example.com/x",
    ],
)
def test_a_value_is_read_as_yaml_reads_it(value):
    text = f"{HEAD}{ENTRY}    description: {value}\n"
    wanted = yaml.string_of(yaml.load_typed(text)["entries"]["blog"][0]["description"]) or ""
    [found] = index(text).charts["blog"]
    assert found.description == " ".join(wanted.split("\n"))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{HEAD}  blog: &a\n  - name: blog\n", id="an anchor"),
        pytest.param(f"{HEAD}  ? blog\n  : []\n", id="a complex key"),
        pytest.param(f"{HEAD}  12:\n  - name: x\n", id="a number for a name"),
        pytest.param(f"{HEAD}{ENTRY}{ENTRY}", id="a chart twice"),
        pytest.param(f"{HEAD}{ENTRY}    name: other\n", id="a key twice"),
        pytest.param(f"{HEAD}{ENTRY}    <<: {{}}\n", id="a merge"),
        pytest.param(f"{HEAD}{ENTRY}\tx: 1\n", id="a tab"),
        pytest.param(f"{HEAD}{ENTRY}".replace("\n", "\r\n"), id="lines of another system"),
        pytest.param(f"{HEAD}    blog:\n    - name: blog\n", id="other indentation"),
        pytest.param(f"entries:\n{ENTRY}", id="no version"),
        pytest.param(f"{HEAD}{ENTRY}entries: {{}}\n", id="entries twice"),
    ],
)
def test_what_is_laid_out_otherwise_is_left_to_a_whole_reader(text):
    assert quick(text) is None


def test_versions_come_newest_first():
    versions = ("1.0.0", "1.10.0", "2.0.0-rc1", "1.9.0")
    lines = "".join(f"  - name: a\n    version: {version}\n" for version in versions)
    found = index(f"{HEAD}  a:\n{lines}").charts["a"]
    assert [one.version for one in found] == ["2.0.0-rc1", "1.10.0", "1.9.0", "1.0.0"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param("", "1.10.0", id="the newest that is no pre-release"),
        pytest.param("1.9.0", "1.9.0", id="exactly this one"),
        pytest.param("2.0.0-rc1", "2.0.0-rc1", id="exactly this pre-release"),
        pytest.param(">0.0.0-0", "2.0.0-rc1", id="pre-releases too"),
        pytest.param("<1.10", "1.9.0", id="a range"),
        pytest.param("7", None, id="none"),
    ],
)
def test_a_version_is_chosen_as_helm_chooses_it(wanted, expected):
    versions = ("1.0.0", "1.10.0", "2.0.0-rc1", "1.9.0")
    lines = "".join(f"  - name: a\n    version: {version}\n" for version in versions)
    found = index(f"{HEAD}  a:\n{lines}").find("a", wanted)
    assert (found.version if found else None) == expected


def test_a_version_that_stands_for_a_range_is_told_of(capsys):
    assert entry(version="1.2.3").find("blog", "1.2").version == "1.2.3"
    assert "falling back to closest available version" in capsys.readouterr().err


def test_a_range_that_cannot_be_read_is_refused():
    with pytest.raises(SemverError):
        entry(version="1.0.0").find("blog", "~~")


def test_texts_that_may_go_to_a_terminal_hold_nothing_that_steers_it():
    found = entry(version="1.0.0", description=r'"a\eb\nc\u202e"').charts["blog"]
    assert found == (IndexEntry("blog", "1.0.0", "", "ab c", (), ("a.tgz",), ""),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "empty index.yaml file", id="nothing"),
        pytest.param("<!DOCTYPE html>\n<html></html>", "cannot unmarshal string", id="HTML"),
        pytest.param("a: [", "error converting YAML to JSON", id="no YAML"),
        pytest.param("{", "error converting YAML to JSON", id="no JSON"),
        pytest.param("\x00", "control characters are not allowed", id="binary"),
        pytest.param("[]", "cannot unmarshal array", id="a list"),
        pytest.param("entries: {}", "no API version specified", id="no version"),
        pytest.param("[" * 20_000, "exceeded max depth", id="nested without end"),
    ],
)
def test_what_is_no_index_is_refused(text, problem):
    with pytest.raises(IndexInvalid, match=problem):
        index(text)
