"""An HTTP proxy between the operator and the API server, which does wrong what a test asks for.

    with FaultProxy(cluster) as proxy:
        proxy.add(Answer(503), Match("POST", r"/secrets$"), times=3)
        proxy.freeze_watches(r"/helmreleases$")

It ends TLS with the certificate of the control plane, so that a kubeconfig needs another URL only.
"""

import asyncio
import contextlib
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


@dataclass(frozen=True)
class Match:
    """Which requests a rule is about: `path` is a pattern that is searched, empty matches all.

    `method` is a pattern too, of the whole word.
    """

    method: str = ""
    path: str = ""
    watch: bool | None = None  # None: watches and others

    def __call__(self, request):
        return (
            re.fullmatch(self.method or ".*", request.method) is not None
            and re.search(self.path, request.path) is not None
            and self.watch in (None, "watch" in request.query)
        )


@dataclass(frozen=True)
class Answer:
    """Answer in the API server's place, which hears nothing of the request."""

    code: int
    reason: str = ""
    headers: dict = field(default_factory=dict)


@dataclass(frozen=True)
class First:
    """Forward it once something else was done."""

    act: Callable[[], object]


@dataclass(frozen=True)
class Drop:
    """Cut the connection before the request is forwarded."""


@dataclass(frozen=True)
class Delay:
    """Forward it late."""

    seconds: float


@dataclass(frozen=True)
class SwallowReply:
    """Forward it, and cut the connection in place of the reply."""


@dataclass(frozen=True)
class Belie:
    """Forward it, and answer an error in place of the reply, as a proxy that lost patience."""

    code: int


@dataclass(frozen=True)
class Repeat:
    """Forward it twice, as a network may; the second reply is handed on."""


@dataclass
class Stale:
    """Answer each time what the API server answered the first time."""

    kept: web.Response | None = None
    told: int = 0  # how often


@dataclass
class _Rule:
    fault: object
    match: Match
    left: int | None  # how many requests it still is about; None: all
    every: int  # it is about each n-th request that matches
    seen: int = 0
    happened: int = 0

    def applies(self, request):
        if self.left == 0 or not self.match(request):
            return False
        self.seen += 1
        if self.seen % self.every:
            return False
        self.happened += 1
        if self.left is not None:
            self.left -= 1
        return True


class _Watch:
    """One open watch: what is written to it goes through here."""

    def __init__(self, path, response, request):
        self.path = path
        self.response = response
        self.frozen = False
        self._request = request

    async def pass_on(self, data):
        if not self.frozen:
            await self.response.write(data)

    def cut(self):
        if self._request.transport is not None:
            self._request.transport.abort()


