"""Definitions: a chart brings kinds in crds/ or in its templates, and objects of them at once."""

import pytest

from tests.builders.charts import packed
from tests.builders.live_releases import NOT_FOUND
from tests.builders.ordered_charts import a_definition, an_object
from tests.builders.two_lives import NAME, WAIT
from tools.controlplane.client import Refused

FIRST, SECOND = "1.0.0", "1.1.0"


@pytest.fixture
def group(namespace):
    """An API group of the test's own: kinds belong to no namespace."""
    return f"{namespace}.test"


def kinds_chart(group, version, folder="crds", custom=True, says="{{ .Chart.Version }}"):
    """Pack a chart with the kind Thing, described by the chart's version, and an object of it."""
    mark = f"{{described: '{version}'}}"
    files = {
        "Chart.yaml": f"apiVersion: v2\nname: kinds\nversion: {version}\n",
        f"{folder}/thing.yaml": a_definition("things", "Thing", group, annotations=mark),
        "templates/object.yaml": an_object("v1", "ConfigMap", f"data: {{v: {says}}}"),
    }
    if custom:
        files["templates/custom.yaml"] = an_object(f"{group}/v1", "Thing", "spec: {size: 1}")
    return packed(files, top="kinds")


def described(releases, group):
    """Say which chart version the definition is of; empty if there is none."""
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.{group}"
    found = releases.find(path)
    return found["metadata"]["annotations"]["described"] if found else ""


def custom(releases, group):
    return releases.find(f"/apis/{group}/v1/namespaces/{releases.namespace}/things/object")


@pytest.mark.parametrize("folder", ["crds", "templates"])
def test_a_kind_and_an_object_of_it_come_with_one_release(releases, repository, group, folder):
    repository.add(kinds_chart(group, FIRST, folder))
    releases.create(NAME, "kinds")
    releases.settled(NAME, 1)
    assert custom(releases, group)["spec"] == {"size": 1}
    releases.delete(NAME)
    releases.gone(NAME)
    # What stands in crds/ is never deleted: every object of the kind would go with it.
    assert described(releases, group) == (FIRST if folder == "crds" else "")
    assert described(releases, group) == "" or custom(releases, group) is None


def test_helm_leaves_the_same(releases, repository, group):
    repository.add(kinds_chart(group, FIRST))
    source = ("kinds", "--repo", repository.url)
    releases.helm("install", NAME, *source, *WAIT)
    releases.helm("uninstall", NAME, *WAIT)
    assert described(releases, group) == FIRST
    assert custom(releases, group) is None


@pytest.mark.parametrize(
    ("spec", "after_install", "after_upgrade"),
    [
        pytest.param({}, FIRST, FIRST, id="default: as Helm"),
        pytest.param({"install": {"crds": "Skip"}}, "", "", id="install: Skip"),
        pytest.param({"upgrade": {"crds": "Create"}}, FIRST, FIRST, id="upgrade: Create"),
        pytest.param(
            {"upgrade": {"crds": "CreateReplace"}}, FIRST, SECOND, id="upgrade: CreateReplace"
        ),
        pytest.param(
            {"install": {"crds": "Skip"}, "upgrade": {"crds": "Create"}},
            "",
            SECOND,
            id="upgrade: Create, the first time",
        ),
    ],
)
def test_crds_are_treated_as_the_policy_of_the_action_says(
    releases, repository, group, spec, after_install, after_upgrade
):
    for version in (FIRST, SECOND):
        repository.add(kinds_chart(group, version, custom=False))
    releases.create(NAME, "kinds", FIRST, **spec)
    releases.settled(NAME, 1)
    assert described(releases, group) == after_install
    releases.choose(NAME, SECOND)
    releases.settled(NAME, 2)
    assert described(releases, group) == after_upgrade


def test_a_chart_of_which_only_the_definitions_are_others_has_them_replaced(
    releases, repository, group
):
    for version in (FIRST, SECOND):
        repository.add(kinds_chart(group, version, says="the same", custom=False))
    releases.create(NAME, "kinds", FIRST, upgrade={"crds": "CreateReplace"})
    releases.settled(NAME, 1)
    releases.choose(NAME, SECOND)
    releases.settled(NAME, 2)
    assert described(releases, group) == SECOND


@pytest.mark.parametrize(
    ("policy", "expected"), [("Create", "before"), ("CreateReplace", FIRST), ("Skip", "before")]
)
def test_a_definition_that_is_there_is_left_unless_it_is_to_be_replaced(
    releases, repository, group, policy, expected
):
    there = a_definition("things", "Thing", group, annotations="{described: before}")
    releases.control_plane.kubectl("apply", "-f", "-", stdin=there)
    repository.add(kinds_chart(group, FIRST, custom=False))
    releases.create(NAME, "kinds", install={"crds": policy})
    releases.settled(NAME, 1)
    assert described(releases, group) == expected
    metadata = releases.find(
        f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.{group}"
    )["metadata"]
    assert "labels" not in metadata  # it is not the release's
    assert "meta.helm.sh/release-name" not in metadata["annotations"]


def test_an_object_of_a_kind_that_nobody_brings_is_refused(releases, repository, group):
    repository.add(kinds_chart(group, FIRST))
    releases.create(NAME, "kinds", install={"crds": "Skip"})
    said = releases.refused(NAME, "NoMatchForKind")["message"]
    assert "Thing" in said
    assert releases.stored(NAME) == {}
    with pytest.raises(Refused) as refused:
        releases.api.request("GET", releases.core("configmaps", "object"))
    assert refused.value.code == NOT_FOUND
