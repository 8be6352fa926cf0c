"""HelmReleases that ask for what cannot be, or for very much: named, and nobody else is held up."""

import contextlib
import json

import pytest
import yaml

from tests.builders.live_releases import LiveReleases, condition, eventually, is_true
from tests.builders.small_charts import CONFIG_MAP, a_packed_chart, app_chart, settings_chart
from tools.controlplane.client import Refused
from tools.running_operator import CRDS, RunningOperator, prepare

TEXTS = "ü \u202edetrever\u202c 😀 \u0000 \u001b[31m \u2028 ' \" {{ .Values }} # : - |"
KIBIBYTE = 1024


@pytest.fixture(autouse=True)
def _published(repository):
    repository.add(settings_chart("1.0.0"))
    repository.add(app_chart())


# What the definition refuses, if it is stored nevertheless.


@pytest.fixture
def unruled(own_cluster, repository):
    """Releases of a cluster whose definition takes any spec, as an older one might have."""
    cluster = own_cluster()
    prepare(cluster)
    definition = yaml.safe_load((CRDS / "helmreleases.yaml").read_text(encoding="utf-8"))
    [version] = definition["spec"]["versions"]
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = version["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"] = anything
    schema.pop("x-kubernetes-validations", None)
    definition["metadata"]["resourceVersion"] = cluster.api.request(
        "GET", f"{DEFINITIONS}/helmreleases.whipstaff.dev"
    )["metadata"]["resourceVersion"]
    cluster.api.request("PUT", f"{DEFINITIONS}/helmreleases.whipstaff.dev", definition)
    running = RunningOperator(cluster).start()
    cluster.kubectl("create", "namespace", "unruled")
    yield LiveReleases(cluster, "unruled", repository.url)
    running.stop()


DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAME_RULE = "spec.releaseName must be a release name"
UNSOUND = {
    "no-source": ({"chart": {"repository": None}}, "InvalidSpec", "spec.chart"),
    "no-chart": ({"chart": None}, "InvalidSpec", "spec.chart"),
    "negative": ({"interval": "-1s"}, "InvalidSpec", "spec.interval"),
    "days": ({"interval": "1d"}, "InvalidSpec", "spec.interval"),
    "ages": ({"interval": "99999999h"}, "InvalidSpec", "spec.interval"),
    "never": ({"interval": ""}, "InvalidSpec", "spec.interval"),
    "zero": ({"interval": 0}, "InvalidSpec", "spec.interval"),
    "slow": ({"timeout": "25h"}, "InvalidSpec", "spec.timeout"),
    "soon": ({"timeout": "soon"}, "InvalidSpec", "spec.timeout"),
    "long-name": ({"releaseName": "a" * 54}, "ReleaseNameInvalid", NAME_RULE),
    "upper": ({"releaseName": "UPPER"}, "ReleaseNameInvalid", NAME_RULE),
    "dots": ({"releaseName": "a..b"}, "ReleaseNameInvalid", NAME_RULE),
    "dash": ({"releaseName": "-a"}, "ReleaseNameInvalid", NAME_RULE),
    "revision-0": ({"revision": 0}, "InvalidSpec", "spec.revision"),
    "revision-text": ({"revision": "3"}, "InvalidSpec", "spec.revision"),
    "revision-huge": ({"revision": 2**63 - 1}, "InvalidSpec", "spec.revision"),
    "history": ({"maxHistory": -1}, "InvalidSpec", "spec.maxHistory"),
    "much-history": ({"maxHistory": 10**9}, "InvalidSpec", "spec.maxHistory"),
    "many-values": (
        {"valuesFrom": [{"kind": "Secret", "name": "a"}] * 10_000},
        "InvalidSpec",
        "spec.valuesFrom",
    ),
    "many-patches": (
        {"postRenderers": [{"kustomize": {"patches": []}}] * 10_000},
        "InvalidSpec",
        "spec.postRenderers",
    ),
    "many-dependencies": (
        {"dependsOn": [{"name": "a"}] * 10_000},
        "InvalidSpec",
        "spec.dependsOn",
    ),
}


