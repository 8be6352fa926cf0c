"""People change their minds while the operator works: the last wish wins, nothing is left over."""

import json
import time

import pytest

from tests.builders.live_releases import eventually
from tests.builders.releases_under_fault import ReleasesUnderFault
from tools.chartrepo import ChartRepository


@pytest.fixture
def releases(control_plane, operator):
    with ChartRepository() as repository:
        yield ReleasesUnderFault(control_plane, repository)


@pytest.fixture
def running(releases, request):
    """Give the name of a release that runs, and the gate that its next revisions can wait at."""
    name = request.node.name.replace("_", "-")[5:45].strip("-")
    releases.gated(name, "", "first")
    eventually(lambda: releases.ready(name), "the first revision is not ready")
    return name


@pytest.mark.parametrize("pause_seconds", [0.0, 0.1])
def test_fifty_edits_during_an_upgrade(releases, pause_seconds):
    name = f"edits-{int(pause_seconds * 10)}"
    releases.gated(name, "", "first")
    eventually(lambda: releases.ready(name), "the first revision is not ready")
    releases.edit(name, values={"word": "waits", "gate": name})
    eventually(lambda: releases.word(name) == "waits", "the upgrade does not begin")
    for number in range(50):
        releases.edit(name, values={"word": str(number)})
        time.sleep(pause_seconds)
    releases.open(name)
    eventually(lambda: releases.ready(name), "the last edit is not ready")
    assert releases.word(name) == "49"
    stored = releases.stored(name)
    assert list(stored.values()).count("deployed") == 1
    assert stored[max(stored)] == "deployed"
    assert len(stored) - 1 <= 3, stored
    releases.agree(name)


def test_a_deletion_during_an_install_completes(releases):
    releases.gated("mine", "never-opened")
    eventually(lambda: releases.has_deployment("mine"), "the install does not begin")
    releases.delete("mine")
    releases.gone("mine")
    assert releases.stored("mine") == {}
    assert releases.word("mine") is None
    assert not releases.has_deployment("mine")


def test_a_deletion_during_an_upgrade_completes(releases, running):
    releases.edit(running, values={"word": "waits", "gate": "never-opened"})
    eventually(lambda: releases.word(running) == "waits", "the upgrade does not begin")
    releases.delete(running)
    releases.gone(running)
    assert releases.stored(running) == {}
    assert not releases.has_deployment(running)


def test_a_deletion_that_is_asked_for_again_is_one(releases):
    """Whatever is edited meanwhile, too."""
    releases.note("mine")
    eventually(lambda: releases.ready("mine"), "it is not ready")
    held, path = {"finalizers": ["example.dev/held"]}, releases.core("configmaps", "mine")
    releases.api.request("PATCH", path, {"metadata": held})
    releases.delete("mine")
    eventually(lambda: "deletionTimestamp" in releases.find(path)["metadata"], "nothing is deleted")
    releases.delete("mine")
    releases.edit("mine", values={"word": "later"}, suspend=True)
    releases.edit("mine", chart={"name": "unknown"}, revision=7)
    releases.ask("mine")
    releases.delete("mine")
    releases.api.request("PATCH", path, {"metadata": {"finalizers": None}})
    releases.gone("mine")
    assert releases.stored("mine") == {}
    assert releases.word("mine") is None


def test_a_deletion_before_anything_was_installed_completes(releases):
    releases.create("mine", "unknown-chart")
    eventually(lambda: releases.said("mine"), "nothing is said of the unknown chart")
    releases.delete("mine")
    releases.gone("mine")


def test_a_deleted_name_can_be_used_again_at_once(releases):
    for word in ("one", "two", "three"):
        releases.note("mine", word)
        eventually(lambda word=word: releases.word("mine") == word, f"{word} does not come")
        releases.delete("mine")
        releases.gone("mine")


def test_a_rollback_during_an_upgrade_ends_it_and_is_made_once(releases, running):
    releases.edit(running, values={"word": "waits", "gate": "never-opened"})
    eventually(lambda: releases.word(running) == "waits", "the upgrade does not begin")
    releases.edit(running, revision=1)
    undone = {1: "superseded", 2: "failed", 3: "deployed"}
    eventually(lambda: releases.stored(running) == undone, "it is not rolled back")
    eventually(lambda: releases.ready(running), "it is not ready")
    assert releases.word(running) == "first"
    same = [releases.payload(running, number) for number in (1, 3)]
    for part in ("manifest", "config"):
        assert same[0].get(part) == same[1].get(part)
    # Asked for again, and to the revision that came of it: it runs already.
    for revision in (1, 3):
        releases.edit(running, revision=revision)
        releases.answered(running)
        assert releases.stored(running) == undone
    releases.edit(running, revision=2)
    releases.refused(running, "RevisionNotUsable")
    assert releases.stored(running) == undone
    releases.agree(running)


# Others change the objects of a release, too.


