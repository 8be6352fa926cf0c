"""Proxies on the way to an API server: which one leads there, and a line through it.

As Go's HTTP client chooses: a kubeconfig's `proxy-url` always, else `HTTPS_PROXY`, `HTTP_PROXY` and
`NO_PROXY`, in small letters too; what runs on this machine is asked directly.
"""

import base64
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    import ipaddress

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_HEAD_BYTES_LIMIT = 1 << 14
_SOCKS, _NO_LOGIN, _BY_PASSWORD = 5, 0, 2
_CONNECT, _BY_NAME = 1, 3
_ADDRESS_BYTES = {1: 4, 4: 16}
_WHY = {
    1: "it failed",
    2: "its rules do not allow it",
    3: "the network is unreachable",
    4: "the host is unreachable",
    5: "the connection was refused",
}


class ProxyRefused(OSError):
    """A proxy does not lead on; the text says why, without any login."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy."""

    scheme: str  # http or socks5
    host: str
    port: int
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def url(self) -> str:
        """Where it is and how to log in there."""
        login = ":".join(quote(part, safe="") for part in (self.username, self.password))
        return str(self).replace("://", f"://{login}@") if self.username else str(self)

    @property
    def authorization(self) -> str:
        """The value of the header Proxy-Authorization; empty for nobody."""
        if not self.username:
            return ""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"

    def connect(self, host: str, port: int, timeout_seconds: float) -> socket.socket:
        """Return a line to a host through the proxy; OSError if there is none."""
        line = socket.create_connection((self.host, self.port), timeout_seconds)
        try:
            if self.scheme == "http":
                _tunnel(line, host, port, self.authorization)
            else:
                _through_socks(line, host, port, self)
        except BaseException:
            line.close()
            raise
        return line


def proxy_of(url: str) -> Proxy:
    """Read the URL of a proxy; ValueError says why it cannot be used, and repeats no login."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme == "https":
        raise ValueError(
            "a proxy that is asked by https:// cannot be used: http:// or socks5:// can"
        )
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("a proxy is http://HOST:PORT or socks5://HOST:PORT")
    return Proxy(
        "http" if parts.scheme == "http" else "socks5",
        parts.hostname,
        parts.port or _PORTS[parts.scheme],
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )


def proxy_for(server: str, environment: Mapping[str, str]) -> Proxy | None:
    """Return the proxy that the environment names for a server; None: it is asked directly."""
    named = named_for(server, environment)
    return proxy_of(named) if named else None


def named_for(server: str, environment: Mapping[str, str]) -> str:
    """Return what the environment names for a server; empty: it is asked directly."""
    parts = urlsplit(server)
    name = "HTTPS_PROXY" if parts.scheme == "https" else "HTTP_PROXY"
    given = environment.get(name) or environment.get(name.lower(), "")
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    left_out = environment.get("NO_PROXY") or environment.get("no_proxy", "")
    return "" if _is_here(host) or _matches(left_out, host, port) else given


def _is_here(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(text: str) -> "ipaddress.IPv4Address | ipaddress.IPv6Address | None":
    import ipaddress  # noqa: PLC0415 - there is hardly ever a proxy

    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _matches(left_out: str, host: str, port: int) -> bool:
    return any(_is_meant(one.strip().lower(), host, port) for one in left_out.split(",") if one)


def _is_meant(one: str, host: str, port: int) -> bool:
    if one == "*":
        return True
    address = _address(host)
    if "/" in one and address is not None:
        import ipaddress  # noqa: PLC0415 - as above

        try:
            return address in ipaddress.ip_network(one, strict=False)
        except ValueError:
            return False
    name, colon, number = one.rpartition(":")
    if colon and number.isdecimal() and _address(one) is None:
        if int(number) != port:
            return False
        one = name.strip("[]")
    if address is not None:
        return _address(one) == address
    one = one.removeprefix("*")
    return host == one or host.endswith(one if one.startswith(".") else f".{one}")


def _tunnel(line: socket.socket, host: str, port: int, authorization: str) -> None:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    login = f"Proxy-Authorization: {authorization}\r\n" if authorization else ""
    line.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{login}\r\n".encode("ascii"))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _read(line, 1)  # no more than the head: what follows is the server's
        if len(head) > _HEAD_BYTES_LIMIT:
            raise ProxyRefused("the proxy answers no HTTP")
    _, _, said = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    if not said.startswith("200"):
        raise ProxyRefused(f"the proxy refuses: {said[:100]}")


def _through_socks(line: socket.socket, host: str, port: int, proxy: Proxy) -> None:
    wanted = _BY_PASSWORD if proxy.username else _NO_LOGIN
    line.sendall(bytes((_SOCKS, 1, wanted)))
    if _read(line, 2) != bytes((_SOCKS, wanted)):
        raise ProxyRefused("the proxy takes no such login")
    if proxy.username:
        pair = [text.encode()[:255] for text in (proxy.username, proxy.password)]
        line.sendall(b"\x01" + b"".join(bytes((len(text),)) + text for text in pair))
        if _read(line, 2)[1]:
            raise ProxyRefused("the proxy does not take the login")
    name = host.encode("idna")
    line.sendall(bytes((_SOCKS, _CONNECT, 0, _BY_NAME, len(name))) + name + port.to_bytes(2))
    _, reply, _, kind = _read(line, 4)
    if reply:
        raise ProxyRefused(
            f"the proxy does not get there: {_WHY.get(reply, 'it does not say why')}"
        )
    length = _ADDRESS_BYTES.get(kind) or _read(line, 1)[0]
    _read(line, length + 2)


def _read(line: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = line.recv(count - len(found))
        if not piece:
            raise ProxyRefused("the proxy ended the connection")
        found += piece
    return found
