"""A cluster in memory; tests/contracts/test_cluster.py holds it to what the API server does."""

import asyncio
import copy
import itertools
from collections import deque
from collections.abc import Callable

from whipstaff.errors import ClusterRefused
from whipstaff.reconcile.ports import (
    OPERATOR,
    ClusterCapabilities,
    Identity,
    ObjectReference,
)

KINDS = {
    ("v1", "ConfigMap"): True,
    ("v1", "Namespace"): False,
    ("v1", "PersistentVolumeClaim"): True,
    ("v1", "Pod"): True,
    ("v1", "Secret"): True,
    ("v1", "Service"): True,
    ("v1", "ServiceAccount"): True,
    ("apps/v1", "DaemonSet"): True,
    ("apps/v1", "Deployment"): True,
    ("apps/v1", "StatefulSet"): True,
    ("batch/v1", "CronJob"): True,
    ("batch/v1", "Job"): True,
    ("networking.k8s.io/v1", "Ingress"): True,
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): False,
    ("rbac.authorization.k8s.io/v1", "Role"): True,
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): False,
}
IMMUTABLE = {
    "Job": ("spec", "template"),
    "Deployment": ("spec", "selector"),
    "StatefulSet": ("spec", "selector"),
}
MANAGER = "helm"  # ours
UNOWNED = {
    ("apiVersion",),
    ("kind",),
    *(
        ("metadata", name)
        for name in (*("name", "namespace", "uid", "generation"), "resourceVersion")
    ),
    ("metadata", "creationTimestamp"),
}
SET_BY_SERVER = ("uid", "resourceVersion", "generation", "creationTimestamp")


