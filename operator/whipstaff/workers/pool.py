"""A few child processes that do the dangerous work, one job each at a time.

Children start when first needed. One that dies, takes too long or grows too fat is replaced; the
job of one that died is tried once more.
"""

import asyncio
import base64
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from whipstaff.chart.model import Dependency
from whipstaff.chart.wanted import CompleteChart, Wanted
from whipstaff.errors import (
    ExpressionInvalid,
    OperatorError,
    RenderLimit,
    RenderTimeout,
    StorageCorrupt,
    ValuesTooLarge,
    WorkerLost,
)
from whipstaff.reconcile.ports import (
    ComposedValues,
    Judgement,
    Lookup,
    Rendering,
    RenderRequest,
    ValuePath,
    ValuesLayer,
)
from whipstaff.release import codec
from whipstaff.release.packed import PackedObjects, PackedText
from whipstaff.release.revision import Hook, HookDeletePolicy, HookEvent, JsonObject, Revision
from whipstaff.settings import Settings
from whipstaff.workers.certificate import ServingCertificate
from whipstaff.workers.evidence import CosignSignature, Trusted, in_base64
from whipstaff.workers.process import Worker
from whipstaff.workers.protocol import BrokenFrameError, JobKind, Limits

log = logging.getLogger(__name__)


class Stored(NamedTuple):
    """The value of the key `release`, and what holds it."""

    data: str
    name: str


class Showing(NamedTuple):
    """How much of stored releases people see; the rest is masked."""

    sources: JsonObject  # `values` and `valuesFrom` of the spec: what Secrets gave is secret
    values: bool = False  # whether secret values are shown
    revealed: Sequence[tuple[str, str]] = ()  # Secrets whose data is shown


