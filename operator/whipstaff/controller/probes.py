"""What the kubelet asks: /livez (must this process be restarted?) and /readyz (is it at work?).

Prometheus asks at the same port for /metrics.
"""

from collections.abc import Callable, Mapping

from aiohttp import web

from whipstaff.controller.metrics import CONTENT_TYPE
from whipstaff.serving import faults

Check = Callable[[], str]  # returns what is wrong, empty if nothing is


class Probes:
    """A small HTTP server that answers from checks; no check touches the network."""

    def __init__(
        self, alive: Mapping[str, Check], ready: Mapping[str, Check], metrics: Callable[[], bytes]
    ) -> None:
        self._alive = alive
        self._ready = ready
        self._metrics = metrics
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen until `stop`."""
        application = web.Application()
        application.router.add_get("/livez", self._livez)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/metrics", self._tell_metrics)
        self._runner = web.AppRunner(application, access_log=None, logger=faults.log)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    async def stop(self) -> None:
        """Answer no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _livez(self, _request: web.Request) -> web.Response:
        return _answer(self._alive)

    async def _readyz(self, _request: web.Request) -> web.Response:
        return _answer({**self._alive, **self._ready})

    async def _tell_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": CONTENT_TYPE})


def _answer(checks: Mapping[str, Check]) -> web.Response:
    wrongs = {name: wrong for name, check in checks.items() if (wrong := check())}
    if not wrongs:
        return web.Response(text="ok\n")
    return web.Response(
        status=503, text="".join(f"{name}: {wrong}\n" for name, wrong in sorted(wrongs.items()))
    )
