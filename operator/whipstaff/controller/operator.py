"""Run the operator: kopf starts and stops it, everything between is ours.

kopf gives the process its life: start-up and clean-up handlers, signals, one event loop. What it
watches itself it stops watching for ever after an error that it does not know, and one object that
it cannot decode blinds it for all: so the HelmReleases come from our own list and watch
(docs/decisions/0003-kopf-at-the-rim.md).
"""

import asyncio
import logging
import os
import sys
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, NoReturn

# kopf imports the kubernetes package only to recognise its types: 19 MiB that nothing here uses.
for _unused in ("kubernetes", "kubernetes.client", "kubernetes_asyncio", "pykube"):
    sys.modules.setdefault(_unused, None)  # type: ignore[arg-type]  # None: "cannot be imported"

import aiohttp  # noqa: E402 - after the lines above
import kopf  # noqa: E402 - after the lines above

from whipstaff.controller.admission import Admission  # noqa: E402
from whipstaff.controller.metrics import Metrics  # noqa: E402
from whipstaff.controller.probes import Probes  # noqa: E402
from whipstaff.controller.queue import Queue  # noqa: E402
from whipstaff.controller.repositories import Repositories  # noqa: E402
from whipstaff.errors import OperatorError  # noqa: E402
from whipstaff.reconcile.ports import Meter  # noqa: E402
from whipstaff.wiring import Parts  # noqa: E402

log = logging.getLogger(__name__)

EXIT_LEASE_LOST = 3
EXIT_BLIND = 4
SYNC_POLL_SECONDS = 0.02
SETTLE_SECONDS = 5.0  # for the watches of what HelmReleases refer to


class Operator:
    """The parts, started and stopped in order."""

    def __init__(self, parts: Parts, metrics: Metrics) -> None:
        self._parts = parts
        self._queue = Queue(
            parts.world,
            parts.settings.concurrency,
            parts.random,
            history_limit=parts.settings.history_limit,
            default_service_account=parts.settings.default_service_account,
            references=parts.references,
            own_namespace_only=parts.settings.no_cross_namespace_refs,
        )
        parts.lookout.tell(self._queue.objects_moved)
        self._watch = parts.helmreleases(self._queue)
        self._repositories = Repositories(
            parts.charts,
            parts.repository_reporter,
            parts.world.clock,
            parts.random,
            self._queue.repository_moved,
            selector=parts.selector,
        )
        self._repository_watch = parts.helmrepositories(self._repositories)
        self._lease = parts.lease()
        self._admission = Admission(parts) if parts.settings.admission_port else None
        self._leading = False
        self._tasks: list[asyncio.Task[None]] = []
        metrics.watch(self._queue, lambda: self._silence_seconds)
        metrics.watch_repositories(self._repositories.known)
        self._probes = Probes(
            alive={"watch": self._watch_is_stale},
            ready={
                "lease": self._not_leading,
                "list": self._not_listed,
                "admission": self._not_judging,
            },
            metrics=metrics.text,
        )

    async def start(self) -> None:
        """Begin to lead, in the background: another instance may still hold the Lease."""
        settings = self._parts.settings
        if settings.probe_port:
            await self._probes.start(settings.probe_host, settings.probe_port)
        self._tasks.append(asyncio.create_task(self._lead(), name="lead"))

    async def kopf_session(self) -> kopf.AiohttpSession:
        """Return a way to the API server for kopf's own start; kopf closes it."""
        connection = self._parts.connection
        authorization = await connection.authorization()
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=connection.tls),
            headers={"Authorization": authorization} if authorization else {},
        )
        return kopf.AiohttpSession(server=connection.server, aiohttp_session=session)

    async def stop(self) -> None:
        """End every pass at a step border, then give the Lease away."""
        await self._queue.close()
        await self._repositories.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._leading:
            await self._lease.release()
        if self._admission is not None:
            await self._admission.stop()
        await self._probes.stop()
        await self._parts.close()

    async def _lead(self) -> None:
        try:
            await self._lease.acquire()
            self._leading = True
            self._parts.write_only_while(lambda: self._lease.held)
            self._keep(self._lease.hold(self._lost), "lease")
            self._keep(self._watch.run(), "watch")
            self._keep(self._repository_watch.run(), "watch of repositories")
            while not self._synced:  # noqa: ASYNC110 - the watch has no event to await
                await asyncio.sleep(SYNC_POLL_SECONDS)
            # Else each HelmRelease that refers to something would be looked at twice.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._parts.references.settled(), SETTLE_SECONDS)
            log.info("operator started", extra=await self._parts.facts())
            self._repositories.open()
            self._queue.open()
            if self._admission is not None:
                self._keep(self._admission.run(), "admission")
        except Exception:
            log.exception("start failed")
            _exit(EXIT_BLIND)

    def _keep(self, running: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(_for_ever(running), name=name))

    def _lost(self) -> NoReturn:
        _exit(EXIT_LEASE_LOST)

    @property
    def _synced(self) -> bool:
        """Whether all is known; without its definition there is no HelmRepository to know."""
        repositories = self._repository_watch
        return self._watch.synced and (repositories.synced or repositories.absent)

    @property
    def _silence_seconds(self) -> float:
        return max(self._watch.silence_seconds, self._repository_watch.silence_seconds)

    def _watch_is_stale(self) -> str:
        if not self._leading:
            return ""
        silent = self._silence_seconds
        limit = self._parts.settings.liveness_seconds
        return f"nothing heard for {silent:.0f} s" if silent > limit else ""

    def _not_leading(self) -> str:
        return "" if self._leading else "another instance leads"

    def _not_listed(self) -> str:
        if not self._leading or self._queue.is_open:
            return ""
        return "the HelmReleases are not listed yet"

    def _not_judging(self) -> str:
        if not self._leading or self._admission is None:
            return ""
        return self._admission.not_serving()


