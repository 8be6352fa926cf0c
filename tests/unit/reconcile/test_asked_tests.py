"""Tests that somebody asks for: they run on what runs, once for each wish, and lead to nothing."""

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
from whipstaff.errors import ChartUnavailable, ClusterRefused, InvalidSpec
from whipstaff.helmrelease.asked_tests import asked_tests
from whipstaff.helmrelease.names import TEST_AT, TEST_FILTER, TEST_TIMEOUT
from whipstaff.helmrelease.types import (
    ActionOptions,
    Approval,
    CRDPolicy,
    Remediation,
    TestFilter,
    TestOptions,
)
from whipstaff.reconcile.loop import Ending, Pass
from whipstaff.reconcile.ports import ObjectReference
from whipstaff.release.marks import TEST_REQUEST, TESTS

ENABLED = TestOptions(enable=True)
ROLL_BACK = ActionOptions(
    crds=CRDPolicy.CREATE, remediation=Remediation(remediate_last_failure=True)
)


@pytest.fixture(autouse=True)
async def _virtual_time(monkeypatch):
    skip_waits(monkeypatch)


class Tried:
    """A world in which Jobs named in `broken` fail, and the release that is wanted."""

    __test__ = False

    def __init__(self):
        self.broken = []
        self.world = a_world(settle=self.end)
        for version in ("1.0.0", "2.0.0"):
            self.world.charts.add("http://charts.test", "blog", version)
        self.world.store.now = self.world.clock.now_seconds
        self.status = None
        self.spec = {}

    def end(self, body):
        fail_jobs(*self.broken)(body)

    async def run(self, token="", text="", generation=1, **annotations):
        jobs = [annotated(an_object("Job", name, "batch/v1"), hook="test") for name in ("a", "b")]
        objects = [an_object(data={"text": text}), *jobs]
        given = {TEST_AT: token} if token else {}
        given |= {f"whipstaff.dev/{name}": text for name, text in annotations.items()}
        release = a_release(
            generation=generation, annotations=given, values={"objects": objects}, **self.spec
        )
        self.world.reporter.put(release.namespace, release.name, release.uid)
        work = Pass(self.world, FakeIntent(release), self.status)
        outcome = await work.run()
        self.status = work.status
        return outcome

    @property
    def statuses(self):
        return self.world.store.statuses(KEY)

    def condition(self, kind):
        found = next((c for c in self.status["conditions"] if c["type"] == kind), {})
        return found.get("status", ""), found.get("message", "")

    @property
    def phases(self):
        return {test["name"]: test["phase"] for test in self.status.get("tests", ())}

    def labels(self, number=1):
        return self.world.store.stored[KEY, number].revision.labels

    @property
    def runs(self):
        """How many tests were started so far."""
        return sum(subject.startswith("Job ") for _, subject in self.world.cluster.verbs("apply"))


@pytest.fixture
async def tried():
    tried = Tried()
    await tried.run()
    assert tried.phases == {}
    return tried


async def test_tests_run_once_for_each_wish_though_spec_asks_for_none(tried):
    assert (await tried.run("one")).ending is Ending.IN_SYNC
    assert tried.phases == {"a": "Succeeded", "b": "Succeeded"}
    assert tried.condition("Tested")[0] == "True"
    assert (tried.status["lastHandledTestAt"], tried.status["testRequest"]) == ("one", "one")
    before = tried.runs
    told = tried.status
    await tried.run("one")
    assert (tried.runs, tried.status) == (before, told)
    await tried.run("two")
    assert (tried.runs, tried.status["testRequest"]) == (2 * before, "two")


async def test_a_wish_is_not_met_twice_where_status_is_lost(tried):
    await tried.run("one")
    before, tried.status = tried.runs, None
    await tried.run("one")
    assert tried.runs == before
    assert tried.status["lastHandledTestAt"] == "one"


async def test_a_failed_test_is_told_and_nothing_follows(tried):
    tried.spec = {"test": ENABLED, "install": ROLL_BACK, "upgrade": ROLL_BACK}
    await tried.run()
    tried.broken = ["a"]
    assert (await tried.run("one")).ending is Ending.IN_SYNC
    assert tried.statuses == {1: "deployed"}
    assert tried.condition("Ready")[0] == "True"
    assert tried.condition("Tested") == (
        "False",
        "tests of revision 1 failed, which somebody asked for: Job shop/a failed: it broke",
    )
    assert tried.phases == {"a": "Failed"}
    told = tried.status
    await tried.run("one")
    assert tried.status == told


