"""Plans that wait for an approval, as Secrets beside their HelmRelease: the PlanStore port.

One Secret holds the plan for people, the other the revision that is approved with it: what was
rendered is what is applied, even where a chart renders differently each time. Both go with their
HelmRelease.
"""

import base64
import binascii

from whipstaff.errors import ClusterRefused, StorageCorrupt
from whipstaff.helmrelease.names import API_VERSION, FIELD_MANAGER, KIND
from whipstaff.helmrelease.types import Head
from whipstaff.kube.client import Request, Requester
from whipstaff.kube.media_types import APPLY_PATCH, METADATA_ONLY
from whipstaff.planning.changes import ReleasePlan
from whipstaff.reconcile.ports import Codec, Identity
from whipstaff.release.revision import JsonObject, Revision

TEXT_BYTES_LIMIT = 768 << 10  # of a plan; the rest is left out, and the end says so

_TYPE = "whipstaff.dev/plan"
_NOT_FOUND = 404


class SecretPlanStore:
    """Keeps one plan of each HelmRelease, as the identity that a call names."""

    def __init__(self, client: Requester, codec: Codec) -> None:
        self._client = client
        self._codec = codec

    async def write(
        self, head: Head, plan: ReleasePlan, revision: Revision, identity: Identity
    ) -> str:
        payload = await self._codec.encode(revision)
        name = plan_name(head.name)
        await self._apply(head, _revision_name(head.name), {"release": payload}, identity)
        texts = {"plan": _bounded(plan), "digest": plan.digest}
        await self._apply(head, name, texts, identity)
        return name

    async def read(self, head: Head, identity: Identity) -> Revision | None:
        name = _revision_name(head.name)
        request = Request(
            "GET", _path(head, name), identity, subject=f"Secret {head.namespace}/{name}"
        )
        try:
            stored = await self._client.send(request)
        except ClusterRefused as error:
            if error.code == _NOT_FOUND:
                return None
            raise
        try:
            data = str((stored.get("data") or {}).get("release", ""))
            return await self._codec.decode(base64.b64decode(data).decode("ascii"), name)
        except (StorageCorrupt, binascii.Error, ValueError):
            return None  # somebody wrote into it: the plan is made anew

    async def delete(self, head: Head, identity: Identity) -> None:
        for name in (plan_name(head.name), _revision_name(head.name)):
            request = Request("DELETE", _path(head, name), identity, accept=METADATA_ONLY)
            try:
                await self._client.send(request)
            except ClusterRefused as error:
                if error.code != _NOT_FOUND:
                    raise

    async def _apply(
        self, head: Head, name: str, texts: dict[str, str], identity: Identity
    ) -> None:
        owner = {"apiVersion": API_VERSION, "kind": KIND, "name": head.name, "uid": head.uid}
        data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        body: JsonObject = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": _TYPE,
            "metadata": {
                "name": name,
                "namespace": head.namespace,
                "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER},
                "ownerReferences": [owner],
            },
            "data": data,
        }
        await self._client.send(
            Request(
                "PATCH",
                _path(head, name),
                identity,
                query={"fieldManager": FIELD_MANAGER, "force": "true"},
                body=body,
                content_type=APPLY_PATCH,
                accept=METADATA_ONLY,
                subject=f"Secret {head.namespace}/{name}",
            )
        )


def plan_name(release: str) -> str:
    """Return the name of the Secret that holds a HelmRelease's plan, under the key `plan`."""
    return f"whipstaff.plan.{release}"


def _revision_name(release: str) -> str:
    return f"whipstaff.planned.{release}"


def _path(head: Head, name: str) -> str:
    return f"/api/v1/namespaces/{head.namespace}/secrets/{name}"


def _bounded(plan: ReleasePlan) -> str:
    lines, size = [], 0
    for line in plan.lines():
        size += len(line.encode()) + 1
        if size > TEXT_BYTES_LIMIT:
            lines.append(f"  … and more: {plan.summary}")
            break
        lines.append(line)
    return "\n".join(lines) + "\n"
