"""`whipstaff list`, `history`, `status` and `get` beside the helm command, on the same releases."""

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from tests.builders.charts import packed
from tests.builders.small_charts import DEPLOYMENT, app_chart
from whipstaff.cli.main import main

CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-a"}
data: {x: "<&>é{{ .Values.text }}"}
"""
HOOK = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-t", annotations: {"helm.sh/hook": "test,post-upgrade"}}
"""
CHART = {
    "Chart.yaml": (
        "apiVersion: v2\nname: shop\nversion: 1.2.0\nappVersion: '3.4'\n"
        "annotations: {b: '2', a: '1'}\n"
    ),
    "values.yaml": "replicas: 1\nselector: ''\npodAnnotations: {}\nnested: {a: 1.5, b: [1, x]}\n",
    "templates/a.yaml": CONFIG,
    "templates/b.yaml": DEPLOYMENT,
    "templates/hook.yaml": HOOK,
    "templates/NOTES.txt": "Hello {{ .Release.Name }}\n\n",
}
AGE = re.compile(r"\b\d+[smhd](\d+[smh])?$", re.MULTILINE)
ALL_LINES = [
    "list -n NS",
    "ls -n NS -o json",
    "ls -n NS -o yaml",
    "ls -n NS -q",
    "ls -n NS -q -o json",
    "ls -n NS --no-headers --failed",
    "ls -n NS -d -r",
    "ls -n NS --superseded",
    "ls -n NS --deployed --max 1",
    "ls -n NS --offset 1",
    "ls -n NS --filter t.o",
    "ls -n NS --filter (",
    "ls -n NS -l team=web",
    "ls -n NS --time-format 2006-01-02",
    "ls -m x",
    "ls -o text",
    "ls x",
    "history one -n NS",
    "hist one -n NS -o json",
    "history one -n NS -o yaml --max 1",
    "history none -n NS",
    "history ONE -n NS",
    "history",
    "status one -n NS",
    "status one -n NS -o json",
    "status two -n NS -o yaml",
    "status one -n NS --revision 1",
    "status one -n NS --revision 9",
    "status none -n NS",
    "status O_O -n NS",
    "get all one -n NS",
    "get all two -n NS --revision 1",
    "get values one -n NS",
    "get values two -n NS",
    "get values one -n NS -a",
    "get values one -n NS --revision 1 -a -o json",
    "get values two -n NS -o json",
    "get manifest one -n NS",
    "get manifest none -n NS",
    "get hooks one -n NS",
    "get notes one -n NS",
    "get metadata one -n NS",
    "get metadata one -n NS -o json --revision 1",
    "get metadata two -n NS -o yaml",
    "get metadata",
    "list -n NS --color always",
    "list -n NS --no-headers --colour=always",
    "list -n NS -o json --color always",
    "list -n NS --color=always --superseded",
    "history one -n NS --color always",
    "status one -n NS --color always",
    "get all two -n NS --color=always",
    "list -n NS --color pink",
    "statsu one",
    "frobnicate",
    "--kube-context nope list",
    "list -n NS --kube-as-user nobody --kube-as-group some --kube-as-group others",
    "list -n NS --kube-token wrong",
    "get all one -n NS --template {{.Release.Name}}-{{.Release.Version}}-{{.Release.Namespace}}",
    "get all one -n NS --template {{.Release.Info.Status}}{{.Release.ApplyMethod}} --revision 1",
    "get all one -n NS --template {{.Release.Config}}{{.Release.Labels}}{{.Nothing}}",
    "get all one -n NS --template {{.Release.Chart.Name}}{{.Release.Chart.Metadata.AppVersion}}",
    "get all one -n NS --template {{range.Release.Hooks}}{{.Name}}{{.Events}}{{.Weight}}{{end}}",
    "get all one -n NS --template {{range.Release.Chart.Templates}}{{.Name}},{{end}}",
    "get all one -n NS --template {{.Release.Info.FirstDeployed.Year}}",
    "get all one -n NS --template {{.Release.Info.Deleted}}{{.Release.Chart.Lock}}",
    "get all one -n NS --template {{.Release.Chart.Metadata.Keywords}}",
    "get all one -n NS --template {{.Release.Nothing}}",
    "get all one -n NS --template {{toYaml.Release}}",
    "get all one -n NS --template {{.Release.Name",
    "get all none -n NS --template {{.Release.Name}}",
]

PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def released(control_plane, tmp_path_factory):
    """Releases that the helm command made, in a namespace of their own."""
    chart = tmp_path_factory.mktemp("charts") / "shop.tgz"
    chart.write_bytes(packed(CHART, "shop"))
    folder = str(chart)
    name = "client-reads"
    control_plane.kubectl("create", "namespace", name)
    run = ("-n", name, "--labels", "team=web")
    control_plane.helm("install", "one", folder, "--set", "text=x,nested.a=2.5,n=null", *run)
    control_plane.helm("upgrade", "one", folder, "--set", "text=y", *run, "--wait")
    control_plane.helm("install", "two", folder, "-n", name, "--wait")
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def ours(control_plane):
    def ours(*arguments):
        return CliRunner().invoke(
            main, arguments, prog_name="whipstaff", env=control_plane.environment()
        )

    return ours


