"""Verdicts as kstatus gives them, and causes that people can act on."""

import pytest

from whipstaff.planning.readiness import HookOutcome, Verdict, hook_outcome, readiness

READY, PROGRESSING, FAILED = Verdict.READY, Verdict.PROGRESSING, Verdict.FAILED


def a_live(api_version, kind, *, spec=None, status=None, **metadata):
    """A live object whose controller has seen its newest generation."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "web", "generation": 2} | metadata,
        "spec": spec or {},
        "status": {"observedGeneration": 2} | (status or {}),
    }


def a_condition(kind, status="True", reason="", message=""):
    return {"type": kind, "status": status, "reason": reason, "message": message}


AVAILABLE = a_condition("Available")
ROLLED_OUT = a_condition("Progressing", reason="NewReplicaSetAvailable")


def a_deployment(replicas=3, conditions=(AVAILABLE, ROLLED_OUT), spec=None, **counts):
    full = {
        "replicas": replicas,
        "updatedReplicas": replicas,
        "availableReplicas": replicas,
        "readyReplicas": replicas,
    }
    return a_live(
        "apps/v1",
        "Deployment",
        spec={"replicas": replicas, "progressDeadlineSeconds": 600} | (spec or {}),
        status=full | counts | {"conditions": list(conditions)},
    )


def a_stateful_set(replicas=3, strategy=None, **status):
    full = {
        "replicas": replicas,
        "readyReplicas": replicas,
        "currentReplicas": replicas,
        "updatedReplicas": replicas,
        "currentRevision": "a",
        "updateRevision": "a",
    }
    strategy = strategy or {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    spec = {"replicas": replicas, "updateStrategy": strategy}
    return a_live("apps/v1", "StatefulSet", spec=spec, status=full | status)


def a_daemon_set(strategy="RollingUpdate", **status):
    full = dict.fromkeys(
        (
            "desiredNumberScheduled",
            "currentNumberScheduled",
            "updatedNumberScheduled",
            "numberAvailable",
            "numberReady",
        ),
        2,
    )
    spec = {"updateStrategy": {"type": strategy}}
    return a_live("apps/v1", "DaemonSet", spec=spec, status=full | status)


def a_replica_set(kind="ReplicaSet", conditions=(), **counts):
    full = dict.fromkeys(
        ("replicas", "fullyLabeledReplicas", "availableReplicas", "readyReplicas"), 2
    )
    return a_live(
        "apps/v1" if kind == "ReplicaSet" else "v1",
        kind,
        spec={"replicas": 2},
        status=full | counts | {"conditions": list(conditions)},
    )


def a_pod(phase="Running", conditions=(), containers=(), **status):
    facts = {"phase": phase, "conditions": list(conditions), "containerStatuses": list(containers)}
    return a_live("v1", "Pod", status=facts | status)


def a_container(reason="", message="", exit_code=None, end="Error", name="app"):
    state = {"waiting": {"reason": reason, "message": message}} if reason else {"running": {}}
    last = {} if exit_code is None else {"terminated": {"exitCode": exit_code, "reason": end}}
    return {"name": name, "state": state, "lastState": last}


def a_job(*conditions, spec=None, **status):
    return a_live("batch/v1", "Job", spec=spec, status={"conditions": list(conditions)} | status)


def a_kind(api_version, kind, *conditions, **status):
    return a_live(api_version, kind, status={"conditions": list(conditions)} | status)


def said(live, **options):
    found = readiness(live, **options)
    return found.verdict, found.cause


@pytest.mark.parametrize(
    ("live", "verdict", "cause"),
    [
        pytest.param(None, PROGRESSING, "it is not there yet", id="missing"),
        pytest.param(
            a_live("v1", "ConfigMap", deletionTimestamp="2026-01-02T03:04:05Z"),
            PROGRESSING,
            "it is being deleted",
            id="being deleted",
        ),
        pytest.param(
            a_live(
                "v1",
                "PersistentVolumeClaim",
                deletionTimestamp="2026-01-02T03:04:05Z",
                finalizers=["kubernetes.io/pvc-protection"],
            ),
            PROGRESSING,
            "it is being deleted, which waits for kubernetes.io/pvc-protection",
            id="being deleted, held by a finalizer",
        ),
        pytest.param(
            a_live("example.com/v1", "Database", status={"observedGeneration": 1}),
            PROGRESSING,
            "its controller has not seen the latest change yet",
            id="an old generation observed",
        ),
        pytest.param(
            a_kind(
                "example.com/v1", "Database", a_condition("Reconciling", message="creating\n it")
            ),
            PROGRESSING,
            "creating it",
            id="reconciling",
        ),
        pytest.param(
            a_kind("example.com/v1", "Database", a_condition("Stalled", reason="NoQuota")),
            FAILED,
            "NoQuota",
            id="stalled",
        ),
        pytest.param(
            a_kind("example.com/v1", "Database", a_condition("Stalled", "False")),
            READY,
            "it exists",
            id="not stalled",
        ),
        pytest.param(
            a_kind("example.com/v1", "Database", a_condition("Ready")),
            READY,
            "it is ready",
            id="a custom kind, ready",
        ),
        pytest.param(
            a_kind("example.com/v1", "Database", a_condition("Ready", "False", message="no disk")),
            PROGRESSING,
            "no disk",
            id="a custom kind, not ready",
        ),
        pytest.param(
            a_kind("example.com/v1", "Database", a_condition("Ready", "Unknown")),
            PROGRESSING,
            "its condition Ready is not True",
            id="a custom kind, unknown",
        ),
        pytest.param(
            {"apiVersion": "example.com/v1", "kind": "Database", "metadata": {"name": "x"}},
            READY,
            "it exists",
            id="a custom kind without status",
        ),
    ],
)
def test_rules_for_every_kind(live, verdict, cause):
    assert said(live) == (verdict, cause)


@pytest.mark.parametrize(
    ("live", "verdict", "cause"),
    [
        pytest.param(a_deployment(), READY, "all 3 replicas are available", id="all there"),
        pytest.param(a_deployment(1), READY, "its replica is available", id="one"),
        pytest.param(a_deployment(0), READY, "it has no replicas", id="none wanted"),
        pytest.param(
            a_deployment(replicas=3, availableReplicas=2),
            PROGRESSING,
            "2 of 3 replicas are available",
            id="too few available",
        ),
        pytest.param(
            a_deployment(1, availableReplicas=0),
            PROGRESSING,
            "0 of 1 replica is available",
            id="the only one not available",
        ),
        pytest.param(
            a_deployment(3, updatedReplicas=1),
            PROGRESSING,
            "1 of 3 replicas are updated",
            id="too few updated",
        ),
        pytest.param(
            a_deployment(3) | {"spec": {"replicas": 2}},
            PROGRESSING,
            "1 old replica is still to go",
            id="an old one left",
        ),
        pytest.param(
            a_deployment(3, readyReplicas=0), PROGRESSING, "0 of 3 replicas are ready", id="ready"
        ),
        pytest.param(
            a_live(
                "apps/v1",
                "Deployment",
                spec={"replicas": 1},
                status={
                    "conditions": [a_condition("ReplicaFailure", message="exceeded quota: pods=4")]
                },
            ),
            PROGRESSING,
            "exceeded quota: pods=4",
            id="Pods refused",
        ),
        pytest.param(
            a_deployment(
                3,
                [a_condition("Progressing", "False", reason="ProgressDeadlineExceeded")],
                availableReplicas=1,
            ),
            FAILED,
            "no progress in 600s: 1 of 3 replicas are available",
            id="deadline passed",
        ),
        pytest.param(
            a_deployment(3, [AVAILABLE, a_condition("Progressing", reason="ReplicaSetUpdated")]),
            PROGRESSING,
            "its rollout is not over",
            id="the new ReplicaSet is not available",
        ),
        pytest.param(
            a_deployment(3, [a_condition("Available", "False"), ROLLED_OUT]),
            PROGRESSING,
            "it has not been available for long enough",
            id="not available for minReadySeconds",
        ),
        pytest.param(
            a_deployment(3, [AVAILABLE], {"progressDeadlineSeconds": 2147483647}),
            READY,
            "all 3 replicas are available",
            id="no deadline, so no condition",
        ),
        pytest.param(
            a_deployment(3, [], {"paused": True}, updatedReplicas=0),
            READY,
            "its rollout is paused",
            id="paused",
        ),
        pytest.param(a_stateful_set(), READY, "all 3 replicas are ready", id="set: all there"),
        pytest.param(
            a_stateful_set(readyReplicas=1),
            PROGRESSING,
            "1 of 3 replicas are ready",
            id="set: too few ready",
        ),
        pytest.param(
            a_stateful_set(replicas=3) | {"spec": {"replicas": 1}},
            PROGRESSING,
            "2 old replicas are still to go",
            id="set: scaling down",
        ),
        pytest.param(
            a_stateful_set(updatedReplicas=2),
            PROGRESSING,
            "2 of 3 replicas are updated",
            id="set: being updated",
        ),
        pytest.param(
            a_stateful_set(
                strategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}},
                updatedReplicas=1,
                updateRevision="b",
            ),
            READY,
            "all 3 replicas are ready",
            id="set: updated down to its partition",
        ),
        pytest.param(
            a_stateful_set(strategy={"type": "RollingUpdate"}, updateRevision="b"),
            PROGRESSING,
            "its replicas are being updated",
            id="set: another revision",
        ),
        pytest.param(
            a_stateful_set(strategy={"type": "OnDelete"}, readyReplicas=0),
            READY,
            "its Pods are updated when someone deletes them",
            id="set: on delete",
        ),
        pytest.param(a_daemon_set(), READY, "all 2 Pods are ready", id="daemons: all there"),
        pytest.param(
            a_daemon_set(numberReady=1), PROGRESSING, "1 of 2 Pods are ready", id="daemons: one"
        ),
        pytest.param(
            a_daemon_set(updatedNumberScheduled=0),
            PROGRESSING,
            "0 of 2 Pods are updated",
            id="daemons: being updated",
        ),
        pytest.param(
            a_daemon_set("OnDelete", updatedNumberScheduled=0),
            READY,
            "all 2 Pods are ready",
            id="daemons: on delete",
        ),
        pytest.param(
            a_daemon_set(desiredNumberScheduled=None),
            PROGRESSING,
            "its controller has not counted its nodes yet",
            id="daemons: nothing known",
        ),
        pytest.param(a_replica_set(), READY, "all 2 replicas are available", id="replica set"),
        pytest.param(
            a_replica_set(conditions=[a_condition("ReplicaFailure", message="forbidden")]),
            PROGRESSING,
            "forbidden",
            id="replica set: Pods refused",
        ),
        pytest.param(
            a_replica_set("ReplicationController", availableReplicas=1),
            PROGRESSING,
            "1 of 2 replicas are available",
            id="replication controller",
        ),
    ],
)
def test_workloads(live, verdict, cause):
    assert said(live) == (verdict, cause)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"])
def test_a_workload_that_its_controller_has_not_seen_is_not_ready(kind):
    """Without this one that wants no replicas would be ready before it exists for anyone."""
    live = {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"generation": 1},
        "spec": {"replicas": 0},
    }

    assert said(live) == (PROGRESSING, "its controller has not seen it yet")


@pytest.mark.parametrize(
    ("live", "verdict", "cause"),
    [
        pytest.param(
            a_pod(conditions=[a_condition("Ready")]), READY, "the Pod is ready", id="ready"
        ),
        pytest.param(a_pod("Succeeded"), READY, "the Pod has succeeded", id="succeeded"),
        pytest.param(
            a_pod("Failed", reason="Evicted", message="The node was low on memory."),
            FAILED,
            "The node was low on memory.",
            id="evicted",
        ),
        pytest.param(
            a_pod(
                "Failed",
                containers=[
                    {
                        "name": "app",
                        "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                    }
                ],
            ),
            FAILED,
            "container app exited with code 137 (OOMKilled)",
            id="killed for its memory",
        ),
        pytest.param(
            a_pod(containers=[a_container("CrashLoopBackOff", "back-off 10s", exit_code=1)]),
            FAILED,
            "container app: CrashLoopBackOff, last exit code 1",
            id="a crash loop",
        ),
        pytest.param(
            a_pod(
                conditions=[a_condition("Ready", "False", message="containers not ready: [app]")]
            ),
            PROGRESSING,
            "containers not ready: [app]",
            id="running, not ready",
        ),
        pytest.param(
            a_pod("Pending", containers=[a_container("ImagePullBackOff", 'image "x:1" not found')]),
            PROGRESSING,
            'container app: ImagePullBackOff: image "x:1" not found',
            id="no image",
        ),
        pytest.param(
            a_pod("Pending", initContainerStatuses=[a_container("ErrImagePull", name="init")]),
            PROGRESSING,
            "container init: ErrImagePull",
            id="no image for an init container",
        ),
        pytest.param(
            a_pod("Pending", containers=[a_container("ContainerCreating")]),
            PROGRESSING,
            "the Pod is being started",
            id="being started",
        ),
        pytest.param(
            a_pod(
                "Pending",
                [a_condition("PodScheduled", "False", "Unschedulable", "0/4 nodes are available")],
            ),
            PROGRESSING,
            "0/4 nodes are available",
            id="no node",
        ),
        pytest.param(
            a_pod("Unknown"), PROGRESSING, "its node does not answer", id="a node that is away"
        ),
        pytest.param(
            a_pod(""), PROGRESSING, "the Pod has not been seen by the scheduler yet", id="new"
        ),
    ],
)
def test_pods(live, verdict, cause):
    assert said(live) == (verdict, cause)


@pytest.mark.parametrize(
    ("live", "started", "to_the_end"),
    [
        pytest.param(a_job(), PROGRESSING, PROGRESSING, id="not started"),
        pytest.param(a_job(startTime="x", active=1), READY, PROGRESSING, id="running"),
        pytest.param(a_job(a_condition("Complete"), startTime="x"), READY, READY, id="complete"),
        pytest.param(a_job(a_condition("Failed"), startTime="x"), FAILED, FAILED, id="failed"),
        pytest.param(a_job(spec={"suspend": True}), PROGRESSING, PROGRESSING, id="suspended"),
    ],
)
def test_a_job_is_ready_once_started_unless_its_end_is_asked_for(live, started, to_the_end):
    assert readiness(live).verdict is started
    assert readiness(live, complete_jobs=True).verdict is to_the_end


@pytest.mark.parametrize(
    ("live", "verdict", "cause"),
    [
        pytest.param(
            a_live("v1", "PersistentVolumeClaim", status={"phase": "Bound"}),
            READY,
            "the claim is bound",
            id="claim, bound",
        ),
        pytest.param(
            a_live("v1", "PersistentVolumeClaim", status={"phase": "Pending"}),
            PROGRESSING,
            "the claim is not bound: it needs a volume that fits, or the first Pod that uses it"
            " if its storage class waits for one",
            id="claim, pending",
        ),
        pytest.param(
            a_live("v1", "PersistentVolumeClaim", status={"phase": "Lost"}),
            PROGRESSING,
            "the volume of the claim is gone",
            id="claim, lost",
        ),
        pytest.param(
            a_live("v1", "Service", spec={"type": "LoadBalancer", "clusterIP": "10.0.0.1"}),
            READY,
            "the Service has its addresses",
            id="load balancer without an address of its own",
        ),
        pytest.param(
            a_live("v1", "Service", spec={"type": "LoadBalancer"}),
            PROGRESSING,
            "the Service has no cluster IP yet",
            id="load balancer without a cluster IP",
        ),
        pytest.param(
            a_live("v1", "Service", spec={"type": "ExternalName"}),
            READY,
            "the Service has its addresses",
            id="external name",
        ),
        pytest.param(
            a_kind(
                "apiextensions.k8s.io/v1", "CustomResourceDefinition", a_condition("Established")
            ),
            READY,
            "the kind is served",
            id="definition, served",
        ),
        pytest.param(
            a_kind(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                a_condition("Established", "False", reason="Installing"),
            ),
            PROGRESSING,
            "the kind is not served yet",
            id="definition, new",
        ),
        pytest.param(
            a_kind(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                a_condition("NamesAccepted", "False", message='"db" is already in use'),
                a_condition("Established", "False", reason="NotAccepted"),
            ),
            FAILED,
            '"db" is already in use',
            id="definition, names taken",
        ),
        pytest.param(
            a_kind(
                "apiregistration.k8s.io/v1",
                "APIService",
                a_condition("Available", "False", message="no endpoints"),
            ),
            READY,
            "it exists",
            id="API that does not answer: as for kstatus, which has no rule for it",
        ),
        pytest.param(
            a_live("v1", "Namespace", status={"phase": "Active"}),
            READY,
            "the namespace is active",
            id="namespace",
        ),
        pytest.param(
            a_live("v1", "Namespace", status={"phase": "Terminating"}),
            PROGRESSING,
            "the namespace is being deleted",
            id="namespace, on its way out",
        ),
        pytest.param(
            a_live("policy/v1", "PodDisruptionBudget", status={"disruptionsAllowed": 0}),
            READY,
            "it exists",
            id="disruption budget",
        ),
        pytest.param(a_live("v1", "Secret"), READY, "it exists", id="secret"),
        pytest.param(
            a_kind("batch/v1", "CronJob", a_condition("Ready", "False")),
            READY,
            "it exists",
            id="cron job",
        ),
    ],
)
def test_other_kinds(live, verdict, cause):
    assert said(live) == (verdict, cause)


def test_a_kind_is_known_by_its_group_too():
    live = a_kind("example.com/v1", "Deployment")

    assert readiness(live).verdict is READY


@pytest.mark.parametrize(
    "live",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"metadata": None, "status": []}, id="a list for status"),
        pytest.param({"status": {"conditions": {"Ready": "True"}}}, id="conditions in a table"),
        pytest.param({"status": {"conditions": ["Ready", None, {}]}}, id="odd conditions"),
        pytest.param({"status": {"conditions": [{"type": "Ready", "status": True}]}}, id="a bool"),
        pytest.param({"apiVersion": 1, "kind": ["Pod"]}, id="odd types"),
    ],
)
def test_objects_of_any_shape_are_judged(live):
    assert readiness(live).verdict is READY


def test_a_long_message_is_cut():
    live = a_kind("example.com/v1", "Database", a_condition("Ready", "False", message="x" * 5000))

    assert len(readiness(live).cause) == 300


@pytest.mark.parametrize(
    ("live", "outcome", "cause"),
    [
        pytest.param(a_job(), HookOutcome.RUNNING, "the Job has not started", id="a new Job"),
        pytest.param(
            a_job(startTime="x", succeeded=1, failed=2, spec={"completions": 3}),
            HookOutcome.RUNNING,
            "the Job is running: 1 of 3 Pods succeeded, 2 failed",
            id="a running Job",
        ),
        pytest.param(
            a_job(a_condition("Complete")), HookOutcome.SUCCEEDED, "the Job is complete", id="done"
        ),
        pytest.param(
            a_job(a_condition("Complete"))
            | {"metadata": {"deletionTimestamp": "2026-01-02T03:04:05Z"}},
            HookOutcome.SUCCEEDED,
            "the Job is complete",
            id="done, with no time to live",
        ),
        pytest.param(
            a_job(a_condition("Failed", message="Job has reached the specified backoff limit")),
            HookOutcome.FAILED,
            "Job has reached the specified backoff limit",
            id="a failed Job",
        ),
        pytest.param(
            a_pod(conditions=[a_condition("Ready")]),
            HookOutcome.RUNNING,
            "the Pod is running",
            id="a ready Pod has not finished",
        ),
        pytest.param(
            a_pod(containers=[a_container("CrashLoopBackOff", exit_code=2)]),
            HookOutcome.RUNNING,
            "container app: CrashLoopBackOff, last exit code 2",
            id="a Pod that starts again may succeed",
        ),
        pytest.param(
            a_pod("Succeeded"), HookOutcome.SUCCEEDED, "the Pod has succeeded", id="a Pod, done"
        ),
        pytest.param(
            a_pod("Failed", message="deadline"), HookOutcome.FAILED, "deadline", id="a Pod, failed"
        ),
        pytest.param(
            a_live("v1", "ConfigMap"), HookOutcome.SUCCEEDED, "it was created", id="another kind"
        ),
        pytest.param(
            a_deployment(availableReplicas=0),
            HookOutcome.SUCCEEDED,
            "it was created",
            id="a Deployment is not waited for",
        ),
        pytest.param(None, HookOutcome.RUNNING, "it is not there", id="missing"),
    ],
)
def test_hooks_have_an_end(live, outcome, cause):
    ending = hook_outcome(live)

    assert (ending.outcome, ending.cause) == (outcome, cause)
