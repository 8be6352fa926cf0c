"""What becomes of a release whose install or upgrade fails, and of what is undone.

After each, `helm history` and `helm status` tell what status.history tells. Elsewhere: tests of
charts that fail (test_tests_of_charts.py); locks of others, and what the helm command does
(test_helm_cli.py); pins (test_pins.py); a kill at every border (test_kills.py, and
test_remediation.py of the unit tests); edits, deletions and suspension while something runs
(test_faults_edits.py); namespaces that are deleted (test_deletion.py).
"""

import pytest

from tests.builders.atomic_releases import NAME, AtomicReleases, atomic_chart, history
from tests.builders.live_releases import condition, eventually, handled, is_true, secret_name

BAD = {"fails": "pre-install,pre-upgrade"}
LAST = {"remediateLastFailure": True}
INSTALL, UPGRADE = {"fails": "pre-install"}, {"fails": "pre-upgrade"}
ROLLBACK_FAILS = {"fails": "pre-rollback"}


@pytest.fixture
def x(releases, repository):
    repository.add(atomic_chart())
    return AtomicReleases(releases)


# An install that fails.


def test_a_failed_install_is_left_as_it_is_where_nothing_is_to_be_done(x):
    x.create(values=INSTALL, install={"remediation": {}})
    release = x.stalled({1: "failed"})
    assert condition(release, "Ready")["reason"] == "InstallFailed"
    assert release["status"]["installFailures"] == 1
    assert "upgradeFailures" not in release["status"]
    assert condition(release, "Remediated")["status"] == ""
    x.value(fails=None)
    x.runs(2)
    x.agree()


def test_a_failed_install_is_uninstalled_and_its_inputs_are_not_tried_again(x):
    x.create(values={"fails": "post-install"}, install={"remediation": LAST})
    release = x.stalled({1: "uninstalled"})
    assert x.text is None
    remediated = condition(release, "Remediated")
    assert (remediated["status"], remediated["reason"]) == ("True", "UninstallSucceeded")
    ready = condition(release, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "InstallFailed")
    assert "x-gate failed" in ready["message"]
    assert "it was uninstalled" in ready["message"]
    rejected = release["status"]["rejected"]
    assert (rejected["revision"], rejected["attempts"]) == (1, 1)
    assert "x-gate failed" in rejected["reason"]
    # Whoever only asks for a pass does not ask for what was rejected.
    x.answered()
    assert x.stored == {1: "uninstalled"}
    x.value(fails=None)
    release = x.runs(2)
    assert "rejected" not in release["status"]
    x.agree()


def test_a_failed_install_is_uninstalled_before_each_retry_and_left_after_the_last(x):
    x.create(values={"fails": "post-install"}, install={"remediation": {"retries": 1}})
    release = x.stalled({1: "uninstalled", 2: "failed"})
    assert release["status"]["installFailures"] == 2
    assert [entry["trigger"] for entry in history(release)] == ["retry", "spec"]
    assert x.text == "first"


def test_a_failed_install_is_retried_for_ever_where_nothing_is_to_be_undone(x):
    strategy = {"name": "RetryOnFailure", "retryInterval": "1s"}
    x.create(values=INSTALL, install={"strategy": strategy, "remediation": LAST})
    x.live.until(NAME, tried_until(5))
    x.value(fails=None)
    x.live.settled(NAME)
    assert list(x.stored.values())[-1] == "deployed"
    x.agree()


def tried_until(revision):
    """Return what is true once a revision of this number or a higher one is there, and no end."""

    def holds(release):
        newest = (history(release) or [{}])[0]
        return newest.get("revision", 0) >= revision and not is_true(release, "Stalled")

    return holds


def test_an_uninstallation_that_remediates_and_fails_is_tried_until_it_succeeds(x):
    x.create(values={"fails": "post-install,pre-delete"}, install={"remediation": LAST})
    release = x.until({1: "uninstalling"}, "Stalled")
    remediated = condition(release, "Remediated")
    assert (remediated["status"], remediated["reason"]) == ("False", "UninstallFailed")
    ready = condition(release, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "HookFailed")
    assert "revision 1, which failed, cannot be uninstalled: Job" in ready["message"]
    assert condition(release, "Released")["reason"] == "InstallFailed"
    assert x.text == "first"
    # Other inputs wait for the end of it.
    x.edit(values={"text": "second", "fails": None}, uninstall={"disableHooks": True})
    x.runs(2)
    assert x.stored == {1: "uninstalled", 2: "deployed"}
    assert x.text == "second"
    x.agree()


