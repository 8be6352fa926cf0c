"""`kill -9` at any moment loses nothing, doubles nothing and leaves nothing behind.

Each round starts one release's install, another's upgrade, a third's rollback and a fourth's
uninstall, kills the operator twice while they run and lets it end them: a kill tests four actions.
WHIPSTAFF_CRASH_SEED repeats the choices of a run that printed its seed.
"""

import os
import random
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest

from tests.builders.crashes import (
    ACTIONS,
    EXPECTED_HOOKS,
    CrashRelease,
    await_true,
    crash_chart,
    hooks_created,
    made,
    where_killed,
)
from tools.chartrepo import ChartRepository
from tools.controlplane import audit, programs
from tools.controlplane.cluster import Cluster
from tools.running_operator import RunningOperator, prepare

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = 20  # of each action while it was under way
KILLS_AT_A_PLACE = 5  # of those, during hooks and between Secret writes
ROUNDS_LIMIT = 30
KILLS_A_ROUND = 2
PLACES = ("any", "hook", "secrets")
PATIENCE_SECONDS = 40.0
BORDERS = {"install": 6, "upgrade": 7, "rollback": 7, "uninstall": 8}  # Secret writes


@dataclass
class Ending:
    """A release after an action that was killed: what should be, and what is."""

    release: CrashRelease
    action: str
    converged: bool
    hooks: Counter = field(default_factory=Counter)
    revisions: list = field(default_factory=list)
    live: frozenset = frozenset()
    told_by_helm: list = field(default_factory=list)
    told_by_status: list = field(default_factory=list)


class Campaign:
    """Rounds of kills until every action was hit often enough at every place."""

    def __init__(self, cluster, repository, seed):
        self.cluster = cluster
        self.repository = repository
        self.operator = RunningOperator(cluster, "whipstaff", "--identity=the-one")
        self.seed = seed
        self.random = random.Random(seed)
        self.hits = {action: Counter() for action in ACTIONS}
        self.endings = defaultdict(list)
        self.crashes = []  # lines of the operator's log

    def run(self):
        self.operator.start()
        releases = []
        while not self.enough() and len(releases) < ROUNDS_LIMIT:
            releases.append(CrashRelease(self.cluster, self.repository, f"r{len(releases)}"))
            self._round(dict(zip(ACTIONS, reversed(releases[-4:]), strict=False)))
        self.operator.kill()
        log = self.operator.log.read_text(encoding="utf-8", errors="replace")
        self.crashes = [line for line in log.splitlines() if "pass crashed" in line]

    def enough(self):
        return not any(self._missing(action, place) for action in ACTIONS for place in PLACES)

    def _missing(self, action, place):
        hits = self.hits[action]
        if place == "any":
            return max(0, KILLS - hits["hook"] - hits["secrets"])
        return max(0, KILLS_AT_A_PLACE - hits[place])

    def _round(self, under_way):
        tail = audit.Tail(self.cluster.audit_log)
        seen = []
        for action, release in under_way.items():
            release.ask_for(action)
        for _ in range(KILLS_A_ROUND):
            self._await_moment(tail, seen, under_way)
            self.operator.kill()
            self._count(under_way)
            self.operator.launch()
        self.operator.await_ready()
        ended = {
            action: await_true(lambda r=release, a=action: r.finished(a), PATIENCE_SECONDS)
            for action, release in under_way.items()
        }
        time.sleep(0.1)  # the audit log is a little behind
        seen += tail.new()
        for action, release in under_way.items():
            self.endings[action].append(self._ending(release, action, ended[action], seen))

    def _await_moment(self, tail, seen, under_way):
        """Wait for the moment to kill: at the place, and in the action, that still lacks hits."""
        self.operator.await_ready()
        lacking = [(self._missing(a, p), a, p) for a in under_way for p in PLACES]
        _, action, place = max(lacking, key=lambda item: (item[0] > 0, self.random.random()))
        namespace = under_way[action].namespace
        border = self.random.randint(1, BORDERS[action] - 1)
        pause = self.random.random()
        deadline = time.monotonic() + 3.0

        def reached():
            new = [request for request in tail.new() if request.is_write]
            seen.extend(new)
            mine = [r for r in seen if r.namespace == namespace and r.code < 300]
            if place == "hook":
                return any(r.resource == "jobs" and made(r) for r in new if r in mine)
            writes = [r for r in mine if r.resource == "secrets" and ".helm.release." in r.name]
            return len(writes) >= border

        if place == "any":
            time.sleep(pause * 2.5)
            return
        await_true(lambda: reached() or time.monotonic() > deadline, 5.0, poll=0.004)
        time.sleep(pause * (0.4 if place == "hook" else 0.02))

    def _count(self, under_way):
        for action, release in under_way.items():
            gone = release.helmrelease() is None
            self.hits[action][where_killed(action, release.revisions(), gone=gone)] += 1

    def _ending(self, release, action, converged, seen):
        body = release.helmrelease() or {}
        revisions = release.revisions()
        return Ending(
            release,
            action,
            converged,
            hooks=hooks_created(seen, release.namespace),
            revisions=revisions,
            live=release.live(),
            told_by_helm=release.helm_history() if revisions else [],
            told_by_status=[
                (entry["revision"], entry["status"])
                for entry in reversed(body.get("status", {}).get("history", []))
            ],
        )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    own = Cluster(tmp_path_factory.mktemp("kills") / "cluster", programs.find())
    yield own.start(guarded=True)
    own.stop(grace_seconds=0.0)


