"""deploy/examples/ci: each shell step runs, in its order, on the control plane."""

import os
import re
import stat
import subprocess
import sys

import pytest
import yaml

from tests.builders.own_chart import ROOT
from tests.builders.pipelines import Jenkins, Workflow

CI = ROOT / "deploy" / "examples" / "ci"
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  title: {{ .Values.title | quote }}
"""
SCHEMA = '{"properties": {"title": {"type": "string"}}}'


@pytest.fixture
def folder(tmp_path, namespace, repository):
    """A repository with a chart, its values and a HelmRelease that waits for approvals."""
    clone = tmp_path / "clone"
    release = (CI / "releases" / "blog.yaml").read_text(encoding="utf-8")
    files = {
        "charts/blog/Chart.yaml": "apiVersion: v2\nname: blog\nversion: 1.0.0\nicon: https://x.test\n",
        "charts/blog/values.yaml": "title: A blog\n",
        "charts/blog/values.schema.json": SCHEMA,
        "charts/blog/templates/settings.yaml": SETTINGS,
        "values/blog.yaml": "title: First\n",
        "releases/blog.yaml": release.replace("https://charts.example.com", repository.url),
    }
    for path, text in files.items():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text(text, encoding="utf-8")
    repository.add(clone / "charts" / "blog", version="1.0.0")
    _git(clone, "init", "-q", "-b", "main")
    committed(clone)
    return clone


def _git(folder, *arguments):
    who = ("-c", "user.name=ci", "-c", "user.email=ci@example.com")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def committed(folder):
    """Commit all there is; give the commit before."""
    before = subprocess.run(
        ["git", "rev-parse", "-q", "--verify", "HEAD"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    _git(folder, "add", "-A", ".")
    _git(folder, "commit", "-qm", "an edit")
    return before.stdout.strip()


@pytest.fixture
def environment(control_plane, namespace, tmp_path):
    """A machine of a pipeline: the commands on the PATH, and nobody logged in."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "kubectl").symlink_to(control_plane.programs["kubectl"])
    scripts = {
        "whipstaff": f'#!/bin/sh\nexec {sys.executable} -m whipstaff "$@"\n',
        "pip": '#!/bin/sh\necho "$@" >> "$(dirname "$0")/installed"\n',
    }
    for name, script in scripts.items():
        (tools / name).write_text(script, encoding="utf-8")
        (tools / name).chmod((tools / name).stat().st_mode | stat.S_IXUSR)
    kept = {key: os.environ[key] for key in ("PYTHONPATH", "LANG") if key in os.environ}
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "HOME": str(tmp_path)}


@pytest.fixture
def workflow(folder, environment, control_plane, namespace, tmp_path):
    """The workflow, for the namespace of the test."""
    text = (CI / "github-actions.yml").read_text(encoding="utf-8")
    (tmp_path / "workflow.yml").write_text(
        text.replace("NAMESPACE: shop", f"NAMESPACE: {namespace}"), encoding="utf-8"
    )
    login = control_plane.kubeconfig.read_text(encoding="utf-8")
    context = {"secrets.KUBECONFIG": login}
    return Workflow(tmp_path / "workflow.yml", folder, environment, context)


@pytest.mark.usefixtures("operator")
def test_the_workflow_checks_plans_asks_and_releases(workflow, folder, releases, tmp_path):
    # A change of values: what becomes another is shown, and waits for somebody.
    (folder / "values" / "blog.yaml").write_text("title: Second\n", encoding="utf-8")
    workflow.context["github.event.before"] = committed(folder)
    assert workflow.job("check") == 0, workflow.last.stderr
    assert '-  title: "First"\n+  title: "Second"' in workflow.summary
    assert workflow.job("plan") == 0, workflow.last.stderr
    assert "create ConfigMap" in workflow.summary
    digest = workflow.context["needs.plan.outputs.digest"]
    assert digest == releases.get("blog")["status"]["plan"]["digest"]
    assert releases.stored("blog") == {}
    # Somebody approves.
    assert workflow.job("release") == 0, workflow.last.stderr
    assert releases.data("blog") == {"title": "Second"}
    assert "Say what stands" not in workflow.ran
    # Once more without a change: nobody is asked.
    assert workflow.job("plan") == 0, workflow.last.stderr
    assert workflow.context["needs.plan.outputs.digest"] == digest, "no other one"
    installed = (tmp_path / "tools" / "installed").read_text(encoding="utf-8").splitlines()
    assert set(installed) == {"install git+https://github.com/whipstaff/whipstaff"}


