"""Who holds the Lease of the one writer: operators that run, wherever they were started."""

import re
import time
from contextlib import suppress
from dataclasses import dataclass, field

from whipstaff.errors import ClusterRefused
from whipstaff.kube.direct import Direct
from whipstaff.release.revision import JsonObject

POLL_SECONDS = 1.0
SLACK_SECONDS = 5.0  # a renewal may be late, an answer too
LOOK_SECONDS = 5.0
_LEASES = "/apis/coordination.k8s.io/v1/leases"
_NOT_OF_NODES = {"fieldSelector": "metadata.namespace!=kube-node-lease"}  # there may be thousands
_NAMES = re.compile(r"whipstaff(-[0-9a-f]{10})?")  # as kube.lease names them
_USUAL_SECONDS = 15.0


class LeaseWatch:
    """Tells operators that run from those that are gone.

    No clock but ours is believed: who renews nothing for as long as a Lease lasts has lost it, and
    writes no more.
    """

    def __init__(self, client: Direct) -> None:
        self._client = client
        self._first = {_key(body): body for body in _held(client)}
        self._started = time.monotonic()

    def still_working(self) -> str:
        """Wait until all Leases have run out; name the first that is renewed."""
        while True:
            now = _held(self._client)
            for body in now:
                if _version(self._first.get(_key(body))) != _version(body):
                    return _named(body)
            passed_seconds = time.monotonic() - self._started
            if not any(passed_seconds < _duration_seconds(body) + SLACK_SECONDS for body in now):
                return ""
            time.sleep(POLL_SECONDS)


@dataclass(slots=True)
class Signs:
    """Whether any operator is at work, as its Lease shows to who may read it."""

    client: Direct
    at_work: bool = False  # a Lease was renewed while this looked
    absence: str = ""  # says that none is at work; empty: one may be, or nobody can tell
    _next: float = 0.0
    _seen: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)

    def look(self) -> None:
        """Look, unless that was done a moment ago."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + LOOK_SECONDS
        self.at_work, self.absence = False, ""
        with suppress(ClusterRefused):
            self._judge(list(_held(self.client)), now)

    def _judge(self, held: list[JsonObject], now: float) -> None:
        if not held:
            self.absence = "no operator runs: none holds a Lease"
            return
        may_be_there = False
        for body in held:
            version, since = self._seen.setdefault(_key(body), (_version(body), now))
            if version != _version(body):
                self.at_work = True
                self._seen[_key(body)] = (_version(body), now)
            may_be_there |= now - since < _duration_seconds(body) + SLACK_SECONDS
        if not self.at_work and not may_be_there:
            last = max(held, key=_renewed)
            self.absence = f"no operator runs: {_place(last)} is not renewed since {_renewed(last)}"


def _held(client: Direct) -> list[JsonObject]:
    return [
        body
        for body in client.items(_LEASES, _NOT_OF_NODES)
        if _NAMES.fullmatch(str(body["metadata"]["name"]))
        and (body.get("spec") or {}).get("holderIdentity")
    ]


def _key(body: JsonObject) -> tuple[str, str]:
    return str(body["metadata"]["namespace"]), str(body["metadata"]["name"])


def _version(body: JsonObject | None) -> str:
    return str(body["metadata"]["resourceVersion"]) if body else ""


def _duration_seconds(body: JsonObject) -> float:
    return float(body["spec"].get("leaseDurationSeconds") or _USUAL_SECONDS)


def _named(body: JsonObject) -> str:
    return f"{body['spec']['holderIdentity']}, which holds {_place(body)}"


def _place(body: JsonObject) -> str:
    return f"the Lease {'/'.join(_key(body))}"


def _renewed(body: JsonObject) -> str:
    return str(body["spec"].get("renewTime") or "")
