"""Small charts for tests on the control plane, packed; nothing to wait for by default."""

from tests.builders.charts import packed

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  text: {{ .Values.text | quote }}
  chart: {{ .Chart.Version | quote }}
"""
DROPPED_KEY = '  dropped: "by the next version"\n'
DROPPED_OBJECT = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-dropped
"""
HOOK = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-hook
  annotations:
    helm.sh/hook: post-install,post-upgrade
    helm.sh/hook-delete-policy: hook-succeeded
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {app: {{ .Release.Name }}, {{ .Values.selector | default "tier" }}: web}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}, {{ .Values.selector | default "tier" }}: web}
      annotations: {{ .Values.podAnnotations | toJson }}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: web, image: nginx}]
"""

HANGS = {"podAnnotations": {"pods.whipstaff.dev/outcome": "hangs"}}


def a_packed_chart(name, version="1.0.0", values="", **templates):
    """Pack a chart of these templates; `notes`, `schema` and `crd` go where Helm looks for them."""
    places = {
        "notes": "templates/NOTES.txt",
        "schema": "values.schema.json",
        "crd": "crds/crd.yaml",
    }
    files = {
        "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: v{version}\n",
        "values.yaml": values,
    }
    for template, text in templates.items():
        files[places.get(template, f"templates/{template}.yaml")] = text
    return packed(files, top=name)


def settings_chart(version="1.0.0", name="settings"):
    """A ConfigMap, a hook and NOTES; 1.0.0 has a key and an object that later versions drop."""
    first = version == "1.0.0"
    dropped = {"dropped": DROPPED_OBJECT} if first else {}
    return a_packed_chart(
        name,
        version,
        "text: plain\n",
        settings=CONFIG_MAP + (DROPPED_KEY if first else ""),
        hook=HOOK,
        notes="It says {{ .Values.text }}.\n",
        **dropped,
    )


def app_chart(version="1.0.0", name="app"):
    """A Deployment, which is Ready at once unless `HANGS` is among its values."""
    return a_packed_chart(name, version, "replicas: 1\npodAnnotations: {}\n", deployment=DEPLOYMENT)
