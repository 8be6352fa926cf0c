"""Whether a live object is ready, and if not, why: the rules of kstatus, which Helm 4 waits by.

Where an answer differs from kstatus, a comment says so. Live objects of custom kinds have any
shape: what is not where it should be counts as absent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from whipstaff.planning.containers import ON_ITS_WAY, containers
from whipstaff.planning.live import (
    condition,
    conditions,
    cut,
    group_and_kind,
    items,
    number,
    said,
    table,
)
from whipstaff.release.revision import JsonObject


class Verdict(StrEnum):
    """How an object is doing."""

    READY = "ready"
    PROGRESSING = "progressing"
    FAILED = "failed"  # it will hardly recover; others may still be waited for


@dataclass(frozen=True, slots=True)
class Readiness:
    """A verdict, and one sentence for people."""

    verdict: Verdict
    cause: str


class HookOutcome(StrEnum):
    """How the run of a hook stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class HookEnding:
    """How a hook ended or stands, and one sentence for people."""

    outcome: HookOutcome
    cause: str


Rule = Callable[[JsonObject], Readiness]


def readiness(live: JsonObject | None, *, complete_jobs: bool = False) -> Readiness:
    """Judge an object; None is one that is not there yet.

    A Job is ready once it has started, as for Helm's `--wait`; with `complete_jobs` only when it is
    complete, as for `--wait-for-jobs`.
    """
    if live is None:
        return _progressing("it is not there yet")
    metadata = table(live, "metadata")
    if metadata.get("deletionTimestamp"):
        return _progressing(_terminating(metadata))
    return (
        _unobserved(live)
        or _by_standard_conditions(live)
        or _rule_for(live, complete_jobs=complete_jobs)(live)
    )


def is_known(live: JsonObject) -> bool:
    """Whether there are rules for its kind beyond those for all."""
    return group_and_kind(live) in _RULES


def hook_outcome(live: JsonObject | None) -> HookEnding:
    """Judge the run of a hook: Jobs and Pods have an end, all else is done once it is there.

    A finished Job that is being deleted (it may have no time to live) has still finished.
    """
    if live is None:
        return HookEnding(HookOutcome.RUNNING, "it is not there")
    match group_and_kind(live):
        case "batch", "Job":
            return _as_ending(_job_to_its_end(live))
        case "", "Pod":
            return _pod_ending(live)
        case _:
            return HookEnding(HookOutcome.SUCCEEDED, "it was created")


def _as_ending(found: Readiness) -> HookEnding:
    outcomes = {
        Verdict.READY: HookOutcome.SUCCEEDED,
        Verdict.PROGRESSING: HookOutcome.RUNNING,
        Verdict.FAILED: HookOutcome.FAILED,
    }
    return HookEnding(outcomes[found.verdict], found.cause)


def _pod_ending(pod: JsonObject) -> HookEnding:
    # A Pod that runs and is ready has not finished; one in a crash loop may still succeed.
    found = _pod(pod)
    match table(pod, "status").get("phase"):
        case "Succeeded":
            return HookEnding(HookOutcome.SUCCEEDED, found.cause)
        case "Failed":
            return HookEnding(HookOutcome.FAILED, found.cause)
        case _ if found.verdict is Verdict.READY:
            return HookEnding(HookOutcome.RUNNING, "the Pod is running")
        case _:
            return HookEnding(HookOutcome.RUNNING, found.cause)


def _rule_for(live: JsonObject, *, complete_jobs: bool) -> Rule:
    key = group_and_kind(live)
    if complete_jobs and key == ("batch", "Job"):
        return _job_to_its_end
    return _RULES.get(key, _custom)


# What holds for every kind.


def _terminating(metadata: JsonObject) -> str:
    finalizers = [str(name) for name in items(metadata, "finalizers")]
    if not finalizers:
        return "it is being deleted"
    return cut(f"it is being deleted, which waits for {', '.join(finalizers)}")


