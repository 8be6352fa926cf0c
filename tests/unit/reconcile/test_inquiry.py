import base64
from dataclasses import replace

import pytest

from tests.builders.worlds import NAMESPACE, a_world, an_object, hook, stored_work
from whipstaff.reconcile.inquiry import Inquiry
from whipstaff.reconcile.ports import ObjectReference

SELECTOR = {"selector": {"matchLabels": {"app": "blog"}}}
DEPLOYMENT = an_object("Deployment", "blog", "apps/v1", spec=SELECTOR)
CLAIM = an_object("PersistentVolumeClaim", "data")
WEB = ObjectReference("apps/v1", "Deployment", NAMESPACE, "blog")
DATA = ObjectReference("v1", "PersistentVolumeClaim", NAMESPACE, "data")
CRASHED = {"name": "app", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
ENDED = {"lastState": {"terminated": {"exitCode": 1}}}


def a_pod(*containers):
    metadata = {"name": "blog-1", "namespace": NAMESPACE, "uid": "u1", "labels": {"app": "blog"}}
    status = {"phase": "Running", "containerStatuses": list(containers)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}


def an_event(uid, reason, message):
    about = {"metadata": {"namespace": NAMESPACE}, "involvedObject": {"uid": uid}}
    return {**about, "type": "Warning", "reason": reason, "message": message}


@pytest.fixture
def world():
    return a_world()


@pytest.fixture
def work(world):
    return stored_work(world)


async def explained(world, work, reference, live):
    inquiry = Inquiry(world.evidence, work)
    await inquiry.ask({reference: live})
    return inquiry.explained(reference, "not ready")


async def test_a_workload_is_explained_by_the_last_words_of_its_pod(world, work):
    world.evidence.all_pods.append(a_pod(CRASHED | ENDED))
    world.evidence.logs["blog-1", "app", True] = "starting\npanic: no host\n"
    assert await explained(world, work, WEB, DEPLOYMENT) == (
        "not ready; Pod blog-1: container app: CrashLoopBackOff, last exit code 1"
        " (last line of its log: panic: no host)"
    )


async def test_a_pod_that_says_nothing_is_explained_by_events(world, work):
    world.evidence.all_pods.append(a_pod())
    world.evidence.all_events.append(an_event("u1", "Unhealthy", "Readiness probe failed: 503"))
    assert await explained(world, work, WEB, DEPLOYMENT) == (
        "not ready; Pod blog-1: the Pod is running, but not ready"
        " (Unhealthy: Readiness probe failed: 503)"
    )


async def test_a_pod_of_the_release_does_not_say_the_same_twice(world, work):
    pod = a_pod(CRASHED | ENDED)
    world.evidence.logs["blog-1", "app", True] = "panic"
    reference = ObjectReference("v1", "Pod", NAMESPACE, "blog-1")
    found = await explained(world, work, reference, pod)
    assert found == "not ready; last line of its log: panic"


@pytest.mark.parametrize(
    ("reference", "live"),
    [pytest.param(DATA, CLAIM, id="claim"), pytest.param(WEB, DEPLOYMENT, id="without Pods")],
)
async def test_what_has_no_pods_is_explained_by_events(world, work, reference, live):
    live = {**live, "metadata": {**live["metadata"], "uid": "u2"}}
    world.evidence.all_events.append(an_event("u2", "FailedCreate", "exceeded quota"))
    assert (
        await explained(world, work, reference, live) == "not ready; FailedCreate: exceeded quota"
    )


async def test_what_values_take_from_secrets_and_hooks_hold_is_masked_as_well(world, work):
    work.secrets = ("given elsewhere",)
    login = hook("login", "pre-install", kind="Secret")
    login = replace(login, body=login.body | {"stringData": {"p": "hunter2"}})
    work.revision = replace(work.revision, hooks=(login,))
    world.evidence.all_pods.append(a_pod(CRASHED | ENDED))
    world.evidence.logs["blog-1", "app", True] = "no login with hunter2 as given elsewhere"
    found = await explained(world, work, WEB, DEPLOYMENT)
    assert "no login with [masked] as [masked]" in found


async def test_secrets_of_the_release_are_masked_in_what_a_container_logged(world, work):
    secret = an_object("Secret", "login", data={"p": base64.b64encode(b"hunter2").decode()})
    plain = an_object("Secret", "plain", stringData={"q": "s3cret word"}, data={"r": "/w=="})
    work.revision = replace(work.revision, objects=(secret, plain))
    world.evidence.all_pods.append(a_pod(CRASHED | ENDED))
    world.evidence.logs["blog-1", "app", True] = "no login with hunter2 or s3cret"
    found = await explained(world, work, WEB, DEPLOYMENT)
    assert "no login with [masked] or [masked]" in found


async def test_who_may_not_look_finds_nothing_and_goes_on(world, work):
    world.evidence.forbidden = True
    assert await explained(world, work, WEB, DEPLOYMENT) == "not ready"


async def test_a_log_that_cannot_be_had_is_left_out(world, work):
    world.evidence.all_pods.append(a_pod(CRASHED | ENDED))
    found = await explained(world, work, WEB, DEPLOYMENT)
    assert found.endswith("CrashLoopBackOff, last exit code 1")


async def test_what_is_not_there_is_not_asked_about(world, work):
    assert await explained(world, work, WEB, None) == "not ready"
    assert world.evidence.asked == []


async def test_five_objects_are_asked_about_at_most(world, work):
    claims = {
        ObjectReference("v1", "PersistentVolumeClaim", NAMESPACE, f"c{n}"): an_object(
            "PersistentVolumeClaim", f"c{n}", metadata={"uid": f"u{n}"}
        )
        for n in range(9)
    }
    await Inquiry(world.evidence, work).ask(claims)
    assert len(world.evidence.asked) == 5
