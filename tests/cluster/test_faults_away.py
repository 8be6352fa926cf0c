"""An API server that goes away, for a moment or for two minutes, and comes back."""

import time

import pytest

from tests.builders.fault_lab import a_fault_lab
from tests.builders.releases_under_fault import ReleasesUnderFault
from tools.chartrepo import ChartRepository

BLIND_SECONDS = 90.0  # by then the operator works, or its liveness probe has failed
SHORTER_THAN_THE_LEASE = 8.0  # seconds


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with a_fault_lab(tmp_path_factory.mktemp("faults")) as lab:
        lab.operator.start()
        yield lab


@pytest.fixture
def operator(lab):
    return lab.operator


@pytest.fixture
def releases(lab, operator):
    with ChartRepository() as repository:
        yield ReleasesUnderFault(lab.cluster, repository)


def away(lab, seconds):
    """Take the API server away, and bring it back; say after how long a kubelet saw a failure."""
    lab.cluster.pause_api_server()
    gone, failed = time.monotonic(), None
    while (past := time.monotonic() - gone) < seconds:
        if failed is None and not lab.operator.answers("livez"):
            failed = past
        lab.operator.tend()
        time.sleep(0.1)
    lab.cluster.resume_api_server()
    return failed


@pytest.fixture
def halves(releases, operator):
    """Give an install and an upgrade that wait for their pods, and a release that rests."""
    releases.gated("installing", releases.namespace)
    releases.gated("upgrading", "")
    releases.note("resting")
    operator.eventually(lambda: releases.ready("upgrading"), 30)
    operator.eventually(lambda: releases.ready("resting"), 30)
    releases.edit("upgrading", values={"word": "two", "gate": releases.namespace})
    operator.eventually(lambda: releases.word("upgrading") == "two", 30)
    operator.eventually(lambda: releases.has_deployment("installing"), 30)


def go_on(releases, operator):
    """Open the gates, and see that everything ends as if nothing had been."""
    releases.note("fresh")
    operator.eventually(lambda: releases.ready("fresh"), 60)
    releases.open(releases.namespace)
    operator.eventually(lambda: releases.ready("installing"), 60)
    operator.eventually(lambda: releases.ready("upgrading"), 60)
    releases.edit("resting", values={"word": "changed"})
    operator.eventually(lambda: releases.word("resting") == "changed", 30)
    operator.eventually(lambda: releases.ready("resting"), 30)
    assert releases.stored("fresh") == {1: "deployed"}
    assert releases.stored("installing") == {1: "deployed"}
    assert releases.stored("upgrading") == {1: "superseded", 2: "deployed"}
    assert releases.stored("resting") == {1: "superseded", 2: "deployed"}


@pytest.mark.usefixtures("halves")
def test_away_for_a_moment_it_goes_on_without_a_restart(lab, releases, operator):
    before, gone = operator.restarts, time.monotonic()
    away(lab, 2)
    outage = time.monotonic() - gone
    go_on(releases, operator)
    # The Lease is lost after ten seconds, which a slow machine may need to start an API server.
    assert operator.restarts == before or outage > SHORTER_THAN_THE_LEASE


@pytest.mark.slow
@pytest.mark.usefixtures("halves")
def test_away_for_two_minutes_it_fails_its_probe_in_time_and_comes_back(lab, releases, operator):
    failed = away(lab, 120)
    assert failed is not None
    assert failed < BLIND_SECONDS
    go_on(releases, operator)
    assert operator.answers("livez")


def test_away_at_the_start_it_is_waited_for(lab, releases, operator):
    operator.kill()
    lab.cluster.pause_api_server()
    operator.launch()
    started = time.monotonic()
    while time.monotonic() - started < 10:
        operator.tend()
        time.sleep(0.1)
    lab.cluster.resume_api_server()
    releases.note("mine")
    operator.eventually(lambda: releases.ready("mine"), 60)


def test_restarted_while_changes_come_nothing_is_lost(lab, releases, operator):
    for number in range(3):
        releases.note(f"mine-{number}", "before")
    lab.cluster.restart_api_server()
    for number in range(3):
        releases.edit(f"mine-{number}", values={"word": "after"})
    for number in range(3):
        operator.eventually(lambda name=f"mine-{number}": releases.word(name) == "after", 60)
        operator.eventually(lambda name=f"mine-{number}": releases.ready(name), 60)
