"""Objects that somebody changed are found by passes at rest, and put right or told of."""

from dataclasses import replace

import pytest

from tests.builders.observations import a_header, a_release
from tests.builders.worlds import AWAY, NAMESPACE, REFUSED, FakeIntent, a_world, an_object, owned
from whipstaff.errors import ChartUnavailable, WorkerLost
from whipstaff.helmrelease.drift_detection import DriftDetection, DriftMode, IgnoreRule
from whipstaff.helmrelease.types import ActionOptions
from whipstaff.reconcile.loop import Ending, Pass
from whipstaff.reconcile.ports import ObjectReference

SETTINGS = ObjectReference("v1", "ConfigMap", NAMESPACE, "settings")
WEB = ObjectReference("apps/v1", "Deployment", NAMESPACE, "web")
HOUR = 3600
HORIZONTAL = ("autoscaling/v2", "HorizontalPodAutoscaler")


def wanted(mode="enabled", *rules):
    objects = [
        an_object(data={"text": "plain"}),
        an_object("Deployment", "web", "apps/v1", spec={"replicas": 1, "paused": False}),
    ]
    drift_detection = DriftDetection(DriftMode(mode), tuple(rules))
    install = ActionOptions(disable_wait=True)
    values = {"objects": objects}
    return a_release(values=values, install=install, drift_detection=drift_detection)


class Lookout:
    """Writes down what it is told, and says that nothing moved once something was settled."""

    def __init__(self):
        self.heeded = set()
        self.settled = {}
        self.drifted = set()
        self.token = None
        self.moved = None  # all
        self.calls = []

    async def heed(self, user, references, identity, token):
        self.heeded = set(references)
        return self.moved

    def settle(self, user, token, seen, drifted=()):
        self.token, self.settled, self.drifted = token, dict(seen), set(drifted)

    def unmoved(self, user, token):
        return self.token == token

    def hold(self, user):
        self.calls.append("hold")

    def release(self, user):
        self.calls.append("release")

    def forget(self, user):
        self.calls.append("forget")


class Site:
    """One release in a world in memory, and the passes over it."""

    def __init__(self, release):
        self.world = replace(a_world(), lookout=Lookout())
        self.world.charts.add("http://charts.test", "blog", "1.0.0")
        self.world.reporter.put(release.namespace, release.name, release.uid)
        self.release = release
        self.status = None

    async def pass_over(self, release=None):
        work = Pass(self.world, FakeIntent(release or self.release), self.status)
        outcome = await work.run()
        self.status = work.status
        self.world.lookout.token = None  # as if something had moved
        return outcome

    def edit(self, reference, change, **by):
        self.world.cluster.edit(reference, change, **by)

    def live(self, reference):
        return self.world.cluster.objects.get(reference)

    def told(self):
        return [
            (each["kind"], each["standing"], *each.get("fields", ()))
            for each in self.status.get("drift", ())
        ]

    def drifted(self):
        found = (c for c in self.status["conditions"] if c["type"] == "Drifted")
        return next(((c["status"], c["reason"]) for c in found), None)

    def reasons(self):
        (shown,) = self.world.reporter.shown.values()
        return [event.reason for event in shown.events]

    def writes(self):
        return self.world.cluster.verbs("apply", "replace", "delete")


def hack(body):
    body["data"]["text"] = "hacked"


def scale(body):
    body["spec"]["replicas"] = 5


@pytest.fixture
async def site(request):
    found = Site(wanted(*getattr(request, "param", ())))
    outcome = await found.pass_over()
    assert outcome.ending is Ending.IN_SYNC, found.status
    return found


async def test_nothing_is_found_where_nobody_changed_anything(site):
    written = len(site.writes())
    await site.pass_over()
    assert site.drifted() == ("False", "NoDriftDetected")
    assert site.told() == []
    assert len(site.writes()) == written