class FaultProxy:
    """Forwards to the API server of a control plane while its `with` block lasts."""

    def __init__(self, cluster):
        self.url = ""
        self.requests = []  # (method, path, code) of each answered request, in order; watches too
        self.answered = []  # (time, method, path with its query, code) of the same
        self.most_at_once = 0  # requests under way, without watches; to be set back by the test
        self._under_way = 0
        self._cluster = cluster
        self._rules = []
        self._frozen = re.compile(r"(?!)")  # new watches that match stay silent from the start
        self._watches = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(self, *_):
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def add(self, fault, match=None, times=None, every=1):
        """Let a fault happen to the requests that match, `times` of them or all until `heal`.

        With `every`, to each n-th of them. The rule that was added first wins. Returns it, with
        `left` to read how much of it is left, and `happened`.
        """
        rule = _Rule(fault, match or Match(), times, every)
        self._rules.append(rule)
        return rule

    def heal(self):
        """Forward everything; a frozen watch stays so, new ones are not."""
        self._rules.clear()
        self._frozen = re.compile(r"(?!)")

    def watching(self, path):
        """Count the open watches of a path that hear something."""
        return len([watch for watch in self._matching(path) if not watch.frozen])

    def freeze_watches(self, path, *, new_ones=False):
        """Send no byte any more on the open watches of a path, and keep them open."""
        if new_ones:
            self._frozen = re.compile(path)
        for watch in self._matching(path):
            watch.frozen = True

    def cut_watches(self, path):
        """Reset the connections of the open watches of a path."""
        for watch in self._matching(path):
            self._loop.call_soon_threadsafe(watch.cut)

    def inject(self, path, data):
        """Send bytes on the open watches of a path, as if the API server had; say on how many."""
        written = 0
        for watch in self._matching(path):
            with contextlib.suppress(ConnectionError):
                self._run(watch.response.write(data))
                written += 1
        return written

    def asked(self, match):
        """Count the answered requests of a method and path."""
        return len(
            [
                method
                for method, path, _ in self.requests
                if match.method in ("", method) and re.search(match.path, path)
            ]
        )

    def _matching(self, path):
        return [watch for watch in list(self._watches) if re.search(path, watch.path)]

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _start(self):
        trust = ssl.create_default_context(cafile=str(self._cluster.ca_certificate))
        self._upstream = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=2),
            auto_decompress=False,
        )
        application = web.Application(client_max_size=64 << 20)
        application.router.add_route("*", "/{path:.*}", self._handle)
        # A handler ends when its client leaves: a watch is open only while someone listens.
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await self._runner.setup()
        secrets = self._cluster.layout.secrets
        own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        own.load_cert_chain(secrets / "server.crt", secrets / "server.key")
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=own)
        await site.start()
        self.url = f"https://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self):
        for watch in list(self._watches):
            watch.cut()
        await self._runner.cleanup()
        await self._upstream.close()
        await asyncio.sleep(0.1)  # connections close some steps later

    async def _handle(self, request):
        body = await request.read()
        counted = "watch" not in request.query
        self._under_way += counted
        self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            return await self._answer(request, body)
        finally:
            self._under_way -= counted

    async def _answer(self, request, body):
        match self._fault_for(request):
            case Answer() as answer:
                return self._note(request, _answered(answer))
            case Drop():
                return _cut(request)
            case Delay(seconds):
                await asyncio.sleep(seconds)
            case First(act):
                await asyncio.to_thread(act)
            case SwallowReply():
                async with await self._forward(request, body) as reply:
                    await reply.read()
                return _cut(request)
            case Belie(code):
                async with await self._forward(request, body) as reply:
                    await reply.read()
                return self._note(request, _answered(Answer(code)))
            case Repeat():
                async with await self._forward(request, body) as reply:
                    await reply.read()
            case Stale() as stale:
                if stale.kept is None:
                    stale.kept = await self._relay(request, body)
                stale.told += 1
                return self._note(request, _copied(stale.kept))
        return await self._relay(request, body)

    def _fault_for(self, request):
        for rule in self._rules:
            if rule.applies(request):
                return rule.fault
        return None

    async def _relay(self, request, body):
        try:
            async with await self._forward(request, body) as reply:
                if "watch" in request.query and reply.status == 200:
                    return await self._relay_watch(request, reply)
                answer = web.Response(
                    status=reply.status, headers=_headers(reply.headers), body=await reply.read()
                )
                return self._note(request, answer)
        except aiohttp.ClientError:
            return _cut(request)  # the API server is away: so are we

    async def _relay_watch(self, request, reply):
        response = web.StreamResponse(status=200, headers=_headers(reply.headers))
        await response.prepare(request)
        self._note(request, response)
        watch = _Watch(request.path, response, request)
        watch.frozen = self._frozen.search(request.path) is not None
        self._watches.append(watch)
        try:
            async for chunk in reply.content.iter_any():
                await watch.pass_on(chunk)
            if watch.frozen:
                await asyncio.Event().wait()  # a frozen peer does not hang up either
        except (aiohttp.ClientError, ConnectionError):
            watch.cut()
        finally:
            self._watches.remove(watch)
        return response

    def _forward(self, request, body):
        return self._upstream.request(
            request.method,
            f"{self._cluster.server}{request.raw_path}",
            headers=_headers(request.headers),
            data=body or None,
            allow_redirects=False,
        )

    def _note(self, request, response):
        self.requests.append((request.method, request.path, response.status))
        moment = time.monotonic()
        self.answered.append((moment, request.method, request.path_qs, response.status))
        return response


def _answered(answer):
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "a fault that the test wants",
        "reason": answer.reason,
        "code": answer.code,
    }
    return web.json_response(body, status=answer.code, headers=answer.headers)


def _copied(response):
    return web.Response(status=response.status, headers=response.headers, body=response.body)


def _cut(request):
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _headers(headers):
    return [(name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP]
