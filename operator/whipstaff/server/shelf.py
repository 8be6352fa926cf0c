"""What a folder of charts holds: its files as they were last seen, and the index made of them.

Only files that are new or changed are read again, in workers, some at a time.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from whipstaff.errors import ChartUnavailable, OperatorError
from whipstaff.server.index import Entry, Index, finished
from whipstaff.server.names import ARCHIVE, PROVENANCE
from whipstaff.server.refusals import bad
from whipstaff.server.storage import Storage, Stored

log = logging.getLogger(__name__)

_BATCH = 16  # archives that a worker reads in one job
_BATCHES = 3  # under way: one more than there are workers


class Reader(Protocol):
    """Who opens archives: the worker pool."""

    async def chart_entries(self, paths: Sequence[Path], base: str) -> list[dict[str, Any]]:
        """Return what an index says of each archive, or its `error`; `base` begins its URL."""
        ...

    async def show(self, path: Path, what: str) -> dict[str, Any]:
        """Return the `contents`, `values` or `templates` of an archive."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every repository of a server; 0 is no limit."""

    chart_bytes: int
    quota_bytes: int = 0
    quota_files: int = 0
    overwrite: bool = False  # without anyone's asking
    forbid_force: bool = False
    refresh_seconds: float = 10.0
    chart_url: str = ""  # of the server, for absolute URLs in the index
    context_path: str = ""


class Shelf:
    """The files of one folder, and their index."""

    def __init__(self, storage: Storage, reader: Reader, folder: str, rules: Rules) -> None:
        self._storage = storage
        self._reader = reader
        self._folder = folder
        self._rules = rules
        place = f"{folder}/charts" if folder else "charts"
        self._base = f"{rules.chart_url}/{place}" if rules.chart_url else "charts"
        self.index = Index(rules.context_path)
        self.files: dict[str, Stored] = {}  # name -> archives and provenances
        self._broken: dict[str, str] = {}  # name -> tag of what is no chart
        self._changed: dict[str, int] = {}  # name -> the look during which we changed it ourselves
        self._looks = 0

    async def inspect(self, archive: Path) -> dict[str, Any]:
        """Read an archive that was sent; Refusal for what is no chart."""
        try:
            (found,) = await self._reader.chart_entries([archive], self._base)
        except OperatorError as error:
            raise bad(error.text) from error
        if "error" in found:
            raise bad(found["error"])
        return found

    def take(self, stored: Stored, found: dict[str, Any] | None) -> None:
        """Know a file that was written by us; `found` is what `inspect` said of an archive."""
        self._changed[stored.name] = self._looks
        self.files[stored.name] = stored
        self._broken.pop(stored.name, None)
        if found:
            self.index.change(now(), [_entry(found, stored)])

    def drop(self, archive: str) -> None:
        """Forget an archive that was deleted by us, and its provenance."""
        for name in (archive, f"{archive}.prov"):
            self._changed[name] = self._looks
            self.files.pop(name, None)
            self._broken.pop(name, None)
        self.index.change(now(), [], [archive])

    async def look(self) -> None:
        """Compare with the storage, and read what is new there."""
        self._looks += 1
        look = self._looks
        listed = {
            stored.name: stored
            for stored in await self._storage.files(self._folder)
            if stored.name.endswith((ARCHIVE, PROVENANCE))
        }
        entries, broken = await self._read([one for one in listed.values() if self._is_new(one)])
        # What we wrote or deleted meanwhile is known better than the list can say.
        ours = {name for name, since in self._changed.items() if since >= look}
        self._changed = dict.fromkeys(ours, look)
        gone = [name for name in self.files if name not in listed and name not in ours]
        gone += [name for name in broken if name not in ours]
        new = [entry for entry in entries if entry.file not in ours]
        self.index.change(now(), new, gone)
        kept = {name: self.files[name] for name in ours if name in self.files}
        self.files = {**{name: one for name, one in listed.items() if name not in ours}, **kept}
        self._broken = {
            name: tag for name, tag in {**self._broken, **broken}.items() if name in self.files
        }

    def _is_new(self, stored: Stored) -> bool:
        if not stored.name.endswith(ARCHIVE) or self._broken.get(stored.name) == stored.tag:
            return False
        known = self.index.of_file(stored.name)
        return known is None or known.tag != stored.tag

    async def _read(self, new: Sequence[Stored]) -> tuple[list[Entry], dict[str, str]]:
        """Return entries of archives, and the tags of those that are no charts."""
        entries: list[Entry] = []
        broken: dict[str, str] = {}
        turns = asyncio.Semaphore(_BATCHES)

        async def read(batch: Sequence[Stored]) -> None:
            async with turns:
                for stored, found in zip(batch, await self._found_in(batch), strict=True):
                    if found is None:
                        continue
                    if problem := _problem(found, stored):
                        broken[stored.name] = stored.tag
                        facts = {"file": stored.path, "problem": problem}
                        log.warning("archive is not listed", extra=facts)
                    else:
                        entries.append(_entry(found, stored))

        batches = [new[start : start + _BATCH] for start in range(0, len(new), _BATCH)]
        async with asyncio.TaskGroup() as group:
            for batch in batches:
                group.create_task(read(batch))
        return entries, broken

    async def _found_in(self, batch: Sequence[Stored]) -> list[dict[str, Any] | None]:
        """Return what is in archives; None for one that went away meanwhile."""
        with TemporaryDirectory(prefix="whipstaff-serve-") as folder:
            paths = await asyncio.gather(*(self._fetched(one, Path(folder)) for one in batch))
            there = [path for path in paths if isinstance(path, Path)]
            read: Iterator[dict[str, Any] | None]
            try:
                read = iter(await self._reader.chart_entries(there, self._base) if there else ())
            except OperatorError:
                # One of them spoils the batch; alone, it is the only one that fails.
                read = iter([await self._alone(path) for path in there])
            return [next(read) if isinstance(path, Path) else path for path in paths]

    async def _fetched(self, stored: Stored, folder: Path) -> Path | dict[str, Any] | None:
        if stored.size_bytes > self._rules.chart_bytes:
            return {"error": f"the archive is larger than {self._rules.chart_bytes} bytes"}
        return await self._storage.fetch(stored.path, folder)

    async def _alone(self, path: Path) -> dict[str, Any] | None:
        try:
            (found,) = await self._reader.chart_entries([path], self._base)
        except ChartUnavailable:
            return None
        except OperatorError as error:
            return {"error": error.text}
        return found


def _problem(found: dict[str, Any], stored: Stored) -> str:
    if "error" in found:
        return str(found["error"])
    name = f"{found['name']}-{found['version']}{ARCHIVE}"
    return "" if stored.name == name else f"the chart inside belongs into a file {name!r}"


def _entry(found: dict[str, Any], stored: Stored) -> Entry:
    return finished(found, stored.name, _rfc3339(stored.modified), stored.tag)


def now() -> str:
    """Return the time as an index has it."""
    return _rfc3339(datetime.now(UTC))  # noqa: TID251 - nothing is decided by it


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
