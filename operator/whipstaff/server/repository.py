"""One repository: what is put into a folder, taken out of it and read from it.

The storage is the truth. The index follows it: what other hands put there is seen when the folder
changes, or at the latest when the index is asked for after `refresh_seconds`.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from whipstaff.errors import OperatorError
from whipstaff.server.index import Entry, Index
from whipstaff.server.names import archive_name
from whipstaff.server.refusals import bad, conflict, full, not_found
from whipstaff.server.shelf import Reader, Rules, Shelf
from whipstaff.server.storage import AlreadyStored, Storage, StorageFailed, Stored

log = logging.getLogger(__name__)

_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"


@dataclass(frozen=True, slots=True)
class Upload:
    """Files that were sent, each where it can be read; one of them at least."""

    archive: Path | None = None
    provenance: Path | None = None
    force: bool = False
    is_form: bool = False


class Repository:
    """The charts of one folder of the storage."""

    def __init__(
        self,
        storage: Storage,
        reader: Reader,
        folder: str,
        rules: Rules,
        clock: Callable[[], float],
    ) -> None:
        self._storage = storage
        self._reader = reader
        self._folder = folder
        self._rules = rules
        self._clock = clock
        self._shelf = Shelf(storage, reader, folder, rules)
        self._reserved: dict[str, int] = {}  # name -> bytes, of uploads under way
        self._lock = asyncio.Lock()
        self._marker: object = None
        self._own_changes = 0  # under way
        self._undisturbed = False  # nothing but our own changes since the last look
        self._looked = False
        self._due = 0.0
        self._background: asyncio.Task[None] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is here, and nothing is on its way."""
        return not self._shelf.files and not self._reserved

    async def index(self) -> Index:
        """Return the index as the storage is now, or was `refresh_seconds` ago at the most."""
        if not self._looked or self._moved():
            await self._look()
        elif self._clock() >= self._due and (self._background is None or self._background.done()):
            # Nothing came or went; a file whose content was exchanged in place is found without
            # anyone's waiting for it.
            self._background = asyncio.create_task(self._look_in_background())
        return self._shelf.index

    async def close(self) -> None:
        """End what is under way."""
        if self._background is not None:
            self._background.cancel()
            with suppress(asyncio.CancelledError):
                await self._background

    async def put(self, upload: Upload) -> None:
        """Keep a chart, its provenance or both; Refusal says why not."""
        if not self._looked:
            await self._look()
        found = await self._shelf.inspect(upload.archive) if upload.archive else None
        archive = archive_name(found["name"], found["version"]) if found else ""
        provenance = await _provenance_name(upload.provenance) if upload.provenance else ""
        if archive and provenance and provenance != f"{archive}.prov":
            raise bad(f"{provenance} is not the provenance of {archive}")
        overwrite = self._rules.overwrite or (upload.force and not self._rules.forbid_force)
        content = {
            name: path
            for name, path in (
                # The chart comes last: once it is there, all that came with it is.
                (provenance, upload.provenance),
                (archive, upload.archive),
            )
            if path
        }
        with self._room_for(content), self._own_change():
            if not overwrite:
                await self._refuse_second(archive or provenance, is_form=upload.is_form)
            for name, path in content.items():
                # A provenance without its chart was left by an upload that never ended.
                stray = archive not in {"", name} and archive not in self._shelf.files
                stored = await self._write(name, path, overwrite=overwrite or stray)
                self._shelf.take(stored, found if name == archive else None)

    async def delete(self, name: str, version: str) -> None:
        """Delete a chart and its provenance; Refusal if there is none."""
        file = archive_name(name, version)
        if not self._looked:
            await self._look()
        with self._own_change():
            if not await self._storage.delete(self._path(file)):
                raise not_found(f"no chart version found for {name}-{version}")
            await self._storage.delete(self._path(f"{file}.prov"))
            self._shelf.drop(file)

    async def open(self, file: str) -> tuple[Stored, AsyncIterator[bytes], str]:
        """Return an archive or provenance, its content, and its ETag; Refusal if it is not here."""
        found = await self._storage.stream(self._path(file))
        if found is None:
            raise not_found("object not found")
        stored, content = found
        entry = self._shelf.index.of_file(file)
        digest = entry.digest if entry and entry.tag == stored.tag else stored.tag.strip('"')
        return stored, content, f'"{digest}"'

    async def show(self, entry: Entry, what: str) -> dict[str, Any]:
        """Return the `contents`, `values` or `templates` of a chart; Refusal if that fails."""
        with TemporaryDirectory(prefix="whipstaff-serve-") as name:
            path = await self._storage.fetch(self._path(entry.file), Path(name))
            if path is None:
                raise not_found("object not found")
            try:
                return await self._reader.show(path, what)
            except OperatorError as error:
                raise bad(error.text) from error

    # Looking

    def _moved(self) -> bool:
        if self._own_changes and self._undisturbed:
            return False
        marker = self._storage.marker(self._folder)
        return self._clock() >= self._due if marker is None else marker != self._marker

    async def _look(self, *, again: bool = False) -> None:
        async with self._lock:
            if self._looked and not again and not self._moved():
                return  # someone else did while this one waited
            marker = self._storage.marker(self._folder)
            await self._shelf.look()
            self._marker, self._looked = marker, True
            self._due = self._clock() + self._rules.refresh_seconds

    async def _look_in_background(self) -> None:
        try:
            await self._look(again=True)
        except StorageFailed as error:
            log.warning("storage failed", extra={"problem": str(error)})

    # Writing

    @contextmanager
    def _own_change(self) -> Iterator[None]:
        """Know a change of the folder that follows as ours: it needs no look."""
        if not self._own_changes:
            self._undisturbed = self._storage.marker(self._folder) == self._marker
        self._own_changes += 1
        try:
            yield
        finally:
            self._own_changes -= 1
            if not self._own_changes and self._undisturbed:
                self._marker = self._storage.marker(self._folder)

    @contextmanager
    def _room_for(self, content: Mapping[str, Path]) -> Iterator[None]:
        """Hold names and room for files; Refusal if they are taken, or there is not so much."""
        if not self._reserved.keys().isdisjoint(content):
            raise conflict("this chart is being uploaded")
        sizes = {name: path.stat().st_size for name, path in content.items()}
        kept = {name: one.size_bytes for name, one in self._shelf.files.items()}
        then = {**kept, **self._reserved, **sizes}
        rules = self._rules
        if rules.quota_files and len(then) > max(rules.quota_files, len(kept)):
            raise full()
        if rules.quota_bytes and sum(then.values()) > rules.quota_bytes:
            raise full()
        self._reserved.update(sizes)
        try:
            yield
        finally:
            for name in sizes:
                del self._reserved[name]

    async def _refuse_second(self, name: str, *, is_form: bool) -> None:
        if await self._storage.find(self._path(name)):
            raise conflict("chart already exists" if is_form else "file already exists")

    async def _write(self, name: str, content: Path, *, overwrite: bool) -> Stored:
        try:
            return await self._storage.write(self._path(name), content, overwrite=overwrite)
        except AlreadyStored as error:
            raise conflict("file already exists") from error

    def _path(self, file: str) -> str:
        return f"{self._folder}/{file}" if self._folder else file


async def _provenance_name(provenance: Path) -> str:
    """Return the file name of a provenance, by the chart that it signs; Refusal if it is none."""
    text = (await asyncio.to_thread(provenance.read_bytes)).decode("utf-8", "replace")
    found = {
        key: match.group(1)
        for key in ("name", "version")
        if (match := re.search(rf"^{key}:[ ]+[\"']?([^\s\"']+)[\"']?\s*$", text, re.MULTILINE))
    }
    if not text.startswith(_SIGNED) or len(found) != 2:  # noqa: PLR2004 - name and version
        raise bad("invalid provenance file")
    return f"{archive_name(found['name'], found['version'])}.prov"
