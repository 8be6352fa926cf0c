"""`whipstaff show` beside `helm show`."""

import pytest

from tests.builders.beside_helm import Beside
from tests.builders.charts import packed
from tests.builders.signatures import Signer
from tools.chartrepo import ChartRepository

VALUES = """\
# of the image
image: {repository: nginx, tag: "1.2"}
ports: [{name: web, port: 80.5, open: true}, {name: admin, port: 9e9}, {name: none, port: null}]
names: [a, b, c, d]
nested: {x: {y: {z: 1}}, "a.b": dotted, "<": "<&>"}
empty: []
nothing: null
yes: true
number: 1e6
"""
CRD = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: %s}\n"
RICH = {
    "Chart.yaml": """\
# a comment
apiVersion: v2
name: rich
version: 1.0.0
description: 'Ünï: <b>'
annotations: {b: '1', a: x}
""",
    "values.yaml": VALUES,
    "ReadMe.MD": "# Rich\n",
    "readme": "another",
    "crds/a.yaml": CRD % "a",
    "crds/b.yml": "---\n" + CRD % "b",
    "crds/c.txt": "no CRD",
    "charts/inner/Chart.yaml": "apiVersion: v2\nname: inner\nversion: 1.0.0\n",
    "charts/inner/crds/d.yaml": CRD % "d",
}
FILES = {
    **{f"rich/{name}": text for name, text in RICH.items()},
    "bare/Chart.yaml": "apiVersion: v2\nname: bare\nversion: 1.0.0\n",
    "broken/Chart.yaml": "apiVersion: v2\nname: broken\n",
    "bytes/Chart.yaml": "apiVersion: v2\nname: bytes\nversion: 1.0.0\n",
    "bytes/README.md": b"\xff\xfe",
    "rich-1.0.0.tgz": packed(RICH, top="rich"),
}
PARTS = ("all", "chart", "readme", "values", "crds")


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    beside = Beside(tmp_path_factory.mktemp("show"))
    beside.lay_out(FILES)
    return beside


pytestmark = pytest.mark.cluster  # helm is there then


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "chart",
    ["rich", "rich-1.0.0.tgz", "bare", "bytes", "broken", "./nope", "nope", "rich/values.yaml"],
)
def test_it_prints_what_helm_prints(beside, part, chart):
    beside.same("show", part, chart)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("charts", [[], ["bare", "rich"]], ids=["none", "two"])
def test_it_wants_one_chart(beside, part, charts):
    beside.same("show", part, *charts)


def test_it_goes_by_its_other_name(beside):
    assert beside.ours.run("inspect", "chart", "bare") == beside.ours.run("show", "chart", "bare")


@pytest.mark.parametrize(
    "template",
    [
        "{.image.tag}",
        "image: {.image.repository}:{.image.tag}{'\\n'}",
        '{"\\t\\x41\\u00e9\\101"}{"it\'s"}',
        "{.image}",
        "{image.tag}",
        "{$.image.tag}{@.image.tag}",
        "{['image'].tag}{.image['tag','repository']}",
        "{.nested.a\\.b}{.nested['<']}{.nested}",
        "{.names}{.names[0]}{.names[-1]}{.names[1:3]}{.names[::2]}{.names[-2:]}{.names[*]}",
        "{.names[0,2]}",
        "{.ports[*].name} and {.ports[*].port}",
        "{.ports[?(@.name=='admin')].port}",
        '{.ports[?(@.name!="admin")].name}',
        "{.ports[?(@.open)].name}",
        "{.ports[?(@.port>81.5)].name}",
        "{.ports[?(@.port==80)].name}",
        "{range .ports[*]}[{.name}]{end}.",
        "{range .ports[*]}{range @.name}<{@}>{end}, {end}",
        "{range .empty[*]}{.name}{end}.",
        "{range .empty[*]}x{end}.",
        "{..name}",
        "{..z}",
        "{.nothing}{.yes}{.number}{1}{-2.5}{true}",
        "{.image.nope}",
        "{.names[9]}",
        "{.names[3:1]}",
        "{.names[0:4:0]}",
        "{.image[0]}",
        "{.names.x}",
        "no action",
        "{}",
        "{.",
        "{.names[}",
        "{.names[x]}",
        "{.names[?(@.x}",
        "{#}",
        "{'open}",
        "{....x}",
        "{+}",
        "{end}",
        "{nope}",
        "{range .names[*]}{@}",
    ],
)
def test_a_jsonpath_finds_what_helm_finds(beside, template):
    beside.same("show", "values", "rich", "--jsonpath", template)


def test_it_takes_charts_of_repositories(beside):
    with ChartRepository() as repository:
        repository.add(packed(RICH, top="rich"))
        beside.same("show", "values", "rich", "--repo", repository.url)
        beside.same("show", "chart", "rich", "--repo", repository.url, "--version", "^1")
        beside.same("show", "chart", "rich", "--repo", repository.url, "--version", "^2")


def test_it_verifies_on_demand(beside):
    beside.lay_out({"jo.gpg": Signer().public})
    beside.same("show", "chart", "rich-1.0.0.tgz", "--verify", "--keyring", "jo.gpg")
