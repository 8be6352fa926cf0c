"""Where the API server is and as whom to speak to it: in a cluster, or by a kubeconfig.

The main process reads neither YAML nor certificates: a kubeconfig is read by a short-lived child
(`whipstaff.kube.kubeconfig`), which also runs the exec plugins that some of them name.
"""

import asyncio
import json
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from aiohttp.abc import AbstractResolver

from whipstaff.errors import ClusterRefused
from whipstaff.kube.tls import tls_of

SERVICE_ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_FILE_SECONDS = 30.0  # the kubelet rotates tokens long before they expire
CHILD_SECONDS = 60.0  # an exec plugin may ask a remote service
EXPIRY_MARGIN_SECONDS = 30.0


class Connection(Protocol):
    """What the client needs to know; read anew for each request, so that it may change."""

    @property
    def server(self) -> str:
        """The URL of the API server, without a slash at its end."""
        ...

    @property
    def tls(self) -> ssl.SSLContext | bool:
        """How to check the server, and our certificate if we have one."""
        ...

    @property
    def server_name(self) -> str:
        """Whom the server's certificate must name; empty: the host of its URL."""
        ...

    @property
    def impersonation(self) -> Sequence[tuple[str, str]]:
        """The headers that ask to be taken for somebody else, where a request names nobody."""
        ...

    @property
    def proxy(self) -> str:
        """The URL of a proxy on the way; empty: there is none."""
        ...

    def resolver(self) -> AbstractResolver | None:
        """Return who finds and judges the addresses of the server; None: whoever usually does."""
        ...

    async def authorization(self) -> str:
        """Return the Authorization header, empty if a certificate speaks for us."""
        ...

    async def renew(self) -> None:
        """Forget a token that the server no longer takes."""
        ...


class _Usual:
    """A server that is called what its certificate says, at whatever address, asked directly."""

    server_name = ""
    impersonation: Sequence[tuple[str, str]] = ()
    proxy = ""

    def resolver(self) -> AbstractResolver | None:
        """Leave it to aiohttp."""
        return None


class InCluster(_Usual):
    """A pod's ServiceAccount: its token file is read again as the kubelet rotates it."""

    def __init__(self, server: str, folder: Path = SERVICE_ACCOUNT_FOLDER) -> None:
        self.server = server
        self.tls: ssl.SSLContext | bool = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        self._token_file = folder / "token"
        self._token = ""
        self._read_at = 0.0

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], folder: Path = SERVICE_ACCOUNT_FOLDER
    ) -> "InCluster":
        """Find the API server as each pod may; ClusterRefused outside of a cluster."""
        host, port = (
            environment.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT")
        )
        if not host or not (folder / "token").exists():
            raise ClusterRefused("this is no pod of a cluster: name a kubeconfig")
        return cls(f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}", folder)

    async def authorization(self) -> str:
        if not self._token or monotonic() - self._read_at > TOKEN_FILE_SECONDS:
            self._token = self._token_file.read_text(encoding="utf-8").strip()
            self._read_at = monotonic()
        return f"Bearer {self._token}"

    async def renew(self) -> None:
        self._token = ""


@dataclass
class Given(_Usual):
    """A connection whose facts are known."""

    server: str
    tls: ssl.SSLContext | bool
    token: str = ""

    async def authorization(self) -> str:
        return f"Bearer {self.token}" if self.token else ""

    async def renew(self) -> None:
        return


class Kubeconfig(_Usual):
    """A kubeconfig file and one of its contexts; `open` asks the child, so does an expiry."""

    def __init__(self, path: Path, context: str = "") -> None:
        self.server = ""
        self.namespace = ""  # that the context names, if it names one
        self.tls: ssl.SSLContext | bool = True
        self._path = path
        self._context = context
        self._authorization = ""
        self._expires_at: float | None = None
        self._reading = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path, context: str = "") -> "Kubeconfig":
        """Read the file; ClusterRefused says why it cannot be used."""
        connection = cls(path, context)
        await connection._read()
        return connection

    async def authorization(self) -> str:
        if self._has_expired():
            async with self._reading:
                if self._has_expired():  # or somebody else has just read it
                    await self._read()
        return self._authorization

    def _has_expired(self) -> bool:
        return self._expires_at is not None and monotonic() >= self._expires_at

    async def renew(self) -> None:
        # A file with a fixed token may have been edited; one with a plugin gets a new token.
        self._expires_at = monotonic()

    async def _read(self) -> None:
        facts = await _ask_child(self._path, self._context)
        if not self.server:
            self.server = facts["server"]
            self.namespace = facts["namespace"]
            self.tls = tls_of(facts)
        self._authorization = facts["authorization"]
        left = facts["expires_in_seconds"]
        self._expires_at = None if left is None else monotonic() + left - EXPIRY_MARGIN_SECONDS


async def _ask_child(path: Path, context: str) -> dict[str, Any]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # by its path, but without this folder among the modules
        str(Path(__file__).with_name("kubeconfig.py")),
        str(path),
        context,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(CHILD_SECONDS):
            answer, complaint = await child.communicate()
    except TimeoutError as error:
        raise ClusterRefused(f"{path}: no credentials within {CHILD_SECONDS:.0f} s") from error
    finally:
        if child.returncode is None:  # too late, or nobody waits any more
            child.kill()
            await child.wait()
    if child.returncode != 0:
        said = complaint.decode(errors="replace").strip().splitlines()
        raise ClusterRefused(f"{path} cannot be used: {said[-1] if said else 'no reason given'}")
    facts: dict[str, Any] = json.loads(answer)
    return facts
