"""Charts from HTTP repositories: an index.yaml that names archives.

The index goes to disk as it comes and is boiled down by a worker; the main process reads one line
of what is left for each chart that someone asks for. Calls that want the same share one fetch.
"""

import asyncio
import hashlib
import json
import logging
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from yarl import URL

from whipstaff.errors import ChartIntegrity, ChartInvalid, ChartUnavailable, OperatorError
from whipstaff.reconcile.ports import ChartReference, ResolvedChart
from whipstaff.settings import Settings
from whipstaff.sources.cache import ArchiveCache
from whipstaff.sources.choice import Choice, Entry, choose, same_version
from whipstaff.sources.fetch import Fetcher, as_written, displayed, parse_url, refuse_unless_gzip

log = logging.getLogger(__name__)

_NOT_MODIFIED = 304
_REPOSITORY_FIELD = "spec.chart.repository"

T = TypeVar("T")


class Reader(Protocol):
    """Who parses what was fetched: the worker pool."""

    async def compact_index(self, source: Path, target: Path, url: str) -> None:
        """Write the entries of an index.yaml as lines of JSON; ChartUnavailable names `url`."""
        ...

    async def inspect(self, path: Path) -> tuple[str, str]:
        """Return name and version of a chart archive; ChartInvalid if it is none."""
        ...


@dataclass(slots=True)
class _Index:
    """What is known of a repository; its entries are in the file."""

    file: Path
    fetched_at: float
    validators: dict[str, str]  # what to send to be told that nothing changed
    choices: dict[tuple[str, str], Choice] = field(default_factory=dict)


