"""All repositories of a server, each a folder so many levels below the storage's root."""

import logging
from collections.abc import Callable

from whipstaff.server.names import is_folder_name
from whipstaff.server.repository import Repository
from whipstaff.server.shelf import Reader, Rules
from whipstaff.server.storage import Storage, StorageFailed

log = logging.getLogger(__name__)

_KEPT_EMPTY = 256  # whoever asks for repositories that are not there leaves nothing behind


class Repositories:
    """Makes a repository when it is first asked for; an empty folder need not be there."""

    def __init__(
        self,
        storage: Storage,
        reader: Reader,
        rules: Rules,
        clock: Callable[[], float],
        depth: int,
    ) -> None:
        self._storage = storage
        self._reader = reader
        self._rules = rules
        self._clock = clock
        self.depth = depth
        self._known: dict[str, Repository] = {}

    def of(self, folder: str) -> Repository:
        """Return the repository of a folder."""
        known = self._known.get(folder)
        if known is None:
            empty = [name for name, one in self._known.items() if one.is_empty]
            if len(empty) > _KEPT_EMPTY:
                for name in empty:
                    del self._known[name]
            known = Repository(self._storage, self._reader, folder, self._rules, self._clock)
            self._known[folder] = known
        return known

    async def folders(self) -> list[str]:
        """Return the folders that can be repositories."""
        found = [""]
        for level in range(self.depth):
            found = [
                f"{above}/{name}" if above else name
                for above in found
                for name in await self._storage.folders(above)
                if is_folder_name(name, first=level == 0)
            ]
        return found

    async def prime(self) -> None:
        """Read the only repository before anyone asks; of many, each is read when it is asked."""
        if not self.depth:
            try:
                await self.of("").index()
            except StorageFailed as error:
                log.warning("storage failed", extra={"problem": str(error)})

    async def close(self) -> None:
        """End what is under way."""
        for repository in self._known.values():
            await repository.close()
