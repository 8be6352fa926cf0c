"""Stored revisions as Secrets or ConfigMaps: the ReleaseStore port.

Names, labels and payload are those of Helm's drivers, so that the helm CLI reads what is written
here. Creating the object of a number is the lock of the release.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from whipstaff.errors import (
    ClusterRefused,
    ReleaseConflict,
    RevisionNotFound,
    StorageCorrupt,
    StorageTooLarge,
)
from whipstaff.helmrelease.names import FIELD_MANAGER
from whipstaff.kube.client import Request, Requester
from whipstaff.kube.media_types import MERGE_PATCH, METADATA_LIST, METADATA_ONLY
from whipstaff.kube.times import unix_seconds
from whipstaff.reconcile.ports import Clock, Codec, Identity, Meter, NoMeter, RemoteCluster
from whipstaff.release.marks import MARK_PREFIX
from whipstaff.release.revision import (
    JsonObject,
    ReleaseKey,
    ReleaseStatus,
    Revision,
    RevisionHeader,
    RevisionNumber,
)

PAYLOAD_BYTES_LIMIT = 1 << 20  # of all data of a Secret or ConfigMap
SECRET, CONFIGMAP = "secret", "configmap"
_KINDS: Mapping[str, str] = {SECRET: "Secret", CONFIGMAP: "ConfigMap"}

_NAME = re.compile(r"sh\.helm\.release\.v1\.(?P<name>.+)\.v(?P<number>[1-9][0-9]*)\Z")
_CREATED, _MODIFIED = "createdAt", "modifiedAt"
_HELMS_LABELS = frozenset({"name", "owner", "status", "version", _CREATED, _MODIFIED})
_NOT_FOUND, _CONFLICT = 404, 409
_ALREADY_EXISTS = "AlreadyExists"
_REMEMBERED_LIMIT = 4096
_READY_LIMIT = 4  # payloads, a MiB each at most
_WRITER = {"fieldManager": FIELD_MANAGER}


class ObjectReleaseStore:
    """Keeps revisions in the storage namespace, as the identity that a call names."""

    def __init__(
        self,
        client: Requester,
        codec: Codec,
        clock: Clock,
        *,
        driver: str = SECRET,
        meter: Meter | None = None,
    ) -> None:
        self._client = client
        self._codec = codec
        self._clock = clock
        self._meter = meter or NoMeter()
        self._driver = driver
        self._secret = driver == SECRET
        # When revisions were created: an update has to write it again.
        self._created: dict[tuple[RemoteCluster | None, ReleaseKey, RevisionNumber], str] = {}
        # What was measured and is to be created: encoding it again would cost as much.
        self._ready: dict[tuple[ReleaseKey, RevisionNumber], tuple[Revision, str]] = {}

    async def history(self, key: ReleaseKey, identity: Identity) -> tuple[RevisionHeader, ...]:
        page = await self._client.list_all(list_request(key, identity, self._driver))
        found = sorted(headers_in(key, page.items), key=lambda h: h.number, reverse=True)
        for header in found:
            if header.created_at:
                self._remember(key, header.number, str(header.created_at), identity)
        return tuple(found)

    async def read(self, key: ReleaseKey, number: RevisionNumber, identity: Identity) -> Revision:
        stored = await self._read(key, number, identity)
        return await self._decode(key, number, stored)

    async def measure(self, key: ReleaseKey, revision: Revision) -> int:
        payload = await self._payload(key, revision)
        self._ready[(key, revision.number)] = (revision, payload)
        if len(self._ready) > _READY_LIMIT:
            del self._ready[next(iter(self._ready))]
        return len(payload)

    async def create(self, key: ReleaseKey, revision: Revision, identity: Identity) -> None:
        created = unix_seconds(self._clock.now())
        body = await self._body(key, revision, {_CREATED: created})
        request = Request(
            "POST",
            self._path(key),
            identity,
            query=_WRITER,
            body=body,
            accept=METADATA_ONLY,
            subject=self._subject(key, revision.number),
            repeatable=True,
        )
        try:
            await self._client.send(request)
        except ClusterRefused as error:
            if error.code != _CONFLICT or error.api_reason not in (_ALREADY_EXISTS, ""):
                raise
            await self._check_ours(key, revision.number, body, identity)
        self._remember(key, revision.number, created, identity)

    async def update(self, key: ReleaseKey, revision: Revision, identity: Identity) -> None:
        created = self._created.get((identity.remote, key, revision.number))
        if created is None:
            labels = await self._labels(key, revision.number, identity)
            created = str(labels.get(_CREATED, ""))
        times = {_MODIFIED: unix_seconds(self._clock.now())}
        body = await self._body(key, revision, {**times, _CREATED: created} if created else times)
        await self._put(key, revision.number, body, identity)
        if created:
            self._remember(key, revision.number, created, identity)

    async def mark(
        self, key: ReleaseKey, number: RevisionNumber, marks: Mapping[str, str], identity: Identity
    ) -> None:
        old = await self._labels(key, number, identity)
        stale = {name: None for name in old if name.startswith(MARK_PREFIX)}
        try:
            await self._label(key, number, {**stale, **marks}, identity)
        except ClusterRefused as error:
            raise self._not_found(error, key, number) from error

    async def delete(self, key: ReleaseKey, number: RevisionNumber, identity: Identity) -> None:
        request = Request(
            "DELETE",
            self._path(key, number),
            identity,
            accept=METADATA_ONLY,
            subject=self._subject(key, number),
        )
        self._created.pop((identity.remote, key, number), None)
        try:
            await self._client.send(request)
        except ClusterRefused as error:
            if error.code != _NOT_FOUND:
                raise

    async def mark_failed_unread(
        self, key: ReleaseKey, number: RevisionNumber, description: str, identity: Identity
    ) -> None:
        stored = await self._read(key, number, identity)
        metadata: JsonObject = stored["metadata"]
        labels = metadata.get("labels") or {}
        times = {
            _MODIFIED: unix_seconds(self._clock.now()),
            **({_CREATED: labels[_CREATED]} if _CREATED in labels else {}),
        }
        try:
            revision = await self._decode(key, number, stored)
        except StorageCorrupt:
            # What can be changed of a revision whose payload cannot be read.
            status = {**times, "status": ReleaseStatus.FAILED.value}
            await self._label(key, number, status, identity)
            return
        failed = replace(revision, status=ReleaseStatus.FAILED, description=description)
        body = await self._body(key, failed, times)
        # Whoever made it may be alive: their write and ours must not cross.
        body["metadata"]["resourceVersion"] = metadata["resourceVersion"]
        await self._put(key, number, body, identity)

    async def _put(
        self, key: ReleaseKey, number: RevisionNumber, body: JsonObject, identity: Identity
    ) -> None:
        request = Request(
            "PUT",
            self._path(key, number),
            identity,
            query=_WRITER,
            body=body,
            accept=METADATA_ONLY,
            subject=self._subject(key, number),
        )
        try:
            await self._client.send(request)
        except ClusterRefused as error:
            raise self._not_found(error, key, number) from error

    async def _label(
        self,
        key: ReleaseKey,
        number: RevisionNumber,
        labels: Mapping[str, str | None],
        identity: Identity,
    ) -> None:
        """Set labels, and take away those that are None."""
        request = Request(
            "PATCH",
            self._path(key, number),
            identity,
            query=_WRITER,
            body={"metadata": {"labels": dict(labels)}},
            content_type=MERGE_PATCH,
            accept=METADATA_ONLY,
            subject=self._subject(key, number),
        )
        await self._client.send(request)

    async def _check_ours(
        self,
        key: ReleaseKey,
        number: RevisionNumber,
        body: JsonObject,
        identity: Identity,
    ) -> None:
        """Accept an object that is what we wanted to create: its reply was lost."""
        try:
            stored = await self._read(key, number, identity)
        except RevisionNotFound:
            raise ReleaseConflict(
                f"revision {number} of {key} was taken and is gone again", "another writer"
            ) from None
        metadata = stored["metadata"]
        same = stored.get("data") == body["data"]
        if not same or metadata.get("labels") != body["metadata"]["labels"]:
            holder = _writer(metadata)
            raise ReleaseConflict(f"revision {number} of {key} belongs to {holder}", holder)

    async def _read(
        self, key: ReleaseKey, number: RevisionNumber, identity: Identity
    ) -> JsonObject:
        try:
            return await self._client.send(read_request(key, number, identity, self._driver))
        except ClusterRefused as error:
            raise self._not_found(error, key, number) from error

    async def _labels(
        self, key: ReleaseKey, number: RevisionNumber, identity: Identity
    ) -> Mapping[str, Any]:
        request = Request(
            "GET",
            self._path(key, number),
            identity,
            accept=METADATA_ONLY,
            subject=self._subject(key, number),
        )
        try:
            stored = await self._client.send(request)
        except ClusterRefused as error:
            raise self._not_found(error, key, number) from error
        return (stored.get("metadata") or {}).get("labels") or {}

    async def _decode(
        self, key: ReleaseKey, number: RevisionNumber, stored: JsonObject
    ) -> Revision:
        name = object_name(key, number)
        revision = await self._codec.decode(payload_of(stored, name, self._driver), name)
        if revision.number != number or revision.name != key.name:
            raise StorageCorrupt(f"{name} holds another revision than its name says", name)
        labels = (stored["metadata"].get("labels")) or {}
        return replace(revision, labels=_without_helms(labels))

    async def _body(
        self, key: ReleaseKey, revision: Revision, times: Mapping[str, str]
    ) -> JsonObject:
        payload = await self._payload(key, revision)
        if revision.status.pending:  # the newest
            self._meter.record(key, len(payload))
        metadata = {
            "name": object_name(key, revision.number),
            "namespace": key.storage_namespace,
            "labels": {
                **_without_helms(revision.labels),
                **times,
                "name": key.name,
                "owner": "helm",
                "status": revision.status.value,
                "version": str(revision.number),
            },
        }
        body = {"apiVersion": "v1", "kind": self._kind, "metadata": metadata}
        if self._secret:
            data = base64.b64encode(payload.encode("ascii")).decode("ascii")
            return {**body, "type": "helm.sh/release.v1", "data": {"release": data}}
        return {**body, "data": {"release": payload}}

    async def _payload(self, key: ReleaseKey, revision: Revision) -> str:
        measured, payload = self._ready.pop((key, revision.number), (None, ""))
        if measured is revision:
            return payload
        payload = await self._codec.encode(revision)
        if len(payload) > PAYLOAD_BYTES_LIMIT:
            raise StorageTooLarge(
                f"revision {revision.number} of {key} takes {len(payload)} bytes, "
                f"a {self._kind} holds {PAYLOAD_BYTES_LIMIT}",
                len(payload),
            )
        return payload

    def _remember(
        self, key: ReleaseKey, number: RevisionNumber, created: str, identity: Identity
    ) -> None:
        self._created[(identity.remote, key, number)] = created
        if len(self._created) > _REMEMBERED_LIMIT:
            del self._created[next(iter(self._created))]

    def _path(self, key: ReleaseKey, number: RevisionNumber | None = None) -> str:
        collection = f"/api/v1/namespaces/{key.storage_namespace}/{self._kind.lower()}s"
        return collection if number is None else f"{collection}/{object_name(key, number)}"

    def _subject(self, key: ReleaseKey, number: RevisionNumber) -> str:
        return f"{self._kind} {key.storage_namespace}/{object_name(key, number)}"

    def _not_found(
        self, error: ClusterRefused, key: ReleaseKey, number: RevisionNumber
    ) -> ClusterRefused | RevisionNotFound:
        if error.code != _NOT_FOUND:
            return error
        return RevisionNotFound(f"revision {number} of {key} is not stored", number)

    @property
    def _kind(self) -> str:
        return _KINDS[self._driver]


def object_name(key: ReleaseKey, number: RevisionNumber) -> str:
    """Return the name of the Secret or ConfigMap of a revision."""
    return f"sh.helm.release.v1.{key.name}.v{number}"


def read_request(
    key: ReleaseKey, number: RevisionNumber, identity: Identity, driver: str = SECRET
) -> Request:
    """Return the GET of the object of a revision."""
    kind, name = _KINDS[driver], object_name(key, number)
    return Request(
        "GET",
        f"/api/v1/namespaces/{key.storage_namespace}/{kind.lower()}s/{name}",
        identity,
        subject=f"{kind} {key.storage_namespace}/{name}",
    )


def list_request(key: ReleaseKey, identity: Identity, driver: str = SECRET) -> Request:
    """Return the GET of the metadata of all revisions; `headers_in` reads the answer."""
    kind = _KINDS[driver]
    return Request(
        "GET",
        f"/api/v1/namespaces/{key.storage_namespace}/{kind.lower()}s",
        identity,
        query={"labelSelector": f"name={key.name},owner=helm"},
        accept=METADATA_LIST,
        subject=f"{kind}s of release {key}",
    )


def headers_in(key: ReleaseKey, items: Iterable[JsonObject]) -> list[RevisionHeader]:
    """Read what the metadata of objects tells of a release's revisions."""
    headers = (_header(key, item.get("metadata") or {}) for item in items)
    return [header for header in headers if header]


