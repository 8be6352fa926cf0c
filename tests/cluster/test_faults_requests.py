"""Requests that are lost, late, refused or repeated: no revision too many, no object too few."""

import time
from collections import defaultdict
from itertools import pairwise

import pytest

from tests.builders.fault_lab import DEAD_API_SERVICE, a_fault_lab
from tests.builders.releases_under_fault import ReleasesUnderFault
from tests.builders.small_charts import a_packed_chart
from tests.fakes.fault_proxy import Answer, Belie, Delay, Drop, Match, Repeat, SwallowReply
from tools.chartrepo import ChartRepository

SECRET_MADE = Match("POST", r"/secrets$")
WRITES = {
    "finalizer": Match("PATCH", r"/helmreleases/[^/]+$"),
    "lock": SECRET_MADE,
    "object": Match("PATCH", r"/configmaps/"),
    "record": Match("PUT", r"/secrets/"),
    "status": Match("PATCH", r"/helmreleases/[^/]+/status$"),
}
BY_WRITE = pytest.mark.parametrize("write", WRITES)
WATCH = r"/helmreleases$"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with a_fault_lab(tmp_path_factory.mktemp("faults")) as lab:
        lab.operator.start()
        yield lab


@pytest.fixture
def proxy(lab):
    yield lab.proxy
    lab.proxy.heal()


@pytest.fixture
def operator(lab):
    """Give the operator, which must not need a restart in the test."""
    restarts = lab.operator.restarts
    yield lab.operator
    assert lab.operator.restarts == restarts


@pytest.fixture
def releases(lab, operator):
    with ChartRepository() as repository:
        under_fault = ReleasesUnderFault(lab.cluster, repository)
        under_fault.repository = repository
        yield under_fault


@BY_WRITE
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(SwallowReply(), id="reply-lost"),
        pytest.param(Drop(), id="request-lost"),
        pytest.param(Repeat(), id="request-repeated"),
        pytest.param(Answer(503), id="refused"),
        pytest.param(Belie(504), id="done-and-denied"),
    ],
)
def test_a_write_that_goes_wrong_costs_no_revision(releases, proxy, operator, write, fault):
    rules = [proxy.add(fault, WRITES[write], times=1)]
    releases.note("mine", "one")
    operator.eventually(lambda: releases.ready("mine"), 30)
    assert releases.word("mine") == "one"
    assert releases.stored("mine") == {1: "deployed"}
    rules.append(proxy.add(fault, WRITES[write], times=1))
    releases.edit("mine", values={"word": "two"})
    operator.eventually(lambda: releases.ready("mine"), 30)
    assert releases.word("mine") == "two"
    assert releases.stored("mine") == {1: "superseded", 2: "deployed"}
    left = [rule.left for rule in rules]
    assert left == ([0, 1] if write == "finalizer" else [0, 0]), "the fault did not happen"


@BY_WRITE
def test_an_uninstall_outlives_lost_replies(releases, proxy, operator, write):
    releases.note("mine")
    operator.eventually(lambda: releases.ready("mine"), 30)
    proxy.add(SwallowReply(), WRITES[write], times=1)
    proxy.add(SwallowReply(), Match("DELETE"), times=2)
    releases.delete("mine")
    operator.eventually(lambda: releases.look("mine") is None, 60)
    assert releases.word("mine") is None
    assert releases.stored("mine") == {}


def test_retry_after_is_waited_for(releases, proxy, operator):
    asked_before = proxy.asked(SECRET_MADE)
    proxy.add(Answer(429, "TooManyRequests", {"Retry-After": "2"}), SECRET_MADE, times=3)
    started = time.monotonic()
    releases.note("mine")
    operator.eventually(lambda: releases.ready("mine"), 30)
    assert time.monotonic() - started >= 6
    assert proxy.asked(SECRET_MADE) - asked_before == 4
    assert releases.stored("mine") == {1: "deployed"}