def test_what_no_rule_kept_out_is_refused_and_others_go_on(unruled):
    unruled.create("sound")
    unruled.settled("sound", revision=1)
    for name, (spec, _, _) in UNSOUND.items():
        unruled.create(name, suspend=True)
        unruled.edit(name, suspend=None, **spec)
    for name, (_, reason, said) in UNSOUND.items():
        assert said in unruled.refused(name, reason)["message"], name
        assert is_true(unruled.get(name), "Stalled"), name
        assert unruled.stored(name) == {}, name
    unruled.edit("sound", values={"text": "goes on"})
    unruled.settled("sound", revision=2)
    # Mended, or deleted, they are like any other.
    unruled.edit("days", interval="1m")
    unruled.settled("days", revision=1)
    for name in ("no-chart", "zero", "many-values"):
        unruled.delete(name)
        unruled.gone(name)


@pytest.mark.parametrize(
    ("field", "item"),
    [
        ("valuesFrom", {"kind": "Secret", "name": "a"}),
        ("dependsOn", {"name": "a"}),
        ("postRenderers", {"kustomize": {"patches": [{"patch": "a: b"}]}}),
        ("healthCheckExprs", {"apiVersion": "v1", "kind": "Pod", "current": "true"}),
    ],
)
def test_ten_thousand_items_are_refused_when_they_are_written(releases, field, item):
    with pytest.raises(Refused, match=f"spec.{field}: Too many"):
        releases.create("blog", **{field: [item] * 10_000})


def test_values_of_any_depth_are_named_and_let_go_again(releases):
    cluster, place = releases.control_plane, ("-n", releases.namespace)
    reason = "jsonpath={.status.conditions[?(@.type=='Ready')].reason}"
    whole = json.dumps(releases.manifest("deep", values={"deep": "HERE"}))
    for depth in (65, 9_000):  # of which Python's JSON module reads the first alone
        deep = whole.replace('"HERE"', '{"a":' * depth + "1" + "}" * depth)
        cluster.kubectl("create", "--raw", releases.path(), "-f", "-", stdin=deep)
        eventually(
            lambda: "ValuesTooDeep" in cluster.kubectl("get", "whr", "deep", *place, "-o", reason),
            f"{depth} levels are not named",
        )
        assert releases.stored("deep") == {}
        cluster.kubectl("delete", "whr", "deep", *place, "--timeout=60s")


# Where it should go.


@pytest.fixture
def ending(control_plane, namespace):
    """A namespace that is being deleted, and ends when the returned function is called."""
    name = f"{namespace}-ending"
    control_plane.kubectl("create", "namespace", name)
    held = {"metadata": {"name": "held", "finalizers": ["example.dev/held"]}}
    control_plane.api.request("POST", f"/api/v1/namespaces/{name}/configmaps", held)
    control_plane.kubectl("delete", "namespace", name, "--wait=false")

    def end():
        path = f"/api/v1/namespaces/{name}/configmaps/held"
        control_plane.api.request("PATCH", path, {"metadata": {"finalizers": None}})

    yield name, end
    with contextlib.suppress(Refused):  # it ended in the test
        end()


def test_a_namespace_that_is_being_deleted_is_named_and_waited_for(releases, ending):
    name, end = ending
    releases.create("blog", releaseName="blog", targetNamespace=name, createNamespace=True)
    ready = releases.refused("blog", "NamespaceTerminating")
    assert f"namespace {name} because it is being terminated" in ready["message"]
    assert not is_true(releases.get("blog"), "Stalled")
    assert releases.stored("blog", name) == {}
    end()
    eventually(lambda: releases.stored("blog", name) == {1: "deployed"}, "it does not go on", 90)
    releases.settled("blog", revision=1)


# Which revision should run.


def test_a_pin_to_an_uninstalled_revision_names_the_usable_ones(releases):
    releases.create("blog", uninstall={"keepHistory": True})
    releases.settled("blog", revision=1)
    releases.delete("blog")
    releases.gone("blog")
    releases.create("blog", values={"text": "again"})
    releases.settled("blog", revision=2)
    releases.edit("blog", revision=1)
    ready = releases.refused("blog", "RevisionNotUsable")
    assert "revision 1 is uninstalled and cannot be run; usable revisions: 2" in ready["message"]
    assert releases.stored("blog") == {1: "uninstalled", 2: "deployed"}