class WorkerPool:
    """The Renderer and the Codec of the loop, and what `sources` needs to have parsed."""

    def __init__(self, settings: Settings) -> None:
        self._limits = Limits(
            memory_bytes=settings.worker_memory_bytes,
            recycle_bytes=settings.worker_recycle_bytes,
            cpu_seconds=settings.render_cpu_seconds,
            output_bytes=settings.render_output_bytes,
            archive_bytes=settings.chart_bytes_limit,
            jinja2_charts=settings.jinja2_charts,
            compiled_folder=str(settings.cache_folder / "compiled"),
        )
        # The last child put back is the next one taken: while one is enough, there is one.
        self._places: asyncio.LifoQueue[Worker | None] = asyncio.LifoQueue()
        for _ in range(settings.worker_count):
            self._places.put_nowait(None)
        self._workers: set[Worker] = set()
        self._burials: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that live now, for whoever measures them."""
        return tuple(worker.pid for worker in self._workers if worker.alive)

    async def render(self, request: RenderRequest, lookup: Lookup) -> Rendering:
        """Render a chart; `lookup` is asked 256 times at most."""
        return _rendering(await self._run(JobKind.RENDER, _render_arguments(request), lookup))

    async def evaluate(
        self, expressions: Sequence[str], names: Sequence[str], variables: Mapping[str, object]
    ) -> tuple[Judgement, ...]:
        """Ask each CEL expression of the same variables; ExpressionInvalid if one is none."""
        arguments = {"expressions": expressions, "names": names, "variables": variables}
        try:
            found = await self._run(JobKind.EVALUATE, arguments, _no_lookup)
        except RenderTimeout as error:
            raise ExpressionInvalid(error.text) from error
        return tuple(Judgement(**one) for one in found["results"])

    async def compose_values(
        self, inline: JsonObject, layers: Sequence[ValuesLayer]
    ) -> ComposedValues:
        """Lay values over each other; ValuesInvalid and its kin, without a value."""
        arguments = {"inline": inline, "layers": [asdict(layer) for layer in layers]}
        try:
            found = await self._run(JobKind.VALUES, arguments, _no_lookup)
        except RenderTimeout as error:
            raise ValuesTooLarge(f"the values take too long to read: {error.text}") from error
        except BrokenFrameError as error:
            raise ValuesTooLarge("the values are too large to be laid over each other") from error
        return ComposedValues(found["values"], _whole_numbers(found), tuple(found["secrets"]))

    async def decode(self, data: str, name: str) -> Revision:
        """Decode the value of the key `release`; StorageCorrupt(name) if it cannot be read."""
        try:
            found = await self._run(JobKind.DECODE, {"data": data, "name": name}, _no_lookup)
        except StorageCorrupt as error:
            raise error if error.name else _unreadable(name, error) from error
        except (RenderLimit, RenderTimeout) as error:
            raise _unreadable(name, error) from error
        record = {**found.pop("record"), **found}
        return codec.from_record(record, _sequence(found["objects"]), found["hook_bodies"], name)

    async def read_release(self, stored: Stored, part: str, showing: Showing) -> JsonObject:
        """Return a part of a stored release for people; StorageCorrupt if it cannot be read."""
        arguments = {"part": part, **showing._asdict()}
        return await self._shown(
            JobKind.READ_RELEASE, {"data": stored.data, "name": stored.name, **arguments}, stored
        )

    async def compare_releases(self, before: Stored, after: Stored, showing: Showing) -> JsonObject:
        """Tell in what two stored releases differ."""
        sides = {"before": before._asdict(), "after": after._asdict()}
        return await self._shown(JobKind.COMPARE, {**sides, **showing._asdict()}, after)

    async def _shown(self, kind: JobKind, arguments: JsonObject, stored: Stored) -> JsonObject:
        try:
            return await self._run(kind, arguments, _no_lookup)
        except (RenderLimit, RenderTimeout) as error:
            raise _unreadable(stored.name, error) from error
        except BrokenFrameError as error:
            text = f"the stored release {stored.name} is too large to be shown: {error}"
            raise StorageCorrupt(text, stored.name) from error

    async def encode(self, revision: Revision) -> str:
        """Encode what we made ourselves; StorageTooLarge if it would not fit."""
        if not isinstance(revision.manifest, PackedText):
            return await asyncio.to_thread(_encode, revision)
        record = {**codec.to_record(revision), "manifest": ""}
        manifest = base64.b64encode(revision.manifest.data).decode("ascii")
        arguments = {"record": record, "manifest": manifest}
        found = await self._run(JobKind.ENCODE, arguments, _no_lookup)
        return str(found["payload"])

    async def compact_index(
        self, source: Path, target: Path, url: str, before: Path | None = None
    ) -> tuple[frozenset[str] | None, tuple[str, ...]]:
        """Read a repository's index.yaml in `source`, write its entries to `target`.

        Return which charts are others than in the file `before`, None for any, and which versions
        were exchanged.
        """
        arguments = {"source": str(source), "target": str(target), "url": url}
        found = await self._run(
            JobKind.INDEX, {**arguments, "before": str(before or "")}, _no_lookup
        )
        changed = found.get("changed")
        return (None if changed is None else frozenset(changed)), tuple(found.get("exchanged", ()))

    async def inspect(self, path: Path) -> tuple[str, str]:
        """Return name and version of a chart archive, once it proved sound; or ChartInvalid."""
        found = await self._run(JobKind.INSPECT, {"path": str(path)}, _no_lookup)
        return found["name"], found["version"]

    async def chart_entries(self, paths: Sequence[Path], base: str) -> list[JsonObject]:
        """Return what an index says of each archive, or its `error`; `base` begins its URL."""
        arguments = {"paths": [str(path) for path in paths], "base": base}
        found = await self._run(JobKind.LIST, arguments, _no_lookup)
        return list(found["entries"])

    async def show(self, path: Path, what: str) -> JsonObject:
        """Return the `contents` for a page, `values` or `templates` of an archive."""
        return await self._run(JobKind.SHOW, {"path": str(path), "what": what}, _no_lookup)

    async def complete(
        self,
        source: Path,
        target: Path,
        wanted: Wanted,
        fetched: Sequence[tuple[Dependency, Path]] = (),
    ) -> CompleteChart:
        """Find a chart in an archive or artifact, and write it to `target` if it is another file.

        What it lacks comes back as `missing`: fetch it and ask again. ChartInvalid and its kin.
        """
        arguments = {
            "source": str(source),
            "target": str(target),
            "wanted": asdict(wanted),
            "fetched": [{**_named(dependency), "path": str(path)} for dependency, path in fetched],
        }
        found = await self._run(JobKind.COMPLETE, arguments, _no_lookup)
        missing = tuple(Dependency(**one) for one in found["missing"])
        return CompleteChart(found["name"], found["version"], missing, written=found["written"])

    async def verify_provenance(
        self, keys: Mapping[str, bytes], text: bytes, file: str, digest: str
    ) -> None:
        """Check a .prov of a chart archive; ChartSignatureInvalid and its kin."""
        packed = {name: in_base64(key) for name, key in keys.items()}
        evidence = {"keys": packed, "text": in_base64(text), "file": file, "digest": digest}
        await self._run(JobKind.VERIFY, {"provider": "pgp", **evidence}, _no_lookup)

    async def verify_cosign(
        self,
        trusted: Trusted,
        signatures: Sequence[CosignSignature],
        bundles: Sequence[bytes],
        digest: str,
    ) -> None:
        """Check cosign's signatures of a manifest; ChartSignatureInvalid and its kin."""
        evidence = {
            "trusted": trusted.as_json,
            "signatures": [one.as_json for one in signatures],
            "bundles": [in_base64(bundle) for bundle in bundles],
            "digest": digest,
        }
        await self._run(JobKind.VERIFY, {"provider": "cosign", **evidence}, _no_lookup)

    async def read_kubeconfig(self, text: str, *, allow_insecure: bool) -> JsonObject:
        """Return what a kubeconfig says; KubeConfigInvalid if it cannot be used."""
        arguments = {"text": text, "allow_insecure": allow_insecure}
        return await self._run(JobKind.KUBECONFIG, arguments, _no_lookup)

    async def make_certificate(
        self, names: Sequence[str], now: int, seconds: float
    ) -> ServingCertificate:
        """Return a new certificate for a server of ours, valid for `seconds` from `now` on."""
        arguments = {"names": list(names), "now": now, "seconds": seconds}
        return ServingCertificate(**await self._run(JobKind.CERTIFICATE, arguments, _no_lookup))

    async def close(self) -> None:
        """Stop every child; jobs that wait for one are lost."""
        self._closed = True
        await asyncio.gather(*(worker.stop() for worker in self._workers), *self._burials)
        self._workers.clear()

    async def _run(self, kind: JobKind, arguments: JsonObject, lookup: Lookup) -> JsonObject:
        try:
            return await self._run_once(kind, arguments, lookup)
        except WorkerLost:
            log.warning("worker lost", extra={"job": kind.value})
            return await self._run_once(kind, arguments, lookup)

    async def _run_once(self, kind: JobKind, arguments: JsonObject, lookup: Lookup) -> JsonObject:
        worker = await self._places.get()
        usable = False
        try:
            if worker is None or not worker.alive:
                worker = await self._start()
            try:
                result = await worker.run(kind, arguments, lookup)
            except OperatorError:
                usable = True
                raise
            usable = True
            return result
        finally:
            # Cancelled in the middle of a job, its pipe holds what nobody waits for.
            self._put_back(worker, usable=usable)

    async def _start(self) -> Worker:
        if self._closed:
            raise WorkerLost("the worker pool is stopped")
        worker = await Worker.start(self._limits)
        self._workers.add(worker)
        return worker

    def _put_back(self, worker: Worker | None, *, usable: bool) -> None:
        if worker is not None and (not usable or worker.worn or not worker.alive):
            self._workers.discard(worker)
            burial = asyncio.create_task(worker.kill())
            self._burials.add(burial)
            burial.add_done_callback(self._burials.discard)
            worker = None
        self._places.put_nowait(worker)


