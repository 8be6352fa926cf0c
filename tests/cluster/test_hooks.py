"""Hooks run when, in which order and as often as Helm's: the audit log tells of both."""

import os
from itertools import groupby

import pytest
from click.testing import CliRunner

from tests.builders.live_releases import condition
from tests.builders.ordered_charts import (
    CLUSTER_OBJECTS,
    EVENTS,
    HANGING_JOB,
    OBJECTS,
    failing_chart,
    ordered_chart,
)
from tests.builders.two_lives import NAME, STAGES, WAIT, HelmLife, OurLife, both_lives
from whipstaff.chart.install_order import INSTALL_ORDER
from whipstaff.cli.main import main
from whipstaff.release.manifests import UNINSTALL_ORDER

ACTIONS = {
    "install": "install",
    "upgrade": "upgrade",
    "rollback": "rollback",
    "delete": "uninstall",
}
UNKNOWN_KINDS = ["EndpointSlice", "Lease"]  # to Helm: they come last, by name
KINDS = {kind for _, kind, _ in (*OBJECTS, *CLUSTER_OBJECTS)} | {"CustomResourceDefinition"}


@pytest.fixture(scope="module")
def lives(operator):
    """The life of the chart `ordered`, by us and by the helm CLI."""
    prefix = f"order-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    archives = [ordered_chart(version) for version in ("1.0.0", "1.1.0")]
    return both_lives(operator.cluster, prefix, "ordered", archives)


@pytest.fixture
def ours(lives):
    return lives[0]


@pytest.mark.parametrize("stage", STAGES)
def test_everything_is_written_in_helms_order(lives, stage):
    ours, helms = lives
    assert ours.said(stage) == helms.said(stage)


@pytest.mark.parametrize("stage", ["install", "upgrade", "rollback"])
def test_objects_are_created_in_install_order(ours, stage):
    assert resources(ours.objects(stage)) == plurals(INSTALL_ORDER)


def test_objects_are_deleted_in_uninstall_order(ours):
    assert resources(ours.objects("uninstall")) == plurals(UNINSTALL_ORDER)
    assert {write.verb for write in ours.objects("uninstall")} == {"delete"}


@pytest.mark.parametrize("event", EVENTS)
def test_a_hook_runs_at_its_event_and_at_no_other(ours, event):
    when, action = event.split("-")
    name = f"hook-{event}"
    assert [stage for stage in STAGES if ours.verbs(stage, name)] == [ACTIONS[action]]
    writes = ours.stages[ACTIONS[action]]
    (at,) = (place for place, write in enumerate(writes) if write.name == name)
    objects = [place for place, write in enumerate(writes) if not write.of_hook]
    assert at < objects[0] if when == "pre" else at > objects[-1]


def test_a_hook_with_several_events_runs_at_each(ours):
    assert {stage: ours.verbs(stage, "hook-job") for stage in STAGES} == {
        stage: ["create", "delete"] for stage in STAGES
    }


def test_hooks_go_by_weight_then_by_name_whatever_their_kind(ours):
    created = [write.name for write in ours.hooks("upgrade") if write.verb == "create"]
    assert created == [
        "hook-account",  # -5
        "hook-no-number",
        "hook-policy-all",
        "hook-policy-before",
        "hook-policy-failed",
        "hook-policy-none",
        "hook-policy-succeeded",
        "hook-pre-upgrade",
        "hooks.NS.test",
        "hook-tie-a",  # 3
        "hook-tie-b",
        "hook-tie-c",
        "hook-nine",
        "hook-ten",
        "hook-post-upgrade",
        "hook-job",
    ]


@pytest.mark.parametrize(
    ("policy", "first", "second"),
    [
        pytest.param("none", ["create"], ["delete", "create"], id="none: as before-hook-creation"),
        pytest.param("before", ["create"], ["delete", "create"], id="before-hook-creation"),
        pytest.param("succeeded", ["create", "delete"], ["create", "delete"], id="hook-succeeded"),
        pytest.param(
            "failed", ["create"], ["create"], id="hook-failed: applied over what is there"
        ),
        pytest.param("all", ["create", "delete"], ["create", "delete"], id="all three"),
    ],
)
def test_a_hook_that_succeeded_is_deleted_as_its_policy_says(ours, policy, first, second):
    name = f"hook-policy-{policy}"
    assert ours.verbs("install", name) == first
    for stage in ("upgrade", "rollback", "uninstall"):
        assert ours.verbs(stage, name) == second


