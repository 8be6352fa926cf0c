"""What failed is undone, and a kill before or after any write of it changes nothing in the end."""

import itertools
from dataclasses import replace

import pytest

from tests.builders.observations import a_release
from tests.builders.virtual_time import skip_waits
from tests.builders.worlds import (
    KEY,
    NAMESPACE,
    FakeIntent,
    a_world,
    an_object,
    annotated,
    fail_jobs,
)
from whipstaff.helmrelease.types import (
    ActionOptions,
    CRDPolicy,
    Remediation,
    RemediationStrategy,
    TestOptions,
)
from whipstaff.reconcile.loop import Ending, Pass
from whipstaff.reconcile.ports import ObjectReference

SETTINGS = ObjectReference("v1", "ConfigMap", NAMESPACE, "settings")
ROLL_BACK = Remediation(remediate_last_failure=True)
UNINSTALL = replace(ROLL_BACK, strategy=RemediationStrategy.UNINSTALL)
PASSES_LIMIT = 12


@pytest.fixture(autouse=True)
async def _virtual_time(monkeypatch):
    skip_waits(monkeypatch)


class Killed(BaseException):
    """The operator is no more."""


class Mortal:
    """A world that dies before or after the nth write to the cluster or the store."""

    def __init__(self, world, writes, *, after):
        self.world = world
        self._left = writes
        self._after = after
        self.dead = False
        for name in ("create", "update", "delete"):
            self._wrap(world.store, name)
        for name in ("apply", "delete"):
            self._wrap(world.cluster, name)

    def _wrap(self, port, name):
        call = getattr(type(port), name)

        async def mortal(*given, **options):
            if self.dead:
                raise Killed
            if options.get("dry_run"):
                return await call(port, *given, **options)
            self._left -= 1
            if self._left == 0 and not self._after:
                self.die()
            done = await call(port, *given, **options)
            if self._left == 0:
                self.die()
            return done

        setattr(port, name, mortal)

    def die(self):
        self.dead = True
        raise Killed

    def revive(self):
        self.dead = False


def the_world():
    world = a_world(settle=fail_jobs("gate"))
    world.charts.add("http://charts.test", "blog", "1.0.0")
    world.store.now = world.clock.now_seconds
    release = a_release()
    world.reporter.put(release.namespace, release.name, release.uid)
    return world


def a_job(name, event):
    return annotated(an_object("Job", name, "batch/v1"), hook=event)


def wanting(text, *hooks, generation=1, **spec):
    objects = [an_object(data={"text": text}), *hooks]
    return a_release(generation=generation, values={"objects": objects}, **spec)


async def settle(world, release, mortal=None):
    """Make passes until nothing is left to do; begin anew after a death."""
    for _ in range(PASSES_LIMIT):
        status = world.reporter.shown["shop", "blog"].status
        try:
            outcome = await Pass(world, FakeIntent(release), status or None).run()
        except Killed:
            mortal.revive()
            continue
        if outcome.ending in (Ending.STALLED, Ending.IN_SYNC):
            return world.reporter.shown["shop", "blog"].status
    raise AssertionError(f"it does not settle: {world.store.statuses(KEY)}")


UPGRADE = ActionOptions(remediation=ROLL_BACK)
CASES = [
    pytest.param(
        True,
        {"upgrade": UPGRADE},
        ["post-upgrade"],
        {1: "superseded", 2: "failed", 3: "deployed"},
        "first",
        id="an upgrade is rolled back",
    ),
    pytest.param(
        True,
        {"upgrade": ActionOptions(remediation=UNINSTALL)},
        ["pre-upgrade"],
        {1: "superseded", 2: "uninstalled"},
        None,
        id="an upgrade is uninstalled",
    ),
    pytest.param(
        False,
        {"install": ActionOptions(crds=CRDPolicy.CREATE, remediation=UNINSTALL)},
        ["post-install"],
        {1: "uninstalled"},
        None,
        id="an install is uninstalled",
    ),
    pytest.param(
        True,
        {"upgrade": UPGRADE, "test": TestOptions(enable=True)},
        ["test"],
        {1: "superseded", 2: "superseded", 3: "deployed"},
        "first",
        id="tests fail",
    ),
]


@pytest.mark.parametrize("after", [False, True], ids=["before a write", "after a write"])
@pytest.mark.parametrize(("runs", "spec", "events", "stored", "text"), CASES)
async def test_a_kill_at_any_write_changes_nothing_in_the_end(
    runs, spec, events, stored, text, after
):
    for number in itertools.count(1):
        world = the_world()
        if runs:
            await settle(world, wanting("first", a_job("fine", "post-upgrade")))
        mortal = Mortal(world, number, after=after)
        hooks = [a_job("gate", event) for event in events]
        status = await settle(world, wanting("second", *hooks, generation=2, **spec), mortal)
        assert world.store.statuses(KEY) == stored, f"killed at write {number}"
        live = world.cluster.objects.get(SETTINGS)
        assert (live and live["data"]["text"]) == text, f"killed at write {number}"
        kinds = {one["type"]: one["status"] for one in status["conditions"]}
        assert kinds["Remediated"] == "True", f"killed at write {number}"
        assert kinds["Stalled"] == "True"
        assert status["rejected"]["revision"] == (2 if runs else 1)
        if mortal._left > 0:
            break
    assert number > 5  # it was killed at all of them


async def test_rejected_inputs_stay_rejected_though_status_is_lost():
    world = the_world()
    await settle(world, wanting("first"))
    bad = wanting("second", a_job("gate", "pre-upgrade"), generation=2, upgrade=UPGRADE)
    told = await settle(world, bad)
    world.reporter.put("shop", "blog", "uid-1")
    world.clock.now_seconds += 3600
    again = await settle(world, bad)
    assert again["rejected"] == told["rejected"]
    assert world.store.statuses(KEY) == {1: "superseded", 2: "failed", 3: "deployed"}


async def test_a_remediation_that_nobody_wants_any_more_is_given_up():
    world, mortal = await killed_when({1: "deployed", 2: "failed", 3: "pending-rollback"})
    mortal.revive()
    await settle(world, wanting("third", generation=3))
    assert world.store.statuses(KEY) == {
        1: "superseded",
        2: "failed",
        3: "failed",
        4: "deployed",
    }
    assert world.cluster.objects[SETTINGS]["data"] == {"text": "third"}


async def killed_when(stored):
    """Give a world in which the operator died over an upgrade that failed, with this stored."""
    for number in range(1, 20):
        world = the_world()
        await settle(world, wanting("first"))
        mortal = Mortal(world, number, after=True)
        bad = wanting("second", a_job("gate", "pre-upgrade"), generation=2, upgrade=UPGRADE)
        status = world.reporter.shown["shop", "blog"].status
        with pytest.raises(Killed):
            await Pass(world, FakeIntent(bad), status).run()
        if world.store.statuses(KEY) == stored:
            return world, mortal
    raise AssertionError("no kill leaves that")


async def test_one_who_suspends_during_an_action_has_it_ended_and_nothing_begun():
    world = the_world()
    await settle(world, wanting("first"))
    bad = wanting("second", a_job("gate", "pre-upgrade"), generation=2, upgrade=UPGRADE)
    intent = FakeIntent(bad)
    intent.paused = True
    status = world.reporter.shown["shop", "blog"].status
    outcome = await Pass(world, intent, status).run()
    assert outcome.ending is Ending.INTERRUPTED
    assert world.store.statuses(KEY) == {1: "deployed", 2: "failed"}
