"""What a HelmRelease would change is asked by its reader, and how two of its revisions differ."""

import pytest
from click.testing import CliRunner

from tests.builders.live_releases import condition
from tests.builders.planned_charts import publish
from tools.controlplane import audit
from whipstaff.cli.main import main

pytestmark = pytest.mark.cluster

SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {text: "{{ .Values.text }}"}
"""


@pytest.fixture(autouse=True)
def _published(repository):
    publish(repository, SETTINGS)


@pytest.fixture
def diff(releases, control_plane, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))

    def run(*flags):
        arguments = ["diff", "blog", "-n", releases.namespace, *flags]
        kubeconfig = str(control_plane.kubeconfig)
        return CliRunner().invoke(main, [*arguments, "--kubeconfig", kubeconfig])

    return run


def test_what_a_suspended_helmrelease_would_change_is_told_and_not_done(
    releases, diff, control_plane
):
    releases.create("blog", chart="blog", version="1.0.0")
    releases.settled("blog", revision=1)
    same = diff("--exit-code")
    assert (same.exit_code, same.output) == (0, "  what runs is what is wanted\n")
    values = {"text": "with other-secret", "password": "other-secret"}
    releases.edit("blog", suspend=True, chart={"version": "2.0.0"}, values=values)
    releases.until("blog", lambda release: "suspended" in condition(release, "Ready")["message"])
    log = control_plane.audit_log
    begun = log.stat().st_size
    told = diff("--exit-code", "--color=always")
    written = audit.writes(log, start=begun, user_agent="whipstaff")
    assert [each.uri for each in written if releases.namespace in each.uri] == []
    assert told.exit_code == 2
    assert "spec.suspend: nothing of this is done" in told.output
    assert "  upgrade to revision 2: blog 2.0.0\n" in told.output
    assert f"\x1b[33m~ change ConfigMap {releases.namespace}/settings (v1)" in told.output
    assert 'data.text: "first" -> (masked)' in told.output
    assert f"\x1b[31m- delete ConfigMap {releases.namespace}/extra (v1)" in told.output
    assert "hunter2" not in told.output


def test_what_would_be_taken_over_is_told_first(releases, diff):
    source = ("--version", "1.0.0", "--repo", releases.repository_url)
    releases.helm("install", "blog", "blog", *source)
    releases.create("blog", chart="blog", version="1.0.0", suspend=True)
    told = diff().output
    assert "  adopt revision 1 as it is: blog 1.0.0\n" in told
    assert f"> take over release {releases.namespace}/blog (revision 1, made outside" in told
    releases.choose("blog", "2.0.0")
    assert "> take over release" in diff().output


def test_a_pin_shows_what_comes_without_it_and_revisions_are_compared(releases, diff):
    releases.create("blog", chart="blog", version="1.0.0")
    releases.settled("blog", revision=1)
    releases.choose("blog", "2.0.0")
    releases.settled("blog", revision=2)
    releases.edit("blog", revision=1)
    releases.settled("blog", revision=3)
    told = diff()
    assert told.exit_code == 0
    assert "revision 1 is pinned" in told.output
    assert f"- delete ConfigMap {releases.namespace}/extra (v1)\n" in told.output

    extra = f"ConfigMap {releases.namespace}/extra (v1)\n"
    ahead = diff("--revision", "1", "--revision", "2", "--exit-code")
    assert ahead.exit_code == 2
    assert ahead.output == f"  revision 1 (blog 1.0.0) -> revision 2 (blog 2.0.0)\n- delete {extra}"
    back = diff("--revision", "2")
    assert back.output == f"  revision 2 (blog 2.0.0) -> revision 3 (blog 1.0.0)\n+ create {extra}"
    same = diff("--revision", "1", "--exit-code")
    assert same.exit_code == 0
    assert "their objects are the same" in same.output
    missing = diff("--revision", "9")
    assert missing.exit_code == 1
    assert "9" in missing.output
    assert "Traceback" not in missing.output


def test_what_keeps_a_plan_from_being_made_is_said(releases, diff):
    releases.create("blog", chart="blog", version="9.0.0")
    told = diff()
    assert told.exit_code == 1
    assert "9.0.0" in told.output


@pytest.mark.parametrize("command", ["diff", "plan"])
def test_flags_and_variables_stand_for_a_kubeconfig_as_elsewhere(
    releases, control_plane, monkeypatch, tmp_path, command
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", "")
    monkeypatch.setenv("HELM_NAMESPACE", releases.namespace)
    monkeypatch.setenv("HELM_KUBETOKEN", control_plane.tokens["admin"])
    server = ("--kube-apiserver", control_plane.server)
    server += ("--kube-ca-file", str(control_plane.ca_certificate))
    releases.create("blog", chart="blog", version="1.0.0", approval="Manual")
    releases.until("blog", lambda one: one["status"].get("plan"))
    told = CliRunner().invoke(main, [command, "blog", *server])
    assert told.exit_code == 0, told.output
    assert f"+ create ConfigMap {releases.namespace}/settings" in told.output
    refused = CliRunner().invoke(main, [command, "blog", *server, "--kube-as-user", "nobody"])
    assert refused.exit_code == 1
    assert 'User "nobody" cannot get' in refused.output


def test_who_asks_needs_rights_of_their_own(releases, control_plane, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    control_plane.kubectl("create", "serviceaccount", "reader", "-n", releases.namespace)
    control_plane.kubectl(
        *("create", "role", "reader", "-n", releases.namespace),
        *("--verb=get,list", "--resource=helmreleases.whipstaff.dev"),
    )
    control_plane.kubectl(
        *("create", "rolebinding", "reader", "-n", releases.namespace, "--role=reader"),
        f"--serviceaccount={releases.namespace}:reader",
    )
    token = control_plane.service_account_token(releases.namespace, "reader")
    kubeconfig = str(control_plane.kubeconfig_for(token, f"reader-{releases.namespace}"))
    releases.create("blog", chart="blog", version="1.0.0")
    releases.settled("blog", revision=1)
    arguments = ["diff", "blog", "-n", releases.namespace, "--kubeconfig", kubeconfig]
    told = CliRunner().invoke(main, arguments)
    assert told.exit_code == 1
    assert "cannot list resource" in told.output
    assert "hunter2" not in told.output
