"""`whipstaff repo index` beside `helm repo index`: equal but for the time."""

import re

import pytest

from tests.builders.beside_helm import Beside
from tests.builders.charts import packed

RICH = """\
apiVersion: v2
name: blog
version: 1.10.0+build
appVersion: "1.0"
description: 'Ünï <b>&</b>'
home: https://example.com
icon: i
kubeVersion: '>=1'
deprecated: true
type: application
keywords: [b, a]
sources: [https://s]
annotations: {z: '1', a: 'true'}
maintainers: [{url: u, email: e, name: jo}, {name: al}]
dependencies:
- name: db
  repository: 'https://r'
  version: 1
  tags: [x]
  alias: a
  import-values: [d, {parent: p, child: c}]
"""
OLD = "name: old\nversion: 0.1.0\n"
OTHER = """\
apiVersion: v1
generated: "2020-01-01T00:00:00Z"
publicKeys: [k]
entries:
  blog:
  - {name: blog, version: 1.2.0, apiVersion: v2, urls: [x.tgz], digest: other}
  - {name: blog, version: 9.0.0, urls: ['https://b.tgz'], created: '2020-01-01T00:00:00.5Z'}
  - {name: blog, version: nine}
  -
  more:
  - {name: more, version: 1.0.0, urls: [m.tgz], removed: true, maintainers: [{name: x, url: z}]}
"""


def chart(text):
    return packed({"Chart.yaml": text}, top="x")


FILES = {
    "r/blog-1.2.0.tgz": chart("apiVersion: v2\nname: blog\nversion: 1.2.0\n"),
    "r/blog-1.10.0.tgz": chart(RICH),
    "r/blog-1.10.0-rc.tgz": chart("apiVersion: v2\nname: blog\nversion: 1.10.0-rc.1\n"),
    "r/sub/old-0.1.0.tgz": chart(OLD),
    "r/sub/deeper/x.tgz": chart(OLD),
    "r/no chart.tgz": "no archive",
    "r/with blank.tgz": chart("apiVersion: v2\nname: blank\nversion: 1.0.0\n"),
    "r/README.md": "",
    "other.yaml": OTHER,
    "no.yaml": "",
    "list.yaml": "[]",
    "unknown.yaml": "apiVersion: v1\nentries: {a: [{name: a, version: 1.0.0, hash: x}]}\n",
    "unversioned.yaml": "entries: {}\n",
}
NOW = re.compile(rb'((?:created|generated)"?: )"20(?!20)[^"]+"')


@pytest.fixture
def beside(tmp_path):
    beside = Beside(tmp_path)
    beside.lay_out(FILES)
    return beside


def timeless(tree):
    return {name: NOW.sub(rb"\1NOW", data) for name, data in tree.items()}


@pytest.mark.cluster
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["YAML", "JSON"])
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="as it is"),
        pytest.param(["--url", "https://example.com/a b/"], id="with a URL"),
        pytest.param(["--url", "charts"], id="with a path"),
        pytest.param(["--merge", "other.yaml"], id="merged"),
        pytest.param(["--merge", "new.yaml"], id="merged into one that is not there"),
        pytest.param(["--merge", "no.yaml"], id="merged with nothing"),
        pytest.param(["--merge", "list.yaml"], id="merged with no index"),
        pytest.param(["--merge", "unknown.yaml"], id="merged with what would be lost"),
        pytest.param(["--merge", "unversioned.yaml"], id="merged with no version"),
    ],
)
def test_it_writes_what_helm_writes(beside, arguments, form):
    ours, helms = beside.run("repo", "index", "r", *arguments, *form)
    assert ours == helms
    assert timeless(beside.ours.tree()) == timeless(beside.helm.tree())


@pytest.mark.cluster
@pytest.mark.parametrize("arguments", [[], ["a", "b"]], ids=["none", "two"])
def test_it_wants_one_folder(beside, arguments):
    beside.same("repo", "index", *arguments)


@pytest.mark.cluster
def test_a_folder_that_is_not_there_is_refused_and_not_made(beside):
    ours, helms = beside.run("repo", "index", "nowhere")
    assert (ours.code, ours.stdout) == (helms.code, helms.stdout) == (1, "")
    assert ours.stderr == "Error: open FOLDER/nowhere/index.yaml: no such file or directory\n"
    assert not (beside.ours.folder / "nowhere").exists()
