"""`whipstaff template --validate` says what `helm template --validate` says of the same cluster."""

import json

import pytest

from tests.builders.helm_commands import lay_out, run

pytestmark = pytest.mark.cluster

DEPRECATED = "Flag --validate has been deprecated"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n"
ASKS = """\
data:
  v: {{ .Capabilities.KubeVersion }}
  has: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
  not: {{ .Capabilities.APIVersions.Has "x/v1" | quote }}
  upgrade: {{ .Release.IsUpgrade | quote }}
  namespace: {{ .Release.Namespace }}
"""
LOOKS_UP = """\
data:
  one: {{ (lookup "v1" "Namespace" "" "default").metadata.name }}
  many: {{ len (lookup "v1" "Namespace" "" "kube-system") | quote }}
  none: {{ lookup "v1" "ConfigMap" "default" "nope" | toJson | quote }}
"""
DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: foos.x.y
spec: {group: x.y, names: {kind: Foo, plural: foos}, scope: Namespaced}
"""
HOOK = "  annotations: {helm.sh/hook: pre-install}\n"
CHARTS = {
    "asks": {"a": CONFIG_MAP.format("a") + ASKS},
    "looks-up": {"a": CONFIG_MAP.format("a") + LOOKS_UP},
    "exists": {"a": CONFIG_MAP.format("kube-root-ca.crt")},
    "no-kind": {
        "a": "apiVersion: x/v1\nkind: Foo\nmetadata:\n  name: a\n",
        "b": "apiVersion: y/v1\nkind: Bar\nmetadata:\n  name: b\n",
    },
    "no-field": {"a": CONFIG_MAP.format("a") + "datum: {a: b}\n"},
    "no-name": {"a": "apiVersion: v1\nkind: ConfigMap\n"},
    "named-by-the-server": {"a": "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a-}\n"},
    "no-version": {"a": "kind: ConfigMap\nmetadata:\n  name: a\n"},
    "no-kind-at-all": {"a": "apiVersion: v1\nmetadata:\n  name: a\n"},
    "defines": {
        "../crds/c": DEFINITION,
        "a": "apiVersion: x.y/v1\nkind: Foo\nmetadata:\n  name: a\n",
    },
    "too-new": {"a": CONFIG_MAP.format("a")},
    "hooked": {"a": "apiVersion: x/v1\nkind: Foo\nmetadata:\n  name: a\n" + HOOK},
    "elsewhere": {"a": CONFIG_MAP.format("a") + "  namespace: nowhere\n"},
    "list": {
        "a": "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: x/v1, kind: Foo, metadata: {name: a}}\n"
    },
    "no-yaml": {"a": "a: [\n"},
    "twice": {"a": f"{CONFIG_MAP.format('a')}---\n{CONFIG_MAP.format('a')}"},
}
ARGUMENTS = [
    *(f"{name} --validate" for name in CHARTS),
    "asks --dry-run=server",
    "asks --dry-run=client",
    "asks --validate --is-upgrade -n kube-system",
    "asks --validate --kube-version 1.20 -a x/v1",
    "rel asks --validate --no-hooks",
    "exists --validate --is-upgrade",
    "defines --validate --include-crds",
]


@pytest.fixture(scope="module")
def charts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("charts")
    for name, templates in CHARTS.items():
        wants = 'kubeVersion: ">=9"\n' if name == "too-new" else ""
        files = {f"{name}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 0.1.0\n{wants}"}
        for path, text in templates.items():
            place = "crds/c" if path == "../crds/c" else f"templates/{path}"
            files[f"{name}/{place}.yaml"] = text
        lay_out(files, folder)
    return folder


def helm(control_plane, arguments):
    found = control_plane.run("helm", "template", *arguments, check=False)
    said = [line for line in found.stderr.splitlines(True) if not line.startswith(DEPRECATED)]
    return found.stdout, "".join(said), found.returncode


def whipstaff(control_plane, arguments):
    return run("template", *arguments, "--kubeconfig", control_plane.environment()["KUBECONFIG"])


@pytest.mark.parametrize("line", ARGUMENTS)
def test_it_says_what_helm_says(control_plane, charts, monkeypatch, line):
    monkeypatch.chdir(charts)
    assert whipstaff(control_plane, line.split()) == helm(control_plane, line.split())


def test_nothing_is_written(control_plane, charts, monkeypatch):
    monkeypatch.chdir(charts)
    whipstaff(control_plane, ["asks", "--validate"])
    found = control_plane.kubectl("get", "configmaps", "-n", "default", "-o", "json")
    assert [item["metadata"]["name"] for item in json.loads(found)["items"]] == ["kube-root-ca.crt"]


def test_a_cluster_that_is_not_there_is_named(charts, monkeypatch):
    monkeypatch.chdir(charts)
    _, error, code = run("template", "asks", "--validate", "--kubeconfig", "nowhere")
    assert "nowhere cannot be used" in error
    assert code == 1
