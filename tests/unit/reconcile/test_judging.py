from dataclasses import replace

import pytest

from tests.builders.worlds import a_world
from whipstaff.errors import (
    ChartInvalid,
    ChartUnavailable,
    ChartVersionNotFound,
    ClusterRefused,
    ExpressionInvalid,
    InvalidSpec,
    KubeVersionIncompatible,
    ManifestInvalid,
    PostRenderFailed,
    RenderFailed,
    RenderLimit,
    RenderTimeout,
    ValuesSchemaViolation,
    WorkerLost,
)
from whipstaff.helmrelease.parsing import parse
from whipstaff.reconcile.judging import ADMITTED, Judge
from whipstaff.release.revision import JsonObject

URL = "http://charts.test"


def a_body(*, status=None, metadata=None, **spec) -> JsonObject:
    given = {"chart": {"name": "blog", "repository": URL}, **spec}
    return {
        "metadata": {"name": "blog", "namespace": "shop", "uid": "u", **(metadata or {})},
        "spec": {key: value for key, value in given.items() if value is not None},
        **({"status": status} if status else {}),
    }


@pytest.fixture
def world():
    world = a_world()
    world.charts.add(URL, "blog", "1.0.0")
    return world


@pytest.fixture
def judge(world):
    return Judge(world, parse).judge


async def test_what_is_right_is_admitted_without_a_word(judge):
    assert await judge(a_body()) == ADMITTED


@pytest.mark.parametrize(
    "error",
    [
        ValuesSchemaViolation("at '/replicas': got string, want integer"),
        RenderFailed("blog/templates/app.yaml:3:5: no text", "blog", "templates/app.yaml", 3),
        RenderLimit("too much text"),
        PostRenderFailed("spec.postRenderers[0]: no object", "spec.postRenderers[0]"),
        ManifestInvalid("no kind", "templates/app.yaml"),
        KubeVersionIncompatible("wants Kubernetes 9"),
        ChartInvalid("no name"),
    ],
    ids=lambda error: error.reason,
)
async def test_what_the_chart_proves_is_refused(judge, world, error):
    world.renderer.refuse(error)
    assert (await judge(a_body())).refusal is error


@pytest.mark.parametrize(
    "error",
    [
        ChartUnavailable("no answer"),
        ChartVersionNotFound("no version 9"),
        ClusterRefused("forbidden", 403, "Forbidden"),
    ],
    ids=lambda error: error.reason,
)
async def test_what_cannot_be_known_now_is_a_warning(judge, world, error):
    world.charts.refuse(error)
    verdict = await judge(a_body())
    assert verdict.refusal is None
    assert verdict.warnings == (f"{error.reason}: {error.text}",)


@pytest.mark.parametrize("error", [RenderTimeout("slow"), WorkerLost("gone")], ids=repr)
async def test_a_worker_in_need_proves_nothing(judge, world, error):
    world.renderer.refuse(error, times=2)
    assert (await judge(a_body())).refusal is None


async def test_a_field_that_means_nothing_is_refused_by_its_name(judge):
    refusal = (await judge(a_body(interval="often"))).refusal
    assert isinstance(refusal, InvalidSpec)
    assert refusal.field == "spec.interval"


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(
            {"chart": {"name": "blog", "sourceRef": {"kind": "GitRepository", "name": "a"}}},
            id="a source that moves on",
        ),
        pytest.param({"kubeConfig": {"secretRef": {"name": "a"}}}, id="another cluster"),
        pytest.param(
            {"upgrade": {"preserveValues": True}, "status": {"revision": 1}}, id="values that run"
        ),
    ],
)
async def test_what_may_change_without_an_edit_is_no_reason_to_refuse(judge, world, spec):
    world.charts.add("", "blog", "1.0.0")
    world.renderer.refuse(RenderFailed("no text"))
    verdict = await judge(a_body(**spec))
    assert verdict.refusal is None
    assert any("RenderFailed" in each or "Chart" in each for each in verdict.warnings)