class HTTPRepositories:
    """The ChartSource for repositories over http and https."""

    def __init__(self, settings: Settings, reader: Reader, monotonic: Callable[[], float]) -> None:
        self._fetcher = Fetcher(
            timeout_seconds=settings.http_timeout_seconds,
            allow_loopback=settings.allow_loopback_repositories,
        )
        self._reader = reader
        self._monotonic = monotonic
        self._cache = ArchiveCache(settings.cache_folder, settings.cache_bytes_limit)
        self._index_folder = settings.cache_folder / "indexes"
        self._index_bytes_limit = settings.index_bytes_limit
        self._archive_bytes_limit = settings.chart_bytes_limit
        self._indexes: dict[URL, _Index] = {}
        self._digests: dict[URL, str] = {}  # of archives whose index promises none
        self._inspected: dict[str, tuple[str, str]] = {}
        self._under_way: dict[object, asyncio.Task[Any]] = {}

    async def close(self) -> None:
        """Stop what is under way and close all connections."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await self._fetcher.close()

    async def resolve(self, reference: ChartReference, *, max_age_seconds: float) -> ResolvedChart:
        """Choose a version and have its archive in the cache.

        InvalidSpec for a URL or range that cannot be read, ChartUnavailable where the repository
        does not answer or has no such chart, ChartInvalid and its kin for a wrong archive.
        """
        repository = parse_url(reference.repository, _REPOSITORY_FIELD)
        began = self._monotonic()
        index = await self._fresh_index(repository, max_age_seconds)
        try:
            entry, newer = await self._choose(index, repository, reference)
        except ChartUnavailable:
            if index.fetched_at >= began:
                raise
            # The index may be from before the chart was published.
            index = await self._fresh_index(repository, self._monotonic() - began)
            entry, newer = await self._choose(index, repository, reference)
        promised = _promised_digest(entry)
        digest, path = await self._archive(repository, entry, promised)
        await self._check_identity(digest, path, reference.name, entry.version)
        return ResolvedChart(reference.name, entry.version, digest, str(path), newer)

    async def _fresh_index(self, repository: URL, max_age_seconds: float) -> _Index:
        index = self._indexes.get(repository)
        if index and index.file.exists() and self._age(index) < max_age_seconds:
            return index
        return await self._shared(repository, lambda: self._fetch_index(repository))

    def _age(self, index: _Index) -> float:
        return self._monotonic() - index.fetched_at

    async def _fetch_index(self, repository: URL) -> _Index:
        known = self._indexes.get(repository)
        if known and not known.file.exists():
            known = None
        self._index_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fetched_at = self._monotonic()
        with tempfile.TemporaryDirectory(dir=self._index_folder) as name:
            folder = Path(name)
            headers = await self._download_index(repository, known, folder / "index.yaml")
            if headers is None and known:
                known.fetched_at = fetched_at
                return known
            file = await self._keep_entries(repository, folder)
        index = _Index(file, fetched_at, _validators(headers or {}))
        self._indexes[repository] = index
        return index

    async def _download_index(
        self, repository: URL, known: _Index | None, target: Path
    ) -> Mapping[str, str] | None:
        """Write index.yaml to `target` and return the answer's headers; None if nothing changed."""
        headers = {"Accept-Encoding": "gzip", **(known.validators if known else {})}
        async with self._fetcher.get(
            _index_url(repository), bytes_limit=self._index_bytes_limit, headers=headers
        ) as reply:
            if known and reply.status == _NOT_MODIFIED:
                return None
            with target.open("wb") as file:
                async for chunk in reply.chunks:
                    file.write(chunk)
            return reply.headers

    async def _keep_entries(self, repository: URL, folder: Path) -> Path:
        """Have the index in `folder` boiled down; the file of entries appears whole."""
        entries = folder / "entries"
        url = displayed(_index_url(repository))
        await self._reader.compact_index(folder / "index.yaml", entries, url)
        name = hashlib.sha256(str(repository).encode()).hexdigest()
        return entries.replace(self._index_folder / f"{name}.entries")

    async def _choose(self, index: _Index, repository: URL, reference: ChartReference) -> Choice:
        key = reference.name, reference.version
        if key not in index.choices:
            entries = await asyncio.to_thread(_entries, index.file, reference.name)
            if not entries:
                where = displayed(repository)
                raise ChartUnavailable(
                    f"{where} has no chart named {reference.name!r}", f"{where}/{reference.name}"
                )
            index.choices[key] = choose(
                reference.name, reference.version, entries, displayed(repository)
            )
        return index.choices[key]

    async def _archive(self, repository: URL, entry: Entry, promised: str) -> tuple[str, Path]:
        urls = [_joined(repository, url) for url in _urls(entry)]
        if not urls:
            raise ChartUnavailable(
                f"{displayed(repository)} names no http or https URL for version {entry.version}",
                displayed(repository),
            )
        digest = promised or next((self._digests[url] for url in urls if url in self._digests), "")
        if digest and (path := await asyncio.to_thread(self._cache.find, digest)):
            return digest, path
        return await self._shared(tuple(urls), lambda: self._download_any(urls, promised))

    async def _download_any(self, urls: list[URL], promised: str) -> tuple[str, Path]:
        """Try each place in turn, as Helm's index allows several; the last failure counts."""
        for url in urls[:-1]:
            try:
                return await self._download(url, promised)
            except OperatorError as error:
                log.info("chart not fetched", extra={"url": displayed(url), "why": error.reason})
        return await self._download(urls[-1], promised)

    async def _download(self, url: URL, promised: str) -> tuple[str, Path]:
        headers = {"Accept-Encoding": "identity"}
        async with self._fetcher.get(
            url, bytes_limit=self._archive_bytes_limit, headers=headers
        ) as reply:
            data = b"".join([chunk async for chunk in reply.chunks])
        refuse_unless_gzip(data, url)
        found = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if promised and found != promised:
            raise ChartIntegrity(
                f"{displayed(url)} has the digest {found}, but its index promises {promised}"
            )
        await asyncio.to_thread(self._cache.store, data)
        path = await asyncio.to_thread(self._cache.find, found)
        if path is None:
            raise ChartUnavailable(f"{displayed(url)} did not stay in the cache", displayed(url))
        self._digests[url] = found
        return found, path

    async def _check_identity(self, digest: str, path: Path, name: str, version: str) -> None:
        if digest not in self._inspected:
            try:
                found = await self._shared(digest, lambda: self._reader.inspect(path))
            except ChartInvalid as error:
                # What cannot be read cannot say which chart it is.
                text = f"the archive of {name} {version}: {error.text}"
                raise type(error)(text, error.where) from error
            self._inspected[digest] = found
        found_name, found_version = self._inspected[digest]
        if found_name != name:
            raise ChartInvalid(
                f"the archive holds the chart {found_name!r}, not {name!r}", "Chart.yaml: name"
            )
        if not same_version(found_version, version):
            raise ChartInvalid(
                f"the archive holds version {found_version} of {name}, not {version}",
                "Chart.yaml: version",
            )

    async def _shared(self, key: object, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do the work once for all who want it now; one who leaves does not stop it."""
        task: asyncio.Task[T] | None = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(work())
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._end(key, done))
        return await asyncio.shield(task)

    def _end(self, key: object, task: asyncio.Task[Any]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen, even if nobody waits any more


def _index_url(repository: URL) -> URL:
    return _joined(repository, URL("index.yaml"))


def _joined(repository: URL, reference: URL) -> URL:
    """Resolve a URL of the index; a relative one is below the repository and keeps its query."""
    if reference.scheme:
        at_home = repository.user and reference.origin() == repository.origin()
        if at_home:
            return reference.with_user(repository.user).with_password(repository.password)
        return reference
    folder = repository.path.removesuffix("/") + "/"
    return repository.with_path(folder).join(reference).with_query(repository.query)


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


def _entries(file: Path, name: str) -> tuple[Entry, ...]:
    """Read the line of one chart from what a worker left of an index."""
    start = f"[{json.dumps(name)},".encode()
    with file.open("rb") as lines:
        for line in lines:
            if line.startswith(start):
                _, versions = json.loads(line)
                return tuple(
                    Entry(version, digest, tuple(urls)) for version, digest, urls in versions
                )
    return ()
