"""Charts that are not yet what can be rendered: in a folder, with other values, or incomplete.

A worker makes them whole, once for all who want the same.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from whipstaff.chart.model import Dependency
from whipstaff.chart.wanted import CompleteChart, Wanted
from whipstaff.errors import ChartUnavailable
from whipstaff.reconcile.ports import ResolvedChart
from whipstaff.sources.cache import ArchiveCache
from whipstaff.sources.sharing import SharedWork

_KEPT = 4096
_TEMPORARY = "complete-"


class Worker(Protocol):
    """Who opens archives: the worker pool."""

    async def complete(
        self,
        source: Path,
        target: Path,
        wanted: Wanted,
        fetched: Sequence[tuple[Dependency, Path]] = (),
    ) -> CompleteChart:
        """Find a chart, and write it to `target` if it is another file than `source`."""
        ...


@dataclass(frozen=True, slots=True)
class Base:
    """What there is before: a file, how to have it, and what is taken of it."""

    digest: str  # of the file, however its source names it
    wanted: Wanted
    open: Callable[[], Awaitable[Path]] = field(compare=False)
    scope: str = ""  # whose logins it was fetched with; see Place.scope


class Whole(NamedTuple):
    """A chart that can be rendered."""

    name: str
    version: str
    digest: str  # "sha256:…" of the archive
    path: str


Fetch = Callable[[Dependency], Awaitable[ResolvedChart]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a worker made; `digest` is empty where something is missing."""

    chart: CompleteChart
    digest: str = ""


class Completion:
    """Remembers what became of each base; the archives are in the cache."""

    def __init__(self, worker: Worker, cache: ArchiveCache, folder: Path) -> None:
        """`folder`: of the cache, where archives are written before they belong to it."""
        self._worker = worker
        self._cache = cache
        self._folder = folder
        self._kept: dict[tuple[object, ...], _Kept] = {}  # the oldest first
        self._shared = SharedWork()

    async def close(self) -> None:
        """Stop what is under way."""
        await self._shared.close()

    async def complete(self, base: Base, fetch: Fetch) -> Whole:
        """Return the whole chart; `fetch` is asked for each chart that is missing in it.

        ChartInvalid and its kin for what is no chart, ChartUnavailable and its kin for what cannot
        be fetched.
        """
        found, path = await self._made(base, ())
        if path is None:
            put_in = [(one, await fetch(one)) for one in found.chart.missing]
            found, path = await self._made(base, put_in)
        if path is None:
            names = ", ".join(one.name for one in found.chart.missing)
            raise ChartUnavailable(f"dependencies are still missing: {names}", names)
        return Whole(found.chart.name, found.chart.version, found.digest, str(path))

    async def _made(
        self, base: Base, put_in: Sequence[tuple[Dependency, ResolvedChart]]
    ) -> tuple[_Kept, Path | None]:
        """Return what a worker made, now or before; no path where something is missing."""
        key = (base.scope, base.digest, base.wanted, *((one, c.digest) for one, c in put_in))
        scope = "\n".join(sorted({base.scope, *(chart.scope for _, chart in put_in)} - {""}))
        known = self._kept.get(key)
        if known is not None and known.chart.missing:
            return known, None
        if known is not None and (path := await self._place(known, base, scope)):
            return known, path
        made = await self._shared.do((key, scope), lambda: self._make(base, put_in, scope))
        self._kept[key] = made
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return made, await self._place(made, base, scope)

    async def _place(self, kept: _Kept, base: Base, scope: str) -> Path | None:
        if not kept.digest:
            return None
        if (kept.digest, scope) == (base.digest, base.scope):
            return await base.open()
        return await asyncio.to_thread(self._cache.find, kept.digest, scope)

    async def _make(
        self, base: Base, put_in: Sequence[tuple[Dependency, ResolvedChart]], scope: str
    ) -> _Kept:
        source = await base.open()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=self._folder) as name:
            target = Path(name) / "chart.tgz"
            fetched = [(one, Path(chart.path)) for one, chart in put_in]
            chart = await self._worker.complete(source, target, base.wanted, fetched)
            if chart.missing:
                return _Kept(chart)
            if not chart.written and base.digest.startswith("sha256:") and scope == base.scope:
                return _Kept(chart, base.digest)
            if not chart.written:
                await asyncio.to_thread(_link, source, target)
            return _Kept(chart, await asyncio.to_thread(self._cache.adopt, target, scope))


def _link(source: Path, target: Path) -> None:
    """Give a file a second name: it is in the cache under another digest, or for another scope."""
    target.hardlink_to(source)
