"""Revisions in memory; tests/contracts/test_release_store.py holds the fake to the real thing."""

from collections import deque
from dataclasses import dataclass, replace

import yaml

from whipstaff.errors import ReleaseConflict, RevisionNotFound, StorageCorrupt
from whipstaff.reconcile.ports import Identity
from whipstaff.release import codec
from whipstaff.release.marks import MARK_PREFIX
from whipstaff.release.revision import (
    ReleaseKey,
    ReleaseStatus,
    Revision,
    RevisionHeader,
    RevisionNumber,
)

HELMS_LABELS = {"name", "owner", "status", "version", "createdAt", "modifiedAt"}


class InProcessCodec:
    """Helm's format without a worker process; tests feed it nothing hostile."""

    async def decode(self, data: str, name: str) -> Revision:
        record = codec.decode(data, name)
        manifest, hooks = codec.texts(record, name)
        objects = [body for body in yaml.safe_load_all(manifest) if body]
        bodies = [yaml.safe_load(text) for _, text in hooks]
        return codec.from_record(record, objects, bodies, name)

    async def encode(self, revision: Revision) -> str:
        return codec.encode(codec.to_record(revision))


@dataclass
class Stored:
    revision: Revision
    created_at: int
    modified_at: int = 0
    corrupt: bool = False
    status: ReleaseStatus | None = None  # of the label alone, where the payload is corrupt


class FakeReleaseStore:
    """`writes` has one (verb, key, number, status) for each write that was done."""

    def __init__(self):
        self.stored: dict[tuple[ReleaseKey, RevisionNumber], Stored] = {}
        self.writes: list[tuple[str, ReleaseKey, int, str]] = []
        self.identities: set[Identity] = set()
        self.now = 1_700_000_000
        self.record_bytes = 1_000  # that each takes
        self._refusals: dict[str, deque] = {}

    # What tests do to it.

    def put(self, key: ReleaseKey, revision: Revision, *, corrupt: bool = False) -> None:
        """Store a revision as someone else would have."""
        self.stored[key, revision.number] = Stored(_kept(revision), self.now, corrupt=corrupt)

    def refuse(self, verb: str, error: Exception, *, times: int = 1) -> None:
        """Have the next calls with this verb end so, before they do anything."""
        self._refusals.setdefault(verb, deque()).extend([error] * times)

    def statuses(self, key: ReleaseKey) -> dict[int, str]:
        """Return number -> status of what is stored."""
        found = sorted(
            (n, s.revision.status.value) for (k, n), s in self.stored.items() if k == key
        )
        return {int(number): status for number, status in found}

    # The port.

    async def history(self, key, identity):
        self._enter("history", identity)
        headers = [
            RevisionHeader(
                number,
                stored.status or stored.revision.status,
                dict(stored.revision.labels),
                stored.created_at,
                stored.modified_at,
            )
            for (owner, number), stored in self.stored.items()
            if owner == key
        ]
        return tuple(sorted(headers, key=lambda header: -header.number))

    async def read(self, key, number, identity):
        self._enter("read", identity)
        stored = self._find(key, number)
        if stored.corrupt:
            name = f"sh.helm.release.v1.{key.name}.v{number}"
            raise StorageCorrupt(f"{name} cannot be read", name)
        return stored.revision

    async def measure(self, key, revision):
        self._enter("measure", None)
        return self.record_bytes

    async def create(self, key, revision, identity):
        self._enter("create", identity)
        kept = _kept(revision)
        taken = self.stored.get((key, revision.number))
        if taken is not None:
            if taken.revision == kept and taken.modified_at == 0:
                return  # our own write, whose reply was lost
            raise ReleaseConflict(f"revision {revision.number} of {key} is taken", "helm")
        self.stored[key, revision.number] = Stored(kept, self.now)
        self.writes.append(("create", key, revision.number, revision.status.value))

    async def update(self, key, revision, identity):
        self._enter("update", identity)
        stored = self._find(key, revision.number)
        stored.revision, stored.modified_at = _kept(revision), self.now
        stored.corrupt, stored.status = False, None
        self.writes.append(("update", key, revision.number, revision.status.value))

    async def mark(self, key, number, marks, identity):
        self._enter("mark", identity)
        stored = self._find(key, number)
        theirs = {k: v for k, v in stored.revision.labels.items() if not k.startswith(MARK_PREFIX)}
        stored.revision = replace(stored.revision, labels={**theirs, **marks})
        self.writes.append(("mark", key, number, stored.revision.status.value))

    async def delete(self, key, number, identity):
        self._enter("delete", identity)
        if self.stored.pop((key, number), None) is not None:
            self.writes.append(("delete", key, number, ""))

    async def mark_failed_unread(self, key, number, description, identity):
        self._enter("mark-failed", identity)
        stored = self._find(key, number)
        stored.modified_at = self.now
        if stored.corrupt:
            stored.status = ReleaseStatus.FAILED
        else:
            stored.revision = replace(
                stored.revision, status=ReleaseStatus.FAILED, description=description
            )
        self.writes.append(("mark-failed", key, number, "failed"))

    def _enter(self, verb, identity):
        self.identities |= {identity} if identity else set()
        refusals = self._refusals.get(verb)
        if refusals:
            raise refusals.popleft()

    def _find(self, key, number):
        stored = self.stored.get((key, number))
        if stored is None:
            raise RevisionNotFound(f"revision {number} of {key} is not stored", number)
        return stored


def _kept(revision):
    labels = {k: v for k, v in revision.labels.items() if k not in HELMS_LABELS}
    return replace(revision, labels=labels)
