"""HelmReleases of charts made for fault tests: one that is ready at once, one that waits."""

import itertools

from tests.builders.charts import packed
from tests.builders.live_releases import LiveReleases, handled, is_true

_CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data: {word: {{ .Values.word | quote }}}
"""
# Its pod is scheduled once a node has the label that is named by the gate.
_GATED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata:
      labels: {app: "{{ .Release.Name }}"}
    spec:
      {{- with .Values.gate }}
      nodeSelector: { {{ . | quote }}: open }
      {{- end }}
      containers: [{name: main, image: example.com/none}]
"""
_SCALED = _GATED.replace("spec:\n", "spec:\n  replicas: {{ .Values.replicas }}\n", 1)
_VALUES = "word: none\ngate: ''\nreplicas: 1\n"
_NUMBERS = itertools.count(1)


def publish(repository):
    """Add the charts: `note` is ready at once, `gated` and `scaled` when their gate opens."""
    repository.add(_chart("note", note=_CONFIG_MAP))
    repository.add(_chart("gated", note=_CONFIG_MAP, gated=_GATED))
    repository.add(_chart("scaled", note=_CONFIG_MAP, scaled=_SCALED))


def _chart(name, **templates):
    files = {f"templates/{template}.yaml": text for template, text in templates.items()}
    head = f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n"
    return packed({"Chart.yaml": head, "values.yaml": _VALUES, **files}, top=name)


class ReleasesUnderFault(LiveReleases):
    """HelmReleases of a new namespace; its questions may be put while the API server is away."""

    def __init__(self, cluster, repository):
        name = f"faults-{next(_NUMBERS)}"
        cluster.kubectl("create", "namespace", name)
        publish(repository)
        super().__init__(cluster, name, repository.url)

    def note(self, name, word="none", **spec):
        return self.create(name, "note", values={"word": word}, **spec)

    def gated(self, name, gate, word="none", **spec):
        return self.create(name, "gated", values={"word": word, "gate": gate}, **spec)

    def open(self, gate):
        """Let the pods of a gate be scheduled."""
        self.control_plane.kubectl("label", "node", "node-1", f"{gate}=open", "--overwrite")

    def end(self):
        """Delete the namespace, without waiting."""
        self.api.request("DELETE", f"/api/v1/namespaces/{self.namespace}")

    def look(self, name):
        """Give a HelmRelease; None if it is gone or nobody answers."""
        return self._found(self.path(name))

    def ready(self, name):
        """Give the HelmRelease if its newest generation is Ready, else None."""
        body = self.look(name)
        return (
            body if body and "status" in body and handled(body) and is_true(body, "Ready") else None
        )

    def word(self, name):
        """Give the word that the release's ConfigMap holds, None if there is none."""
        return ((self._found(self.core("configmaps", name)) or {}).get("data") or {}).get("word")

    def has_deployment(self, name):
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}"
        return self._found(path) is not None

    def said(self, name):
        """Give the message of its Ready condition, empty if there is none."""
        conditions = (self.look(name) or {}).get("status", {}).get("conditions", [])
        return "".join(one["message"] for one in conditions if one["type"] == "Ready")

    def _found(self, path):
        try:
            return self.find(path)
        except OSError:
            return None