def payload_of(stored: JsonObject, name: str, driver: str = SECRET) -> str:
    """Return the record in a Secret or ConfigMap, packed; StorageCorrupt if there is none."""
    payload = (stored.get("data") or {}).get("release")
    if not isinstance(payload, str) or not payload:
        raise StorageCorrupt(f"{name} holds no release", name)
    if driver != SECRET:
        return payload
    try:
        return base64.b64decode(payload, validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise StorageCorrupt(f"{name} holds no text", name) from error


def _header(key: ReleaseKey, metadata: Mapping[str, Any]) -> RevisionHeader | None:
    """Read a revision's facts; its name is the truth about its number, labels can be edited."""
    named = _NAME.match(str(metadata.get("name", "")))
    if named is None or named["name"] != key.name:
        return None
    labels = metadata.get("labels") or {}
    return RevisionHeader(
        RevisionNumber(int(named["number"])),
        _status(labels.get("status", "")),
        _without_helms(labels),
        _seconds(labels.get(_CREATED, "")),
        _seconds(labels.get(_MODIFIED, "")),
    )


def _status(word: str) -> ReleaseStatus:
    try:
        return ReleaseStatus(word)
    except ValueError:
        return ReleaseStatus.UNKNOWN


def _seconds(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _without_helms(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key not in _HELMS_LABELS}


def _writer(metadata: Mapping[str, Any]) -> str:
    """Name who wrote an object last, as the API server noted it."""
    entries = metadata.get("managedFields") or ()
    latest: Mapping[str, Any] = max(
        entries, key=lambda entry: str(entry.get("time", "")), default={}
    )
    return str(latest.get("manager", "")) or "another writer"
