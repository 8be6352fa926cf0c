"""sprig's URLs: taken apart into a map, and put together from one."""

from __future__ import annotations

from whipstaff.golang import url
from whipstaff.golang.values import kind_of
from whipstaff.template.errors import FunctionError
from whipstaff.template.functions.lists import NIL_POINTER
from whipstaff.template.functions.registry import Function, GoType, function

FAMILY: dict[str, Function] = {}


@function("urlParse", GoType.STRING)
def url_parse(text: str) -> dict[str, object]:
    """The parts of a URL."""
    try:
        parsed = url.parse(text)
    except url.URLError as error:
        raise FunctionError(f"unable to parse url: {error}") from error
    return {
        "scheme": parsed.scheme,
        "host": parsed.host,
        "hostname": parsed.hostname,
        "path": parsed.path,
        "query": parsed.query,
        "opaque": parsed.opaque,
        "fragment": parsed.fragment,
        "userinfo": parsed.userinfo or "",
    }


@function("urlJoin", GoType.DICT)
def url_join(parts: dict[str, object] | None) -> str:
    """The URL of these parts."""
    given = parts or {}
    joined = url.URL(
        scheme=_part(given, "scheme"),
        host=_part(given, "host"),
        path=_part(given, "path"),
        query=_part(given, "query"),
        opaque=_part(given, "opaque"),
        fragment=_part(given, "fragment"),
    )
    userinfo = _part(given, "userinfo")
    if userinfo:
        try:
            joined.userinfo = url.parse(f"proto://{userinfo}@host").userinfo
        except url.URLError as error:
            raise FunctionError(f"unable to parse userinfo in dict: {error}") from error
    return str(joined)


def _part(parts: dict[str, object], name: str) -> str:
    value = parts.get(name, "")
    if value is None:
        raise FunctionError(NIL_POINTER)
    if not isinstance(value, str):
        raise FunctionError(
            f"unable to parse {name} key, must be of type string, but {kind_of(value)} found"
        )
    return str(value)
