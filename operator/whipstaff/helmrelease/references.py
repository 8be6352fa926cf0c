"""What a stored HelmRelease refers to beside its HelmRepository, read of any body however wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease.charts import source_ref
from whipstaff.helmrelease.fields import Fields
from whipstaff.helmrelease.names import API_VERSION, KIND
from whipstaff.release.objects import ObjectReference
from whipstaff.release.revision import JsonObject

_KINDS = ("ConfigMap", "Secret")
_OWN_KIND = (API_VERSION, KIND)


def referenced_by(body: JsonObject) -> frozenset[ObjectReference]:
    """Return the ConfigMaps and Secrets, and the source of Flux, whose change asks for a pass.

    What cannot be read is left out: the pass says what is wrong with it.
    """
    namespace = str(body["metadata"]["namespace"])
    named = frozenset(
        ObjectReference("v1", entry["kind"], namespace, entry["name"])
        for entry in _entries(body)
        if isinstance(entry, dict)
        and entry.get("kind") in _KINDS
        and isinstance(entry.get("name"), str)
        and entry["name"]
    )
    try:
        source = source_ref(namespace, Fields("", body).table("spec").table("chart"))
    except InvalidSpec:
        source = None
    return named | {source} if source else named


@dataclass(frozen=True, slots=True)
class Kin:
    """Which HelmReleases one depends on."""

    names: frozenset[tuple[str, str]] = frozenset()  # namespace and name
    judged: bool = False  # an expression looks at one of them


def kin_of(body: JsonObject) -> Kin:
    """Return the HelmReleases that one depends on; what cannot be read is left out."""
    namespace, spec = str(body["metadata"]["namespace"]), body.get("spec")
    listed = spec.get("dependsOn") if isinstance(spec, dict) else None
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    ours = [
        one
        for one in entries
        if (one.get("apiVersion") or API_VERSION, one.get("kind") or KIND) == _OWN_KIND
    ]
    return Kin(
        frozenset((str(one.get("namespace") or namespace), str(one.get("name"))) for one in ours),
        any(one.get("readyExpr") for one in ours),
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
