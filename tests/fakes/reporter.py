"""What a HelmRelease shows, in memory; tests/contracts/test_reporter.py holds the fake to it."""

import copy
from dataclasses import dataclass, field

from whipstaff.reconcile.ports import Event

FINALIZER = "whipstaff.dev/finalizer"


@dataclass
class Shown:
    uid: str
    status: dict = field(default_factory=dict)
    finalizers: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class FakeReporter:
    """`shown` has what people see, by namespace and name; `writes` counts what was written."""

    def __init__(self):
        self.shown: dict[tuple[str, str], Shown] = {}
        self.writes = 0

    def put(self, namespace: str, name: str, uid: str) -> Shown:
        """Have a HelmRelease to report on."""
        self.shown[namespace, name] = Shown(uid)
        return self.shown[namespace, name]

    async def add_finalizer(self, namespace, name, uid):
        found = self._find(namespace, name, uid)
        if found is not None and FINALIZER not in found.finalizers:
            found.finalizers.append(FINALIZER)
            self.writes += 1
        return found is not None

    async def remove_finalizer(self, namespace, name, uid):
        found = self._find(namespace, name, uid)
        if found is not None and FINALIZER in found.finalizers:
            found.finalizers.remove(FINALIZER)
            self.writes += 1

    async def write_status(self, namespace, name, uid, status):
        found = self._find(namespace, name, uid)
        if found is not None:
            found.status = copy.deepcopy(status)
            self.writes += 1

    async def emit(self, namespace, name, uid, events):
        found = self._find(namespace, name, uid)
        if found is not None:
            found.events += [Event(e.type, e.reason, _cut(e.message)) for e in events]

    def _find(self, namespace, name, uid):
        found = self.shown.get((namespace, name))
        return found if found is not None and found.uid == uid else None


def _cut(text):
    encoded = text.encode()
    return text if len(encoded) <= 1024 else encoded[:1021].decode(errors="ignore") + "…"