async def _for_ever(running: Coroutine[Any, Any, None]) -> None:
    """Await what must not end: an operator without its watch or its Lease must not live on."""
    try:
        await running
    except Exception:
        log.exception("background task died")
    _exit(EXIT_BLIND)


def _exit(code: int) -> NoReturn:
    # Not sys.exit: nothing may be written any more, not even by clean-up code.
    logging.shutdown()
    os._exit(code)


def run(assemble: Callable[[Meter], Awaitable[Parts]]) -> None:
    """Run until a signal comes; `assemble` is called inside the event loop.

    What keeps it from starting is raised: an OperatorError, or the OSError of a port that is taken.
    """
    failures: list[Exception] = []
    registry = handlers(assemble, failures.append)
    # What keeps us from starting is raised below; kopf need not say it as well.
    logging.getLogger("kopf.activities.startup").addFilter(lambda _: not failures)
    warnings.filterwarnings("ignore", "coroutine 'authenticator' was never awaited")
    try:
        kopf.run(registry=registry, standalone=True, clusterwide=True)
    except Exception as error:
        if failures:
            raise failures[0] from error
        raise


def handlers(
    assemble: Callable[[Meter], Awaitable[Parts]], failed: Callable[[Exception], None]
) -> kopf.OperatorRegistry:
    """Return the handlers by which kopf starts and stops one operator.

    `failed` is told what keeps it from starting; kopf itself ends with an error of its own.
    """
    registry = kopf.OperatorRegistry()
    running: list[Operator] = []

    @kopf.on.startup(registry=registry)  # type: ignore[untyped-decorator, unused-ignore]
    async def start(settings: kopf.OperatorSettings, **_: object) -> None:
        settings.scanning.disabled = True  # nothing is watched by kopf
        try:
            metrics = Metrics()
            operator = Operator(await assemble(metrics), metrics)
            await operator.start()
        except (OperatorError, OSError) as error:
            # kopf would try the same again each minute; who started us should hear of it.
            failed(error)
            raise kopf.PermanentError(str(error)) from error
        running.append(operator)

    @kopf.on.cleanup(registry=registry)  # type: ignore[untyped-decorator, unused-ignore]
    async def stop(**_: object) -> None:
        for operator in running:
            await operator.stop()

    @kopf.on.login(registry=registry)  # type: ignore[untyped-decorator, unused-ignore]
    async def login(**_: object) -> kopf.AiohttpSession:
        # kopf asks the server once which kinds there are, whether it watches any or not.
        return await running[0].kopf_session()

    return registry