def test_what_a_remediation_kept_is_forgotten_with_the_helmrelease(x):
    x.create(values=INSTALL, install={"remediation": LAST})
    x.stalled({1: "uninstalled"})
    x.live.delete(NAME)
    x.live.gone(NAME)
    assert x.stored == {}


def test_a_deletion_that_fails_is_told_of_and_goes_on_once_its_hooks_are_left_out(x):
    x.create(values={"fails": "pre-delete"})
    x.runs(1)
    x.live.delete(NAME)
    x.until({1: "uninstalling"}, "Stalled")
    assert "x-gate failed" in x.live.refused(NAME, "HookFailed")["message"]
    assert x.text == "first"
    x.edit(uninstall={"disableHooks": True})
    x.live.gone(NAME)
    assert x.stored == {}
    assert x.text is None


# An upgrade that fails.


def test_a_failed_upgrade_is_left_as_it_is_where_nothing_is_to_be_done(x):
    x.create(upgrade={"remediation": {}})
    x.runs(1)
    x.value(text="second", fails="post-upgrade")
    release = x.stalled({1: "deployed", 2: "failed"})
    assert condition(release, "Ready")["reason"] == "UpgradeFailed"
    assert release["status"]["upgradeFailures"] == 1
    assert x.text == "second"


def test_a_failed_upgrade_is_rolled_back_and_its_inputs_are_not_tried_again(x):
    x.create(upgrade={"remediation": LAST})
    x.runs(1)
    x.value(text="second", fails="post-upgrade")
    stored = {1: "superseded", 2: "failed", 3: "deployed"}
    release = x.stalled(stored)
    assert x.text == "first"
    remediated = condition(release, "Remediated")
    assert (remediated["status"], remediated["reason"]) == ("True", "RollbackSucceeded")
    ready = condition(release, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "UpgradeFailed")
    assert "revision 1 runs again, as revision 3" in ready["message"]
    assert condition(release, "Released")["status"] == "False"
    newest = history(release)[0]
    assert (newest["action"], newest["trigger"], newest["madeFrom"]) == (
        "remediate",
        "remediation",
        1,
    )
    assert release["status"]["rejected"]["version"] == "1.0.0"
    x.answered()
    assert x.stored == stored
    # What runs is what is wanted: there is nothing to release, and nothing is wrong any more.
    x.edit(values={"text": "first", "fails": None})
    release = x.runs(3)
    assert x.stored == stored
    for kind in ("Remediated", "Stalled"):
        assert condition(release, kind)["status"] == ""
    assert "rejected" not in release["status"]
    x.agree()


def test_a_failed_upgrade_is_rolled_back_before_each_retry_and_after_the_last(x):
    x.create(upgrade={"remediation": {"retries": 1}})
    x.runs(1)
    x.value(text="second", **UPGRADE)
    # Of failed revisions with the same content the last one is kept.
    release = x.stalled({1: "superseded", 3: "superseded", 4: "failed", 5: "deployed"})
    assert release["status"]["rejected"]["attempts"] == 2
    assert release["status"]["upgradeFailures"] == 2
    assert x.text == "first"


def test_a_failed_upgrade_is_left_after_the_last_retry_where_that_is_not_to_be_undone(x):
    x.create(upgrade={"remediation": {"retries": 1, "remediateLastFailure": False}})
    x.runs(1)
    x.value(text="second", fails="post-upgrade")
    release = x.stalled({1: "superseded", 3: "deployed", 4: "failed"})
    assert release["status"]["upgradeFailures"] == 2
    assert [entry["trigger"] for entry in history(release)[:2]] == ["retry", "remediation"]
    assert x.text == "second"
    x.value(text="third", fails=None)
    x.runs(5)
    x.agree()


def test_a_failed_upgrade_is_retried_for_ever_where_nothing_is_to_be_undone(x):
    strategy = {"name": "RetryOnFailure", "retryInterval": "1s"}
    x.create(upgrade={"strategy": strategy, "remediation": LAST})
    x.runs(1)
    x.value(text="second", **UPGRADE)
    x.live.until(NAME, tried_until(4))
    assert x.stored[1] == "deployed"
    x.value(fails=None)
    x.live.settled(NAME)
    assert list(x.stored.values())[-1] == "deployed"
    assert x.text == "second"
    x.agree()


