"""Objects of Kubernetes in files of YAML and JSON: many in one file, each with its place."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from whipstaff.cli.given_values import os_text
from whipstaff.golang import yaml
from whipstaff.golang.yaml_places import Places, places
from whipstaff.release.revision import JsonObject

STDIN = "-"
SUFFIXES = (".yaml", ".yml", ".json")

_DEEPEST = 64  # fields that stand deeper are named by the line of what they are in
_BYTES_LIMIT = 64 << 20


class FileUnreadable(Exception):
    """A file that is not there, or is no YAML; the text names it."""


@dataclass(frozen=True, slots=True)
class Found:
    """One object of a file."""

    body: JsonObject
    file: str
    places: Places
    base: tuple[str | int, ...] = ()  # where it stands in its document: in a List's items

    def at(self, path: tuple[str | int, ...]) -> str:
        """Return file and line of a field."""
        return f"{self.file}:{self.places.line((*self.base, *path))}"

    def twice(self) -> Iterator[tuple[tuple[str | int, ...], int]]:
        """Yield the fields that are there more than once, each with its later line."""
        for path, line in self.places.twice:
            if path[: len(self.base)] == self.base:
                yield path[len(self.base) :], line


def is_object_file(path: str) -> bool:
    """Whether a path is a file of objects, by its name."""
    return path == STDIN or (path.endswith(SUFFIXES) and Path(path).is_file())


def files_below(path: str) -> list[str]:
    """Return the files that are meant by a path: itself, or those of a folder in their order."""
    if path == STDIN or not Path(path).is_dir():
        return [path]
    return [
        str(file)
        for file in sorted(Path(path).rglob("*"))
        if file.name.endswith(SUFFIXES) and file.is_file()
    ]


def read(path: str) -> list[Found]:
    """Return the objects of a file, those of a list one by one; FileUnreadable if it has others."""
    name = "standard input" if path == STDIN else path
    text = _text(path, name)
    try:
        documents = yaml.load_all(text)
    except yaml.YAMLError as error:
        raise FileUnreadable(f"{name}: {error.text}") from error
    known = places(text, _DEEPEST)
    if len(known) != len(documents):
        known = [Places(1)] * len(documents)
    found: list[Found] = []
    for document, place in zip(documents, known, strict=True):
        if document is not None:
            found += _objects(document, Found({}, name, place))
    return found


def _text(path: str, name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    except OSError as error:
        raise FileUnreadable(os_text(path, error)) from error
    if len(data) > _BYTES_LIMIT:
        raise FileUnreadable(f"{name}: is larger than {_BYTES_LIMIT >> 20} MiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileUnreadable(f"{name}: is no UTF-8") from error


def _objects(document: object, place: Found) -> Iterator[Found]:
    if not isinstance(document, dict):
        raise FileUnreadable(f"{place.at(())}: is no object of Kubernetes")
    kind = document.get("kind")
    if not str(kind).endswith("List") or not isinstance(document.get("items"), list):
        yield Found(document, place.file, place.places)
        return
    # The API server names kind and version once for a list of its own, such as a ConfigMapList.
    one_kind = str(kind).removesuffix("List")
    common = {"apiVersion": document.get("apiVersion"), "kind": one_kind} if one_kind else {}
    for at, item in enumerate(document["items"]):
        if not isinstance(item, dict):
            raise FileUnreadable(f"{place.at(('items', at))}: is no object of Kubernetes")
        yield Found({**common, **item}, place.file, place.places, ("items", at))
