"""What is kept of a release, what is tried again, and where it is stored."""

import json
import time

import pytest

from tests.builders.live_releases import condition, is_true
from tests.builders.small_charts import CONFIG_MAP, HANGS, a_packed_chart, app_chart, settings_chart

KEPT = """\
kind: ConfigMap
apiVersion: v1
metadata:
  name: {{ .Release.Name }}-how
data:
  how: {{ if .Release.IsInstall }}installed{{ else }}upgraded{{ end }}
"""


@pytest.fixture(autouse=True)
def _published(repository):
    for version in ("1.0.0", "1.1.0"):
        repository.add(settings_chart(version))
    repository.add(app_chart())


@pytest.fixture
def elsewhere(control_plane, namespace):
    """The name of a namespace that is not there yet; deleted after the test."""
    name = f"{namespace}-elsewhere"
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@pytest.mark.parametrize(
    ("kept", "stored"),
    [
        pytest.param(1, [3, 4], id="one: what ran before is spared as by helm"),
        pytest.param(3, [2, 3, 4], id="three"),
        pytest.param(0, [1, 2, 3, 4], id="zero keeps all"),
    ],
)
def test_max_history_bounds_what_is_stored_as_helm_does(releases, kept, stored):
    source = ("settings", "--repo", releases.repository_url, "--history-max", str(kept))
    releases.create("blog", maxHistory=kept, values={"text": "1"})
    releases.settled("blog", revision=1)
    releases.helm("upgrade", "--install", "helms", *source)
    for number in (2, 3, 4):
        releases.edit("blog", values={"text": str(number)})
        releases.settled("blog", revision=number)
        releases.helm("upgrade", "helms", *source, "--set", f"text=number {number}")
    assert list(releases.stored("blog")) == stored
    assert releases.stored("helms") == releases.stored("blog")
    assert [number for number, _ in releases.history("blog")] == stored[::-1]


def test_a_failed_upgrade_is_tried_three_times_and_never_displaces_what_runs(releases):
    releases.create("web", chart="app", maxHistory=2)
    releases.settled("web", revision=1)
    releases.edit("web", values=HANGS, timeout="1s")
    first = releases.refused("web", "UpgradeFailed")
    assert "timed out after 1s" in first["message"]
    assert "Deployment" in first["message"]
    release = releases.until("web", lambda release: is_true(release, "Stalled"))
    assert condition(release, "Stalled")["reason"] == "RetriesExhausted"
    assert release["status"]["failures"] == 3
    assert release["status"]["revision"] == 1
    stored = releases.stored("web")
    assert stored[1] == "deployed"
    assert max(stored) == 4
    assert release["status"]["history"][0]["trigger"] == "retry"

    # Whoever asks gets one more attempt at once, and the count begins anew.
    release = releases.answered("web")
    assert release["status"]["lastAttemptedRevision"] == 5
    assert release["status"]["history"][0]["trigger"] == "request"
    assert release["status"]["failures"] == 1
    assert not is_true(release, "Stalled")
    assert releases.stored("web")[1] == "deployed"
    # And a spec that is right is released at once.
    releases.edit("web", values={"podAnnotations": None, "replicas": 2})
    releases.settled("web", revision=6)
    assert releases.stored("web")[6] == "deployed"


def test_a_failed_install_is_installed_again_when_the_spec_is_right(releases, repository):
    templates = {"settings": CONFIG_MAP, "how": KEPT, "hang": HANGING}
    repository.add(a_packed_chart("fragile", "1.0.0", "text: x\n", **templates))
    releases.create("web", chart="fragile", timeout="1s", values={"hangs": True})
    message = releases.refused("web", "InstallFailed")["message"]
    assert 'Release "web" failed: timed out after 1s' in message
    assert "web-pod" in message
    releases.edit("web", values=None)
    release = releases.settled("web", revision=2)
    assert releases.data("web-how") == {"how": "installed"}
    assert [entry["action"] for entry in release["status"]["history"]] == ["install", "install"]
    # What only the failed one had is gone.
    assert releases.find(releases.core("pods", "web-pod")) is None
    assert releases.stored("web") == {1: "failed", 2: "deployed"}


