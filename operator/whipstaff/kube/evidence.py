"""What the API server knows about objects besides the objects: the Evidence port."""

from collections.abc import Sequence

from whipstaff.kube.client import Request, Requester
from whipstaff.reconcile.ports import Identity
from whipstaff.release.revision import JsonObject

PODS_LIMIT = 50  # of one workload; more say nothing new
EVENTS_LIMIT = 50
LOG_BYTES_LIMIT = 16 << 10

SECONDS = 5.0  # an answer that takes longer helps nobody who waits

_KINDS = {"pods": "Pod", "events": "Event"}


class ApiServerEvidence:
    """Asks the API server, as the identity that a call names, once and not for long."""

    def __init__(self, client: Requester) -> None:
        self._client = client

    async def pods(self, namespace: str, selector: str, identity: Identity) -> Sequence[JsonObject]:
        query = {"labelSelector": selector, "limit": str(PODS_LIMIT)}
        return await self._list(namespace, "pods", query, identity)

    async def events(self, namespace: str, uid: str, identity: Identity) -> Sequence[JsonObject]:
        query = {"fieldSelector": f"involvedObject.uid={uid}", "limit": str(EVENTS_LIMIT)}
        return await self._list(namespace, "events", query, identity)

    async def log_tail(
        self,
        namespace: str,
        pod: str,
        container: str,
        identity: Identity,
        *,
        lines: int = 1,
        previous: bool = False,
    ) -> str:
        query = {
            "container": container,
            "tailLines": str(lines),
            "limitBytes": str(LOG_BYTES_LIMIT),
            "previous": "true" if previous else "false",
        }
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        return await self._client.text(_request(path, query, identity))

    async def _list(
        self, namespace: str, plural: str, query: dict[str, str], identity: Identity
    ) -> Sequence[JsonObject]:
        path = f"/api/v1/namespaces/{namespace}/{plural}"
        answer = await self._client.send(_request(path, query, identity))
        kinds = {"apiVersion": "v1", "kind": _KINDS[plural]}  # a list does not repeat them
        return [kinds | item for item in answer.get("items") or () if isinstance(item, dict)]


def _request(path: str, query: dict[str, str], identity: Identity) -> Request:
    return Request("GET", path, identity, query=query, timeout_seconds=SECONDS, attempts=1)
