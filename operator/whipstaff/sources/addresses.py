"""Which addresses may be asked, for charts above all, judged after a name was resolved."""

import asyncio
import ipaddress
import math
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Endpoint = tuple[Address, int]

_LOOKED_UP_SECONDS = 60.0

# Services of clouds that hand out credentials and are not link-local.
_METADATA = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "168.63.129.16", "fd00:ec2::254"))
)
_PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"),
    )
)
# IPv6 addresses behind which a translator reaches the IPv4 address of their last 32 bits; those of
# the last network are written `::a.b.c.d`, and `::` and `::1` are none of them.
_TRANSLATED = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96")))
_LAST_OF_ITS_OWN = ipaddress.IPv6Address("::1")


class ForbiddenAddressError(OSError):
    """A name or URL leads to an address that is not for charts."""


class ApiServer:
    """The API server's addresses: looked up again when they are a minute old."""

    def __init__(self, host: str, port: int, monotonic: Callable[[], float]) -> None:
        self._host = host
        self._port = port
        self._monotonic = monotonic
        self._known = endpoints([(host, port)])
        self._looked_at = -math.inf

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._known)

    async def renew(self) -> None:
        """Look the name up, unless that was done a moment ago; without an answer the old stays."""
        if self._monotonic() - self._looked_at < _LOOKED_UP_SECONDS:
            return
        self._looked_at = self._monotonic()
        try:
            found = await asyncio.get_running_loop().getaddrinfo(self._host, self._port)
        except OSError:  # who asks the API server will say so
            return
        addresses = [str(one[4][0]) for one in found]
        self._known = endpoints((one, self._port) for one in (self._host, *addresses))


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What is refused."""

    allow_loopback: bool = True
    allow_private: bool = True
    api_server: ApiServer | frozenset[Endpoint] = frozenset()
    judge: bool = True
    purpose: str = "chart repositories"  # what the addresses are for, in a refusal

    @classmethod
    def unlimited(cls) -> "AddressPolicy":
        """Refuse nothing: whoever runs a command may send it anywhere."""
        return cls(judge=False)

    async def renew(self) -> None:
        """Find out where the API server is by now."""
        if isinstance(self.api_server, ApiServer):
            await self.api_server.renew()

    def refuse(self, address: Address, port: int) -> None:
        """Raise ForbiddenAddressError for what is no place for a chart repository."""
        if not self.judge:
            return
        actual = _actual(address)
        if self._is_api_server(actual, port):
            raise ForbiddenAddressError(f"{actual} is the API server's address")
        if actual.is_loopback and self.allow_loopback:
            return
        private = any(actual in network for network in _PRIVATE)
        if (
            actual.is_loopback
            or actual.is_link_local
            or actual.is_multicast
            or actual.is_unspecified
            or actual in _METADATA
            or (private and not self.allow_private)
        ):
            raise ForbiddenAddressError(f"{actual} is no address for {self.purpose}")

    def refuse_literal(self, host: str, port: int) -> None:
        """Judge a host of a URL that is an address already; names are judged when resolved."""
        address = literal(host)
        if address is not None:
            self.refuse(address, port)

    def _is_api_server(self, address: Address, port: int) -> bool:
        """On a machine's own addresses other ports may be charts'; elsewhere none is."""
        return any(
            address == known and (port == known_port or not known.is_loopback)
            for known, known_port in self.api_server
        )


def literal(host: str) -> Address | None:
    """Read an address, None for a name; a zone after `%` does not count."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def endpoints(found: Iterable[tuple[str, int]]) -> frozenset[Endpoint]:
    """Return the API server's addresses as a policy has them."""
    return frozenset(
        (_actual(address), port) for host, port in found if (address := literal(host)) is not None
    )


def _actual(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, if it stands for one."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address > _LAST_OF_ITS_OWN and any(address in network for network in _TRANSLATED):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


class CheckingResolver(AbstractResolver):
    """Resolves names as usual and refuses the answers that it must.

    What it returns is what is connected to: a name that resolves to something else the next time
    is judged anew.
    """

    def __init__(self, policy: AddressPolicy) -> None:
        self._resolver = aiohttp.ThreadedResolver()
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await self._policy.renew()
        found = await self._resolver.resolve(host, port, family)
        for one in found:
            self._policy.refuse_literal(one["host"], port)
        return found

    async def close(self) -> None:
        await self._resolver.close()


class JudgedAddresses:
    """Judges a server once before it is asked, and again whenever its name is resolved."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy

    async def refusal(self, host: str, port: int) -> str:
        """Return why a server may not be asked, empty if it may; or OSError."""
        await self._policy.renew()
        found = await asyncio.get_running_loop().getaddrinfo(host, port)
        try:
            for one in found:
                self._policy.refuse_literal(str(one[4][0]), port)
        except ForbiddenAddressError as error:
            return str(error)
        return ""

    def resolver(self) -> AbstractResolver:
        """Return what resolves names, and refuses what `refusal` would."""
        return CheckingResolver(self._policy)