def test_a_revision_of_another_chart_runs_again_and_the_event_names_it(releases, repository):
    repository.add(a_packed_chart("other", "3.1.0", "text: x\n", settings=CONFIG_MAP))
    releases.create("blog", version="1.0.0")
    releases.settled("blog", revision=1)
    releases.edit("blog", chart={"name": "other", "version": "3.1.0"})
    release = releases.settled("blog", revision=2)
    assert release["status"]["history"][0]["chart"] == "other"
    releases.edit("blog", revision=1)
    release = releases.settled("blog", revision=3)
    newest = release["status"]["history"][0]
    assert (newest["chart"], newest["version"], newest["madeFrom"]) == ("settings", "1.0.0", 1)
    eventually(lambda: any("settings 1.0.0" in note for note in notes(releases)), "no event")


def notes(releases):
    path = f"/apis/events.k8s.io/v1/namespaces/{releases.namespace}/events"
    found = releases.api.request("GET", path)["items"]
    return [one["note"] for one in found if one["reason"] == "RollbackSucceeded"]


# What is in it.


def test_a_helmrelease_of_over_a_mebibyte_is_released_like_any_other(releases):
    releases.create("blog", values={"text": "small"})
    releases.settled("blog", revision=1)
    large = {f"unused-{number}": "x" * KIBIBYTE for number in range(1400)}
    releases.edit("blog", values={**large, "text": "large"})
    release = releases.settled("blog", revision=2)
    assert len(release["status"]["unusedValues"]) == 21
    assert releases.data("blog")["text"] == "large"
    releases.edit("blog", values={**dict.fromkeys(large), "text": "small again"})
    releases.settled("blog", revision=3)
    releases.delete("blog")
    releases.gone("blog")
    assert releases.left_over() == []


def test_values_of_600_kib_reach_the_chart(releases):
    text = "x" * 600 * KIBIBYTE
    releases.create("blog", values={"text": text})
    releases.settled("blog", revision=1)
    assert releases.data("blog")["text"] == text


def test_marks_on_a_helmrelease_are_its_own(releases):
    releases.create("blog")
    releases.settled("blog", revision=1)
    notes = {"example.dev/large": "x" * 200 * KIBIBYTE, "example.dev/odd": TEXTS}
    labels = {"example.dev/label": "ours"}
    metadata = {"metadata": {"annotations": notes, "labels": labels}}
    releases.api.request("PATCH", releases.path("blog"), metadata)
    releases.edit("blog", values={"text": "second"})
    release = releases.settled("blog", revision=2)
    assert release["metadata"]["annotations"] == notes
    for path in (
        releases.core("configmaps", "blog"),
        releases.core("secrets", "sh.helm.release.v1.blog.v2"),
    ):
        assert "example.dev" not in json.dumps(releases.api.request("GET", path)["metadata"])


def test_texts_of_any_kind_reach_the_chart_as_they_are(releases):
    releases.create("blog", values={"text": TEXTS})
    releases.settled("blog", revision=1)
    assert releases.data("blog")["text"] == TEXTS
    assert releases.payload("blog", 1)["config"] == {"text": TEXTS}
    assert json.loads(releases.helm("get", "values", "blog", "-o", "json")) == {"text": TEXTS}


# The same name again.


def test_another_helmrelease_of_the_name_knows_nothing_of_the_first_one(releases):
    releases.create("blog", values={"text": "first"})
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"text": "second"})
    first = releases.settled("blog", revision=2)
    releases.delete("blog")

    def made_again():
        try:
            return releases.create("blog", values={"text": "third"})
        except Refused:
            return None  # the first one is still there

    eventually(made_again, "the name is not free")
    second = releases.settled("blog", revision=1)
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert [one["action"] for one in second["status"]["history"]] == ["install"]
    assert condition(second, "Ready")["reason"] == "InstallSucceeded"
    assert releases.data("blog")["text"] == "third"
