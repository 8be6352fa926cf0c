"""Charts from OCI registries: each chart is a repository, each version a tag.

A registry has no index. What versions there are is the list of tags; a tag says which manifest it
is, and the manifest which blobs. Everything below the tag is checked against its digest.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from whipstaff.errors import ChartUnavailable, ChartVersionNotFound
from whipstaff.golang.semver import SemverError, Version
from whipstaff.helmrelease.types import VerificationProvider
from whipstaff.helmrepository.status import Fetched
from whipstaff.reconcile.ports import ChartReference, ResolvedChart
from whipstaff.settings import Settings
from whipstaff.sources.addresses import AddressPolicy, ApiServer, Endpoint
from whipstaff.sources.archives import Archives, Inspector
from whipstaff.sources.cache import ArchiveCache
from whipstaff.sources.choice import ANY_VERSION, Choice, Entry, choose
from whipstaff.sources.fetch import refuse_unless_gzip
from whipstaff.sources.oci_client import RegistryClient, Request, refused
from whipstaff.sources.oci_manifest import ChartManifest, Descriptor
from whipstaff.sources.oci_place import ChartPlace, registry_of
from whipstaff.sources.oci_repository import (
    MANIFEST_BYTES_LIMIT,
    TAGS_A_PAGE,
    OCIRepository,
    is_tag,
    tag_of,
)
from whipstaff.sources.place import Evidence, Place
from whipstaff.sources.sharing import SharedWork


@dataclass(slots=True)
class _Tags:
    """The versions of a chart, newest first; the one URL of an entry is its tag."""

    entries: tuple[Entry, ...]
    fetched_at: float
    choices: dict[str, Choice] = field(default_factory=dict)


class _Tagged(NamedTuple):
    manifest: ChartManifest
    fetched_at: float


class OCICharts:
    """The PlacedCharts for repositories at oci://."""

    def __init__(
        self,
        settings: Settings,
        inspector: Inspector,
        monotonic: Callable[[], float],
        api_server: ApiServer | frozenset[Endpoint] = frozenset(),
        *,
        tags_a_page: int = TAGS_A_PAGE,
    ) -> None:
        """`api_server`: addresses at which no registry may be."""
        policy = AddressPolicy(
            allow_loopback=settings.allow_loopback_repositories,
            allow_private=settings.allow_private_repositories,
            api_server=api_server,
        )
        self._client = RegistryClient(policy, monotonic)
        cache = ArchiveCache(settings.cache_folder, settings.cache_bytes_limit)
        self._archives = Archives(cache, inspector)
        self._monotonic = monotonic
        self._archive_bytes_limit = settings.chart_bytes_limit
        self._tags_a_page = tags_a_page
        self._tags: dict[ChartPlace, _Tags] = {}
        self._tagged: dict[tuple[ChartPlace, str], _Tagged] = {}
        self._refreshed: dict[Place, float] = {}  # when; what was fetched before is asked for anew
        self._shared = SharedWork()

    async def close(self) -> None:
        """Stop what is under way and close all connections."""
        await self._shared.close()
        await self._archives.close()
        await self._client.close()

    async def resolve(
        self, place: Place, reference: ChartReference, *, max_age_seconds: float
    ) -> ResolvedChart:
        """Choose a version and have its archive in the cache.

        InvalidSpec for a name or range that cannot be, ChartUnavailable and its kin where the
        registry does not answer or has no such chart, ChartInvalid and its kin for a wrong one.
        """
        chart = ChartPlace.of(place, reference.name)
        pinned = await self._pinned(chart, reference) if reference.digest else None
        if pinned is not None:
            return pinned
        entry, newer = await self._choose(chart, reference, max_age_seconds)
        manifest = await self._manifest(chart, entry, max_age_seconds)
        path = await self._archive(chart, manifest.archive)
        digest = manifest.archive.digest
        await self._archives.check_identity(digest, path, reference.name, entry.version)
        return ResolvedChart(
            reference.name, entry.version, digest, str(path), newer, manifest.digest
        )

    async def refresh(self, place: Place) -> Fetched:
        """Ask whether the registry answers to our login, and for the tags of the charts in use.

        A registry has no list of its charts; what is told apart is what is in use.
        """
        registry = registry_of(place)
        url = registry.origin.joinpath("v2", "")
        self._refreshed[place] = self._monotonic()
        answer = await self._client.ask(registry, Request("GET", url, "", MANIFEST_BYTES_LIMIT))
        if answer.status != HTTPStatus.OK:
            raise refused(url, answer)
        charts = sorted((one for one in self._tags if one.place == place), key=lambda one: one.name)
        for chart in charts:
            await self._look_again(chart)
        return Fetched(len(charts), self._digest_of(charts), sentence=_sentence(len(charts)))

    def known(self, place: Place) -> bool:
        """Whether tags of some chart of this place are known."""
        return any(chart.place == place for chart in self._tags)

    async def _look_again(self, chart: ChartPlace) -> None:
        try:
            await self._fetch_tags(chart)
        except ChartUnavailable:
            self._tags.pop(chart, None)  # who wants the chart asks, and says what is wrong

    def _digest_of(self, charts: list[ChartPlace]) -> str:
        """Return a digest that changes when a chart in use has other tags."""
        tags = [
            [chart.name, [entry.urls[0] for entry in self._tags[chart].entries]]
            for chart in charts
            if chart in self._tags
        ]
        return f"sha256:{hashlib.sha256(json.dumps(tags).encode()).hexdigest()}"

    def _is_fresh(self, chart: ChartPlace, fetched_at: float, max_age_seconds: float) -> bool:
        refreshed_at = self._refreshed.get(chart.place, -math.inf)
        age = self._monotonic() - fetched_at
        return age < max_age_seconds and fetched_at >= refreshed_at

    def _repository(self, chart: ChartPlace) -> OCIRepository:
        return OCIRepository(self._client, chart, tags_a_page=self._tags_a_page)

    async def evidence(
        self,
        place: Place,
        reference: ChartReference,
        chart: ResolvedChart,
        provider: VerificationProvider,
    ) -> Evidence:
        """Fetch what was pushed beside a chart: its provenance, or the signatures of cosign."""
        found = ChartPlace.of(place, reference.name)
        repository = self._repository(found)
        match provider:
            case VerificationProvider.COSIGN:
                digest = chart.manifest_digest
                signatures = await repository.signatures(digest)
                return Evidence(signatures=signatures, bundles=await repository.bundles(digest))
            case VerificationProvider.PGP:
                manifest = await repository.manifest(chart.manifest_digest)
                layer = manifest.provenance if manifest else None
                if layer is None:
                    return Evidence()
                return Evidence(await repository.blob(layer, MANIFEST_BYTES_LIMIT))

    async def _pinned(self, chart: ChartPlace, reference: ChartReference) -> ResolvedChart | None:
        """Return the chart of the manifest that is pinned; None if the pin is of no manifest."""
        pin = reference.digest
        known = self._tagged.get((chart, pin))
        if known is None and await self._archives.find(pin, chart.place.scope):
            return None
        manifest = known.manifest if known else await self._repository(chart).manifest(pin)
        if manifest is None:
            return None
        self._tagged[chart, pin] = _Tagged(manifest, self._monotonic())
        path = await self._archive(chart, manifest.archive)
        digest = manifest.archive.digest
        _, version = await self._archives.identity(digest, path)
        await self._archives.check_identity(digest, path, reference.name, version)
        if reference.version != ANY_VERSION:  # which leaves pre-releases out, and a pin names one
            choose(reference.name, reference.version, [Entry(version, "", ())], chart.folder)
        return ResolvedChart(reference.name, version, digest, str(path), 0, pin)

    async def _choose(
        self, chart: ChartPlace, reference: ChartReference, max_age_seconds: float
    ) -> Choice:
        try:
            return await self._choose_from_tags(chart, reference, max_age_seconds)
        except ChartUnavailable:
            # Some registries list no tags for those who may pull; a whole version needs no list.
            exact = _exact(reference.version)
            if exact is None:
                raise
            return Choice(exact, 0)

    async def _choose_from_tags(
        self, chart: ChartPlace, reference: ChartReference, max_age_seconds: float
    ) -> Choice:
        began = self._monotonic()
        tags = await self._fresh_tags(chart, max_age_seconds)
        try:
            return _chosen(chart, reference, tags)
        except ChartUnavailable:
            if tags.fetched_at >= began:
                raise
        # The tags may be from before the version was pushed.
        tags = await self._fresh_tags(chart, self._monotonic() - began)
        return _chosen(chart, reference, tags)

    async def _fresh_tags(self, chart: ChartPlace, max_age_seconds: float) -> _Tags:
        known = self._tags.get(chart)
        if known and self._is_fresh(chart, known.fetched_at, max_age_seconds):
            return known
        return await self._shared.do(("tags", chart), lambda: self._fetch_tags(chart))

    async def _fetch_tags(self, chart: ChartPlace) -> _Tags:
        fetched_at = self._monotonic()
        entries = _entries(await self._repository(chart).tags())
        if not entries:
            name = chart.name
            raise ChartUnavailable(f"{chart.folder} has no chart named {name!r}", chart.shown)
        found = _Tags(entries, fetched_at)
        self._tags[chart] = found
        return found

    async def _manifest(
        self, chart: ChartPlace, entry: Entry, max_age_seconds: float
    ) -> ChartManifest:
        """Return what a version's tag names now, or named at most so long ago."""
        tag = entry.urls[0]
        known = self._tagged.get((chart, tag))
        if known and self._is_fresh(chart, known.fetched_at, max_age_seconds):
            return known.manifest
        return await self._shared.do(
            ("manifest", chart, tag), lambda: self._fetch_manifest(chart, entry, known)
        )

    async def _fetch_manifest(
        self, chart: ChartPlace, entry: Entry, known: _Tagged | None
    ) -> ChartManifest:
        fetched_at = self._monotonic()
        repository, tag = self._repository(chart), entry.urls[0]
        manifest = known.manifest if known else None
        if manifest is None or not await repository.points_to(tag, manifest.digest):
            manifest = await repository.manifest(tag)
        if manifest is None:
            raise ChartVersionNotFound(f"{chart.shown} has no version {entry.version}", chart.shown)
        self._tagged[chart, tag] = _Tagged(manifest, fetched_at)
        return manifest

    async def _archive(self, chart: ChartPlace, archive: Descriptor) -> Path:
        path = await self._archives.find(archive.digest, chart.place.scope)
        if path is not None:
            return path
        return await self._shared.do(
            ("archive", chart, archive), lambda: self._download(chart, archive)
        )

    async def _download(self, chart: ChartPlace, archive: Descriptor) -> Path:
        data = await self._repository(chart).blob(archive, self._archive_bytes_limit)
        refuse_unless_gzip(data, chart.url("blobs", archive.digest))
        _, path = await self._archives.keep(data, chart.shown, chart.place.scope)
        return path


