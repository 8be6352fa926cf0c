"""Archives that were fetched: kept by their digest, and asked which chart they hold."""

import asyncio
from pathlib import Path
from typing import Protocol

from whipstaff.errors import ChartInvalid, ChartUnavailable
from whipstaff.sources.cache import ArchiveCache
from whipstaff.sources.choice import same_version
from whipstaff.sources.sharing import SharedWork


class Inspector(Protocol):
    """Who opens archives: the worker pool."""

    async def inspect(self, path: Path) -> tuple[str, str]:
        """Return name and version of a chart archive; ChartInvalid if it is none."""
        ...


class Archives:
    """The cache, and what is known of the charts in it."""

    def __init__(self, cache: ArchiveCache, inspector: Inspector) -> None:
        self._cache = cache
        self._inspector = inspector
        self._identities: dict[str, tuple[str, str]] = {}
        self._shared = SharedWork()

    async def close(self) -> None:
        """Stop what is under way."""
        await self._shared.close()

    async def find(self, digest: str, scope: str = "") -> Path | None:
        """Return the archive of a digest `sha256:…`, None if it is not here.

        `scope` is that of the Place: a digest alone opens nothing.
        """
        return await asyncio.to_thread(self._cache.find, digest, scope)

    async def keep(self, data: bytes, origin: str, scope: str = "") -> tuple[str, Path]:
        """Store an archive and return its digest and place; `origin` is for texts."""
        digest = await asyncio.to_thread(self._cache.store, data, scope)
        path = await self.find(digest, scope)
        if path is None:
            raise ChartUnavailable(f"{origin} did not stay in the cache", origin)
        return digest, path

    async def identity(self, digest: str, path: Path) -> tuple[str, str]:
        """Return name and version of the chart in an archive; ChartInvalid if there is none."""
        if digest not in self._identities:
            self._identities[digest] = await self._shared.do(
                digest, lambda: self._inspector.inspect(path)
            )
        return self._identities[digest]

    async def check_identity(self, digest: str, path: Path, name: str, version: str) -> None:
        """Raise ChartInvalid unless the archive holds this version of this chart."""
        try:
            found_name, found_version = await self.identity(digest, path)
        except ChartInvalid as error:
            # What cannot be read cannot say which chart it is.
            text = f"the archive of {name} {version}: {error.text}"
            raise type(error)(text, error.where) from error
        if found_name != name:
            raise ChartInvalid(
                f"the archive holds the chart {found_name!r}, not {name!r}", "Chart.yaml: name"
            )
        if not same_version(found_version, version):
            raise ChartInvalid(
                f"the archive holds version {found_version} of {name}, not {version}",
                "Chart.yaml: version",
            )