async def test_an_edit_is_put_right_without_a_revision(site):
    site.edit(SETTINGS, hack)
    await site.pass_over()
    assert site.live(SETTINGS)["data"] == {"text": "plain"}
    assert site.told() == [("ConfigMap", "Corrected", "data.text")]
    assert site.status["drift"][0]["managers"] == ["kubectl-edit"]
    assert site.drifted() == ("False", "DriftCorrected")
    assert [entry["revision"] for entry in site.status["history"]] == [1]
    assert site.reasons()[-1] == "DriftCorrected"


async def test_of_an_object_that_the_manifest_has_twice_the_last_one_counts():
    release = wanted()
    objects = [*release.spec.values["objects"], an_object(data={"text": "last"})]
    site = Site(replace(release, spec=replace(release.spec, values={"objects": objects})))
    await site.pass_over()
    site.edit(SETTINGS, hack)
    await site.pass_over()
    assert site.live(SETTINGS)["data"] == {"text": "last"}
    written = len(site.writes())
    await site.pass_over()
    assert len(site.writes()) == written


async def test_only_what_moved_or_drifted_is_looked_at(site):
    site.edit(SETTINGS, hack)
    site.edit(WEB, scale)
    site.world.lookout.moved = [SETTINGS]
    await site.pass_over()
    assert site.told() == [("ConfigMap", "Corrected", "data.text")]
    warn = replace(site.release, generation=2, spec=wanted("warn").spec)
    site.world.lookout.moved = None
    await site.pass_over(warn)
    site.world.lookout.moved = []
    await site.pass_over(warn)
    assert ("Deployment", "Found", "spec.replicas") in site.told()


async def test_only_what_drifted_is_applied(site):
    written = len(site.writes())
    site.edit(SETTINGS, hack)
    await site.pass_over()
    assert site.writes()[written:] == [("apply", str(SETTINGS))]


async def test_what_is_gone_is_made_again(site):
    site.world.cluster.remove(SETTINGS)
    await site.pass_over()
    assert site.live(SETTINGS)["data"] == {"text": "plain"}
    assert site.status["drift"][0]["missing"] is True


async def test_who_scales_keeps_what_it_set(site):
    site.edit(WEB, scale, manager="autoscaler", subresource="scale")
    site.edit(WEB, lambda body: body["spec"].update(paused=True))
    await site.pass_over()
    assert site.live(WEB)["spec"] == {"replicas": 5, "paused": False}
    assert site.told() == [("Deployment", "Corrected", "spec.paused")]


async def test_replicas_of_what_an_autoscaler_is_there_for_are_its_own(site):
    site.world.cluster.kinds[HORIZONTAL] = True
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target}
    autoscaler = an_object(HORIZONTAL[1], "web", HORIZONTAL[0], spec=spec)
    site.world.cluster.put(autoscaler, NAMESPACE)
    site.edit(WEB, scale)
    await site.pass_over()
    assert site.live(WEB)["spec"]["replicas"] == 5
    assert site.told() == []


async def test_replicas_of_what_nobody_scales_are_put_right(site):
    site.edit(WEB, scale)
    await site.pass_over()
    assert site.live(WEB)["spec"]["replicas"] == 1


@pytest.mark.parametrize("site", [("warn",)], indirect=True)
async def test_warn_tells_once_and_changes_nothing(site):
    written = len(site.writes())
    site.edit(SETTINGS, hack)
    await site.pass_over()
    assert site.drifted() == ("True", "DriftDetected")
    assert site.told() == [("ConfigMap", "Found", "data.text")]
    status, statuses = site.status, site.world.reporter.writes
    site.world.clock.now_seconds += 2 * HOUR
    await site.pass_over()
    assert site.status == status
    assert site.world.reporter.writes == statuses
    assert site.reasons().count("DriftDetected") == 1
    assert len(site.writes()) == written
    assert site.world.lookout.drifted == {SETTINGS}


@pytest.mark.parametrize("site", [("disabled",)], indirect=True)
async def test_nobody_looks_unless_asked_to(site):
    site.edit(SETTINGS, hack)
    calls = len(site.world.cluster.calls)
    await site.pass_over()
    assert len(site.world.cluster.calls) == calls
    assert site.drifted() is None
    assert not site.world.lookout.heeded


