"""Objects are judged by what a HelmRelease says of their kinds; a worker asks the expressions."""

from dataclasses import dataclass

import pytest

from tests.builders.helmreleases import a_body
from whipstaff.errors import ExpressionInvalid, InvalidSpec
from whipstaff.helmrelease.parsing import parse
from whipstaff.planning.readiness import Verdict
from whipstaff.reconcile.health import check_expressions, judge
from whipstaff.reconcile.ports import ObjectReference
from whipstaff.settings import Settings
from whipstaff.workers.pool import WorkerPool

WIDGET = ObjectReference("example.com/v1", "Widget", "shop", "w")
CHECK = {
    "apiVersion": "example.com/v1beta1",  # the group counts, not the version
    "kind": "Widget",
    "current": "status.phase == 'Done'",
    "inProgress": "has(status.busy) && status.busy",
    "failed": "status.phase == 'Broken'",
}


@dataclass
class Renders:
    """As much of a world as is asked for."""

    renderer: WorkerPool


@pytest.fixture
async def world():
    pool = WorkerPool(Settings(worker_count=1))
    yield Renders(pool)
    await pool.close()


def a_release(**spec):
    return parse(a_body(**spec))


def a_widget(status=None, **changes):
    body = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
    return body | ({} if status is None else {"status": status}) | changes


@pytest.mark.parametrize(
    ("live", "verdict", "cause"),
    [
        pytest.param(a_widget({"phase": "Done"}), Verdict.READY, "current", id="current"),
        pytest.param(a_widget({"phase": "Broken"}), Verdict.FAILED, "failed", id="failed"),
        pytest.param(
            a_widget({"phase": "Done", "busy": True}),
            Verdict.PROGRESSING,
            "inProgress",
            id="inProgress first",
        ),
        pytest.param(a_widget({"phase": "New"}), Verdict.PROGRESSING, "not true", id="none"),
        pytest.param(a_widget(), Verdict.PROGRESSING, "current expression: ", id="no status"),
        pytest.param(None, Verdict.PROGRESSING, "not there", id="not there"),
        pytest.param(
            a_widget({"phase": "Done"}, metadata={"name": "w", "deletionTimestamp": "now"}),
            Verdict.PROGRESSING,
            "being deleted",
            id="going",
        ),
    ],
)
async def test_expressions_say_how_an_object_stands(world, live, verdict, cause):
    release = a_release(healthCheckExprs=[CHECK])

    found = await judge(world, release, WIDGET, live, complete_jobs=False)

    assert found.verdict is verdict
    assert cause in found.cause


async def test_other_kinds_are_judged_as_ever(world):
    release = a_release(healthCheckExprs=[CHECK])
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    reference = ObjectReference("v1", "ConfigMap", "shop", "c")

    found = await judge(world, release, reference, config, complete_jobs=False)

    assert found.verdict is Verdict.READY


async def test_a_check_without_a_kind_is_for_the_whole_group(world):
    release = a_release(healthCheckExprs=[{"apiVersion": "example.com/v1", "current": "false"}])
    live = a_widget({"conditions": [{"type": "Ready", "status": "True"}]})

    found = await judge(world, release, WIDGET, live, complete_jobs=False)

    assert found.verdict is Verdict.PROGRESSING


async def test_as_helm_3_did_it_unknown_kinds_are_ready_once_they_are_there(world):
    release = a_release(waitStrategy={"name": "legacy"})
    live = a_widget({"conditions": [{"type": "Ready", "status": "False"}]})

    legacy = await judge(world, release, WIDGET, live, complete_jobs=False)
    usual = await judge(world, a_release(), WIDGET, live, complete_jobs=False)

    assert (legacy.verdict, usual.verdict) == (Verdict.READY, Verdict.PROGRESSING)


async def test_an_expression_that_is_none_is_named_beforehand(world):
    wrong = {**CHECK, "failed": "status.phase ="}
    release = a_release(healthCheckExprs=[CHECK, wrong])

    with pytest.raises(ExpressionInvalid) as caught:
        await check_expressions(world, release)

    assert caught.value.text.startswith("spec.healthCheckExprs[1]: column ")


async def test_expressions_that_are_sound_are_taken(world):
    await check_expressions(world, a_release(healthCheckExprs=[CHECK]))


def test_a_legacy_wait_asks_no_expressions():
    with pytest.raises(InvalidSpec, match="legacy"):
        a_release(healthCheckExprs=[CHECK], waitStrategy={"name": "legacy"})
