"""The quick reader of indexes finds what a whole reader of YAML finds, or says that it cannot."""

import io

import pytest

from bench import made_index
from whipstaff.golang import yaml
from whipstaff.workers import index_lines
from whipstaff.workers.index_lines import Unusual

HEAD = "apiVersion: v1\nentries:\n"
DIGEST = "0123456789abcdef" * 4
ENTRY = f"""\
  - apiVersion: v2
    digest: {DIGEST}
    name: blog
    urls:
    - blog-1.0.0.tgz
    version: 1.0.0
"""
WANTED = ("name", "version", "digest", "urls")


def quick(text):
    return index_lines.read(io.BytesIO(text.encode()))


def deeper(text):
    """Indent the entries of an index by two more, as yq and prettier do."""
    lines = [
        f"  {line}" if line.startswith(("  - ", "    ")) else line for line in text.split("\n")
    ]
    return "\n".join(lines)


def whole(text):
    """The same index as the whole reader has it, without what is not wanted."""
    index = yaml.load_strict(text)
    for listed in index["entries"].values():
        listed[:] = [
            {field: entry[field] for field in WANTED if field in entry} or None for entry in listed
        ]
    return index


def test_an_index_as_helm_writes_it_is_read_alike():
    text = made_index.text(charts=3, versions=4, images=2)
    assert quick(text) == whole(text)
    assert quick(deeper(text)) == whole(text)


@pytest.mark.parametrize("indent", [0, 2, 3, 4, 6])
def test_comments_are_passed_over(indent):
    text = HEAD + "  blog:\n" + ENTRY + "  wiki:\n" + ENTRY
    lines = text.splitlines(keepends=True)
    comment = " " * indent + "# name: evil\n"
    commented = comment + comment.join(lines) + comment
    assert quick(commented) == whole(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HEAD + "  blog:\n" + ENTRY, id="one"),
        pytest.param(HEAD + "  blog:\n" + ENTRY + "  wiki:\n" + ENTRY, id="two charts"),
        pytest.param("entries:\n  blog:\n" + ENTRY + "apiVersion: v1\n", id="the version last"),
        pytest.param(HEAD + "  blog:\n" + ENTRY.replace("1.0.0\n", "1.10\n"), id="a number"),
        pytest.param(
            HEAD + "  blog:\n" + ENTRY.replace(DIGEST, '"' + "1" * 31 + "e" + "1" * 32 + '"'),
            id="a digest that looks like a number",
        ),
        pytest.param(
            HEAD + "  blog:\n" + ENTRY.replace(DIGEST, "1" * 31 + "e" + "1" * 2), id="that is one"
        ),
        pytest.param(
            HEAD + "  blog:\n" + ENTRY.replace("    - blog-1.0.0.tgz", "    - a.tgz\n    - b.tgz"),
            id="two URLs",
        ),
        pytest.param(
            HEAD + "  blog:\n" + ENTRY.replace("    - blog-1.0.0.tgz", "      - a.tgz"),
            id="an indented list",
        ),
        pytest.param(
            HEAD + "  blog:\n" + ENTRY.replace("urls:\n    - blog-1.0.0.tgz", "urls: [a.tgz]"),
            id="a list in one line",
        ),
        pytest.param(
            HEAD + "  blog:\n  - annotations:\n      notes: |\n        name: evil\n\n"
            "        version: 9.9.9\n" + ENTRY.replace("  - ", "    ", 1),
            id="a text that looks like fields",
        ),
        pytest.param(HEAD + "  blog:\n  - apiVersion: v2\n" + ENTRY, id="one without a name"),
        pytest.param(HEAD + '  "3scale":\n' + ENTRY, id="a name in quotes"),
        pytest.param("---\n" + HEAD + "  blog:\n" + ENTRY, id="a marker at the start"),
        pytest.param(HEAD + "  blog:\n" + deeper(ENTRY) + "  wiki:\n" + ENTRY, id="both ways"),
        pytest.param(HEAD + "  blog:\n" + ENTRY + "  wiki:\n" + deeper(ENTRY), id="and back"),
        pytest.param(HEAD + "  a: []\n  blog:\n" + deeper(ENTRY), id="an empty one before"),
        pytest.param(
            HEAD + "  blog:\n" + ENTRY.replace(": 1.0.0", ': "1.0.0\n    # more"'),
            id="a comment in quotes",
        ),
        pytest.param(
            HEAD + "  blog:\n" + deeper(ENTRY) + "generated: now\nother:\n    - a\n",
            id="lists beside",
        ),
        pytest.param(HEAD + "  blog:\n" + ENTRY + "serverInfo:\n  a:\n  - b\n", id="more beside"),
    ],
)
def test_what_is_read_quickly_is_read_alike(text):
    try:
        found = quick(text)
    except Unusual:
        return  # the whole reader's, then
    assert found == whole(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HEAD + "    blog:\n" + ENTRY, id="other columns"),
        pytest.param(HEAD + "  blog: []\n", id="a list in one line"),
        pytest.param(HEAD + "  blog: &a\n" + ENTRY, id="an anchor"),
        pytest.param(HEAD + "  yes:\n" + ENTRY, id="a word of YAML's"),
        pytest.param(HEAD + "  blog:\n" + ENTRY + "  blog:\n" + ENTRY, id="a chart twice"),
        pytest.param(HEAD + "  blog:\n" + ENTRY + "    <<: *a\n", id="a merge"),
        pytest.param(HEAD + "  blog:\n" + ENTRY + "    ? key\n", id="a complex key"),
        pytest.param(HEAD + "\tblog:\n" + ENTRY, id="a tab"),
        pytest.param("apiVersion: v1\n", id="no entries"),
        pytest.param("<html>\n", id="HTML"),
        pytest.param("- a\n", id="a list"),
    ],
)
def test_what_is_laid_out_otherwise_is_left_to_the_whole_reader(text):
    with pytest.raises(Unusual):
        quick(text)


def test_a_field_that_comes_twice_is_refused():
    with pytest.raises(yaml.YAMLError):
        quick(HEAD + "  blog:\n" + ENTRY + "    version: 2.0.0\n")