@pytest.mark.parametrize("line", ALL_LINES)
def test_we_print_what_helm_prints(control_plane, released, ours, line):
    words = [released if word == "NS" else word for word in line.split()]
    theirs = control_plane.run("helm", *words, check=False)
    told = ours(*words)
    assert _parts(told.stdout) == _parts(theirs.stdout)
    assert told.stderr == theirs.stderr.replace("helm", "whipstaff")
    assert told.exit_code == theirs.returncode


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({}, id="by themselves"),
        pytest.param({"HELM_COLOR": "Never"}, id="not if HELM_COLOR says so"),
        pytest.param({"HELM_COLOR": "always", "NO_COLOR": "1"}, id="not if NO_COLOR says so"),
    ],
)
def test_a_terminal_gets_helms_colours(control_plane, released, variables):
    words = ("list", "-n", released)
    usual = {"TERM": "xterm", "NO_COLOR": "", "HELM_COLOR": ""}
    surroundings = {**os.environ, **control_plane.environment(), **usual, **variables}
    helm = str(control_plane.programs["helm"])
    theirs = _on_a_terminal([helm, *words], surroundings)
    assert _on_a_terminal([sys.executable, "-m", "whipstaff", *words], surroundings) == theirs
    assert (b"\x1b[32mdeployed\x1b[0m" in theirs) is not bool(variables)


def _on_a_terminal(command, surroundings):
    ours, theirs = pty.openpty()
    subprocess.run(command, stdout=theirs, env=surroundings, check=True, timeout=PATIENCE_SECONDS)
    os.close(theirs)
    shown = b""
    with os.fdopen(ours, "rb", buffering=0) as screen, suppress(OSError):  # that it was left
        while text := screen.read(1 << 16):
            shown += text
    return shown


def _parts(text):
    """What was printed, ages left out, and the kinds of objects in any order: helm has none."""
    text = AGE.sub("AGE", text)
    text = re.sub(r"(PodList.{0,40}resourceVersion\W{1,6})\d+", r"\1N", text, flags=re.DOTALL)
    head, found, rest = text.partition("\nRESOURCES:\n")
    kinds, _, end = rest.partition("\n\n\n")
    return [head, found, *sorted(kinds.split("\n\n")), end]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        pytest.param("status -n NS ", ["one", "two"], id="releases"),
        pytest.param("upgrade -n NS t", ["two"], id="those of the helm command are taken over"),
        pytest.param("uninstall -n NS ", [], id="HelmReleases"),
        pytest.param("get values -n NS one --revision ", ["2", "1"], id="revisions"),
        pytest.param("list -n client-r", ["client-reads"], id="namespaces"),
    ],
)
def test_names_of_the_cluster_are_completed(control_plane, released, monkeypatch, line, names):
    for name, value in control_plane.environment().items():
        monkeypatch.setenv(name, value)
    *words, last = line.replace("NS", released).split(" ")
    found = ShellComplete(main, {}, "whipstaff", "").get_completions(words, last)
    assert [item.value for item in found] == names


def test_releases_of_the_operator_are_shown_as_helm_shows_them(releases, repository, ours):
    repository.add(app_chart())
    releases.create("blog", chart="app")
    releases.settled("blog", revision=1)
    place = ("-n", releases.namespace)
    for line in (
        ("list",),
        ("history", "blog"),
        ("get", "all", "blog"),
        ("get", "manifest", "blog"),
    ):
        assert ours(*line, *place).stdout == releases.helm(*line)
    (listed,) = json.loads(ours("list", *place, "-o", "json").stdout)
    assert (listed["name"], listed["status"]) == ("blog", "deployed")


def test_who_may_not_read_secrets_is_told_so(control_plane, released, ours):
    control_plane.kubectl("create", "serviceaccount", "nobody", "-n", released)
    token = control_plane.service_account_token(released, "nobody")
    kubeconfig = control_plane.kubeconfig_for(token, "nobody", released)
    told = ours("list", "--kubeconfig", str(kubeconfig))
    theirs = control_plane.run("helm", "list", "--kubeconfig", str(kubeconfig), check=False)
    assert (told.stderr, told.exit_code) == (theirs.stderr, 1)
    assert "cannot list resource" in told.stderr


def test_a_stored_release_that_cannot_be_read_hides_no_other(control_plane, namespace, ours):
    broken = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "sh.helm.release.v1.odd.v1",
            "labels": {"owner": "helm", "name": "odd", "version": "1", "status": "deployed"},
        },
        "stringData": {"release": "odd"},
    }
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(broken))
    told = ours("list", "-n", namespace)
    assert told.exit_code == 0
    assert "sh.helm.release.v1.odd.v1" in told.stderr


def test_a_helmrelease_without_a_release_says_why(releases, ours):
    releases.create("blog", chart="nowhere")
    releases.until("blog", lambda release: "nowhere" in json.dumps(release.get("status", {})))
    told = ours("status", "blog", "-n", releases.namespace)
    assert told.exit_code == 1
    assert told.stderr.startswith("Error: release: not found: HelmRelease blog: ")
    assert "nowhere" in told.stderr


def test_a_release_whose_helmrelease_is_not_ready_says_why_beside_what_helm_says(
    releases, repository, ours
):
    repository.add(app_chart())
    releases.create("blog", chart="app")
    releases.settled("blog", revision=1)
    line = ("status", "blog", "-n", releases.namespace)
    assert ours(*line).stderr == ""
    releases.edit("blog", chart={"name": "nowhere"})
    releases.until("blog", lambda release: "nowhere" in json.dumps(release.get("status", {})))
    told = ours(*line)
    assert told.exit_code == 0
    assert told.stdout.startswith("NAME: blog\n")
    assert told.stderr.startswith("HelmRelease blog is not ready: ")
    assert "nowhere" in told.stderr
    assert ours(*line, "--revision", "1").stderr == ""
