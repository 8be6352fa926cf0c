"""Read the API server's audit log: the truth about who wrote what, in which order."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True, slots=True)
class Request:
    """One answered request."""

    verb: str
    resource: str  # plural, with /subresource where there is one
    namespace: str
    name: str  # empty for a list, and for a creation with generateName
    user: str
    acting_as: str  # the impersonated user, or empty
    user_agent: str
    uri: str
    code: int
    received: str  # RFC 3339 with microseconds
    stage: str

    @property
    def is_dry_run(self) -> bool:
        return "dryRun=All" in self.uri

    @property
    def is_write(self) -> bool:
        """Whether it could change what is stored; a dry run, a review or a token doesn't."""
        return (
            self.verb in WRITES
            and not self.is_dry_run
            and not self.resource.endswith(("reviews", "/token"))
        )


def read(log: Path, start: int = 0) -> Iterator[Request]:
    """Read the requests of an audit log from a byte offset on.

    `log.stat().st_size` is an offset for later. A last line that is still being written is left
    for the next reading; what is left of one that was written at the offset is passed over.
    """
    with log.open("rb") as lines:
        _begin(lines, start)
        for line in lines:
            if line.endswith(b"\n"):
                yield _request(json.loads(line))


def _begin(lines: BinaryIO, offset: int) -> None:
    """Go to the first line that begins at an offset or later."""
    if offset:
        lines.seek(offset - 1)
        lines.readline()


class Tail:
    """What was added to an audit log since the last look."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = log.stat().st_size

    def new(self) -> list[Request]:
        """Read the requests that were answered since the last call, or since this was made."""
        with self._log.open("rb") as lines:
            _begin(lines, self._offset)
            begin = lines.tell()
            whole, newline, _ = lines.read().rpartition(b"\n")
        self._offset = begin + len(whole) + len(newline)
        return [_request(json.loads(line)) for line in whole.splitlines()]


def writes(log: Path, start: int = 0, *, user: str = "", user_agent: str = "") -> list[Request]:
    """List the writes since an offset: of one authenticated user, of user agents that begin so."""
    return [
        request
        for request in read(log, start)
        if request.is_write
        and request.user == (user or request.user)
        and request.user_agent.startswith(user_agent)
    ]


def _request(event: dict[str, Any]) -> Request:
    target = event.get("objectRef", {})
    resource = target.get("resource", "")
    if subresource := target.get("subresource"):
        resource = f"{resource}/{subresource}"
    return Request(
        verb=event["verb"],
        resource=resource,
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        user=event["user"].get("username", ""),
        acting_as=event.get("impersonatedUser", {}).get("username", ""),
        user_agent=event.get("userAgent", ""),
        uri=event["requestURI"],
        code=event.get("responseStatus", {}).get("code", 0),
        received=event["requestReceivedTimestamp"],
        stage=event["stage"],
    )