@pytest.fixture(scope="module")
def finished_campaign(cluster):
    """The whole campaign; the tests below each look at one thing in what it left."""
    seed = os.environ.get("WHIPSTAFF_CRASH_SEED") or str(random.SystemRandom().getrandbits(32))
    prepare(cluster)
    with ChartRepository() as repository:
        for version in ("1.0.0", "2.0.0"):
            repository.add(crash_chart(version))
        done = Campaign(cluster, repository, seed)
        done.run()
    return done


@pytest.fixture
def campaign(finished_campaign):
    """The campaign, with what repeats it shown beside a test that fails."""
    hits = {action: dict(found) for action, found in finished_campaign.hits.items()}
    sys.stdout.write(f"WHIPSTAFF_CRASH_SEED={finished_campaign.seed} killed at: {hits}\n")
    return finished_campaign


@pytest.fixture(params=ACTIONS)
def action(request):
    return request.param


@pytest.fixture
def endings(campaign, action):
    return campaign.endings[action]


def breaking(endings, rule, shown):
    """Show what broke a rule, with the namespaces: nothing where it holds."""
    return {e.release.namespace: shown(e) for e in endings if not rule(e)}


def test_each_action_is_killed_often_enough_in_hooks_and_between_secret_writes(campaign, action):
    hits = campaign.hits[action]
    assert hits["hook"] + hits["secrets"] >= KILLS
    assert hits["hook"] >= KILLS_AT_A_PLACE
    assert hits["secrets"] >= KILLS_AT_A_PLACE


def test_no_pass_crashes_over_what_a_kill_left(campaign):
    assert campaign.crashes == []


def test_an_action_that_was_killed_ends_by_itself(endings):
    assert breaking(endings, lambda e: e.converged, lambda e: e.told_by_status) == {}


def test_exactly_one_revision_is_deployed_and_none_is_pending(endings, action):
    def statuses(ending):
        return [revision.status for revision in ending.revisions]

    expected = ["superseded"] * ACTIONS.index(action) + ["deployed"]
    if action == "uninstall":
        expected = []
    assert breaking(endings, lambda e: statuses(e) == expected, statuses) == {}


def test_no_kill_uses_up_a_revision_number(endings, action):
    def numbers(ending):
        return [revision.number for revision in ending.revisions]

    expected = [] if action == "uninstall" else list(range(1, ACTIONS.index(action) + 2))
    assert breaking(endings, lambda e: numbers(e) == expected, numbers) == {}


def test_what_a_revision_holds_never_changes(endings):
    def held(ending):
        return {number: len(seen) for number, seen in ending.release.digests.items()}

    assert breaking(endings, lambda e: set(held(e).values()) <= {1}, held) == {}


def test_the_objects_that_live_are_those_of_the_deployed_revision(endings):
    def difference(ending):
        wanted = ending.revisions[-1].names if ending.revisions else frozenset()
        return ending.live ^ wanted

    assert breaking(endings, lambda e: not difference(e), difference) == {}


def test_each_hook_runs_once_for_each_of_its_events(endings, action):
    expected = EXPECTED_HOOKS[action]
    assert breaking(endings, lambda e: e.hooks == expected, lambda e: e.hooks) == {}


def test_helm_and_status_tell_the_same_history_as_the_secrets(endings):
    def stories(ending):
        stored = [(revision.number, revision.status) for revision in ending.revisions]
        return stored, ending.told_by_helm, ending.told_by_status

    def agree(ending):
        stored, *others = stories(ending)
        return others == [stored, stored]

    assert breaking(endings, agree, stories) == {}