async def test_tests_that_pass_in_the_end_take_a_failure_back():
    tried = Tried()
    tried.spec = {"test": ENABLED, "install": ActionOptions(remediation=Remediation())}
    tried.broken = ["a"]
    assert (await tried.run()).ending is Ending.STALLED
    assert tried.condition("Ready")[0] == "False"
    tried.broken = []
    await tried.run("one", testFilter="name=b")
    assert tried.condition("Ready")[0] == "False"
    assert (await tried.run("two", testFilter="name=a")).ending is Ending.IN_SYNC
    assert tried.condition("Ready")[0] == "True"
    assert tried.condition("Tested")[0] == "True"
    assert "installFailures" not in tried.status
    assert tried.labels()[TESTS] == "passed"


async def test_filters_choose_and_leave_how_others_ended(tried):
    await tried.run("one")
    tried.broken = ["b"]
    await tried.run("two", testFilter="!name=a")
    assert tried.phases == {"a": "Succeeded", "b": "Failed"}
    await tried.run("three", testFilter="name=gone")
    assert tried.condition("Tested")[0] == ""


@pytest.mark.parametrize(
    "annotations",
    [{"testFilter": "tier=slow"}, {"testFilter": "name=a,"}, {"testTimeout": "soon"}],
    ids=str,
)
async def test_an_odd_wish_is_told_and_runs_nothing(tried, annotations):
    await tried.run("one", **annotations)
    (name,) = annotations
    told, message = tried.condition("Tested")
    assert told == "False"
    assert f"the annotation whipstaff.dev/{name} must be" in message
    assert tried.runs == 0
    assert tried.condition("Ready")[0] == "True"


async def test_an_upgrade_goes_first_and_what_it_made_is_tested(tried):
    await tried.run("one", text="new", generation=2)
    assert tried.statuses == {1: "superseded", 2: "deployed"}
    assert tried.status["testedRevision"] == 2


async def test_what_runs_is_tested_where_an_upgrade_waits_for_approval(tried):
    tried.spec = {"approval": Approval.MANUAL}
    assert (await tried.run("one", text="new", generation=2)).ending is Ending.UNAPPROVED
    assert tried.status["testedRevision"] == 1
    assert tried.status["lastHandledTestAt"] == "one"
    await tried.run("two", text="new", generation=2)
    assert tried.status["testRequest"] == "two"


async def test_what_runs_is_tested_where_its_chart_is_gone(tried):
    tried.world.charts.refuse(ChartUnavailable("no such repository"))
    await tried.run("one")
    assert tried.status["testRequest"] == "one"


async def test_nothing_is_tested_where_nothing_runs():
    tried = Tried()
    tried.world.charts.refuse(InvalidSpec("no such chart"), times=9)
    await tried.run("one")
    assert tried.status["lastHandledTestAt"] == "one"
    assert "testRequest" not in tried.status


async def test_a_wish_waits_while_the_cluster_is_away(tried):
    a = ObjectReference("batch/v1", "Job", NAMESPACE, "b")
    tried.world.cluster.refuse("apply", a, ClusterRefused("away", 0))
    assert (await tried.run("one")).ending is Ending.REFUSED
    assert "lastHandledTestAt" not in tried.status
    assert tried.labels()[TEST_REQUEST].endswith(".begun")
    before = tried.runs
    await tried.run("one")
    assert tried.runs == before + 1  # the first one that succeeded does not run again
    assert tried.phases == {"a": "Succeeded", "b": "Succeeded"}


async def test_spec_runs_all_of_them_again_if_it_asks_for_tests_later(tried):
    await tried.run("one")
    before = tried.runs
    tried.spec = {"test": ENABLED}
    await tried.run("one", generation=2)
    assert tried.runs == 2 * before
    assert TEST_REQUEST not in tried.labels()
    assert "testRequest" not in tried.status


def test_annotations_say_which_tests_run_and_how_long_each_may_take():
    spec = TestOptions(filters=(TestFilter("slow", exclude=True),), timeout_seconds=7)
    assert asked_tests(a_release(test=spec, annotations={TEST_FILTER: ""})) == spec
    said = {TEST_FILTER: "name=a,!name=b,! name=c", TEST_TIMEOUT: "90s"}
    found = asked_tests(a_release(test=spec, annotations=said))
    assert found.timeout_seconds == 90
    assert found.filters == (
        TestFilter("a"),
        TestFilter("b", exclude=True),
        TestFilter("c", exclude=True),
    )