@pytest.mark.usefixtures("operator")
def test_the_workflow_fails_where_something_is_wrong(workflow, folder, releases):
    (folder / "values" / "blog.yaml").write_text("titel: Typo\n", encoding="utf-8")
    workflow.context["github.event.before"] = committed(folder)
    assert workflow.job("check") == 1
    assert workflow.ran[-1] == "Lint chart, values and HelmReleases"
    assert "titel" in workflow.last.stdout + workflow.last.stderr
    (folder / "values" / "blog.yaml").write_text("title: [no, text]\n", encoding="utf-8")
    assert workflow.job("plan") == 1
    assert workflow.ran[-1] == "Plan"
    assert "title" in workflow.last.stderr
    workflow.context["needs.plan.outputs.digest"] = "sha256:" + "0" * 64
    assert workflow.job("release") == 1
    assert workflow.ran[-2:] == ["Approve", "Say what stands"]
    assert releases.stored("blog") == {}


@pytest.mark.usefixtures("operator")
def test_each_step_of_the_jenkinsfile_runs(folder, environment, control_plane, releases):
    login = {"NAMESPACE": releases.namespace, "KUBECONFIG": str(control_plane.kubeconfig)}
    jenkins = Jenkins(CI / "Jenkinsfile", folder, environment | login)
    lint, template = jenkins.steps("Check")
    assert jenkins.sh(lint).returncode == 0
    assert jenkins.sh(template).returncode == 0
    assert 'title: "First"' in (folder / "rendered.yaml").read_text(encoding="utf-8")
    apply, diff, wait, digest = jenkins.steps("Plan")
    approve, wait_until_ready = jenkins.steps("Release")
    (say,) = jenkins.steps("post")
    assert jenkins.sh(apply).returncode == 0
    assert jenkins.sh(diff).returncode == 2
    assert "create ConfigMap" in (folder / "plan.txt").read_text(encoding="utf-8")
    assert jenkins.sh(wait).returncode == 0
    found = jenkins.sh(digest).stdout
    assert jenkins.sh(approve, DIGEST=found).returncode == 0
    assert jenkins.sh(wait_until_ready).returncode == 0
    assert releases.data("blog") == {"title": "First"}
    assert jenkins.sh(diff).returncode == 0
    assert "STATUS: deployed" in jenkins.sh(say).stdout


def test_no_script_of_the_jenkinsfile_is_left_out():
    text = (CI / "Jenkinsfile").read_text(encoding="utf-8")
    stages = re.findall(r"stage\('(\w+)'\)", text)
    jenkins = Jenkins(CI / "Jenkinsfile", None, {})
    found = [step for stage in [*stages, "post"] for step in jenkins.steps(stage)]
    assert len(found) == len(re.findall(r"\bsh\b(?! -)", text))


def test_the_workflow_is_one():
    """As GitHub reads it: what is not known there is refused by no schema here, but named."""
    workflow = yaml.safe_load((CI / "github-actions.yml").read_text(encoding="utf-8"))
    assert set(workflow) == {"name", True, "permissions", "concurrency", "env", "jobs"}
    keys = {key for job in workflow["jobs"].values() for step in job["steps"] for key in step}
    assert keys == {"uses", "with", "name", "run", "env", "id", "if"}
    for job in workflow["jobs"].values():
        assert job.get("needs", "check") in workflow["jobs"]
        scripts = [step["run"] for step in job["steps"] if "run" in step]
        assert [script for script in scripts if "${{" in script] == [], "strangers write them"
