"""The final values of a release: those of its spec, and those that ConfigMaps and Secrets hold.

They are read as whom the release acts. No error and no log repeats one of them.
"""

import asyncio
from collections.abc import Mapping

from whipstaff.errors import ValuesNotFound, ValuesTooLarge
from whipstaff.helmrelease.types import HelmRelease
from whipstaff.helmrelease.values_from import ValuesKind, ValuesReference
from whipstaff.reconcile.ports import ComposedValues, ObjectReference, ValuesLayer
from whipstaff.reconcile.world import World, home_identity_of
from whipstaff.release.revision import JsonObject

BYTES_LIMIT = 4 << 20  # of all that is read, as the API server hands it out

_Found = Mapping[ObjectReference, JsonObject | None]


async def final_values(world: World, release: HelmRelease) -> ComposedValues:
    """Return what a chart is rendered with; ValuesNotFound, ValuesInvalid, ClusterRefused."""
    spec = release.spec
    if not spec.values_from:
        return ComposedValues(spec.values)
    places = dict.fromkeys(one.place(release.namespace) for one in spec.values_from)
    identity = home_identity_of(release)
    bodies = await asyncio.gather(*(world.cluster.read(place, identity) for place in places))
    found = dict(zip(places, bodies, strict=True))
    layers = [_layer(one, release.namespace, found) for one in spec.values_from]
    read = [layer for layer in layers if layer is not None]
    if sum(len(layer.content) for layer in read) > BYTES_LIMIT:
        raise ValuesTooLarge(f"valuesFrom names more than {BYTES_LIMIT >> 20} MiB of values")
    return await world.renderer.compose_values(spec.values, read)


def _layer(reference: ValuesReference, namespace: str, found: _Found) -> ValuesLayer | None:
    """Return the content of a key, None if it is optional and not there."""
    body = found[reference.place(namespace)]
    where = f"{reference.kind} {namespace}/{reference.name}"
    data = (body or {}).get("data")
    content = data.get(reference.key) if isinstance(data, dict) else None
    if isinstance(content, str):
        return ValuesLayer(
            where=f"{where}, key {reference.key}",
            content=content,
            secret=reference.kind is ValuesKind.SECRET,
            target_path=reference.target_path,
            literal=reference.literal,
        )
    if reference.optional:
        return None
    if body is None:
        raise ValuesNotFound(f"{where} does not exist", where)
    raise ValuesNotFound(f"{where} has no key {reference.key}", where)
