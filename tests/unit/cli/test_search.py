"""`whipstaff search repo` beside `helm search repo`, on the same indexes."""

import pytest

from tests.builders.beside_helm import Beside
from tests.builders.helm_commands import run

REPOSITORIES = """\
apiVersion: ""
generated: "0001-01-01T00:00:00Z"
repositories:
- name: stable
  url: http://127.0.0.1:1
- name: z
  url: http://127.0.0.1:1
"""
# Laid out as helm lays it out.
STABLE = """\
apiVersion: v1
entries:
  blog:
  - apiVersion: v2
    appVersion: "7"
    description: A weblog, with a description that is longer than fifty characters
    keywords:
    - web
    - Text
    name: blog
    urls:
    - blog-2.0.0-rc1.tgz
    version: 2.0.0-rc1
  - apiVersion: v2
    appVersion: "6"
    description: A weblog
    name: blog
    urls:
    - blog-1.0.0.tgz
    version: 1.0.0
  - apiVersion: v2
    appVersion: "6"
    description: A weblog <b>& more</b>
    name: blog
    urls:
    - blog-1.10.0.tgz
    version: 1.10.0
  shop:
  - apiVersion: v2
    description: sells what the blog praises
    name: shop
    urls:
    - shop-0.1.0.tgz
    version: 0.1.0
generated: "2024-01-01T00:00:00Z"
"""
# Laid out by someone else.
OTHER = r"""
apiVersion: v1
entries:
    foo:
        - name: foo
          version: 1.0.0-rc1
          description: "A \u00fcber 世界 chart\nover lines \e[31m and on, over fifty columns"
          keywords: [web, Blog]
          appVersion: "1.10"
        - {name: foo, version: "0.9", description: old}
    bar: []
    Quux:
        - name: Quux
          version: 2.0.0+build
          appVersion: "<3>"
          type: library
          description: plain & simple
"""
NO_INDEX = [
    pytest.param("", id="empty"),
    pytest.param("<html>\n<p>a: b: c</p>\n", id="HTML"),
    pytest.param("text", id="a text"),
    pytest.param("- a", id="a list"),
    pytest.param("entries: {}", id="no version of its own"),
]


def lay_out(side, stable=STABLE, other=OTHER):
    (side.home / "CONFIG").mkdir()
    (side.home / "CONFIG" / "repositories.yaml").write_text(REPOSITORIES)
    (side.home / "CACHE" / "repository").mkdir(parents=True)
    (side.home / "CACHE" / "repository" / "stable-index.yaml").write_text(stable)
    (side.home / "CACHE" / "repository" / "z-index.yaml").write_text(other)


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    beside = Beside(tmp_path_factory.mktemp("search"))
    for side in (beside.helm, beside.ours):
        lay_out(side)
    return beside


@pytest.mark.cluster
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="all"),
        pytest.param(["-l"], id="all versions"),
        pytest.param(["--devel"], id="pre-releases"),
        pytest.param(["--devel", "-l", "-o", "json"], id="pre-releases as JSON"),
        pytest.param(["blog"], id="a word in names and descriptions"),
        pytest.param(["BLOG", "-l"], id="in any case"),
        pytest.param(["weblog"], id="a word in descriptions"),
        pytest.param(["text", "--devel"], id="a word in keywords"),
        pytest.param(["stable/"], id="the repository"),
        pytest.param(["a", "weblog"], id="two words in this order"),
        pytest.param(["-r", "bl.g$", "--devel"], id="an expression"),
        pytest.param(["-r", "["], id="no expression"),
        pytest.param(["-r", "Blog"], id="an expression minds the case"),
        pytest.param(["--version", "<1.5"], id="a range"),
        pytest.param(["--version", "~~1"], id="no range"),
        pytest.param(["--max-col-width", "10"], id="narrow"),
        pytest.param(["--max-col-width", "2", "--devel"], id="very narrow"),
        pytest.param(["--max-col-width", "0", "--devel"], id="as wide as it is"),
        pytest.param(["--max-col-width", "x"], id="no width"),
        pytest.param(["nope"], id="nothing found"),
        pytest.param(["nope", "--fail-on-no-result"], id="nothing found, which is a failure"),
        pytest.param(["nope", "-o", "json"], id="nothing as JSON"),
        pytest.param(["nope", "-o", "yaml", "--fail-on-no-result"], id="nothing as YAML"),
        pytest.param(["-o", "yaml"], id="YAML"),
        pytest.param(["-o", "xml"], id="an unknown format"),
    ],
)
def test_it_finds_what_helm_finds(beside, arguments):
    beside.same("search", "repo", *arguments)


@pytest.mark.cluster
@pytest.mark.parametrize("text", NO_INDEX)
def test_an_index_that_is_none_is_passed_over_as_by_helm(tmp_path, text):
    beside = Beside(tmp_path)
    for side in (beside.helm, beside.ours):
        lay_out(side, other=text)
    assert "stable/blog" in beside.same("search", "repo").stdout


@pytest.mark.cluster
def test_entries_that_helm_minds_are_passed_over_with_its_warnings(tmp_path):
    bad = """\
apiVersion: v1
entries:
  a:
  - name: a
    version: 1.0.0
  - name: a
    version: x.y
  - name: ""
    version: 1.0.0
  - null
  - name: a/b
    version: 1.0.0
  - name: ..
    version: 1.0.0
  - name: a
  - name: a
    version: 2.0.0
    type: weird
"""
    beside = Beside(tmp_path)
    for side in (beside.helm, beside.ours):
        lay_out(side, other=bad)
    assert beside.same("search", "repo", "z/").stderr.count("WARN") == 7


@pytest.mark.cluster
def test_an_index_that_is_not_there_is_passed_over_as_by_helm(tmp_path):
    beside = Beside(tmp_path)
    for side in (beside.helm, beside.ours):
        lay_out(side)
        (side.home / "CACHE" / "repository" / "z-index.yaml").unlink()
    beside.same("search", "repo", "blog")


def test_nothing_is_searched_where_nothing_was_added(tmp_path, monkeypatch):
    monkeypatch.setenv("HELM_CONFIG_HOME", str(tmp_path))
    assert run("search", "repo") == ("", "Error: no repositories configured\n", 1)


def test_artifact_hub_is_not_searched():
    out, error, code = run("search", "hub", "blog")
    assert (out, code) == ("", 1)
    assert error.startswith("Error: search hub is not offered")
