"""Who holds the Lease of the one writer: operators that run, wherever they were started."""

import re
import time

from whipstaff.kube.direct import Direct
from whipstaff.release.revision import JsonObject

POLL_SECONDS = 1.0
SLACK_SECONDS = 5.0  # a renewal may be late, an answer too
_LEASES = "/apis/coordination.k8s.io/v1/leases"
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


def _held(client: Direct) -> list[JsonObject]:
    return [
        body
        for body in client.items(_LEASES)
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
    namespace, name = _key(body)
    return f"{body['spec']['holderIdentity']}, which holds the Lease {namespace}/{name}"
