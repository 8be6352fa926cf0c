"""URLs as net/url parses and writes them, in bytes."""

import ipaddress
import re
from dataclasses import dataclass

from whipstaff.golang.strconv import quote
from whipstaff.golang.values import go_bytes, go_text

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_PATH = _UNRESERVED | frozenset(b"$&+,/:;=@")
_USER = _UNRESERVED | frozenset(b"$&+,;=")
_HOST = _UNRESERVED | frozenset(b"!$&'()*+,;=:[]<>\"")
_FRAGMENT = _UNRESERVED | frozenset(b"$&+,/:;=?@!()*")
_FIRST_NON_ASCII = 0x80

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PORT = re.compile(r"(?::[0-9]*)?")
_USERINFO = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}")


class URLError(ValueError):
    """A text that is no URL; the text is net/url's."""


@dataclass(slots=True)
class URL:
    """A URL in parts, each without its escapes; writing it escapes what must be."""

    scheme: str = ""
    opaque: str = ""
    userinfo: str | None = None  # escaped
    host: str = ""
    path: str = ""
    query: str = ""
    fragment: str = ""

    @property
    def hostname(self) -> str:
        """The host without its port and without the brackets of an IPv6 address."""
        host, colon, port = self.host.rpartition(":")
        if not colon or not _PORT.fullmatch(colon + port):
            host = self.host
        return host[1:-1] if host.startswith("[") and host.endswith("]") else host

    def __str__(self) -> str:
        text = f"{self.scheme}:" if self.scheme else ""
        text += self.opaque or self._hierarchy(bare=not text)
        if self.query:
            text += f"?{self.query}"
        if self.fragment:
            text += f"#{_escape(self.fragment, _FRAGMENT)}"
        return text

    def _hierarchy(self, *, bare: bool) -> str:
        text = ""
        if (self.scheme or self.host or self.userinfo is not None) and (
            self.host or self.path or self.userinfo is not None
        ):
            text = "//"
            if self.userinfo is not None:
                text += f"{self.userinfo}@"
            text += _escape(self.host, _HOST)
        path = "*" if self.path == "*" else _escape(self.path, _PATH)
        if path and not path.startswith("/") and self.host:
            text += "/"
        if bare and not text and ":" in path.partition("/")[0]:
            text = "./"
        return text + path


def parse(text: str) -> URL:
    """Read a URL, or raise URLError."""
    before, _, fragment = text.partition("#")
    try:
        url = _parse(before)
    except URLError as error:
        raise URLError(f"parse {quote(before)}: {error}") from error
    try:
        url.fragment = _unescape(fragment)
    except URLError as error:
        raise URLError(f"parse {quote(text)}: {error}") from error
    return url


def _parse(text: str) -> URL:
    if _CONTROL.search(text):
        raise URLError("net/url: invalid control character in URL")
    if text == "*":
        return URL(path="*")
    if text.startswith(":"):
        raise URLError("missing protocol scheme")
    found = _SCHEME.fullmatch(text)
    scheme, rest = (found[1].lower(), found[2]) if found else ("", text)
    rest, _, query = rest.partition("?")
    if not rest.startswith("/"):
        if scheme:
            return URL(scheme=scheme, opaque=rest, query=query)
        if ":" in rest.partition("/")[0]:
            raise URLError("first path segment in URL cannot contain colon")
    url = URL(scheme=scheme, query=query)
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, rest = rest[2:].partition("/")
        rest = slash + rest
        url.userinfo, url.host = _parse_authority(scheme, authority)
    url.path = _unescape(rest)
    return url


def _parse_authority(scheme: str, authority: str) -> tuple[str | None, str]:
    userinfo, at, host = authority.rpartition("@")
    host = _parse_host(scheme, host)
    if not at:
        return None, host
    if not _USERINFO.fullmatch(userinfo):
        raise URLError("net/url: invalid userinfo")
    user, colon, password = userinfo.partition(":")
    spelled = _escape(_unescape(user), _USER)
    return spelled + (colon and colon + _escape(_unescape(password), _USER)), host


def _parse_host(scheme: str, host: str) -> str:
    bracket = host.rfind("[")
    if bracket > 0:
        raise URLError("invalid IP-literal")
    if bracket == 0:
        return _parse_ip_literal(host)
    first, last = host.find(":"), host.rfind(":")
    if first >= 0:
        # Lists of hosts are tolerated, but not where a browser would go.
        _check_port(host[first if scheme in {"http", "https"} else last :])
    return _unescape_host(host)


def _parse_ip_literal(host: str) -> str:
    close = host.rfind("]")
    if close < 0:
        raise URLError("missing ']' in host")
    _check_port(host[close + 1 :])
    address, percent, zone = host[1:close].partition("%25")
    address = _unescape_host(address)
    zone = _unescape(zone)
    spelled = f"{address}%{zone}" if percent else address
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError as error:
        raise URLError(f"invalid host: ParseAddr({quote(spelled)}): unable to parse IP") from error
    if parsed.version == 4:  # noqa: PLR2004  as Go has it
        raise URLError("invalid IP-literal")
    return f"[{spelled}]{host[close + 1 :]}"


def _check_port(port: str) -> None:
    if not _PORT.fullmatch(port):
        raise URLError(f"invalid port {quote(port)} after host")


def _unescape_host(text: str) -> str:
    data = go_bytes(text)
    position = 0
    while position < len(data):
        if data[position : position + 1] == b"%":
            escape = _escape_at(data, position)
            # A host may escape what is no ASCII, and the percent sign itself.
            if int(escape[1:], 16) < _FIRST_NON_ASCII and escape != b"%25":
                raise URLError(f"invalid URL escape {quote(go_text(escape))}")
            position += 3
            continue
        if data[position] < _FIRST_NON_ASCII and data[position] not in _HOST:
            char = chr(data[position])
            raise URLError(f"invalid character {quote(char)} in host name")
        position += 1
    return _unescape(text)


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    data = go_bytes(text)
    pieces: list[bytes] = []
    position = 0
    while (percent := data.find(b"%", position)) >= 0:
        pieces += (data[position:percent], bytes([int(_escape_at(data, percent)[1:], 16)]))
        position = percent + 3
    pieces.append(data[position:])
    return go_text(b"".join(pieces))


def _escape_at(data: bytes, position: int) -> bytes:
    escape = data[position : position + 3]
    if not _ESCAPE.fullmatch(escape):
        raise URLError(f"invalid URL escape {quote(go_text(escape))}")
    return escape


def _escape(text: str, allowed: frozenset[int]) -> str:
    data = go_bytes(text)
    if allowed.issuperset(data):
        return text
    return "".join(chr(byte) if byte in allowed else f"%{byte:02X}" for byte in data)