HANGING = """\
{{- if .Values.hangs }}
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-pod
  annotations: {pods.whipstaff.dev/outcome: hangs}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: a, image: nginx}]
{{- end }}
"""


def test_a_target_namespace_is_created_where_that_is_asked_for_and_stays(releases, elsewhere):
    releases.create("blog", releaseName="blog", targetNamespace=elsewhere, createNamespace=True)
    releases.settled("blog", revision=1)
    assert releases.data("blog", elsewhere) is not None
    assert releases.stored("blog", elsewhere) == {1: "deployed"}
    assert releases.stored("blog") == {}
    releases.delete("blog")
    releases.gone("blog")
    assert releases.left_over(elsewhere) == []
    namespace = releases.find(f"/api/v1/namespaces/{elsewhere}")
    assert namespace["status"]["phase"] == "Active"


def test_a_release_is_called_after_its_target_namespace_by_default(releases, elsewhere):
    releases.create("blog", targetNamespace=elsewhere, createNamespace=True)
    releases.settled("blog", revision=1)
    assert releases.stored(f"{elsewhere}-blog", elsewhere) == {1: "deployed"}


def test_helm_rolls_back_a_release_that_is_stored_elsewhere_without_copying_it(releases, elsewhere):
    place = {"targetNamespace": elsewhere, "storageNamespace": releases.namespace}
    releases.create("blog", version="1.0.0", releaseName="blog", createNamespace=True, **place)
    releases.settled("blog", revision=1)
    releases.choose("blog", "1.1.0")
    releases.settled("blog", revision=2)
    assert releases.stored("blog") == {1: "superseded", 2: "deployed"}
    assert releases.stored("blog", elsewhere) == {}
    assert f"namespace: {elsewhere}" in releases.payload("blog", 2)["manifest"]

    releases.edit("blog", suspend=True)
    releases.helm("rollback", "blog", "1")
    assert releases.data("blog", elsewhere)["chart"] == "1.0.0"
    assert releases.data("blog") is None
    assert releases.data("blog-dropped") is None

    releases.edit("blog", suspend=False)
    releases.settled("blog", revision=4)
    assert releases.data("blog", elsewhere)["chart"] == "1.1.0"
    releases.delete("blog")
    releases.gone("blog")
    assert releases.left_over() == []
    assert releases.left_over(elsewhere) == []


def test_an_upgrade_that_need_not_wait_is_done_when_it_is_applied(releases):
    releases.create("web", chart="app")
    releases.settled("web", revision=1)
    begun = time.monotonic()
    releases.edit("web", values=HANGS, upgrade={"disableWait": True})
    releases.settled("web", revision=2)
    assert time.monotonic() - begun < 30
    assert releases.stored("web") == {1: "superseded", 2: "deployed"}


def test_lost_status_is_written_anew_from_what_is_stored(releases):
    releases.create("blog", version="1.0.0")
    releases.settled("blog", revision=1)
    releases.choose("blog", "1.1.0")
    before = releases.settled("blog", revision=2)["status"]
    empty = json.dumps([{"op": "remove", "path": "/status"}])
    releases.control_plane.kubectl(
        *("patch", "helmrelease", "blog", "-n", releases.namespace),
        *("--subresource=status", "--type=json", "-p", empty),
    )
    after = releases.answered("blog")["status"]
    assert after["revision"] == 2
    kept = ("revision", "status", "action", "version", "description", "trigger", "started")
    assert [[entry[fact] for fact in kept] for entry in after["history"]] == [
        [entry[fact] for fact in kept] for entry in before["history"]
    ]
    assert list(releases.stored("blog")) == [1, 2]