def test_a_storm_of_429_is_answered_with_patience(releases, proxy, operator):
    """Nobody asks again for the same before the time is over, and everybody goes on after it.

    API servers set requests for Leases apart, so that a storm does not end who holds one.
    """
    seconds = 1.0
    storm = Answer(429, "TooManyRequests", {"Retry-After": f"{seconds:.0f}"})
    proxy.add(storm, Match(path=r"^(?!.*/leases/)"))
    before = len(proxy.answered)
    names = [f"mine-{number}" for number in range(10)]
    for name in names:
        releases.note(name)
    time.sleep(5.5)  # five attempts, and whoever would ask anew at once
    proxy.heal()
    asked = defaultdict(list)
    for moment, method, path, code in proxy.answered[before:]:
        if code == 429:
            asked[method, path].append(moment)
    again = {what: times for what, times in asked.items() if len(times) > 1}
    assert again
    for what, times in again.items():
        gaps = [after - before for before, after in pairwise(times)]
        assert min(gaps) >= seconds, (what, gaps)
    for name in names:
        operator.eventually(lambda name=name: releases.ready(name), 60)
        assert releases.stored(name) == {1: "deployed"}


@pytest.mark.parametrize(
    ("code", "path"), [(500, r"/secrets"), (503, r"/configmaps/"), (500, r"/status$")]
)
def test_an_api_server_that_fails_at_some_things_is_outlived(releases, proxy, operator, path, code):
    proxy.add(Answer(code), Match(path=path))
    releases.note("mine")
    time.sleep(8)
    proxy.heal()
    operator.eventually(lambda: releases.ready("mine"), 45)
    assert releases.stored("mine") == {1: "deployed"}
    assert releases.word("mine") == "none"


def test_a_slow_api_server_is_only_slow(releases, proxy, operator):
    """Now and then an answer takes long: whoever need not wait for it does not."""
    proxy.add(Delay(3.0), every=20)
    proxy.add(Delay(0.2))
    proxy.most_at_once = 0
    names = [f"mine-{number}" for number in range(10)]
    for name in names:
        releases.note(name)
    for name in names:
        operator.eventually(lambda name=name: releases.ready(name), 60)
    assert proxy.most_at_once >= len(names) / 2, "releases wait for each other"
    for name in names:
        assert releases.stored(name) == {1: "deployed"}


def test_a_dead_api_service_holds_up_nothing_but_its_own_kinds(releases, operator):
    cluster = releases.control_plane
    releases.gated("running", "gate-dead")
    operator.eventually(lambda: releases.has_deployment("running"), 30)
    cluster.kubectl("apply", "-f", "-", stdin=DEAD_API_SERVICE)
    try:
        releases.open("gate-dead")
        operator.eventually(lambda: releases.ready("running"), 30)
        releases.note("fresh")
        operator.eventually(lambda: releases.ready("fresh"), 30)
        releases.edit("running", values={"word": "changed"})
        operator.eventually(lambda: releases.word("running") == "changed", 30)
        releases.delete("running")
        operator.eventually(lambda: releases.look("running") is None, 60)
        releases.repository.add(a_packed_chart("lamp", lamp=OF_A_DEAD_KIND))
        releases.create("lamp", "lamp")
        operator.eventually(lambda: "dead.example.com/v1" in releases.said("lamp"), 30)
        assert releases.stored("lamp") == {}
    finally:
        cluster.kubectl("delete", "apiservice", "v1.dead.example.com")


@pytest.mark.slow
def test_a_frozen_watch_is_noticed_without_any_setting(releases, proxy, operator):
    proxy.freeze_watches(WATCH)
    releases.note("mine")
    operator.eventually(lambda: releases.ready("mine"), 90)


OF_A_DEAD_KIND = "apiVersion: dead.example.com/v1\nkind: Lamp\nmetadata: {name: lamp}\n"
