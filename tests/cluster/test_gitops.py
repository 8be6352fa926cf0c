"""HelmReleases beside GitOps tools: whose pin stays, and when a tool takes them for ready."""

import copy
import json

import pytest

from tests.builders import judges
from tests.builders.gitops_tools import (
    ArgoCD,
    ArgoCDReplacing,
    ArgoCDServerSide,
    Flux,
    Pipeline,
    path_of,
)
from tests.builders.live_releases import condition
from tests.builders.small_charts import settings_chart
from tools.running_operator import prepare

pytestmark = pytest.mark.judges


# Without an operator: what a sync leaves of somebody's edit.


@pytest.fixture(scope="module")
def known(control_plane):
    prepare(control_plane)
    return control_plane


@pytest.fixture
def git(known, namespace):
    """What stands in Git: no pin."""
    return {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRelease",
        "metadata": {"name": "blog", "namespace": namespace},
        "spec": {
            "chart": {"name": "blog", "repository": "http://127.0.0.1:9"},
            "suspend": True,
        },
    }


def pinned(cluster, git):
    return cluster.api.request("GET", path_of(git))["spec"].get("revision")


def by_our_command(cluster, git, revision):
    """As `whipstaff pin` and `whipstaff rollback` write it."""
    by_applying(cluster, git, revision, "--field-manager=whipstaff-cli", "--force-conflicts")


def by_name(cluster, git, revision):
    """`kubectl patch --field-manager=on-call`."""
    by_patch(cluster, git, revision, "on-call")


def by_argo_cd(cluster, git, revision):
    """As its server writes what an action of its menu returned."""
    by_patch(cluster, git, revision, "argocd-server")


def by_patch(cluster, git, revision, manager="kubectl-patch"):
    """`kubectl patch`."""
    path = f"{path_of(git)}?fieldManager={manager}"
    cluster.api.request("PATCH", path, {"spec": {"revision": revision}})


def by_applying(cluster, git, revision, *flags):
    """`kubectl apply --server-side`."""
    body = {**git, "spec": {**git["spec"], "revision": revision}}
    cluster.kubectl("apply", "--server-side", *flags, "-f", "-", stdin=json.dumps(body))


PINS = (by_our_command, by_name, by_argo_cd, by_patch, by_applying)
OURS = {by_our_command, by_name, by_argo_cd}
LEFT_ALONE = {
    Flux: OURS,
    ArgoCD: OURS | {by_patch},
    ArgoCDServerSide: OURS | {by_patch, by_applying},
    ArgoCDReplacing: set(),
    Pipeline: OURS | {by_patch},
}


@pytest.mark.parametrize("tool", LEFT_ALONE, ids=lambda tool: tool.__name__)
def test_a_sync_leaves_the_pins_that_the_page_says_it_leaves(known, git, tool):
    bodies = {}
    for pin in PINS:
        bodies[pin] = copy.deepcopy(git)
        bodies[pin]["metadata"]["name"] = pin.__name__.replace("_", "-")
    git["spec"]["revision"] = 3
    tool(known).sync(git, *bodies.values())
    for pin, body in bodies.items():
        pin(known, body, 1)
        assert pinned(known, body) == 1
    by_patch(known, git, 1, "whipstaff-cli")
    synced = tool(known).sync(git, *bodies.values())
    left = {pin for pin, body in bodies.items() if pinned(known, body) == 1}
    assert left == LEFT_ALONE[tool]
    # One that stands in Git comes back, or is disputed.
    assert pinned(known, git) == (1 if tool is Pipeline else 3)
    if tool is Pipeline:
        assert synced.returncode == 1
        assert "whipstaff-cli" in synced.stderr


# With the operator.


@pytest.fixture
def blog(releases, repository):
    """What stands in Git of a release; nothing is applied yet."""
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        repository.add(settings_chart(version))
    return releases.manifest("blog", version="1.0.0")


def changed(body, **chart):
    changed = copy.deepcopy(body)
    changed["spec"]["chart"] |= chart
    return changed


@pytest.mark.parametrize("tool", [Flux, ArgoCD, ArgoCDServerSide], ids=lambda tool: tool.__name__)
def test_what_runs_is_held_through_syncs_until_somebody_unpins(releases, blog, control_plane, tool):
    git = tool(control_plane)
    git.sync(blog)
    releases.settled("blog", revision=1)
    git.sync(broken := changed(blog, version="1.1.0"))
    live = releases.settled("blog", revision=2)
    action = judges.acted(live, "rollback", revision="1")
    releases.api.request("PATCH", releases.path("blog"), judges.merge_patch(live, action))
    releases.settled("blog", revision=3)
    git.sync(broken)
    git.sync(changed(blog, version="1.2.0"))
    live = releases.answered("blog")
    assert live["status"]["pinnedRevision"] == 1
    assert "held back: settings 1.2.0" in condition(live, "Pinned")["message"]
    assert releases.data("blog")["chart"] == "1.0.0"
    assert judges.health([live])[0][0] == "Healthy"
    action = judges.acted(live, "unpin")
    releases.api.request("PATCH", releases.path("blog"), judges.merge_patch(live, action))
    releases.settled("blog", revision=4)
    assert releases.data("blog")["chart"] == "1.2.0"


def test_kubectl_waits_for_the_newest_spec(releases, blog, control_plane):
    def wait(name):
        for_it = (f"--for=condition={name}", "--timeout=60s")
        # In full: definitions of Flux, which has HelmReleases too, come and go in this cluster.
        place = ("helmreleases.whipstaff.dev", "blog", "-n", releases.namespace)
        control_plane.kubectl("wait", *place, *for_it)
        return releases.get("blog")

    created = releases.api.request("POST", releases.path(), blog)
    assert judges.kstatus([created]) == ["InProgress"]
    assert wait("Ready")["status"]["revision"] == 1
    releases.choose("blog", "1.1.0")
    live = wait("Ready")
    assert live["status"]["revision"] == 2
    assert judges.kstatus([live]) == ["Current"]
    releases.edit("blog", values={"text": {"no": "text"}}, targetNamespace="elsewhere")
    live = wait("Stalled")
    assert judges.kstatus([live]) == ["Failed"]
    assert condition(live, "Ready")["status"] == "False"