def test_a_failed_upgrade_is_uninstalled_where_that_is_the_strategy(x):
    x.create(upgrade={"remediation": LAST | {"strategy": "uninstall"}})
    x.runs(1)
    x.value(text="second", **UPGRADE)
    release = x.stalled({1: "superseded", 2: "uninstalled"})
    assert x.text is None
    assert condition(release, "Remediated")["reason"] == "UninstallSucceeded"
    x.value(fails=None)
    x.runs(3)
    assert x.text == "second"
    x.agree()


def test_new_inputs_are_released_over_a_remediation_and_leave_no_trace_in_conditions(x):
    x.create(upgrade={"remediation": LAST})
    x.runs(1)
    x.value(text="second", **UPGRADE)
    x.stalled({1: "superseded", 2: "failed", 3: "deployed"})
    x.value(text="third", fails=None)
    release = x.runs(4)
    assert [c["type"] for c in release["status"]["conditions"]] == ["Ready", "Released"]
    assert "failures" not in release["status"]
    x.agree()


def test_a_reset_has_rejected_inputs_tried_again_once(x):
    x.create(upgrade={"remediation": LAST})
    x.runs(1)
    x.value(text="second", **UPGRADE)
    x.stalled({1: "superseded", 2: "failed", 3: "deployed"})
    x.annotate(requestedAt="one", resetAt="one")
    release = x.stalled({1: "superseded", 3: "superseded", 4: "failed", 5: "deployed"})
    assert release["status"]["lastHandledResetAt"] == "one"
    assert release["status"]["rejected"]["attempts"] == 1
    assert history(release)[1]["trigger"] == "reset"


def test_a_reset_that_is_not_asked_for_in_the_same_breath_is_none(x):
    x.create(upgrade={"remediation": LAST})
    x.runs(1)
    x.value(text="second", **UPGRADE)
    x.stalled({1: "superseded", 2: "failed", 3: "deployed"})
    x.annotate(requestedAt="one", resetAt="another")
    x.live.until(NAME, lambda release: release["status"].get("lastHandledReconcileAt") == "one")
    assert max(x.stored) == 3


def test_without_a_previous_revision_there_is_nothing_to_roll_back_to(x):
    x.create(upgrade={"remediation": {}})
    x.runs(1)
    x.value(text="second", **UPGRADE)
    x.stalled({1: "deployed", 2: "failed"})
    x.live.api.request("DELETE", x.live.core("secrets", secret_name(NAME, 1)))
    x.edit(upgrade={"remediation": LAST})
    release = x.stalled({2: "failed"}, "MissingRollbackTarget")
    assert "no previous revision" in condition(release, "Ready")["message"]


def test_a_rollback_that_remediates_and_fails_is_tried_three_times(x):
    x.create(values=ROLLBACK_FAILS, upgrade={"remediation": LAST})
    x.runs(1)
    x.value(text="second", fails="post-upgrade")
    release = x.stalled({1: "deployed", 2: "failed", 5: "failed"})
    remediated = condition(release, "Remediated")
    assert (remediated["status"], remediated["reason"]) == ("False", "RollbackFailed")
    ready = condition(release, "Ready")["message"]
    assert 'Upgrade "x" failed' in ready
    assert 'Rollback "x" failed' in ready
    assert release["status"]["rejected"]["revision"] == 2
    # The last word is the user's: other inputs are released over all of it.
    x.value(text="third", fails=None)
    x.runs(6)
    x.agree()


def test_a_rollback_by_a_pin_that_fails_is_never_undone(x):
    x.create(values=ROLLBACK_FAILS, upgrade={"remediation": LAST})
    x.runs(1)
    x.value(text="second", fails=None)
    x.runs(2)
    x.edit(revision=1)
    release = x.stalled({1: "superseded", 2: "deployed", 5: "failed"})
    assert condition(release, "Ready")["reason"] == "RollbackFailed"
    assert condition(release, "Remediated")["status"] == ""
    x.edit(revision=None)
    x.runs(6)
    assert x.text == "second"
    x.agree()