RULE = IgnoreRule((("data", "text"),), {"kind": "ConfigMap"})
ALL = IgnoreRule(((),))


@pytest.mark.parametrize("site", [("enabled", RULE)], indirect=True)
async def test_what_is_ignored_stays(site):
    site.edit(SETTINGS, hack)
    site.edit(WEB, scale)
    await site.pass_over()
    assert site.live(SETTINGS)["data"]["text"] == "hacked"
    assert site.told() == [("Deployment", "Corrected", "spec.replicas")]


@pytest.mark.parametrize("site", [("enabled", ALL)], indirect=True)
async def test_a_whole_object_that_is_ignored_is_not_made_again(site):
    site.world.cluster.remove(SETTINGS)
    await site.pass_over()
    assert site.live(SETTINGS) is None


async def test_what_another_release_took_over_is_left_to_it(site):
    def take(body):
        body |= owned(body, "other")
        hack(body)

    site.edit(SETTINGS, take)
    await site.pass_over()
    assert site.live(SETTINGS)["data"]["text"] == "hacked"
    assert site.told() == []


async def fight(site, rounds):
    for _ in range(rounds):
        site.edit(SETTINGS, hack)
        await site.pass_over()


async def test_the_same_is_put_right_five_times_an_hour(site):
    await fight(site, 5)
    assert site.status["drift"][0]["corrections"] == 5
    await fight(site, 1)
    assert site.live(SETTINGS)["data"]["text"] == "hacked"
    assert site.drifted() == ("True", "DriftRecurs")
    assert site.reasons().count("DriftCorrected") == 1
    assert site.reasons()[-1] == "DriftRecurs"
    site.world.clock.now_seconds += HOUR
    await site.pass_over()
    assert site.live(SETTINGS)["data"]["text"] == "plain"
    assert site.status["drift"][0]["corrections"] == 1


async def test_a_fight_stops_no_other_correction(site):
    await fight(site, 6)
    site.edit(WEB, scale)
    await site.pass_over()
    assert site.live(WEB)["spec"]["replicas"] == 1
    assert site.drifted() == ("True", "DriftRecurs")


async def test_who_asks_for_a_pass_has_it_put_right_once_more(site):
    await fight(site, 6)
    asking = replace(site.release, annotations={"whipstaff.dev/requestedAt": "now"})
    await site.pass_over(asking)
    assert site.live(SETTINGS)["data"]["text"] == "plain"


async def test_what_was_put_right_is_told_for_an_hour(site):
    await fight(site, 1)
    site.world.clock.now_seconds += HOUR
    await site.pass_over()
    assert site.told() == []
    assert site.drifted() == ("False", "NoDriftDetected")


async def test_a_refusal_is_told_and_others_are_put_right(site):
    site.world.cluster.refuse("dry-run", SETTINGS, REFUSED)
    site.edit(SETTINGS, hack)
    site.edit(WEB, scale)
    outcome = await site.pass_over()
    assert outcome.ending is Ending.IN_SYNC
    assert site.drifted() == ("True", "DriftCorrectionFailed")
    assert site.told() == [
        ("ConfigMap", "Refused"),
        ("Deployment", "Corrected", "spec.replicas"),
    ]
    assert site.live(WEB)["spec"]["replicas"] == 1


async def test_a_refused_correction_is_told(site):
    site.world.cluster.refuse("apply", SETTINGS, REFUSED)
    site.edit(SETTINGS, hack)
    await site.pass_over()
    assert site.told() == [("ConfigMap", "Refused", "data.text")]
    await site.pass_over()
    assert site.told() == [("ConfigMap", "Corrected", "data.text")]


async def test_a_kind_that_nobody_serves_any_more_is_told(site):
    del site.world.cluster.kinds["apps/v1", "Deployment"]
    await site.pass_over()
    assert site.told() == [("Deployment", "Refused")]


