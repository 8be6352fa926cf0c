"""Charts in the artifacts of Flux's sources: what source-controller fetched, served over HTTP.

Which artifact it is, the source's status says; the digest there is what is believed, not the host.
"""

import asyncio
import hashlib
import tempfile
from functools import partial
from pathlib import Path
from typing import Protocol

from yarl import URL

from whipstaff.chart.wanted import Wanted
from whipstaff.errors import (
    ArtifactUnavailable,
    ChartTooLarge,
    ChartUnavailable,
    ClusterRefused,
    CrossNamespaceForbidden,
    SourceAccessDenied,
    SourceNotFound,
    SourceNotReady,
)
from whipstaff.helmrelease.types import SourceKind
from whipstaff.reconcile.ports import OPERATOR, ChartReference, Identity, ObjectReference
from whipstaff.release.revision import JsonObject
from whipstaff.settings import Settings
from whipstaff.sources.addresses import AddressPolicy, ApiServer, Endpoint
from whipstaff.sources.cache import ArchiveCache
from whipstaff.sources.completion import Base
from whipstaff.sources.fetch import Asker, Fetcher, as_written, displayed
from whipstaff.sources.sharing import SharedWork

_ALGORITHMS = frozenset({"sha256", "sha384", "sha512"})
_PACKED = frozenset({SourceKind.OCI_REPOSITORY, SourceKind.HELM_CHART})
_FORBIDDEN, _NOT_FOUND = 403, 404
_TEMPORARY = "artifact-"


class Objects(Protocol):
    """Who reads objects: the API server."""

    async def refer(self, body: JsonObject, namespace: str, identity: Identity) -> ObjectReference:
        """Name an object; ClusterRefused(404) for a kind that is not served."""
        ...

    async def read(self, reference: ObjectReference, identity: Identity) -> JsonObject | None:
        """Return an object, None if there is none."""
        ...


