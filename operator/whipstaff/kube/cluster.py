"""Objects of charts and hooks on the API server: the Cluster port."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from typing import Any

from whipstaff.errors import ClusterRefused
from whipstaff.kube import ownership
from whipstaff.kube.client import Request, Requester
from whipstaff.kube.discovery import Discoveries, Resource
from whipstaff.kube.follow import Followers
from whipstaff.kube.media_types import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, METADATA_ONLY
from whipstaff.kube.undeclared import without_undeclared
from whipstaff.reconcile.ports import (
    OPERATOR,
    ClusterCapabilities,
    Identity,
    ObjectReference,
)
from whipstaff.release.revision import JsonObject

SETTLE_SECONDS = 1.0  # from a CRD's deletion to the last API server that serves accordingly

_NOT_FOUND, _CONFLICT, _UNPROCESSABLE, _FORBIDDEN = 404, 409, 422, 403
_RACE_ATTEMPTS = 8
_NOTED_LIMIT = 4096


class ApiServerCluster:
    """Reads, applies, deletes and follows objects, each as the identity that a call names."""

    def __init__(self, client: Requester, *, everywhere: bool = True) -> None:
        """`everywhere`: whether the operator has rights beyond some namespaces."""
        self._client = client
        self._everywhere = everywhere
        self._discoveries = Discoveries(client)
        self._followers = Followers(client, self._discoveries, self.read, everywhere=everywhere)
        # Objects whose dry run showed entries of older managers; ordered as they came.
        self._to_be_folded: dict[tuple[ObjectReference, Identity], None] = {}

    @property
    def discoveries(self) -> Discoveries:
        """What is known of kinds."""
        return self._discoveries

    async def close(self) -> None:
        """End the shared watches."""
        await self._followers.close()

    async def capabilities(self, identity: Identity) -> ClusterCapabilities:
        return await self._discoveries.of(identity).capabilities()

    async def refer(self, body: JsonObject, namespace: str, identity: Identity) -> ObjectReference:
        api_version, kind = str(body.get("apiVersion", "")), str(body.get("kind", ""))
        metadata = body.get("metadata")
        named: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
        name = str(named.get("name") or "")
        subject = ObjectReference(api_version, kind, str(named.get("namespace") or ""), name)
        resource = await self._resource(subject, identity)
        if not name:
            raise ClusterRefused(f"a {kind} without a name", _UNPROCESSABLE, "Invalid", kind)
        place = (subject.namespace or namespace) if resource.namespaced else ""
        return ObjectReference(api_version, kind, place, name)

    async def read(
        self, reference: ObjectReference, identity: Identity, *, owners: bool = False
    ) -> JsonObject | None:
        found = await self._read_whole(reference, identity)
        return found if owners or found is None else without_managed_fields(found)

    async def apply(
        self,
        reference: ObjectReference,
        body: JsonObject,
        identity: Identity,
        *,
        dry_run: bool = False,
        strict: bool = True,
        owners: bool = False,
    ) -> JsonObject:
        resource = await self._resource(reference, identity)
        noted = (reference, identity)
        if not dry_run and noted in self._to_be_folded:
            del self._to_be_folded[noted]
            await self._fold(reference, resource, identity)
        query = {
            "fieldManager": ownership.MANAGER,
            "force": "true",
            "fieldValidation": "Strict" if strict else "Ignore",
        }
        if dry_run:
            query["dryRun"] = "All"
        request = Request(
            "PATCH",
            resource.path(reference.namespace, reference.name),
            identity,
            query=query,
            content_type=APPLY_PATCH,
            subject=str(reference),
        )
        try:
            applied = await self._send_apply(request, body, strict=strict)
        except ClusterRefused as error:
            if error.code != _NOT_FOUND or error.api_reason:
                raise
            # No object is missing but the path: the kind may be gone since it was looked up.
            self._discoveries.of(identity).forget()
            await self._resource(reference, identity)
            raise
        if ownership.needs_folding(applied):
            if dry_run:
                self._note(noted)
            else:
                await self._fold(reference, resource, identity)
                applied = await self._send_apply(request, body, strict=strict)
        return applied if owners else without_managed_fields(applied)

    async def replace(
        self, reference: ObjectReference, body: JsonObject, identity: Identity
    ) -> None:
        resource = await self._resource(reference, identity)
        for attempt in range(_RACE_ATTEMPTS):
            live = await self._read_whole(reference, identity)
            if live is None:
                return
            version = live["metadata"]["resourceVersion"]
            request = Request(
                "PUT",
                resource.path(reference.namespace, reference.name),
                identity,
                query={"fieldManager": ownership.MANAGER, "fieldValidation": "Ignore"},
                body={**body, "metadata": {**body["metadata"], "resourceVersion": version}},
                accept=METADATA_ONLY,
                subject=str(reference),
            )
            try:
                await self._client.send(request)
            except ClusterRefused as error:
                if error.code != _CONFLICT or attempt == _RACE_ATTEMPTS - 1:
                    raise
            else:
                return

    async def annotate(
        self, reference: ObjectReference, annotations: Mapping[str, str], identity: Identity
    ) -> None:
        resource = await self._resource(reference, identity)
        request = Request(
            "PATCH",
            resource.path(reference.namespace, reference.name),
            identity,
            query={"fieldManager": ownership.MANAGER},
            body={"metadata": {"annotations": dict(annotations)}},
            content_type=MERGE_PATCH,
            accept=METADATA_ONLY,
            subject=str(reference),
        )
        try:
            await self._client.send(request)
        except ClusterRefused as error:
            if error.code != _NOT_FOUND:
                raise

    async def delete(
        self,
        reference: ObjectReference,
        identity: Identity,
        *,
        propagation: str = "Background",
    ) -> None:
        resource = await self._find(reference, identity)
        if resource is None:
            return
        try:
            await self._client.send(
                Request(
                    "DELETE",
                    resource.path(reference.namespace, reference.name),
                    identity,
                    body={"propagationPolicy": propagation},
                    accept=METADATA_ONLY,
                    subject=str(reference),
                )
            )
        except ClusterRefused as error:
            if error.code != _NOT_FOUND:
                raise

    def follow(
        self, references: Collection[ObjectReference], identity: Identity
    ) -> AsyncIterator[Mapping[ObjectReference, JsonObject | None]]:
        return self._followers.follow(references, identity)

    async def ensure_namespace(self, name: str, identity: Identity) -> None:
        subject = f"Namespace {name}"
        if await self._has_namespace(name, identity):
            return
        try:
            await self._client.send(
                Request(
                    "POST",
                    "/api/v1/namespaces",
                    identity,
                    query={"fieldManager": ownership.MANAGER},
                    body={
                        "apiVersion": "v1",
                        "kind": "Namespace",
                        "metadata": {"name": name, "labels": {"name": name}},
                    },
                    accept=METADATA_ONLY,
                    subject=subject,
                    repeatable=True,
                )
            )
        except ClusterRefused as error:
            if error.code != _CONFLICT:
                raise

    async def lookup(
        self, api_version: str, kind: str, namespace: str, name: str, identity: Identity
    ) -> JsonObject:
        discovery = self._discoveries.of(identity)
        resource = await discovery.find(api_version, kind)
        if resource is None:
            if await discovery.serves(api_version):
                return {}  # Helm asks for a path that does not exist, and reads the 404 as {}
            group, _, version = api_version.rpartition("/")
            raise ClusterRefused(
                f"unable to get apiresource from unstructured: {group}/{version}, Kind={kind}: "
                "the server could not find the requested resource",
                _NOT_FOUND,
                "NotFound",
            )
        if name and resource.namespaced and not namespace:
            return {}
        try:
            answer = await self._client.send(
                Request(
                    "GET",
                    resource.path(namespace, name),
                    identity,
                    subject=f"{kind} {name}".rstrip(),
                )
            )
        except ClusterRefused as error:
            if error.code == _NOT_FOUND:
                return {}
            raise
        return answer if name else _with_kinds_of_items(answer)

    async def definition_is_going(self, name: str, api_version: str, kind: str) -> bool:
        if self._everywhere:
            reference = ObjectReference(
                "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", name
            )
            found = await self.read(reference, OPERATOR)
            return found is None or "deletionTimestamp" in found["metadata"]
        discovery = self._discoveries.of(OPERATOR)
        for pause_seconds in (0.0, SETTLE_SECONDS):
            await asyncio.sleep(pause_seconds)
            discovery.forget()
            resource = await discovery.find(api_version, kind)
            # A kind whose definition is being deleted is served on, but not for creations.
            if resource is None or "create" not in resource.verbs:
                return True
        return False

    def forget_kinds(self) -> None:
        self._discoveries.forget()

    async def _find(self, reference: ObjectReference, identity: Identity) -> Resource | None:
        return await self._discoveries.of(identity).find(reference.api_version, reference.kind)

    async def _resource(self, reference: ObjectReference, identity: Identity) -> Resource:
        resource = await self._find(reference, identity)
        if resource is None:
            raise ClusterRefused(
                f'no matches for kind "{reference.kind}" in version "{reference.api_version}"',
                _NOT_FOUND,
                "NoMatchForKind",
                str(reference),
            )
        return resource

    async def _read_whole(
        self, reference: ObjectReference, identity: Identity
    ) -> JsonObject | None:
        resource = await self._find(reference, identity)
        if resource is None:
            return None
        path = resource.path(reference.namespace, reference.name)
        try:
            return await self._client.send(Request("GET", path, identity, subject=str(reference)))
        except ClusterRefused as error:
            if error.code == _NOT_FOUND:
                return None
            raise

    async def _send_apply(self, request: Request, body: JsonObject, *, strict: bool) -> JsonObject:
        """Send an apply; not `strict`, again without the fields that are not known."""
        for _ in range(_RACE_ATTEMPTS):  # a refusal names what it met first
            try:
                return await self._client.send(replace(request, body=body))
            except ClusterRefused as error:
                less = None if strict else without_undeclared(body, error.text)
                if less is None:
                    raise
                body = less
        return await self._client.send(replace(request, body=body))

    async def _fold(
        self, reference: ObjectReference, resource: Resource, identity: Identity
    ) -> None:
        """Give the entries of older managers to our own, unless there are none (any more)."""
        for attempt in range(_RACE_ATTEMPTS):
            live = await self._read_whole(reference, identity)
            if live is None or not ownership.needs_folding(live):
                return
            patch = [
                {"op": "replace", "path": "/metadata/managedFields", "value": ownership.fold(live)},
                # Replaced, not tested: the API server then answers a race with 409.
                {
                    "op": "replace",
                    "path": "/metadata/resourceVersion",
                    "value": live["metadata"]["resourceVersion"],
                },
            ]
            request = Request(
                "PATCH",
                resource.path(reference.namespace, reference.name),
                identity,
                query={"fieldManager": ownership.MANAGER},
                body=patch,
                content_type=JSON_PATCH,
                accept=METADATA_ONLY,
                subject=str(reference),
            )
            try:
                await self._client.send(request)
            except ClusterRefused as error:
                if error.code != _CONFLICT or attempt == _RACE_ATTEMPTS - 1:
                    raise
            else:
                return

    async def _has_namespace(self, name: str, identity: Identity) -> bool:
        path = f"/api/v1/namespaces/{name}"
        try:
            await self._client.send(Request("GET", path, identity, accept=METADATA_ONLY))
        except ClusterRefused as error:
            if error.code in (_NOT_FOUND, _FORBIDDEN):
                return False
            raise
        return True

    def _note(self, noted: tuple[ObjectReference, Identity]) -> None:
        self._to_be_folded[noted] = None
        if len(self._to_be_folded) > _NOTED_LIMIT:
            del self._to_be_folded[next(iter(self._to_be_folded))]


def without_managed_fields(body: JsonObject) -> JsonObject:
    """Drop what takes a third of an object and nobody above reads; changes the object itself."""
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
    return body


def _with_kinds_of_items(answer: JsonObject) -> JsonObject:
    """Write kind and version into the items of a list, as the client does that Helm uses."""
    kind = str(answer.get("kind", "")).removesuffix("List")
    for item in answer.get("items") or ():
        if not item.get("kind"):
            item.update(kind=kind, apiVersion=answer.get("apiVersion", ""))
    return answer
