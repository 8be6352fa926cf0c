"""The helm command and Whipstaff work on the same releases, and each sees what the other did."""

import base64
import gzip
import json
import time

import pytest

from tests.builders.live_releases import LiveReleases, condition, eventually
from tests.builders.small_charts import app_chart, settings_chart
from tools.running_operator import RunningOperator

CHART = ("settings", "--version", "1.0.0")


@pytest.fixture(autouse=True)
def _published(repository):
    for version in ("1.0.0", "1.1.0"):
        repository.add(settings_chart(version))
    repository.add(app_chart())


def test_the_helm_command_reads_our_releases(releases):
    releases.create("blog", version="1.0.0", values={"text": "first"})
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"text": "second"})
    releases.settled("blog", revision=2)

    (listed,) = json.loads(releases.helm("ls", "-o", "json"))
    told = [listed[fact] for fact in ("name", "revision", "status", "chart", "app_version")]
    assert told == ["blog", "2", "deployed", "settings-1.0.0", "v1.0.0"]
    history = json.loads(releases.helm("history", "blog", "-o", "json"))
    assert [(each["revision"], each["status"], each["description"]) for each in history] == [
        (1, "superseded", "Install complete"),
        (2, "deployed", "Upgrade complete"),
    ]
    status = json.loads(releases.helm("status", "blog", "-o", "json"))
    assert status["info"]["status"] == "deployed"
    assert json.loads(releases.helm("get", "values", "blog", "-o", "json")) == {"text": "second"}
    assert 'text: "second"' in releases.helm("get", "manifest", "blog")
    assert 'text: "first"' in releases.helm("get", "manifest", "blog", "--revision", "1")
    assert "name: blog-hook" in releases.helm("get", "hooks", "blog")
    assert "It says second." in releases.helm("get", "notes", "blog")
    whole = releases.helm("get", "all", "blog")
    for part in ("CHART: settings", "text: second", "name: blog-hook", "It says second."):
        assert part in whole


def test_a_rollback_by_the_helm_command_is_recorded_then_brought_back(releases):
    releases.create("blog", version="1.0.0")
    releases.settled("blog", revision=1)
    releases.choose("blog", "1.1.0")
    releases.settled("blog", revision=2)
    releases.helm("rollback", "blog", "1")
    assert releases.data("blog")["chart"] == "1.0.0"
    release = releases.answered("blog")
    assert releases.data("blog") == {"text": "plain", "chart": "1.1.0"}
    ours, outside = release["status"]["history"][:2]
    assert (outside["revision"], outside["action"], outside["trigger"]) == (
        3,
        "rollback",
        "outside",
    )
    assert outside["description"] == "Rollback to 1"
    assert (ours["revision"], ours["status"], ours["trigger"]) == (4, "deployed", "outside")
    assert releases.stored("blog") == {
        1: "superseded",
        2: "superseded",
        3: "superseded",
        4: "deployed",
    }


def test_an_upgrade_by_the_helm_command_is_recorded_then_brought_back(releases, repository):
    releases.create("blog", version="1.0.0")
    releases.settled("blog", revision=1)
    releases.helm(
        *("upgrade", "blog", "settings", "--repo", repository.url, "--set", "text=outside")
    )
    assert releases.data("blog") == {"text": "outside", "chart": "1.1.0"}
    release = releases.answered("blog")
    assert release["status"]["revision"] == 3
    assert releases.data("blog")["text"] == "plain"
    outside = release["status"]["history"][1]
    assert (outside["action"], outside["trigger"]) == ("upgrade", "outside")
    assert outside["version"] == "1.1.0"


def test_what_the_helm_command_does_to_a_suspended_release_is_recorded_and_stays(
    releases, repository
):
    releases.create("blog", version="1.0.0")
    releases.settled("blog", revision=1)
    releases.edit("blog", suspend=True)
    releases.helm(
        *("upgrade", "blog", "settings", "--repo", repository.url, "--set", "text=outside")
    )
    releases.ask("blog")
    release = releases.until("blog", lambda release: release["status"]["revision"] == 2)
    assert release["status"]["history"][0]["trigger"] == "outside"
    assert condition(release, "Ready")["reason"] == "ChangedOutside"
    assert list(releases.stored("blog")) == [1, 2]
    assert releases.data("blog")["text"] == "outside"
    releases.edit("blog", suspend=False)
    releases.settled("blog", revision=3)
    assert releases.data("blog")["text"] == "plain"


