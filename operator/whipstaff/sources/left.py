"""What is left of an index on disk, for the next process: its entries, and how to ask for news.

Nobody is served from it before the repository said that nothing changed.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from whipstaff.sources.place import Place


class Remembered(NamedTuple):
    """What belongs to a file of entries."""

    digest: str  # of index.yaml
    validators: Mapping[str, str]  # headers that ask whether it is another by now


def whose(place: Place) -> str:
    """Return a name for who may share what was left; it tells nothing of a login.

    What was fetched without a look at certificates, or with another authority's, is not shared.
    """
    login = place.credentials
    trusted = place.insecure, login.ca, login.certificate, login.username
    return hashlib.sha256(repr((place.scope, str(place.url), trusted)).encode()).hexdigest()


class LeftIndex:
    """One index in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self.file = folder / f"{name}.entries"
        self._notes = folder / f"{name}.json"

    def remembered(self) -> Remembered | None:
        """Return what belongs to the file, None if there is nothing to go by."""
        try:
            found: Any = json.loads(self._notes.read_bytes())
            facts = self.file.stat()
            if [facts.st_ino, facts.st_size] != found["file"]:
                return None  # the notes are of another one: a process died between the two
            validators = {str(name): str(text) for name, text in found["validators"].items()}
            return Remembered(str(found["digest"]), validators) if validators else None
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def keep(self, entries: Path, remembered: Remembered) -> Path:
        """Move entries to their place, with notes on them; each appears whole."""
        facts = entries.stat()
        notes = {**remembered._asdict(), "file": [facts.st_ino, facts.st_size]}
        handle, name = tempfile.mkstemp(dir=entries.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(notes, file)
        found = entries.replace(self.file)
        Path(name).replace(self._notes)
        return found
