"""One release and what belongs to it, read as the caller at the moment of the question."""

import asyncio
import base64
import binascii
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from whipstaff.errors import ClusterRefused, InvalidSpec, RevisionNotFound
from whipstaff.gateway.access import Access, get_secret
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.problems import Problem, not_found
from whipstaff.gateway.summaries import summary_of, unready_of
from whipstaff.helmrelease.edits import synced_by
from whipstaff.helmrelease.names import API_VERSION, PLURAL
from whipstaff.helmrelease.parsing import parse_for_uninstall
from whipstaff.helmrelease.placements import placement_told
from whipstaff.helmrelease.types import Placement
from whipstaff.kube.client import Request, Requester
from whipstaff.kube.release_store import (
    SECRET,
    headers_in,
    list_request,
    object_name,
    payload_of,
    read_request,
)
from whipstaff.release.revision import JsonObject, ReleaseKey, RevisionNumber
from whipstaff.release.secrecy import LAST_APPLIED, masked_values
from whipstaff.workers.pool import Showing, Stored, WorkerPool

EVENTS_LIMIT = 100
READS_AT_ONCE = 4  # stored revisions in memory, of all callers
READS_WAITING = 32  # more are told to come again
READS_OF_ONE = 4  # of one caller: a record that takes long must not hold up everybody
SECRETS_LIMIT = 100  # of one release, that a caller is asked about

_EVENT = ("type", "reason", "message", "count")


@dataclass(frozen=True, slots=True)
class Named:
    """Which release is meant, and by whom."""

    caller: Caller
    namespace: str
    name: str


