"""A release's life by its HelmRelease: installed, upgraded, rolled back, forward, uninstalled."""

import time

import pytest

from tests.builders.live_releases import condition, is_true
from tests.builders.small_charts import HANGS, app_chart, settings_chart

QUIET_SECONDS = 1.0  # long enough for a pass that should not have begun


@pytest.fixture(autouse=True)
def _published(repository):
    for version in ("1.0.0", "1.1.0"):
        repository.add(settings_chart(version))
        repository.add(app_chart(version))


def test_a_release_lives_by_edits_of_its_spec_alone(releases):
    releases.create("blog", version="1.0.0", values={"text": "first"})
    releases.settled("blog", revision=1)
    assert releases.data("blog") == {
        "text": "first",
        "chart": "1.0.0",
        "dropped": "by the next version",
    }

    releases.edit("blog", values={"text": "second"})
    releases.settled("blog", revision=2)
    assert releases.data("blog")["text"] == "second"

    releases.choose("blog", "1.1.0")
    releases.settled("blog", revision=3)
    assert releases.data("blog") == {"text": "second", "chart": "1.1.0"}
    assert releases.data("blog-dropped") is None

    releases.edit("blog", revision=1)
    releases.settled("blog", revision=4)
    assert releases.data("blog")["dropped"] == "by the next version"
    assert releases.data("blog-dropped") is not None

    releases.edit("blog", revision=None)
    releases.settled("blog", revision=5)
    assert releases.data("blog") == {"text": "second", "chart": "1.1.0"}
    assert releases.data("blog-dropped") is None
    assert releases.history("blog") == [
        (5, "deployed"),
        *((number, "superseded") for number in (4, 3, 2, 1)),
    ]

    releases.delete("blog")
    releases.gone("blog")
    assert releases.left_over() == []


def test_deletion_waits_until_the_objects_are_gone(releases):
    releases.create("web", chart="app", values={"replicas": 2})
    releases.settled("web")
    releases.delete("web")
    releases.gone("web")
    assert releases.stored("web") == {}
    found = releases.control_plane.kubectl(
        "get", "deployments", "-n", releases.namespace, "-o", "name"
    )
    assert found == ""


def test_history_says_what_when_and_why(releases):
    releases.create("blog", version="1.0.0")
    releases.settled("blog", revision=1)
    releases.choose("blog", "1.1.0")
    releases.settled("blog", revision=2)
    releases.edit("blog", revision=1)
    release = releases.settled("blog", revision=3)
    newest, middle, oldest = release["status"]["history"]
    facts = ("revision", "status", "action", "version", "description", "trigger")
    assert [[entry[fact] for fact in facts] for entry in (newest, middle, oldest)] == [
        [3, "deployed", "rollback", "1.0.0", "Rollback to 1", "spec"],
        [2, "superseded", "upgrade", "1.1.0", "Upgrade complete", "spec"],
        [1, "superseded", "install", "1.0.0", "Install complete", "spec"],
    ]
    assert newest["madeFrom"] == 1
    assert newest["appVersion"] == "v1.0.0"
    assert newest["manifestDigest"] == oldest["manifestDigest"] != middle["manifestDigest"]
    assert oldest["started"] <= oldest["finished"] <= middle["started"] <= newest["started"]


def test_each_condition_speaks_of_the_newest_spec(releases):
    releases.create("blog")
    first = releases.settled("blog", revision=1)
    assert condition(first, "Ready")["reason"] == "InstallSucceeded"
    assert condition(first, "Ready")["message"] == "revision 1 runs settings 1.1.0"
    releases.edit("blog", values={"text": "new"})
    second = releases.settled("blog", revision=2)
    generation = second["metadata"]["generation"]
    assert second["status"]["observedGeneration"] == generation
    assert {each["observedGeneration"] for each in second["status"]["conditions"]} == {generation}
    assert not is_true(second, "Reconciling")
    assert not is_true(second, "Stalled")
    assert condition(second, "Released")["reason"] == "UpgradeSucceeded"
    # Ready was True before and after: its transition is the first one's.
    moments = [condition(each, "Ready")["lastTransitionTime"] for each in (first, second)]
    assert moments[0] == moments[1]


def test_while_something_is_done_ready_is_unknown_and_the_unready_object_is_named(releases):
    releases.create("web", chart="app")
    before = releases.settled("web", revision=1)
    releases.edit("web", values=HANGS)
    waiting = releases.until("web", lambda release: release["status"].get("unready"))
    assert condition(waiting, "Ready")["status"] == "Unknown"
    assert is_true(waiting, "Reconciling")
    assert waiting["status"]["observedGeneration"] == before["metadata"]["generation"]
    assert waiting["status"]["revision"] == 1
    (unready,) = waiting["status"]["unready"]
    assert (unready["kind"], unready["name"]) == ("Deployment", "web")
    assert unready["cause"]
    # A newer spec ends the wait at once, though its timeout is five minutes.
    releases.edit("web", values=None)
    releases.settled("web")
    assert releases.history("web")[1] == (2, "failed")