async def test_what_cannot_be_found_out_now_is_asked_again_soon(site):
    site.world.cluster.refuse("read", SETTINGS, AWAY)
    outcome = await site.pass_over()
    assert outcome.ending is Ending.IN_SYNC
    assert outcome.again_seconds == 30
    assert site.drifted() == ("Unknown", "DriftUnknown")
    assert (await site.pass_over()).again_seconds is None
    assert site.drifted() == ("False", "NoDriftDetected")


async def test_what_runs_is_looked_after_while_its_chart_cannot_be_had(site, monkeypatch):
    async def away(_reference, *, max_age_seconds):
        raise ChartUnavailable("no answer", "blog")

    monkeypatch.setattr(site.world.charts, "resolve", away)
    site.edit(SETTINGS, hack)
    outcome = await site.pass_over()
    assert outcome.ending is Ending.REFUSED
    assert site.live(SETTINGS)["data"]["text"] == "plain"


async def test_what_somebody_else_begins_to_upgrade_is_left_to_them(site, monkeypatch):
    history = site.world.store.history
    calls = []

    async def upgraded_meanwhile(key, identity):
        calls.append(key)
        headers = await history(key, identity)
        if len(calls) == 1:
            return headers
        return (a_header(2, "pending-upgrade", ours=False), *headers)

    monkeypatch.setattr(site.world.store, "history", upgraded_meanwhile)
    site.edit(SETTINGS, hack)
    outcome = await site.pass_over()
    assert outcome.ending is Ending.INTERRUPTED
    assert site.live(SETTINGS)["data"]["text"] == "hacked"


async def test_what_is_half_upgraded_is_not_put_back(site):
    body = an_object(data={"text": "newer"})
    newer = replace(site.release, generation=2)
    newer = replace(newer, spec=replace(newer.spec, values={"objects": [body]}))
    site.edit(SETTINGS, hack)
    site.world.store.refuse("create", WorkerLost("it died"))
    outcome = await site.pass_over(newer)
    assert outcome.ending is Ending.REFUSED
    assert site.world.cluster.verbs("apply")[2:] == []


async def test_after_an_upgrade_that_failed_nothing_is_told_of_drift(site):
    site.world.cluster.refuse("apply", SETTINGS, REFUSED)
    body = an_object(data={"text": "newer"})
    newer = replace(site.release.spec, values={"objects": [body]})
    await site.pass_over(replace(site.release, generation=2, spec=newer))
    assert site.status["history"][0]["status"] == "failed"
    assert site.drifted() is None


async def test_a_suspended_release_is_not_looked_at(site):
    site.edit(SETTINGS, hack)
    suspended = replace(site.release, spec=replace(site.release.spec, suspend=True))
    await site.pass_over(suspended)
    assert site.live(SETTINGS)["data"]["text"] == "hacked"
    assert site.drifted() == ("False", "NoDriftDetected")


async def test_a_pass_holds_the_lookout_and_settles_what_it_saw(site):
    lookout = site.world.lookout
    lookout.calls.clear()
    site.edit(SETTINGS, hack)
    await site.pass_over()
    assert lookout.calls == ["hold", "release"]
    assert lookout.heeded == {SETTINGS, WEB}
    seen = lookout.settled[SETTINGS]
    assert seen["data"] == {"text": "plain"}
    assert seen["metadata"]["managedFields"]
    assert lookout.drifted == set()


async def test_where_nothing_moved_nothing_is_read(site):
    number = site.status["revision"]
    calls = len(site.world.cluster.calls)
    site.world.lookout.token = f"{number}/1/"
    await site.pass_over()
    assert len(site.world.cluster.calls) == calls
    assert site.drifted() == ("False", "NoDriftDetected")


async def test_an_interruption_ends_the_corrections(site):
    intent = FakeIntent(site.release)
    site.edit(SETTINGS, hack)
    intent.change()
    work = Pass(site.world, intent, site.status)
    assert (await work.run()).ending is Ending.INTERRUPTED
    assert site.live(SETTINGS)["data"]["text"] == "hacked"
