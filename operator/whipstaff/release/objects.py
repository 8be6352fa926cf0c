"""How an object of the cluster is named, and what tells two of them apart."""

from collections.abc import Iterable
from dataclasses import dataclass

from whipstaff.release.revision import JsonObject


@dataclass(frozen=True, slots=True, order=True)
class ObjectReference:
    """One object of the cluster; `namespace` is empty for cluster-scoped kinds."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def group(self) -> str:
        """The API group, empty for the core one."""
        group, slash, _ = self.api_version.rpartition("/")
        return group if slash else ""

    @property
    def same_in_any_version(self) -> tuple[str, str, str, str]:
        """What stays the same when a chart moves an object to another version of its API."""
        return (self.group, self.kind, self.namespace, self.name)

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


def namespaces_created_by(objects: Iterable[JsonObject]) -> frozenset[str]:
    """Return the names of the Namespaces among the objects."""
    return frozenset(
        body["metadata"]["name"] for body in objects if body.get("kind") == "Namespace"
    )


def kinds_defined_by(objects: Iterable[JsonObject]) -> frozenset[tuple[str, str]]:
    """Return (group, kind) of each CustomResourceDefinition among the objects."""
    found = set()
    for body in objects:
        if body.get("kind") == "CustomResourceDefinition":
            spec = body.get("spec") or {}
            found.add((spec.get("group", ""), (spec.get("names") or {}).get("kind", "")))
    return frozenset(found)