def test_kubectl_waits_for_ready(releases):
    releases.create("blog")
    name = "helmrelease/blog"
    releases.control_plane.kubectl(
        *("wait", name, "-n", releases.namespace, "--for=condition=Ready", "--timeout=40s")
    )
    assert releases.data("blog") is not None


def test_columns_say_what_runs_and_whether_it_is_ready(releases):
    releases.create("blog", version="^1.0")
    releases.settled("blog")
    heads, cells = releases.control_plane.kubectl(
        "get", "whr", "-n", releases.namespace
    ).splitlines()
    assert heads.split() == ["NAME", "CHART", "VERSION", "REVISION", "READY", "STATUS", "AGE"]
    assert cells.split()[:5] == ["blog", "settings", "1.1.0", "1", "True"]
    assert "revision 1 runs settings 1.1.0" in cells


def test_events_come_with_transitions_only(releases):
    releases.create("blog", values={"text": "one"})
    releases.settled("blog", revision=1)
    releases.answered("blog")
    releases.answered("blog")
    assert releases.events("blog") == [("Normal", "InstallSucceeded")]
    releases.edit("blog", values={"text": "two"})
    releases.settled("blog", revision=2)
    releases.choose("blog", "9.9.9")
    releases.refused("blog", "ChartVersionNotFound")
    releases.ask("blog")  # it is refused again, which is no news
    releases.choose("blog", "1.1.0")
    releases.settled("blog", revision=2)
    assert releases.events("blog") == [
        ("Normal", "InstallSucceeded"),
        ("Normal", "UpgradeSucceeded"),
        ("Warning", "ChartVersionNotFound"),
        ("Normal", "UpgradeSucceeded"),
    ]


def test_an_edit_that_renders_to_what_runs_makes_no_revision(releases):
    releases.create("blog", values={"text": "a"})
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"unused": "by the chart"})
    releases.settled("blog", revision=1)
    assert releases.stored("blog") == {1: "deployed"}


def test_values_that_once_rendered_to_what_ran_are_released_when_something_else_runs(releases):
    releases.create("blog", values={"text": "a"})
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"unused": "x"})  # remembered as rendering to revision 1
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"text": "b"})
    releases.settled("blog", revision=2)
    releases.edit("blog", values={"text": "a"})
    releases.settled("blog", revision=3)
    assert releases.data("blog")["text"] == "a"


def test_a_newer_chart_in_the_range_is_released_without_an_edit(releases, repository):
    releases.create("blog", version="^1.0", interval="1s")
    releases.settled("blog", revision=1)
    repository.add(settings_chart("1.2.0"))
    releases.settled("blog", revision=2)
    assert releases.data("blog")["chart"] == "1.2.0"


def test_asking_by_annotation_looks_for_a_newer_chart_now(releases, repository):
    releases.create("blog", version="^1.0")
    releases.settled("blog", revision=1)
    repository.add(settings_chart("1.2.0"))
    release = releases.answered("blog")
    assert release["status"]["revision"] == 2


def test_a_suspended_release_is_left_alone_until_it_is_resumed(releases):
    releases.create("blog", suspend=True)
    ready = condition(releases.until("blog", lambda release: True), "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Suspended")
    assert releases.left_over() == []
    releases.edit("blog", suspend=False)
    releases.settled("blog", revision=1)
    releases.edit("blog", suspend=True, values={"text": "later"})
    release = releases.until(
        "blog", lambda release: "is suspended" in condition(release, "Ready")["message"]
    )
    assert condition(release, "Ready")["status"] == "True"
    assert "revision 1 runs" in condition(release, "Ready")["message"]
    time.sleep(QUIET_SECONDS)
    release = releases.get("blog")
    # What is kept waiting has not been acted on, and status does not say that it was.
    assert release["status"]["observedGeneration"] < release["metadata"]["generation"]
    assert releases.stored("blog") == {1: "deployed"}
    releases.edit("blog", suspend=None)
    ready = condition(releases.settled("blog", revision=2), "Ready")
    assert "suspended" not in ready["message"]
    assert releases.data("blog")["text"] == "later"


def test_two_releases_of_one_chart_live_side_by_side(releases):
    for name in ("one", "two"):
        releases.create(name, values={"text": name})
    for name in ("one", "two"):
        releases.settled(name, revision=1)
        assert releases.data(name)["text"] == name
    releases.delete("one")
    releases.gone("one")
    assert releases.data("two")["text"] == "two"
    assert releases.stored("two") == {1: "deployed"}