def test_what_others_do_to_objects_that_are_waited_for_is_put_right(releases, running):
    """What is deleted meanwhile fails the revision, and the next attempt makes it anew."""
    drift = {"driftDetection": {"mode": "enabled"}, "upgrade": {"timeout": "4s"}}
    releases.edit(running, values={"word": "two", "gate": "meddled"}, **drift)
    eventually(lambda: releases.word(running) == "two", "the upgrade does not begin")
    deployment = f"/apis/apps/v1/namespaces/{releases.namespace}/deployments/{running}"
    others = [{"name": "main", "image": "example.com/others"}]
    meddled = {"spec": {"template": {"spec": {"containers": others}}}}
    releases.api.request("PATCH", deployment, meddled)
    releases.api.request("DELETE", releases.core("configmaps", running))
    releases.open("meddled")
    eventually(lambda: f"{running}: " in releases.said(running), "what is missing is not named")
    eventually(lambda: releases.ready(running), "it is not ready", 60)
    assert releases.word(running) == "two"

    def image():
        template = releases.api.request("GET", deployment)["spec"]["template"]
        return template["spec"]["containers"][0]["image"]

    eventually(lambda: image() == "example.com/none", "what was edited is not put right")
    assert releases.stored(running) == {1: "superseded", 2: "failed", 3: "deployed"}
    releases.agree(running)


def test_an_upgrade_takes_back_what_its_chart_says_from_whoever_set_it(releases):
    """No conflict ends it: what a chart renders is the chart's."""
    releases.create("web", "scaled", values={"replicas": 1, "word": "one"})
    releases.settled("web", revision=1)
    plane, place = releases.control_plane, ("-n", releases.namespace)
    plane.kubectl("scale", "deployment/web", "--replicas=2", *place)
    changed = "kubectl", "apply", "--server-side", "--force-conflicts", "--field-manager=oncall"
    note = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}
    data = {"data": {"word": "oncall", "more": "kept"}}
    plane.run(*changed, *place, "-f", "-", stdin=json.dumps(note | data))
    releases.edit("web", values={"word": "two"})
    releases.settled("web", revision=2)
    assert releases.data("web") == {"word": "two", "more": "kept"}
    path = f"/apis/apps/v1/namespaces/{releases.namespace}/deployments/web"
    assert releases.api.request("GET", path)["spec"]["replicas"] == 1


def test_suspended_during_a_wait_what_is_under_way_ends_and_nothing_else_begins(releases, running):
    releases.edit(running, values={"word": "waits", "gate": "suspended"})
    eventually(lambda: releases.word(running) == "waits", "the upgrade does not begin")
    releases.edit(running, suspend=True)
    releases.edit(running, values={"word": "not-yet"})
    releases.ask(running)
    time.sleep(1.5)
    assert releases.stored(running) == {1: "deployed", 2: "pending-upgrade"}
    releases.open("suspended")
    ended = {1: "superseded", 2: "deployed"}
    eventually(lambda: releases.stored(running) == ended, "the upgrade does not end")
    eventually(lambda: "suspended" in releases.said(running), "nothing is said of it")
    time.sleep(0.5)
    assert releases.word(running) == "waits"
    assert releases.stored(running) == ended
    releases.edit(running, suspend=None)
    eventually(lambda: releases.ready(running), "it does not go on")
    assert releases.word(running) == "not-yet"
    assert list(releases.stored(running).values()).count("deployed") == 1
    releases.agree(running)


def test_what_fails_under_way_is_not_undone_while_suspended(releases, running):
    undo = {"remediation": {"remediateLastFailure": True}, "timeout": "3s"}
    releases.edit(running, values={"word": "waits", "gate": "never-opened"}, upgrade=undo)
    eventually(lambda: releases.word(running) == "waits", "the upgrade does not begin")
    releases.edit(running, suspend=True)
    failed = {1: "deployed", 2: "failed"}
    eventually(lambda: releases.stored(running) == failed, "the upgrade does not fail")
    eventually(lambda: "suspended" in releases.said(running), "nothing is said of it")
    assert releases.stored(running) == failed
    releases.edit(running, suspend=None)
    undone = {1: "superseded", 2: "failed", 3: "deployed"}
    eventually(lambda: releases.stored(running) == undone, "it is not undone")
    assert releases.word(running) == "first"
    releases.agree(running)


def test_suspended_and_let_go_during_a_wait_it_ends_the_same_revision(releases, running):
    releases.edit(running, values={"word": "waits", "gate": "let-go"})
    eventually(lambda: releases.word(running) == "waits", "the upgrade does not begin")
    releases.edit(running, suspend=True)
    releases.edit(running, suspend=None)
    releases.open("let-go")
    eventually(lambda: releases.ready(running), "it does not go on")
    assert releases.stored(running) == {1: "superseded", 2: "deployed"}
    releases.agree(running)


def test_a_suspended_release_that_was_never_begun_is_left_alone(releases):
    releases.note("mine", suspend=True)
    eventually(lambda: "suspended" in releases.said("mine"), "nothing is said of it")
    assert releases.stored("mine") == {}
    releases.edit("mine", suspend=None)
    eventually(lambda: releases.ready("mine"), "it does not begin")
