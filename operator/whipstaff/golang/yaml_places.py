"""Where in a text of YAML each field stands: for messages about files that people write."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """The lines of one document's fields, from 1; and the fields that are there twice."""

    first: int
    lines: Mapping[Path, int] = field(default_factory=dict)
    twice: tuple[tuple[Path, int], ...] = ()

    def line(self, path: Path) -> int:
        """Return the line of a field, or of the nearest one around it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return self.first


@dataclass(slots=True)
class _Frame:
    """A collection that is open."""

    path: Path
    is_table: bool
    key: str | None = None  # whose value comes next
    count: int = 0


def places(text: str, deepest: int) -> list[Places]:
    """Return the places of each document, fields nested deeper than `deepest` left out.

    A text that libyaml does not read gives what came before.
    """
    found: list[Places] = []
    try:
        for document in _documents(text, deepest):
            found.append(document)  # noqa: PERF402 - those before a refusal count
    except yaml.YAMLError:
        pass
    return found


def _documents(text: str, deepest: int) -> Iterator[Places]:
    reader = _Reader(deepest)
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.DocumentStartEvent):
            reader = _Reader(deepest)
        elif isinstance(event, yaml.DocumentEndEvent):
            yield Places(reader.first, reader.lines, tuple(reader.twice))
        elif not isinstance(event, yaml.StreamStartEvent | yaml.StreamEndEvent):
            reader.take(event)


class _Reader:
    """Follows the events of one document; nothing here recurses."""

    def __init__(self, deepest: int) -> None:
        self.first = 0
        self.lines: dict[Path, int] = {}
        self.twice: list[tuple[Path, int]] = []
        self._deepest = deepest
        self._open: list[_Frame] = []

    def take(self, event: Any) -> None:  # noqa: ANN401 - the library has no types
        if isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            return
        line = event.start_mark.line + 1
        self.first = self.first or line
        path = self._path(event, line)
        if isinstance(event, yaml.CollectionStartEvent):
            self._open.append(_Frame(path, isinstance(event, yaml.MappingStartEvent)))

    def _path(self, event: Any, line: int) -> Path:  # noqa: ANN401 - the library has no types
        """Return the path of what an event begins; a key's own is that of its value."""
        if not self._open:
            return ()
        around = self._open[-1]
        if not around.is_table:
            path = (*around.path, around.count)
            around.count += 1
            self._note(path, line)
        elif around.key is None:
            around.key = str(getattr(event, "value", "?"))
            path = (*around.path, around.key)
            if path in self.lines and around.key != "<<":
                self.twice.append((path, line))
            self._note(path, line)
        else:
            path = (*around.path, around.key)
            around.key = None
        return path if len(path) <= self._deepest else path[: self._deepest]

    def _note(self, path: Path, line: int) -> None:
        if len(path) <= self._deepest:
            self.lines.setdefault(path, line)
