"""Rendered text into Kubernetes objects, as Helm's builder makes them, or a located refusal."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from whipstaff.errors import ManifestInvalid
from whipstaff.golang import yaml
from whipstaff.release.revision import JsonObject

_SEPARATOR = re.compile(r"^---[ \t]*", re.MULTILINE)
_SOURCE = re.compile(r"# Source: (\S+)\n")


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document; `line` is where it begins in its text, from 1, 0 if unknown."""

    where: str  # the path of its template
    text: str
    line: int = 1

    def refuse(self, problem: str) -> ManifestInvalid:
        """Return the error that says what is wrong, and where."""
        place = f"{self.where}:{self.line}" if self.line else self.where
        return ManifestInvalid(f"{place}: {problem}", self.where)


def split(manifest: str, where: str = "") -> Iterator[Document]:
    """Cut a text at its `---` lines as Helm does; a document of blanks is none.

    A `# Source:` comment, as Helm writes it into a manifest, says where the document is from.
    """
    start = 0
    for found in [*_SEPARATOR.finditer(manifest), None]:
        end = found.start() if found else len(manifest)
        text = manifest[start:end]
        if text.strip():
            source = _SOURCE.match(text.lstrip())
            yield Document(source[1] if source else where, text, 1 + manifest.count("\n", 0, start))
        start = found.end() if found else end


def parse(documents: Iterable[Document]) -> tuple[JsonObject, ...]:
    """Return the objects, lists of objects opened; ManifestInvalid names template and line."""
    return tuple(each(documents))


def each(documents: Iterable[Document]) -> Iterator[JsonObject]:
    """Yield what `parse` returns, one after the other."""
    for document in documents:
        yield from objects(document, load(document))


def parse_one(document: Document) -> JsonObject:
    """Return the single object of a hook."""
    found = parse([document])
    if len(found) != 1:
        raise document.refuse(f"a hook must be one object, not {len(found)}")
    return found[0]


def load(document: Document) -> object:
    """Return what the text says, whole numbers as int; ManifestInvalid names template and line."""
    try:
        return yaml.load_integers(document.text)
    except yaml.YAMLError as error:
        line = f":{document.line + error.line - 1}" if error.line else ""
        raise ManifestInvalid(
            f"YAML parse error on {document.where}{line}: {error.text}", document.where
        ) from error


def objects(document: Document, value: object) -> Iterator[JsonObject]:
    """Yield the objects in a parsed document, lists of objects opened and every object checked."""
    if value is None or value == {}:
        return  # comments only
    if not isinstance(value, dict):
        raise document.refuse("rendered text that is no Kubernetes object")
    for key in ("kind", "apiVersion"):
        if not isinstance(value.get(key), str) or not value[key]:
            raise document.refuse(f"object without {key}")
    if "items" not in value:
        _check_metadata(document, value)
        yield value
        return
    for item in value["items"] or []:
        if not isinstance(item, dict):
            raise document.refuse("a list of things that are no objects")
        yield from objects(document, _with_kind_of_list(item, value))


def _with_kind_of_list(item: JsonObject, parent: JsonObject) -> JsonObject:
    # Kubernetes lets the items of a ConfigMapList go without kind and apiVersion.
    if item.get("kind") or item.get("apiVersion"):
        return item
    kind = str(parent["kind"]).removesuffix("List")
    return {"apiVersion": parent["apiVersion"], "kind": kind, **item}


def _check_metadata(document: Document, body: JsonObject) -> None:
    metadata = body.get("metadata")
    if not isinstance(metadata, dict | None):
        raise document.refuse(f"{body['kind']} has metadata that is no table")
    for key in ("labels", "annotations"):
        if not _is_table_of_texts((metadata or {}).get(key)):
            raise document.refuse(f"{body['kind']} has {key} that are no table of strings")
    names = [(metadata or {}).get(key) for key in ("name", "generateName")]
    if not any(isinstance(name, str) and name for name in names):
        raise document.refuse(f"{body['kind']} has no metadata.name")


def _is_table_of_texts(marks: object) -> bool:
    # A null is no mark at all, to Kubernetes as well.
    if marks is None:
        return True
    return isinstance(marks, dict) and all(isinstance(one, str | None) for one in marks.values())


def repeated(bodies: Iterable[JsonObject], namespace: str) -> tuple[str, ...]:
    """Name each object that comes more than once; `namespace` is that of objects which name none.

    API versions of one group are one object.
    """
    seen: set[tuple[str, str, str, str]] = set()
    twice: dict[str, None] = {}
    for body in bodies:
        metadata = body["metadata"]
        if not metadata.get("name"):
            continue
        group = body["apiVersion"].rpartition("/")[0]
        place = metadata.get("namespace") or namespace
        identity = (group, body["kind"], place, metadata["name"])
        if identity in seen:
            twice[f"{body['kind']} {place}/{metadata['name']}"] = None
        seen.add(identity)
    return tuple(twice)
