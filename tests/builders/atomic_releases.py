"""A chart that fails where its values say so, and a HelmRelease of it."""

import base64
import gzip
import json
import time

from tests.builders.live_releases import condition, is_true, secret_name
from tests.builders.small_charts import a_packed_chart

NAME = "x"
VALUES = "text: plain\nfails: ''\noutcome: fails\ndelay: 0s\ntests: succeeds\n"
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  text: {{ .Values.text | quote }}
"""
# `fails` names the hook events whose Job ends as `outcome` says.
GATE = """\
{{- with .Values.fails }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $.Release.Name }}-gate
  annotations:
    helm.sh/hook: {{ . }}
spec:
  backoffLimit: 0
  template:
    metadata:
      annotations:
        pods.whipstaff.dev/outcome: {{ $.Values.outcome }}
        pods.whipstaff.dev/delay: {{ $.Values.delay }}
    spec:
      restartPolicy: Never
      containers: [{name: gate, image: busybox}]
{{- end }}
"""
TEST = """\
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-test
  annotations:
    helm.sh/hook: test
    pods.whipstaff.dev/outcome: {{ .Values.tests }}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers: [{name: test, image: busybox}]
"""
OTHER_TEST = TEST.replace("-test\n", "-other\n").replace("{{ .Values.tests }}", "succeeds")


def atomic_chart(name="atomic", **templates):
    return a_packed_chart(name, values=VALUES, settings=SETTINGS, gate=GATE, test=TEST, **templates)


class AtomicReleases:
    """One HelmRelease of the chart, and what Helm and status tell of it."""

    def __init__(self, releases):
        self.live = releases

    def create(self, text="first", **spec):
        values = {"text": text, **spec.pop("values", {})}
        return self.live.create(NAME, "atomic", values=values, **spec)

    def edit(self, **spec):
        return self.live.edit(NAME, **spec)

    def value(self, **values):
        return self.live.edit(NAME, values=values)

    def runs(self, number):
        return self.live.settled(NAME, number)

    def until(self, stored, *conditions):
        """Wait until this is stored and these conditions are True; Helm tells the same then."""

        def there(release):
            told = {entry["revision"]: entry["status"] for entry in history(release)}
            return told == stored and all(is_true(release, kind) for kind in conditions)

        release = self.live.until(NAME, there)
        assert self.live.stored(NAME) == stored
        self.agree()
        return release

    def stalled(self, stored, reason="RetriesExhausted"):
        """Wait until nothing more will be tried, with this stored."""
        release = self.until(stored, "Stalled")
        assert condition(release, "Stalled")["reason"] == reason
        return release

    def leave_pending(self, number, status):
        """Leave what a helm command that was killed leaves after the revision before."""
        path = self.live.core("secrets", secret_name(NAME, number - 1))
        stored = self.live.api.request("GET", path)
        labels = stored["metadata"]["labels"] | {
            "version": str(number),
            "status": status,
            "createdAt": str(int(time.time())),
        }
        labels.pop("modifiedAt", None)
        payload = self.live.payload(NAME, number - 1) | {"version": number}
        payload["info"]["status"] = status
        packed = base64.b64encode(gzip.compress(json.dumps(payload).encode()))
        body = {
            "type": stored["type"],
            "metadata": {"name": secret_name(NAME, number), "labels": labels},
            "data": {"release": base64.b64encode(packed).decode()},
        }
        self.live.api.request("POST", self.live.core("secrets"), body)

    def agree(self):
        """Hold `helm history` and `helm status` against status.history."""
        self.live.agree(NAME)

    def annotate(self, **annotations):
        """Write annotations of ours; return the token that they share."""
        notes = {f"whipstaff.dev/{name}": token for name, token in annotations.items()}
        self.live.api.request("PATCH", self.live.path(NAME), {"metadata": {"annotations": notes}})

    def answered(self):
        """Ask for a pass, and wait until it is over."""
        return self.live.answered(NAME)

    @property
    def text(self):
        return (self.live.data(NAME) or {}).get("text")

    @property
    def stored(self):
        return self.live.stored(NAME)

    def phases(self, number):
        """Give how the hooks of a stored revision ended, by name."""
        hooks = self.live.payload(NAME, number)["hooks"]
        return {hook["name"]: hook["last_run"]["phase"] for hook in hooks}


def history(release):
    return release["status"].get("history", [])
