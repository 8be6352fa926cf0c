"""A chart that renders what its values say; tests/fakes/renderer.py does the same without it."""

import hashlib

from tests.builders.charts import packed
from whipstaff.reconcile.ports import ClusterCapabilities, RenderRequest, ResolvedChart
from whipstaff.release.revision import RevisionNumber

TEMPLATE = "echo/templates/objects.yaml"
# values.objects: what to render; .notes; .fail: a message to fail with; .showRevision: adds an
# object named after the revision; .lookup: four words to ask for, the answer becomes an object.
SOURCE = """\
{{- if .Values.fail }}{{ fail .Values.fail }}{{ end }}
{{- range .Values.objects }}
---
{{ toJson . }}
{{- end }}
{{- $object := dict "apiVersion" "v1" "kind" "ConfigMap" }}
{{- if .Values.showRevision }}
---
{{ toJson (set $object "metadata" (dict "name" (printf "r%d" .Release.Revision))) }}
{{- end }}
{{- with .Values.lookup }}
{{- $found := lookup (index . 0) (index . 1) (index . 2) (index . 3) }}
---
{{ toJson (merge (dict "metadata" (dict "name" "found") "data" (dict "found" (toJson $found)))
  $object) }}
{{- end }}
"""
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.dev"},
}


def echo_archive(**files: str) -> bytes:
    given = {
        "Chart.yaml": "apiVersion: v2\nname: echo\nversion: 1.0.0\n",
        "templates/objects.yaml": SOURCE,
        "templates/NOTES.txt": "{{ .Values.notes }}",
    }
    return packed(given | files, top="echo")


def a_request(folder, data: bytes | None = None, /, values=None, **changes) -> RenderRequest:
    data = echo_archive() if data is None else data
    path = folder / "echo.tgz"
    path.write_bytes(data)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    facts = {
        "chart": ResolvedChart("echo", "1.0.0", digest, str(path)),
        "values": values or {},
        "release_name": "shop",
        "namespace": "web",
        "capabilities": ClusterCapabilities("v1.36.0", ("v1", "apps/v1")),
        "revision": RevisionNumber(1),
    }
    return RenderRequest(**facts | changes)


def a_config_map(name="settings", **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
