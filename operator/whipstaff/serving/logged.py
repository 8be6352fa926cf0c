"""What every request leaves in the log, and what every answer has in its head."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Headers = Sequence[tuple[bytes, bytes]]


class Logged:
    """Logs each request without what may be secret in it, and adds headers that an answer lacks."""

    def __init__(self, app: ASGIApp, log: logging.Logger, headers: Headers) -> None:
        self._app = app
        self._log = log
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        seen = {"status": 0, "bytes": 0}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                message["headers"] = self._added(message["headers"])
            else:
                seen["bytes"] += len(message.get("body", b""))
            await send(message)

        scope.setdefault("state", {})
        try:
            await self._app(scope, receive, sending)
        finally:
            self._log.info("request", extra=_facts(scope, seen, time.perf_counter() - began))

    def _added(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return the headers of an answer with those that it has no own word on."""
        own = list(headers)
        names = {name.lower() for name, _ in own}
        return own + [one for one in self._headers if one[0] not in names]


def _facts(scope: Scope, seen: Mapping[str, int], seconds: float) -> dict[str, Any]:
    """Return what is logged: no query and no header, for careless clients have tokens there."""
    client = scope.get("client")
    return {
        "method": scope["method"],
        "path": scope["path"],
        "client": client[0] if client else "",
        "user": scope["state"].get("user", ""),
        "seconds": round(seconds, 4),
        **seen,
    }
