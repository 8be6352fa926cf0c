"""Objects behind a gateway, for a command that plans as the operator does: read, and tried."""

from dataclasses import dataclass, field, replace

from whipstaff.cli.gateway_client import OBJECTS, gateway_refusal
from whipstaff.errors import ClusterRefused
from whipstaff.kube.access import Access
from whipstaff.kube.client import Client, ListPage, Request
from whipstaff.kube.connection import Connection, Given
from whipstaff.kube.media_types import JSON
from whipstaff.release.revision import JsonObject
from whipstaff.settings import VERSION, Settings
from whipstaff.wiring import Target

_TAKEN = ("GET", "PATCH")  # of which the gateway makes dry runs, and nothing else


class GatewayObjects(Client):
    """Asks a gateway for what is asked of an API server."""

    def __init__(self, connection: Connection, cluster: str) -> None:
        """`cluster`: its name; empty for the gateway's own."""
        super().__init__(connection, user_agent=f"whipstaff-cli/{VERSION}")
        self._server = connection.server
        self._about = {"cluster": cluster} if cluster else {}

    async def send(self, request: Request) -> JsonObject:
        return await super().send(self._behind(request))

    async def text(self, request: Request) -> str:
        return await super().text(self._behind(request))

    async def list_all(self, request: Request) -> ListPage:
        return await super().list_all(self._behind(request))

    def _behind(self, request: Request) -> Request:
        if request.method not in _TAKEN:
            raise ClusterRefused(f"{request.subject}: a gateway makes dry runs alone")
        path, query = f"{OBJECTS}{request.path}", {**request.query, **self._about}
        return replace(request, path=path, query=query, content_type=JSON)

    def _refusal(self, request: Request, status: int, answer: object) -> ClusterRefused:
        return gateway_refusal(self._server, status, answer, request.subject)


@dataclass(frozen=True, slots=True)
class GatewayTarget(Target):
    """One of the clusters behind a gateway."""

    access: Access = field(kw_only=True)
    cluster: str = field(kw_only=True)

    async def connect(self) -> Connection:
        token = self.access.headers["Authorization"].removeprefix("Bearer ")
        return Given(self.access.server, self.access.tls, token)

    def client(self, connection: Connection, settings: Settings) -> Client:
        return GatewayObjects(connection, self.cluster)
