"""A release is held back until what it depends on is ready; what runs is not touched."""

import asyncio
from dataclasses import replace

import pytest

from tests.builders.observations import a_release
from tests.builders.virtual_time import skip_waits
from tests.builders.worlds import NAMESPACE, FakeIntent, a_world, an_object
from whipstaff.errors import (
    DependencyCycle,
    DependencyNotReady,
    DependentsRemain,
    ExpressionInvalid,
)
from whipstaff.helmrelease.depends_on import Dependency
from whipstaff.helmrelease.types import DeletionPolicy, UninstallOptions
from whipstaff.reconcile.dependencies import check_dependencies, check_dependents, watched_as
from whipstaff.reconcile.loop import Ending, Pass
from whipstaff.reconcile.ports import OPERATOR, Identity, Judgement, ObjectReference

GATE = ObjectReference("v1", "ConfigMap", NAMESPACE, "gate")
STORE = ObjectReference("whipstaff.dev/v1", "HelmRelease", NAMESPACE, "store")
KEY = (NAMESPACE, "blog")


def on(reference, expression=""):
    return Dependency(reference, expression, "spec.dependsOn[0]")


@pytest.fixture
def world():
    world = a_world()
    world.charts.add("http://charts.test", "blog", "1.0.0")
    return world


@pytest.fixture
def answers(world, monkeypatch):
    """What expressions say, one after the other; `asked` has the variables."""
    given = []

    async def evaluate(_expressions, _names, variables):
        given.append(variables)
        answer = given.answer
        if isinstance(answer, Exception):
            raise answer
        return (answer,)

    class Answers(list):
        answer = Judgement(True)

    given = Answers()
    monkeypatch.setattr(type(world.renderer), "evaluate", staticmethod(evaluate), raising=False)
    return given


async def test_what_is_not_there_is_waited_for_by_name(world):
    with pytest.raises(DependencyNotReady) as caught:
        await check_dependencies(world, a_release(depends_on=(on(GATE),)))
    assert caught.value.text == f"waits for ConfigMap {NAMESPACE}/gate: it does not exist"
    assert caught.value.retryable


async def test_all_that_is_not_ready_is_told_at_once(world):
    other = replace(GATE, name="other")
    with pytest.raises(DependencyNotReady, match=r"gate: .*; ConfigMap .*other: "):
        await check_dependencies(world, a_release(depends_on=(on(GATE), on(other))))


async def test_what_is_ready_holds_nobody_back(world):
    world.cluster.put(an_object(name="gate"), NAMESPACE)
    await check_dependencies(world, a_release(depends_on=(on(GATE),)))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Judgement(True), ""),
        (Judgement(False), "readyExpr is false"),
        (Judgement(False, "divide by zero"), "readyExpr: divide by zero"),
    ],
)
async def test_an_expression_decides_instead(world, answers, answer, text):
    world.cluster.put(an_object(name="gate"), NAMESPACE)
    answers.answer = answer
    held = ""
    try:
        await check_dependencies(world, a_release(depends_on=(on(GATE, "dep.x"),)))
    except DependencyNotReady as error:
        held = error.text
    assert held.endswith(text)
    assert bool(held) == bool(text)
    assert answers[0]["dep"]["metadata"]["name"] == "gate"


async def test_a_wrong_expression_names_its_field(world, answers):
    world.cluster.put(an_object(name="gate"), NAMESPACE)
    answers.answer = ExpressionInvalid("column 3: Syntax error")
    with pytest.raises(ExpressionInvalid) as caught:
        await check_dependencies(world, a_release(depends_on=(on(GATE, "dep >"),)))
    assert caught.value.field == "spec.dependsOn[0].readyExpr"
    assert caught.value.text == "spec.dependsOn[0].readyExpr: column 3: Syntax error"


@pytest.mark.parametrize(
    ("dependency", "identity"),
    [
        pytest.param(on(STORE), OPERATOR, id="Ready of a HelmRelease"),
        pytest.param(on(STORE, "dep.x"), Identity("deployer", NAMESPACE), id="more of it"),
        pytest.param(on(GATE), Identity("deployer", NAMESPACE), id="another kind"),
    ],
)
def test_more_than_ready_is_looked_at_as_whom_the_release_acts(dependency, identity):
    assert watched_as(a_release(service_account_name="deployer"), dependency) == identity


async def test_a_cycle_is_told_whole(world):
    world.kinship.note(KEY, [(NAMESPACE, "store")], leaving=False)
    world.kinship.note((NAMESPACE, "store"), [KEY], leaving=False)
    with pytest.raises(DependencyCycle) as caught:
        await check_dependencies(world, a_release(depends_on=(on(STORE),)))
    assert caught.value.text == (
        f"it waits for itself: {NAMESPACE}/blog → {NAMESPACE}/store → {NAMESPACE}/blog"
    )


async def test_a_pass_that_is_held_back_says_so_and_writes_nothing(world):
    release = a_release(depends_on=(on(GATE),), values={"objects": [an_object()]})
    world.reporter.put(release.namespace, release.name, release.uid)
    work = Pass(world, FakeIntent(release), None)
    outcome = await work.run()
    assert (outcome.ending, outcome.held) == (Ending.REFUSED, True)
    assert [c["type"] for c in work.status["conditions"]] == ["Ready"]
    assert world.cluster.verbs("apply", "dry-run") == []
    world.cluster.put(an_object(name="gate"), NAMESPACE)
    again = await Pass(world, FakeIntent(release), work.status).run()
    assert (again.ending, again.held) == (Ending.IN_SYNC, False)


async def test_what_runs_in_sync_waits_for_nothing(world):
    release = a_release(values={"objects": [an_object()]})
    world.reporter.put(release.namespace, release.name, release.uid)
    work = Pass(world, FakeIntent(release), None)
    await work.run()
    held = replace(release, spec=replace(release.spec, depends_on=(on(GATE),)))
    outcome = await Pass(world, FakeIntent(held), work.status).run()
    assert outcome.ending is Ending.IN_SYNC


async def test_a_deletion_waits_for_dependents_that_are_deleted_too(world):
    world.kinship.note((NAMESPACE, "top"), [KEY], leaving=True)
    release = a_release()
    with pytest.raises(DependentsRemain, match=f"uninstalled: {NAMESPACE}/top"):
        await check_dependents(world, FakeIntent(), release)
    orphaning = replace(
        release.spec, uninstall=UninstallOptions(deletion_policy=DeletionPolicy.ORPHAN)
    )
    await check_dependents(world, FakeIntent(), replace(release, spec=orphaning))


async def test_a_dependent_whose_deletion_comes_a_moment_later_goes_first(world, monkeypatch):
    skip_waits(monkeypatch)
    world.kinship.note((NAMESPACE, "top"), [KEY], leaving=False)
    intent = FakeIntent()
    check = asyncio.ensure_future(check_dependents(world, intent, a_release()))
    await intent.began_to_wait.wait()
    world.kinship.note((NAMESPACE, "top"), [KEY], leaving=True)
    with pytest.raises(DependentsRemain):
        await check
