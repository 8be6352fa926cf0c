"""Packaged charts that are stored in the cluster itself: in a ConfigMap or a Secret."""

import asyncio
import base64
import binascii
import hashlib
from pathlib import Path
from typing import Protocol

from whipstaff.chart.wanted import Wanted
from whipstaff.errors import ArchiveNotFound, ChartInvalid, ChartUnavailable
from whipstaff.helmrelease.types import ArchiveFrom, StoredKind
from whipstaff.reconcile.ports import ChartReference, Identity, ObjectReference
from whipstaff.release.revision import JsonObject
from whipstaff.sources.cache import ArchiveCache
from whipstaff.sources.completion import Base


class Objects(Protocol):
    """Who reads objects: the API server."""

    async def read(self, reference: ObjectReference, identity: Identity) -> JsonObject | None:
        """Return an object, None if there is none."""
        ...


class StoredArchives:
    """Reads as the release's identity: nobody has a chart out of a Secret that he may not read."""

    def __init__(self, objects: Objects, cache: ArchiveCache) -> None:
        self._objects = objects
        self._cache = cache

    async def locate(self, reference: ChartReference, stored: ArchiveFrom) -> Base:
        """Read the chart as it is now; ArchiveNotFound if there is none."""
        place = f"{stored.place}, key {stored.key}"
        found = await self._objects.read(stored.place, reference.identity.at_home)
        if found is None:
            raise ArchiveNotFound(f"there is no {stored.place}", str(stored.place))
        member = "binaryData" if stored.place.kind == StoredKind.CONFIG_MAP else "data"
        text = (found.get(member) or {}).get(stored.key)
        if not isinstance(text, str):
            raise ArchiveNotFound(f"{stored.place} has no {stored.key} in its {member}", place)
        try:
            data = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise ChartInvalid(f"{place} is no base64", place) from error
        scope = f"stored {stored.place.namespace}"
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        wanted = Wanted(
            values_files=reference.values_files,
            ignore_missing_values_files=reference.ignore_missing_values_files,
        )

        async def opened() -> Path:
            path = await asyncio.to_thread(self._keep, data, digest, scope)
            if path is None:
                raise ChartUnavailable(f"{place} did not stay in the cache", place)
            return path

        return Base(digest, wanted, opened, scope)

    def _keep(self, data: bytes, digest: str, scope: str) -> Path | None:
        known = self._cache.find(digest, scope)
        return known or self._cache.find(self._cache.store(data, scope), scope)
