"""Releases as they lie in the cluster, for readers that only show them: Secrets in, records out.

The helm CLI's releases are read as ours are. A record is untrusted data of bounded size and depth;
what is not of the form that Helm writes is StorageCorrupt.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from whipstaff.errors import StorageCorrupt
from whipstaff.release import codec
from whipstaff.release.revision import JsonObject

OWNED_BY_HELM = "owner=helm"  # the label selector of all stored revisions
NEVER = "0001-01-01T00:00:00Z"

_NAME = re.compile(r"sh\.helm\.release\.v1\.(?P<name>.+)\.v(?P<number>[0-9]+)")
_HELMS_LABELS = frozenset({"name", "owner", "status", "version", "createdAt", "modifiedAt"})
_MISSING = "MISSING"  # Helm's word where a release has no chart


@dataclass(frozen=True, slots=True)
class StoredRelease:
    """One stored revision: Helm's record, whole, and the labels of the object that holds it."""

    record: JsonObject
    labels: Mapping[str, str]
    storage_namespace: str

    @property
    def name(self) -> str:
        return str(self.record["name"])

    @property
    def namespace(self) -> str:
        """The namespace that it was released into."""
        return str(self.record.get("namespace") or "")

    @property
    def number(self) -> int:
        return int(self.record["version"])

    @property
    def info(self) -> JsonObject:
        return table(self.record.get("info"))

    @property
    def status(self) -> str:
        return str(self.info.get("status") or "")

    @property
    def description(self) -> str:
        return str(self.info.get("description") or "")

    @property
    def notes(self) -> str:
        return str(self.info.get("notes") or "")

    @property
    def last_deployed(self) -> str:
        """When it was deployed, in RFC 3339; empty if it was not."""
        moment = str(self.info.get("last_deployed") or "")
        return "" if moment == NEVER else moment

    @property
    def manifest(self) -> str:
        return str(self.record.get("manifest") or "")

    @property
    def hooks(self) -> tuple[JsonObject, ...]:
        """The hooks as they are stored."""
        return tuple(hook for hook in self.record.get("hooks") or () if isinstance(hook, dict))

    @property
    def config(self) -> JsonObject | None:
        """The user's values; None where none were stored."""
        return self.record.get("config")

    @property
    def chart(self) -> JsonObject:
        """The stored chart; empty where there is none."""
        return table(self.record.get("chart"))

    @property
    def chart_metadata(self) -> JsonObject:
        """What Chart.yaml said; empty where it is not stored."""
        return table(self.chart.get("metadata"))

    @property
    def chart_name(self) -> str:
        """Name and version of the chart, as `blog-1.2.0`."""
        found = self.chart_metadata
        return f"{found.get('name') or ''}-{found.get('version') or ''}" if found else _MISSING

    @property
    def app_version(self) -> str:
        found = self.chart_metadata
        return str(found.get("appVersion") or "") if found else _MISSING

    @property
    def own_labels(self) -> dict[str, str]:
        """The labels that are not Helm's own."""
        return {name: text for name, text in self.labels.items() if name not in _HELMS_LABELS}


def object_name(name: str, number: int) -> str:
    """Return the name of the Secret that holds a revision."""
    return f"sh.helm.release.v1.{name}.v{number}"


def stored(holder: JsonObject, kind: str = "Secret") -> StoredRelease:
    """Read the release in a Secret, or in a ConfigMap; StorageCorrupt names the object."""
    metadata = table(holder.get("metadata"))
    name = str(metadata.get("name", ""))
    payload = table(holder.get("data")).get("release")
    if not isinstance(payload, str) or not payload:
        raise StorageCorrupt(f"{name} holds no release", name)
    if kind == "Secret":
        try:
            payload = base64.b64decode(payload, validate=True).decode("ascii")
        except (binascii.Error, ValueError) as error:
            raise StorageCorrupt(f"{name} holds no text", name) from error
    record = codec.decode(payload, name)
    _check(record, name)
    return StoredRelease(record, table(metadata.get("labels")), str(metadata.get("namespace", "")))


def newest(
    holders: Iterable[JsonObject],
    kind: str = "Secret",
    unreadable: Callable[[StorageCorrupt], None] = lambda _: None,
) -> list[StoredRelease]:
    """Read the newest revision of each release; one that is `unreadable` is passed over.

    Older revisions are not decoded, which is most of the work.
    """
    by_release: dict[tuple[str, str], list[tuple[int, JsonObject]]] = {}
    for holder in holders:
        namespace, name, number = _place(holder)
        by_release.setdefault((namespace, name), []).append((number, holder))
    found = []
    for revisions in by_release.values():
        for _, holder in sorted(revisions, key=lambda one: one[0], reverse=True):
            try:
                found.append(stored(holder, kind))
            except StorageCorrupt as error:
                unreadable(error)
                continue
            break
    return found


def place(holder: JsonObject) -> tuple[str, str]:
    """Return storage namespace and name of the release of which an object holds a revision."""
    namespace, name, _ = _place(holder)
    return namespace, name


def _place(holder: JsonObject) -> tuple[str, str, int]:
    """Namespace, name and number of a revision, read from metadata alone."""
    metadata = table(holder.get("metadata"))
    namespace = str(metadata.get("namespace", ""))
    named = _NAME.fullmatch(str(metadata.get("name", "")))
    if named is not None:
        return namespace, named["name"], int(named["number"])
    labels = table(metadata.get("labels"))
    version = str(labels.get("version", ""))
    return namespace, str(labels.get("name", "")), int(version) if version.isdecimal() else 0


def _check(record: JsonObject, name: str) -> None:
    """Refuse what Helm's own reader would not take for a release."""
    number = record.get("version")
    whole = isinstance(number, int) and not isinstance(number, bool)
    if not isinstance(record.get("name"), str) or not whole:
        raise StorageCorrupt(f"the stored release {name} has no name, or no number", name)
    for part in ("info", "chart", "config"):
        if not isinstance(record.get(part, {}), dict | None):
            raise StorageCorrupt(f"{part} of the stored release {name} is no table", name)


def table(value: object) -> dict[str, Any]:
    """Return a JSON object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}