async def test_a_template_that_asks_the_cluster_hears_nothing_and_proves_nothing(world):
    class Asking(type(world.renderer)):
        async def render(self, request, lookup):
            assert await lookup("v1", "Secret", "shop", "login") == {}
            raise RenderFailed("no login")

    world = replace(world, renderer=Asking())
    verdict = await Judge(world, parse).judge(a_body())
    assert verdict.refusal is None
    assert verdict.warnings == ("RenderFailed: no login",)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"valuesFrom": [{"kind": "Secret", "name": "login"}]}, "spec.valuesFrom"),
        (
            {"chart": {"archiveFrom": {"kind": "Secret", "name": "a", "key": "b"}}},
            "spec.chart.archiveFrom",
        ),
    ],
    ids=["valuesFrom", "archiveFrom"],
)
async def test_nothing_that_a_tenant_may_not_read_is_read(judge, world, spec, field):
    verdict = await judge(a_body(**spec))
    assert verdict.refusal is None
    assert verdict.warnings[0].startswith(f"{field}: not read at admission")
    assert world.renderer.requests == []


@pytest.mark.parametrize("stop", [{"suspend": True}, {"revision": 3}], ids=["suspend", "pin"])
async def test_who_stops_or_pins_is_never_held_up(judge, world, stop):
    world.renderer.refuse(RenderFailed("no text"))
    verdict = await judge(a_body(**stop))
    assert verdict.refusal is None
    assert world.charts.calls == []


async def test_an_edit_that_leaves_a_fault_as_it_was_is_warned_of(judge, world):
    world.renderer.refuse(RenderFailed("no text"), times=3)
    before = a_body(values={"a": 1})
    for edit in ({"interval": "7m"}, {"maxHistory": 3}):
        verdict = await judge(a_body(values={"a": 1}, **edit), before)
        assert verdict.refusal is None
        assert verdict.warnings == ("RenderFailed: no text",)
    assert (await judge(a_body(values={"a": 2}), before)).refusal is not None


async def test_a_field_that_was_wrong_before_does_not_hold_up_others(judge):
    before = a_body(interval="often")
    assert (await judge(a_body(interval="often", maxHistory=3), before)).refusal is None
    assert (await judge(a_body(interval="seldom"), before)).refusal is not None


async def test_what_leaves_the_spec_alone_is_not_judged(judge, world):
    before = a_body(interval="often")
    after = a_body(interval="often", metadata={"finalizers": ["a"]}, status={"revision": 1})
    assert await judge(after, before) == ADMITTED
    leaving = a_body(interval="seldom", metadata={"deletionTimestamp": "2026-11-21T00:00:00Z"})
    assert await judge(leaving, before) == ADMITTED
    assert world.charts.calls == []


async def test_deprecated_charts_and_unused_values_are_told(judge, world):
    world.renderer.unused = ("values.replica is not used",)
    world.renderer.chart = {"metadata": {"name": "b", "version": "1", "deprecated": True}}
    assert (await judge(a_body())).warnings == (
        "chart b 1 is deprecated",
        "values.replica is not used",
    )


async def test_a_release_that_runs_is_rendered_as_an_upgrade(judge, world):
    await judge(a_body(status={"revision": 4}))
    await judge(a_body())
    first, second = world.renderer.requests
    assert (first.revision, first.is_upgrade) == (5, True)
    assert (second.revision, second.is_upgrade) == (1, False)


async def test_expressions_are_compiled_before_anything_is_fetched(world):
    class Choosy(type(world.renderer)):
        async def evaluate(self, expressions, names, variables):
            raise ExpressionInvalid("column 3: what?")

    world = replace(world, renderer=Choosy())
    reference = {"kind": "ConfigMap", "apiVersion": "v1", "name": "a", "readyExpr": "1 +"}
    refusal = (await Judge(world, parse).judge(a_body(dependsOn=[reference]))).refusal
    assert refusal is not None
    assert refusal.text == "spec.dependsOn[0].readyExpr: column 3: what?"
    checks = [{"apiVersion": "v1", "kind": "ConfigMap", "current": "1 +"}]
    refusal = (await Judge(world, parse).judge(a_body(healthCheckExprs=checks))).refusal
    assert isinstance(refusal, ExpressionInvalid)
    assert world.charts.calls == []
