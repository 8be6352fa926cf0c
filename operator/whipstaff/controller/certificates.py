"""Keeps the certificate of the admission webhook: made, told to the API server, renewed in time.

A new certificate comes with a new authority. The API server is told of it while it still trusts the
last one, and only then is it shown: no request in between is refused.
"""

import asyncio
import logging
import re
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Protocol

from whipstaff.errors import OperatorError
from whipstaff.kube.admission import Serving
from whipstaff.reconcile.ports import Clock
from whipstaff.workers.certificate import ServingCertificate

log = logging.getLogger(__name__)

POLL_SECONDS = 60.0
RETRY_SECONDS = 5.0
SETTLE_SECONDS = 5.0  # until every API server heard of a new authority
_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME: we have our own clock
_POLLS = 60  # in the life of a certificate at least
_AUTHORITY = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", re.DOTALL)


class Store(Protocol):
    """Where the certificate lives, and who must know it."""

    async def read(self) -> Serving | None:
        """Return what is stored."""
        ...

    async def write(self, serving: Serving) -> bool:
        """Store it; False if someone else did so meanwhile."""
        ...

    async def announce(self, authorities: str, path: str) -> None:
        """Have the API server trust these authorities and ask at this path."""
        ...


class Maker(Protocol):
    """Who makes certificates."""

    async def make_certificate(
        self, names: tuple[str, ...], now: int, seconds: float
    ) -> ServingCertificate:
        """Return a new one, of an authority of its own."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a certificate must be."""

    names: tuple[str, ...]
    seconds: float


class Certificates:
    """`tls` shows the newest certificate, `path` is what the API server asks at."""

    def __init__(self, store: Store, maker: Maker, clock: Clock, wanted: Wanted) -> None:
        self._store = store
        self._maker = maker
        self._clock = clock
        self._wanted = wanted
        self._shown: Serving | None = None
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_2

    @property
    def path(self) -> str:
        """The secret part of the path; empty while there is no certificate."""
        return self._shown.path if self._shown else ""

    async def keep(self, served: Callable[[], Awaitable[None]]) -> None:
        """Look after it for ever; `served` is called when there is one for the first time."""
        serving = False
        while True:
            try:
                await self.look()
            except (OperatorError, OSError) as error:
                log.warning("admission certificate not kept", extra={"why": str(error)})
                pause = RETRY_SECONDS
            else:
                pause = min(POLL_SECONDS, self._wanted.seconds / _POLLS)
                if not serving:
                    await served()
                    serving = True
            await asyncio.sleep(pause)

    async def look(self) -> None:
        """Show what is stored, or make a new one if that is none, of others or nearly over."""
        held = await self._store.read()
        if held is None or not self._good(held):
            held = await self._renew(held)
        await self._store.announce(held.authorities, held.path)
        if self._shown is None or held.certificate != self._shown.certificate:
            if self._shown is not None:
                await asyncio.sleep(SETTLE_SECONDS)
            _show(self.tls, held)
        self._shown = held

    def _good(self, held: Serving) -> bool:
        left = held.expires - self._clock.seconds()
        wanted = self._wanted
        # What says that it is good for longer was written by somebody else.
        if set(held.names) != set(wanted.names) or not wanted.seconds / 3 <= left <= wanted.seconds:
            return False
        return _is_sound(held)

    async def _renew(self, held: Serving | None) -> Serving:
        wanted, now = self._wanted, self._clock.seconds()
        old = self._shown or held
        made = await self._maker.make_certificate(wanted.names, now, wanted.seconds)
        # What is shown stays trusted, whatever became of the Secret.
        trusted = self._shown or (held if held and _is_sound(held) else None)
        last = _AUTHORITY.findall(trusted.authorities)[:1] if trusted else []
        new = Serving(
            authorities="".join((made.authority, *last)),
            certificate=made.certificate,
            key=made.key,
            path=old.path if old else token_hex(24),
            expires=int(now + wanted.seconds),
            names=wanted.names,
            version=held.version if held else "",
        )
        # Before it is stored: who starts in between shows at once what is stored.
        await self._store.announce(new.authorities, new.path)
        if await self._store.write(new):
            log.info("admission certificate made", extra={"expires": new.expires})
            return new
        raise OperatorError("someone else wrote the certificate at the same time")


def _is_sound(serving: Serving) -> bool:
    """Whether it can be served with, and nobody else wrote into it."""
    try:
        _shake_hands(serving)
    except (ssl.SSLError, TypeError, ValueError):
        return False
    return True


def _shake_hands(serving: Serving) -> None:
    """Show a certificate to a client that trusts its authorities; raises why that fails."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _show(server, serving)
    client = ssl.create_default_context(cadata=serving.authorities)
    client.verify_flags |= _NO_CHECK_TIME
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(back, there, server_hostname=serving.names[0]),
        server.wrap_bio(there, back, server_side=True),
    )
    for end in ends * 2:
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()


def _show(tls: ssl.SSLContext, serving: Serving) -> None:
    """Have new connections see a certificate; Python takes it from a file alone."""
    with tempfile.NamedTemporaryFile("w", encoding="ascii", suffix=".pem") as file:  # mode 0600
        file.write(serving.key + serving.certificate)
        file.flush()
        tls.load_cert_chain(file.name)
