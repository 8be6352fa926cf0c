"""What Flux (kstatus) and Argo CD (its Lua) make of every status that ours can be."""

import itertools
from dataclasses import replace

import pytest
import yaml

from tests.builders import judges, pages
from tests.builders.observations import OTHER_INPUTS, a_header, a_release, an_observation
from tests.builders.own_chart import ROOT
from whipstaff.errors import ChartInvalid, ChartUnavailable, OperatorError
from whipstaff.helmrelease.types import Head
from whipstaff.helmrepository import status as repository_status
from whipstaff.helmrepository.status import Fetched
from whipstaff.planning.status import Findings, StatusFacts, status_for
from whipstaff.release.marks import Rejected
from whipstaff.workers.expressions import evaluate

pytestmark = pytest.mark.judges

NOW = "2026-11-21T10:00:00Z"
BEFORE, NEWEST = 1, 2  # generations
UNDONE = {"inputs": OTHER_INPUTS, "made_from": 1, "action": "remediate"}

RECORDS = {
    "nothing": (),
    "installed": (a_header(1, action="install"),),
    "upgraded": (a_header(1, "superseded"), a_header(2)),
    "by the helm command": (a_header(1, "superseded"), a_header(2, ours=False)),
    "install failed": (a_header(1, "failed", action="install"),),
    "upgrade failed": (a_header(1, "superseded"), a_header(2, "failed")),
    "tests failed": (a_header(1, tests="failed"),),
    "rolled back": (
        a_header(1, "superseded", inputs=OTHER_INPUTS),
        a_header(2, "failed"),
        a_header(3, rejected=Rejected("v1.aaaa", 1, 2), **UNDONE),
    ),
    "uninstalled": (a_header(1, "uninstalled", action="install"),),
    "begun": (a_header(1), a_header(2, "pending-upgrade")),
}
RUNS = ("installed", "upgraded", "by the helm command")
WISHES = ({}, {"revision": 1}, {"revision": 9})
HELD = ({}, {"revision": 2})


PROGRESS = Findings(progressing="applying revision 2")
WAITING = Findings(waiting="next attempt in 30 s")
GAVE_UP = Findings(exhausted="failed 3 times")


def _family(kind):
    for child in kind.__subclasses__():
        yield child
        yield from _family(child)


REFUSALS = {
    kind.__name__: Findings(refusal=kind("it does not work"))
    for kind in sorted(_family(OperatorError), key=lambda kind: kind.__name__)
}


def a_body(status, *, kind="HelmRelease", generation=NEWEST, **spec):
    return {
        "apiVersion": "whipstaff.dev/v1",
        "kind": kind,
        "metadata": {"name": "blog", "namespace": "shop", "generation": generation},
        "spec": {"chart": {"name": "blog"}, **spec},
        "status": status,
    }


def told(findings, headers, old=None, **wishes):
    """Give a HelmRelease whose status says what a pass found, after another one of before."""
    suspended = {"suspend": True} if findings.suspended else {}
    before = {"observedGeneration": BEFORE} if old is None else old
    release = a_release(generation=NEWEST, status=before, **wishes, **suspended)
    seen = an_observation(*headers, release=release)
    pin = {} if release.spec.revision is None else {"revision": release.spec.revision}
    return a_body(status_for(StatusFacts(seen, findings, now=NOW)), **pin, **suspended)


def each(findings, records=tuple(RECORDS)):
    """Give what a pass says of each record that may be stored, whatever is wished for."""
    return [
        told(findings, RECORDS[record], **wish)
        for record, wish in itertools.product(records, WISHES)
    ]


def verdicts(bodies):
    """Give the verdicts of Flux and of Argo CD that there are among objects."""
    shown = [status for status, _ in judges.health(bodies)]
    return set(zip(judges.kstatus(bodies), shown, strict=True))


@pytest.mark.parametrize("findings", [PROGRESS, WAITING], ids=["at work", "waits"])
def test_what_is_at_work_is_in_progress_for_both(findings):
    assert verdicts(each(findings)) == {("InProgress", "Progressing")}


