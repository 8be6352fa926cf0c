"""Answers that are no success, as application/problem+json (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from whipstaff.errors import (
    ClusterRefused,
    OperatorError,
    RemoteClusterUnreachable,
    RevisionNotFound,
    StorageCorrupt,
    WorkerLost,
)

MEDIA_TYPE = "application/problem+json"
# What the API server says to a caller is said to the caller.
_TOLD_ON = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


@dataclass(eq=False)
class Problem(Exception):
    """Ends a request: a status, and a sentence for whoever asked."""

    status: HTTPStatus
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)  # members besides the standard's

    def __post_init__(self) -> None:
        super().__init__(self.detail)

    def response(self) -> JSONResponse:
        """Return the answer."""
        body = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            **self.facts,
        }
        headers = {"Cache-Control": "no-store", **self.headers}
        return JSONResponse(body, int(self.status), headers, media_type=MEDIA_TYPE)


def unauthorized(detail: str) -> Problem:
    """Nobody, or nobody that can be believed."""
    challenge = {"WWW-Authenticate": 'Bearer realm="whipstaff"'}
    return Problem(HTTPStatus.UNAUTHORIZED, detail, challenge)


def bad(detail: str) -> Problem:
    """What was asked makes no sense."""
    return Problem(HTTPStatus.BAD_REQUEST, detail)


def conflict(detail: str) -> Problem:
    """It is not as whoever asked takes it to be."""
    return Problem(HTTPStatus.CONFLICT, detail)


def not_for(namespace: str, caller: str) -> Problem:
    """The releases of a namespace are for others, whether it is there or not."""
    text = f"the HelmReleases of namespace {namespace} are not for {caller}"
    return Problem(HTTPStatus.FORBIDDEN, text, facts={"reason": "Forbidden"})


def not_found(detail: str) -> Problem:
    """There is no such thing."""
    return Problem(HTTPStatus.NOT_FOUND, detail)


def of_error(error: OperatorError) -> Problem:
    """Say in terms of HTTP what went wrong."""
    match error:
        case RemoteClusterUnreachable():  # its own text names addresses
            text = "the cluster does not answer"
            return Problem(HTTPStatus.BAD_GATEWAY, text, facts={"reason": error.reason})
        case ClusterRefused(code=code) if code in _TOLD_ON:
            if code == HTTPStatus.UNAUTHORIZED:
                return unauthorized("the API server does not know these credentials")
            facts = {"reason": error.reason, **_causes(error)}
            return Problem(HTTPStatus(code), error.text, facts=facts)
        case ClusterRefused():
            return Problem(HTTPStatus.BAD_GATEWAY, error.text, facts={"reason": error.reason})
        case RevisionNotFound():
            return not_found(error.text)
        case StorageCorrupt():
            return Problem(HTTPStatus.BAD_GATEWAY, error.text, facts={"reason": error.reason})
        case WorkerLost():
            again = {"Retry-After": "1"}
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "try again", again)
        case _:
            return Problem(HTTPStatus.BAD_GATEWAY, error.text, facts={"reason": error.reason})


def _causes(error: ClusterRefused) -> dict[str, Any]:
    causes = [{"field": field, "message": said} for field, said in error.causes]
    return {"causes": causes} if causes else {}
