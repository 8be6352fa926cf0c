"""`spec.revision: N`: run stored revision N, and stay there."""

import pytest

from tests.builders.live_releases import condition, is_true
from tests.builders.small_charts import HANGS, app_chart, settings_chart


@pytest.fixture(autouse=True)
def _published(repository):
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        repository.add(settings_chart(version))
    repository.add(app_chart())


@pytest.fixture
def blog(releases):
    """A release with three revisions: versions 1.0.0, 1.1.0 and 1.2.0 of the chart."""
    releases.create("blog", version="1.0.0")
    releases.settled("blog", revision=1)
    for revision, version in ((2, "1.1.0"), (3, "1.2.0")):
        releases.choose("blog", version)
        releases.settled("blog", revision=revision)
    return releases


def pinned(release, to):
    return release["status"].get("pinnedRevision") == to and is_true(release, "Pinned")


def test_naming_the_revision_that_runs_makes_none(blog):
    blog.edit("blog", revision=3)
    release = blog.settled("blog", revision=3)
    assert pinned(release, 3)
    assert list(blog.stored("blog")) == [1, 2, 3]
    # And it is held: newer wishes wait.
    blog.edit("blog", values={"text": "later"})
    blog.settled("blog", revision=3)
    assert list(blog.stored("blog")) == [1, 2, 3]
    assert blog.data("blog")["text"] == "plain"


def test_naming_another_revision_makes_one_that_copies_it(blog):
    blog.edit("blog", revision=1)
    release = blog.settled("blog", revision=4)
    assert pinned(release, 1)
    assert condition(release, "Ready")["reason"] == "RollbackSucceeded"
    made, source = blog.payload("blog", 4), blog.payload("blog", 1)
    assert made["info"]["description"] == "Rollback to 1"
    assert made["chart"]["metadata"]["version"] == "1.0.0"
    for copied in ("manifest", "hooks", "config"):
        assert _without_runs(made.get(copied)) == _without_runs(source.get(copied))


def _without_runs(part):
    """Drop when hooks ran last, which is a fact of one revision."""
    if not isinstance(part, list):
        return part
    return [{name: fact for name, fact in hook.items() if name != "last_run"} for hook in part]


def test_a_pin_holds_against_edits_and_restarts_and_status_says_what_it_holds_back(blog, operator):
    blog.edit("blog", revision=1)
    blog.settled("blog", revision=4)
    blog.edit("blog", values={"text": "later"})
    blog.settled("blog", revision=4)
    blog.choose("blog", "1.1.0")
    release = blog.settled("blog", revision=4)
    said = condition(release, "Pinned")["message"]
    assert said.startswith("held at revision 1; held back: settings 1.1.0")

    operator.stop()
    operator.start()
    blog.answered("blog")
    assert list(blog.stored("blog")) == [1, 2, 3, 4]
    assert blog.data("blog") == {
        "text": "plain",
        "chart": "1.0.0",
        "dropped": "by the next version",
    }

    blog.edit("blog", revision=None)
    release = blog.settled("blog", revision=5)
    assert condition(release, "Pinned")["status"] == ""
    assert "pinnedRevision" not in release["status"]
    assert blog.data("blog") == {"text": "later", "chart": "1.1.0"}


def test_taking_the_pin_away_rolls_forward_even_to_what_ran_before(blog):
    blog.edit("blog", revision=1)
    blog.settled("blog", revision=4)
    blog.edit("blog", revision=None)
    blog.settled("blog", revision=5)
    assert blog.data("blog")["chart"] == "1.2.0"


def test_a_pin_moves_from_one_revision_to_another(blog):
    blog.edit("blog", revision=1)
    blog.settled("blog", revision=4)
    blog.edit("blog", revision=2)
    release = blog.settled("blog", revision=5)
    assert pinned(release, 2)
    assert blog.data("blog")["chart"] == "1.1.0"
    # 4 was made from 1, so it is 1 that runs when 4 is named.
    blog.edit("blog", revision=4)
    release = blog.settled("blog", revision=6)
    assert pinned(release, 4)
    assert blog.data("blog")["chart"] == "1.0.0"