def test_removing_a_pin_rolls_forward_even_to_inputs_that_were_rejected(x):
    x.create(upgrade={"remediation": LAST})
    x.runs(1)
    x.value(text="second", **UPGRADE)
    x.stalled({1: "superseded", 2: "failed", 3: "deployed"})
    x.edit(revision=1)
    x.live.until(NAME, lambda release: is_true(release, "Pinned"))
    # Even if nothing can be done about it for a while.
    x.edit(revision=None, suspend=True)
    x.live.until(NAME, lambda release: "suspended" in condition(release, "Ready")["message"])
    x.edit(suspend=None)
    x.stalled({1: "superseded", 3: "superseded", 4: "failed", 5: "deployed"})


def test_who_rolls_back_by_hand_does_not_have_rejected_inputs_tried_again(x):
    x.create(upgrade={"remediation": LAST})
    x.runs(1)
    x.value(text="second", **UPGRADE)
    x.stalled({1: "superseded", 2: "failed", 3: "deployed"})
    x.live.helm("rollback", NAME, "1")
    x.answered()
    stored = {1: "superseded", 2: "failed", 3: "superseded", 4: "deployed"}
    release = x.stalled(stored)
    assert "revision 4 runs, which was made outside" in condition(release, "Ready")["message"]
    assert release["status"]["rejected"]["revision"] == 2
    x.value(text="third", fails=None)
    x.runs(5)
    x.agree()


# Force.


def test_a_forced_revision_is_made_once_though_nothing_changed(x):
    x.create()
    x.runs(1)
    x.annotate(requestedAt="one", forceAt="one")
    release = x.runs(2)
    assert history(release)[0]["trigger"] == "force"
    assert release["status"]["lastHandledForceAt"] == "one"
    x.answered()
    assert x.stored == {1: "superseded", 2: "deployed"}
    x.agree()


def test_force_tries_again_what_is_exhausted(x):
    x.create(values=INSTALL, install={"remediation": {}})
    x.stalled({1: "failed"})
    x.annotate(requestedAt="one", forceAt="one")
    x.live.until(NAME, lambda release: max(e["revision"] for e in history(release)) == 2)
    release = x.stalled({2: "failed"})  # of the same content: the older one tells nothing more
    assert release["status"]["lastHandledForceAt"] == "one"


def test_force_tries_again_what_was_rejected_and_undoes_it_again(x):
    x.create(upgrade={"remediation": LAST})
    x.runs(1)
    x.value(text="second", **UPGRADE)
    x.stalled({1: "superseded", 2: "failed", 3: "deployed"})
    x.annotate(requestedAt="one", forceAt="one")
    release = x.stalled({1: "superseded", 3: "superseded", 4: "failed", 5: "deployed"})
    assert release["status"]["lastHandledForceAt"] == "one"
    assert history(release)[1]["trigger"] == "force"
    x.answered()
    assert max(x.stored) == 5


# What others do to the history; see also test_helm_cli.py.


def test_a_history_that_is_deleted_is_begun_anew(x):
    x.create()
    x.runs(1)
    x.live.api.request("DELETE", x.live.core("secrets", secret_name(NAME, 1)))
    x.answered()
    x.runs(1)
    x.agree()


def test_a_part_of_the_history_that_is_deleted_is_missed_by_nobody(x):
    x.create()
    x.runs(1)
    x.value(text="second")
    x.runs(2)
    x.value(text="third")
    x.runs(3)
    x.live.api.request("DELETE", x.live.core("secrets", secret_name(NAME, 2)))
    x.answered()
    x.until({1: "superseded", 3: "deployed"}, "Ready")
    x.value(text="fourth")
    x.runs(4)
    x.agree()


def test_a_deployed_revision_that_is_deleted_is_made_again(x):
    x.create()
    x.runs(1)
    x.value(text="second")
    x.runs(2)
    x.live.api.request("DELETE", x.live.core("secrets", secret_name(NAME, 2)))
    x.answered()
    x.runs(2)
    assert x.text == "second"
    x.agree()


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "pending-rollback"])
def test_a_lock_of_the_helm_command_is_taken_away_after_the_timeout(x, status):
    x.create(timeout="2s")
    x.runs(1)
    x.edit(suspend=True)
    x.leave_pending(2, status)
    x.edit(suspend=None, values={"text": "second"})
    x.runs(3)
    assert x.stored == {1: "superseded", 2: "failed", 3: "deployed"}
    assert x.text == "second"
    x.agree()


