"""One writer: the Lease that the operator holds while it works.

Another holder's clock is never believed: a lease has run out when it was seen unchanged for its
duration, by our own monotonic time. Who cannot renew in time has lost it and must exit.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from secrets import SystemRandom, token_hex
from time import monotonic

from whipstaff.errors import ClusterRefused
from whipstaff.helmrelease.names import FIELD_MANAGER
from whipstaff.kube.client import Client, Request
from whipstaff.kube.times import micro_time
from whipstaff.reconcile.ports import Clock
from whipstaff.release.revision import JsonObject

NAME = "whipstaff"
TENURE = "whipstaff.dev/tenure"  # annotation: which process of one identity holds the lease

_NOT_FOUND, _CONFLICT = 404, 409
_RANDOM = SystemRandom()

log = logging.getLogger(__name__)


def lease_name(selector: str) -> str:
    """Return the name of the Lease of who looks after these labels: each shard has a leader."""
    if not selector:
        return NAME
    return f"{NAME}-{hashlib.sha256(selector.encode()).hexdigest()[:10]}"


class Lease:
    """Leader election; `held` is true from `acquire` until the renew deadline has passed."""

    def __init__(  # noqa: PLR0913 - the three times belong together, and differ in tests only
        self,
        client: Client,
        clock: Clock,
        namespace: str,
        identity: str,
        *,
        name: str = NAME,
        duration_seconds: float = 15.0,
        deadline_seconds: float = 10.0,
        retry_seconds: float = 2.0,
    ) -> None:
        self._client = client
        self._clock = clock
        self._identity = identity
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name = name
        self._duration_seconds = duration_seconds
        self._deadline_seconds = deadline_seconds
        self._retry_seconds = retry_seconds
        self._tenure = token_hex(8)
        self._renewed_at: float | None = None
        self._seen: tuple[str, float] = ("", 0.0)  # a foreign lease: its version, since when
        self._lease: JsonObject = {}

    @property
    def held(self) -> bool:
        """Whether nobody else can hold it: a paused process learns so before it writes."""
        return (
            self._renewed_at is not None and monotonic() - self._renewed_at < self._deadline_seconds
        )

    async def acquire(self) -> None:
        """Wait until the lease is ours; an API server that is away is waited for."""
        while True:
            if await self._try_to_take():
                break
            # Spread, so that two who wait do not ask in step for ever.
            await asyncio.sleep(self._retry_seconds * (0.9 + 0.2 * _RANDOM.random()))
        log.info("lease acquired", extra={"lease": self._name, "holder": self._identity})

    async def hold(self, lost: Callable[[], None]) -> None:
        """Renew until cancelled; when that fails for too long, or someone took it, call `lost`."""
        while True:
            await asyncio.sleep(self._retry_seconds)
            if not self.held:
                break
            if not await self._renew():
                break
        self._renewed_at = None
        log.error("lease lost", extra={"lease": self._name, "holder": self._identity})
        lost()

    async def release(self) -> None:
        """Give it back, so that the next holder need not wait; failures are no one's business."""
        if not self.held:
            return
        self._renewed_at = None
        spec = {**self._lease.get("spec", {}), "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._write(spec)
        except ClusterRefused as error:
            log.info("lease not released", extra={"code": error.code})

    async def _try_to_take(self) -> bool:
        try:
            live = await self._read()
            if live is None:
                return await self._create()
            spec = live.get("spec") or {}
            if not self._free(live):
                return False
            transitions = int(spec.get("leaseTransitions") or 0)
            changed = spec.get("holderIdentity") != self._identity
            self._lease = live
            return await self._take(transitions + changed)
        except ClusterRefused as error:
            log.info("lease not acquired", extra={"code": error.code, "text": error.text})
            return False

    def _free(self, live: JsonObject) -> bool:
        """Judge a lease: nobody's, our own from before a restart, or unchanged for too long."""
        spec = live.get("spec") or {}
        if spec.get("holderIdentity", "") in ("", self._identity):
            return True
        version = str(live["metadata"]["resourceVersion"])
        if self._seen[0] != version:
            self._seen = (version, monotonic())
        duration = float(spec.get("leaseDurationSeconds") or self._duration_seconds)
        return monotonic() - self._seen[1] > duration

    async def _create(self) -> bool:
        before = monotonic()
        now = micro_time(self._clock.now())
        request = Request(
            "POST",
            self._collection,
            query={"fieldManager": FIELD_MANAGER},
            body={
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._name, "annotations": {TENURE: self._tenure}},
                "spec": self._spec(now, now, 0),
            },
            subject=f"Lease {self._name}",
            timeout_seconds=self._deadline_seconds / 2,
            attempts=1,
            needs_lead=False,
        )
        self._lease = await self._client.send(request)
        self._renewed_at = before
        return True

    async def _take(self, transitions: int) -> bool:
        before = monotonic()
        now = micro_time(self._clock.now())
        await self._write(self._spec(now, now, transitions))
        # Counted from before the request: the others count from when they see its effect.
        self._renewed_at = before
        return True

    async def _renew(self) -> bool:
        """Renew; False if someone else took it, True if it may be tried again."""
        before = monotonic()
        spec = {**self._lease["spec"], "renewTime": micro_time(self._clock.now())}
        try:
            await self._write(spec)
            self._renewed_at = before
        except ClusterRefused as error:
            log.warning("lease not renewed", extra={"code": error.code, "text": error.text})
            if error.code in (_CONFLICT, _NOT_FOUND):
                return await self._look_again()
        return True

    async def _look_again(self) -> bool:
        """Read a lease that changed: ours, if only the reply to a renewal was lost."""
        try:
            live = await self._read()
        except ClusterRefused:
            return True
        if live is None:
            return False
        annotations = live["metadata"].get("annotations") or {}
        mine = (live.get("spec") or {}).get("holderIdentity") == self._identity
        self._lease = live
        return mine and annotations.get(TENURE) == self._tenure

    async def _write(self, spec: JsonObject) -> None:
        metadata = self._lease["metadata"]
        annotations = {**(metadata.get("annotations") or {}), TENURE: self._tenure}
        request = Request(
            "PUT",
            f"{self._collection}/{self._name}",
            query={"fieldManager": FIELD_MANAGER},
            body={
                **self._lease,
                "metadata": {**metadata, "annotations": annotations},
                "spec": spec,
            },
            subject=f"Lease {self._name}",
            # One request that hangs must leave time for another before the deadline.
            timeout_seconds=self._deadline_seconds / 2,
            attempts=1,
            needs_lead=False,
        )
        self._lease = await self._client.send(request)

    async def _read(self) -> JsonObject | None:
        request = Request(
            "GET",
            f"{self._collection}/{self._name}",
            subject=f"Lease {self._name}",
            timeout_seconds=self._deadline_seconds / 2,
            attempts=1,
        )
        try:
            return await self._client.send(request)
        except ClusterRefused as error:
            if error.code == _NOT_FOUND:
                return None
            raise

    def _spec(self, acquired: str, renewed: str, transitions: int) -> JsonObject:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._duration_seconds)),
            "acquireTime": acquired,
            "renewTime": renewed,
            "leaseTransitions": transitions,
        }
