import json

import pytest

from whipstaff.errors import RepoIndexInvalid
from whipstaff.sources.entries import entries_of, summary
from whipstaff.workers import index

URL = "https://charts.example.org/index.yaml"


def compacted(tmp_path, text: str | bytes):
    source, target = tmp_path / "index.yaml", tmp_path / "entries"
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    facts = index.compact(str(source), str(target), URL)
    found = summary(target)
    assert (facts["charts"], facts["versions"], facts["skipped"]) == found
    names = json.loads(target.read_text().splitlines()[1])
    return facts, [
        [name, [list(map(plain, entry)) for entry in entries_of(target, name)]] for name in names
    ]


def plain(value):
    return list(value) if isinstance(value, tuple) else value


def entry(version: object, **changes):
    return {"name": "blog", "version": version, "urls": ["blog.tgz"], "digest": "d"} | changes


def index_of(*entries):
    return json.dumps({"apiVersion": "v1", "entries": {"blog": list(entries)}})


def test_entries_become_lines_with_the_newest_version_first(tmp_path):
    text = index_of(entry("1.9.0"), entry("1.10.0-rc.1"), entry("v1.10.0"), entry("0.1"))
    facts, lines = compacted(tmp_path, text)
    assert facts == {"charts": 1, "versions": 4, "skipped": 0}
    assert [version for version, _, _ in lines[0][1]] == ["v1.10.0", "1.10.0-rc.1", "1.9.0", "0.1"]
    assert lines[0][1][0] == ["v1.10.0", "d", ["blog.tgz"]]


def test_yaml_is_read_as_json_is(tmp_path):
    text = """
apiVersion: v1
entries:
  blog:
  - name: blog
    version: 1.10
    urls: [blog.tgz]
"""
    _, lines = compacted(tmp_path, text)
    assert lines == [["blog", [["1.1", "", ["blog.tgz"]]]]]


def test_entries_that_cannot_be_used_are_skipped_and_counted(tmp_path):
    bad = [None, 1, entry("none"), entry(None), entry("1.0.0", name=None), entry("1.0.0", urls="x")]
    facts, lines = compacted(tmp_path, index_of(*bad, entry("1.0.0")))
    assert facts["skipped"] == len(bad)
    assert len(lines[0][1]) == 1


def test_a_chart_without_a_usable_version_is_not_listed(tmp_path):
    assert compacted(tmp_path, index_of())[1] == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "empty index.yaml file", id="empty"),
        pytest.param("{}", "no API version specified", id="an empty table"),
        pytest.param("entries: {}", "no API version specified", id="no API version"),
        pytest.param("apiVersion: v1", "no entries", id="no entries"),
        pytest.param("apiVersion: v1\nentries: []", "no entries", id="a list of entries"),
        pytest.param("hello", "no YAML table", id="a word"),
        pytest.param("<!DOCTYPE html>\n<html><body>Hi</body></html>", "text/html", id="HTML"),
        pytest.param("<html>\n<p>a: b: c\n</html>", "text/html", id="more HTML"),
        pytest.param(b"\xff\xfe", "not UTF-8", id="no UTF-8"),
        pytest.param("a: b: c", "mapping values are not allowed", id="no YAML"),
        pytest.param(
            "apiVersion: v1\nentries: {a: [], a: []}", "already", id="a chart that comes twice"
        ),
        pytest.param("[" * 50_000, "exceeded max depth", id="deep"),
    ],
)
def test_what_is_no_index_is_said_with_its_url(tmp_path, text, why):
    with pytest.raises(RepoIndexInvalid, match=why) as refused:
        compacted(tmp_path, text)
    assert refused.value.text.startswith(URL)


def changes(tmp_path, before, after):
    """Return what is said of an index that follows another one."""
    for name, text in (("first", before), ("second", after)):
        (tmp_path / f"{name}.yaml").write_text(text)
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    index.compact(f"{first}.yaml", first, URL)
    found = index.compact(f"{second}.yaml", second, URL, first)
    return found["changed"], found["exchanged"]


def charts(**named):
    return json.dumps({"apiVersion": "v1", "entries": named})


def test_charts_with_other_versions_than_before_are_named(tmp_path):
    blog, shop, wiki = ([entry("1.0.0", name=name)] for name in ("blog", "shop", "wiki"))
    newer = [entry("1.1.0"), *blog]
    before, after = charts(blog=blog, shop=shop, gone=wiki), charts(shop=shop, blog=newer, new=wiki)
    assert changes(tmp_path, before, after) == (["blog", "gone", "new"], [])
    assert changes(tmp_path, before, before) == ([], [])


def test_a_version_with_another_digest_than_before_is_named(tmp_path):
    before = index_of(entry("1.0.0"), entry("1.1.0", digest=""), entry("2.0.0"))
    after = index_of(entry("1.0.0", digest="e"), entry("1.1.0"), entry("2.0.0"), entry("3.0.0"))
    assert changes(tmp_path, before, after) == (["blog"], ["blog 1.0.0"])


def test_of_very_many_changes_only_some_are_named(tmp_path):
    many = {f"c{number}": [entry("1.0.0")] for number in range(1001)}
    other = {name: [entry("1.0.0", digest="e")] for name in many}
    changed, exchanged = changes(tmp_path, charts(**many), charts(**other))
    assert (changed, len(exchanged)) == (None, 1000)
