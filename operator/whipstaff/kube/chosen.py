"""The way to a cluster that a person has chosen, as the operator's own client takes it."""

import asyncio
import ssl
from collections.abc import Sequence

from aiohttp.abc import AbstractResolver

from whipstaff.errors import ClusterRefused
from whipstaff.kube.access import Access
from whipstaff.kube.proxies import Proxy


class Chosen:
    """The connection that an `Access` describes."""

    def __init__(self, access: Access) -> None:
        self.server = access.server
        self.server_name = access.server_name
        self.tls: ssl.SSLContext | bool = access.tls
        self.impersonation: Sequence[tuple[str, str]] = _impersonation(access)
        self.proxy = _url(access.proxy)
        self._access = access

    def resolver(self) -> AbstractResolver | None:
        return None

    async def authorization(self) -> str:
        return self._access.headers.get("Authorization", "")

    async def renew(self) -> None:
        await asyncio.to_thread(self._access.renew)


def _impersonation(access: Access) -> list[tuple[str, str]]:
    user = access.headers.get("Impersonate-User", "")
    groups = [("Impersonate-Group", group) for group in access.groups]
    return [("Impersonate-User", user), *groups] if user else groups


def _url(proxy: Proxy | None) -> str:
    if proxy is None:
        return ""
    if proxy.scheme != "http":
        raise ClusterRefused(f"{proxy}: this command goes through proxies of http:// only")
    return proxy.url
