"""Who looks at pages: a token in a cookie that no script reads and no other site's page sends.

Nothing of it is kept here, so any number of gateways may answer. The cookie has no path of its
own: browsers send it to where it came from, which behind a proxy is a path that only they know.
"""

import hmac
import re
import secrets
from http import HTTPStatus
from urllib.parse import parse_qsl

from fastapi import Request, Response

from whipstaff.gateway.bodies import check_site, received
from whipstaff.gateway.problems import Problem, bad

TOKEN = "whipstaff-token"  # noqa: S105 - a cookie's name
FORM = "whipstaff-form"  # a cookie, and the field of each form that repeats it
TOKEN_BYTES_LIMIT = 3800  # a cookie has 4096 in all

FORM_BYTES_LIMIT = 16 << 10
_FIELDS_LIMIT = 20
_FORM_KEY = re.compile("[0-9a-f]{32}")
_FORM_TYPE = "application/x-www-form-urlencoded"
# A page of ours, as what comes after `ui/`: nothing that could be another site.
_NEXT = re.compile(r"(?!.*//)(?!.*\.\.)([A-Za-z0-9][A-Za-z0-9/._-]*)?(\?[A-Za-z0-9&=%._+-]*)?")


def told(request: Request, headers: list[str]) -> list[str]:
    """Return what a request says about who asks: its headers, or else its cookie."""
    token = request.cookies.get(TOKEN, "")
    return headers or ([f"Bearer {token}"] if token else [])


def keep(request: Request, response: Response, token: str) -> None:
    """Have the browser send a token along until it is closed."""
    _set(request, response, TOKEN, token)


def forget(request: Request, response: Response) -> None:
    """Have the browser forget the token."""
    _set(request, response, TOKEN, "", 0)


def form_key(request: Request) -> str:
    """Return what each form of this browser repeats; a new one if it has none."""
    key = request.cookies.get(FORM, "")
    return key if _FORM_KEY.fullmatch(key) else secrets.token_hex(16)


def keep_form_key(request: Request, response: Response, key: str) -> None:
    """Have the browser know what its forms repeat."""
    if request.cookies.get(FORM) != key:
        _set(request, response, FORM, key)


def _set(
    request: Request, response: Response, name: str, value: str, seconds: int | None = None
) -> None:
    proto = request.headers.get("x-forwarded-proto", request.url.scheme)
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=None,
        secure=proto == "https",
        httponly=True,
        samesite="strict",
    )


async def form(request: Request) -> dict[str, str]:
    """Return the fields of a form that one of our own pages had; Problem else.

    Whoever is known by a certificate, or by a proxy that adds a token, is known to every request
    of the browser: so another site's page must not be able to send one.
    """
    check_site(request, "forms", proxied=True)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM_TYPE:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body has to be {_FORM_TYPE}")
    content = await received(request, FORM_BYTES_LIMIT, "form")
    try:
        pairs = parse_qsl(
            content.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(content),
            errors="strict",
            max_num_fields=_FIELDS_LIMIT,
        )
    except ValueError as error:
        raise bad("the body is no form") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise bad("a field of the form is there twice")
    key = request.cookies.get(FORM, "")
    if not _FORM_KEY.fullmatch(key) or not hmac.compare_digest(
        key.encode(), fields.pop("form", "").encode()
    ):
        raise Problem(HTTPStatus.FORBIDDEN, "the form is not of a page of this browser; try again")
    return fields


def is_from_elsewhere(request: Request) -> bool:
    """Whether a link of another site led here: browsers send no cookie of ours then."""
    return request.headers.get("sec-fetch-site") in ("cross-site", "same-site")


def next_page(text: str) -> str:
    """Return a page of ours, relative to `ui/`, to go on to; empty for anything else."""
    return text if _NEXT.fullmatch(text) else ""