@pytest.mark.parametrize("kept", [False, True], ids=["", "history kept"])
def test_a_release_that_the_helm_command_uninstalls_comes_back(x, kept):
    x.create()
    x.runs(1)
    x.live.helm("uninstall", NAME, *(["--keep-history"] if kept else []))
    x.answered()
    x.runs(2 if kept else 1)
    assert x.stored == ({1: "uninstalled", 2: "deployed"} if kept else {1: "deployed"})
    assert x.text == "first"
    x.agree()


@pytest.mark.parametrize("command", ["upgrade", "rollback"])
def test_what_the_helm_command_releases_is_recorded_and_brought_back(x, command):
    x.create()
    x.runs(1)
    x.value(text="second")
    x.runs(2)
    chart = ("atomic", "--repo", x.live.repository_url, "--set", "text=theirs")
    x.live.helm(command, NAME, *(chart if command == "upgrade" else ("1",)))
    assert x.text in ("theirs", "first")
    x.answered()
    release = x.runs(4)
    assert [entry["trigger"] for entry in history(release)[:2]] == ["outside", "outside"]
    assert x.text == "second"
    x.agree()


def test_a_first_install_that_the_helm_command_left_locked_is_taken_over(x):
    x.create()
    x.runs(1)
    x.edit(suspend=True)
    x.leave_pending(2, "pending-install")
    x.live.api.request("DELETE", x.live.core("secrets", secret_name(NAME, 1)))
    x.edit(suspend=None, timeout="2s")
    x.runs(3)
    assert x.stored == {2: "failed", 3: "deployed"}
    x.agree()


# What is taken away underneath.


@pytest.fixture
def elsewhere(x):
    """A namespace that the release goes to, and that somebody deletes."""
    name = f"{x.live.namespace}-elsewhere"
    x.live.control_plane.kubectl("create", "namespace", name)
    yield name
    x.live.control_plane.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def placed_in(namespace, **spec):
    return {"targetNamespace": namespace, "releaseName": NAME, **spec}


def test_a_release_whose_namespace_is_deleted_comes_back_with_it(x, elsewhere):
    x.create(**placed_in(elsewhere))
    x.runs(1)
    x.live.control_plane.kubectl("delete", "namespace", elsewhere)
    x.live.ask(NAME)
    ready = x.live.refused(NAME, "NamespaceNotFound")
    assert elsewhere in ready["message"]
    x.live.control_plane.kubectl("create", "namespace", elsewhere)
    x.live.ask(NAME)
    x.runs(1)
    assert x.live.data(NAME, elsewhere)["text"] == "first"
    x.live.agree(NAME, elsewhere)


def test_a_release_that_may_create_its_namespace_comes_back_by_itself(x, elsewhere):
    x.create(**placed_in(elsewhere, install={"createNamespace": True}))
    x.runs(1)
    x.live.control_plane.kubectl("delete", "namespace", elsewhere)
    assert x.live.find(f"/api/v1/namespaces/{elsewhere}") is None
    x.answered()
    x.runs(1)
    assert x.live.data(NAME, elsewhere)["text"] == "first"
    x.live.agree(NAME, elsewhere)


def test_a_remediation_goes_on_after_a_kill(x, operator):
    slow = {"fails": "pre-rollback", "outcome": "succeeds", "delay": "3s"}
    x.create(values=slow, upgrade={"remediation": LAST})
    x.runs(1)
    x.value(text="second", fails="post-upgrade", outcome="fails", delay="0s")
    begun = {1: "deployed", 2: "failed", 3: "pending-rollback"}
    eventually(lambda: x.stored == begun, "it is not undone")
    operator.kill()
    assert x.stored == begun
    operator.start()
    x.stalled({1: "superseded", 2: "failed", 3: "deployed"})
    assert x.text == "first"


# Options that change.


def test_options_that_change_have_the_same_inputs_tried_again_at_once(x):
    late = {"fails": "pre-upgrade", "outcome": "succeeds", "delay": "4s"}
    x.create(upgrade={"timeout": "1s", "remediation": LAST})
    x.runs(1)
    x.value(text="second", **late)
    x.stalled({1: "superseded", 2: "failed", 3: "deployed"})
    # What an attempt does not depend on asks for none.
    x.edit(interval="7m")
    x.live.until(NAME, lambda release: handled(release) and is_true(release, "Stalled"))
    x.edit(upgrade={"timeout": "1m"})
    release = x.until({1: "superseded", 2: "failed", 3: "superseded", 4: "deployed"}, "Ready")
    assert x.text == "second"
    assert history(release)[0]["trigger"] == "options"
    assert "failures" not in release["status"]
