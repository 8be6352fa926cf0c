"""The way to repositories and registries: through a proxy, where the environment names one."""

import time

from yarl import URL

from whipstaff.cli.registry_login import own_environment
from whipstaff.errors import ChartUnavailable
from whipstaff.kube.proxies import named_for
from whipstaff.sources.addresses import AddressPolicy
from whipstaff.sources.fetch import displayed
from whipstaff.sources.oci_client import RegistryClient

_SCHEMES = ("http", "https")


def proxy_for(url: URL) -> URL | None:
    """Return the proxy that leads to a URL, None where it is asked directly.

    ChartUnavailable for one that cannot be used.
    """
    named = named_for(str(url), own_environment())
    if not named:
        return None
    text = named if "://" in named else f"http://{named}"
    try:
        proxy = URL(text)
    except ValueError:
        proxy = URL()
    if proxy.scheme not in _SCHEMES or not proxy.host:
        why = "the environment names a proxy that cannot be used: http://HOST:PORT can"
        raise ChartUnavailable(f"{displayed(url)}: {why}", displayed(url))
    return proxy


def registry_client() -> RegistryClient:
    """Return a client for a command: whoever runs one may send it anywhere."""
    return RegistryClient(AddressPolicy.unlimited(), time.monotonic, proxy_for)
