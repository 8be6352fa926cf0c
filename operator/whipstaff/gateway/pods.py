"""What lives below the workloads of a release: their Pods, and what keeps those from being ready.

All of it is read as the caller at the moment of the question, and of many Pods only some: those
that are not ready first. What cannot be read is said, and is no failure of anything else.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from whipstaff.errors import ClusterRefused, OperatorError
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.problems import of_error
from whipstaff.kube.client import Request, Requester
from whipstaff.planning.causes import selector_of
from whipstaff.planning.live import group_and_kind, items, number, table
from whipstaff.planning.readiness import HookOutcome, Verdict, hook_outcome, readiness
from whipstaff.release.revision import JsonObject

WORKLOADS_LIMIT = 30  # of one question
PODS_READ = 100  # of one workload
PODS_SHOWN = 10
JOBS_READ = 200  # of a namespace, where CronJobs are asked about
JOBS_SHOWN = 3
AT_ONCE = 16  # reads for all callers
SECONDS = 5.0  # for all of a question

_PLURALS = {
    ("apps", "DaemonSet"): "daemonsets",
    ("apps", "Deployment"): "deployments",
    ("apps", "ReplicaSet"): "replicasets",
    ("apps", "StatefulSet"): "statefulsets",
    ("batch", "CronJob"): "cronjobs",
    ("batch", "Job"): "jobs",
    ("", "Pod"): "pods",
    ("", "ReplicationController"): "replicationcontrollers",
}
_COUNTS = ("replicas", "currentNumberScheduled", "active")  # of status, whichever is there
_HASH = "pod-template-hash"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]|\.(?!\.))*")

Identity = tuple[str, str, str, str]  # apiVersion, kind, namespace, name


@dataclass(frozen=True, slots=True)
class Pod:
    """One Pod; `cause` is empty if it is as it should be."""

    name: str
    cause: str
    restarts: int
    born: str


@dataclass(frozen=True, slots=True)
class Group:
    """Pods that one object made: a ReplicaSet of a Deployment, a Job of a CronJob, or itself."""

    kind: str = ""  # empty: the workload itself
    name: str = ""
    pods: tuple[Pod, ...] = ()
    cause: str = ""  # why the object is not as it should be


@dataclass(frozen=True, slots=True)
class Below:
    """A workload as it lives, and its Pods."""

    standing: str = ""  # "ready", "unready", or "" for neither
    told: str = ""  # about the workload, in one sentence
    groups: tuple[Group, ...] = ()
    more: int = 0  # Pods that are there and not shown
    unready: int = 0  # of them, as far as they were looked at
    find: str = ""  # what shows all of them
    withheld: str = ""  # why nothing is known


class LivePods:
    """Reads workloads and their Pods."""

    def __init__(self, client: Requester) -> None:
        self._client = client
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def below(
        self, caller: Caller, objects: Iterable[JsonObject], *, hooks: bool = False
    ) -> dict[Identity, Below]:
        """Return what is known of those that are workloads, the first ones at most.

        `hooks`: they have an end, and may be gone after it.
        """
        wanted = [one for one in objects if _is_workload(one)][:WORKLOADS_LIMIT]
        until = asyncio.get_running_loop().time() + SECONDS
        found = await asyncio.gather(*(self._one(caller, one, until, hooks) for one in wanted))
        return {identity_of(one): below for one, below in zip(wanted, found, strict=True)}

    async def _one(self, caller: Caller, one: JsonObject, until: float, hooks: bool) -> Below:
        try:
            async with asyncio.timeout_at(until), self._turns:
                live = await self._live(caller, one)
                if live is None:
                    return Below() if hooks else Below("unready", "it is not there")
                below = await self._pods(caller, live)
        except TimeoutError:
            return Below(withheld="the API server takes its time")
        except OperatorError as error:
            return Below(withheld=of_error(error).detail)
        return _judged(live, below, hooks=hooks)

    async def _live(self, caller: Caller, one: JsonObject) -> JsonObject | None:
        place, name = _collection(*group_and_kind(one), str(one["namespace"])), one["name"]
        subject = f"{one['kind']} {one['namespace']}/{name}"
        try:
            found = await self._client.send(
                Request("GET", f"{place}/{name}", caller.identity, subject=subject)
            )
        except ClusterRefused as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
            return None
        return {**found, "apiVersion": one["apiVersion"], "kind": one["kind"]}

    async def _pods(self, caller: Caller, live: JsonObject) -> Below:
        match group_and_kind(live):
            case _, "Pod":
                return Below()
            case _, "CronJob":
                return await self._of_jobs(caller, live)
            case _:
                return await self._of(caller, live)

    async def _of(self, caller: Caller, live: JsonObject) -> Below:
        namespace, selector = _namespace(live), selector_of(live)
        if not selector:
            return Below()
        query = {"labelSelector": selector, "limit": str(PODS_READ)}
        answer = await self._list(caller, "", "Pod", namespace, query)
        pods = [one for one in _objects(answer, "v1", "Pod") if _is_of(one, live)]
        pods.sort(key=_created, reverse=True)
        pods.sort(key=lambda one: not _cause(one))
        shown, rest = pods[:PODS_SHOWN], pods[PODS_SHOWN:]
        total = len(pods)
        if table(answer, "metadata").get("continue"):
            status = table(live, "status")
            total = max(total + 1, *(number(status, name) for name in _COUNTS))
        return Below(
            groups=_groups(shown),
            more=total - len(shown),
            unready=sum(bool(_cause(one)) for one in rest),
            find=f"kubectl -n {namespace} get pods -l '{selector}'",
        )

    async def _of_jobs(self, caller: Caller, live: JsonObject) -> Below:
        """Return the newest Jobs of a CronJob, each with its Pods."""
        namespace = _namespace(live)
        answer = await self._list(caller, "batch", "Job", namespace, {"limit": str(JOBS_READ)})
        jobs = [one for one in _objects(answer, "batch/v1", "Job") if _is_controlled(one, live)]
        jobs.sort(key=_created, reverse=True)
        groups = []
        for job in jobs[:JOBS_SHOWN]:
            ending = hook_outcome(job)
            cause = ending.cause if ending.outcome is HookOutcome.FAILED else ""
            found = await self._of(caller, job)
            pods = tuple(pod for group in found.groups for pod in group.pods)
            groups.append(Group("Job", _name(job), pods, cause))
        return Below(groups=tuple(groups))

    async def _list(
        self, caller: Caller, group: str, kind: str, namespace: str, query: dict[str, str]
    ) -> JsonObject:
        path, subject = _collection(group, kind, namespace), f"{kind}s in {namespace}"
        request = Request("GET", path, caller.identity, query=query, subject=subject)
        return await self._client.send(request)


def identity_of(one: JsonObject) -> Identity:
    """Return what tells an object of a manifest apart."""
    api_version, kind, namespace, name = (
        str(one.get(key, "")) for key in ("apiVersion", "kind", "namespace", "name")
    )
    return api_version, kind, namespace, name


def _is_workload(one: JsonObject) -> bool:
    """Whether an object may have Pods; a manifest may call its objects anything."""
    names = str(one["namespace"]), str(one["name"])
    return group_and_kind(one) in _PLURALS and all(map(_NAME.fullmatch, names))


def _judged(live: JsonObject, below: Below, *, hooks: bool) -> Below:
    """Say how a workload stands."""
    if hooks:
        ending = hook_outcome(live)
        words = {HookOutcome.FAILED: "unready", HookOutcome.SUCCEEDED: "ready"}
        return replace(below, standing=words.get(ending.outcome, ""), told=ending.cause)
    found = readiness(live)
    standing = "ready" if found.verdict is Verdict.READY else "unready"
    return replace(below, standing=standing, told=found.cause)


def _groups(pods: Sequence[JsonObject]) -> tuple[Group, ...]:
    """Put Pods under the ReplicaSets that made them; those of other workloads are their own."""
    found: dict[str, list[Pod]] = {}
    for pod in pods:
        owner = _controller(pod)
        name = str(owner.get("name", "")) if owner.get("kind") == "ReplicaSet" else ""
        found.setdefault(name, []).append(_pod(pod))
    return tuple(Group("ReplicaSet" if name else "", name, tuple(of)) for name, of in found.items())


def _pod(pod: JsonObject) -> Pod:
    status = table(pod, "status")
    restarts = sum(
        number(one, "restartCount")
        for one in items(status, "containerStatuses")
        if isinstance(one, dict)
    )
    return Pod(_name(pod), _cause(pod), restarts, _created(pod))


def _cause(pod: JsonObject) -> str:
    found = readiness(pod)
    return "" if found.verdict is Verdict.READY else found.cause


def _is_of(pod: JsonObject, live: JsonObject) -> bool:
    """Whether a workload made a Pod: another's may have the same labels."""
    if group_and_kind(live) != ("apps", "Deployment"):
        return _is_controlled(pod, live)
    mark = table(table(pod, "metadata"), "labels").get(_HASH)
    return _controller(pod).get("name") == f"{_name(live)}-{mark}"


def _is_controlled(one: JsonObject, live: JsonObject) -> bool:
    return bool(_controller(one).get("uid") == table(live, "metadata").get("uid"))


def _controller(one: JsonObject) -> JsonObject:
    owners = items(table(one, "metadata"), "ownerReferences")
    found = (owner for owner in owners if isinstance(owner, dict) and owner.get("controller"))
    return next(found, {})


def _objects(answer: JsonObject, api_version: str, kind: str) -> list[JsonObject]:
    """Return the objects of a list, each with its kind, which a list says once for all."""
    found = (one for one in items(answer, "items") if isinstance(one, dict))
    return [{**one, "apiVersion": api_version, "kind": kind} for one in found]


def _collection(group: str, kind: str, namespace: str) -> str:
    root = f"/apis/{group}/v1" if group else "/api/v1"
    return f"{root}/namespaces/{namespace}/{_PLURALS[group, kind]}"


def _name(live: JsonObject) -> str:
    return str(table(live, "metadata").get("name", ""))


def _namespace(live: JsonObject) -> str:
    return str(table(live, "metadata").get("namespace", ""))


def _created(live: JsonObject) -> str:
    return str(table(live, "metadata").get("creationTimestamp", ""))