def test_what_will_be_tried_again_is_in_progress_for_both():
    tried_again = [findings for findings in REFUSALS.values() if findings.refusal.retryable]
    assert len(tried_again) > 20
    bodies = [body for findings in tried_again for body in each(findings, ("upgraded",))]
    bodies += each(REFUSALS["ChartUnavailable"])
    assert verdicts(bodies) == {("InProgress", "Progressing")}


def test_what_only_an_edit_can_mend_has_failed_for_both():
    final = [findings for findings in REFUSALS.values() if not findings.refusal.retryable]
    assert len(final) > 20
    bodies = [body for findings in final for body in each(findings, ("upgraded",))]
    for findings in (GAVE_UP, replace(GAVE_UP, no_way_back=True), REFUSALS["RenderFailed"]):
        bodies += each(findings)
    assert verdicts(bodies) == {("Failed", "Degraded")}


def test_what_runs_is_healthy_for_both():
    bodies = [told(Findings(), RECORDS[record], **wish) for record in RUNS for wish in HELD]
    assert verdicts(bodies) == {("Current", "Healthy")}


def test_a_plan_that_waits_for_somebody_is_shown_as_such():
    """Nothing is at work, and nothing is wrong: Argo CD has a word for that, kstatus has none."""
    bodies = each(Findings(unapproved=True))
    assert verdicts(bodies) == {("InProgress", "Suspended")}
    assert all("waits for approval" in message for _, message in judges.health(bodies))


@pytest.mark.parametrize(
    ("old", "flux"),
    [
        pytest.param({"observedGeneration": BEFORE}, "InProgress", id="by the newest edit"),
        pytest.param({"observedGeneration": NEWEST}, "Current", id="before any other edit"),
    ],
)
def test_what_is_suspended_is_shown_as_such_whatever_else_was_edited(old, flux):
    bodies = [told(Findings(suspended=True), RECORDS[record], old) for record in RUNS]
    assert verdicts(bodies) == {(flux, "Suspended")}
    stalled = told(GAVE_UP, RECORDS["upgrade failed"])
    stalled["spec"]["suspend"] = True
    assert judges.health([stalled])[0][0] == "Suspended"


@pytest.mark.parametrize("kind", ["HelmRelease", "HelmRepository"])
@pytest.mark.parametrize("status", [{"observedGeneration": -1}, {"observedGeneration": BEFORE}])
def test_what_nobody_has_looked_at_yet_is_in_progress(kind, status):
    assert verdicts([a_body(status, kind=kind)]) == {("InProgress", "Progressing")}


def test_a_status_of_the_spec_before_says_nothing_of_the_newest():
    bodies = []
    for findings in (Findings(), GAVE_UP, REFUSALS["RenderFailed"], Findings(unapproved=True)):
        for body in each(findings, ("upgraded",)):
            body["metadata"]["generation"] += 1
            bodies.append(body)
    assert verdicts(bodies) == {("InProgress", "Progressing")}


def test_argo_cd_shows_the_sentence_of_ready():
    body = told(REFUSALS["ChartUnavailable"], RECORDS["installed"])
    assert judges.health([body]) == [("Progressing", "it does not work")]


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        pytest.param(Fetched(1, "sha256:a"), ("Current", "Healthy"), id="answers"),
        pytest.param(ChartUnavailable("down"), ("InProgress", "Progressing"), id="tried again"),
        pytest.param(ChartInvalid("no index"), ("Failed", "Degraded"), id="only an edit helps"),
    ],
)
def test_a_repository_is_judged_by_both(outcome, verdict):
    head = Head("shop", "blog", "uid-1", NEWEST, NOW, False, (), {}, {})
    status = repository_status.status_for(head, outcome, NOW)
    assert verdicts([a_body(status, kind="HelmRepository")]) == {verdict}
    later = replace(head, status=status)
    suspended = repository_status.suspended_status(later, NOW)
    assert judges.health([a_body(suspended, kind="HelmRepository", suspend=True)])[0][0] == (
        "Suspended"
    )


