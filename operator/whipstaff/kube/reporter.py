"""What people read of our objects: status, finalizers and events; the Reporter port."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex

from whipstaff.errors import ClusterRefused
from whipstaff.helmrelease.names import API_VERSION, FIELD_MANAGER, FINALIZER, GROUP
from whipstaff.kube.client import Client, Request
from whipstaff.kube.media_types import JSON_PATCH, MERGE_PATCH, METADATA_ONLY
from whipstaff.kube.times import micro_time
from whipstaff.reconcile.ports import Clock, Event
from whipstaff.release.revision import JsonObject

CONTROLLER = GROUP
NOTE_BYTES_LIMIT = 1024  # the API server refuses a longer one
EVENT_ATTEMPTS = 2  # events are a comfort: they hold nobody up

_NOT_FOUND, _CONFLICT, _UNPROCESSABLE = 404, 409, 422
_RACE_ATTEMPTS = 10
_WRITER = {"fieldManager": FIELD_MANAGER}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of ours, as events name it and as URLs do."""

    kind: str
    plural: str

    def path(self, namespace: str, name: str) -> str:
        return f"/apis/{API_VERSION}/namespaces/{namespace}/{self.plural}/{name}"

    def subject(self, namespace: str, name: str) -> str:
        return f"{self.kind} {namespace}/{name}"


HELM_RELEASE = Kind("HelmRelease", "helmreleases")
HELM_REPOSITORY = Kind("HelmRepository", "helmrepositories")


class ApiServerReporter:
    """Writes as the operator itself; an object that was made anew is another one."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        kind: Kind = HELM_RELEASE,
        *,
        instance: str = "whipstaff",
    ) -> None:
        self._kind = kind
        self._client = client
        self._clock = clock
        self._instance = instance

    async def add_finalizer(self, namespace: str, name: str, uid: str) -> bool:
        if await self._add_first_finalizer(namespace, name, uid):
            return True
        return await self._change_finalizers(namespace, name, uid, present=True)

    async def remove_finalizer(self, namespace: str, name: str, uid: str) -> None:
        await self._change_finalizers(namespace, name, uid, present=False)

    async def write_status(self, namespace: str, name: str, uid: str, status: JsonObject) -> None:
        edits: list[JsonObject] = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/status", "value": status},
        ]
        try:
            await self._patch(namespace, name, edits, JSON_PATCH, "/status")
        except ClusterRefused as error:
            if error.code == _NOT_FOUND:
                return
            # A failed test and an invalid status are both 422.
            if error.code == _UNPROCESSABLE and not await self._is(namespace, name, uid):
                return
            raise

    async def emit(self, namespace: str, name: str, uid: str, events: Sequence[Event]) -> None:
        for event in events:
            try:
                await self._client.send(self._posting(namespace, name, uid, event))
            except ClusterRefused as error:
                log.warning(
                    "event not posted",
                    extra={"event_reason": event.reason, "code": error.code, "text": error.text},
                )

    def _posting(self, namespace: str, name: str, uid: str, event: Event) -> Request:
        return Request(
            "POST",
            f"/apis/events.k8s.io/v1/namespaces/{namespace}/events",
            body={
                "apiVersion": "events.k8s.io/v1",
                "kind": "Event",
                "metadata": {"name": f"{name[:236]}.{token_hex(8)}", "namespace": namespace},
                "eventTime": micro_time(self._clock.now()),
                "type": event.type,
                "reason": event.reason,
                "note": _cut(event.message),
                "action": event.reason,
                "reportingController": CONTROLLER,
                "reportingInstance": self._instance,
                "regarding": {
                    "apiVersion": API_VERSION,
                    "kind": self._kind.kind,
                    "namespace": namespace,
                    "name": name,
                    "uid": uid,
                },
            },
            accept=METADATA_ONLY,
            subject=self._kind.subject(namespace, name),
            attempts=EVENT_ATTEMPTS,
        )

    async def _add_first_finalizer(self, namespace: str, name: str, uid: str) -> bool:
        """Add ours without a look at the object; False where it has others, is gone or deleted."""
        edits: list[JsonObject] = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "test", "path": "/metadata/finalizers", "value": None},
            {"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]},
        ]
        try:
            await self._patch(namespace, name, edits, JSON_PATCH)
        except ClusterRefused as error:
            if error.code in (_NOT_FOUND, _CONFLICT, _UNPROCESSABLE):
                return False
            raise
        return True

    async def _change_finalizers(
        self, namespace: str, name: str, uid: str, *, present: bool
    ) -> bool:
        """Return whether the object now has, or has not, our finalizer as wanted."""
        for attempt in range(_RACE_ATTEMPTS):
            metadata = await self._metadata(namespace, name)
            if metadata.get("uid") != uid:
                return False
            if present and metadata.get("deletionTimestamp"):
                # The API server takes none any more.
                return FINALIZER in (metadata.get("finalizers") or ())
            before = metadata.get("finalizers") or []
            if (FINALIZER in before) == present:
                return True
            after = [word for word in before if word != FINALIZER] + [FINALIZER] * present
            facts = {
                "uid": uid,
                "resourceVersion": metadata["resourceVersion"],
                "finalizers": after,
            }
            try:
                await self._patch(namespace, name, {"metadata": facts}, MERGE_PATCH)
            except ClusterRefused as error:
                if error.code == _NOT_FOUND:
                    return False
                if error.code != _CONFLICT or attempt == _RACE_ATTEMPTS - 1:
                    raise
            else:
                return True
        return False

    async def _patch(
        self,
        namespace: str,
        name: str,
        body: JsonObject | list[JsonObject],
        content_type: str,
        subresource: str = "",
    ) -> None:
        request = Request(
            "PATCH",
            f"{self._kind.path(namespace, name)}{subresource}",
            query=_WRITER,
            body=body,
            content_type=content_type,
            accept=METADATA_ONLY,
            subject=self._kind.subject(namespace, name),
        )
        await self._client.send(request)

    async def _is(self, namespace: str, name: str, uid: str) -> bool:
        return (await self._metadata(namespace, name)).get("uid") == uid

    async def _metadata(self, namespace: str, name: str) -> JsonObject:
        """Read the metadata alone, which is readable whatever the spec holds; {} if it is gone."""
        request = Request(
            "GET",
            self._kind.path(namespace, name),
            accept=METADATA_ONLY,
            subject=self._kind.subject(namespace, name),
        )
        try:
            found = await self._client.send(request)
        except ClusterRefused as error:
            if error.code == _NOT_FOUND:
                return {}
            raise
        metadata: JsonObject = found.get("metadata") or {}
        return metadata


def _cut(text: str) -> str:
    encoded = text.encode()
    if len(encoded) <= NOTE_BYTES_LIMIT:
        return text
    return encoded[: NOTE_BYTES_LIMIT - len("…".encode())].decode(errors="ignore") + "…"