@pytest.mark.parametrize("server_side", ["true", "false"])
def test_a_release_of_the_helm_command_is_taken_over_and_what_the_chart_drops_is_gone(
    releases, repository, server_side
):
    source = ("--repo", repository.url, f"--server-side={server_side}")
    releases.helm("install", "blog", *CHART, *source)
    if server_side == "false":
        # An upgrade changes who owns the fields once more.
        releases.helm("upgrade", "blog", *CHART, *source, "--set", "text=again")
    before = len(releases.stored("blog"))
    assert "dropped" in releases.data("blog")
    releases.create("blog", version="1.1.0")
    release = releases.settled("blog", revision=before + 1)
    assert releases.data("blog") == {"text": "plain", "chart": "1.1.0"}
    assert releases.data("blog-dropped") is None
    newest, *older = release["status"]["history"]
    assert newest["action"] == "upgrade"
    assert {entry["trigger"] for entry in older} == {"outside"}
    releases.delete("blog")
    releases.gone("blog")
    assert releases.left_over() == []


def test_the_helm_command_uninstalls_our_release_and_it_comes_back(releases):
    releases.create("blog")
    releases.settled("blog", revision=1)
    releases.helm("uninstall", "blog")
    assert releases.data("blog") is None
    release = releases.answered("blog")
    assert release["status"]["revision"] == 1
    assert condition(release, "Ready")["reason"] == "InstallSucceeded"
    assert releases.data("blog") is not None


def test_someone_else_s_pending_revision_is_waited_for_then_unlocked(releases):
    releases.create("blog", version="1.0.0", timeout="3s")
    releases.settled("blog", revision=1)
    _store_pending(releases)
    begun = time.monotonic()
    releases.choose("blog", "1.1.0")
    waiting = releases.refused("blog", "PendingElsewhere")
    assert "revision 2 is pending-upgrade" in waiting["message"]
    assert releases.stored("blog") == {1: "deployed", 2: "pending-upgrade"}
    release = releases.settled("blog", revision=3)
    assert time.monotonic() - begun > 1
    assert releases.stored("blog") == {1: "superseded", 2: "failed", 3: "deployed"}
    assert "unlocked by Whipstaff" in release["status"]["history"][1]["description"]


def test_someone_else_s_pending_revision_that_ends_in_time_is_not_unlocked(releases):
    releases.create("blog", version="1.0.0")
    releases.settled("blog", revision=1)
    secret = _store_pending(releases)
    releases.choose("blog", "1.1.0")
    releases.refused("blog", "PendingElsewhere")
    releases.api.request("DELETE", releases.core("secrets", secret))
    assert releases.answered("blog")["status"]["revision"] == 2


def _store_pending(releases):
    """Leave what a helm that was killed during an upgrade leaves; return the Secret's name."""
    stored = releases.api.request("GET", releases.core("secrets", "sh.helm.release.v1.blog.v1"))
    now = str(int(time.time()))
    labels = {
        **stored["metadata"]["labels"],
        "version": "2",
        "status": "pending-upgrade",
        "createdAt": now,
    }
    labels.pop("modifiedAt", None)
    name = "sh.helm.release.v1.blog.v2"
    body = {
        **{field: stored[field] for field in ("apiVersion", "kind", "type")},
        "metadata": {"name": name, "labels": labels},
        "data": {"release": _as_revision_2(stored["data"]["release"])},
    }
    releases.api.request("POST", releases.core("secrets"), body)
    return name


def _as_revision_2(data):
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(data))))
    release["version"] = 2
    release["info"]["status"] = "pending-upgrade"
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    return base64.b64encode(packed).decode()


@pytest.fixture
def configmap_releases(control_plane, operator, namespace, repository):
    """Releases of a second operator, which stores revisions as ConfigMaps."""
    # The first operator sees these HelmReleases too, so it stops while the second one runs.
    operator.stop()
    second = RunningOperator(
        *(control_plane, "whipstaff-configmap", "--storage-driver=configmap"),
        *(f"--namespace={namespace}", f"--lease-namespace={namespace}"),
    )
    second.start()
    yield LiveReleases(control_plane, namespace, repository.url)
    second.stop()
    operator.start()


def test_the_configmap_driver_of_the_helm_command_reads_what_ours_stores(
    control_plane, configmap_releases, monkeypatch
):
    releases = configmap_releases
    monkeypatch.setenv("HELM_DRIVER", "configmap")
    releases.create("blog", version="1.0.0")
    releases.settled("blog", revision=1)
    releases.choose("blog", "1.1.0")
    releases.settled("blog", revision=2)
    (listed,) = json.loads(releases.helm("ls", "-o", "json"))
    assert (listed["name"], listed["revision"]) == ("blog", "2")
    assert "It says plain." in releases.helm("get", "notes", "blog")
    assert releases.stored("blog") == {}  # no Secret
    releases.helm("rollback", "blog", "1")
    assert releases.answered("blog")["status"]["revision"] == 4
    releases.delete("blog")
    releases.gone("blog")
    assert json.loads(releases.helm("ls", "-o", "json")) == []
    eventually(lambda: releases.data("blog") is None, "the ConfigMap is still there")
