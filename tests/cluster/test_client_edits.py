"""`whipstaff rollback`, `pin`, `suspend`, `reconcile`, `approve`, `wait` and `uninstall`."""

import json

import pytest
import yaml
from click.testing import CliRunner

from tests.builders.live_releases import condition
from tests.builders.our_command import our_command
from tests.builders.small_charts import HANGS, app_chart, settings_chart
from whipstaff.cli.main import main

MANAGER = "whipstaff-cli"


@pytest.fixture(autouse=True)
def _published(repository):
    for version in ("1.0.0", "1.1.0"):
        repository.add(settings_chart(version))
    repository.add(app_chart())


@pytest.fixture
def ours(control_plane, namespace):
    return our_command(control_plane, namespace)


@pytest.fixture
def blog(releases):
    """A release with two revisions, the second of which runs."""
    releases.create("blog", version="1.0.0")
    releases.settled("blog", revision=1)
    releases.choose("blog", "1.1.0")
    releases.settled("blog", revision=2)
    return releases


def test_a_rollback_goes_to_the_revision_before_and_stays(blog, ours, namespace):
    told = ours("rollback", "blog")
    assert told.stdout == "Rollback was a success! Happy Helming!\n"
    assert "stays on revision 1" in told.stderr
    release = blog.get("blog")
    assert release["spec"]["revision"] == 1
    assert blog.data("blog")["chart"] == "1.0.0"
    assert [
        entry["revision"] for entry in json.loads(blog.helm("history", "blog", "-o", "json"))
    ] == [*(1, 2, 3)]
    owners = [
        entry["manager"]
        for entry in release["metadata"]["managedFields"]
        if "f:revision" in entry["fieldsV1"].get("f:spec", {})
    ]
    assert owners == [MANAGER]


def test_a_rollback_counts_what_the_helm_command_has_just_stored(blog, ours):
    blog.edit("blog", suspend=True)
    blog.until("blog", lambda release: "suspended" in condition(release, "Ready")["message"])
    blog.helm("upgrade", "blog", "settings", "--repo", blog.repository_url, "--version", "1.0.0")
    shown = yaml.safe_load(ours("rollback", "blog", "--dry-run=client").stdout)
    assert shown["spec"] == {"revision": 2}
    shown = yaml.safe_load(ours("pin", "blog", "3", "--dry-run=client").stdout)
    assert shown["spec"] == {"revision": 3}


def test_a_pin_stays_beside_what_git_applies_and_goes_with_unpin(blog, ours):
    assert "is pinned to revision 1" in ours("pin", "blog", "1", "--wait").stdout
    blog.edit("blog", values={"text": "from Git"})
    assert blog.answered("blog")["spec"]["revision"] == 1
    assert blog.data("blog")["text"] == "plain"
    ours("unpin", "blog", "--wait")
    assert "revision" not in blog.get("blog")["spec"]
    assert blog.data("blog")["text"] == "from Git"


def test_a_pin_of_somebody_else_goes_with_unpin_too(blog, ours):
    blog.edit("blog", revision=1)
    blog.answered("blog")
    ours("unpin", "blog", "--wait")
    assert blog.data("blog")["chart"] == "1.1.0"


def test_edits_keep_what_earlier_ones_set(blog, ours):
    ours("pin", "blog")
    ours("suspend", "blog")
    ours("reconcile", "blog")
    release = blog.get("blog")
    assert (release["spec"]["revision"], release["spec"]["suspend"]) == (2, True)
    assert "is suspended" in ours("wait", "blog", code=1).stderr
    ours("resume", "blog", "--wait")
    release = blog.get("blog")
    assert "suspend" not in release["spec"]
    assert release["spec"]["revision"] == 2


def test_a_revision_that_is_not_stored_changes_nothing(blog, ours):
    assert "release has no 9 version" in ours("rollback", "blog", "9", code=1).stderr
    assert "could not convert" in ours("rollback", "blog", "x", code=1).stderr
    assert "revision" not in blog.get("blog")["spec"]


def test_what_never_ran_cannot_be_pinned(releases, ours):
    releases.create("blog", chart="nowhere")
    assert "no revision runs" in ours("pin", "blog", code=1).stderr
    assert "release: not found" in ours("rollback", "blog", code=1).stderr


def test_a_dry_run_shows_the_edit_and_makes_none(blog, ours):
    shown = yaml.safe_load(ours("rollback", "blog", "--dry-run=client").stdout)
    assert (shown["kind"], shown["spec"]) == ("HelmRelease", {"revision": 1})
    ours("rollback", "blog", "1", "--dry-run=server")
    assert "revision" not in blog.get("blog")["spec"]


def test_a_pass_is_made_when_it_is_asked_for(blog, ours):
    ours("reconcile", "blog", "--force", "--wait")
    assert blog.get("blog")["status"]["revision"] == 3


def test_a_plan_is_done_once_it_is_approved_of(releases, ours):
    releases.create("blog", version="1.0.0", approval="Manual")
    releases.until("blog", lambda release: condition(release, "ApprovalRequired"))
    assert "is sha256:" in ours("approve", "blog", "sha256:0", code=1).stderr
    digest = releases.get("blog")["status"]["plan"]["digest"]
    ours("approve", "blog", digest, "--wait")
    assert releases.data("blog")["chart"] == "1.0.0"


def test_what_is_not_ready_is_told_with_its_cause(releases, ours):
    one_try = {"remediation": {}}
    releases.create("app", chart="app", values=HANGS, timeout="3s", install=one_try)
    told = ours("wait", "app", code=1)
    assert "Deployment" in told.stderr
    assert "app" in told.stderr


def test_an_uninstallation_takes_objects_and_revisions_along(blog, ours, namespace):
    assert ours("uninstall", "blog", "--dry-run").stdout == 'release "blog" uninstalled\n'
    assert blog.get("blog")["metadata"].get("deletionTimestamp") is None
    assert ours("delete", "blog").stdout == 'release "blog" uninstalled\n'
    assert blog.helm("ls", "-q") == ""
    told = ours("uninstall", "blog", code=1).stderr
    assert told.startswith("Error: uninstall: Release not loaded: blog: release: not found: there ")
    ours("uninstall", "blog", "--ignore-not-found")


def test_history_is_kept_where_that_is_asked_for(blog, ours):
    ours("uninstall", "blog", "--keep-history")
    assert blog.helm("ls", "-q", "--uninstalled") == "blog\n"
    assert "was uninstalled and its history kept" in ours("uninstall", "blog", code=1).stderr


def test_who_may_not_edit_is_told_so(control_plane, blog, namespace):
    control_plane.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    control_plane.kubectl(
        *("create", "rolebinding", "reader", "--clusterrole=view", "-n", namespace),
        f"--serviceaccount={namespace}:reader",
    )
    token = control_plane.service_account_token(namespace, "reader")
    kubeconfig = control_plane.kubeconfig_for(token, f"reader-{namespace}", namespace)
    line = ["pin", "blog", "1", "--kubeconfig", str(kubeconfig)]
    told = CliRunner().invoke(main, line, prog_name="whipstaff")
    assert told.exit_code == 1
    assert "forbidden" in told.stderr
