"""What a revision has no more is deleted late, in order, within limits, and if it is ours."""

import pytest

from tests.builders.live_releases import eventually
from tests.builders.small_charts import a_packed_chart

pytestmark = pytest.mark.cluster

OBJECTS = """\
{{- range $name := .Values.maps }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ $name }}}
{{- end }}
{{- if .Values.claim }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
{{- end }}
{{- if .Values.web }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Values.web }}}
spec:
  selector: {matchLabels: {app: {{ .Values.web }}}}
  template:
    metadata:
      labels: {app: {{ .Values.web }}}
      annotations: {pods.whipstaff.dev/outcome: {{ .Values.outcome }}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: web, image: nginx, ports: [{containerPort: 80, hostPort: 8089}]}]
{{- end }}
"""
VALUES = "maps: [a, b, c, d]\nclaim: false\nweb: ''\noutcome: succeeds\n"


@pytest.fixture(autouse=True)
def _published(repository):
    repository.add(a_packed_chart("blog", "1.0.0", VALUES, objects=OBJECTS))


def deployment(releases, name):
    return releases.find(f"/apis/apps/v1/namespaces/{releases.namespace}/deployments/{name}")


def claim(releases):
    return releases.find(releases.core("persistentvolumeclaims", "data"))


def test_too_many_deletions_are_refused_with_their_names(releases):
    releases.create("blog", chart="blog", upgrade={"maxPrune": "50%"})
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"maps": ["a"]})
    message = releases.refused("blog", "PruneLimitExceeded")["message"]
    for name in "bcd":
        assert f"ConfigMap {releases.namespace}/{name}" in message
        assert releases.data(name) is not None
    releases.edit("blog", upgrade={"maxPrune": 3})
    releases.settled("blog", revision=2)
    assert [releases.data(name) for name in "bcd"] == [None] * 3


def test_a_claim_stays_unless_its_kind_is_named(releases):
    lazy = {"disableWait": True}
    releases.create("blog", chart="blog", values={"claim": True}, install=lazy, upgrade=lazy)
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"claim": False})
    releases.settled("blog", revision=2)
    assert claim(releases) is not None
    eventually(lambda: ("Warning", "NotPruned") in releases.events("blog"), "no event tells of it")
    releases.edit("blog", values={"claim": True})
    releases.settled("blog", revision=3)
    releases.edit("blog", values={"claim": False}, upgrade={"pruneAlso": ["PersistentVolumeClaim"]})
    releases.settled("blog", revision=4)
    eventually(lambda: claim(releases) is None, "the claim is still there")


def test_what_another_release_owns_by_now_stays(releases):
    releases.create("blog", chart="blog")
    releases.settled("blog", revision=1)
    notes = {"annotations": {"meta.helm.sh/release-name": "other"}}
    releases.api.request("PATCH", releases.core("configmaps", "b"), {"metadata": notes})
    releases.edit("blog", values={"maps": ["a"]})
    releases.settled("blog", revision=2)
    assert releases.data("b") is not None
    assert releases.data("c") is None


def test_a_time_out_names_the_old_object_in_the_way_and_helms_order_goes_round_it(releases):
    releases.create("blog", chart="blog", values={"web": "old"})
    releases.settled("blog", revision=1)
    renamed = {"web": "new", "outcome": "hangs"}
    once = {"timeout": "3s", "remediation": {"retries": 0, "remediateLastFailure": False}}
    releases.edit("blog", values=renamed, upgrade=once)
    message = releases.refused("blog", "UpgradeFailed")["message"]
    assert f"Deployment {releases.namespace}/new" in message
    assert f"Deployment {releases.namespace}/old, which is deleted once these are ready" in message
    assert "port 8089/TCP" in message
    assert deployment(releases, "old") is not None
    releases.edit("blog", values={"outcome": "runs"}, upgrade={"pruneBeforeWait": True, **once})
    releases.until("blog", lambda _: deployment(releases, "old") is None)
