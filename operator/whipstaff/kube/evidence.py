"""What the API server knows about objects besides the objects: the Evidence port."""

from collections.abc import Sequence

from whipstaff.kube.client import PAGE_ITEMS, Request, Requester
from whipstaff.kube.namespace_events import NamespaceEvents
from whipstaff.reconcile.ports import Identity
from whipstaff.release.revision import JsonObject

PODS_LIMIT = 50  # of one workload; more say nothing new
EVENTS_LIMIT = 2_000  # of one namespace
LOG_BYTES_LIMIT = 16 << 10

SECONDS = 5.0  # an answer that takes longer helps nobody who waits

# Of claims also what is no warning: that they wait for a consumer, for one.
_CLAIM = "PersistentVolumeClaim"
_OF_CLAIMS, _WARNINGS = f"involvedObject.kind={_CLAIM}", "type=Warning"


class ApiServerEvidence:
    """Asks the API server, as the identity that a call names, once and not for long."""

    def __init__(self, client: Requester) -> None:
        self._client = client
        self._events = NamespaceEvents(self._list_events)

    async def pods(self, namespace: str, selector: str, identity: Identity) -> Sequence[JsonObject]:
        query = {"labelSelector": selector, "limit": str(PODS_LIMIT)}
        return _items(await self._ask(namespace, "pods", query, identity), "Pod")

    async def events(
        self, namespace: str, kind: str, uid: str, identity: Identity
    ) -> Sequence[JsonObject]:
        selector = _OF_CLAIMS if kind == _CLAIM else _WARNINGS
        return await self._events.about(uid, namespace, selector, identity)

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

    async def _list_events(
        self, namespace: str, selector: str, identity: Identity
    ) -> Sequence[JsonObject]:
        query = {"fieldSelector": selector, "limit": str(PAGE_ITEMS)}
        found: list[JsonObject] = []
        while len(found) < EVENTS_LIMIT:
            answer = await self._ask(namespace, "events", query, identity)
            found += _items(answer, "Event")
            more = (answer.get("metadata") or {}).get("continue")
            if not more:
                break
            query = {**query, "continue": str(more)}
        return found

    async def _ask(
        self, namespace: str, plural: str, query: dict[str, str], identity: Identity
    ) -> JsonObject:
        path = f"/api/v1/namespaces/{namespace}/{plural}"
        return await self._client.send(_request(path, query, identity))


def _items(answer: JsonObject, kind: str) -> list[JsonObject]:
    head = {"apiVersion": "v1", "kind": kind}  # a list does not repeat them
    return [head | item for item in answer.get("items") or () if isinstance(item, dict)]


def _request(path: str, query: dict[str, str], identity: Identity) -> Request:
    return Request("GET", path, identity, query=query, timeout_seconds=SECONDS, attempts=1)
