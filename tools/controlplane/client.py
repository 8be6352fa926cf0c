"""The few requests that setting a control plane up takes, without a client library."""

import http.client
import json
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

REQUEST_SECONDS = 10.0
FIRST_ERROR = 400  # HTTP statuses from here on say that the request failed
CONFLICT = 409


class Refused(Exception):
    """The API server answered with an error; `code` is its HTTP status."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text[:500]}")
        self.code = code


@dataclass(frozen=True, slots=True)
class ApiClient:
    """One user's access to one API server; every call opens a connection of its own."""

    server: str
    ca_certificate: Path
    token: str
    _trust: list[ssl.SSLContext] = field(default_factory=list, compare=False, repr=False)

    def request(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Send one request and return the JSON of its answer, or its text where it is not JSON.

        Raises `Refused` for an error answer and OSError when nothing answers.
        """
        address = urlsplit(self.server)
        connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, timeout=REQUEST_SECONDS, context=self._context()
        )
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, body=payload, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", errors="replace")
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()
        if answer.status >= FIRST_ERROR:
            raise Refused(answer.status, text)
        is_json = answer.headers.get_content_type() == "application/json"
        return json.loads(text) if is_json else text

    def _context(self) -> ssl.SSLContext:
        if not self._trust:
            self._trust.append(ssl.create_default_context(cafile=str(self.ca_certificate)))
        return self._trust[0]