def test_succeeded_hooks_are_deleted_once_all_have_run_the_last_one_first(ours):
    writes = ours.hooks("upgrade")
    befores = writes[: [write.name for write in writes].index("hook-post-upgrade")]
    assert [str(write) for write in befores[-2:]] == [
        "delete configmaps/hook-policy-succeeded",
        "delete configmaps/hook-policy-all",
    ]


@pytest.mark.parametrize("name", ["hook-tested", "hook-unknown"])
def test_a_test_and_a_hook_of_an_unknown_event_are_never_created(ours, name):
    assert not any(ours.verbs(stage, name) for stage in STAGES)


def test_no_policy_deletes_a_definition(ours):
    verbs = {stage: ours.verbs(stage, "hooks.NS.test") for stage in STAGES}
    assert verbs == {"install": ["create"], "upgrade": ["create"], "rollback": [], "uninstall": []}


def test_hooks_outlive_their_release_as_with_helm(operator, lives):
    def left(life):
        kinds = "configmaps,serviceaccounts,jobs,pods"
        names = operator.cluster.kubectl("get", kinds, "-n", life.namespace, "-o", "name").split()
        return [name for name in names if "/hook-" in name]

    ours, helms = map(left, lives)
    assert ours == helms
    assert "configmap/hook-dropped" in ours  # the upgrade's chart had it no more: it is not pruned
    assert "configmap/hook-post-delete" in ours
    assert not {write.name for write in lives[0].stages["upgrade"]} & {"hook-dropped"}


def test_hooks_carry_no_marks_of_ownership(operator, ours):
    path = f"/api/v1/namespaces/{ours.namespace}/configmaps/hook-post-delete"
    metadata = operator.cluster.api.request("GET", path)["metadata"]
    assert "labels" not in metadata
    assert metadata["annotations"] == {"helm.sh/hook": "post-delete"}


FAILURES = [
    # event, revision that fails, what runs by then, what is left of the hooks
    pytest.param("pre-install", 1, None, id="pre-install"),
    pytest.param("post-install", 1, "1.0.0", id="post-install"),
    pytest.param("pre-upgrade", 2, "1.0.0", id="pre-upgrade"),
    pytest.param("post-upgrade", 2, "1.1.0", id="post-upgrade"),
    pytest.param("pre-rollback", 3, "1.1.0", id="pre-rollback"),
    pytest.param("post-rollback", 3, "1.0.0", id="post-rollback"),
]


@pytest.mark.parametrize(("event", "number", "runs"), FAILURES)
def test_a_hook_that_fails_ends_its_revision(operator, namespace, repository, event, number, runs):
    add_failing(repository)
    our = OurLife(operator.cluster, namespace, repository)
    our.stage("all", lambda x: until_failed(x, number, values={"event": event, "policy": ""}))
    x = our.releases
    description = x.get(NAME)["status"]["history"][0]["description"]
    assert f"Job {namespace}/hook-c failed: Job has reached the specified backoff limit" in (
        description
    )
    # A later hook has not run, an earlier one is deleted if its policy says so, or stays.
    assert [str(write) for write in our.life.hooks("all")] == [
        "create configmaps/hook-a",
        "create configmaps/hook-b",
        "create jobs/hook-c",
        "delete configmaps/hook-a",
    ]
    assert (x.data("object") or {}).get("version") == runs
    statuses = list(x.stored(NAME).values())
    assert statuses[-1] == "failed"
    assert "failed" not in statuses[:-1]
    if number > 1:
        assert statuses[-2] == "deployed"


def test_a_hook_that_fails_is_deleted_if_its_policy_says_so_in_helms_order(
    operator, namespace, repository
):
    add_failing(repository)
    values = {"event": "pre-install", "policy": "hook-failed"}
    our = OurLife(operator.cluster, namespace, repository)
    our.stage("all", lambda x: until_failed(x, 1, values=values))
    other = f"{namespace}-helms"
    operator.cluster.kubectl("create", "namespace", other)
    helms = HelmLife(operator.cluster, other, repository)
    settings = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
    done = helms.stage(
        *("all", "install", NAME, "failing", "--version", "1.0.0"),
        *(*helms.source, *WAIT, *settings),
        check=False,
    )
    assert done.returncode == 1
    assert our.life.said("all") == helms.life.said("all")
    assert [str(write) for write in our.life.hooks("all")[-2:]] == [
        "delete jobs/hook-c",
        "delete configmaps/hook-a",
    ]
    operator.cluster.kubectl("delete", "namespace", other, "--wait=false")


