"""Where charts are kept: files in folders, in a folder of this machine or in an object store.

A write is whole or not at all, and the one that may not overwrite fails if something is there.
"""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from whipstaff.errors import InvalidSpec

if TYPE_CHECKING:
    from obstore import GetResult, ObjectMeta, PutMode

_CHUNK_BYTES = 256 << 10
_WRITES_AT_A_TIME = 4
_MARK = "://"
_STAGED = re.compile(r".+\.tgz(\.prov)?#\d+")  # what obstore writes before it has all of a file
_STAGED_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as the storage knows it; `tag` is another one for other content."""

    path: str
    size_bytes: int
    modified: datetime
    tag: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


class AlreadyStored(Exception):
    """There is such a file, and it may not be overwritten."""


class StorageFailed(Exception):
    """The storage does not do what it is asked; the text names the file and the cause."""


class Storage(Protocol):
    """What a chart server asks of what keeps its charts; paths have slashes and no leading one."""

    async def files(self, folder: str) -> list[Stored]:
        """Return the files right in a folder; none if there is no such folder."""
        ...

    async def folders(self, folder: str) -> list[str]:
        """Return the names of the folders right in a folder."""
        ...

    async def find(self, path: str) -> Stored | None:
        """Return a file, None if there is none."""
        ...

    async def fetch(self, path: str, folder: Path) -> Path | None:
        """Return where the content of a file can be read: itself, or a copy in `folder`."""
        ...

    async def stream(self, path: str) -> tuple[Stored, AsyncIterator[bytes]] | None:
        """Return a file and its content in pieces, None if there is none."""
        ...

    async def write(self, path: str, content: Path, *, overwrite: bool) -> Stored:
        """Keep a file; AlreadyStored if there is one that may not be overwritten."""
        ...

    async def delete(self, path: str) -> bool:
        """Delete a file; False if there was none."""
        ...

    def marker(self, folder: str) -> object:
        """Return what changes when files of a folder come and go; None where that costs a look."""
        ...


def open_storage(place: str) -> "ObjectStorage":
    """Open a folder of this machine, made if it is missing, or the store of a URL.

    Credentials of object stores come from the environment, under the names of their own tools.
    """
    try:
        if _MARK in place:
            return ObjectStorage(from_url(place))
        root = Path(place).absolute()
        _sweep(root)
        return ObjectStorage(LocalStore(root, mkdir=True), root)
    except (BaseError, ValueError, OSError) as error:
        shown = without_login(place)
        text = f"charts cannot be kept in {shown}: {_sentence(error).replace(place, shown)}"
        raise InvalidSpec(text, "--repo-path") from error


class ObjectStorage:
    """A Storage over any store of obstore; `root` is the folder of a local one."""

    def __init__(self, store: ObjectStore, root: Path | None = None) -> None:
        self._store = store
        self._root = root
        # The library holds a file that it writes: some at a time, and the rest waits on the disk.
        self._writing = asyncio.Semaphore(_WRITES_AT_A_TIME)

    async def files(self, folder: str) -> list[Stored]:
        try:
            found = await obstore.list_with_delimiter_async(self._store, folder or None)
        except (BaseError, OSError) as error:
            raise _failed("list", folder or "the charts", error) from error
        return [_stored(meta) for meta in found["objects"]]

    async def folders(self, folder: str) -> list[str]:
        try:
            found = await obstore.list_with_delimiter_async(self._store, folder or None)
        except (BaseError, OSError) as error:
            raise _failed("list", folder or "the charts", error) from error
        return sorted(path.rpartition("/")[2] for path in found["common_prefixes"])

    async def find(self, path: str) -> Stored | None:
        try:
            return _stored(await obstore.head_async(self._store, path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (BaseError, OSError) as error:
            raise _failed("find", path, error) from error

    async def fetch(self, path: str, folder: Path) -> Path | None:
        if self._root is not None:
            return self._root / path
        found = await self.stream(path)
        if found is None:
            return None
        target = folder / path.replace("/", "_")
        with target.open("wb") as file:
            async for piece in found[1]:
                file.write(piece)
        return target

    async def stream(self, path: str) -> tuple[Stored, AsyncIterator[bytes]] | None:
        try:
            found = await obstore.get_async(self._store, path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (BaseError, OSError) as error:
            raise _failed("read", path, error) from error
        return _stored(found.meta), _pieces(found)

    async def write(self, path: str, content: Path, *, overwrite: bool) -> Stored:
        mode: PutMode = "overwrite" if overwrite else "create"
        try:
            async with self._writing:
                await obstore.put_async(self._store, path, content, mode=mode, use_multipart=False)
            if self._root is not None:
                await asyncio.to_thread(_sync, self._root / path)
            return _stored(await obstore.head_async(self._store, path))
        except AlreadyExistsError as error:
            raise AlreadyStored(path) from error
        except (BaseError, OSError) as error:
            raise _failed("write", path, error) from error

    async def delete(self, path: str) -> bool:
        # Object stores delete what is not there without a word.
        if await self.find(path) is None:
            return False
        try:
            await obstore.delete_async(self._store, path)
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as error:
            raise _failed("delete", path, error) from error
        return True

    def marker(self, folder: str) -> object:
        if self._root is None:
            return None
        try:
            return (self._root / folder).stat().st_mtime_ns
        except OSError:
            return 0


async def _pieces(found: "GetResult") -> AsyncIterator[bytes]:
    async for piece in found.stream(min_chunk_size=_CHUNK_BYTES):
        yield bytes(piece)


def _stored(meta: "ObjectMeta") -> Stored:
    modified = meta["last_modified"]
    tag = meta.get("e_tag") or f"{modified.timestamp()}-{meta['size']}"
    return Stored(meta["path"], meta["size"], modified, tag)


def _sync(file: Path) -> None:
    """Have a new file on the disk before anyone is told that it is kept."""
    for path, flags in ((file, os.O_RDONLY), (file.parent, os.O_RDONLY | os.O_DIRECTORY)):
        handle = os.open(path, flags)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sweep(root: Path) -> None:
    """Delete what writes left behind that a kill ended: nothing lists or reads it."""
    long_ago = time.time() - _STAGED_SECONDS  # noqa: TID251 - compared with the file system's clock
    for file in root.rglob("*.tgz*#*"):
        if _STAGED.fullmatch(file.name) and file.lstat().st_mtime < long_ago:
            file.unlink(missing_ok=True)


def _failed(verb: str, what: str, error: Exception) -> StorageFailed:
    return StorageFailed(f"cannot {verb} {what}: {_sentence(error)}")


def _sentence(error: Exception) -> str:
    """Return the first line: what follows is for the authors of the library."""
    return str(error).strip().partition("\n")[0]


def without_login(place: str) -> str:
    """Return a place as people may see it."""
    scheme, mark, rest = place.partition(_MARK)
    return f"{scheme}{mark}{rest.rpartition('@')[2]}" if mark else place
