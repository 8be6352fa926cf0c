"""The admission webhook: the API server asks about each HelmRelease that is to be stored.

It answers in time or admits with a warning, and knows no way to change what is asked about. The
path has a secret part, which only the API server is told: nobody else gets a word out of it.
"""

import asyncio
import hmac
import logging
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from whipstaff.controller.certificates import Certificates, Wanted
from whipstaff.controller.door import Door
from whipstaff.controller.logs import bound
from whipstaff.errors import OperatorError
from whipstaff.helmrelease.namespaces import refuse_other_namespaces
from whipstaff.helmrelease.parsing import parse
from whipstaff.helmrelease.selectors import Selector
from whipstaff.helmrelease.types import HelmRelease
from whipstaff.kube.admission import ROOT
from whipstaff.kube.scanner import Unreadable, decode
from whipstaff.reconcile.judging import ADMITTED, Judge, Verdict
from whipstaff.release.revision import JsonObject
from whipstaff.serving import faults
from whipstaff.settings import Settings
from whipstaff.wiring import Parts

log = logging.getLogger(__name__)

BODY_BYTES_LIMIT = 16 << 20  # old and new object, of which etcd takes one and a half MiB each
WARNINGS_LIMIT = 16
WARNING_CHARACTERS = 256  # of longer ones the API server keeps as many, once there are 4 KiB
MESSAGE_CHARACTERS = 4096
_READERS = 4  # requests in memory for each that is judged
# Of which one is decoded at a time: it takes up to thirty times the memory.
LARGE_BYTES = 64 << 10
_HEAD_BYTES = 4096  # of a review, in which the API server names the request
_UID = re.compile(rb'"uid"\s*:\s*"([^"\\]{1,64})"')  # the first one is the request's own
_API_VERSION = "admission.k8s.io/v1"
_NAMES = ("name", "generateName", "namespace")
# Not 422: with --force, kubectl and Flux delete what is called invalid, and make it anew.
_DENIED, _REASON = 400, "BadRequest"