def test_a_hook_that_takes_too_long_ends_its_revision(releases, repository):
    repository.add(failing_chart("1.0.0", HANGING_JOB))
    until_failed(
        releases, 1, values={"event": "pre-install", "policy": "hook-failed"}, timeout="2s"
    )
    text = releases.get(NAME)["status"]["history"][0]["description"]
    assert text.startswith(
        f'Release "x" failed: timed out after 2s: Job {releases.namespace}/hook-c: '
        "the Job is running: 0 of 1 Pods succeeded"
    )
    assert releases.data("object") is None


def test_a_hook_that_fails_before_deletion_keeps_everything_until_hooks_are_disabled(
    releases, repository
):
    add_failing(repository)
    releases.create(
        NAME, "failing", "1.0.0", values={"event": "pre-delete", "policy": "before-hook-creation"}
    )
    releases.settled(NAME, 1)
    releases.delete(NAME)
    release = releases.until(NAME, lambda release: condition(release, "Ready")["status"] == "False")
    told = condition(release, "Ready")["message"]
    assert "hook-c failed" in told
    assert releases.data("object") == {"version": "1.0.0"}
    assert releases.stored(NAME) == {1: "uninstalling"}
    place = ("-n", releases.namespace)
    assert " ".join(("whipstaff uninstall", NAME, *place, "--no-hooks")) in told
    kubeconfig = ("--kubeconfig", str(releases.control_plane.kubeconfig))
    done = CliRunner().invoke(main, ["uninstall", NAME, "--no-hooks", *place, *kubeconfig])
    assert (done.exit_code, done.stdout) == (0, f'release "{NAME}" uninstalled\n')
    releases.gone(NAME)
    assert releases.data("object") is None
    assert releases.stored(NAME) == {}


def test_disabled_hooks_do_not_run(operator, namespace, repository):
    add_failing(repository)
    our = OurLife(operator.cluster, namespace, repository)
    off = {"disableHooks": True}
    spec = {"install": off, "upgrade": off, "rollback": off, "uninstall": off}
    values = {"event": ",".join(EVENTS), "policy": ""}

    def live(x):
        x.create(NAME, "failing", "1.0.0", values=values, **spec)
        x.settled(NAME, 1)
        x.choose(NAME, "1.1.0")
        x.settled(NAME, 2)
        x.edit(NAME, revision=1)
        x.settled(NAME, 3)
        x.delete(NAME)
        x.gone(NAME)

    our.stage("all", live)
    assert our.life.hooks("all") == []
    assert our.life.verbs("all", "object") == ["create", "delete"]


def add_failing(repository):
    for version in ("1.0.0", "1.1.0"):
        repository.add(failing_chart(version))


def until_failed(releases, number, **spec):
    """Bring a release to the point where this revision has failed, and stop there."""
    releases.create(NAME, "failing", "1.0.0", **spec)
    if number > 1:
        releases.settled(NAME, 1)
        releases.choose(NAME, "1.1.0")
    if number > 2:
        releases.settled(NAME, 2)
        releases.edit(NAME, revision=1)

    def failed(release):
        return (number, "failed") == tuple(
            release["status"].get("history", [{}])[0].get(key) for key in ("revision", "status")
        )

    releases.until(NAME, failed)
    releases.edit(NAME, suspend=True)  # it would be tried again


def resources(writes):
    """Give the resources in the order in which they were written."""
    return [resource for resource, _ in groupby(write.resource for write in writes)]


def plurals(order):
    """Give the resources of the chart's kinds in an order of kinds."""
    kinds = [kind for kind in order if kind in KINDS] + UNKNOWN_KINDS
    return [_plural(kind) for kind in kinds]


def _plural(kind):
    word = kind.lower()
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("s") else f"{word}s"
