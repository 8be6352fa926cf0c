"""What lives below workloads: read as the caller, bounded, and said if it cannot be read."""

import asyncio

import pytest

from whipstaff.errors import ClusterRefused
from whipstaff.gateway import pods
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.pods import LivePods
from whipstaff.reconcile.ports import Identity, Person

ALICE = Caller("alice", "alice", Identity(person=Person("alice")))
PLACE = "/namespaces/web/"


def an_object(kind="Deployment", name="blog", api_version="apps/v1"):
    return {"apiVersion": api_version, "kind": kind, "namespace": "web", "name": name}


def a_workload(name="blog", replicas=1, ready=1, **selector):
    counts = dict.fromkeys(
        ("readyReplicas", "availableReplicas", "fullyLabeledReplicas", "currentReplicas"), ready
    )
    return {
        "metadata": {"name": name, "namespace": "web", "uid": f"uid-{name}", "generation": 1},
        "spec": {"replicas": replicas, "selector": {"matchLabels": selector or {"app": name}}},
        "status": {
            **counts,
            "replicas": replicas,
            "updatedReplicas": replicas,
            "observedGeneration": 1,
            "conditions": [
                {"type": "Available", "status": "True"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            ],
        },
    }


def a_pod(name, waiting="", kind="ReplicaSet", owner="blog-1", born="2026-01-01", restarts=0):
    state = {"waiting": {"reason": waiting, "message": "no such image"}} if waiting else {}
    ready = {"type": "Ready", "status": "False" if waiting else "True"}
    uid = f"uid-{owner}"
    return {
        "metadata": {
            "name": name,
            "namespace": "web",
            "creationTimestamp": born,
            "labels": {"pod-template-hash": owner.rpartition("-")[2]},
            "ownerReferences": [{"kind": kind, "name": owner, "uid": uid, "controller": True}],
        },
        "status": {
            "phase": "Running",
            "conditions": [ready],
            "containerStatuses": [{"name": "web", "state": state, "restartCount": restarts}],
        },
    }


class Cluster:
    """Has objects by the ends of their paths, and lists of Pods by selectors."""

    def __init__(self, **objects):
        self.objects = {path.replace("_", "/"): body for path, body in objects.items()}
        self.pods = {}
        self.jobs = []
        self.asked = []
        self.failure = None

    async def send(self, request):
        self.asked.append(request)
        if self.failure == "slow":
            await asyncio.Event().wait()
        if self.failure:
            raise self.failure
        end = request.path.partition(PLACE)[2]
        if end == "pods":
            return self._page(self.pods.get(request.query["labelSelector"], []), request)
        if end == "jobs":
            return self._page(self.jobs, request)
        if end not in self.objects:
            raise ClusterRefused(f"{end} not found", 404, "NotFound")
        return self.objects[end]

    def _page(self, items, request):
        limit = int(request.query["limit"])
        rest = {"continue": "more"} if len(items) > limit else {}
        return {"metadata": rest, "items": items[:limit]}


async def below(cluster, one, **how):
    found = await LivePods(cluster).below(ALICE, [one], **how)
    return found[pods.identity_of(one)]


async def test_pods_stand_below_the_replica_sets_that_made_them():
    cluster = Cluster(deployments_blog=a_workload(replicas=3, ready=2))
    cluster.pods["app=blog"] = [
        a_pod("old", owner="blog-1"),
        a_pod("new", "ImagePullBackOff", owner="blog-2", restarts=3),
        a_pod("another's", owner="other-1"),
    ]
    found = await below(cluster, an_object())
    assert (found.standing, found.told) == ("unready", "2 of 3 replicas are available")
    new, old = found.groups
    assert (new.kind, new.name) == ("ReplicaSet", "blog-2")
    assert [(one.name, one.restarts) for one in new.pods] == [("new", 3)]
    assert new.pods[0].cause == "container web: ImagePullBackOff: no such image"
    assert [(one.name, one.cause) for one in old.pods] == [("old", "")]
    assert found.more == 0
    assert {one.identity.person.username for one in cluster.asked} == {"alice"}


async def test_of_many_pods_few_are_shown_and_the_others_counted():
    cluster = Cluster(deployments_blog=a_workload(replicas=500, ready=480))
    many = [a_pod(f"p{number}", "CrashLoopBackOff" * (number >= 80)) for number in range(500)]
    cluster.pods["app=blog"] = many
    found = await below(cluster, an_object())
    (group,) = found.groups
    assert len(group.pods) == pods.PODS_SHOWN
    assert all(one.cause for one in group.pods)
    assert (found.more, found.unready) == (500 - pods.PODS_SHOWN, 20 - pods.PODS_SHOWN)
    assert found.find == "kubectl -n web get pods -l 'app=blog'"
    assert int(cluster.asked[-1].query["limit"]) == pods.PODS_READ


async def test_of_many_workloads_few_are_looked_at():
    cluster = Cluster()
    objects = [an_object(name=f"w{number}") for number in range(500)]
    found = await LivePods(cluster).below(ALICE, objects)
    assert len(found) == len(cluster.asked) == pods.WORKLOADS_LIMIT


async def test_pods_of_other_workloads_are_told_apart_by_their_owner():
    cluster = Cluster(statefulsets_db=a_workload("db"))
    mine = a_pod("db-0", kind="StatefulSet", owner="db")
    cluster.pods["app=db"] = [mine, a_pod("other-0", kind="StatefulSet", owner="other")]
    (group,) = (await below(cluster, an_object("StatefulSet", "db"))).groups
    assert (group.kind, [one.name for one in group.pods]) == ("", ["db-0"])


def a_job(name, owner, born, **status):
    job = a_workload(name, job=name)
    metadata = {
        **job["metadata"],
        "creationTimestamp": born,
        "ownerReferences": [
            {"kind": "CronJob", "name": owner, "uid": f"uid-{owner}", "controller": True}
        ],
    }
    return {**job, "metadata": metadata, "status": status}


async def test_a_cron_job_shows_its_newest_jobs_with_their_pods():
    cluster = Cluster(cronjobs_tidy=a_workload("tidy"))
    failed = [{"type": "Failed", "status": "True", "message": "it ran too often"}]
    cluster.jobs = [
        *(a_job(f"tidy-{day}", "tidy", f"2026-01-0{day}") for day in range(1, 5)),
        a_job("tidy-5", "tidy", "2026-01-05", conditions=failed),
        a_job("other-1", "other", "2026-01-09"),
    ]
    cluster.pods["job=tidy-5"] = [a_pod("tidy-5-x", kind="Job", owner="tidy-5")]
    found = await below(cluster, an_object("CronJob", "tidy", "batch/v1"))
    told = [(one.kind, one.name, one.cause, len(one.pods)) for one in found.groups]
    assert told == [
        ("Job", "tidy-5", "it ran too often", 1),
        ("Job", "tidy-4", "", 0),
        ("Job", "tidy-3", "", 0),
    ]


async def test_what_is_gone_is_not_ready_unless_it_was_a_hook():
    found = await below(Cluster(), an_object())
    assert (found.standing, found.told) == ("unready", "it is not there")
    found = await below(Cluster(), an_object("Job", api_version="batch/v1"), hooks=True)
    assert (found.standing, found.told, found.groups) == ("", "", ())


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        ({"conditions": [{"type": "Failed", "status": "True", "message": "no"}]}, "unready"),
        ({"conditions": [{"type": "Complete", "status": "True"}]}, "ready"),
        ({"startTime": "2026-01-01"}, ""),
    ],
)
async def test_a_hook_is_judged_by_its_end(status, standing):
    cluster = Cluster(jobs_blog={**a_workload(), "status": status})
    cluster.pods["app=blog"] = [a_pod("blog-x", kind="Job", owner="blog")]
    found = await below(cluster, an_object("Job", api_version="batch/v1"), hooks=True)
    assert (found.standing, len(found.groups)) == (standing, 1)


async def test_a_pod_of_the_manifest_has_none_below_it():
    cluster = Cluster(pods_blog=a_pod("blog", "ErrImagePull"))
    found = await below(cluster, an_object("Pod", api_version="v1"))
    assert (found.standing, found.groups) == ("unready", ())
    assert "ErrImagePull" in found.told


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (ClusterRefused("Pods are not for you", 403, "Forbidden"), "not for you"),
        ("slow", "takes its time"),
    ],
)
async def test_what_cannot_be_read_is_said(monkeypatch, failure, told):
    monkeypatch.setattr(pods, "SECONDS", 0.01)
    cluster = Cluster()
    cluster.failure = failure
    found = await below(cluster, an_object())
    assert told in found.withheld
    assert found.standing == ""


async def test_other_kinds_and_names_that_are_none_are_not_asked_about():
    cluster = Cluster()
    others = [an_object("ConfigMap", api_version="v1"), an_object("Deployment", api_version="x/v1")]
    others += [
        an_object(name=name) for name in ("", "a/../../secrets/b", "..", "a..b", "a\n", "a?b")
    ]
    assert await LivePods(cluster).below(ALICE, others) == {}
    assert cluster.asked == []
