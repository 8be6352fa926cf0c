"""What two objects cannot both have: a claim that one node mounts, a port of the node."""

from collections.abc import Iterator
from typing import Any

from whipstaff.release.revision import JsonObject

_SHARED_MODES = frozenset({"ReadWriteMany", "ReadOnlyMany"})


def claims_of(body: JsonObject) -> frozenset[str]:
    """Name the PersistentVolumeClaims that the Pods of an object mount."""
    return frozenset(
        str(claim.get("claimName", ""))
        for volume in _tables(_pod_spec(body).get("volumes"))
        if isinstance(claim := volume.get("persistentVolumeClaim"), dict)
    )


def host_ports_of(body: JsonObject) -> frozenset[str]:
    """Return the ports of the node that the Pods of an object take."""
    spec = _pod_spec(body)
    taken = set()
    for container in _tables(spec.get("containers")):
        for port in _tables(container.get("ports")):
            number = port.get("hostPort")
            if number is None and spec.get("hostNetwork"):
                number = port.get("containerPort")
            if number is not None:
                taken.add(f"{number}/{port.get('protocol') or 'TCP'}")
    return frozenset(taken)


def is_exclusive(claim: JsonObject) -> bool:
    """Whether one node at a time can mount a claim."""
    modes = (claim.get("spec") or {}).get("accessModes") or ()
    return not _SHARED_MODES & set(modes)


def _pod_spec(body: JsonObject) -> JsonObject:
    """Return the spec of the Pods that an object runs; empty if it runs none."""
    spec = _table(body.get("spec"))
    if body.get("kind") == "Pod":
        return spec
    if body.get("kind") == "CronJob":
        spec = _table(_table(spec.get("jobTemplate")).get("spec"))
    return _table(_table(spec.get("template")).get("spec"))


def _tables(items: object) -> Iterator[dict[str, Any]]:
    yield from (item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