def test_a_pin_to_a_revision_that_is_not_stored_names_the_usable_ones_and_touches_nothing(blog):
    before = blog.api.request("GET", blog.core("configmaps", "blog"))
    blog.edit("blog", revision=9)
    ready = blog.refused("blog", "RevisionNotFound")
    assert "revision 9 is not stored; usable revisions: 3, 2, 1" in ready["message"]
    release = blog.get("blog")
    assert is_true(release, "Stalled")
    assert condition(release, "Pinned")["status"] == "False"
    assert release["status"]["revision"] == 3
    assert list(blog.stored("blog")) == [1, 2, 3]
    assert blog.api.request("GET", blog.core("configmaps", "blog")) == before


def test_a_pin_to_a_pruned_revision_names_the_usable_ones(blog):
    blog.edit("blog", maxHistory=2, values={"text": "four"})
    blog.settled("blog", revision=4)
    assert blog.stored("blog") == {3: "superseded", 4: "deployed"}
    blog.edit("blog", revision=1)
    assert "usable revisions: 4, 3" in blog.refused("blog", "RevisionNotFound")["message"]
    assert list(blog.stored("blog")) == [3, 4]


def test_a_pin_to_a_failed_revision_names_the_usable_ones(releases):
    releases.create("web", chart="app")
    releases.settled("web", revision=1)
    releases.edit("web", values=HANGS, upgrade={"timeout": "1s"})
    releases.refused("web", "UpgradeFailed")
    releases.edit("web", values=None, revision=2)
    ready = releases.refused("web", "RevisionNotUsable")
    assert "revision 2 is failed and cannot be run; usable revisions: 1" in ready["message"]
    assert releases.stored("web") == {1: "deployed", 2: "failed"}


def test_a_rollback_leaves_a_failed_upgrade_behind(releases):
    releases.create("web", chart="app")
    releases.settled("web", revision=1)
    releases.edit("web", values=HANGS, upgrade={"timeout": "1s"})
    releases.refused("web", "UpgradeFailed")
    releases.edit("web", revision=1)
    releases.settled("web", revision=3)
    assert releases.stored("web") == {1: "superseded", 2: "failed", 3: "deployed"}


def test_a_pin_on_an_empty_cluster_is_stalled_and_installs_nothing(releases):
    releases.create("blog", revision=1)
    ready = releases.refused("blog", "RevisionNotFound")
    assert "usable revisions: none" in ready["message"]
    assert is_true(releases.get("blog"), "Stalled")
    assert releases.left_over() == []
    releases.edit("blog", revision=None)
    releases.settled("blog", revision=1)


def test_pruning_spares_what_a_pin_names_and_what_ran_last(blog):
    blog.edit("blog", revision=1, maxHistory=1)
    blog.settled("blog", revision=4)
    assert blog.stored("blog") == {1: "superseded", 3: "superseded", 4: "deployed"}


def test_held_means_made_from_the_revision_even_after_it_is_pruned(blog):
    blog.edit("blog", revision=1)
    blog.settled("blog", revision=4)
    blog.control_plane.kubectl(
        *("delete", "secret", "sh.helm.release.v1.blog.v1", "-n", blog.namespace)
    )
    release = blog.answered("blog")
    assert pinned(release, 1)
    assert is_true(release, "Ready")
    assert blog.stored("blog") == {2: "superseded", 3: "superseded", 4: "deployed"}


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("rollback", "blog", "2"), id="a rollback"),
        pytest.param(("upgrade", "blog", "settings", "--version", "1.1.0"), id="an upgrade"),
    ],
)
def test_what_the_helm_command_does_to_a_held_release_is_left_alone(blog, repository, command):
    blog.edit("blog", revision=1)
    blog.settled("blog", revision=4)
    source = ("--repo", repository.url) if command[0] == "upgrade" else ()
    blog.helm(*command, *source)
    release = blog.answered("blog")
    assert list(blog.stored("blog")) == [1, 2, 3, 4, 5]
    assert blog.data("blog")["chart"] == "1.1.0"
    told = condition(release, "Pinned")
    assert (told["status"], told["reason"]) == ("False", "ChangedOutside")
    assert "revision 5, made outside Whipstaff, runs instead of 1" in told["message"]
    assert release["status"]["history"][0]["trigger"] == "outside"
    # Taking the pin away brings the spec back, as always.
    blog.edit("blog", revision=None)
    blog.settled("blog", revision=6)
    assert blog.data("blog")["chart"] == "1.2.0"
