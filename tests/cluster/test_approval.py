"""A change can be read before it is made, and is made once somebody approves of it."""

import base64

import pytest
from click.testing import CliRunner

from tests.builders.live_releases import condition
from tests.builders.planned_charts import VALUES, publish
from tests.builders.small_charts import a_packed_chart
from whipstaff.cli.main import main

pytestmark = pytest.mark.cluster

SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {text: "{{ .Values.text }}", generated: "{{ randAlphaNum 12 }}"}
"""


@pytest.fixture(autouse=True)
def _published(repository):
    publish(repository, SETTINGS)


def waits(releases):
    """Wait until the newest spec waits for an approval; return the plan that status tells of."""
    releases.refused("blog", "ApprovalRequired")
    return releases.get("blog")["status"]["plan"]


def text_of(releases, plan):
    secret = releases.find(releases.core("secrets", plan["secretName"]))
    return base64.b64decode(secret["data"]["plan"]).decode()


def test_an_install_and_an_upgrade_wait_and_are_done_as_planned(releases):
    releases.create("blog", chart="blog", version="1.0.0", approval="Manual")
    plan = waits(releases)
    assert plan["create"] == 3
    assert "+ create ConfigMap" in text_of(releases, plan)
    assert releases.stored("blog") == {}
    releases.edit("blog", approvedPlan=plan["digest"])
    release = releases.settled("blog", revision=1)
    assert "plan" not in release["status"]
    before = releases.data("settings")["generated"]

    releases.edit("blog", values={"text": "second"}, chart={"version": "2.0.0"})
    plan = waits(releases)
    assert (plan["change"], plan["delete"]) == (1, 1)
    text = text_of(releases, plan)
    assert 'data.text: "first" -> "second"' in text
    assert "- delete ConfigMap" in text
    planned = next(line for line in text.splitlines() if "data.generated" in line)
    assert before in planned
    releases.edit("blog", approvedPlan=plan["digest"])
    releases.settled("blog", revision=2)
    # The chart renders differently each time: what was approved of is what was applied.
    assert releases.data("settings")["generated"] in planned
    assert releases.data("extra") is None
    assert releases.find(releases.core("secrets", plan["secretName"])) is None


def test_the_command_prints_the_plan(releases, control_plane):
    arguments = ["plan", "blog", "-n", releases.namespace, "--kubeconfig"]
    arguments.append(str(control_plane.kubeconfig))
    releases.create("blog", chart="blog", version="1.0.0", approval="Manual")
    plan = waits(releases)
    printed = CliRunner().invoke(main, arguments)
    assert printed.exit_code == 0
    assert f"+ create ConfigMap {releases.namespace}/settings (v1)\n" in printed.output
    assert plan["digest"] in printed.output
    coloured = CliRunner().invoke(main, [*arguments, "--color=always"])
    assert "\x1b[32m+ create ConfigMap" in coloured.output
    kept = releases.core("secrets", plan["secretName"])
    other = {"data": {"digest": base64.b64encode(b"sha256:other").decode()}}
    releases.api.request("PATCH", kept, other)
    printed = CliRunner().invoke(main, arguments)
    assert "holds another plan than status tells of" in printed.output
    assert "To have it done" not in printed.output
    releases.api.request("DELETE", kept)
    printed = CliRunner().invoke(main, arguments)
    assert "or somebody deleted Secret whipstaff.plan.blog" in printed.output
    releases.answered("blog")
    printed = CliRunner().invoke(main, arguments)
    assert plan["digest"] not in printed.output  # the chart renders differently each time
    assert "To have it done" in printed.output
    plan = waits(releases)
    releases.edit("blog", approvedPlan=plan["digest"])
    releases.settled("blog", revision=1)
    printed = CliRunner().invoke(main, arguments)
    assert "no plan waits for an approval" in printed.output
    printed = CliRunner().invoke(main, [*arguments, "nothing"])
    assert printed.exit_code != 0
    arguments[1] = "nothing"
    printed = CliRunner().invoke(main, arguments)
    assert printed.exit_code == 1
    assert f"there is no HelmRelease {releases.namespace}/nothing" in printed.output


def test_no_value_in_a_plan_steers_the_terminal(releases, control_plane, repository):
    settings = SETTINGS.replace('"{{ .Values.text }}"', "{{ .Values.text | quote }}")
    repository.add(a_packed_chart("blog", "3.0.0", VALUES, settings=settings))
    odd = "\x1b[2J\x07\u202eodd\u202c\x9b31m 😀 ü"
    releases.create("blog", chart="blog", version="3.0.0")
    releases.settled("blog", revision=1)
    releases.edit("blog", approval="Manual", values={"text": odd})
    waits(releases)
    command = ["plan", "blog", "-n", releases.namespace]
    printed = CliRunner().invoke(main, [*command, "--kubeconfig", str(control_plane.kubeconfig)])
    (line,) = [line for line in printed.output.splitlines() if "data.text" in line]
    assert line.isprintable()
    assert "odd" in line
    assert "😀 ü" in line


def test_no_secret_is_in_a_plan(releases):
    before = {"text": "with hunter2hunter2"}
    releases.create("blog", chart="blog", version="2.0.0", values=before)
    releases.settled("blog", revision=1)
    values = {"password": "other-secret", "text": "with other-secret"}
    releases.edit("blog", approval="Manual", values=values)
    plan = waits(releases)
    text = text_of(releases, plan)
    assert "~ change Secret" in text
    assert "data.password: (masked) -> (masked)" in text
    assert "data.text: (masked) -> (masked)" in text
    assert "hunter2" not in text
    assert "other-secret" not in text + str(plan)


def test_an_approval_is_void_once_its_plan_moved_on(releases):
    releases.create("blog", chart="blog", version="1.0.0", approval="Manual")
    first = waits(releases)
    releases.edit("blog", values={"text": "moved"}, approvedPlan=first["digest"])
    found = releases.until(
        "blog",
        lambda one: one["status"].get("plan", {}).get("digest") not in (None, first["digest"]),
    )
    assert "is void" in condition(found, "Ready")["message"]
    assert releases.stored("blog") == {}


def test_only_what_destroys_waits_where_spec_says_so(releases):
    releases.create("blog", chart="blog", version="1.0.0", approval="ManualOnDestructive")
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"text": "second"})
    releases.settled("blog", revision=2)
    releases.choose("blog", "2.0.0")
    plan = waits(releases)
    assert plan["delete"] == 1
    assert releases.data("extra") == {}
    releases.edit("blog", approvedPlan=plan["digest"])
    releases.settled("blog", revision=3)
    assert releases.data("extra") is None


def test_a_pin_is_no_plan(releases):
    releases.create("blog", chart="blog", version="1.0.0")
    releases.settled("blog", revision=1)
    releases.choose("blog", "2.0.0")
    releases.settled("blog", revision=2)
    releases.edit("blog", approval="Manual", revision=1)
    releases.settled("blog", revision=3)
    releases.edit("blog", revision=None)
    assert waits(releases)["version"] == "2.0.0"


def test_plans_go_with_their_helmrelease(releases):
    releases.create("blog", chart="blog", version="1.0.0", approval="Manual")
    waits(releases)
    releases.delete("blog")
    releases.gone("blog")