def _sentence(charts: int) -> str:
    if not charts:
        return "the registry answers"
    return f"the registry answers; {charts} of its charts {'is' if charts == 1 else 'are'} in use"


def _exact(version: str) -> Entry | None:
    """Return the entry of a whole version, None for a range."""
    tag = tag_of(version)
    return Entry(version, "", (tag,)) if is_tag(tag) and _version_of(tag) else None


def _version_of(tag: str) -> Version | None:
    """Read a tag as a version; `1.2` and `latest` are none: such tags move."""
    text = tag.replace("_", "+")
    try:
        Version.parse_strict(text.removeprefix("v"))
        return Version.parse(text)
    except SemverError:
        return None


def _entries(tags: list[str]) -> tuple[Entry, ...]:
    versions = [(version, tag) for tag in tags if (version := _version_of(tag))]
    versions.sort(key=lambda pair: pair[0].key, reverse=True)
    return tuple(Entry(version.original, "", (tag,)) for version, tag in versions)


def _chosen(chart: ChartPlace, reference: ChartReference, tags: _Tags) -> Choice:
    wanted = reference.version or ANY_VERSION
    if wanted not in tags.choices:
        tags.choices[wanted] = choose(reference.name, wanted, tags.entries, chart.folder)
    return tags.choices[wanted]