class FakeCluster:
    """Objects, who wrote what, and switches for what a test wants refused.

    `calls` has one (verb, subject, identity) for each call; verbs are those of the port, and
    `dry-run`. `settle` is given each object that was really applied and may write its status.
    """

    def __init__(self, *namespaces: str, settle: Callable[[dict], None] | None = None):
        self.objects: dict[ObjectReference, dict] = {}
        self.kinds = dict(KINDS)
        self.calls: list[tuple[str, object, Identity]] = []
        self.propagations: list[str] = []  # of the deletions
        self.forbidden: set[Identity] = set()
        self.kube_version = "v1.36.3"
        self._settle = settle
        self._applied: dict[ObjectReference, dict] = {}
        self._owners: dict[ObjectReference, dict[tuple[str, str, str], set]] = {}
        self._refusals: dict[tuple[str, ObjectReference], deque] = {}
        self._versions = itertools.count(1)
        self._changes = asyncio.Condition()
        self._tasks: set[asyncio.Task] = set()
        for name in namespaces:
            self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    # What tests do to it.

    def put(self, body: dict, namespace: str = "") -> ObjectReference:
        """Store an object as someone else would have made it."""
        reference = self._name(body, namespace)
        self._store(reference, copy.deepcopy(body))
        return reference

    def edit(
        self,
        reference: ObjectReference,
        change: Callable[[dict], None],
        manager: str = "kubectl-edit",
        subresource: str = "",
    ) -> None:
        """Change a live object as another manager."""
        before = self.objects[reference]
        body = copy.deepcopy(before)
        change(body)
        self._take_fields(reference, before, body, (manager, "Update", subresource))
        self._store(reference, body)

    def remove(self, reference: ObjectReference) -> None:
        """Take an object away at once, finalizers or not."""
        self.objects.pop(reference, None)
        self._applied.pop(reference, None)
        self._owners.pop(reference, None)
        self._announce()

    def refuse(
        self, verb: str, reference: ObjectReference, error: Exception, *, times: int = 1
    ) -> None:
        """Have the next calls with this verb on this object end so."""
        self._refusals.setdefault((verb, reference), deque()).extend([error] * times)

    def verbs(self, *wanted: str) -> list[tuple[str, str]]:
        """Return (verb, object) of the calls so far, of the wanted verbs alone."""
        return [(verb, str(subject)) for verb, subject, _ in self.calls if verb in wanted]

    # The port.

    async def capabilities(self, identity):
        names = {version for version, _ in self.kinds}
        names |= {f"{version}/{kind}" for version, kind in self.kinds}
        return ClusterCapabilities(self.kube_version, tuple(sorted(names)))

    async def refer(self, body, namespace, identity):
        reference = self._name(body, namespace)
        if not reference.name:
            raise ClusterRefused(f"a {reference.kind} without a name", 422, "Invalid")
        return reference

    async def read(self, reference, identity, *, owners=False):
        await self._enter("read", reference, identity)
        found = copy.deepcopy(self.objects.get(reference))
        return self._with_owners(reference, found) if owners and found else found

    async def apply(self, reference, body, identity, *, dry_run=False, strict=True, owners=False):
        await self._enter("dry-run" if dry_run else "apply", reference, identity)
        self._name(body, reference.namespace)
        place = ObjectReference("v1", "Namespace", "", reference.namespace)
        if reference.namespace and place not in self.objects:
            raise ClusterRefused(
                f'namespaces "{reference.namespace}" not found', 404, "NotFound", str(reference)
            )
        live = self.objects.get(reference)
        merged = _merged(live or {}, self._applied.get(reference, {}), body)
        merged["metadata"] = {**merged["metadata"], "name": reference.name}
        if reference.namespace:
            merged["metadata"]["namespace"] = reference.namespace
        if live is not None:
            _check_immutable(reference, live, merged)
        before = copy.deepcopy(self._owners.get(reference, {}))
        self._take_fields(reference, live or {}, merged, (MANAGER, "Apply", ""))
        self._owners[reference][MANAGER, "Apply", ""] = set(_leaves(body))
        if dry_run:
            shown = self._with_owners(reference, merged) if owners else merged
            self._owners[reference] = before
            return shown
        if self._settle is not None:
            self._settle(merged)
        self._applied[reference] = copy.deepcopy(body)
        self._store(reference, merged)
        self._learn_kind(merged)
        stored = copy.deepcopy(self.objects[reference])
        return self._with_owners(reference, stored) if owners else stored

    async def replace(self, reference, body, identity):
        await self._enter("replace", reference, identity)
        live = self.objects.get(reference)
        if live is None:
            return
        server = {key: live["metadata"][key] for key in SET_BY_SERVER if key in live["metadata"]}
        self._store(reference, {**copy.deepcopy(body), "metadata": {**body["metadata"], **server}})

    async def annotate(self, reference, annotations, identity):
        await self._enter("annotate", reference, identity)
        if reference in self.objects:
            self.edit(
                reference, lambda b: b["metadata"].setdefault("annotations", {}).update(annotations)
            )

    async def delete(self, reference, identity, *, propagation="Background"):
        await self._enter("delete", reference, identity)
        self.propagations.append(propagation)
        body = self.objects.get(reference)
        if body is None:
            return
        if body["metadata"].get("finalizers"):
            self.edit(reference, lambda b: b["metadata"].update(deletionTimestamp="2026-01-02"))
            return
        if reference.kind == "Namespace":
            for inside in [r for r in self.objects if r.namespace == reference.name]:
                self.remove(inside)
        self.remove(reference)

    async def follow(self, references, identity):
        shown = None
        while True:
            await self._enter("follow", None, identity)
            now = {r: copy.deepcopy(self.objects.get(r)) for r in references}
            if now != shown:
                shown = copy.deepcopy(now)
                yield now
            async with self._changes:
                await self._changes.wait_for(
                    lambda: {r: self.objects.get(r) for r in references} != shown  # noqa: B023
                )

    async def ensure_namespace(self, name, identity):
        await self._enter("ensure-namespace", name, identity)
        reference = ObjectReference("v1", "Namespace", "", name)
        if reference not in self.objects:
            metadata = {"name": name, "labels": {"name": name}}
            self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    async def lookup(self, api_version, kind, namespace, name, identity):
        await self._enter("lookup", f"{kind} {namespace}/{name}", identity)
        if (api_version, kind) not in self.kinds:
            if api_version in {version for version, _ in self.kinds}:
                return {}
            group, _, version = api_version.rpartition("/")
            raise ClusterRefused(
                f"unable to get apiresource from unstructured: {group}/{version}, Kind={kind}: "
                "the server could not find the requested resource",
                404,
                "NotFound",
            )
        place = namespace if self.kinds[api_version, kind] else ""
        if name:
            found = self.objects.get(ObjectReference(api_version, kind, place, name))
            return copy.deepcopy(found) if found else {}
        items = [
            copy.deepcopy(body)
            for reference, body in sorted(self.objects.items())
            if (reference.api_version, reference.kind) == (api_version, kind)
            and place in ("", reference.namespace)
        ]
        return {"apiVersion": api_version, "kind": f"{kind}List", "metadata": {}, "items": items}

    async def definition_is_going(self, name, api_version, kind):
        await self._enter("definition-is-going", name, OPERATOR)
        return (api_version, kind) not in self.kinds

    def forget_kinds(self):
        self.calls.append(("forget-kinds", "", OPERATOR))

    def _take_fields(self, reference, before, after, owner):
        """Make who changed fields their owner, and nobody else."""
        old, new = _leaves(before), _leaves(after)
        changed = {path for path in {*old, *new} if old.get(path) != new.get(path)}
        owners = self._owners.setdefault(reference, {})
        for paths in owners.values():
            paths.difference_update(changed)
        owners.setdefault(owner, set()).update(changed & set(new))

    def _with_owners(self, reference, body):
        entries = [
            {
                "manager": manager,
                "operation": operation,
                "apiVersion": reference.api_version,
                "fieldsV1": _field_set(paths),
                **({"subresource": subresource} if subresource else {}),
            }
            for (manager, operation, subresource), paths in self._owners.get(reference, {}).items()
            if paths
        ]
        return {**body, "metadata": {**body["metadata"], "managedFields": entries}}

    async def _enter(self, verb, subject, identity):
        if verb != "follow":
            self.calls.append((verb, subject, identity))
        await asyncio.sleep(0)
        if identity in self.forbidden:
            user = identity.username or "the operator"
            raise ClusterRefused(f"User {user!r} cannot {verb} {subject}", 403, "Forbidden")
        refusals = self._refusals.get((verb, subject))
        if refusals:
            raise refusals.popleft()

    def _name(self, body, namespace):
        api_version, kind = body.get("apiVersion", ""), body.get("kind", "")
        if (api_version, kind) not in self.kinds:
            raise ClusterRefused(
                f'no matches for kind "{kind}" in version "{api_version}"', 404, "NoMatchForKind"
            )
        metadata = body.get("metadata") or {}
        place = metadata.get("namespace") or namespace if self.kinds[api_version, kind] else ""
        return ObjectReference(api_version, kind, place, metadata.get("name") or "")

    def _store(self, reference, body):
        before = self.objects.get(reference)
        metadata = body["metadata"]
        if before is None:
            metadata |= {"uid": f"uid-{next(self._versions)}", "generation": 1}
            metadata.setdefault("creationTimestamp", "2026-01-02T03:04:05Z")
            if reference.namespace:
                metadata["namespace"] = reference.namespace
        elif _content(before) == _content(body):
            return
        elif before.get("spec") != body.get("spec"):
            metadata["generation"] = before["metadata"].get("generation", 1) + 1
        metadata["resourceVersion"] = str(next(self._versions))
        self.objects[reference] = body
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            self.remove(reference)
        self._announce()

    def _learn_kind(self, body):
        if body["kind"] == "CustomResourceDefinition":
            spec = body["spec"]
            for version in spec.get("versions") or ():
                name = f"{spec['group']}/{version['name']}"
                self.kinds[name, spec["names"]["kind"]] = spec.get("scope") == "Namespaced"

    def _announce(self):
        async def tell():
            async with self._changes:
                self._changes.notify_all()

        try:
            task = asyncio.get_running_loop().create_task(tell())
        except RuntimeError:
            return  # a test prepares the cluster before anything runs
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _merged(live: dict, before: dict, now: dict) -> dict:
    """Apply: what we set before and set no more goes away, what others set stays."""
    merged = copy.deepcopy(live)
    for key in set(before) - set(now):
        merged.pop(key, None)
    for key, value in now.items():
        if isinstance(value, dict):
            old, mine = live.get(key), before.get(key)
            merged[key] = _merged(
                old if isinstance(old, dict) else {}, mine if isinstance(mine, dict) else {}, value
            )
        elif value is not None:
            merged[key] = copy.deepcopy(value)
    return merged


def _leaves(body: dict, path: tuple = ()) -> dict:
    """Return the values that are no tables by their paths, but for what only names an object."""
    found = {}
    for key, value in body.items():
        inner = (*path, key)
        if inner in UNOWNED or inner[0] == "status":
            continue
        if isinstance(value, dict) and value:
            found |= _leaves(value, inner)
        else:
            found[inner] = value
    return found


def _field_set(paths: set) -> dict:
    fields: dict = {}
    for path in sorted(paths):
        inner = fields
        for key in path:
            inner = inner.setdefault(f"f:{key}", {})
    return fields


def _check_immutable(reference, live, merged):
    path = IMMUTABLE.get(reference.kind)
    if path and _at(live, path) != _at(merged, path):
        raise ClusterRefused(
            f'{reference.kind} "{reference.name}" is invalid: '
            f"{'.'.join(path)}: Invalid value: field is immutable",
            422,
            "Invalid",
            str(reference),
            ((".".join(path), "Invalid value: field is immutable"),),
        )


def _at(body, path):
    for key in path:
        body = (body or {}).get(key)
    return body


def _content(body):
    metadata = {k: v for k, v in body["metadata"].items() if k not in SET_BY_SERVER}
    return {**body, "metadata": metadata}
