"""Whatever happens to the watch of HelmReleases, the operator hears of every change again."""

import contextlib
import json
import time

import pytest

from tests.builders.fault_lab import a_fault_lab
from tests.builders.releases_under_fault import ReleasesUnderFault
from tests.fakes.fault_proxy import Answer, Match
from tools.chartrepo import ChartRepository
from tools.running_operator import CRDS

WATCH = r"/helmreleases$"
SILENCE_SECONDS = 3.0  # in place of the 75 s that a test of its own waits for
DEEP = '{"a":' * 1200 + "1" + "}" * 1200


def an_error(code, reason, **more):
    failure = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, **more}
    return json.dumps({"type": "ERROR", "object": failure}).encode() + b"\n"


def an_event(kind, body):
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    with a_fault_lab(folder, watch_silence_seconds=SILENCE_SECONDS) as lab:
        lab.operator.start()
        yield lab


@pytest.fixture
def proxy(lab):
    lab.proxy.heal()
    return lab.proxy


@pytest.fixture
def operator(lab):
    """Give the operator, which must not need a restart in the test."""
    restarts = lab.operator.restarts
    yield lab.operator
    assert lab.operator.restarts == restarts


@pytest.fixture
def releases(lab, proxy, operator):
    with ChartRepository() as repository:
        operator.eventually(lambda: proxy.watching(WATCH), 60)
        yield ReleasesUnderFault(lab.cluster, repository)


def test_a_change_behind_a_frozen_watch_is_noticed(releases, proxy, operator):
    releases.note("before")
    operator.eventually(lambda: releases.ready("before"), 30)
    proxy.freeze_watches(WATCH)
    releases.note("after")
    releases.edit("before", values={"word": "changed"})
    operator.eventually(lambda: releases.ready("after"), SILENCE_SECONDS + 30)
    operator.eventually(lambda: releases.word("before") == "changed", 30)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(an_error(500, "InternalError", message="leader changed"), id="error-500"),
        pytest.param(an_error(410, "Expired", message="too old"), id="error-410"),
        pytest.param(an_error(0, "NeverHeardOf"), id="unknown-error"),
        pytest.param(b'{"type":"ERROR","object":{"code":"many"}}\n', id="error-without-a-code"),
        pytest.param(b'{"type":"ERROR"}\n', id="error-without-an-object"),
        pytest.param(b'{"type":"NOVELTY","object":{}}\n', id="unknown-type"),
        pytest.param(b"<html>Sign in</html>\n", id="garbage"),
        pytest.param(b"\x00\xff\xfe\n", id="no-text"),
        pytest.param(b"[1, 2]\n", id="json-of-another-shape"),
        pytest.param(b'{"type":"MODIFIED","object":' + DEEP.encode() + b"}\n", id="too-deep"),
        pytest.param(b"7" * (2 << 20) + b"\n", id="two-megabytes-in-a-line"),
    ],
)
def test_what_no_watch_should_say_costs_nothing_but_a_new_list(releases, proxy, operator, line):
    operator.eventually(lambda: proxy.inject(WATCH, line), 10)
    releases.note("after")
    operator.eventually(lambda: releases.ready("after"), 30)


def test_half_a_line_and_the_end_of_the_connection_lose_nothing(releases, proxy, operator):
    proxy.inject(WATCH, b'{"type":"MODIFIED","object":{"metadata":{"na')
    proxy.cut_watches(WATCH)
    releases.note("after")
    operator.eventually(lambda: releases.ready("after"), 30)


def test_a_watch_that_is_cut_again_and_again_misses_no_change(releases, proxy, operator):
    releases.note("often", "0")
    for number in range(1, 6):
        proxy.cut_watches(WATCH)
        releases.edit("often", values={"word": str(number)})
        time.sleep(0.3)
    operator.eventually(lambda: releases.word("often") == "5", 30)
    operator.eventually(lambda: releases.ready("often"), 30)


def test_an_event_that_comes_twice_makes_no_second_revision(releases, proxy, operator):
    releases.note("twice")
    body = operator.eventually(lambda: releases.ready("twice"), 30)
    for _ in range(3):
        proxy.inject(WATCH, an_event("MODIFIED", body))
    releases.note("after")
    operator.eventually(lambda: releases.ready("after"), 30)
    assert releases.stored("twice") == {1: "deployed"}


def test_a_list_that_is_refused_for_a_while_is_asked_for_again(releases, proxy, operator):
    proxy.add(Answer(500), Match("GET", WATCH, watch=False), times=12)
    proxy.inject(WATCH, an_error(500, "InternalError"))
    releases.note("after")
    operator.eventually(lambda: releases.ready("after"), 60)


def test_a_deletion_that_no_watch_told_of_is_noticed(releases, proxy, operator):
    releases.note("first", releaseName="shared")
    operator.eventually(lambda: releases.ready("first"), 30)
    releases.note("second", releaseName="shared")
    operator.eventually(lambda: "belongs to HelmRelease" in releases.said("second"), 30)
    # The first goes without a trace: no finalizer, so no uninstall, and no event either.
    proxy.freeze_watches(WATCH)
    remove_finalizers(releases, "first")
    releases.delete("first")
    assert releases.look("first") is None
    operator.eventually(lambda: releases.ready("second"), SILENCE_SECONDS + 60)


def test_our_crd_deleted_and_made_again_is_watched_again(releases, operator):
    cluster = releases.control_plane
    releases.note("before")
    operator.eventually(lambda: releases.ready("before"), 30)
    cluster.kubectl("delete", "crd", "helmreleases.whipstaff.dev", "--timeout=60s")
    assert releases.word("before") == "none", "what ran was taken down with our CRD"
    time.sleep(3)  # long enough for the operator to see that there is none
    cluster.kubectl("apply", "--server-side", "-f", str(CRDS))
    cluster.await_definitions("-f", str(CRDS))
    made = time.monotonic()
    with_patience(lambda: releases.note("after"))
    operator.eventually(lambda: releases.ready("after"), 30)
    assert time.monotonic() - made < 30
    assert releases.word("before") == "none"
    assert releases.stored("before") == {1: "deployed"}


def remove_finalizers(releases, name):
    releases.api.request("PATCH", releases.path(name), {"metadata": {"finalizers": None}})


def with_patience(act, seconds=15):
    """Do it as soon as the API server serves the kind."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(Exception):
            return act()
        time.sleep(0.1)
    return act()
