"""The certificate of the admission webhook, in a Secret, and what the API server knows of it.

Whoever runs next finds the certificate there, so that a restart changes nothing.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from whipstaff.errors import ClusterRefused
from whipstaff.helmrelease.names import FIELD_MANAGER
from whipstaff.kube.client import Client, Request
from whipstaff.kube.media_types import JSON_PATCH
from whipstaff.release.revision import JsonObject

_NOT_FOUND, _CONFLICT = 404, 409
_CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
ROOT = "/validate/"  # of the path; what follows is secret
_SECRET = re.compile("[0-9a-f]{32,128}")  # the API server takes no capitals
_KEYS = ("ca.crt", "tls.crt", "tls.key", "path", "expires", "names")


@dataclass(frozen=True, slots=True)
class Serving:
    """What a webhook serves with; texts are PEM."""

    authorities: str  # newest first: who trusts them trusts the last certificate, too
    certificate: str
    key: str = field(repr=False)
    path: str = field(repr=False)  # after the last slash of its URL: only the API server knows it
    expires: int = 0  # Unix time
    names: tuple[str, ...] = ()
    version: str = ""  # of the Secret that it was read from


class ApiServerAdmission:
    """Reads and writes as the operator."""

    def __init__(self, client: Client, namespace: str, secret: str, configuration: str) -> None:
        self._client = client
        self._secret = secret
        self._collection = f"/api/v1/namespaces/{namespace}/secrets"
        self._subject = f"Secret {namespace}/{secret}"
        self._configuration = configuration

    async def read(self) -> Serving | None:
        """Return what is stored, None if that is nothing that could be served with."""
        body = await self._stored()
        return None if body is None else _serving(body)

    async def write(self, serving: Serving) -> bool:
        """Store it; False if someone else did so meanwhile."""
        body = await self._stored()
        query = {"fieldManager": FIELD_MANAGER}
        if body is None:
            metadata: JsonObject = {"name": self._secret}
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
            method, path = "POST", self._collection
        else:
            found = _serving(body)
            if (found.version if found else "") != serving.version:
                return False
            method, path = "PUT", f"{self._collection}/{self._secret}"
        body = {**body, "data": _data(serving)}
        try:
            await self._client.send(
                Request(method, path, query=query, body=body, subject=self._subject)
            )
        except ClusterRefused as error:
            if error.code == _CONFLICT:
                return False
            raise
        return True

    async def announce(self, authorities: str, path: str) -> None:
        """Have the API server trust these authorities and ask at this path, if it does not yet."""
        place = f"{_CONFIGURATIONS}/{self._configuration}"
        subject = f"ValidatingWebhookConfiguration {self._configuration}"
        live = await self._client.send(Request("GET", place, subject=subject))
        changes = list(_changes(live.get("webhooks") or [], authorities, path))
        if not changes:
            return
        same = {
            "op": "test",
            "path": "/metadata/resourceVersion",
            "value": live["metadata"]["resourceVersion"],
        }
        await self._client.send(
            Request(
                "PATCH",
                place,
                query={"fieldManager": FIELD_MANAGER},
                body=[same, *changes],
                content_type=JSON_PATCH,
                subject=subject,
            )
        )

    async def _stored(self) -> JsonObject | None:
        path = f"{self._collection}/{self._secret}"
        try:
            return await self._client.send(Request("GET", path, subject=self._subject))
        except ClusterRefused as error:
            if error.code == _NOT_FOUND:
                return None
            raise


def _serving(body: JsonObject) -> Serving | None:
    try:
        data = {key: base64.b64decode((body.get("data") or {})[key]).decode() for key in _KEYS}
        if not _SECRET.fullmatch(data["path"]):
            return None
        return Serving(
            data["ca.crt"],
            data["tls.crt"],
            data["tls.key"],
            data["path"],
            int(data["expires"]),
            tuple(data["names"].split(",")),
            str(body["metadata"]["resourceVersion"]),
        )
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None  # empty, as the chart makes it, or somebody wrote into it


def _data(serving: Serving) -> dict[str, str]:
    texts = (
        serving.authorities,
        serving.certificate,
        serving.key,
        serving.path,
        str(serving.expires),
        ",".join(serving.names),
    )
    pairs = zip(_KEYS, texts, strict=True)
    return {key: base64.b64encode(text.encode()).decode("ascii") for key, text in pairs}


def _changes(webhooks: list[JsonObject], authorities: str, path: str) -> Iterator[JsonObject]:
    """Yield the operations of a JSON patch, one for each field that is another."""
    bundle = base64.b64encode(authorities.encode()).decode("ascii")
    for index, webhook in enumerate(webhooks):
        client = webhook.get("clientConfig") or {}
        place = f"/webhooks/{index}/clientConfig"
        if client.get("caBundle") != bundle:
            yield {"op": "add", "path": f"{place}/caBundle", "value": bundle}
        if "url" in client:
            url = client["url"].partition(ROOT.rstrip("/"))[0] + ROOT + path
            if client["url"] != url:
                yield {"op": "replace", "path": f"{place}/url", "value": url}
        elif (client.get("service") or {}).get("path") != ROOT + path:
            yield {"op": "add", "path": f"{place}/service/path", "value": ROOT + path}
