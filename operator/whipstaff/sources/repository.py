"""Charts from HTTP repositories: an index.yaml that names archives.

The index goes to disk as it comes and is boiled down by a worker; the main process reads one line
of what is left for each chart that someone asks for. Calls that want the same share one fetch.
"""

import asyncio
import hashlib
import logging
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from yarl import URL

from whipstaff.errors import (
    ChartIntegrity,
    ChartTooLarge,
    ChartUnavailable,
    ChartUnsigned,
    InvalidSpec,
    OperatorError,
    RenderLimit,
    RenderTimeout,
    RepoForbiddenTarget,
    RepoIndexInvalid,
    RepoIndexTooLarge,
    WorkerLost,
)
from whipstaff.helmrelease.types import VerificationProvider
from whipstaff.helmrepository.status import Change, Fetched
from whipstaff.reconcile.ports import ChartReference, ResolvedChart
from whipstaff.settings import Settings
from whipstaff.sources.addresses import AddressPolicy, ApiServer, Endpoint
from whipstaff.sources.archives import Archives, Inspector
from whipstaff.sources.cache import ArchiveCache
from whipstaff.sources.choice import Choice, Entry, choose
from whipstaff.sources.entries import entries_of, summary
from whipstaff.sources.fetch import (
    Asker,
    Fetcher,
    as_written,
    displayed,
    refuse_unless_gzip,
    same_origin,
)
from whipstaff.sources.left import LeftIndex, Remembered, whose
from whipstaff.sources.place import Evidence, Place, PlaceKey
from whipstaff.sources.sharing import SharedWork

log = logging.getLogger(__name__)

_NOT_MODIFIED = 304
_CHANGES_KEPT = 8  # of an index, for those who saw an older one
_PROVENANCE_BYTES_LIMIT = 1 << 20


class Reader(Inspector, Protocol):
    """Who parses what was fetched: the worker pool."""

    async def compact_index(
        self, source: Path, target: Path, url: str, before: Path | None
    ) -> tuple[frozenset[str] | None, tuple[str, ...]]:
        """Boil an index.yaml down for `sources.entries`; ChartUnavailable names `url`.

        Return which charts are others than in the file `before`, None for any, and which versions
        were exchanged.
        """
        ...


@dataclass(slots=True)
class _Index:
    """What is known of a repository; its entries are in the file."""

    place: Place
    file: Path
    fetched_at: float
    validators: Mapping[str, str]  # what to send to be told that nothing changed
    fetched: Fetched
    choices: dict[tuple[str, str], Choice] = field(default_factory=dict)