def by_expressions(body):
    """Judge by the expressions that docs/gitops.md has for a Kustomization."""
    page = ROOT / "docs" / "gitops.md"
    (block,) = [one for one in pages.blocks(page) if one.text.startswith("healthCheckExprs:")]
    (check,) = yaml.safe_load(block.text)["healthCheckExprs"]
    names = ("inProgress", "failed", "current")
    given = {name: body[name] for name in ("metadata", "spec", "status")}
    results = evaluate([check[name] for name in names], list(given), given)["results"]
    assert [result["problem"] for result in results] == ["", "", ""]
    return next((n for n, result in zip(names, results, strict=True) if result["value"]), None)


def test_flux_takes_what_waits_for_people_as_it_is_told_to():
    waits = Findings(unapproved=True)
    assert {by_expressions(body) for body in each(waits)} == {"current"}
    for record in RUNS:
        assert by_expressions(told(Findings(suspended=True), RECORDS[record])) == "current"
        assert by_expressions(told(Findings(), RECORDS[record])) == "current"
    assert by_expressions(a_body({"observedGeneration": -1}, suspend=True)) == "current"
    assert by_expressions(a_body({"observedGeneration": -1})) == "inProgress"
    assert {by_expressions(body) for body in each(GAVE_UP)} == {"failed"}
    refused = told(REFUSALS["ChartUnavailable"], RECORDS["upgraded"])
    assert by_expressions(refused) is None, "it is waited for"


# What Argo CD's menu offers.


def test_each_action_is_offered_where_it_does_something():
    runs = told(Findings(), RECORDS["upgraded"])
    assert judges.offered(runs) == {"reconcile", "suspend", "rollback", "pin"}
    assert judges.offered(told(PROGRESS, ())) == {"reconcile", "suspend"}
    held = told(Findings(), RECORDS["upgraded"], revision=1)
    assert judges.offered(held) == {"reconcile", "suspend", "rollback", "unpin"}
    suspended = told(Findings(suspended=True), RECORDS["upgraded"])
    assert judges.offered(suspended) == {"resume", "rollback", "pin"}
    waits = told(Findings(unapproved=True), RECORDS["upgraded"])
    assert "approve" not in judges.offered(waits), "no plan is known"
    waits["status"]["plan"] = {"digest": "sha256:ab"}
    assert "approve" in judges.offered(waits)


@pytest.mark.parametrize(
    ("action", "parameters", "patch"),
    [
        pytest.param("suspend", {}, {"spec": {"suspend": True}}, id="suspend"),
        pytest.param("pin", {}, {"spec": {"revision": 2}}, id="pin"),
        pytest.param("rollback", {"revision": "1"}, {"spec": {"revision": 1}}, id="rollback"),
        pytest.param("approve", {}, {"spec": {"approvedPlan": "sha256:ab"}}, id="approve"),
    ],
)
def test_an_action_is_one_edit(action, parameters, patch):
    body = told(Findings(), RECORDS["upgraded"])
    body["status"]["plan"] = {"digest": "sha256:ab"}
    body["spec"]["values"] = {"empty": {}, "list": [], "number": 1.5, "text": "1"}
    assert judges.merge_patch(body, judges.acted(body, action, **parameters)) == patch


def test_resume_and_unpin_take_back_what_was_set():
    body = told(Findings(suspended=True), RECORDS["upgraded"], revision=1)
    resumed = judges.merge_patch(body, judges.acted(body, "resume"))
    assert resumed == {"spec": {"suspend": None}}
    assert judges.merge_patch(body, judges.acted(body, "unpin")) == {"spec": {"revision": None}}


def test_reconcile_asks_as_the_command_does():
    body = told(Findings(), RECORDS["upgraded"])
    asked = judges.acted(body, "reconcile")["metadata"]["annotations"]
    assert list(asked) == ["whipstaff.dev/requestedAt"]
    assert asked["whipstaff.dev/requestedAt"].endswith("Z")


def test_a_rollback_to_no_number_is_refused_in_a_sentence():
    body = told(Findings(), RECORDS["upgraded"])
    assert "name a revision" in judges.acted(body, "rollback", revision="previous")