async def _no_lookup(*_question: str) -> JsonObject:
    raise WorkerLost("a worker asked what its job has no need of")


def _named(dependency: Dependency) -> dict[str, str]:
    return {
        "name": dependency.name,
        "version": dependency.version,
        "repository": dependency.repository,
    }


def _unreadable(name: str, error: OperatorError) -> StorageCorrupt:
    return StorageCorrupt(f"the stored release {name} cannot be read: {error.text}", name)


def _encode(revision: Revision) -> str:
    return codec.encode(codec.to_record(revision))


def _render_arguments(request: RenderRequest) -> JsonObject:
    return {
        "path": request.chart.path,
        "digest": request.chart.digest,
        "values": request.values,
        "release_name": request.release_name,
        "namespace": request.namespace,
        "kube_version": request.capabilities.kube_version,
        "api_versions": request.capabilities.api_versions,
        "revision": request.revision,
        "is_upgrade": request.is_upgrade,
        "current": None
        if request.current_revision is None
        else {
            "revision": request.current_revision,
            "is_upgrade": request.current_is_upgrade,
            "manifest_digest": request.current_manifest_digest,
            "crds_digest": request.current_crds_digest,
        },
        "namespace_in_manifest": request.namespace_in_manifest,
        "generated": request.generated if request.stable_generated else None,
        "skip_schema_validation": request.skip_schema_validation,
        "whole_numbers": request.whole_numbers,
        "post_rendering": request.post_rendering,
    }


def _whole_numbers(found: JsonObject) -> tuple[ValuePath, ...]:
    return tuple(tuple(path) for path in found["whole_numbers"])


def _rendering(found: JsonObject) -> Rendering:
    if found["same_as_current"]:
        return Rendering(same_as_current=True, unused=tuple(found["unused"]))
    return Rendering(
        manifest=found["manifest"],
        objects=_sequence(found["objects"]),
        hooks=tuple(map(_hook, found["hooks"])),
        notes=found["notes"],
        crds=_sequence(found["crds"]),
        crds_digest=found["crds_digest"],
        chart=found["chart"],
        manifest_digest=found["manifest_digest"],
        warnings=tuple(found["warnings"]),
        unused=tuple(found["unused"]),
    )


def _sequence(found: Sequence[JsonObject]) -> Sequence[JsonObject]:
    return found if isinstance(found, PackedObjects) else tuple(found)


def _hook(found: dict[str, Any]) -> Hook:
    return Hook(
        name=found["name"],
        kind=found["kind"],
        path=found["path"],
        manifest=found["manifest"],
        body=found["body"],
        events=tuple(map(HookEvent, found["events"])),
        weight=found["weight"],
        delete_policies=tuple(map(HookDeletePolicy, found["delete_policies"])),
        output_log_policies=tuple(found["output_log_policies"]),
    )