class HTTPRepositories:
    """The charts of repositories over http and https."""

    def __init__(
        self,
        settings: Settings,
        reader: Reader,
        monotonic: Callable[[], float],
        api_server: ApiServer | frozenset[Endpoint] = frozenset(),
        *,
        downloads: int = 1000,
        kept_bytes: float = math.inf,
    ) -> None:
        """`api_server`: addresses at which no repository may be.

        So many indexes are fetched at once, and of all that were the newest stay on disk.
        """
        self._fetcher = Fetcher(
            AddressPolicy(
                allow_loopback=settings.allow_loopback_repositories,
                allow_private=settings.allow_private_repositories,
                api_server=api_server,
            )
        )
        self._reader = reader
        self._monotonic = monotonic
        cache = ArchiveCache(settings.cache_folder, settings.cache_bytes_limit)
        self._archives = Archives(cache, reader)
        self._shared = SharedWork()
        self._index_folder = settings.cache_folder / "indexes"
        self._index_bytes_limit = settings.index_bytes_limit
        self._archive_bytes_limit = settings.chart_bytes_limit
        self._downloads = asyncio.Semaphore(downloads)
        self._kept_bytes = kept_bytes
        self._indexes: dict[PlaceKey, _Index] = {}
        self._digests: dict[tuple[str, URL], str] = {}  # of archives whose index promises none

    async def close(self) -> None:
        """Stop what is under way and close all connections."""
        await self._shared.close()
        await self._archives.close()
        await self._fetcher.close()

    def known(self, place: Place) -> bool:
        """Whether there is an index of the place, however old."""
        index = self._indexes.get(place.key)
        return index is not None and index.place == place and index.file.exists()

    async def refresh(self, place: Place) -> Fetched:
        """Ask for the index now, and say what is in it."""
        index = await self._fresh_index(place, 0.0)
        return index.fetched

    async def entries(self, place: Place, *, max_age_seconds: float) -> Path:
        """Return the file with the index's entries, no older than that."""
        return (await self._fresh_index(place, max_age_seconds)).file

    async def resolve(
        self, place: Place, reference: ChartReference, *, max_age_seconds: float
    ) -> ResolvedChart:
        """Choose a version and have its archive in the cache.

        InvalidSpec for a range that cannot be read, ChartUnavailable and its kin where the
        repository does not answer or has no such chart, ChartInvalid and its for a wrong archive.
        """
        began = self._monotonic()
        index = await self._fresh_index(place, max_age_seconds)
        try:
            entry, newer = await self._choose(index, reference)
        except ChartUnavailable:
            if not place.ask or index.fetched_at >= began:
                raise
            # The index may be from before the chart was published.
            index = await self._fresh_index(place, self._monotonic() - began)
            entry, newer = await self._choose(index, reference)
        promised = _promised_digest(entry)
        digest, path = await self._archive(place, entry, promised)
        await self._archives.check_identity(digest, path, reference.name, entry.version)
        return ResolvedChart(reference.name, entry.version, digest, str(path), newer)

    async def evidence(
        self,
        place: Place,
        reference: ChartReference,
        chart: ResolvedChart,
        provider: VerificationProvider,
    ) -> Evidence:
        """Fetch the .prov file that lies beside an archive; ChartUnsigned if it does not."""
        if provider is not VerificationProvider.PGP:
            raise InvalidSpec(
                "spec.chart.verify.provider: cosign signs charts in OCI registries alone; "
                f"{displayed(place.url)} is none",
                "spec.chart.verify.provider",
            )
        index = await self._fresh_index(place, math.inf)
        entries = await asyncio.to_thread(entries_of, index.file, reference.name)
        named = [url for one in entries if one.version == chart.version for url in _urls(one)]
        failure: OperatorError = ChartUnsigned(f"{chart.name} {chart.version} has no provenance")
        for url in named:
            beside = _joined(place.url, url)
            beside = beside.with_path(f"{beside.raw_path}.prov", encoded=True, keep_query=True)
            try:
                return Evidence(await self._provenance(place, beside))
            except ChartUnavailable as error:
                failure = ChartUnsigned(f"no provenance: {error.text}", error.reference)
        raise failure

    async def _provenance(self, place: Place, url: URL) -> bytes:
        async with self._fetcher.get(
            url,
            _asker(place, url),
            bytes_limit=_PROVENANCE_BYTES_LIMIT,
            headers={"Accept-Encoding": "identity"},
        ) as reply:
            return b"".join([chunk async for chunk in reply.chunks])

    async def _fresh_index(self, place: Place, max_age_seconds: float) -> _Index:
        if self.known(place):
            index = self._indexes[place.key]
            if self._monotonic() - index.fetched_at < max_age_seconds:
                return index
        return await self._shared.do(place, lambda: self._fetch_index(place))

    async def _fetch_index(self, place: Place) -> _Index:
        async with self._downloads:
            # What another login saw says nothing about what this one may see.
            self._index_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            known = self._indexes[place.key] if self.known(place) else await self._left(place)
            fetched_at = self._monotonic()
            with tempfile.TemporaryDirectory(dir=self._index_folder) as name:
                folder = Path(name)
                downloaded = await self._download_index(place, known, folder / "index.yaml")
                if downloaded is None and known:
                    known.fetched_at = fetched_at
                    self._indexes[place.key] = known
                    return known
                downloaded = downloaded or Remembered("", {})
                return await self._keep(place, folder, known, downloaded, fetched_at)

    async def _keep(
        self,
        place: Place,
        folder: Path,
        known: _Index | None,
        downloaded: Remembered,
        fetched_at: float,
    ) -> _Index:
        """Have the index in `folder` boiled down; the file of entries appears whole."""
        entries = folder / "entries"
        url = displayed(_index_url(place.url))
        before = known.file if known else None
        try:
            changed, exchanged = await self._reader.compact_index(
                folder / "index.yaml", entries, url, before
            )
        except (RenderLimit, RenderTimeout, WorkerLost) as error:
            raise RepoIndexInvalid(f"{url} cannot be read: {error.text}", url) from error
        found = await asyncio.to_thread(summary, entries)
        changes: tuple[Change, ...] = ()
        if known:
            change = Change(known.fetched.index_digest, changed, exchanged)
            changes = (*known.fetched.changes, change)[-_CHANGES_KEPT:]
        sentence = found.sentence
        fetched = Fetched(found.charts, downloaded.digest, found.skipped, sentence, changes)
        file = self._left_by(place).keep(entries, downloaded)
        index = _Index(place, file, fetched_at, downloaded.validators, fetched)
        self._indexes[place.key] = index
        self._make_room()
        return index

    def _make_room(self) -> None:
        """Delete the indexes that were fetched longest ago, if all together are too large."""
        room = self._kept_bytes
        if math.isinf(room):
            return
        newest = sorted(self._indexes.values(), key=lambda index: -index.fetched_at)
        for number, index in enumerate(newest):
            room -= index.file.stat().st_size if index.file.exists() else 0
            if number and room < 0:
                del self._indexes[index.place.key]
                index.file.unlink(missing_ok=True)

    async def _left(self, place: Place) -> _Index | None:
        """Return the index that a process before this one left, to be asked whether it changed."""
        left = self._left_by(place)
        remembered = await asyncio.to_thread(left.remembered)
        if remembered is None:
            return None
        found = await asyncio.to_thread(summary, left.file)
        fetched = Fetched(found.charts, remembered.digest, found.skipped, found.sentence)
        return _Index(place, left.file, -math.inf, remembered.validators, fetched)

    def _left_by(self, place: Place) -> LeftIndex:
        return LeftIndex(self._index_folder, whose(place))

    async def _download_index(
        self, place: Place, known: _Index | None, target: Path
    ) -> Remembered | None:
        """Write index.yaml to `target`, return what to remember; None if nothing changed."""
        headers = {"Accept-Encoding": "gzip", **(known.validators if known else {})}
        digest = hashlib.sha256()
        url = _index_url(place.url)
        try:
            async with self._fetcher.get(
                url, _asker(place, url), bytes_limit=self._index_bytes_limit, headers=headers
            ) as reply:
                if reply.status == _NOT_MODIFIED:
                    if known is None:
                        raise ChartUnavailable(f"{displayed(url)}: 304, unasked", displayed(url))
                    return None
                with target.open("wb") as file:
                    async for chunk in reply.chunks:
                        file.write(chunk)
                        digest.update(chunk)
        except ChartTooLarge as error:
            raise RepoIndexTooLarge(error.text, displayed(url)) from error
        return Remembered(f"sha256:{digest.hexdigest()}", _validators(reply.headers))

    async def _choose(self, index: _Index, reference: ChartReference) -> Choice:
        key = reference.name, reference.version
        if key not in index.choices:
            where = displayed(index.place.url)
            # A thread, for thousands of versions take longer than others may wait.
            index.choices[key] = await asyncio.to_thread(_choice, index.file, reference, where)
        return index.choices[key]

    async def _archive(self, place: Place, entry: Entry, promised: str) -> tuple[str, Path]:
        urls = [_joined(place.url, url) for url in _urls(entry)]
        if not urls:
            where = displayed(place.url)
            raise RepoForbiddenTarget(
                f"{where} names no http or https URL for version {entry.version}", where
            )
        scope = place.scope
        seen = (self._digests[scope, url] for url in urls if (scope, url) in self._digests)
        digest = promised or next(seen, "")
        if digest and (path := await self._archives.find(digest, scope)):
            return digest, path
        return await self._shared.do(
            (place, *urls), lambda: self._download_any(place, urls, promised)
        )

    async def _download_any(self, place: Place, urls: list[URL], promised: str) -> tuple[str, Path]:
        """Try each place in turn, as Helm's index allows several; the last failure counts."""
        for url in urls[:-1]:
            try:
                return await self._download(place, url, promised)
            except OperatorError as error:
                log.info("chart not fetched", extra={"url": displayed(url), "why": error.reason})
        return await self._download(place, urls[-1], promised)

    async def _download(self, place: Place, url: URL, promised: str) -> tuple[str, Path]:
        headers = {"Accept-Encoding": "identity"}
        async with self._fetcher.get(
            url, _asker(place, url), bytes_limit=self._archive_bytes_limit, headers=headers
        ) as reply:
            data = b"".join([chunk async for chunk in reply.chunks])
        refuse_unless_gzip(data, url)
        found = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if promised and found != promised:
            raise ChartIntegrity(
                f"{displayed(url)} has the digest {found}, but its index promises {promised}"
            )
        digest, path = await self._archives.keep(data, displayed(url), place.scope)
        self._digests[place.scope, url] = digest
        return digest, path