def _unobserved(live: JsonObject) -> Readiness | None:
    """Say so if the object's controller has not seen its newest generation."""
    generation = table(live, "metadata").get("generation")
    observed = table(live, "status").get("observedGeneration")
    if observed is None:
        # kstatus asks this of DaemonSets only. Without it a StatefulSet without replicas, or any
        # that the controller has not met, would pass for ready.
        if group_and_kind(live) in _ALWAYS_OBSERVED:
            return _progressing("its controller has not seen it yet")
        return None
    if generation is not None and observed != generation:
        return _progressing("its controller has not seen the latest change yet")
    return None


_ALWAYS_OBSERVED = frozenset(
    {("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet"), ("apps", "ReplicaSet")}
)


def _by_standard_conditions(live: JsonObject) -> Readiness | None:
    """Follow Reconciling and Stalled, whose meaning is the same for every kind."""
    for each in conditions(live):
        if each.get("status") != "True":
            continue
        match each.get("type"):
            case "Reconciling":
                return _progressing(said(each, "it is being reconciled"))
            case "Stalled":
                return _failed(said(each, "its controller has given up"))
            case _:
                pass
    return None


def _always(live: JsonObject) -> Readiness:
    return _ready("it exists")


def _custom(live: JsonObject) -> Readiness:
    found = condition(live, "Ready")
    match found.get("status"):
        case "True" | None:
            return _ready("it is ready" if found else "it exists")
        case "False" | "Unknown":
            return _progressing(said(found, "its condition Ready is not True"))
        case _:
            return _ready("it exists")


# Workloads.


@dataclass(frozen=True, slots=True)
class _Count:
    """One thing that a workload has to have enough of."""

    field: str  # of status
    word: str  # completes "2 of 3 replicas …"


def _first_shortfall(
    live: JsonObject, wanted: int, noun: str, counts: tuple[_Count, ...]
) -> Readiness | None:
    for count in counts:
        have = number(live, "status", count.field)
        if have < wanted:
            verb = "is" if wanted == 1 else "are"
            things = noun.removesuffix("s") if wanted == 1 else noun
            return _progressing(f"{have} of {wanted} {things} {verb} {count.word}")
    return None


def _surplus(live: JsonObject, wanted: int) -> Readiness | None:
    extra = number(live, "status", "replicas") - wanted
    if extra <= 0:
        return None
    things, verb = ("replica", "is") if extra == 1 else ("replicas", "are")
    return _progressing(f"{extra} old {things} {verb} still to go")


def _held_up(live: JsonObject) -> Readiness | None:
    """Say why Pods cannot be created: a quota, a missing ServiceAccount, a webhook."""
    found = condition(live, "ReplicaFailure")
    if found.get("status") != "True":
        return None
    return _progressing(said(found, "Pods cannot be created"))


def _deployment(live: JsonObject) -> Readiness:
    if table(live, "spec").get("paused") is True:
        return _ready("its rollout is paused")  # Helm's: nobody knows for how long
    progress = condition(live, "Progressing")
    if progress.get("reason") == "ProgressDeadlineExceeded":
        return _failed(_deadline_passed(live))
    wanted = number(live, "spec", "replicas", default=1)
    counts = (_Count("replicas", "created"), _Count("updatedReplicas", "updated"))
    shortfall = _first_shortfall(live, wanted, "replicas", counts)
    if shortfall is not None:
        return _held_up(live) or shortfall
    available = (_Count("availableReplicas", "available"), _Count("readyReplicas", "ready"))
    return (
        _surplus(live, wanted)
        or _first_shortfall(live, wanted, "replicas", available)
        or _rollout_not_over(live, progress)
        or _ready(_all_of(wanted, "replicas", "available"))
    )


def _deadline_passed(live: JsonObject) -> str:
    seconds = number(live, "spec", "progressDeadlineSeconds", default=600)
    wanted = number(live, "spec", "replicas", default=1)
    have = number(live, "status", "availableReplicas")
    text = f"no progress in {seconds}s: {have} of {wanted} replicas are available"
    held_up = _held_up(live)
    return f"{text}; {held_up.cause}" if held_up else text


_NO_DEADLINE = (1 << 31) - 1  # what the controller takes for "no deadline"