Judging = Callable[[JsonObject, JsonObject | None], Awaitable[Verdict]]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose HelmReleases are judged: those that are looked after here."""

    namespaces: tuple[str, ...]  # empty: all
    selector: Selector

    def takes(self, body: JsonObject) -> bool:
        """Whether a HelmRelease is one of them."""
        metadata = body["metadata"]
        if self.namespaces and metadata["namespace"] not in self.namespaces:
            return False
        return self.selector.takes(metadata.get("labels") or {})


class Admission:
    """The webhook of one operator, with its certificate."""

    def __init__(self, parts: Parts) -> None:
        settings = parts.settings
        self._settings = settings
        wanted = Wanted(settings.admission_names, settings.admission_certificate_seconds)
        store, clock = parts.admission_store(), parts.world.clock
        self._certificates = Certificates(store, parts.workers, clock, wanted)
        self._webhook = Webhook(
            Judge(parts.world, reader(settings)).judge,
            Scope(settings.watch_namespaces, parts.selector),
            seconds=settings.admission_seconds,
            concurrency=settings.admission_concurrency,
        )

    async def run(self) -> None:
        """Serve for ever, once there is a certificate."""
        await self._certificates.keep(self._serve)

    def not_serving(self) -> str:
        """Return why the API server gets no answer, empty if it gets one."""
        return "" if self._webhook.serves else "there is no certificate yet"

    async def stop(self) -> None:
        """Answer no more."""
        await self._webhook.stop()

    async def _serve(self) -> None:
        settings = self._settings
        certificates = self._certificates
        await self._webhook.start(
            settings.admission_host,
            settings.admission_port,
            certificates.tls,
            lambda: certificates.path,
        )
        log.info("admission serves", extra={"port": settings.admission_port})


class Webhook:
    """Answers AdmissionReviews over TLS."""

    def __init__(self, judge: Judging, scope: Scope, *, seconds: float, concurrency: int) -> None:
        """What takes longer than `seconds`, waiting included, is admitted with a warning."""
        self._judge = judge
        self._scope = scope
        self._seconds = seconds
        self._room = asyncio.Semaphore(concurrency)
        self._hall = asyncio.Semaphore(concurrency * _READERS)
        self._large = asyncio.Semaphore(1)
        self._runner: web.AppRunner | None = None
        self._door: Door | None = None
        self._path: Callable[[], str] = str

    @property
    def serves(self) -> bool:
        """Whether it listens."""
        return self._runner is not None

    async def start(
        self, host: str, port: int, tls: ssl.SSLContext | None, path: Callable[[], str]
    ) -> None:
        """Listen until `stop`; `path` returns what must follow `/validate/`."""
        self._path = path
        application = web.Application(client_max_size=BODY_BYTES_LIMIT)
        application.router.add_post(f"{ROOT}{{secret}}", self._asked)
        runner = web.AppRunner(application, access_log=None, logger=faults.log)
        await runner.setup()
        assert runner.server is not None  # noqa: S101 - it is set up
        self._door = Door(runner.server)
        self._door.open(host, port, tls)
        self._runner = runner

    async def stop(self) -> None:
        """Answer no more."""
        if self._door is not None:
            await self._door.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _asked(self, request: web.Request) -> web.Response:
        given, secret = request.match_info["secret"], self._path()
        if not secret or not hmac.compare_digest(given.encode(), secret.encode()):
            raise web.HTTPNotFound
        with self._door.served(request.transport) if self._door else nullcontext():
            return await self._heard(request)

    async def _heard(self, request: web.Request) -> web.Response:
        deadline = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(deadline):
                await self._hall.acquire()
        except TimeoutError:
            raise web.HTTPServiceUnavailable(text="too many are judged already\n") from None
        try:
            async with asyncio.timeout_at(deadline):
                text = await request.read()
            uid, verdict = await self._answered(text, deadline)
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        except Unreadable:
            raise web.HTTPBadRequest(text=f"no AdmissionReview of {_API_VERSION}\n") from None
        finally:
            self._hall.release()
        return web.json_response(answer(uid, verdict))

    async def _answered(self, text: bytes, deadline: float) -> tuple[str, Verdict]:
        """Return the number of the request, and what to say; TimeoutError if that is not known."""
        if len(text) <= LARGE_BYTES:
            asked = request_of(decode(text))
            return asked["uid"], await self._in_time(asked, deadline)
        try:
            async with asyncio.timeout_at(deadline):
                await self._large.acquire()
        except TimeoutError:
            found = _UID.search(text, 0, _HEAD_BYTES)
            if found is None:
                raise
            return found[1].decode("utf-8", "replace"), self._late()
        try:
            asked = request_of(decode(text))
            return asked["uid"], await self._in_time(asked, deadline)
        finally:
            self._large.release()

    def _late(self) -> Verdict:
        log.info("admission was late")
        return Verdict(warnings=(f"not checked: it took more than {self._seconds:g} s",))

    async def _in_time(self, asked: JsonObject, deadline: float) -> Verdict:
        body, before = asked.get("object"), asked.get("oldObject")
        if not isinstance(body, dict):
            return ADMITTED  # a deletion has none
        body = as_stored(body, asked)
        if not self._scope.takes(body):
            return ADMITTED
        metadata = body["metadata"]
        with bound(helmrelease=f"{metadata['namespace']}/{metadata['name']}"):
            try:
                async with asyncio.timeout_at(deadline), self._room:
                    verdict = await self._judge(body, before)
            except TimeoutError:
                return self._late()
            except Exception as error:
                # Whatever is wrong with us, what people want is not to be held up by it.
                log.exception("admission failed")
                return Verdict(warnings=(f"not checked: {_named(error)}",))
            if verdict.refusal is not None:
                log.info("admission refused", extra={"reason": verdict.refusal.reason})
            return verdict


def reader(settings: Settings) -> Callable[[JsonObject], HelmRelease]:
    """Return what reads a HelmRelease as the loop will."""

    def read(body: JsonObject) -> HelmRelease:
        release = parse(
            body,
            history_limit=settings.history_limit,
            service_account=settings.default_service_account,
        )
        if settings.no_cross_namespace_refs:
            refuse_other_namespaces(release)
        return release

    return read


def request_of(review: Any) -> JsonObject:  # noqa: ANN401 - any JSON
    """Return the request of a review; Unreadable if it is none, or one of another version."""
    try:
        asked: JsonObject = review["request"]
        body = asked.get("object")
        metadata = {} if body is None else body["metadata"]
        labels = metadata.get("labels") or {}
        sound = (
            review["apiVersion"] == _API_VERSION,
            isinstance(asked["uid"], str) and asked["uid"],
            asked.get("oldObject") is None or isinstance(asked["oldObject"], dict),
            isinstance(labels, dict),
            all(isinstance(asked.get(name, ""), str) for name in ("name", "namespace")),
            all(isinstance(metadata.get(name, ""), str) for name in _NAMES),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise Unreadable("no AdmissionReview") from error
    if not all(sound):
        raise Unreadable("no AdmissionReview")
    return asked


def as_stored(body: JsonObject, asked: Mapping[str, object]) -> JsonObject:
    """Return the object with what the API server may not have written into it yet."""
    metadata = dict(body.get("metadata") or {})
    metadata.setdefault("namespace", asked.get("namespace") or "")
    metadata.setdefault("name", asked.get("name") or metadata.get("generateName") or "")
    metadata.setdefault("uid", "")
    return {**body, "metadata": metadata}


def answer(uid: str, verdict: Verdict) -> JsonObject:
    """Return the AdmissionReview that says so."""
    refusal = verdict.refusal
    response: JsonObject = {"uid": uid, "allowed": refusal is None}
    if refusal is not None:
        message = _cut(f"{refusal.reason}: {refusal.text}", MESSAGE_CHARACTERS)
        response["status"] = {"code": _DENIED, "reason": _REASON, "message": message}
    if verdict.warnings:
        response["warnings"] = _bounded(verdict.warnings)
    return {"apiVersion": _API_VERSION, "kind": "AdmissionReview", "response": response}


def _bounded(warnings: tuple[str, ...]) -> list[str]:
    told = [_cut(" ".join(one.split()), WARNING_CHARACTERS) for one in dict.fromkeys(warnings)]
    if len(told) > WARNINGS_LIMIT:
        rest = len(told) - WARNINGS_LIMIT + 1
        told[WARNINGS_LIMIT - 1 :] = [f"and {rest} more warnings"]
    return told


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 2]} …"


def _named(error: Exception) -> str:
    """Say what went wrong on our side; only our own errors have texts for others."""
    return error.text if isinstance(error, OperatorError) else f"a fault ({type(error).__name__})"
