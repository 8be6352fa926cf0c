"""From rendered templates to ordered manifests and hooks, as Helm splits and sorts them."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from whipstaff.chart import shapes
from whipstaff.chart.install_order import INSTALL_ORDER
from whipstaff.chart.model import JsonObject
from whipstaff.chart.shapes import MapOf, Scalar, ShapeError, Struct
from whipstaff.errors import ManifestInvalid
from whipstaff.golang import yaml
from whipstaff.golang.unicode import SPACES

_RANKS = {kind: rank for rank, kind in enumerate(INSTALL_ORDER)}

HOOK = "helm.sh/hook"
HOOK_WEIGHT = "helm.sh/hook-weight"
HOOK_DELETE_POLICY = "helm.sh/hook-delete-policy"
HOOK_OUTPUT_LOG_POLICY = "helm.sh/hook-output-log-policy"

EVENTS: Mapping[str, str] = {
    "pre-install": "pre-install",
    "post-install": "post-install",
    "pre-delete": "pre-delete",
    "post-delete": "post-delete",
    "pre-upgrade": "pre-upgrade",
    "post-upgrade": "post-upgrade",
    "pre-rollback": "pre-rollback",
    "post-rollback": "post-rollback",
    "test": "test",
    "test-success": "test",  # Helm 2's word
}

_SEPARATOR = re.compile(r"^---[ \t]*", re.MULTILINE)
_ATOI = re.compile(r"[+-]?[0-9]+", re.ASCII)
_INT64_DIGITS = 19
_INT64 = range(-(1 << 63), 1 << 63)

_HEAD = Struct(
    "util.SimpleHead",
    {
        "apiVersion": Scalar.TEXT,
        "kind": Scalar.TEXT,
        "metadata": Struct(
            'struct { Name string "json:\\"name\\""; '
            'Annotations map[string]string "json:\\"annotations\\"" }',
            {"name": Scalar.TEXT, "annotations": MapOf(Scalar.TEXT)},
        ),
    },
)


@dataclass(frozen=True, slots=True)
class Document:
    """One object of the manifest: `text` as rendered, `body` parsed with whole numbers as int."""

    path: str
    text: str
    body: JsonObject
    api_version: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Hook:
    """One object that runs at an event of its release; the words are Helm's."""

    path: str
    text: str
    body: JsonObject
    kind: str
    name: str
    events: tuple[str, ...]
    weight: int = 0
    delete_policies: tuple[str, ...] = ()
    output_log_policies: tuple[str, ...] = ()


def split(text: str) -> list[str]:
    """Cut a rendered template into its documents; what holds only blanks is none."""
    parts = _SEPARATOR.split(text.lstrip(SPACES))
    return [part.lstrip(SPACES) for part in parts if part.strip(SPACES)]


def sort(rendered: Mapping[str, str]) -> tuple[tuple[Hook, ...], tuple[Document, ...]]:
    """Split all templates and return hooks and manifests, each in install order.

    `rendered` goes from template path to text. What is no YAML object raises ManifestInvalid.
    """
    parts: list[Document | Hook] = []
    for path in sorted(rendered):
        if not posixpath.basename(path).startswith("_"):
            parts += read(path, rendered[path])
    return in_install_order(parts)


def read(path: str, rendered: str) -> tuple[Document | Hook, ...]:
    """Return the manifests and hooks in one rendered template; ManifestInvalid if it is no YAML."""
    return tuple(found for text in split(rendered) if (found := _read(path, text)))


def in_install_order(
    parts: Iterable[Document | Hook],
) -> tuple[tuple[Hook, ...], tuple[Document, ...]]:
    """Return hooks and manifests, each in install order."""
    hooks: list[Hook] = []
    documents: list[Document] = []
    for part in parts:
        if isinstance(part, Hook):
            hooks.append(part)
        else:
            documents.append(part)
    hooks.sort(key=lambda hook: _install_rank(hook.kind))
    documents.sort(key=lambda document: _install_rank(document.kind))
    return tuple(hooks), tuple(documents)


def manifest(documents: Iterable[Document]) -> str:
    """Join documents as Helm stores them, each under the path of its template."""
    return "".join(f"---\n# Source: {one.path}\n{one.text}\n" for one in documents)


def _install_rank(kind: str) -> tuple[int, str]:
    rank = _RANKS.get(kind)
    return (len(_RANKS), kind) if rank is None else (rank, "")


def _read(path: str, text: str) -> Document | Hook | None:
    """A document, a hook, or None for a hook of an event that Helm does not know."""
    body, head = _parse(path, text)
    metadata = head.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    kind = str(head.get("kind", ""))
    name = str(metadata.get("name", ""))
    annotations = metadata.get("annotations") or {}
    if HOOK not in annotations:
        return Document(path, text, body, str(head.get("apiVersion", "")), kind, name)
    words = _words(annotations[HOOK])
    if any(word not in EVENTS for word in words):
        return None
    return Hook(
        path,
        text,
        body,
        kind,
        name,
        events=tuple(EVENTS[word] for word in words),
        weight=_weight(annotations.get(HOOK_WEIGHT, "")),
        delete_policies=_policies(annotations, HOOK_DELETE_POLICY),
        output_log_policies=_policies(annotations, HOOK_OUTPUT_LOG_POLICY),
    )


def _parse(path: str, text: str) -> tuple[JsonObject, JsonObject]:
    try:
        value = yaml.load_integers(text)
        head = shapes.read(value, _HEAD)
    except (yaml.YAMLError, ShapeError) as error:
        problem = (
            error.text
            if isinstance(error, yaml.YAMLError)
            else f"error unmarshaling JSON: while decoding JSON: {error}"
        )
        raise ManifestInvalid(f"YAML parse error on {path}: {problem}", where=path) from error
    return (value if isinstance(value, dict) else {}), head


def _words(annotation: str) -> list[str]:
    return [word.strip(SPACES).lower() for word in annotation.split(",")]


def _policies(annotations: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(_words(annotations[name])) if name in annotations else ()


def _weight(text: str) -> int:
    if not _ATOI.fullmatch(text) or len(text.lstrip("+-0")) > _INT64_DIGITS:
        return 0
    weight = int(text)
    return weight if weight in _INT64 else 0