def _rollout_not_over(live: JsonObject, progress: JsonObject) -> Readiness | None:
    deadline = number(live, "spec", "progressDeadlineSeconds", default=_NO_DEADLINE)
    over = progress.get("status") == "True" and progress.get("reason") == "NewReplicaSetAvailable"
    # Without a deadline the controller does not maintain the condition.
    if not over and deadline != _NO_DEADLINE:
        return _progressing("its rollout is not over")
    if condition(live, "Available").get("status") != "True":
        return _progressing("it has not been available for long enough")
    return None


def _stateful_set(live: JsonObject) -> Readiness:
    strategy = table(table(live, "spec"), "updateStrategy")
    if strategy.get("type") == "OnDelete":
        return _ready("its Pods are updated when someone deletes them")
    wanted = number(live, "spec", "replicas", default=1)
    counts = (_Count("replicas", "created"), _Count("readyReplicas", "ready"))
    return (
        _first_shortfall(live, wanted, "replicas", counts)
        or _surplus(live, wanted)
        or _not_rolled_out(live, wanted, table(strategy, "rollingUpdate").get("partition"))
        or _ready(_all_of(wanted, "replicas", "ready"))
    )


def _not_rolled_out(live: JsonObject, wanted: int, partition: object) -> Readiness | None:
    if isinstance(partition, int):  # replicas numbered below it keep their old revision
        updated = (_Count("updatedReplicas", "updated"),)
        return _first_shortfall(live, max(wanted - partition, 0), "replicas", updated)
    status = table(live, "status")
    if status.get("currentRevision", "") != status.get("updateRevision", ""):
        return _progressing("its replicas are being updated")
    return _first_shortfall(live, wanted, "replicas", (_Count("currentReplicas", "current"),))


def _daemon_set(live: JsonObject) -> Readiness:
    status = table(live, "status")
    if not isinstance(status.get("desiredNumberScheduled"), int):
        return _progressing("its controller has not counted its nodes yet")
    wanted = number(live, "status", "desiredNumberScheduled")
    counts = [
        _Count("currentNumberScheduled", "scheduled"),
        _Count("updatedNumberScheduled", "updated"),
        _Count("numberAvailable", "available"),
        _Count("numberReady", "ready"),
    ]
    # kstatus waits here for ever for Pods that are updated only when someone deletes them.
    if table(table(live, "spec"), "updateStrategy").get("type") == "OnDelete":
        del counts[1]
    shortfall = _first_shortfall(live, wanted, "Pods", tuple(counts))
    return shortfall or _ready(_all_of(wanted, "Pods", "ready"))


def _replica_set(live: JsonObject) -> Readiness:
    wanted = number(live, "spec", "replicas", default=1)
    counts = (
        _Count("fullyLabeledReplicas", "created"),
        _Count("availableReplicas", "available"),
        _Count("readyReplicas", "ready"),
    )
    return (
        _held_up(live)
        or _first_shortfall(live, wanted, "replicas", counts)
        or _surplus(live, wanted)
        or _ready(_all_of(wanted, "replicas", "available"))
    )


def _all_of(wanted: int, noun: str, word: str) -> str:
    if wanted == 1:
        return f"its {noun.removesuffix('s')} is {word}"
    return f"all {wanted} {noun} are {word}" if wanted else f"it has no {noun}"


# Jobs and Pods.


def _job(live: JsonObject) -> Readiness:
    found = _job_to_its_end(live)
    if found.verdict is Verdict.PROGRESSING and table(live, "status").get("startTime"):
        return _ready("the Job has started")
    return found


def _job_to_its_end(live: JsonObject) -> Readiness:
    if condition(live, "Complete").get("status") == "True":
        return _ready("the Job is complete")
    failure = condition(live, "Failed")
    if failure.get("status") == "True":
        return _failed(said(failure, "the Job failed"))
    if table(live, "spec").get("suspend") is True:
        return _progressing("the Job is suspended")
    if not table(live, "status").get("startTime"):
        return _progressing("the Job has not started")
    completions = number(
        live, "spec", "completions", default=number(live, "spec", "parallelism", default=1)
    )
    succeeded, failed = number(live, "status", "succeeded"), number(live, "status", "failed")
    text = f"the Job is running: {succeeded} of {completions} Pods succeeded"
    return _progressing(f"{text}, {failed} failed" if failed else text)


