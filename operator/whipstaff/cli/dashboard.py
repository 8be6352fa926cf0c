"""`whipstaff dashboard`: the gateway's page in a browser, through the API server."""

import asyncio
import signal
import time
import webbrowser
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import click

from whipstaff.cli.cluster_flags import way_flags, way_of
from whipstaff.cli.forwarding import Forwarder
from whipstaff.errors import OperatorError
from whipstaff.kube.access import Access
from whipstaff.kube.direct import Call, Direct
from whipstaff.settings import VERSION

TOKEN_SECONDS = 3600
PAGE = "ui/"


@click.command("dashboard")
@click.option(
    "-n",
    "--namespace",
    default="whipstaff-system",
    show_default=True,
    help="Namespace of the gateway.",
)
@click.option(
    "--service", default="whipstaff-gateway", show_default=True, help="Service of the gateway."
)
@click.option(
    "--service-account",
    default="",
    metavar="[NAMESPACE/]NAME",
    help="Be this ServiceAccount to the gateway, as which you may make tokens.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of this machine; any that is free if 0.",
)
@click.option("--no-browser", is_flag=True, help="Print the URL, and open no browser.")
@way_flags
def dashboard(
    *,
    namespace: str,
    service: str,
    service_account: str,
    port: int,
    no_browser: bool,
    **flags: Any,  # noqa: ANN401 - click's own types
) -> None:
    """Open the gateway's page, through the API server."""
    try:
        way = way_of(flags)
        proof = Proof(way, *_account(service_account, way.namespace))
        place = f"/api/v1/namespaces/{quote(namespace, safe='')}/services"
        prefix = f"{place}/https:{quote(service, safe='')}:https/proxy"
        forwarder = Forwarder(way, prefix, proof.token, PAGE)
        asyncio.run(_serve(forwarder, port, proof, browser=not no_browser))
    except OperatorError as error:
        text = f"the gateway {namespace}/{service} cannot be reached: {error.text}"
        raise click.ClickException(text) from error
    except OSError as error:
        raise click.ClickException(f"port {port}: {error.strerror or error}") from error


def _account(text: str, namespace: str) -> tuple[str, str]:
    before, slash, name = text.partition("/")
    return (before, name) if slash else (namespace, text)


async def _serve(forwarder: Forwarder, port: int, proof: "Proof", *, browser: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with forwarder.listening(port):
        await forwarder.check()
        if not await proof.token():
            click.echo(
                "The kubeconfig has no token, so the page asks for one: `kubectl create token NAME`"
                " makes it, and so does --service-account NAME.",
                err=True,
            )
        click.echo(f"Whipstaff is at {forwarder.url}")
        click.echo("Ctrl-C ends it.", err=True)
        if browser:
            await asyncio.to_thread(_open, forwarder.single_url)
        await stopped.wait()


def _open(url: str) -> None:
    with suppress(webbrowser.Error):  # the URL is printed
        webbrowser.open(url)


@dataclass
class Proof:
    """Who somebody is to the gateway: by the kubeconfig's token, or by one of a ServiceAccount."""

    access: Access
    namespace: str
    account: str  # empty: whom the kubeconfig names
    _made: str = field(default="", repr=False)
    _until: float = 0.0
    _making: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def token(self) -> str:
        """Return a token that is still good, empty if there is none; or ClusterRefused."""
        if not self.account:
            kind, _, token = self.access.headers.get("Authorization", "").partition(" ")
            return token if kind == "Bearer" else ""
        async with self._making:
            if time.monotonic() > self._until:
                self._made = await asyncio.to_thread(self._make)
                self._until = time.monotonic() + TOKEN_SECONDS / 2
        return self._made

    def _make(self) -> str:
        place = f"/api/v1/namespaces/{quote(self.namespace, safe='')}/serviceaccounts"
        call = Call(
            "POST",
            f"{place}/{quote(self.account, safe='')}/token",
            body={
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": TOKEN_SECONDS},
            },
            subject=f"token of ServiceAccount {self.namespace}/{self.account}",
        )
        client = Direct(self.access, f"whipstaff-cli/{VERSION}")
        try:
            answer = client.send(call)
        finally:
            client.close()
        return str((answer.get("status") or {}).get("token") or "")
