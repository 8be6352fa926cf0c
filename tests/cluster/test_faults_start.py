"""What the operator finds at its start may be as bad as it likes: what is sound gets Ready."""

import json
import time

import pytest

from tests.builders.fault_lab import DEAD_API_SERVICE, a_fault_lab
from tests.builders.releases_under_fault import ReleasesUnderFault
from tests.fakes.fault_proxy import Answer, Match
from tools.chartrepo import ChartRepository

DEPTH = 1200
DEEP = '{"a":' * DEPTH + "1" + "}" * DEPTH
WATCH = r"/helmreleases$"
LIVENESS_SECONDS = 6.0


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    settings = {"watch_silence_seconds": 2, "liveness_seconds": LIVENESS_SECONDS}
    with a_fault_lab(tmp_path_factory.mktemp("faults"), **settings) as lab:
        yield lab


@pytest.fixture
def operator(lab):
    """Give the operator, not started."""
    yield lab.operator
    lab.operator.stop()
    lab.operator.log.unlink(missing_ok=True)


@pytest.fixture
def releases(lab):
    with ChartRepository() as repository:
        yield ReleasesUnderFault(lab.cluster, repository)


def poison(releases, name):
    """Create a HelmRelease that Python's JSON module cannot read."""
    whole = {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRelease",
        "metadata": {"name": name, "namespace": releases.namespace},
        "spec": {
            "chart": {"name": "note", "repository": releases.repository_url},
            "values": "DEEP",
        },
    }
    text = json.dumps(whole).replace('"DEEP"', DEEP)
    releases.control_plane.kubectl("create", "--raw", releases.path(), "-f", "-", stdin=text)


def reason(releases, name):
    """The reason of a HelmRelease's Ready, of which no more is read: it may be too deep."""
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].reason}"
    return releases.control_plane.kubectl(
        "get", "helmreleases.whipstaff.dev", name, "-n", releases.namespace, "-o", path
    )


def test_a_poison_object_in_the_list_holds_up_nobody_else(releases, operator):
    for number in range(3):
        releases.note(f"before-{number}")
    poison(releases, "poison")
    for number in range(3):
        releases.note(f"sound-{number}")
    started = time.monotonic()
    operator.start()
    for name in ("before-0", "before-1", "before-2", "sound-0", "sound-1", "sound-2"):
        operator.eventually(lambda name=name: releases.ready(name), 30)
    assert time.monotonic() - started < 30
    operator.eventually(lambda: reason(releases, "poison") == "ValuesTooDeep", 30)
    assert releases.stored("poison") == {}
    assert operator.answers("livez")
    # Made readable, it is like any other.
    releases.edit("poison", values=None)
    operator.eventually(lambda: releases.ready("poison"), 30)


def test_a_poison_object_that_comes_later_or_was_sound_before(releases, operator):
    operator.start()
    releases.note("turned", "sound")
    operator.eventually(lambda: releases.ready("turned"), 30)
    poison(releases, "later")
    turned = '{"spec":{"values":{"word":"poison","deep":' + DEEP + "}}}"
    releases.control_plane.kubectl(
        "patch",
        "helmreleases.whipstaff.dev",
        "turned",
        "-n",
        releases.namespace,
        "--type=merge",
        "-p",
        turned,
    )
    for name in ("later", "turned"):
        operator.eventually(lambda name=name: reason(releases, name) == "ValuesTooDeep", 30)
    releases.note("after")
    operator.eventually(lambda: releases.ready("after"), 30)
    assert releases.word("turned") == "sound"
    releases.edit("turned", values={"word": "healed", "deep": None})
    operator.eventually(lambda: releases.word("turned") == "healed", 30)


def test_a_release_whose_values_turned_too_deep_to_be_read_can_still_be_deleted(releases, operator):
    operator.start()
    releases.note("turned", "sound")
    operator.eventually(lambda: releases.ready("turned"), 30)
    deep = '{"spec":{"values":{"deep":' + DEEP + "}}}"
    cluster, place = releases.control_plane, ("-n", releases.namespace)
    cluster.kubectl(
        "patch", "helmreleases.whipstaff.dev", "turned", *place, "--type=merge", "-p", deep
    )
    operator.eventually(lambda: reason(releases, "turned") == "ValuesTooDeep", 30)
    cluster.kubectl("delete", "helmreleases.whipstaff.dev", "turned", *place, "--wait=false")
    left = ("get", "helmreleases,configmaps,secrets", *place, "-o", "name")
    operator.eventually(lambda: "turned" not in cluster.kubectl(*left), 30)


def test_a_dead_api_service_does_not_keep_it_from_starting(releases, operator):
    cluster = releases.control_plane
    cluster.kubectl("apply", "-f", "-", stdin=DEAD_API_SERVICE)
    try:
        operator.start()
        releases.note("mine")
        operator.eventually(lambda: releases.ready("mine"), 30)
        assert operator.restarts == 0
    finally:
        cluster.kubectl("delete", "apiservice", "v1.dead.example.com")


@pytest.mark.parametrize("code", [500, 503, 403])
def test_who_hears_nothing_of_helmreleases_fails_the_liveness_probe(lab, releases, operator, code):
    operator.start()
    assert operator.answers("livez")
    lab.proxy.add(Answer(code), Match("GET", WATCH))
    lab.proxy.cut_watches(WATCH)
    deadline = time.monotonic() + LIVENESS_SECONDS + 5
    while operator.answers("livez"):
        assert time.monotonic() < deadline, "the probe still says that all is well"
        time.sleep(0.1)
    lab.proxy.heal()
    releases.note("mine")
    operator.eventually(lambda: releases.ready("mine"), 30)
    assert operator.answers("livez")


def test_who_has_not_listed_the_helmreleases_is_not_ready(lab, releases, operator):
    lab.proxy.add(Answer(503), Match("GET", WATCH))
    operator.launch()
    operator.eventually(lambda: operator.logged("lease acquired"), 30)
    assert not operator.answers("readyz")
    lab.proxy.heal()
    operator.await_ready()
    assert operator.logged("operator started") == 1


def test_who_cannot_renew_the_lease_ends_and_comes_back(lab, releases, operator):
    operator.start()
    lab.proxy.add(Answer(500), Match("PUT", r"/leases/"))
    before = operator.restarts
    deadline = time.monotonic() + 30
    while operator.process is not None:
        assert time.monotonic() < deadline, "it goes on without a lease"
        time.sleep(0.1)
    lab.proxy.heal()
    releases.note("mine")
    operator.eventually(lambda: releases.ready("mine"), 30)
    assert operator.restarts == before + 1
