"""Secrets that HelmRepositories name, read as the operator."""

from whipstaff.errors import ClusterRefused
from whipstaff.kube.client import Client, Request
from whipstaff.release.revision import JsonObject

_NOT_FOUND = 404


class ApiServerSecrets:
    """Reads one Secret at a time and keeps none."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def secret(self, namespace: str, name: str) -> JsonObject | None:
        """Return a Secret as it is stored, None if there is none."""
        path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
        try:
            return await self._client.send(
                Request("GET", path, subject=f"Secret {namespace}/{name}")
            )
        except ClusterRefused as error:
            if error.code == _NOT_FOUND:
                return None
            raise