def _pod(live: JsonObject) -> Readiness:
    match table(live, "status").get("phase"):
        case "Succeeded":
            return _ready("the Pod has succeeded")
        case "Failed":
            # kstatus counts it as ready, since it changes no more; nobody would call it so.
            return _failed(_why_it_failed(live))
        case "Running":
            return _running_pod(live)
        case "Pending":
            return _progressing(_why_it_is_pending(live))
        case "Unknown":
            return _progressing("its node does not answer")
        case _:
            return _progressing("the Pod has not been seen by the scheduler yet")


def _running_pod(pod: JsonObject) -> Readiness:
    if condition(pod, "Ready").get("status") == "True":
        return _ready("the Pod is ready")
    waiting = [container for container in containers(pod) if container.waiting]
    looping = [container for container in waiting if container.waiting == "CrashLoopBackOff"]
    if looping:
        return _failed(looping[0].sentence)
    if waiting:
        return _progressing(waiting[0].sentence)
    return _progressing(said(condition(pod, "Ready"), "the Pod is running, but not ready"))


def _why_it_is_pending(pod: JsonObject) -> str:
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        # kstatus calls it failed after 15 seconds; a new node or a bound claim helps, though.
        return said(scheduled, "no node has been found for the Pod")
    for container in containers(pod):
        if container.waiting and container.waiting not in ON_ITS_WAY:
            return container.sentence
    return "the Pod is being started"


def _why_it_failed(pod: JsonObject) -> str:
    status = table(pod, "status")
    for container in containers(pod):
        if container.exit_code:
            return container.sentence
    return said(status, "the Pod failed")


# Other kinds with rules of their own.


def _claim(live: JsonObject) -> Readiness:
    match table(live, "status").get("phase"):
        case "Bound":
            return _ready("the claim is bound")
        case "Lost":
            return _progressing("the volume of the claim is gone")
        case _:
            return _progressing(
                "the claim is not bound: it needs a volume that fits, or the first Pod that uses"
                " it if its storage class waits for one"
            )


def _service(live: JsonObject) -> Readiness:
    # As kstatus: an address from the load balancer is not waited for.
    spec = table(live, "spec")
    if spec.get("type") == "LoadBalancer" and not spec.get("clusterIP"):
        return _progressing("the Service has no cluster IP yet")
    return _ready("the Service has its addresses")


def _definition(live: JsonObject) -> Readiness:
    names = condition(live, "NamesAccepted")
    if names.get("status") == "False":
        return _failed(said(names, "its names are taken"))
    established = condition(live, "Established")
    match established.get("status"):
        case "True":
            return _ready("the kind is served")
        case "False" if established.get("reason") != "Installing":
            return _failed(said(established, "the kind cannot be served"))
        case _:
            return _progressing("the kind is not served yet")


def _namespace(live: JsonObject) -> Readiness:
    if table(live, "status").get("phase") == "Terminating":
        return _progressing("the namespace is being deleted")
    return _ready("the namespace is active")


_RULES: Mapping[tuple[str, str], Rule] = {
    ("", "ConfigMap"): _always,
    ("", "Namespace"): _namespace,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _pod,
    ("", "ReplicationController"): _replica_set,  # the same fields, by the same controller
    ("", "Secret"): _always,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "CronJob"): _always,
    ("batch", "Job"): _job,
    ("policy", "PodDisruptionBudget"): _always,  # once its controller has seen it
}


# Reading live objects.


def _ready(cause: str) -> Readiness:
    return Readiness(Verdict.READY, cause)


def _progressing(cause: str) -> Readiness:
    return Readiness(Verdict.PROGRESSING, cause)


def _failed(cause: str) -> Readiness:
    return Readiness(Verdict.FAILED, cause)
