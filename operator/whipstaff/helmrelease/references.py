"""What a stored HelmRelease refers to beside its HelmRepository, read of any body however wrong."""

from collections.abc import Iterator
from typing import Any

from whipstaff.release.objects import ObjectReference
from whipstaff.release.revision import JsonObject

_KINDS = ("ConfigMap", "Secret")


def referenced_by(body: JsonObject) -> frozenset[ObjectReference]:
    """Return the ConfigMaps and Secrets whose change asks for a pass.

    What cannot be read is left out: the pass says what is wrong with it.
    """
    namespace = str(body["metadata"]["namespace"])
    return frozenset(
        ObjectReference("v1", entry["kind"], namespace, entry["name"])
        for entry in _entries(body)
        if isinstance(entry, dict)
        and entry.get("kind") in _KINDS
        and isinstance(entry.get("name"), str)
        and entry["name"]
    )


def _entries(body: JsonObject) -> Iterator[Any]:
    spec = body.get("spec")
    if not isinstance(spec, dict):
        return
    chart, values = spec.get("chart"), spec.get("valuesFrom")
    if isinstance(chart, dict):
        yield chart.get("archiveFrom")
    if isinstance(values, list):
        yield from values
    remote = spec.get("kubeConfig")
    if isinstance(remote, dict) and isinstance(remote.get("secretRef"), dict):
        yield {"kind": "Secret", "name": remote["secretRef"].get("name")}