class Releases:
    """Reads HelmReleases, stored revisions, plans and events."""

    def __init__(
        self, client: Requester, access: Access, workers: WorkerPool, driver: str = SECRET
    ) -> None:
        """`driver`: what revisions are stored in, "secret" or "configmap"."""
        self._client = client
        self._access = access
        self._workers = workers
        self._driver = driver
        self._turns = asyncio.Semaphore(READS_AT_ONCE)
        self._waiting = 0
        self._busy: Counter[str] = Counter()

    async def body(self, named: Named) -> JsonObject:
        """Return a HelmRelease as it is stored."""
        path = f"/apis/{API_VERSION}/namespaces/{named.namespace}/{PLURAL}/{named.name}"
        subject = f"HelmRelease {named.namespace}/{named.name}"
        return await self._client.send(Request("GET", path, named.caller.identity, subject=subject))

    async def details(self, named: Named) -> JsonObject:
        """Return the summary of a release with its spec, values masked, and its status."""
        body = await self.body(named)
        spec = dict(body.get("spec") or {})
        if "values" in spec:
            spec["values"] = masked_values(spec["values"])
        metadata = body.get("metadata") or {}
        annotations = dict(metadata.get("annotations") or {})
        annotations.pop(LAST_APPLIED, None)  # it holds the values once more
        return {
            **summary_of(body),
            "resourceVersion": metadata.get("resourceVersion", ""),
            "generation": metadata.get("generation", 0),
            "annotations": annotations,
            "syncedBy": synced_by(body) or None,
            "spec": spec,
            "status": {k: v for k, v in (body.get("status") or {}).items() if k != "history"},
            "unready": unready_of(body.get("status") or {}),
        }

    async def history(self, named: Named) -> JsonObject:
        """Return the stored revisions, newest first, as the operator tells of them."""
        status = (await self.body(named)).get("status") or {}
        return {
            "revision": status.get("revision", 0),
            "items": [one for one in status.get("history") or () if isinstance(one, dict)],
        }

    async def stored_numbers(self, named: Named) -> frozenset[int]:
        """Return the numbers of the stored revisions; empty where the caller may not see them."""
        try:
            key = _key(await self.body(named))
            page = await self._client.list_all(
                list_request(key, named.caller.identity, self._driver)
            )
        except (ClusterRefused, Problem):
            return frozenset()
        return frozenset(header.number for header in headers_in(key, page.items))

    async def unready(self, named: Named) -> JsonObject:
        """Return what is not ready, each object with its cause."""
        return {"items": unready_of((await self.body(named)).get("status") or {})}

    async def plan(self, named: Named) -> JsonObject:
        """Return the plan that waits; its text only to who may read its Secret."""
        status = (await self.body(named)).get("status") or {}
        plan = status.get("plan")
        if not isinstance(plan, dict) or not plan:
            raise not_found(f"{named.namespace}/{named.name}: no plan waits for an approval")
        told = {key: value for key, value in plan.items() if key != "secretName"}
        name = str(plan.get("secretName", ""))
        path = f"/api/v1/namespaces/{named.namespace}/secrets/{name}"
        subject = f"Secret {named.namespace}/{name}"
        try:
            stored = await self._client.send(
                Request("GET", path, named.caller.identity, subject=subject)
            )
        except ClusterRefused as error:
            if error.code not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
                raise
            return {**told, "text": None, "withheld": error.text}
        return {**told, "text": _decoded(stored, "plan"), "withheld": None}

    async def events(self, named: Named) -> JsonObject:
        """Return the events of a HelmRelease, newest first."""
        uid = ((await self.body(named)).get("metadata") or {}).get("uid", "")
        request = Request(
            "GET",
            f"/api/v1/namespaces/{named.namespace}/events",
            named.caller.identity,
            query={"fieldSelector": f"involvedObject.uid={uid}", "limit": str(EVENTS_LIMIT)},
            subject=f"Events in {named.namespace}",
        )
        answer = await self._client.send(request)
        events = [_event(one) for one in answer.get("items") or () if isinstance(one, dict)]
        return {"items": sorted(events, key=lambda one: str(one["lastSeen"]), reverse=True)}

    async def part(
        self, named: Named, number: RevisionNumber, part: str, *, reveal: bool
    ) -> JsonObject:
        """Return a part of a revision: facts, values, computed, manifest, hooks or notes.

        With `reveal`, the data of those Secrets is in it that the caller may read.
        """
        body = await self.body(named)
        key = _key(body)
        async with self.turn(named.caller):
            stored = await self._stored(named, key, number)
            showing = await self._showing(named, body, [stored], reveal=reveal)
            return await self._workers.read_release(stored, part, showing)

    async def diff(
        self, named: Named, before: RevisionNumber, after: RevisionNumber, *, reveal: bool
    ) -> JsonObject:
        """Tell in what two revisions differ."""
        body = await self.body(named)
        key = _key(body)
        async with self.turn(named.caller):
            left = await self._stored(named, key, before)
            right = await self._stored(named, key, after)
            showing = await self._showing(named, body, [left, right], reveal=reveal)
            return await self._workers.compare_releases(left, right, showing)

    async def passed_on(self, request: Request) -> str:
        """Return what the API server answers, as it is."""
        return await self._client.text(request)

    @asynccontextmanager
    async def turn(self, caller: Caller) -> AsyncIterator[None]:
        """Wait for a place among those who read; Problem(429 or 503) if too many do already."""
        again = {"Retry-After": "1"}
        if self._busy[caller.name] >= READS_OF_ONE:
            text = f"{READS_OF_ONE} revisions are being read for {caller.name}"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, text, again)
        if self._waiting >= READS_WAITING:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "too many revisions are read", again)
        self._busy[caller.name] += 1
        self._waiting += 1
        try:
            try:
                await self._turns.acquire()
            finally:
                self._waiting -= 1
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._busy[caller.name] -= 1
            if not self._busy[caller.name]:
                del self._busy[caller.name]

    async def _stored(self, named: Named, key: ReleaseKey, number: RevisionNumber) -> Stored:
        name = object_name(key, number)
        try:
            request = read_request(key, number, named.caller.identity, self._driver)
            stored = await self._client.send(request)
        except ClusterRefused as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
            raise RevisionNotFound(f"revision {number} of {key} is not stored", number) from error
        return Stored(payload_of(stored, name, self._driver), name)

    async def _showing(
        self, named: Named, body: JsonObject, revisions: Sequence[Stored], *, reveal: bool
    ) -> Showing:
        spec = body.get("spec") or {}
        sources = {key: spec.get(key) for key in ("values", "valuesFrom")}
        revealed = await self._readable(named, revisions) if reveal else ()
        return Showing(sources, reveal, revealed)

    async def _readable(self, named: Named, revisions: Sequence[Stored]) -> list[tuple[str, str]]:
        """Return the Secrets of revisions that the caller may read."""
        found: set[tuple[str, str]] = set()
        for stored in revisions:
            facts = await self._workers.read_release(stored, "facts", Showing({}))
            found |= {(one["namespace"], one["name"]) for one in facts["secrets"]}
        asked = sorted(found)[:SECRETS_LIMIT]
        may = [await self._access.may(named.caller, get_secret(*one)) for one in asked]
        return [one for one, yes in zip(asked, may, strict=True) if yes]


def _key(body: JsonObject) -> ReleaseKey:
    """Return where the revisions of a release are; Problem(409) if that is another cluster."""
    spec = body.get("spec") or {}
    if spec.get("kubeConfig"):
        raise Problem(
            HTTPStatus.CONFLICT,
            "the release is in another cluster, and its revisions are stored there; `whipstaff get "
            "--cluster` reads them if that is one of the gateway's",
        )
    return _placement(body).key


def _placement(body: JsonObject) -> Placement:
    if told := placement_told(body.get("status") or {}):
        return told
    try:
        spec = parse_for_uninstall(body).spec
    except InvalidSpec as error:
        raise Problem(HTTPStatus.CONFLICT, f"where the release is: {error.text}") from error
    return spec.placement


def _event(body: Mapping[str, Any]) -> JsonObject:
    series = body.get("series") or {}
    first = body.get("firstTimestamp") or body.get("eventTime") or ""
    last = series.get("lastObservedTime") or body.get("lastTimestamp") or first
    found = {key: body.get(key) for key in _EVENT}
    count = series.get("count") or body.get("count") or 1
    return {**found, "count": count, "firstSeen": first, "lastSeen": last}


def _decoded(stored: JsonObject, key: str) -> str:
    data = str((stored.get("data") or {}).get(key, ""))
    try:
        return base64.b64decode(data, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