class FluxSources:
    """Reads sources as the operator, as Flux's own controllers do, and fetches their artifacts."""

    def __init__(
        self,
        settings: Settings,
        objects: Objects,
        cache: ArchiveCache,
        api_server: ApiServer | frozenset[Endpoint] = frozenset(),
    ) -> None:
        """`api_server`: addresses at which no artifact may be."""
        self._objects = objects
        self._cache = cache
        self._cross_namespace = not settings.no_cross_namespace_refs
        self._folder = settings.cache_folder
        self._bytes_limit = settings.source_bytes_limit
        self._timeout_seconds = settings.http_timeout_seconds
        # source-controller lives in the cluster, whose addresses are private ones.
        loopback = settings.allow_loopback_repositories
        self._fetcher = Fetcher(AddressPolicy(allow_loopback=loopback, api_server=api_server))
        self._fetched: dict[tuple[str, str], str] = {}  # by scope and promise: the SHA-256
        self._shared = SharedWork()

    async def close(self) -> None:
        """Stop what is under way and close all connections."""
        await self._shared.close()
        await self._fetcher.close()

    async def locate(self, reference: ChartReference, source: ObjectReference) -> Base:
        """Return where the chart is now; SourceNotFound, SourceNotReady and their kin."""
        if source.namespace != reference.namespace and not self._cross_namespace:
            field = "spec.chart.sourceRef.namespace"
            raise CrossNamespaceForbidden(
                f"{field}: sources of other namespaces are forbidden by a setting", field
            )
        found = await self._read(source)
        metadata, status = found.get("metadata") or {}, found.get("status") or {}
        artifact = _artifact(source, metadata, status)
        scope = f"source {metadata.get('uid')}"
        url, digest = as_written(str(artifact.get("url"))), str(artifact.get("digest") or "")
        _check(source, url, digest)
        wanted = Wanted(
            artifact=True,
            path=reference.path,
            may_be_packed=source.kind in _PACKED,
            values_files=reference.values_files,
            ignore_missing_values_files=reference.ignore_missing_values_files,
        )
        return Base(digest, wanted, partial(self._fetch, source, url, digest, scope), scope)

    async def _read(self, source: ObjectReference) -> JsonObject:
        body = {
            "apiVersion": source.api_version,
            "kind": source.kind,
            "metadata": {"name": source.name, "namespace": source.namespace},
        }
        try:
            await self._objects.refer(body, source.namespace, OPERATOR)
        except ClusterRefused as error:
            if error.code != _NOT_FOUND:
                raise
            text = f"the cluster knows no {source.kind} of {source.api_version}: is Flux there?"
            raise SourceNotFound(text, str(source)) from error
        try:
            found = await self._objects.read(source, OPERATOR)
        except ClusterRefused as error:
            if error.code != _FORBIDDEN:
                raise
            raise SourceAccessDenied(
                f"the operator may not read {source}: {error.text}", str(source)
            ) from error
        if found is None:
            raise SourceNotFound(f"there is no {source}", str(source))
        return found

    async def _fetch(self, source: ObjectReference, url: URL, promised: str, scope: str) -> Path:
        known = self._fetched.get((scope, promised), promised)
        path = await asyncio.to_thread(self._cache.find, known, scope)
        if path is not None:
            return path
        return await self._shared.do(
            (scope, promised), lambda: self._download(source, url, promised, scope)
        )

    async def _download(self, source: ObjectReference, url: URL, promised: str, scope: str) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=self._folder) as name:
            file = Path(name) / "artifact"
            await self._write(source, url, promised, file)
            digest = await asyncio.to_thread(self._cache.adopt, file, scope)
        self._fetched[scope, promised] = digest
        path = await asyncio.to_thread(self._cache.find, digest, scope)
        if path is None:
            text = f"the artifact of {source} did not stay in the cache"
            raise ArtifactUnavailable(text, str(source))
        return path

    async def _write(self, source: ObjectReference, url: URL, promised: str, target: Path) -> None:
        algorithm, _, wanted = promised.partition(":")
        digest = hashlib.new(algorithm)
        asker = Asker(timeout_seconds=self._timeout_seconds)
        headers = {"Accept-Encoding": "identity"}
        try:
            async with self._fetcher.get(
                url, asker, bytes_limit=self._bytes_limit, headers=headers
            ) as reply:
                with target.open("wb") as file:
                    async for chunk in reply.chunks:
                        file.write(chunk)
                        digest.update(chunk)
        except ChartTooLarge:
            raise
        except ChartUnavailable as error:
            if type(error) is not ChartUnavailable:
                raise
            text = f"the artifact of {source} is not to be had: {error.text}"
            raise ArtifactUnavailable(text, str(source)) from error
        if digest.hexdigest() != wanted:
            raise ArtifactUnavailable(
                f"the artifact of {source} at {displayed(url)} has another digest than its status"
                " says",
                str(source),
            )


def _artifact(source: ObjectReference, metadata: JsonObject, status: JsonObject) -> JsonObject:
    """Return the artifact of a source, as helm-controller takes it: of its newest spec alone."""
    conditions = {
        str(one.get("type")): one for one in status.get("conditions") or () if isinstance(one, dict)
    }
    ready, stalled = conditions.get("Ready", {}), conditions.get("Stalled", {})
    if stalled.get("status") == "True":
        raise _not_ready(source, stalled, "it is stalled")
    if metadata.get("generation") != status.get("observedGeneration"):
        failed = ready if ready.get("status") == "False" else {}
        raise _not_ready(source, failed, "its controller has not seen its newest spec")
    artifact = status.get("artifact")
    if not isinstance(artifact, dict):
        raise _not_ready(source, ready, "it has no artifact")
    return artifact


def _not_ready(source: ObjectReference, condition: JsonObject, why: str) -> SourceNotReady:
    said = str(condition.get("message") or "")
    text = f"{source} is not ready: {why}" + (f" ({said})" if said else "")
    return SourceNotReady(text, str(source))


def _check(source: ObjectReference, url: URL, digest: str) -> None:
    """Refuse an artifact that cannot be checked, or is at no URL."""
    if url.scheme not in {"http", "https"} or not url.host:
        text = f"the artifact of {source} is at no http or https URL"
        raise ArtifactUnavailable(text, str(source))
    algorithm, _, value = digest.partition(":")
    if algorithm not in _ALGORITHMS or not value:
        known = ", ".join(sorted(_ALGORITHMS))
        text = f"the artifact of {source} has a digest that is none of {known}"
        raise ArtifactUnavailable(text, str(source))