def _choice(file: Path, reference: ChartReference, where: str) -> Choice:
    entries = entries_of(file, reference.name)
    if not entries:
        raise ChartUnavailable(
            f"{where} has no chart named {reference.name!r}", f"{where}/{reference.name}"
        )
    return choose(reference.name, reference.version, entries, where)


def _index_url(repository: URL) -> URL:
    return _joined(repository, URL("index.yaml"))


def _asker(place: Place, url: URL) -> Asker:
    """Return who asks for `url`: a login is for the repository's own origin, unless passed on."""
    asker = Asker(place.credentials, place.insecure, place.timeout_seconds)
    if same_origin(url, place.url):
        return asker
    downgraded = place.url.scheme == "https" and url.scheme == "http"
    if place.pass_credentials and not downgraded:
        return replace(asker, insecure=False)
    return asker.as_stranger()


def _joined(repository: URL, reference: URL) -> URL:
    """Resolve a URL of the index; a relative one is below the repository and keeps its query.

    Who we are is not for an index to say: user and password go.
    """
    if reference.scheme:
        return reference.with_user(None)
    folder = repository.path.removesuffix("/") + "/"
    joined = repository.with_path(folder).join(reference)
    return joined.with_user(None).with_query(repository.query)


def _urls(entry: Entry) -> list[URL]:
    found = []
    for text in entry.urls:
        try:
            url = as_written(text)
        except ValueError:
            continue
        if text and (not url.scheme or (url.scheme in {"http", "https"} and url.host)):
            found.append(url)
    return found


def _promised_digest(entry: Entry) -> str:
    digest = entry.digest.removeprefix("sha256:").lower()
    return f"sha256:{digest}" if digest else ""


def _validators(headers: Mapping[str, str]) -> dict[str, str]:
    pairs = (("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since"))
    return {question: headers[answer] for answer, question in pairs if answer in headers}
