"""Read the body of a request: strict JSON of bounded size and depth, sent in time.

Who a browser would send along without being asked, by a certificate or through a proxy that adds
a token, must not be led to write by another site's page.
"""

import asyncio
import json
import re
from collections.abc import Iterable
from http import HTTPStatus
from math import isfinite
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from whipstaff.gateway.problems import Problem, bad

BYTES_LIMIT = 1 << 20  # etcd takes no object of 1.5 MiB
DEPTH_LIMIT = 64
READ_SECONDS = 20.0
REQUEST_BYTES = 8 << 10  # of a body that are as much work as one more request

_JSON = "application/json"
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_OWN_SITES = frozenset({"same-origin", "none"})

Model = TypeVar("Model", bound=BaseModel)


def check_site(request: Request, what: str = "requests", *, proxied: bool = False) -> None:
    """Refuse what a page of another site has a browser send; Problem(403).

    `proxied`: where a proxy says that the browser asked it, its name is the site's own, too.
    """
    headers = request.headers
    told = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if told is not None:
        foreign = told not in _OWN_SITES
    else:
        hosts = {headers.get("host"), headers.get("x-forwarded-host") if proxied else None}
        foreign = origin is not None and urlsplit(origin).netloc not in hosts
    if foreign:
        raise Problem(HTTPStatus.FORBIDDEN, f"{what} of another site's pages are not taken")


def cost_of(request: Request) -> int:
    """Return as how many requests this one counts; without a length, as one of the largest."""
    told = request.headers.get("content-length", "")
    unknown = BYTES_LIMIT if "transfer-encoding" in request.headers else 0
    size = min(int(told), BYTES_LIMIT) if told.isdecimal() else unknown
    return 1 + size // REQUEST_BYTES


async def read(request: Request, model: type[Model]) -> Model:
    """Return the body, which may be left out if the model needs nothing; Problem else."""
    content = await received(request, BYTES_LIMIT)
    if content:
        _check_type(request)
    # Hundreds of thousands of keys take longer than others may wait.
    document = await asyncio.to_thread(_parsed, content) if content else {}
    try:
        return model.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        said = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found[:10]]
        raise bad("; ".join(said)) from error


async def received(request: Request, limit: int, what: str = "body") -> bytes:
    """Return the bytes of a body; Problem if they are more than `limit`, or take too long."""
    close = {"Connection": "close"}
    text = f"the {what} is larger than {limit >> 10} KiB"
    too_large = Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text, close)
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > limit:
        raise too_large
    content = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                content += chunk
                if len(content) > limit:
                    raise too_large
    except TimeoutError as error:
        late = f"the {what} did not come in time"
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, late, close) from error
    except ClientDisconnect as error:
        raise bad(f"the {what} ended too early") from error
    return bytes(content)


def _check_type(request: Request) -> None:
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    plain = parameters.strip().lower().replace('"', "") in ("", "charset=utf-8")
    if kind.strip().lower() != _JSON or not plain or "content-encoding" in request.headers:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body has to be {_JSON} in UTF-8")


def _parsed(content: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        document = json.loads(
            content.decode("utf-8"), object_pairs_hook=_table, parse_constant=_no_number
        )
    except UnicodeDecodeError as error:
        raise bad("the body is no UTF-8") from error
    except RecursionError as error:
        raise bad("the body is nested too deeply") from error
    except ValueError as error:
        raise bad(f"the body is no JSON: {_where(error)}") from error
    _check(document)
    return document


def _where(error: ValueError) -> str:
    """Say where it is none, without what stands there."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return str(error) if isinstance(error, _NotStrict) else "a number is too long"


class _NotStrict(ValueError):
    """What other readers of JSON would take in one way or another."""


def _table(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _NotStrict("a key stands twice in one table")
        found[key] = value
    return found


def _no_number(_text: str) -> NoReturn:
    raise _NotStrict("NaN and Infinity are no numbers")


def _check(document: object) -> None:
    """Refuse depth, and what cannot be sent on or stored."""
    level: list[object] = [document]
    for _ in range(DEPTH_LIMIT):
        for one in level:
            _check_plain(one)
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise bad("the body is nested too deeply")


def _check_plain(value: object) -> None:
    texts = (value,) if isinstance(value, str) else value if isinstance(value, dict) else ()
    if any(_NO_TEXT.search(text) for text in texts):
        raise bad("a text in the body has a NUL or half a character in it")
    if isinstance(value, float) and not isfinite(value):
        raise bad("a number in the body is too large")
