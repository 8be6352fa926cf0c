"""What cosign puts beside a chart in a registry."""

import json

from yarl import URL

from whipstaff.sources.addresses import AddressPolicy
from whipstaff.sources.oci_client import PUSH, RegistryClient, Request
from whipstaff.sources.oci_manifest import (
    BUNDLE,
    IMAGE_INDEX,
    IMAGE_MANIFEST,
    SIGNATURE,
    SIGNATURE_ANNOTATIONS,
)
from whipstaff.sources.oci_place import ChartPlace
from whipstaff.sources.oci_push import digest_of, manifest_of, push_blob, push_manifest
from whipstaff.sources.place import Place


async def annotated(url, name, digest, signature):
    """Put a signature beside a manifest, as cosign 2 does."""
    client = RegistryClient(AddressPolicy(), lambda: 0.0)
    place = ChartPlace.of(Place(URL(url)), name)
    payload = signature.payload
    config = await push_blob(client, place, "application/vnd.oci.image.config.v1+json", b"{}")
    layer = await push_blob(client, place, SIGNATURE, payload)
    texts = signature.signature, signature.certificate, signature.log
    annotation = dict(zip(SIGNATURE_ANNOTATIONS, texts, strict=False))
    manifest = manifest_of(config, [layer], {}).replace(
        f'"size":{layer.size}'.encode(),
        f'"size":{layer.size},"annotations":{json.dumps(annotation)}'.encode(),
    )
    await push_manifest(client, place, manifest, f"{digest.replace(':', '-')}.sig")
    await client.close()


async def attached(url, name, digest, *bundles):
    """Have bundles refer to a manifest, as cosign 3 does where a registry keeps no list."""
    client = RegistryClient(AddressPolicy(), lambda: 0.0)
    place = ChartPlace.of(Place(URL(url)), name)
    config = await push_blob(client, place, "application/vnd.oci.empty.v1+json", b"{}")
    listed = []
    for bundle in bundles:
        layer = await push_blob(client, place, BUNDLE, json.dumps(bundle).encode())
        manifest = manifest_of(config, [layer], {})
        found = digest_of(manifest)
        await push_manifest(client, place, manifest, found)
        told = {"mediaType": IMAGE_MANIFEST, "digest": found, "size": len(manifest)}
        listed.append({**told, "artifactType": BUNDLE})
    index = {"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": listed}
    await put_index(client, place, json.dumps(index).encode(), digest.replace(":", "-"))
    await client.close()


async def put_index(client, place, index, tag):
    url = place.url("manifests", tag)
    headers = {"Content-Type": IMAGE_INDEX}
    request = Request("PUT", url, place.repository, 1 << 20, PUSH, headers, index)
    assert (await client.ask(place.registry, request)).status == 201
